package template

import "fettle/engine/value"

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
