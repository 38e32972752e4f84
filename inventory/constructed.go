package inventory

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/value"
)

// constructed computes variables and groups from the variables that hosts already have.
type constructed struct {
	*pluginConfig
	strict, useExtra, leading bool
	compose, groups           *value.Dict
	keyed                     []value.Value
}

func parseConstructed(inv *Inventory, s *source) error {
	c, err := s.config("strict", "compose", "groups", "keyed_groups", "use_vars_plugins", "use_extra_vars", "leading_separator", "cache")
	if err != nil {
		return err
	}
	p := &constructed{pluginConfig: c}
	files, err := c.flag("use_vars_plugins", false)
	if err != nil {
		return err
	}
	if err := p.options(); err != nil {
		return err
	}
	for _, h := range slices.Clone(inv.hostList) {
		if err := p.host(h, files); err != nil {
			return err
		}
	}
	return nil
}

func (p *constructed) options() (err error) {
	if p.strict, err = p.flag("strict", false); err != nil {
		return err
	}
	if p.useExtra, err = p.flag("use_extra_vars", p.inv.opts.UseExtraVars); err != nil {
		return err
	}
	if p.leading, err = p.flag("leading_separator", true); err != nil {
		return err
	}
	if p.compose, err = p.mapping("compose"); err != nil {
		return err
	}
	if p.groups, err = p.mapping("groups"); err != nil {
		return err
	}
	p.keyed, err = p.list("keyed_groups")
	return err
}

func (p *constructed) host(h *Host, files bool) error {
	var facts *value.Dict
	if p.inv.opts.Facts != nil {
		facts = p.inv.opts.Facts(h.Name)
	}
	vars := p.inv.varsSoFar(h, facts, files, p.useExtra)
	for _, e := range p.compose.Entries() {
		name := value.Str(e.Key)
		v, err := p.expression(value.Str(e.Value), vars)
		if err != nil {
			if p.strict {
				return fmt.Errorf("cannot set %s of host %s: %w", name, h.Name, err)
			}
			continue
		}
		h.setVar(name, v, p.at())
	}
	vars = p.inv.varsSoFar(h, facts, files, p.useExtra)
	if err := p.conditions(h, vars); err != nil {
		return err
	}
	for _, k := range p.keyed {
		d, ok := k.(*value.Dict)
		if !ok {
			return fmt.Errorf("an entry of keyed_groups must be a mapping, not %s", value.Repr(k))
		}
		if err := p.keyedGroup(h, d, vars); err != nil {
			return err
		}
	}
	return nil
}

// varsSoFar are the variables of a host while sources are still being read: of the groups
// as they are linked now, its own, and the facts of an earlier run.
func (inv *Inventory) varsSoFar(h *Host, facts *value.Dict, files, extra bool) *value.Dict {
	inv.order()
	groups := h.linked()
	d := value.NewDict(32)
	add := func(vars *value.Vars) {
		for n, v := range vars.All() {
			d.SetString(n, v.Value)
		}
	}
	for _, g := range groups {
		add(g.Vars)
	}
	if files {
		for _, dir := range inv.sourceDirs() {
			for _, g := range groups {
				add(dir.groups[g.Name])
			}
		}
	}
	add(h.Vars)
	if files {
		for _, dir := range inv.sourceDirs() {
			add(dir.hosts[h.Name])
		}
	}
	for _, e := range facts.Entries() {
		d.SetString(value.Str(e.Key), e.Value)
	}
	if extra {
		add(inv.opts.ExtraVars)
	}
	names := []string{}
	for _, g := range groups {
		if g.Name != "all" {
			names = append(names, g.Name)
		}
	}
	slices.Sort(names)
	l := value.NewList()
	for _, n := range names {
		l.V = append(l.V, n)
	}
	d.SetString("inventory_hostname", h.Name)
	short, _, _ := strings.Cut(h.Name, ".")
	d.SetString("inventory_hostname_short", short)
	d.SetString("group_names", l)
	return d
}

