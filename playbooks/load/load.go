// Package load reads playbooks, task files, variables files and role meta files into
// trees of package ast. It knows the syntax of the language: keywords, the forms of a
// task, key=value arguments. It searches nothing and inherits nothing.
package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/ast"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

// Loader reads files, each once. It is safe for concurrent use.
type Loader struct {
	// Duplicates is the setting duplicate_dict_key: warn, error or ignore.
	Duplicates string
	// Decrypt opens a vault file; nil makes vault files an error.
	Decrypt func(text []byte, file string) ([]byte, error)
	// Texts are files that are not on disk, by path: the playbook of an ad-hoc command.
	Texts map[string][]byte
	// IsModule tells whether a key of a task is a module; it decides which of several unknown keys is.
	IsModule func(name string) bool

	mu    sync.Mutex
	files map[fileKey]*file
	names []string
	seen  map[string]bool
}

type fileKey struct {
	path string
	as   string
}

type file struct {
	once    sync.Once
	size    int64
	changed time.Time
	tree    any
	diags   diag.List
	err     error
}

// open reads path once in the way that as names, by parse.
func (l *Loader) open(path, as string, parse func(p *parser, n *yaml.Node) any) (any, *diag.List, error) {
	l.mu.Lock()
	if l.files == nil {
		l.files, l.seen = map[fileKey]*file{}, map[string]bool{}
	}
	f := l.files[fileKey{path, as}]
	size, changed := stamp(path)
	if f == nil || f.size != size || !f.changed.Equal(changed) {
		f = &file{size: size, changed: changed}
		l.files[fileKey{path, as}] = f
	}
	if !l.seen[path] {
		l.seen[path] = true
		l.names = append(l.names, path)
	}
	l.mu.Unlock()
	f.once.Do(func() {
		text, vaulted, err := l.ReadFile(path)
		if err != nil {
			f.err = err
			return
		}
		n, err := yamlv.ParseOne(path, text)
		if err != nil {
			d := err.(*diag.Diagnostic)
			if vaulted {
				d = diag.Errorf(diag.Pos{File: path}, "syntax", "cannot read the decrypted text of this vault file as YAML")
			}
			f.diags.Add(d)
			return
		}
		p := &parser{Reader: yamlv.NewReader(path, &f.diags), l: l}
		p.Secret = vaulted && as == "vars"
		p.Duplicates = l.Duplicates
		f.tree = parse(p, yamlv.Resolve(n))
	})
	return f.tree, &f.diags, f.err
}

// stamp tells whether a file is still what was read: tasks may write files that are
// included after them.
func stamp(path string) (int64, time.Time) {
	st, err := os.Stat(path)
	if err != nil {
		return -1, time.Time{}
	}
	return st.Size(), st.ModTime()
}

// Files lists all files read so far, in order.
func (l *Loader) Files() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names)
}

var vaultHeader = []byte("$ANSIBLE_VAULT;")

// ReadFile reads a file and decrypts it when it is a vault file.
func (l *Loader) ReadFile(path string) (text []byte, vaulted bool, err error) {
	if text, ok := l.Texts[path]; ok {
		return text, false, nil
	}
	text, err = os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(text, vaultHeader) {
		return text, false, err
	}
	if l.Decrypt == nil {
		return nil, true, fmt.Errorf("%s is encrypted with vault, and no vault secret is given", path)
	}
	text, err = l.Decrypt(text, path)
	return text, true, err
}

// Playbook reads a playbook.
func (l *Loader) Playbook(path string) (*ast.Playbook, *diag.List, error) {
	t, ds, err := l.open(path, "playbook", func(p *parser, n *yaml.Node) any { return p.playbook(path, n) })
	pb, _ := t.(*ast.Playbook)
	return pb, ds, err
}

// Tasks reads a file of tasks, or of handlers.
func (l *Loader) Tasks(path string, handlers bool) ([]ast.Item, *diag.List, error) {
	as := "tasks"
	if handlers {
		as = "handlers"
	}
	t, ds, err := l.open(path, as, func(p *parser, n *yaml.Node) any {
		if yamlv.IsNull(n) {
			return []ast.Item(nil)
		}
		return p.items(n, wholeFile, handlers)
	})
	items, _ := t.([]ast.Item)
	return items, ds, err
}

// Vars reads a file of variables.
func (l *Loader) Vars(path string) (*value.Vars, *diag.List, error) {
	t, ds, err := l.open(path, "vars", func(p *parser, n *yaml.Node) any { return p.Vars(n) })
	v, _ := t.(*value.Vars)
	return v, ds, err
}

// Meta reads meta/main.yml of a role.
func (l *Loader) Meta(path string) (*ast.RoleMeta, *diag.List, error) {
	t, ds, err := l.open(path, "meta", func(p *parser, n *yaml.Node) any { return p.meta(n) })
	m, _ := t.(*ast.RoleMeta)
	return m, ds, err
}

// Data reads a file of plain data.
func (l *Loader) Data(path string) (value.Value, *diag.List, error) {
	return l.open(path, "data", func(p *parser, n *yaml.Node) any { return p.Value(n) })
}

// parser turns the nodes of one file into trees.
type parser struct {
	*yamlv.Reader
	l     *Loader
	depth int
}

// maxDepth bounds how deep blocks nest.
const maxDepth = 200

