package template

import (
	"fmt"

	"fettle/engine/value"
)

// filterMap is map: a filter applied to every element, or an attribute of each.
func filterMap(c *Call) (value.Value, error) {
	vs, err := someItems(c.Args[0])
	if err != nil {
		return nil, err
	}
	apply, err := c.mapFunc()
	if err != nil {
		return nil, err
	}
	out := make([]value.Value, 0, len(vs))
	for _, v := range vs {
		if c.C != nil {
			if err := c.C.step(); err != nil {
				return nil, err
			}
		}
		r, err := apply(v)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return &value.List{V: out}, nil
}

// someItems are the items of v; what is false has none.
func someItems(v value.Value) ([]value.Value, error) {
	if ok, err := value.Truth(v); err != nil || !ok {
		return nil, err
	}
	return value.Iterate(v)
}

func (c *Call) mapFunc() (func(value.Value) (value.Value, error), error) {
	if attr, ok := c.Keyword("attribute"); ok && len(c.Args) == 1 {
		dflt, _ := c.Keyword("default")
		for _, k := range c.KW {
			if k.Name != "attribute" && k.Name != "default" {
				return nil, fmt.Errorf("Unexpected keyword argument %s", value.Repr(k.Name))
			}
		}
		return attrGetter(attr, dflt), nil
	}
	if len(c.Args) < 2 {
		return nil, fmt.Errorf("map requires a filter argument")
	}
	name, ok := c.Args[1].(string)
	if !ok {
		if u, ok := c.Args[1].(*value.Undefined); ok {
			return nil, &value.UndefinedError{Undefined: u}
		}
		return nil, fmt.Errorf("No filter named %s.", value.Repr(c.Args[1]))
	}
	p := plugins.filter(name)
	if p == nil {
		return nil, fmt.Errorf("No filter named %s.", value.Repr(name))
	}
	rest := c.Args[2:]
	return func(v value.Value) (value.Value, error) {
		args := append(append(make([]value.Value, 0, 1+len(rest)), v), rest...)
		return p.run(&Call{C: c.C, Args: args, KW: append([]value.Keyword(nil), c.KW...), u: c.u, p: c.p, rt: c.rt})
	}, nil
}

// filterSelect is select, reject, selectattr and rejectattr.
func filterSelect(want, byAttr bool) Filter {
	return func(c *Call) (value.Value, error) {
		vs, err := someItems(c.Args[0])
		if err != nil {
			return nil, err
		}
		get := attrGetter(nil, nil)
		rest := c.Args[1:]
		if byAttr {
			if len(rest) == 0 {
				return nil, fmt.Errorf("Missing parameter for attribute name")
			}
			get, rest = attrGetter(rest[0], nil), rest[1:]
		}
		holds, err := c.testFunc(rest)
		if err != nil {
			return nil, err
		}
		out := []value.Value{}
		for _, v := range vs {
			if c.C != nil {
				if err := c.C.step(); err != nil {
					return nil, err
				}
			}
			x, err := get(v)
			if err != nil {
				return nil, err
			}
			ok, err := holds(x)
			if err != nil {
				return nil, err
			}
			if ok == want {
				out = append(out, v)
			}
		}
		return &value.List{V: out}, nil
	}
}

// testFunc is the test that the arguments name, or truth.
func (c *Call) testFunc(args []value.Value) (func(value.Value) (bool, error), error) {
	if len(args) == 0 {
		return value.Truth, nil
	}
	name, ok := args[0].(string)
	p := plugins.test(name)
	if !ok || p == nil {
		return nil, fmt.Errorf("No test named %s.", value.Repr(args[0]))
	}
	rest := args[1:]
	return func(v value.Value) (bool, error) {
		a := append(append(make([]value.Value, 0, 1+len(rest)), v), rest...)
		r, err := p.run(&Call{C: c.C, Args: a, KW: append([]value.Keyword(nil), c.KW...), u: c.u, p: c.p, rt: c.rt})
		if err != nil {
			return false, err
		}
		return value.Truth(r)
	}, nil
}
