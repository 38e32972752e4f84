// Package factcache keeps facts between runs, a file a host, as Ansible's cache plugins
// jsonfile and community.general.yaml do: either program reads what the other wrote.
package factcache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fettle/engine/value"

	"gopkg.in/yaml.v3"
)

// schema begins the file names of ansible-core 2.19 and later.
const schema = "s1_"

// maxFile bounds what is read of one host, in bytes.
const maxFile = 64 << 20

// Options are the settings fact_caching, _connection, _prefix and _timeout.
type Options struct {
	Plugin, Folder, Prefix string
	Timeout                time.Duration // 0: facts stay for ever
	Now                    func() time.Time
}

// Files is a cache in a folder. Safe for concurrent use for different hosts.
type Files struct {
	Options
	write func(*value.Dict) ([]byte, error)
	read  func([]byte) (value.Value, error)
}

// Open returns the cache of a plugin; nil for memory, which is no cache between runs.
func Open(o Options) (*Files, error) {
	f := &Files{Options: o}
	switch name := strings.TrimPrefix(o.Plugin, "ansible.builtin."); name {
	case "", "memory", "community.general.memory":
		return nil, nil
	case "jsonfile":
		f.write, f.read = writeJSON, readJSON
	case "yaml", "community.general.yaml":
		f.write, f.read = writeYAML, readYAML
	default:
		return nil, fmt.Errorf("fact_caching %s is not supported; there are memory, jsonfile and yaml", o.Plugin)
	}
	if o.Folder == "" {
		return nil, fmt.Errorf("fact_caching %s needs a folder in fact_caching_connection", o.Plugin)
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("fact_caching_connection: %w", err)
	}
	if f.Now == nil {
		f.Now = time.Now
	}
	return f, nil
}

func (f *Files) path(host string) (string, error) {
	name := f.Prefix + schema + host
	if name != filepath.Base(name) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("the name of host %q cannot be that of a file: its facts are not kept", host)
	}
	return filepath.Join(f.Folder, name), nil
}

// Get returns the facts of a host under the names modules gave them; nil when there are none
// that are young enough.
func (f *Files) Get(host string) (*value.Dict, error) {
	path, err := f.path(host)
	if err != nil {
		return nil, nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case f.Timeout > 0 && f.Now().Sub(info.ModTime()) > f.Timeout:
		return nil, nil
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, fmt.Errorf("%s is not a file of facts", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	v, err := f.read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	facts, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("%s holds no mapping", path)
	}
	return facts, nil
}

// Put keeps the facts of a host, without those that are secret.
func (f *Files) Put(host string, facts *value.Dict) error {
	path, err := f.path(host)
	if err != nil {
		return err
	}
	open := value.NewDict(facts.Len())
	for _, e := range facts.Entries() {
		if !hasSecret(e.Value) {
			open.Set(e.Key, e.Value)
		}
	}
	text, err := f.write(open)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.Folder, ".fettle-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// Drop forgets a host.
func (f *Files) Drop(host string) error {
	path, err := f.path(host)
	if err != nil {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func hasSecret(v value.Value) bool {
	switch x := v.(type) {
	case *value.Secret:
		return true
	case *value.List:
		for _, e := range x.V {
			if hasSecret(e) {
				return true
			}
		}
	case value.Tuple:
		for _, e := range x {
			if hasSecret(e) {
				return true
			}
		}
	case *value.Dict:
		for _, e := range x.Entries() {
			if hasSecret(e.Key) || hasSecret(e.Value) {
				return true
			}
		}
	}
	return false
}

// payload is the one key of the outer object of ansible-core 2.19.
const payload = "__payload__"

func writeJSON(facts *value.Dict) ([]byte, error) {
	inner, err := value.ToJSON(facts)
	if err != nil {
		return nil, err
	}
	return value.ToJSON(value.DictOf(payload, string(inner)))
}

func readJSON(text []byte) (value.Value, error) {
	v, err := value.FromJSON(text)
	if err != nil {
		return nil, err
	}
	if d, ok := v.(*value.Dict); ok && d.Len() == 1 {
		if inner, ok := d.GetString(payload); ok {
			if v, err = value.FromJSON([]byte(value.Str(inner))); err != nil {
				return nil, err
			}
		}
	}
	return untagged(v), nil
}

// untagged unwraps values that ansible-core wrote with what it knows of them.
func untagged(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.List:
		for i, e := range x.V {
			x.V[i] = untagged(e)
		}
	case *value.Dict:
		if _, ok := x.GetString("__ansible_type"); ok {
			if inner, ok := x.GetString("value"); ok {
				return untagged(inner)
			}
		}
		out := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			out.Set(e.Key, untagged(e.Value))
		}
		return out
	}
	return v
}

// writeYAML goes through JSON, which is YAML of another style.
func writeYAML(facts *value.Dict) ([]byte, error) {
	text, err := value.ToJSON(facts)
	if err != nil {
		return nil, err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, err
	}
	var plain func(*yaml.Node)
	plain = func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			n.Style = 0
		}
		for _, c := range n.Content {
			plain(c)
		}
	}
	plain(&n)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	if err := e.Encode(&n); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func readYAML(text []byte) (value.Value, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, err
	}
	return fromNode(&n, 0)
}

const maxDepth = 500

func fromNode(n *yaml.Node, depth int) (value.Value, error) {
	if depth > maxDepth {
		return nil, errors.New("nests too deep")
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return fromNode(n.Content[0], depth)
	case yaml.SequenceNode:
		l := value.NewList()
		for _, c := range n.Content {
			v, err := fromNode(c, depth+1)
			if err != nil {
				return nil, err
			}
			l.V = append(l.V, v)
		}
		return l, nil
	case yaml.MappingNode:
		d := value.NewDict(len(n.Content) / 2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, err := fromNode(n.Content[i], depth+1)
			if err != nil {
				return nil, err
			}
			v, err := fromNode(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			d.Set(k, v)
		}
		return d, nil
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, errors.New("aliases are not expected in facts")
}

func scalar(n *yaml.Node) (value.Value, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, err
		}
		switch x := v.(type) {
		case bool:
			return x, nil
		case float64:
			return x, nil
		}
	case "!!int":
		return value.FromJSON([]byte(n.Value))
	}
	return n.Value, nil
}
