package inventory

import (
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"

	"github.com/BurntSushi/toml"
)

func wantsTOML(s *source) bool { return isFile(s) && filepath.Ext(s.name) == ".toml" }

// tomlReader reads a TOML source: tables of groups with vars, children and hosts.
type tomlReader struct {
	inv    *Inventory
	source *source
	order  map[string]int // where each dotted key stands in the file
}

func parseTOML(inv *Inventory, s *source) error {
	text, err := s.read()
	if err != nil {
		return err
	}
	var data map[string]any
	meta, err := toml.Decode(string(text), &data)
	if err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return diag.Errorf(diag.Pos{File: s.name, Line: pe.Position.Line, Col: 1}, "inventory", "cannot read TOML: %s", pe.Message)
		}
		return fmt.Errorf("cannot read TOML: %w", err)
	}
	if len(data) == 0 {
		return errors.New("the file is empty")
	}
	r := &tomlReader{inv: inv, source: s, order: map[string]int{}}
	for i, k := range meta.Keys() {
		if _, ok := r.order[k.String()]; !ok {
			r.order[k.String()] = i
		}
	}
	if _, ok := data["plugin"]; ok {
		return errors.New("it configures a plugin and is no TOML inventory")
	}
	for _, name := range r.keys(nil, data) {
		if err := r.group(name, data[name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *tomlReader) at() diag.Pos { return diag.Pos{File: r.source.name} }

// keys lists the keys of a table in the order of the file.
func (r *tomlReader) keys(path toml.Key, table map[string]any) []string {
	out := make([]string, 0, len(table))
	for k := range table {
		out = append(out, k)
	}
	place := func(k string) int {
		if i, ok := r.order[append(path[:len(path):len(path)], k).String()]; ok {
			return i
		}
		return len(r.order)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := place(out[i]), place(out[j])
		return a < b || a == b && out[i] < out[j]
	})
	return out
}

func (r *tomlReader) group(name string, body any) error {
	table, ok := body.(map[string]any)
	if !ok {
		r.source.warn(diag.Warnf(r.at(), "inventory", "%q is skipped: expected a table of a group", name))
		return nil
	}
	g := r.inv.addGroup(r.inv.safeName(name, r.at(), r.source), r.at())
	for _, key := range r.keys(toml.Key{name}, table) {
		var err error
		switch v := table[key].(type) {
		case map[string]any:
			err = r.tables(g, name, key, v)
		case []any:
			err = r.lists(g, key, v)
		default:
			r.unexpected(g, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *tomlReader) unexpected(g *Group, key string) {
	d := diag.Warnf(r.at(), "inventory", "the key %q of group %q is skipped: only vars, children and hosts have a meaning", key, g.Name)
	d.Hint = diag.DidYouMean(key, groupSections)
	r.source.warn(d)
}

func (r *tomlReader) tables(g *Group, group, key string, table map[string]any) error {
	path := toml.Key{group, key}
	switch key {
	case "vars":
		for _, k := range r.keys(path, table) {
			if err := g.setVar(k, r.value(append(path, k), table[k]), r.at()); err != nil {
				return err
			}
		}
	case "hosts":
		for _, k := range r.keys(path, table) {
			if err := r.host(g, append(path, k), table[k]); err != nil {
				return err
			}
		}
	case "children":
		for _, k := range r.keys(path, table) {
			child := r.inv.addGroup(r.inv.safeName(k, r.at(), r.source), r.at())
			if err := r.inv.addChild(g, child); err != nil {
				return err
			}
		}
	default:
		r.unexpected(g, key)
	}
	return nil
}

func (r *tomlReader) lists(g *Group, key string, items []any) error {
	if key != "children" && key != "hosts" {
		r.unexpected(g, key)
		return nil
	}
	for _, item := range items {
		name, ok := item.(string)
		if !ok {
			return fmt.Errorf("%s of group %q must be texts, not %v", key, g.Name, item)
		}
		if key == "hosts" {
			if err := r.host(g, toml.Key{g.Name, key, name}, nil); err != nil {
				return err
			}
			continue
		}
		child := r.inv.addGroup(r.inv.safeName(name, r.at(), r.source), r.at())
		if err := r.inv.addChild(g, child); err != nil {
			return err
		}
	}
	return nil
}

func (r *tomlReader) host(g *Group, path toml.Key, body any) error {
	pattern := path[len(path)-1]
	names, port, err := expandHosts(pattern)
	if err != nil {
		return err
	}
	table, ok := body.(map[string]any)
	if body != nil && !ok {
		return fmt.Errorf("the variables of host %q must be a table", pattern)
	}
	for _, n := range names {
		h := r.inv.addHost(n, g, port, r.source.name)
		for _, k := range r.keys(path, table) {
			h.setVar(k, r.value(append(path[:len(path):len(path)], k), table[k]), r.at())
		}
	}
	return nil
}

func (r *tomlReader) value(path toml.Key, v any) value.Value {
	switch x := v.(type) {
	case string:
		return yamlv.Text(x, r.at())
	case map[string]any:
		d := value.NewDict(len(x))
		for _, k := range r.keys(path, x) {
			d.SetString(k, r.value(append(path[:len(path):len(path)], k), x[k]))
		}
		return d
	case []any:
		l := value.NewList()
		for _, e := range x {
			l.V = append(l.V, r.value(path, e))
		}
		return l
	case []map[string]any:
		l := value.NewList()
		for _, e := range x {
			l.V = append(l.V, r.value(path, e))
		}
		return l
	case time.Time:
		return x.Format("2006-01-02 15:04:05.999999")
	}
	return v // bool, int64, float64
}
