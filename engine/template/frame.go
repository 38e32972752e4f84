package template

import (
	"math/big"
	"strconv"

	"fettle/engine/value"
)

// ev evaluates an expression, st runs a statement.
type (
	ev func(*frame) (value.Value, error)
	st func(*frame) error
)

// missing stands in a slot for a name that is not bound at the moment.
type missingType struct{}

var missing value.Value = missingType{}

// frame holds the names bound by one function of a template: the root, a block or a macro.
type frame struct {
	s   []value.Value
	up  *frame // the frame the macro was defined in
	rt  *rendering
	out *output
}

func newFrame(n int, up *frame, rt *rendering, out *output) *frame {
	f := &frame{up: up, rt: rt, out: out}
	if n > 0 {
		f.s = make([]value.Value, n)
		for i := range f.s {
			f.s[i] = missing
		}
	}
	return f
}

func run(body []st, f *frame) error {
	for _, s := range body {
		if err := s(f); err != nil {
			return err
		}
	}
	return nil
}

// rendering is one execution of a template: the names it exports, its blocks, and where other
// names come from.
type rendering struct {
	c      *Context
	u      *unit
	vars   map[string]value.Value
	locals map[string]value.Value // what an including template bound
	outer  *rendering             // the including template's
	blind  bool                   // imported without context: sees no variables
	blocks map[string][]*block
	parent *unit // set by extends
	// fresh are the variables of a template that may change what it is given.
	fresh    map[string]value.Value
	resolver *fresh
	// kept are the unit's names that were looked up, each in its place; nil when they may change.
	kept []value.Value
}

// get is a name that the template did not bind to a slot.
func (rt *rendering) get(name string) (value.Value, error) {
	for r := rt; r != nil; r = r.outer {
		if v, ok := r.vars[name]; ok {
			return v, nil
		}
		if v, ok := r.locals[name]; ok {
			return v, nil
		}
	}
	if !rt.blind {
		v, ok, err := rt.variable(name)
		if ok || err != nil {
			return v, err
		}
	}
	if v, ok := rt.c.global(name); ok {
		return v, nil
	}
	return &value.Undefined{Name: name}, nil
}

// variable is a variable of the scope. Templates that may change what they are given get
// their own copy for the whole rendering.
func (rt *rendering) variable(name string) (value.Value, bool, error) {
	root := rt
	for root.outer != nil {
		root = root.outer
	}
	if !root.u.mutates && !rt.u.mutates {
		return rt.c.variable(name)
	}
	if v, ok := root.fresh[name]; ok {
		return v, true, nil
	}
	if rt.c.scope == nil {
		return nil, false, nil
	}
	raw, ok := rt.c.scope.Lookup(name)
	if !ok || simple(raw) {
		return raw, ok, nil
	}
	if root.resolver == nil {
		root.resolver, root.fresh = &fresh{rt.c}, map[string]value.Value{}
	}
	v, err := rt.c.resolveVar(raw, root.resolver)
	if err == nil {
		root.fresh[name] = v
	}
	return v, true, err
}

// output collects what a template prints: text, or in native mode the printed values.
type output struct {
	c      *Context
	native bool
	secret bool
	drop   bool // behind extends
	nodes  []value.Value
	// Nested outputs of one rendering write behind each other into one buffer; this one's text
	// starts at start.
	shared *buffer
	start  int
}

type buffer struct {
	b    []byte
	size int // of everything that was ever printed
}

func newOutput(c *Context, native bool) *output {
	return &output{c: c, native: native, shared: &buffer{}}
}

// nested is an output of the same kind for a macro, block or capture. It must be finished
// before this one is written to again.
func (o *output) nested() *output {
	return &output{c: o.c, native: o.native, shared: o.shared, start: len(o.shared.b)}
}

func (o *output) grow(n int) error {
	if o.shared.size += n; o.shared.size > o.c.e.opts.MaxOutput {
		return &limitError{"the output is too large"}
	}
	return nil
}

// take is the text that was printed, which makes room for what follows.
func (o *output) take() string {
	s := string(o.shared.b[o.start:])
	o.shared.b = o.shared.b[:o.start]
	return s
}

// text prints template data.
func (o *output) text(s string) error {
	if o.drop {
		return nil
	}
	if o.native {
		o.nodes = append(o.nodes, s)
	} else {
		o.shared.b = append(o.shared.b, s...)
	}
	return o.grow(len(s))
}

// print prints a value.
func (o *output) print(v value.Value) error {
	if o.drop {
		return nil
	}
	if o.native {
		o.nodes = append(o.nodes, v)
		if s, ok := v.(string); ok {
			return o.grow(len(s) + 16)
		}
		return o.grow(16)
	}
	switch x := v.(type) {
	case string:
		o.shared.b = append(o.shared.b, x...)
		return o.grow(len(x))
	case int64:
		o.shared.b = strconv.AppendInt(o.shared.b, x, 10)
		return o.grow(8)
	case nil:
		return nil
	}
	s, secret, err := o.c.printed(v)
	if err != nil {
		return err
	}
	o.secret = o.secret || secret
	o.c.heed(s, secret)
	o.shared.b = append(o.shared.b, s...)
	return o.grow(len(s))
}

// result is what was printed as one value: text, or in native mode the only value.
func (o *output) result() (value.Value, error) {
	if !o.native {
		return value.Mark(o.take(), o.secret), nil
	}
	return o.c.join(o.nodes)
}

// printed is the text of a value between braces in a longer text. Since 2.19 values are made
// final first: tuples show as lists, omit is dropped.
func (c *Context) printed(v value.Value) (s string, secret bool, err error) {
	switch x := v.(type) {
	case []byte:
		return string(x), false, nil
	case *value.Range:
		if c.e.opts.Compat.old() {
			v = listed(x)
		} else {
			return value.Repr(x), false, nil
		}
	case value.OmitType:
		return "", false, nil
	}
	if c.e.opts.Compat.old() || simple(v) {
		return c.text(v)
	}
	d := deepener{c: c, strict: true, lists: true}
	r, err := d.value(v)
	if err != nil {
		return "", false, err
	}
	s, _, err = c.text(r)
	return s, d.secret, err
}

// text is str(v) for printing; an undefined value at any depth is an error.
func (c *Context) text(v value.Value) (s string, secret bool, err error) {
	switch x := v.(type) {
	case string:
		return x, false, nil
	case value.Text:
		return string(x), false, nil
	case bool, int64, float64, *big.Int:
		return value.Str(v), false, nil
	case nil:
		return "", false, nil
	case *value.Undefined:
		if x.Soft {
			return "", false, nil
		}
		return "", false, &value.UndefinedError{Undefined: x}
	case *value.Secret:
		s, _, err = c.text(x.V)
		return s, true, err
	case *value.Range:
		if n := x.Len(); n > value.MaxItems {
			return "", false, &limitError{"the range is too large to be printed"}
		}
	}
	d, err := c.deep(v, &secret, false)
	if err != nil {
		return "", false, err
	}
	return c.str(d), secret, nil
}
