package inventory

import (
	"path/filepath"
	"unicode/utf8"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

func wantsYAML(s *source) bool {
	ext := filepath.Ext(s.name)
	return isFile(s) && (ext == "" || hasExt(s.name, s.inv.opts.YAMLExts))
}

type yamlReader struct {
	inv    *Inventory
	source *source
	nodes  *yamlv.Reader
}

// rootMapping parses a source that must be one mapping.
func (s *source) rootMapping() (*yaml.Node, error) {
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	root, err := yamlv.ParseOne(s.name, text)
	if err != nil {
		return nil, err
	}
	root = yamlv.Resolve(root)
	switch {
	case yamlv.IsNull(root):
		return nil, diag.Errorf(diag.Pos{File: s.name}, "inventory", "the file is empty")
	case root.Kind != yaml.MappingNode:
		return nil, diag.Errorf(yamlv.Pos(s.name, root), "inventory", "expected a mapping of groups, found a %s", nodeWord(root))
	}
	return root, nil
}

func nodeWord(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "list"
	case yaml.MappingNode:
		return "mapping"
	}
	return "text"
}

func parseYAML(inv *Inventory, s *source) error {
	root, err := s.rootMapping()
	if err != nil {
		return err
	}
	var problems diag.List
	r := &yamlReader{inv: inv, source: s, nodes: yamlv.NewReader(s.name, &problems)}
	pairs := r.nodes.Pairs(root)
	for _, p := range pairs {
		if p.Key.Value == "plugin" && !yamlv.IsNull(p.Value) {
			return diag.Errorf(yamlv.Pos(s.name, p.Key), "inventory", "it configures a plugin and is no YAML inventory")
		}
	}
	for _, p := range pairs {
		if _, err := r.group(p.Key, p.Value); err != nil {
			return err
		}
	}
	return r.flush(&problems)
}

// flush hands warnings on and gives the first error.
func (r *yamlReader) flush(problems *diag.List) error {
	var first *diag.Diagnostic
	for _, d := range problems.Sorted() {
		if d.Severity == diag.Error {
			if first == nil {
				first = d
			}
			continue
		}
		r.source.warn(d)
	}
	if first != nil {
		return first
	}
	return nil
}

func (r *yamlReader) fail(n *yaml.Node, format string, a ...any) error {
	return diag.Errorf(r.nodes.Pos(n), "inventory", format, a...)
}

func (r *yamlReader) group(key, body *yaml.Node) (*Group, error) {
	name, ok := r.nodes.Key(key).(string)
	if !ok || name == "" {
		return nil, r.fail(key, "the name of a group must be text; put %s into quotes", key.Value)
	}
	body = yamlv.Resolve(body)
	if !yamlv.IsNull(body) && body.Kind != yaml.MappingNode {
		d := diag.Warnf(r.nodes.Pos(key), "inventory", "%q is skipped: expected a group, found a %s", name, nodeWord(body))
		d.Width = utf8.RuneCountInString(key.Value)
		r.source.warn(d)
		return nil, nil
	}
	g := r.inv.addGroup(r.inv.safeName(name, r.nodes.Pos(key), r.source), r.nodes.Pos(key))
	for _, p := range r.nodes.Pairs(body) {
		if err := r.section(g, p); err != nil {
			return nil, err
		}
	}
	return g, nil
}

var groupSections = []string{"vars", "children", "hosts"}

func (r *yamlReader) section(g *Group, p yamlv.Pair) error {
	section, v := p.Key.Value, yamlv.Resolve(p.Value)
	switch section {
	case "vars", "children", "hosts":
	default:
		d := diag.Warnf(r.nodes.Pos(p.Key), "inventory", "the key %q of group %q is skipped: only vars, children and hosts have a meaning", section, g.Name)
		d.Width, d.Hint = utf8.RuneCountInString(section), diag.DidYouMean(section, groupSections)
		r.source.warn(d)
		return nil
	}
	if yamlv.IsNull(v) {
		return nil
	}
	if s, ok := r.nodes.Key(v).(string); ok && v.Kind == yaml.ScalarNode && s != "" {
		return r.item(g, section, v, nil) // a lone name stands for a mapping without values
	}
	if v.Kind != yaml.MappingNode {
		return r.fail(v, "%s of group %q must be a mapping, not a %s", section, g.Name, nodeWord(v))
	}
	for _, item := range r.nodes.Pairs(v) {
		if err := r.item(g, section, item.Key, item.Value); err != nil {
			return err
		}
	}
	return nil
}

func (r *yamlReader) item(g *Group, section string, key, body *yaml.Node) error {
	switch section {
	case "vars":
		name := value.Str(r.nodes.Key(key))
		if err := g.setVar(name, r.nodes.Value(body), r.nodes.Pos(key)); err != nil {
			return r.fail(key, "%v", err)
		}
	case "children":
		child, err := r.group(key, body)
		if err != nil || child == nil {
			return err
		}
		if err := r.inv.addChild(g, child); err != nil {
			return r.fail(key, "%v", err)
		}
	case "hosts":
		return r.host(g, key, body)
	}
	return nil
}

func (r *yamlReader) host(g *Group, key, body *yaml.Node) error {
	pattern, ok := r.nodes.Key(key).(string)
	if !ok {
		return r.fail(key, "Host pattern %s must be a string: put it into quotes", key.Value)
	}
	names, port, err := expandHosts(pattern)
	if err != nil {
		return r.fail(key, "%v", err)
	}
	body = yamlv.Resolve(body)
	if !yamlv.IsNull(body) && body.Kind != yaml.MappingNode {
		return r.fail(body, "the variables of host %q must be a mapping, not a %s", pattern, nodeWord(body))
	}
	vars := r.nodes.Vars(body)
	for _, n := range names {
		h := r.inv.addHost(n, g, port, r.source.name)
		for k, v := range vars.All() {
			h.setVar(k, v.Value, v.At)
		}
	}
	return nil
}
