package template

import (
	"errors"
	"slices"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// NameRead is one outside variable that a template may read.
type NameRead struct {
	Name string
	Path []string // a.b['c'] is a, b, c; as far as the keys are constant
	At   diag.Pos
	// Guarded tells that it may be undefined there: under "is defined", default() or the
	// like, or in a branch that a condition on the same name protects.
	Guarded bool
}

// Names lists the outside variables that the templates in v may read, at any depth.
func Names(v value.Value) []NameRead {
	var out []NameRead
	eachTemplate(v, func(t *value.Template) { out = append(out, unitNames(unitOf(t))...) })
	return out
}

// CondNames lists the outside variables a condition may read.
func CondNames(v value.Value) []NameRead {
	var out []NameRead
	eachTemplate(v, func(t *value.Template) {
		u := bareOf(t)
		if u.err != nil {
			u = unitOf(t)
		}
		out = append(out, unitNames(u)...)
	})
	return out
}

// Check returns what is wrong with the templates in v before they are rendered: syntax errors
// and unknown filters and tests.
func Check(v value.Value) []*diag.Diagnostic {
	return check(v, unitOf)
}

// CheckCond is Check for conditions.
func CheckCond(v value.Value) []*diag.Diagnostic {
	return check(v, func(t *value.Template) *unit {
		u := bareOf(t)
		if u.err != nil && IsTemplate(t.Src) {
			return unitOf(t)
		}
		return u
	})
}

func check(v value.Value, compile func(*value.Template) *unit) []*diag.Diagnostic {
	var out []*diag.Diagnostic
	eachTemplate(v, func(t *value.Template) {
		u := compile(t)
		var e *Error
		if errors.As(u.err, &e) {
			out = append(out, e.Diagnostic())
			return
		}
		out = append(out, u.unknown()...)
	})
	return out
}

// unknown reports filters and tests inside branches, which the compiler lets pass.
func (u *unit) unknown() []*diag.Diagnostic {
	var out []*diag.Diagnostic
	add := func(p pos, what, name string, known bool, valid []string) {
		if !known {
			d := diag.Errorf(u.pos(p), "template", "no %s named %q", what, name)
			d.Hint = diag.DidYouMean(name, valid)
			out = append(out, d)
		}
	}
	walk(u.tree.body, func(n node) bool {
		switch x := n.(type) {
		case *nFilter:
			add(x.p, "filter", x.n, HasFilter(x.n), FilterNames())
		case *nTest:
			add(x.p, "test", x.n, HasTest(x.n) || x.n == "defined" || x.n == "undefined", TestNames())
		}
		return true
	})
	return out
}

func eachTemplate(v value.Value, f func(*value.Template)) {
	switch x := v.(type) {
	case *value.Template:
		f(x)
	case *value.List:
		for _, e := range x.V {
			eachTemplate(e, f)
		}
	case value.Tuple:
		for _, e := range x {
			eachTemplate(e, f)
		}
	case *value.Dict:
		for _, e := range x.Entries() {
			eachTemplate(e.Key, f)
			eachTemplate(e.Value, f)
		}
	}
}

// reader collects the names a tree reads; bound is the stack of names it binds itself.
type reader struct {
	u     *unit
	bound []map[string]bool
	out   []NameRead
}

func unitNames(u *unit) []NameRead {
	if u.tree == nil {
		return nil
	}
	r := &reader{u: u, bound: []map[string]bool{{"self": true, "super": true, "loop": true, "caller": true, "varargs": true, "kwargs": true}}}
	r.nodes(u.tree.body, nil)
	return r.out
}

func (r *reader) bind(n node) {
	walk([]node{n}, func(n node) bool {
		if x, ok := n.(*nName); ok {
			r.bound[len(r.bound)-1][x.n] = true
		}
		return true
	})
}

func (r *reader) isBound(name string) bool {
	return slices.ContainsFunc(r.bound, func(m map[string]bool) bool { return m[name] })
}

// scoped runs f with a new scope for names.
func (r *reader) scoped(f func()) {
	r.bound = append(r.bound, map[string]bool{})
	f()
	r.bound = r.bound[:len(r.bound)-1]
}

// nodes visits ns; guards are the names known to be checked for being defined.
func (r *reader) nodes(ns []node, guards []string) {
	for _, n := range ns {
		if n != nil && !nilNode(n) {
			r.node(n, guards)
		}
	}
}

func (r *reader) node(n node, guards []string) {
	switch x := n.(type) {
	case *nName, *nAttr, *nItem:
		r.read(n, guards)
	case *nText:
		r.out = append(r.out, unitNames(unitOf(&value.Template{Src: x.s, At: r.u.pos(x.p)}))...)
	case *nTest:
		r.test(x, guards)
	case *nFilter:
		if x.n == "default" || x.n == "d" || x.n == "ansible.builtin.default" {
			r.guarded(x.x, guards)
			r.node(x.call, guards)
			return
		}
		r.nodes(children(n), guards)
	case *nBin:
		r.nodes([]node{x.a}, guards)
		r.nodes([]node{x.b}, append(slices.Clone(guards), r.guards(x.a)...))
	case *nCond:
		inner := append(slices.Clone(guards), r.guards(x.t)...)
		r.nodes([]node{x.t}, guards)
		r.nodes([]node{x.a, x.b}, inner)
	case *nCall:
		if name, ok := x.f.(*nName); ok && name.n == "undef" {
			return
		}
		r.nodes(children(n), guards)
	default:
		r.statement(n, guards)
	}
}

func (r *reader) test(x *nTest, guards []string) {
	switch x.n {
	case "defined", "undefined", "ansible.builtin.defined", "ansible.builtin.undefined":
		r.guarded(x.x, guards)
	default:
		r.nodes([]node{x.x, x.call}, guards)
	}
}

// guarded visits an expression that may be undefined.
func (r *reader) guarded(n node, guards []string) {
	if p, name := path(n); name != nil {
		r.add(p, name, true)
		r.keys(n, guards)
		return
	}
	from := len(r.out)
	r.node(n, guards)
	for i := range r.out[from:] {
		r.out[from+i].Guarded = true
	}
}

// guards are the names that an expression checks for being defined.
func (r *reader) guards(n node) []string {
	var out []string
	walk([]node{n}, func(n node) bool {
		if t, ok := n.(*nTest); ok && (t.n == "defined" || t.n == "undefined") {
			if p, _ := path(t.x); p != nil {
				out = append(out, p[0])
			}
		}
		return true
	})
	return out
}

func (r *reader) read(n node, guards []string) {
	p, name := path(n)
	if name == nil {
		r.nodes(children(n), guards)
		return
	}
	r.add(p, name, slices.Contains(guards, name.n))
	r.keys(n, guards)
}

// keys visits the computed keys in a path.
func (r *reader) keys(n node, guards []string) {
	for {
		switch x := n.(type) {
		case *nAttr:
			n = x.x
		case *nItem:
			if _, ok := x.k.(*nConst); !ok {
				r.node(x.k, guards)
			}
			n = x.x
		default:
			return
		}
	}
}

func (r *reader) add(p []string, name *nName, guarded bool) {
	if r.isBound(name.n) || isGlobal(name.n) {
		return
	}
	r.out = append(r.out, NameRead{Name: name.n, Path: p, At: r.u.pos(name.p), Guarded: guarded})
}

// path is the name at the root of a chain of attributes and the constant keys from there on.
func path(n node) ([]string, *nName) {
	switch x := n.(type) {
	case *nName:
		return []string{x.n}, x
	case *nAttr:
		p, name := path(x.x)
		if name == nil {
			return nil, nil
		}
		if p[len(p)-1] != "" {
			p = append(p, x.n)
		}
		return p, name
	case *nItem:
		p, name := path(x.x)
		if name == nil {
			return nil, nil
		}
		if k, ok := x.k.(*nConst); ok {
			p = append(p, value.Str(k.v))
		}
		return p, name
	}
	return nil, nil
}

func (r *reader) statement(n node, guards []string) {
	switch x := n.(type) {
	case *sFor:
		r.nodes([]node{x.iter}, guards)
		r.scoped(func() {
			r.bind(x.target)
			r.nodes([]node{x.cond}, guards)
			r.nodes(x.body, guards)
		})
		r.scoped(func() { r.nodes(x.els, guards) })
	case *sIf:
		r.nodes([]node{x.cond}, guards)
		inner := append(slices.Clone(guards), r.guards(x.cond)...)
		r.nodes(x.body, inner)
		r.nodes(x.els, inner)
	case *sSet:
		r.nodes([]node{x.x}, guards)
		r.bind(x.target)
	case *sSetBlock:
		r.scoped(func() { r.nodes(x.body, guards) })
		r.nodes([]node{x.filt}, guards)
		r.bind(x.target)
	case *sWith:
		r.nodes(x.vs, guards)
		r.scoped(func() {
			for _, t := range x.ts {
				r.bind(t)
			}
			r.nodes(x.body, guards)
		})
	case *sMacro:
		r.bound[len(r.bound)-1][x.n] = true
		r.scoped(func() {
			for _, a := range x.args {
				r.bound[len(r.bound)-1][a] = true
			}
			r.nodes(x.defs, guards)
			r.nodes(x.body, guards)
		})
	case *sImport:
		r.nodes([]node{x.x}, guards)
		r.bound[len(r.bound)-1][x.as] = true
	case *sFrom:
		r.nodes([]node{x.x}, guards)
		for _, n := range x.names {
			r.bound[len(r.bound)-1][n[1]] = true
		}
	default:
		r.nodes(children(n), guards)
	}
}

func isGlobal(name string) bool {
	switch name {
	case "range", "dict", "namespace", "cycler", "joiner", "lipsum", "omit":
		return true
	}
	_, ok := ansibleGlobals[name]
	return ok
}