// linked are the groups of the host and their ancestors as they are linked now.
func (h *Host) linked() []*Group {
	out := h.groupsInOrder()
	seen := map[*Group]bool{}
	var up func(g *Group)
	up = func(g *Group) {
		if !seen[g] {
			seen[g] = true
			for _, p := range g.parents {
				up(p)
			}
		}
	}
	for _, g := range h.groups {
		up(g)
	}
	return slices.DeleteFunc(out, func(g *Group) bool { return !seen[g] })
}

func (p *constructed) conditions(h *Host, vars *value.Dict) error {
	for _, e := range p.groups.Entries() {
		name := computedName(value.Str(e.Key))
		v, err := p.inv.opts.Render("{% if "+value.Str(e.Value)+" %}True{% else %}False{% endif %}", p.at(), vars)
		if err != nil {
			if p.strict {
				return fmt.Errorf("cannot add host %s to group %s: %w", h.Name, name, err)
			}
			continue
		}
		if strings.TrimSpace(value.Str(v)) == "True" {
			p.inv.addGroup(name, p.at()).add(h)
		}
	}
	return nil
}

// keyedGroup makes groups from the value of an expression.
func (p *constructed) keyedGroup(h *Host, d *value.Dict, vars *value.Dict) error {
	text := func(name, byDefault string) (string, bool) {
		v, ok := d.GetString(name)
		if !ok || v == nil {
			return byDefault, false
		}
		return value.Str(v), true
	}
	fallback, hasFallback := text("default_value", "")
	trailing, hasTrailing := d.GetString("trailing_separator")
	if hasFallback && hasTrailing && trailing != nil {
		return fmt.Errorf("parameters are mutually exclusive for keyed groups: default_value|trailing_separator")
	}
	expr, _ := text("key", "None")
	key, err := p.expression(expr, vars)
	if err != nil {
		if p.strict {
			return fmt.Errorf("cannot make a group for host %s from %s: %w", h.Name, value.Repr(d), err)
		}
		return nil
	}
	truth, err := value.Truth(key)
	if err != nil {
		return err
	}
	if empty := key == ""; !truth && !(empty && hasFallback) {
		_, list := key.(*value.List)
		_, dict := key.(*value.Dict)
		if p.strict && !list && !dict {
			return fmt.Errorf("No key or key resulted empty for %s in host %s, invalid entry", expr, h.Name)
		}
		return nil
	}
	prefix, _ := text("prefix", "")
	sep, _ := text("separator", "_")
	noTrailing := hasTrailing && trailing == false
	names, err := keyNames(key, sep, fallback, hasFallback, noTrailing)
	if err != nil {
		return err
	}
	parent, hasParent := text("parent_group", "")
	if hasParent {
		v, err := p.text(parent, vars)
		if err != nil {
			if p.strict {
				return fmt.Errorf("cannot make the parent group %s: %w", parent, err)
			}
			return nil
		}
		parent = computedName(value.Str(v))
	}
	if prefix == "" && !p.leading {
		sep = ""
	}
	for _, n := range names {
		g := p.inv.addGroup(computedName(prefix+sep+n), p.at())
		g.add(h)
		if hasParent && parent != "" {
			if err := p.inv.addChild(p.inv.addGroup(parent, p.at()), g); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyNames are the names that the value of a key stands for.
func keyNames(key value.Value, sep, fallback string, hasFallback, noTrailing bool) ([]string, error) {
	or := func(s string) string {
		if s == "" && hasFallback {
			return fallback
		}
		return s
	}
	var out []string
	switch x := key.(type) {
	case string, value.Text:
		out = append(out, or(value.Str(x)))
	case *value.List:
		for _, e := range x.Items() {
			out = append(out, or(value.Str(e)))
		}
	case *value.Dict:
		for _, e := range x.Items() {
			name := value.Str(e.Key) + sep + value.Str(e.Value)
			if e.Value == "" {
				switch {
				case hasFallback:
					name = value.Str(e.Key) + sep + fallback
				case noTrailing:
					name = value.Str(e.Key)
				}
			}
			out = append(out, name)
		}
	default:
		return nil, fmt.Errorf("Invalid group name format, expected a string or a list of them or dictionary, got: %s", value.TypeName(key))
	}
	return out, nil
}
