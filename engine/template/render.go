package template

import (
	"errors"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// IsTemplate tells that text contains template syntax.
func IsTemplate(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return true
		}
	}
	return false
}

// NewTemplate makes a value of text from a trusted source: a *value.Template when it contains
// template syntax, else the string.
func NewTemplate(s string, at diag.Pos) value.Value {
	if IsTemplate(s) {
		return &value.Template{Src: s, At: at}
	}
	return s
}

// compiled are the forms of a template that are cached in it.
type compiled struct {
	text, bare *unit
}

// playbookSyntax is how values of playbooks are read.
func playbookSyntax() Syntax {
	s := DefaultSyntax()
	s.literalBackslash = true
	s.Do, s.LoopControls = true, true
	return s
}

// Compile checks and compiles text once; the error is an *Error with its place.
func Compile(src string, at diag.Pos) (*value.Template, error) {
	t := &value.Template{Src: src, At: at}
	return t, unitOf(t).err
}

// unitOf is the compiled form of a template in a playbook value.
func unitOf(t *value.Template) *unit {
	old, _ := t.Compiled.Load().(*compiled)
	if old != nil && old.text != nil {
		return old.text
	}
	u := compileText(t.Src, "", t.At, playbookSyntax())
	n := compiled{}
	if old != nil {
		n = *old
	}
	n.text = u
	t.Compiled.Store(&n)
	return u
}

// bareOf is the compiled form of a template's text as an expression without braces.
func bareOf(t *value.Template) *unit {
	old, _ := t.Compiled.Load().(*compiled)
	if old != nil && old.bare != nil {
		return old.bare
	}
	u := compileBare(t.Src, t.At)
	n := compiled{}
	if old != nil {
		n = *old
	}
	n.bare = u
	t.Compiled.Store(&n)
	return u
}

func compileText(src, name string, at diag.Pos, s Syntax) *unit {
	var headerErr error
	line := 0 // lines that the header took
	if h, rest, ok := splitHeader(src); ok {
		s, headerErr = applyHeader(s, h)
		src = rest
		line = 1
	}
	t, err := parse(src, s)
	u := finish(t, err, name, at, line)
	u.headerErr = headerErr
	u.newlines = trailingNewlines(src)
	if len(t.nodes()) == 1 {
		p, ok := t.body[0].(*sPrint)
		if ok {
			if n, ok := p.x.(*nName); ok && !strings.Contains(src, "(") {
				u.lone = n.n
			}
		}
	}
	return u
}

func compileBare(src string, at diag.Pos) *unit {
	t, err := parseBare(src, playbookSyntax())
	if err != nil {
		if spelled, ok := spliceQuoted(src); ok {
			if again, bad := parseBare(spelled, playbookSyntax()); bad == nil {
				again.embedded++
				t, err = again, nil
			}
		}
	}
	u := finish(t, err, "", at, 0)
	if e, ok := u.err.(*Error); ok {
		e.Expr = true
	}
	return u
}

// finish compiles a tree, or makes a unit that tells the error. header is the number of lines
// in front of the text.
func finish(t *tree, err error, name string, at diag.Pos, header int) *unit {
	if header > 0 {
		at.Line, at.Col = max(at.Line, 1)+header, 1
	}
	var u *unit
	if err == nil {
		u, err = compileTree(t, name, at)
	}
	if err == nil {
		return u
	}
	u = &unit{name: name, at: at}
	p := pos{1, 1}
	var se *syntaxError
	hint := ""
	if errors.As(err, &se) {
		p, hint = se.p, se.hint
	}
	u.err = &Error{Msg: err.Error(), At: u.pos(p), Syntax: true, Hint: hint, Err: err}
	return u
}

// eval runs a compiled template to its native value.
func (c *Context) eval(u *unit) (value.Value, error) {
	if err := u.usable(c); err != nil {
		return nil, err
	}
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	if u.single != nil {
		x := c.begin(u)
		v, err := u.single(x.f)
		c.end(x)
		if err != nil {
			return nil, err
		}
		if u.lone != "" && c.e.opts.Compat == V216 && c.isPlain(u.lone) {
			return v, nil
		}
		return u.withoutMarkup(u.withNewlines(c.finishSingle(v)))
	}
	out := newOutput(c, c.e.opts.Compat != V216)
	rt := &rendering{c: c, u: u}
	if err := rt.render(u, out); err != nil {
		return nil, err
	}
	v, err := out.result()
	if err != nil {
		return nil, u.place(pos{1, 1}, err)
	}
	v = u.withNewlines(v)
	if c.e.opts.Compat == V216 {
		v = c.literal(v)
	}
	return u.withoutMarkup(v)
}

// withoutMarkup is a result with text in place of markup, which only templates know.
func (u *unit) withoutMarkup(v value.Value) (value.Value, error) {
	if !u.markup || simple(v) {
		return v, nil
	}
	d := deepener{keepSecrets: true, keepOmit: true}
	return d.value(v)
}

