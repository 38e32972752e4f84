package template

import (
	"fmt"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// NewCond makes a value of a condition's text (when, until, changed_when ...): an expression
// without braces, compiled once. The text is kept as a template whatever it contains.
func NewCond(s string, at diag.Pos) value.Value {
	return &value.Template{Src: s, At: at}
}

// Cond decides a condition: a template is an expression without braces, booleans are
// themselves, a list holds when all its conditions hold.
func (c *Context) Cond(cond value.Value) (bool, error) {
	switch x := cond.(type) {
	case bool:
		return x, nil
	case *value.List:
		for _, e := range x.V {
			if ok, err := c.Cond(e); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *value.Template:
		return c.condText(x)
	case string:
		return c.condText(&value.Template{Src: x})
	case nil:
		return c.doubtful(cond, diag.Pos{})
	}
	return c.doubtful(cond, diag.Pos{})
}

func (c *Context) condText(t *value.Template) (bool, error) {
	src := strings.TrimSpace(t.Src)
	if src == "" {
		return c.doubtful(nil, t.At)
	}
	v, err := c.condValue(t, src)
	if err != nil {
		return false, err
	}
	switch x := v.(type) {
	case bool:
		return x, nil
	case *value.Secret:
		if b, ok := x.V.(bool); ok {
			return b, nil
		}
	case *value.Undefined:
		if !x.Soft {
			return false, (&unit{at: t.At}).place(pos{1, 1}, &value.UndefinedError{Undefined: x})
		}
	}
	return c.doubtful(v, t.At)
}

// condValue evaluates a condition. A whole template in braces is accepted as it was before:
// its text, when it gives text, is evaluated in turn.
func (c *Context) condValue(t *value.Template, src string) (value.Value, error) {
	u := bareOf(t)
	if u.err == nil && !strings.HasPrefix(src, "{{") {
		return c.Eval(t)
	}
	if !IsTemplate(src) {
		return nil, u.err
	}
	whole := strings.HasPrefix(src, "{{") && strings.HasSuffix(src, "}}") && strings.Count(src, "{{") == 1
	if c.e.opts.Compat == V219 && !whole {
		return nil, (&unit{at: t.At}).place(pos{1, 1}, fmt.Errorf("conditionals must not contain embedded templates: %s", shorten(src)))
	}
	c.Warnf(t.At, "conditional", "conditionals should not be surrounded by templating delimiters: %s", shorten(src))
	r, err := c.eval(unitOf(t))
	if err != nil {
		return nil, err
	}
	s, ok := r.(string)
	if tx, isText := r.(value.Text); isText {
		s, ok = string(tx), true
	}
	if !ok {
		return r, nil
	}
	// The text came out of trusted source: a condition may be built of pieces.
	return c.condString(s, t.At)
}

// condString evaluates text that a condition in braces gave: it is read as an expression, as
// Ansible did up to 2.18.
func (c *Context) condString(s string, at diag.Pos) (value.Value, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	switch strings.TrimSpace(s) {
	case "True", "true":
		return true, nil
	case "False", "false":
		return false, nil
	}
	return s, nil
}

// doubtful is a condition that is no boolean: an error since 2.19; before, its truth.
func (c *Context) doubtful(v value.Value, at diag.Pos) (bool, error) {
	kind := "'" + value.TypeName(v) + "'"
	if c.e.opts.Compat == V219 {
		return false, &Error{Msg: fmt.Sprintf("conditional result was %s of type %s; conditionals must have a boolean result", shorten(value.Repr(v)), kind), At: at}
	}
	b := v == nil
	if v != nil {
		var err error
		if b, err = value.Truth(v); err != nil {
			return false, (&unit{at: at}).place(pos{1, 1}, err)
		}
	}
	if !c.e.opts.Compat.old() {
		c.Warnf(at, "conditional", "conditional result was derived from a value of type %s; write a comparison that gives a boolean", kind)
	}
	return b, nil
}
