package template

import (
	"errors"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Up to 2.18 the text of a variable that looked like a dictionary or a list became one, and
// old content relies on it: what the file lookup gives of a JSON file, say. Since 2.19 it
// stays text, and asking it for a key is an error. That error alone is taken for a sign of
// old content: the template is rendered once more with such texts read back, and warned of.

// reader is the context to try once more with, or nil.
func (c *Context) reader(err error) *Context {
	if err == nil || c.readBack || c.e.opts.Compat == V219 || c.e.opts.Compat.Old() {
		return nil
	}
	var u *value.UndefinedError
	if !errors.As(err, &u) || u.Undefined.Owner != "str" {
		return nil
	}
	return &Context{e: c.e, ctx: c.ctx, scope: c.scope, search: c.search, busy: c.busy, depth: c.depth, steps: c.steps, warned: c.warned, readBack: true}
}

func (c *Context) warnText(v value.Value) {
	at := diag.Pos{}
	if t, ok := v.(*value.Template); ok {
		at = t.At
	}
	c.Warnf(at, "text", "text is read as data, as up to 2.18: use from_json or from_yaml")
}

// containerOf is the dictionary or list that a text stands for, or the value itself.
func containerOf(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Secret:
		return value.Mark(containerOf(x.V), true)
	case value.Text:
		return containerOf(string(x))
	case value.Markup:
		return containerOf(string(x))
	case string:
		if !strings.HasPrefix(x, "{") && !strings.HasPrefix(x, "[") {
			return v
		}
		p := literalParser{s: x, json: true}
		if r, ok := p.all(); ok {
			return r
		}
	}
	return v
}