func (p *parser) fail(n *yaml.Node, rule, format string, a ...any) *diag.Diagnostic {
	d := diag.Errorf(p.Pos(n), rule, format, a...)
	if n.Kind == yaml.ScalarNode && n.Style == 0 && !strings.Contains(n.Value, "\n") {
		d.Width = len([]rune(n.Value))
	}
	p.Diags.Add(d)
	return d
}

// what names the type of a node in messages.
func what(n *yaml.Node) string {
	switch {
	case yamlv.IsNull(n):
		return "nothing"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	}
	return fmt.Sprintf("the text %q", shorten(n.Value))
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}

// listOf gives the elements of a list; nothing is an empty one. ok is false for anything else.
func (p *parser) listOf(n *yaml.Node, of string) ([]*yaml.Node, bool) {
	n = yamlv.Resolve(n)
	if yamlv.IsNull(n) {
		return nil, true
	}
	if n.Kind != yaml.SequenceNode {
		p.fail(n, "syntax", "expected %s, found %s", of, what(n))
		return nil, false
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = yamlv.Resolve(c)
	}
	return out, true
}

// attr reads the value of a keyword.
func (p *parser) attr(k ast.Keyword, key, n *yaml.Node) ast.Attr {
	n = yamlv.Resolve(n)
	a := ast.Attr{Name: k.Name, Key: p.Pos(key), At: p.Pos(n)}
	switch k.Kind {
	case ast.Cond:
		a.Value = p.cond(n)
	case ast.Static:
		a.Value = n.Value
		if n.Kind != yaml.ScalarNode {
			p.fail(n, "keyword", "%s must be text, found %s", k.Name, what(n))
			a.Value = ""
		}
	case ast.Text:
		a.Value = p.Value(n)
		if n.Kind != yaml.ScalarNode {
			p.fail(n, "keyword", "%s must be text, found %s", k.Name, what(n))
			a.Value = ""
		}
		a.Value = asText(a.Value)
	default:
		a.Value = p.Value(n)
	}
	return a
}

func asText(v value.Value) value.Value {
	switch v.(type) {
	case string, *value.Template, *value.Encrypted:
		return v
	case nil:
		return ""
	}
	return value.Str(v)
}

// cond reads a condition: text becomes an expression, also in lists.
func (p *parser) cond(n *yaml.Node) value.Value {
	n = yamlv.Resolve(n)
	if n.Kind == yaml.SequenceNode {
		l := &value.List{}
		for _, c := range n.Content {
			l.V = append(l.V, p.cond(c))
		}
		return l
	}
	v := p.Value(n)
	if s, ok := v.(string); ok {
		return &value.Template{Src: s, At: p.Pos(n)}
	}
	return v
}

// keywords reads the keywords of an object. Keys that are none go to other, which says
// whether it took them; the rest is reported.
func (p *parser) keywords(n *yaml.Node, on ast.Object, what string, child func(k string, key, v *yaml.Node), other func(key, v *yaml.Node) bool) ast.Attrs {
	var out ast.Attrs
	for _, pair := range p.Pairs(n) {
		key, v := yamlv.Resolve(pair.Key), yamlv.Resolve(pair.Value)
		k, ok := ast.Find(key.Value, on)
		switch {
		case key.Kind != yaml.ScalarNode:
			p.fail(key, "keyword", "a keyword must be text")
		case !ok:
			if other == nil || !other(key, v) {
				p.unknown(key, on, what)
			}
		case k.Kind == ast.Child || k.Kind == ast.Vars:
			child(k.Name, key, v)
		default:
			out = append(out, p.attr(k, key, v))
		}
	}
	return out
}

func (p *parser) unknown(key *yaml.Node, on ast.Object, what string) {
	d := p.fail(key, "keyword", "'%s' is not a valid attribute for %s", key.Value, what)
	if hint, gone := ast.Gone[key.Value]; gone {
		d.Hint = hint + " (Ansible has removed " + key.Value + ")"
		return
	}
	if k := ast.KeywordNames(on); d.Hint == "" {
		d.Hint = diag.DidYouMean(key.Value, k)
	}
	if _, elsewhere := ast.Find(key.Value, -1); elsewhere && d.Hint == "" {
		d.Hint = "it is a keyword, but not here"
	}
}

// vars reads a vars mapping and checks the names; a list of mappings is Ansible's old form.
func (p *parser) vars(key, n *yaml.Node) *value.Vars {
	out := &value.Vars{}
	parts := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		parts = n.Content
		d := diag.Warnf(p.Pos(key), "deprecated", "vars as a list is the form of old Ansible versions; write a mapping")
		d.Severity = diag.Deprecated
		p.Diags.Add(d)
	}
	for _, part := range parts {
		for name, v := range p.Vars(part).All() {
			if !isName(name) {
				p.Diags.Add(diag.Errorf(v.At, "keyword", "invalid variable name %q: names are letters, digits and underscores, and do not begin with a digit", name))
				continue
			}
			p.reserved(name, v.At)
			out.Set(name, v.Value, v.At)
		}
	}
	return out
}

// reserved warns of a variable that is called as a keyword.
func (p *parser) reserved(name string, at diag.Pos) {
	if ast.Reserved(name) {
		p.Diags.Add(diag.Warnf(at, "reserved", "Found variable using reserved name: %s", name))
	}
}

// isName tells whether a text may name a variable.
func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && !slices.Contains(reserved, s)
}

// reserved are the words that Jinja reads as something else than a name.
var reserved = []string{"False", "None", "True", "and", "else", "for", "if", "in", "is", "not", "or", "true", "false", "none"}

// Abs makes a path absolute against dir and cleans it.
func Abs(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
