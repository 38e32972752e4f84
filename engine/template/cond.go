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
	ok, err := c.cond(cond)
	if old := c.reader(err); old != nil {
		if ok, again := old.cond(cond); again == nil {
			c.warnText(cond)
			return ok, nil
		}
	}
	return ok, err
}

func (c *Context) cond(cond value.Value) (bool, error) {
	switch x := cond.(type) {
	case bool:
		return x, nil
	case *value.List:
		for _, e := range x.V {
			if ok, err := c.cond(e); !ok || err != nil {
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
	c.Warnf(t.At, "conditional", "conditional statements should not be surrounded by templating delimiters such as {{ }} or {%% %%}: %s", shorten(t.Src))
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

// embedConst compiles a string constant with a template inside, in a condition or a lookup's
// terms: it is rendered. Up to 2.18 a condition was text first, and such a constant stays text.
func (c *compiler) embedConst(x *nText) ev {
	t := &value.Template{Src: x.s, At: c.u.pos(x.p)}
	return func(f *frame) (value.Value, error) {
		rc := f.rt.c
		old := rc.e.opts.Compat.Old()
		if !old {
			rc.Warnf(t.At, "embedded", "constant texts in expressions should not contain templates: %s", shorten(t.Src))
		}
		v, err := rc.eval(unitOf(t))
		if err != nil && !old && rc.canWait(err) {
			return &value.Undefined{Name: "constant", Err: err}, nil
		}
		if err != nil || !old || !x.cond || isString(v) {
			return v, err
		}
		s, secret, err := rc.text(v)
		return value.Mark(s, secret), err
	}
}

// spliceQuoted rewrites quoted text in a condition whose braces hold the same quotes, as in
// "{{ "a" | hash }}" == "x": up to 2.18 the braces were rendered before the quotes were read. The
// text is put together from its parts, so that no result is read as an expression.
func spliceQuoted(src string) (string, bool) {
	var b strings.Builder
	found := false
	for i := 0; i < len(src); {
		q := src[i]
		if q != '"' && q != '\'' {
			b.WriteByte(q)
			i++
			continue
		}
		end, text, braces := quotedWithBraces(src, i)
		if end < 0 {
			return "", false
		}
		if braces {
			found = true
			text = "(" + text + ")"
		}
		b.WriteString(text)
		i = end
	}
	return b.String(), found
}

// quotedWithBraces reads the quoted text at i: where it ends, and its parts joined by ~.
func quotedWithBraces(src string, i int) (end int, text string, braces bool) {
	q, from := src[i], i
	var b strings.Builder
	for i++; i < len(src); i++ {
		switch {
		case src[i] == '\\':
			i++
		case src[i] == q:
			b.WriteString(src[from : i+1])
			return i + 1, b.String(), braces
		case strings.HasPrefix(src[i:], "{{"):
			n := strings.Index(src[i:], "}}")
			if n < 0 {
				return -1, "", false
			}
			fmt.Fprintf(&b, "%s%c ~ (%s) ~ %c", src[from:i], q, src[i+2:i+n], q)
			i += n + 1
			from, braces = i+1, true
		}
	}
	return -1, "", false
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
		if !c.e.opts.Compat.Old() {
			c.Warnf(at, "conditional", "empty conditional expressions are deprecated")
		}
		return true, nil
	}
	b, err := value.Truth(v)
	if err != nil {
		return false, (&unit{at: at}).place(pos{1, 1}, err)
	}
	if !c.e.opts.Compat.Old() {
		c.Warnf(at, "conditional", "conditional result was derived from a value of type %s; write a comparison that gives a boolean", kind)
	}
	return b, nil
}
