package template

import (
	"fmt"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// unit is a compiled template.
type unit struct {
	name   string
	at     diag.Pos
	tree   *tree
	body   []st
	blocks map[string]*block
	slots  int
	// names are those that are looked up outside of slots, each with its place among them.
	names map[string]int
	// single is set when the template is one expression.
	single ev
	// mutates tells that the template calls methods that change containers.
	mutates bool
	syntax  Syntax // how the file was read; included templates are read alike
	// newlines is how many line ends the source ends with.
	newlines int
	// newer names something in the template that was an error up to 2.18.
	newer     string
	headerErr error  // what is wrong with the #jinja2: line
	markup    bool   // a filter in it makes markup
	leaks     bool   // a value may hold on to the rendering: self is used
	lone      string // x when the template is {{ x }}
	err       error  // why it cannot be compiled
}

type block struct {
	u                *unit
	name             string
	body             []st
	slots            int
	scoped, required bool
}

// function is a frame at compile time.
type function struct{ n int }

// scope is where names are bound at compile time.
type scope struct {
	up    *scope
	f     *function
	names map[string]int
	root  bool // names are exported by the rendering instead of being put into slots
}

type compiler struct {
	u    *unit
	sc   *scope
	soft int // inside a branch: unknown filters are errors when they are reached
}

func (c *compiler) push(newFunction bool) *scope {
	f := &function{}
	if !newFunction {
		f = c.sc.f
	}
	c.sc = &scope{up: c.sc, f: f, names: map[string]int{}}
	return c.sc
}

func (c *compiler) pop() { c.sc = c.sc.up }

func (c *compiler) declare(n string) int {
	if i, ok := c.sc.names[n]; ok {
		return i
	}
	i := c.sc.f.n
	c.sc.f.n++
	c.sc.names[n] = i
	return i
}

// temp is a slot without a name.
func (c *compiler) temp() int {
	i := c.sc.f.n
	c.sc.f.n++
	return i
}

// slot is where a name may be: so many frames up.
type slot struct{ hops, i int }

func (c *compiler) slotsOf(n string) []slot {
	var out []slot
	hops := 0
	for s := c.sc; s != nil; s = s.up {
		if i, ok := s.names[n]; ok {
			out = append(out, slot{hops, i})
		}
		if s.up != nil && s.up.f != s.f {
			hops++
		}
	}
	return out
}

// clear unbinds the names of a scope at the start of a run through it.
func (s *scope) clear() func(*frame) {
	return func(f *frame) {
		for _, i := range s.list() {
			f.s[i] = missing
		}
	}
}

func (s *scope) list() []int {
	out := make([]int, 0, len(s.names))
	for _, i := range s.names {
		out = append(out, i)
	}
	return out
}

// compileTree makes closures of a tree.
func compileTree(t *tree, name string, at diag.Pos) (u *unit, err error) {
	defer recoverSyntax(&err)
	u = &unit{name: name, at: at, tree: t, blocks: map[string]*block{}, names: map[string]int{}, mutates: mutates(t.body)}
	if t.escapedQuote {
		u.newer = "a quote that is escaped with a backslash"
	}
	c := &compiler{u: u, sc: &scope{f: &function{}, names: map[string]int{}, root: true}}
	root := c.sc
	u.body = c.stmts(t.body)
	if len(t.body) == 1 {
		if p, ok := t.body[0].(*sPrint); ok {
			u.single = c.single(p)
		}
	}
	u.slots = root.f.n
	for _, n := range t.order {
		b := t.blocks[n]
		c.sc = &scope{f: &function{}, names: map[string]int{}}
		c.declare("super")
		body := c.stmts(b.body)
		u.blocks[n] = &block{u, n, body, c.sc.f.n, b.scoped, b.required}
	}
	return u, nil
}

func (c *compiler) single(p *sPrint) ev {
	e, u := c.expr(p.x), c.u
	at := p.p
	return func(f *frame) (value.Value, error) {
		v, err := e(f)
		if err != nil {
			return nil, u.place(at, err)
		}
		return v, nil
	}
}

var mutating = map[string]bool{"append": true, "extend": true, "insert": true, "pop": true, "remove": true, "reverse": true,
	"sort": true, "clear": true, "update": true, "setdefault": true, "popitem": true, "add": true, "discard": true}

// mutates tells that a call in the tree may change a container, or that other templates come
// into play.
func mutates(body []node) bool {
	found := false
	walk(body, func(n node) bool {
		switch x := n.(type) {
		case *nAttr:
			found = found || mutating[x.n]
		case *nItem:
			if k, ok := x.k.(*nConst); ok {
				s, _ := k.v.(string)
				found = found || mutating[s]
			}
		case *sInclude, *sImport, *sFrom, *sExtends:
			found = true
		}
		return !found
	})
	return found
}

func (c *compiler) stmts(ns []node) []st {
	out := make([]st, 0, len(ns))
	for i := 0; i < len(ns); i++ {
		if i+1 < len(ns) {
			data, isData := ns[i].(*sData)
			if p, ok := ns[i+1].(*sPrint); ok && isData {
				out = append(out, c.dataAndPrint(data.s, p))
				i++
				continue
			}
		}
		out = append(out, c.stmt(ns[i]))
	}
	return out
}

func (c *compiler) stmt(n node) st {
	switch x := n.(type) {
	case *sData:
		s := x.s
		return func(f *frame) error { return f.out.text(s) }
	case *sPrint:
		return c.print(x)
	case *sIf:
		return c.ifStmt(x)
	case *sFor:
		return c.forStmt(x)
	case *sSet:
		return c.set(x)
	case *sSetBlock:
		return c.setBlock(x)
	case *sFilter:
		return c.filterBlock(x)
	case *sWith:
		return c.with(x)
	case *sMacro:
		mk := c.macro(x)
		as := c.assign(&nName{x.n, x.p})
		return func(f *frame) error { return as(f, mk(f)) }
	case *sCall:
		return c.callBlock(x)
	case *sDo:
		e, u := c.expr(x.x), c.u
		return func(f *frame) error { _, err := e(f); return u.place(x.p, err) }
	case *sBreak:
		return func(*frame) error { return errBreak }
	case *sContinue:
		return func(*frame) error { return errContinue }
	case *sDebug:
		return func(f *frame) error { return f.out.text("{}") }
	}
	return c.fileStmt(n)
}

func (c *compiler) ifStmt(x *sIf) st {
	cond, u := c.expr(x.cond), c.u
	c.soft++
	a, b := c.stmts(x.body), c.stmts(x.els)
	c.soft--
	return func(f *frame) error {
		v, err := cond(f)
		if err == nil {
			var t bool
			if t, err = value.Truth(v); err == nil {
				if t {
					return run(a, f)
				}
				return run(b, f)
			}
		}
		return u.place(x.p, err)
	}
}

func (c *compiler) set(x *sSet) st {
	e, u := c.expr(x.x), c.u
	as := c.assign(x.target)
	return func(f *frame) error {
		v, err := e(f)
		if err == nil {
			err = as(f, v)
		}
		if err != nil {
			return u.place(x.p, err)
		}
		return nil
	}
}

// captured compiles a body whose output goes through filters; the result is a value.
func (c *compiler) captured(body []node, filt *nFilter, p pos) ev {
	c.push(false)
	clear := c.sc.clear()
	stmts := c.stmts(body)
	c.pop()
	filter, u := c.filterChain(filt), c.u
	return func(f *frame) (value.Value, error) {
		clear(f)
		v, err := capture(stmts, f)
		if err == nil {
			v, err = filter(f, v)
		}
		return v, u.place(p, err)
	}
}

// capture runs body with its own output.
func capture(body []st, f *frame) (value.Value, error) {
	old := f.out
	f.out = old.nested()
	defer func() { f.out = old }()
	if err := run(body, f); err != nil {
		return nil, err
	}
	return f.out.result()
}

func (c *compiler) setBlock(x *sSetBlock) st {
	e := c.captured(x.body, x.filt, x.p)
	as, u := c.assign(x.target), c.u
	return func(f *frame) error {
		v, err := e(f)
		if err != nil {
			return err
		}
		return u.place(x.p, as(f, v))
	}
}

func (c *compiler) filterBlock(x *sFilter) st {
	e, u := c.captured(x.body, x.filt, x.p), c.u
	return func(f *frame) error {
		v, err := e(f)
		if err != nil {
			return err
		}
		return u.place(x.p, f.out.print(v))
	}
}

// filterChain compiles the filters of a set or filter block around a hole.
func (c *compiler) filterChain(n *nFilter) func(*frame, value.Value) (value.Value, error) {
	if n == nil {
		return func(_ *frame, v value.Value) (value.Value, error) { return v, nil }
	}
	hole := c.temp()
	first := n
	for first.x != nil {
		if _, ok := first.x.(*nClosure); ok {
			break
		}
		first = first.x.(*nFilter)
	}
	first.x = &nClosure{func(f *frame) (value.Value, error) { return f.s[hole], nil }}
	e := c.expr(n)
	return func(f *frame, v value.Value) (value.Value, error) {
		f.s[hole] = v
		return e(f)
	}
}

func (c *compiler) with(x *sWith) st {
	vs, u := c.exprs(x.vs), c.u
	c.push(false)
	clear := c.sc.clear()
	var as []func(*frame, value.Value) error
	for _, t := range x.ts {
		as = append(as, c.assign(t))
	}
	body := c.stmts(x.body)
	c.pop()
	return func(f *frame) error {
		vals := make([]value.Value, len(vs))
		for i, e := range vs {
			v, err := e(f)
			if err != nil {
				return u.place(x.p, err)
			}
			vals[i] = v
		}
		clear(f)
		for i := range vals {
			if err := as[i](f, vals[i]); err != nil {
				return u.place(x.p, err)
			}
		}
		return run(body, f)
	}
}

// assign compiles binding a value to a target.
func (c *compiler) assign(t node) func(*frame, value.Value) error {
	switch x := t.(type) {
	case *nName:
		if c.sc.root {
			n, u, i := x.n, c.u, c.u.nameIndex(x.n)
			return func(f *frame, v value.Value) error {
				rt := f.rt
				if rt.vars == nil {
					rt.vars = map[string]value.Value{}
				}
				rt.vars[n] = v
				if rt.u == u && rt.kept != nil {
					rt.kept[i] = v
				}
				return nil
			}
		}
		i := c.declare(x.n)
		return func(f *frame, v value.Value) error { f.s[i] = v; return nil }
	case *nTuple:
		return c.unpack(x)
	case *nNsRef:
		g, attr := c.name(x.ns), x.attr
		return func(f *frame, v value.Value) error {
			o, err := g(f)
			if err != nil {
				return err
			}
			ns, ok := o.(*namespace)
			if !ok {
				return fmt.Errorf("cannot assign attribute on non-namespace object")
			}
			ns.d.SetString(attr, v)
			return nil
		}
	}
	panic("template: impossible target")
}

func (c *compiler) unpack(x *nTuple) func(*frame, value.Value) error {
	var as []func(*frame, value.Value) error
	for _, y := range x.xs {
		as = append(as, c.assign(y))
	}
	return func(f *frame, v value.Value) error {
		items, err := value.Iterate(v)
		if err != nil {
			if strings.HasSuffix(err.Error(), "object is not iterable") {
				return fmt.Errorf("cannot unpack non-iterable %s object", value.TypeName(v))
			}
			return err
		}
		if len(items) > len(as) {
			return fmt.Errorf("too many values to unpack (expected %d)", len(as))
		}
		if len(items) < len(as) {
			return fmt.Errorf("not enough values to unpack (expected %d, got %d)", len(as), len(items))
		}
		for i := range as {
			if err := as[i](f, items[i]); err != nil {
				return err
			}
		}
		return nil
	}
}
