package inventory

import (
	"fmt"

	"fettle/engine/value"
)

// maxGenerated bounds the hosts that one configuration makes.
const maxGenerated = maxExpansion

// parseGenerator makes a host for every combination of the values of its layers.
func parseGenerator(inv *Inventory, s *source) error {
	c, err := s.config("hosts", "layers", "use_extra_vars")
	if err != nil {
		return err
	}
	hosts, err := c.mapping("hosts")
	if err != nil {
		return err
	}
	layers, err := c.mapping("layers")
	if err != nil {
		return err
	}
	extra, err := c.flag("use_extra_vars", c.inv.opts.UseExtraVars)
	if err != nil {
		return err
	}
	name, ok := hosts.GetString("name")
	if !ok {
		return fmt.Errorf("hosts must have a name")
	}
	combinations, err := product(layers)
	if err != nil {
		return err
	}
	for _, vars := range combinations {
		if extra {
			for n, v := range inv.opts.ExtraVars.All() {
				vars.SetString(n, v.Value)
			}
		}
		v, err := c.text(value.Str(name), vars)
		if err != nil {
			return fmt.Errorf("cannot render the name of a host: %w", err)
		}
		h := inv.addHost(value.Str(v), nil, 0, s.name)
		parents, _ := hosts.GetString("parents")
		if err := c.parents(parents, vars, func(g *Group) error { g.add(h); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// product lists all combinations, the last layer changing fastest.
func product(layers *value.Dict) ([]*value.Dict, error) {
	out := []*value.Dict{value.NewDict(layers.Len())}
	for _, e := range layers.Entries() {
		l, ok := e.Value.(*value.List)
		if !ok {
			return nil, fmt.Errorf("layer %s must be a list, not a %s", value.Str(e.Key), value.TypeName(e.Value))
		}
		if len(out)*len(l.V) > maxGenerated {
			return nil, fmt.Errorf("the layers stand for more than %d hosts", maxGenerated)
		}
		var next []*value.Dict
		for _, d := range out {
			for _, v := range l.V {
				c := d.Clone()
				c.SetString(value.Str(e.Key), v)
				next = append(next, c)
			}
		}
		out = next
	}
	return out, nil
}

// parents puts a host or group into the groups of a list, and these into their parents.
func (c *pluginConfig) parents(v value.Value, vars *value.Dict, join func(*Group) error) error {
	if v == nil {
		return nil
	}
	l, ok := v.(*value.List)
	if !ok {
		return fmt.Errorf("parents must be a list, not a %s", value.TypeName(v))
	}
	for _, p := range l.V {
		d, ok := p.(*value.Dict)
		if !ok {
			return fmt.Errorf("a parent must be a mapping with a name, not %s", value.Repr(p))
		}
		if err := c.parent(d, vars, join); err != nil {
			return err
		}
	}
	return nil
}

func (c *pluginConfig) parent(d, vars *value.Dict, join func(*Group) error) error {
	name, ok := d.GetString("name")
	if !ok {
		return fmt.Errorf("a parent has no name: %s", value.Repr(d))
	}
	v, err := c.text(value.Str(name), vars)
	if err != nil {
		return fmt.Errorf("cannot render the name of a group: %w", err)
	}
	g := c.inv.addGroup(c.inv.safeName(value.Str(v), c.at(), c.source), c.at())
	if set, _ := d.GetString("vars"); set != nil {
		vs, ok := set.(*value.Dict)
		if !ok {
			return fmt.Errorf("vars of group %q must be a mapping, not a %s", g.Name, value.TypeName(set))
		}
		for _, e := range vs.Entries() {
			val := e.Value
			if s, isText := val.(string); isText {
				if val, err = c.text(s, vars); err != nil {
					return fmt.Errorf("cannot render %s of group %q: %w", value.Str(e.Key), g.Name, err)
				}
			}
			if err := g.setVar(value.Str(e.Key), val, c.at()); err != nil {
				return err
			}
		}
	}
	if err := join(g); err != nil {
		return err
	}
	up, _ := d.GetString("parents")
	return c.parents(up, vars, func(parent *Group) error { return c.inv.addChild(parent, g) })
}
