package template

import (
	"errors"
	"fmt"
	"strings"

	"fettle/engine/value"
)

// fileStmt compiles the statements that deal with other templates and blocks.
func (c *compiler) fileStmt(n node) st {
	switch x := n.(type) {
	case *sBlock:
		return c.blockStmt(x)
	case *sExtends:
		return c.extends(x)
	case *sInclude:
		return c.include(x)
	case *sImport:
		load := c.module(x.x, x.withC, x.p)
		as := c.assign(&nName{x.as, x.p})
		return func(f *frame) error {
			m, err := load(f)
			if err != nil {
				return err
			}
			return as(f, m)
		}
	case *sFrom:
		return c.from(x)
	}
	panic(fmt.Sprintf("template: impossible statement %T", n))
}

func (c *compiler) blockStmt(x *sBlock) st {
	u := c.u
	var snap func(*frame) map[string]value.Value
	if x.scoped {
		snap = c.snapshot(true)
	}
	return func(f *frame) error {
		if f.rt.parent != nil {
			return nil
		}
		rt := f.rt
		if snap != nil {
			rt = f.rt.child(snap(f))
			rt.blocks, rt.u = f.rt.blocks, f.rt.u
		}
		return u.place(x.p, rt.renderBlock(x.n, 0, f.out))
	}
}

func (rt *rendering) renderBlock(name string, depth int, out *output) error {
	b := rt.blocks[name][depth]
	if b.required && depth == 0 {
		return fmt.Errorf("Required block %s not found", value.Repr(name))
	}
	if err := rt.c.enter(); err != nil {
		return err
	}
	defer rt.c.leave()
	f := newFrame(b.slots, nil, rt, out)
	f.s[0] = &superObject{rt, name, depth + 1, out}
	return run(b.body, f)
}

// superObject is super inside a block.
type superObject struct {
	rt    *rendering
	name  string
	depth int
	out   *output
}

func (s *superObject) TypeName() string { return "BlockReference" }
func (s *superObject) String() string   { return "<BlockReference " + value.Repr(s.name) + ">" }

func (s *superObject) Attr(n string) (value.Value, bool, error) {
	if n == "super" {
		return &superObject{s.rt, s.name, s.depth + 1, s.out}, true, nil
	}
	return nil, false, nil
}

func (s *superObject) invoke(*Call) (value.Value, error) {
	if s.depth >= len(s.rt.blocks[s.name]) {
		return nil, &value.UndefinedError{Undefined: &value.Undefined{Name: "super", Hint: "there is no parent block called " + value.Repr(s.name) + "."}}
	}
	out := s.out.nested()
	if err := s.rt.renderBlock(s.name, s.depth, out); err != nil {
		return nil, err
	}
	return out.result()
}

// selfObject is self: the template's blocks as functions.
type selfObject struct{ rt *rendering }

func (s *selfObject) TypeName() string { return "TemplateReference" }
func (s *selfObject) String() string {
	return "<TemplateReference " + value.Repr(s.rt.u.name) + ">"
}

func (s *selfObject) Attr(n string) (value.Value, bool, error) {
	if _, ok := s.rt.blocks[n]; !ok {
		return nil, false, nil
	}
	return Func(func(*Call) (value.Value, error) {
		out := newOutput(s.rt.c, false)
		if err := s.rt.renderBlock(n, 0, out); err != nil {
			return nil, err
		}
		return out.result()
	}), true, nil
}

func (c *compiler) extends(x *sExtends) st {
	e, u := c.expr(x.x), c.u
	return func(f *frame) error {
		if f.rt.parent != nil {
			return u.place(x.p, fmt.Errorf("extended multiple times"))
		}
		v, err := e(f)
		if err != nil {
			return u.place(x.p, err)
		}
		parent, err := f.rt.c.templateFor(v, f.rt.u)
		if err != nil {
			return u.place(x.p, err)
		}
		f.rt.parent = parent
		f.out = f.out.nested()
		f.out.drop = true // what follows in the root is not shown
		return nil
	}
}

// render runs a unit in rt and then the templates it extends.
func (rt *rendering) render(u *unit, out *output) error {
	for {
		rt.u = u
		for n, b := range u.blocks {
			if rt.blocks == nil {
				rt.blocks = map[string][]*block{}
			}
			rt.blocks[n] = append(rt.blocks[n], b)
		}
		rt.keep()
		f := newFrame(u.slots, nil, rt, out)
		if err := rt.c.enter(); err != nil {
			return err
		}
		err := run(u.body, f)
		rt.c.leave()
		if err != nil {
			return err
		}
		if rt.parent == nil {
			return nil
		}
		u, rt.parent = rt.parent, nil
	}
}

// keep makes room for the names of a template that stands alone.
func (rt *rendering) keep() {
	rt.kept = nil
	if rt.outer != nil || len(rt.u.names) == 0 {
		return
	}
	rt.kept = make([]value.Value, len(rt.u.names))
	for i := range rt.kept {
		rt.kept[i] = missing
	}
}

