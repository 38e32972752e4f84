package template

import (
	"slices"

	"fettle/engine/value"
)

// What stands between braces in text goes straight to the output where it can: texts that are
// only made to be printed are not made at all.

// print compiles a print statement.
func (c *compiler) print(x *sPrint) st {
	p, u := c.printer(x.x), c.u
	return func(f *frame) error {
		if err := p(f); err != nil {
			return u.place(x.p, err)
		}
		return nil
	}
}

// dataAndPrint compiles text and the print statement behind it as one step.
func (c *compiler) dataAndPrint(s string, x *sPrint) st {
	p, u := c.printer(x.x), c.u
	return func(f *frame) error {
		err := f.out.text(s)
		if err == nil {
			err = p(f)
		}
		if err != nil {
			return u.place(x.p, err)
		}
		return nil
	}
}

// asItIs is a copy of a container, for changes behind what is printed do not show there.
func asItIs(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.List:
		return &value.List{V: slices.Clone(x.V), Lazy: x.Lazy}
	case *value.Dict:
		out := x.Clone()
		out.Lazy = x.Lazy
		return out
	}
	return v
}

func (c *compiler) printer(n node) st {
	switch x := n.(type) {
	case *nCond:
		return c.printCond(x)
	case *nBin:
		if x.op == "*" {
			return c.printRepeat(x)
		}
	case *nFilter:
		if p := c.printFilter(x); p != nil {
			return p
		}
	case *nItem:
		if p := c.printSplit(x); p != nil {
			return p
		}
	case *nCall:
		if _, method := x.f.(*nAttr); !method {
			return c.printCall(x)
		}
	}
	e, changes := c.expr(n), c.u.mutates
	return func(f *frame) error {
		v, err := e(f)
		if err != nil {
			return err
		}
		if changes && f.out.native {
			v = asItIs(v)
		}
		return f.out.print(v)
	}
}

// printSplit prints text.split(sep)[n]; see splitItem.
func (c *compiler) printSplit(x *nItem) st {
	i, sep, o := splitParts(x)
	if o == nil {
		return nil
	}
	text, slow := c.expr(o), c.itemOf(x)
	return func(f *frame) error {
		v, err := text(f)
		if err != nil {
			return err
		}
		if s, ok := v.(string); ok && !f.out.native {
			if part, ok := splitAt(s, sep, i); ok {
				return f.out.text(part)
			}
		}
		if v, err = slow(f, v); err != nil {
			return err
		}
		return f.out.print(v)
	}
}

func (c *compiler) printCond(x *nCond) st {
	t, u := c.expr(x.t), c.u
	c.soft++
	a := c.printer(x.a)
	b := st(func(f *frame) error { return f.out.print(softUndefined) })
	if x.b != nil {
		b = c.printer(x.b)
	}
	c.soft--
	return func(f *frame) error {
		v, err := t(f)
		if err != nil {
			return err
		}
		ok, err := value.Truth(v)
		if err != nil {
			return u.place(x.p, err)
		}
		if ok {
			return a(f)
		}
		return b(f)
	}
}

// printRepeat prints a text so many times: how templates indent.
func (c *compiler) printRepeat(x *nBin) st {
	a, b, u := c.expr(x.a), c.expr(x.b), c.u
	return func(f *frame) error {
		v, err := a(f)
		if err != nil {
			return err
		}
		w, err := b(f)
		if err != nil {
			return err
		}
		s, isText := v.(string)
		n, isInt := w.(int64)
		if isText && isInt && !f.out.native && n <= value.MaxItems {
			return u.place(x.p, f.out.repeat(s, int(n)))
		}
		r, err := value.Binary("*", v, w)
		if err != nil {
			return u.place(x.p, err)
		}
		return f.out.print(r)
	}
}

// printCall prints what a call gives; a macro writes it itself.
func (c *compiler) printCall(x *nCall) st {
	a, u, fe, takes := c.arguments(x), c.u, c.expr(x.f), calls(x, takesUndefined)
	return func(f *frame) error {
		fn, err := fe(f)
		if err != nil {
			return err
		}
		call := f.rt.c.newCall(u, x.p)
		call.takesUndefined = takes
		if err := a.eval(f, call); err != nil {
			return u.place(x.p, err)
		}
		var r value.Value
		m, ok := fn.(*macro)
		if ok = ok && !f.out.native && !f.out.drop && !m.up.out.native; ok {
			r, err = call.softened("", m.write(call, f.out))
		} else {
			r, err = spread(call, fn)
		}
		f.rt.c.done(call)
		if err == nil {
			err = f.out.print(r)
		}
		return u.place(x.p, err)
	}
}

// repeat prints s n times.
func (o *output) repeat(s string, n int) error {
	if n <= 0 || o.drop || s == "" {
		return nil
	}
	if n > value.MaxText/len(s) {
		return &limitError{"the text is too large"}
	}
	if err := o.grow(n * len(s)); err != nil {
		return err
	}
	o.shared.repeat(s, n)
	return nil
}
