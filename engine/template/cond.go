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

// TrustedScope is a Scope that knows where its variables come from. The text that a condition
// in braces gives ("{{ item.when }}") is evaluated as an expression, as Ansible does, only
// when it stands in a trusted variable.
type TrustedScope interface {
	// Trusted tells that a variable comes from the playbook, a role, the inventory or the
	// command line, and not from a host.
	Trusted(name string) bool
}

// Cond decides a condition: a template is an expression without braces, booleans are
// themselves, a list holds when all its conditions hold. Undefined values are errors.
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
	}
	return c.doubtful(cond, cond == nil, diag.Pos{})
}

func (c *Context) condText(t *value.Template) (bool, error) {
	if strings.TrimSpace(t.Src) == "" {
		return c.doubtful(nil, true, t.At)
	}
	v, err := c.condValue(t)
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
	return c.doubtful(v, false, t.At)
}

// condValue evaluates a condition's text. Braces around expressions are accepted as before
// 2.19, and so are statements around text.
func (c *Context) condValue(t *value.Template) (value.Value, error) {
	u := bareOf(t)
	if strings.Contains(t.Src, "{%") && u.err != nil {
		c.warnBraces(t)
		v, err := c.eval(unitOf(t))
		if err != nil {
			return nil, err
		}
		return c.condString(v, nil, t.At)
	}
	if u.err == nil && u.tree.embedded > 0 {
		c.warnBraces(t)
		whole := strings.HasPrefix(strings.TrimSpace(t.Src), "{{") && u.tree.embedded == 1 && u.tree.whole
		if c.e.opts.Compat == V219 && !whole {
			return nil, &Error{Msg: "template delimiters are not supported in expressions: " + shorten(t.Src), At: t.At, Syntax: true}
		}
	}
	return c.Eval(t)
}

func (c *Context) warnBraces(t *value.Template) {
	c.Warnf(t.At, "conditional", "conditionals should not be surrounded by templating delimiters such as {{ }} or {%% %%}: %s", shorten(t.Src))
}

// condString is what text that braces in a condition gave stands for: a condition in turn when
// it comes from a trusted variable, else only True, False and numbers.
func (c *Context) condString(v value.Value, from node, at diag.Pos) (value.Value, error) {
	s, ok := v.(string)
	if t, isText := v.(value.Text); isText {
		s, ok = string(t), true
	}
	if !ok {
		return v, nil
	}
	s = strings.TrimSpace(s)
	switch s {
	case "":
		return nil, nil
	case "True", "true":
		return true, nil
	case "False", "false":
		return false, nil
	}
	if n, ok := Literal(s); ok && value.IsNumber(n) {
		return n, nil
	}
	if !c.trustedNode(from) {
		return nil, &Error{Msg: fmt.Sprintf("the condition gives the text %q, which is not evaluated because it may come from a host: write the condition without braces", shorten(s)), At: at}
	}
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	return c.condValue(&value.Template{Src: s, At: at})
}

// trustedNode tells that an expression is a constant or a path into a trusted variable.
func (c *Context) trustedNode(n node) bool {
	switch n.(type) {
	case *nConst:
		return true
	case *nName, *nAttr, *nItem:
		_, name := path(n)
		s, ok := c.scope.(TrustedScope)
		return ok && name != nil && s.Trusted(name.n)
	}
	return false
}

// embed compiles braces inside a condition.
func (c *compiler) embed(x *nEmbed) ev {
	e, u := c.expr(x.x), c.u
	return func(f *frame) (value.Value, error) {
		v, err := e(f)
		if err != nil {
			return nil, err
		}
		return f.rt.c.condString(v, x.x, u.pos(x.p))
	}
}

// embedConst compiles a string constant with a template inside, in a condition: it is
// rendered.
func (c *compiler) embedConst(src string, p pos) ev {
	t := &value.Template{Src: src, At: c.u.pos(p)}
	return func(f *frame) (value.Value, error) {
		v, err := f.rt.c.eval(unitOf(t))
		if err != nil || isString(v) {
			return v, err
		}
		s, secret, err := f.rt.c.text(v)
		return value.Mark(s, secret), err
	}
}

// doubtful is a condition that is no boolean: an error since 2.19; before, its truth, and an
// empty condition holds.
func (c *Context) doubtful(v value.Value, empty bool, at diag.Pos) (bool, error) {
	kind := "'" + value.TypeName(v) + "'"
	if c.e.opts.Compat == V219 {
		if empty {
			return false, &Error{Msg: "empty conditional expressions are not allowed", At: at}
		}
		return false, &Error{Msg: fmt.Sprintf("conditional result was derived from a value of type %s; conditionals must have a boolean result", kind), At: at}
	}
	if empty {
		if !c.e.opts.Compat.old() {
			c.Warnf(at, "conditional", "empty conditional expressions are deprecated")
		}
		return true, nil
	}
	b, err := value.Truth(v)
	if err != nil {
		return false, (&unit{at: at}).place(pos{1, 1}, err)
	}
	if !c.e.opts.Compat.old() {
		c.Warnf(at, "conditional", "conditional result was derived from a value of type %s; write a comparison that gives a boolean", kind)
	}
	return b, nil
}