func (c *compiler) include(x *sInclude) st {
	e, u, snap := c.expr(x.x), c.u, c.snapshot(true)
	return func(f *frame) error {
		v, err := e(f)
		if err != nil {
			return u.place(x.p, err)
		}
		t, err := f.rt.c.firstTemplate(v, f.rt.u)
		if err != nil {
			var nf *NotFoundError
			if x.ign && errors.As(err, &nf) {
				return nil
			}
			return u.place(x.p, err)
		}
		rt := &rendering{c: f.rt.c, blind: true}
		if x.withC {
			rt = f.rt.child(snap(f))
		}
		if err := f.rt.c.enter(); err != nil {
			return u.place(x.p, err)
		}
		defer f.rt.c.leave()
		return u.used(x.p, "included from", rt.render(t, f.out))
	}
}

// firstTemplate loads the first template of a name or list of names that exists.
func (c *Context) firstTemplate(v value.Value, from *unit) (t *unit, err error) {
	names := []value.Value{v}
	switch v.(type) {
	case *value.List, value.Tuple:
		if names, err = value.Iterate(v); err != nil {
			return nil, err
		}
	}
	err = fmt.Errorf("Tried to select from an empty list of templates.")
	for _, n := range names {
		if t, err = c.templateFor(n, from); err == nil {
			return t, nil
		}
		var nf *NotFoundError
		if !errors.As(err, &nf) {
			return nil, err
		}
	}
	return nil, err
}

// templateFor loads the template that a value names.
func (c *Context) templateFor(v value.Value, from *unit) (*unit, error) {
	switch x := v.(type) {
	case string:
		return c.load(x, from)
	case value.Text:
		return c.load(string(x), from)
	case value.Markup:
		return c.load(string(x), from)
	case *value.Secret:
		return c.templateFor(x.V, from)
	case *value.Undefined:
		return nil, &value.UndefinedError{Undefined: x}
	}
	return nil, fmt.Errorf("a template's name must be text, not %s", value.TypeName(v))
}

// snapshot returns a collector of the names bound at this point.
func (c *compiler) snapshot(withLoop bool) func(*frame) map[string]value.Value {
	names := map[string][]slot{}
	for s := c.sc; s != nil; s = s.up {
		for n := range s.names {
			if names[n] == nil && (withLoop || n != "loop") && n != "super" {
				names[n] = c.slotsOf(n)
			}
		}
	}
	return func(f *frame) map[string]value.Value {
		if len(names) == 0 {
			return nil
		}
		m := map[string]value.Value{}
		for n, rs := range names {
			if v := readSlots(f, rs); v != missing {
				m[n] = v
			}
		}
		return m
	}
}

// child is a rendering that sees what this one sees and locals.
func (rt *rendering) child(locals map[string]value.Value) *rendering {
	return &rendering{c: rt.c, u: rt.u, outer: rt, locals: locals, blind: rt.blind}
}

// module is an imported template: its macros and variables.
type module struct {
	name string
	text string
	vars map[string]value.Value
}

func (m *module) TypeName() string { return "TemplateModule" }
func (m *module) String() string   { return m.text }

func (m *module) Attr(n string) (value.Value, bool, error) {
	v, ok := m.vars[n]
	return v, ok, nil
}

func (c *compiler) module(x node, withContext bool, p pos) func(*frame) (*module, error) {
	e, u, snap := c.expr(x), c.u, c.snapshot(true)
	return func(f *frame) (*module, error) {
		v, err := e(f)
		if err != nil {
			return nil, u.place(p, err)
		}
		t, err := f.rt.c.templateFor(v, f.rt.u)
		if err != nil {
			return nil, u.place(p, err)
		}
		rt := &rendering{c: f.rt.c, blind: true}
		if withContext {
			rt = f.rt.child(snap(f))
		}
		if err := f.rt.c.enter(); err != nil {
			return nil, u.place(p, err)
		}
		defer f.rt.c.leave()
		out := newOutput(f.rt.c, false)
		if err := rt.render(t, out); err != nil {
			return nil, u.used(p, "imported from", err)
		}
		m := &module{t.name, out.take(), map[string]value.Value{}}
		for k, v := range rt.vars {
			if !strings.HasPrefix(k, "_") {
				m.vars[k] = v
			}
		}
		return m, nil
	}
}

func (c *compiler) from(x *sFrom) st {
	load := c.module(x.x, x.withC, x.p)
	var as []func(*frame, value.Value) error
	for _, n := range x.names {
		as = append(as, c.assign(&nName{n[1], x.p}))
	}
	return func(f *frame) error {
		m, err := load(f)
		if err != nil {
			return err
		}
		for i, n := range x.names {
			v, ok := m.vars[n[0]]
			if !ok {
				v = &value.Undefined{Name: n[0], Hint: fmt.Sprintf("the template %s (imported on line %d) does not export the requested name %s",
					value.Repr(m.name), x.p.line, value.Repr(n[0]))}
			}
			if err := as[i](f, v); err != nil {
				return err
			}
		}
		return nil
	}
}
