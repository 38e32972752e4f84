package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

// wantsScript takes files that may be executed or begin with #!.
func wantsScript(s *source) bool {
	f, err := os.Open(s.name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var start [2]byte
	if n, _ := io.ReadFull(f, start[:]); n == 2 && start == [2]byte{'#', '!'} {
		return true
	}
	st, err := f.Stat()
	return err == nil && !st.IsDir() && st.Mode()&0o111 != 0
}

// scriptReader reads what a script prints.
type scriptReader struct {
	inv    *Inventory
	source *source
	nodes  *yamlv.Reader
	hosts  []string // in order of their first mention
	seen   map[string]bool
}

func parseScript(inv *Inventory, s *source) error {
	out, err := inv.runScript(s.name, "--list")
	if err != nil {
		return err
	}
	name := "output of " + s.name
	root, err := yamlv.ParseOne(name, out)
	if err != nil {
		return fmt.Errorf("cannot read what %s printed: %w", s.name, err)
	}
	root = yamlv.Resolve(root)
	if yamlv.IsNull(root) || root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s must print a JSON object of groups", s.name)
	}
	var problems diag.List
	r := &scriptReader{inv: inv, source: s, nodes: yamlv.NewReader(name, &problems), seen: map[string]bool{}}
	var meta *yaml.Node
	for _, p := range r.nodes.Pairs(root) {
		if p.Key.Value == "_meta" {
			meta = r.member(p.Value, "hostvars")
		} else if err := r.group(p.Key.Value, yamlv.Resolve(p.Value)); err != nil {
			return err
		}
	}
	for _, h := range r.hosts {
		if err := r.hostVars(h, meta); err != nil {
			return err
		}
	}
	return problems.Err()
}

func (r *scriptReader) member(n *yaml.Node, key string) *yaml.Node {
	for _, p := range r.nodes.Pairs(n) {
		if p.Key.Value == key {
			return yamlv.Resolve(p.Value)
		}
	}
	return nil
}

// runScript runs an executable source; its text on stderr is part of the error.
func (inv *Inventory) runScript(path string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(inv.opts.Context, path, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, inv.opts.Environ
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return nil, fmt.Errorf("problem running %s (%w)", path+" "+strings.Join(args, " "), reason(err))
		}
		return nil, fmt.Errorf("Inventory script (%s) had an execution error: %s", path, strings.TrimRight(stderr.String(), "\n"))
	}
	return stdout.Bytes(), nil
}

// group reads one group: a list of hosts, an object with hosts, vars and children, or the
// variables of a host of the same name.
func (r *scriptReader) group(name string, body *yaml.Node) error {
	at := diag.Pos{File: r.source.name}
	if name == "" {
		return fmt.Errorf("%s prints a group without a name", r.source.name)
	}
	g := r.inv.addGroup(r.inv.safeName(name, at, r.source), at)
	if body.Kind != yaml.MappingNode {
		return r.groupHosts(g, body)
	}
	known := false
	for _, p := range r.nodes.Pairs(body) {
		known = known || slices.Contains(groupSections, p.Key.Value)
	}
	if !known {
		r.host(g, g.Name)
		for _, p := range r.nodes.Pairs(body) {
			if err := g.setVar(p.Key.Value, r.nodes.Value(p.Value), at); err != nil {
				return err
			}
		}
		return nil
	}
	if hosts := r.member(body, "hosts"); hosts != nil {
		if err := r.groupHosts(g, hosts); err != nil {
			return err
		}
	}
	if vars := r.member(body, "vars"); vars != nil {
		if vars.Kind != yaml.MappingNode {
			return fmt.Errorf("the variables of group %q must be an object", name)
		}
		for n, v := range r.nodes.Vars(vars).All() {
			if err := g.setVar(n, v.Value, at); err != nil {
				return err
			}
		}
	}
	return r.children(g, r.member(body, "children"))
}

func (r *scriptReader) children(g *Group, list *yaml.Node) error {
	if yamlv.IsNull(list) {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("the children of group %q must be a list", g.Name)
	}
	for _, c := range list.Content {
		at := diag.Pos{File: r.source.name}
		child := r.inv.addGroup(r.inv.safeName(yamlv.Resolve(c).Value, at, r.source), at)
		if err := r.inv.addChild(g, child); err != nil {
			return err
		}
	}
	return nil
}

func (r *scriptReader) groupHosts(g *Group, list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("the hosts of group %q must be a list", g.Name)
	}
	for _, c := range list.Content {
		name, ok := r.nodes.Key(c).(string)
		if !ok {
			return fmt.Errorf("the hosts of group %q must be texts, not %s", g.Name, value.Repr(r.nodes.Key(c)))
		}
		r.host(g, name)
	}
	return nil
}

func (r *scriptReader) host(g *Group, name string) {
	if !r.seen[name] {
		r.seen[name] = true
		r.hosts = append(r.hosts, name)
	}
	r.inv.addHost(name, g, 0, r.source.name)
}

// hostVars takes the variables of a host from _meta, or asks the script when it has none.
func (r *scriptReader) hostVars(host string, meta *yaml.Node) error {
	vars := meta
	if meta != nil {
		vars = r.member(meta, host)
	} else {
		out, err := r.inv.runScript(r.source.name, "--host", host)
		if err != nil {
			return err
		}
		if vars, err = yamlv.ParseOne("output of "+r.source.name, out); err != nil {
			return fmt.Errorf("could not parse post variable response: %s, %s: %w", r.source.name, host, err)
		}
	}
	if yamlv.IsNull(vars) {
		return nil
	}
	for n, v := range r.nodes.Vars(vars).All() {
		r.inv.hosts[host].setVar(n, v.Value, v.At)
	}
	return nil
}
