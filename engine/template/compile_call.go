package template

import (
	"errors"
	"fmt"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// arguments are the compiled arguments of a call.
type arguments struct {
	pos      []ev
	names    []string
	kw       []ev
	dyn, dkw ev
}

func (c *compiler) arguments(x *nCall) *arguments {
	a := &arguments{pos: c.exprs(x.args)}
	for _, k := range x.kw {
		a.names = append(a.names, k.n)
		a.kw = append(a.kw, c.expr(k.v))
	}
	if x.dyn != nil {
		a.dyn = c.expr(x.dyn)
	}
	if x.dkw != nil {
		a.dkw = c.expr(x.dkw)
	}
	return a
}

// eval fills a call; first comes before the written arguments.
func (a *arguments) eval(f *frame, call *Call, first ...value.Value) error {
	call.rt = f.rt
	call.Args = append(call.Args, first...)
	for _, e := range a.pos {
		v, err := e(f)
		if err != nil {
			return err
		}
		call.Args = append(call.Args, v)
	}
	for i, e := range a.kw {
		v, err := e(f)
		if err != nil {
			return err
		}
		call.KW = append(call.KW, value.Keyword{Name: a.names[i], Value: v})
	}
	if a.dyn != nil || a.dkw != nil {
		return a.dynamic(f, call)
	}
	return nil
}

func (a *arguments) dynamic(f *frame, call *Call) error {
	if a.dyn != nil {
		v, err := a.dyn(f)
		if err != nil {
			return err
		}
		items, err := value.Iterate(v)
		if err != nil {
			return err
		}
		call.Args = append(call.Args, items...)
	}
	if a.dkw == nil {
		return nil
	}
	v, err := a.dkw(f)
	if err != nil {
		return err
	}
	d, ok := v.(*value.Dict)
	if !ok {
		if u, ok := v.(*value.Undefined); ok {
			return &value.UndefinedError{Undefined: u}
		}
		return fmt.Errorf("argument after ** must be a mapping, not %s", value.TypeName(v))
	}
	items, err := d.Resolved()
	for _, e := range items {
		call.KW = append(call.KW, value.Keyword{Name: value.Str(e.Key), Value: e.Value})
	}
	return err
}

func (c *compiler) call(x *nCall) ev {
	a, u := c.arguments(x), c.u
	if attr, ok := x.f.(*nAttr); ok { // a method call needs no bound method
		return c.methodCall(x, attr, a)
	}
	fe, takes := c.expr(x.f), calls(x, takesUndefined)
	return func(f *frame) (value.Value, error) {
		fn, err := fe(f)
		if err != nil {
			return nil, err
		}
		call := f.rt.c.newCall(u, x.p)
		call.takesUndefined = takes
		if err := a.eval(f, call); err != nil {
			return nil, u.place(x.p, err)
		}
		r, err := spread(call, fn)
		f.rt.c.done(call)
		return r, u.place(x.p, err)
	}
}

// lookups are the functions that run a lookup plugin.
var lookups = nameSet("lookup query q")

// takesUndefined are the functions that deal with undefined arguments themselves.
var takesUndefined = nameSet("lookup query q undef")

func calls(x *nCall, names map[string]bool) bool {
	n, ok := x.f.(*nName)
	return ok && names[n.n]
}

// spread calls fn.
func spread(call *Call, fn value.Value) (value.Value, error) {
	if _, ok := fn.(Func); ok && !call.takesUndefined {
		if u := call.undefinedArg(); u != nil {
			return u, nil
		}
	}
	r, err := invoke(fn, call)
	return call.softened(r, err)
}

// softened is the result of a call. Since 2.19 a call of something undefined, or one that fails on
// something undefined, is undefined itself, and one that fails otherwise fails when its result
// is used.
func (c *Call) softened(r value.Value, err error) (value.Value, error) {
	if err == nil || c.C.e.opts.Compat.Old() {
		return r, err
	}
	if u, ok := err.(*value.UndefinedError); ok {
		return u.Undefined, nil
	}
	if !c.C.canWait(err) {
		return r, err
	}
	return &value.Undefined{Name: "result", Err: c.u.place(c.p, err)}, nil
}

// canWait tells that a failure is one only when its result is used, unlike the end of the run and limits.
func (c *Context) canWait(err error) bool {
	var limit *limitError
	return !errors.As(err, &limit) && (c.ctx == nil || c.ctx.Err() == nil)
}

// undefinedArg is an argument that is undefined: since 2.19 it is the result of the call, unless a
// macro is called.
func (c *Call) undefinedArg() *value.Undefined {
	if c.C.e.opts.Compat.Old() {
		return nil
	}
	for _, a := range c.Args {
		if u, ok := a.(*value.Undefined); ok && !u.Soft {
			return u
		}
	}
	for _, k := range c.KW {
		if u, ok := k.Value.(*value.Undefined); ok && !u.Soft {
			return u
		}
	}
	return nil
}

// failed is the error of a result that stands for a failed call.
func failed(v value.Value) error {
	if u, ok := v.(*value.Undefined); ok && u.Err != nil {
		return &value.UndefinedError{Undefined: u}
	}
	return nil
}

func (c *compiler) methodCall(x *nCall, attr *nAttr, a *arguments) ev {
	o, name, u, traits := c.expr(attr.x), attr.n, c.u, methodTraits[attr.n]
	return func(f *frame) (value.Value, error) {
		v, err := o(f)
		if err != nil {
			return nil, err
		}
		call := f.rt.c.newCall(u, x.p)
		if traits.of(v) {
			if err := a.eval(f, call); err != nil {
				return nil, u.place(x.p, err)
			}
			if u := call.undefinedArg(); u != nil {
				return u, nil
			}
			r, err := call.softened(callMethod(v, name, call))
			f.rt.c.done(call)
			if _, isRange := r.(*value.Range); isRange && !f.rt.c.e.opts.Compat.Old() {
				r = listed(r)
			}
			return r, u.place(x.p, err)
		}
		fn, err := getAttr(v, name)
		if err != nil {
			return nil, u.place(attr.p, err)
		}
		if err := a.eval(f, call); err != nil {
			return nil, u.place(x.p, err)
		}
		r, err := spread(call, fn)
		f.rt.c.done(call)
		return r, u.place(x.p, err)
	}
}

// callee is a callable that wants to know the context it is called in.
type callee interface {
	invoke(*Call) (value.Value, error)
}

// Func is a function that templates can call.
type Func func(*Call) (value.Value, error)

func (f Func) invoke(c *Call) (value.Value, error) { return f(c) }

// Call implements value.Callable, without a context.
func (f Func) Call(args []value.Value, kw []value.Keyword) (value.Value, error) {
	return f(&Call{Args: args, KW: kw})
}

func invoke(fn value.Value, call *Call) (value.Value, error) {
	switch x := fn.(type) {
	case callee:
		return x.invoke(call)
	case value.Callable:
		return x.Call(call.Args, call.KW)
	case *value.Undefined:
		return nil, &value.UndefinedError{Undefined: x}
	case *value.Secret:
		r, err := invoke(x.V, call)
		return value.Mark(r, true), err
	}
	return nil, fmt.Errorf("'%s' object is not callable", value.TypeName(fn))
}

// builtin are Jinja2's own filters and tests; before 2.19 they had no ansible.builtin name.
var builtin = nameSet(`abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape
	format groupby indent int items join last length list lower map max min pprint reject rejectattr replace reverse round safe
	select selectattr slice sort string striptags sum title tojson trim truncate upper urlencode urlize wordcount wordwrap xmlattr
	boolean callable defined divisibleby eq equalto escaped even false filter ge greaterthan gt in integer iterable le lessthan lt
	mapping ne none number odd sameas sequence test true undefined`)

// plugin finds the filter or test at compile time; an unknown one in a branch is an error
// only when it is reached.
func (c *compiler) plugin(p *plugin, kind, name string, at pos) *plugin {
	if p != nil {
		if builtin[p.name] && name != p.name {
			c.u.newer = name
		}
		return p
	}
	msg := fmt.Sprintf("No %s named '%s'.", kind, name)
	if c.soft == 0 {
		valid := FilterNames
		if kind == "test" {
			valid = TestNames
		}
		panic(&syntaxError{msg: msg, p: at, hint: diag.DidYouMean(name, valid())})
	}
	c.u.newer = "the unknown " + kind + " " + name + " in a branch"
	return &plugin{name: name, traits: Undefined | UndefinedArgs | Lazy, call: func(*Call) (value.Value, error) { return nil, errors.New(msg) }}
}

// defaultFilter compiles default(x) and default, by far the most frequent filter.
func (c *compiler) defaultFilter(x *nFilter) ev {
	v := c.expr(x.x)
	dflt := ev(func(*frame) (value.Value, error) { return "", nil })
	if len(x.call.args) == 1 {
		dflt = c.literal(x.call.args[0])
		if _, ok := x.call.args[0].(*nConst); !ok {
			dflt = listedRange(dflt)
		}
	}
	if a, ok := x.x.(*nAttr); ok && !dictMethods[a.n] {
		// An attribute of a dict is looked up without making an undefined value first.
		return c.attrOr(a, dflt)
	}
	return func(f *frame) (value.Value, error) {
		o, err := v(f)
		if err != nil {
			return nil, err
		}
		d, err := dflt(f)
		if err != nil {
			return nil, err
		}
		u, ok := o.(*value.Undefined)
		if !ok {
			if r, isRange := o.(*value.Range); isRange && !f.rt.c.e.opts.Compat.Old() {
				return listed(r), nil
			}
			return o, nil
		}
		if failed(o) != nil || u.Soft && f.rt.c.e.opts.Compat == V219 {
			return o, nil // default does not count an inline if without else
		}
		return d, nil
	}
}

// listedRange gives ranges as lists, as filters do since 2.19.
func listedRange(e ev) ev {
	return func(f *frame) (value.Value, error) {
		v, err := e(f)
		if r, ok := v.(*value.Range); ok && !f.rt.c.e.opts.Compat.Old() {
			return listed(r), err
		}
		return v, err
	}
}

// attrOr compiles an attribute with a default for when it is undefined.
func (c *compiler) attrOr(a *nAttr, dflt ev) ev {
	o, u, hint := c.expr(a.x), c.u, new(value.Hint)
	return func(f *frame) (value.Value, error) {
		v, err := o(f)
		if err != nil {
			return nil, err
		}
		other, err := dflt(f)
		if err != nil {
			return nil, err
		}
		var r value.Value
		if d, isDict := v.(*value.Dict); isDict {
			var ok bool
			if r, ok, err = d.LookupHint(a.n, hint); !ok && err == nil && a.n != "__class__" {
				return other, nil
			}
		} else {
			r, err = getAttr(v, a.n)
		}
		if err != nil {
			return nil, u.place(a.p, err)
		}
		if _, ok := r.(*value.Undefined); ok {
			if failed(r) != nil {
				return r, nil
			}
			return other, nil
		}
		if r, ok := r.(*value.Range); ok && !f.rt.c.e.opts.Compat.Old() {
			return listed(r), nil
		}
		return r, nil
	}
}

func (c *compiler) filter(x *nFilter) ev {
	if (x.n == "default" || x.n == "d") && len(x.call.args) <= 1 && x.call.kw == nil && x.call.dyn == nil && x.call.dkw == nil {
		return c.defaultFilter(x)
	}
	v, a, u := c.expr(x.x), c.arguments(x.call), c.u
	p := c.plugin(plugins.filter(x.n), "filter", x.n, x.p)
	u.markup = u.markup || makesMarkup(x)
	return func(f *frame) (value.Value, error) {
		o, err := v(f)
		if err != nil {
			return nil, err
		}
		call := f.rt.c.newCall(u, x.p)
		if err := a.eval(f, call, o); err != nil {
			return nil, u.place(x.p, err)
		}
		r, err := p.run(call)
		r, err = call.softened(refused("filter", x.n, r, err))
		f.rt.c.done(call)
		if err != nil {
			return nil, u.place(x.p, err)
		}
		return r, nil
	}
}

// markupMakers are the filters that make markup of text.
var markupMakers = nameSet("e escape forceescape safe tojson")

// makesMarkup tells that a filter may give markup: one of the makers, or map, which may apply one.
func makesMarkup(x *nFilter) bool {
	if name := short(x.n); name != "map" {
		return markupMakers[name]
	}
	if len(x.call.args) == 0 {
		return false
	}
	n, ok := x.call.args[0].(*nConst)
	if !ok {
		return true
	}
	s, ok := n.v.(string)
	return ok && markupMakers[short(s)]
}

func (c *compiler) test(x *nTest) ev {
	v, a, u := c.expr(x.x), c.arguments(x.call), c.u
	if len(x.call.args)+len(x.call.kw) == 0 && x.call.dyn == nil && (x.n == "defined" || x.n == "undefined") {
		want := x.n == "undefined"
		if a, ok := x.x.(*nAttr); ok && !dictMethods[a.n] {
			e := c.attrOr(a, func(*frame) (value.Value, error) { return missing, nil })
			return func(f *frame) (value.Value, error) {
				o, err := e(f)
				if err != nil || failed(o) != nil {
					return o, err
				}
				return (o == missing) == want, nil
			}
		}
		return func(f *frame) (value.Value, error) {
			o, err := v(f)
			if err != nil {
				return nil, err
			}
			_, is := o.(*value.Undefined)
			if failed(o) != nil {
				return o, nil
			}
			return is == want, nil
		}
	}
	p := c.plugin(plugins.test(x.n), "test", x.n, x.p)
	return func(f *frame) (value.Value, error) {
		o, err := v(f)
		if err != nil {
			return nil, err
		}
		call := f.rt.c.newCall(u, x.p)
		if err := a.eval(f, call, o); err != nil {
			return nil, u.place(x.p, err)
		}
		r, err := p.run(call)
		if un, ok := r.(*value.Undefined); ok && err == nil {
			err = &value.UndefinedError{Undefined: un}
		}
		r, err = call.softened(refused("test", x.n, r, err))
		f.rt.c.done(call)
		if err != nil {
			return nil, u.place(x.p, err)
		}
		return r, nil
	}
}

func (c *compiler) unary(x *nUn) ev {
	a, u := c.expr(x.a), c.u
	op := value.Neg
	switch x.op {
	case "+":
		op = value.Pos
	case "not":
		op = func(v value.Value) (value.Value, error) {
			t, err := value.Truth(v)
			return !t, err
		}
	}
	return func(f *frame) (value.Value, error) {
		v, err := a(f)
		if err != nil {
			return nil, err
		}
		r, err := op(v)
		if err != nil {
			return nil, u.place(x.p, err)
		}
		return r, nil
	}
}
