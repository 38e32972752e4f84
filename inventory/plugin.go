package inventory

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

// wantsAuto takes YAML files that name a plugin.
func wantsAuto(s *source) bool {
	ext := filepath.Ext(s.name)
	return (ext == ".yml" || ext == ".yaml") && s.pluginName() != ""
}

// wantsConfig takes what the plugins with a configuration file take by themselves.
func wantsConfig(s *source) bool {
	ext := filepath.Ext(s.name)
	return (ext == "" || ext == ".config" || hasExt(s.name, s.inv.opts.VarsExts)) && s.pluginName() != ""
}

// pluginName is the value of the key plugin, or "".
func (s *source) pluginName() string {
	if !isFile(s) {
		return ""
	}
	text, err := s.read()
	if err != nil || !strings.Contains(string(text), "plugin") {
		return ""
	}
	root, err := yamlv.ParseOne(s.name, text)
	if root = yamlv.Resolve(root); err != nil || root == nil || root.Kind != yaml.MappingNode {
		return ""
	}
	for _, p := range yamlv.NewReader(s.name, nil).Pairs(root) {
		if v := yamlv.Resolve(p.Value); p.Key.Value == "plugin" && v.Kind == yaml.ScalarNode {
			return v.Value
		}
	}
	return ""
}

// parseAuto hands a file to the plugin it names.
func parseAuto(inv *Inventory, s *source) error {
	name := s.pluginName()
	p, ok := findPlugin(name)
	if !ok || p.name == "auto" {
		var known []string
		for _, p := range plugins() {
			known = append(known, p.name)
		}
		d := diag.Errorf(diag.Pos{File: s.name}, unsupportedPlugin, "it is for the inventory plugin %q, which is not supported", name)
		d.Hint = diag.DidYouMean(name, known)
		return d
	}
	if !p.wants(s) {
		return fmt.Errorf("it cannot be a source of the plugin %q that it names", name)
	}
	return p.parse(inv, s)
}

// pluginConfig is the configuration of a plugin, checked for unknown keys.
type pluginConfig struct {
	inv    *Inventory
	source *source
	dict   *value.Dict
}

func (s *source) config(known ...string) (*pluginConfig, error) {
	if s.inv.opts.Render == nil {
		return nil, fmt.Errorf("the plugin needs templates, which are not available here")
	}
	root, err := s.rootMapping()
	if err != nil {
		return nil, err
	}
	var problems diag.List
	r := yamlv.NewReader(s.name, &problems)
	r.Untrusted = true // texts are rendered here, not where they are used
	d, _ := r.Value(root).(*value.Dict)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	for _, p := range r.Pairs(root) {
		if k := p.Key.Value; k != "plugin" && !slices.Contains(known, k) {
			w := diag.Warnf(yamlv.Pos(s.name, p.Key), "inventory", "the key %q has no meaning for this plugin", k)
			w.Hint = diag.DidYouMean(k, known)
			s.warn(w)
		}
	}
	return &pluginConfig{inv: s.inv, source: s, dict: d}, nil
}

func (c *pluginConfig) at() diag.Pos { return diag.Pos{File: c.source.name} }

// flag reads an option that is yes or no.
func (c *pluginConfig) flag(name string, byDefault bool) (bool, error) {
	v, ok := c.dict.GetString(name)
	if !ok || v == nil {
		return byDefault, nil
	}
	b, ok := asBool(v)
	if !ok {
		return false, fmt.Errorf("%s must be true or false, not %s", name, value.Repr(v))
	}
	return b, nil
}

func asBool(v value.Value) (b, ok bool) {
	if b, ok := v.(bool); ok {
		return b, true
	}
	switch strings.ToLower(value.Str(v)) {
	case "yes", "y", "true", "t", "on", "1", "1.0":
		return true, true
	case "no", "n", "false", "f", "off", "0", "0.0":
		return false, true
	}
	return false, false
}

// mapping reads an option that is a mapping; it is empty when not given.
func (c *pluginConfig) mapping(name string) (*value.Dict, error) {
	v, ok := c.dict.GetString(name)
	if !ok || v == nil {
		return value.NewDict(0), nil
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("%s must be a mapping, not a %s", name, value.TypeName(v))
	}
	return d, nil
}

func (c *pluginConfig) list(name string) ([]value.Value, error) {
	v, ok := c.dict.GetString(name)
	if !ok || v == nil {
		return nil, nil
	}
	l, ok := v.(*value.List)
	if !ok {
		return nil, fmt.Errorf("%s must be a list, not a %s", name, value.TypeName(v))
	}
	return l.V, nil
}

// text renders a text.
func (c *pluginConfig) text(src string, vars *value.Dict) (value.Value, error) {
	if !yamlv.HasTemplate(src) {
		return src, nil
	}
	return c.inv.opts.Render(src, c.at(), vars)
}

// expression evaluates an expression; an undefined result is an error.
func (c *pluginConfig) expression(expr string, vars *value.Dict) (value.Value, error) {
	v, err := c.inv.opts.Render("{{"+expr+"}}", c.at(), vars)
	if u, undefined := v.(*value.Undefined); err == nil && undefined {
		return nil, &value.UndefinedError{Undefined: u}
	}
	return v, err
}

// computedName is the name of a group that was computed: always fit for a variable name.
func computedName(name string) string { return notGroupName.ReplaceAllString(name, "_") }
