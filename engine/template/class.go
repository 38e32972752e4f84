package template

import "fettle/engine/value"

// class is what x.__class__ gives: old playbooks ask it for its __name__.
type class struct{ of value.Value }

func (c *class) TypeName() string { return "type" }
func (c *class) String() string   { return "<class " + value.Repr(value.TypeName(c.of)) + ">" }

func (c *class) Attr(n string) (value.Value, bool, error) {
	if n == "__name__" {
		return value.TypeName(c.of), true, nil
	}
	return nil, false, nil
}