// withNewlines gives a text the newlines back that ended its source.
func (u *unit) withNewlines(v value.Value) value.Value {
	if u.newlines == 0 {
		return v
	}
	switch s := v.(type) {
	case string:
		return s + strings.Repeat("\n", max(u.newlines-trailingNewlines(s), 0))
	case value.Text:
		return s + value.Text(strings.Repeat("\n", max(u.newlines-trailingNewlines(string(s)), 0)))
	case value.Markup:
		return s + value.Markup(strings.Repeat("\n", max(u.newlines-trailingNewlines(string(s)), 0)))
	}
	return v
}

// usable is the error of a template that cannot be compiled, or not in the old modes.
func (u *unit) usable(c *Context) error {
	if u.err == nil && u.newer != "" && c.e.opts.Compat.Old() {
		return &Error{Msg: "ansible-core up to 2.18 cannot read " + u.newer, At: u.at, Syntax: true}
	}
	if u.headerErr != nil {
		if c.e.opts.Compat == V219 {
			return &Error{Msg: u.headerErr.Error(), At: u.at, Syntax: true, Err: u.headerErr}
		}
		if !c.e.opts.Compat.Old() {
			c.Warnf(u.at, "template", "%v", u.headerErr)
		}
	}
	return u.err
}

// isPlain tells that a variable was written as a number, a bool or None: up to 2.18 such a
// value was not made text when it stood alone in a template.
func (c *Context) isPlain(name string) bool {
	if c.scope == nil {
		return false
	}
	raw, ok := c.scope.Lookup(name)
	return ok && simple(raw) && !isString(raw)
}

// Render is the final value of v, at every depth: what a module argument gets. Entries and
// items that are omit are dropped; the result holds no templates, vault text, lazy containers
// or undefined values. Sets and tuples become lists, as since 2.19 they do.
func (c *Context) Render(v value.Value) (value.Value, error) {
	r, err := c.render(v)
	if old := c.reader(err); old != nil {
		if r, again := old.render(v); again == nil {
			c.warnText(v)
			return r, nil
		}
	}
	return r, err
}

// RenderFact is Render for what becomes a variable: where jinja2_native is set it keeps
// the mark of text that is not data.
func (c *Context) RenderFact(v value.Value) (value.Value, error) {
	c.keepText = c.e.opts.Native
	defer func() { c.keepText = false }()
	return c.Render(v)
}

func (c *Context) render(v value.Value) (value.Value, error) {
	switch x := v.(type) {
	case string, nil, bool, int64, float64:
		return v, nil
	case *value.Template:
		r, err := c.eval(unitOf(x))
		if err != nil {
			return nil, err
		}
		if r, err = c.final(r); err == nil && x.Secret {
			r = value.Mark(r, true)
		}
		return r, unitOf(x).place(pos{1, 1}, err)
	}
	return c.final(v)
}

// Eval evaluates a template's text as an expression without braces to its native value, which
// may be undefined, lazy, a tuple or an object.
func (c *Context) Eval(t *value.Template) (value.Value, error) {
	u := bareOf(t)
	if err := u.usable(c); err != nil {
		return nil, err
	}
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	x := c.begin(u)
	v, err := u.single(x.f)
	c.end(x)
	if err == nil {
		err = u.place(pos{1, 1}, failed(v))
	}
	if err != nil {
		return nil, err
	}
	return u.withoutMarkup(v)
}

// enter counts the nesting of macros, includes and variables.
func (c *Context) enter() error {
	if c.depth++; c.depth > c.e.opts.MaxDepth {
		c.depth--
		return &limitError{"recursion is too deep"}
	}
	return nil
}

func (c *Context) leave() { c.depth-- }

// step counts turns of loops and notices that the run was cancelled.
func (c *Context) step() error {
	if c.steps++; c.steps > c.e.opts.MaxSteps {
		return &limitError{"the template loops too long"}
	}
	if c.steps&1023 == 0 && c.ctx != nil {
		return c.ctx.Err()
	}
	return nil
}

// join makes one value of the values that a template printed.
func (c *Context) join(nodes []value.Value) (value.Value, error) {
	if c.e.opts.Compat != V216Native {
		nodes = slices.DeleteFunc(nodes, func(v value.Value) bool { return v == nil })
	}
	switch len(nodes) {
	case 0:
		return nil, nil
	case 1:
		return c.finishSingle(nodes[0]), nil
	}
	var b strings.Builder
	secret := false
	for _, n := range nodes {
		if n == nil && c.e.opts.Compat == V216Native {
			b.WriteString("None")
			continue
		}
		s, sec, err := c.printed(n)
		if err != nil {
			return nil, err
		}
		c.heed(s, sec)
		secret = secret || sec
		b.WriteString(s)
	}
	v := value.Mark(b.String(), secret)
	if c.e.opts.Compat == V216Native {
		v = c.literal(v)
	}
	return v, nil
}

// heed tells of a secret text that becomes part of another.
func (c *Context) heed(s string, secret bool) {
	if secret && c.e.opts.Secret != nil {
		c.e.opts.Secret(s)
	}
}

// str is Python's str of a value that deep has gone through.
func (c *Context) str(v value.Value) string { return value.Str(v) }

// String renders v and gives its text: what a name or a path gets. None is the empty text.
func (c *Context) String(v value.Value) (string, error) {
	r, err := c.Render(v)
	if err != nil {
		return "", err
	}
	s, _, err := c.text(r)
	return s, err
}
