package template

import (
	"fmt"

	"fettle/engine/value"
)

// macro is a macro or the body of a call block.
type macro struct {
	u                       *unit
	name                    string
	args                    []string
	slots                   []int
	defs                    []ev
	body                    []st
	size                    int
	varargs, kwargs, caller int // slots, -1 when the body does not use them
	explicitCaller          bool
	keeps                   bool // something in the body may hold on to its frame
	up                      *frame
}

func (m *macro) TypeName() string { return "Macro" }
func (m *macro) String() string   { return "<Macro " + value.Repr(m.name) + ">" }

func (m *macro) Attr(n string) (value.Value, bool, error) {
	switch n {
	case "name":
		return m.name, true, nil
	case "arguments":
		t := value.Tuple{}
		for _, a := range m.args {
			t = append(t, a)
		}
		return t, true, nil
	case "catch_varargs":
		return m.varargs >= 0, true, nil
	case "catch_kwargs":
		return m.kwargs >= 0, true, nil
	case "caller":
		return m.caller >= 0 || m.explicitCaller, true, nil
	}
	return nil, false, nil
}

func (c *compiler) macro(x *sMacro) func(*frame) value.Value {
	sc := c.push(true)
	m := macro{u: c.u, name: x.n, args: x.args, varargs: -1, kwargs: -1, caller: -1}
	for _, a := range x.args {
		m.slots = append(m.slots, c.declare(a))
		m.explicitCaller = m.explicitCaller || a == "caller"
	}
	if uses(x.body, "varargs") {
		m.varargs = c.declare("varargs")
	}
	if uses(x.body, "kwargs") {
		m.kwargs = c.declare("kwargs")
	}
	if uses(x.body, "caller") && !m.explicitCaller {
		m.caller = c.declare("caller")
	}
	m.defs = c.exprs(x.defs)
	m.body = c.stmts(x.body)
	m.size = sc.f.n
	m.keeps = keepsFrame(x.body)
	c.pop()
	return func(f *frame) value.Value {
		n := m
		n.up = f
		return &n
	}
}

// keepsFrame tells that macros or recursive loops in a body see the names of its frame, maybe
// for longer than the body runs.
func keepsFrame(body []node) bool {
	found := false
	walk(body, func(n node) bool {
		switch x := n.(type) {
		case *sMacro, *sCall:
			found = true
		case *sFor:
			found = found || x.rec
		}
		return !found
	})
	return found
}

func (c *compiler) callBlock(x *sCall) st {
	mk, u := c.macro(x.m), c.u
	call := *x.call
	call.kw = append(append([]kwNode(nil), call.kw...),
		kwNode{"caller", &nClosure{func(f *frame) (value.Value, error) { return mk(f), nil }}})
	e := c.call(&call)
	return func(f *frame) error {
		v, err := e(f)
		if err != nil {
			return err
		}
		return u.place(x.p, f.out.print(v))
	}
}

func (m *macro) invoke(c *Call) (value.Value, error) {
	out := m.up.out.nested()
	if err := m.write(c, out); err != nil {
		return nil, err
	}
	return out.result()
}

// write runs the macro's body with its output going to out.
func (m *macro) write(c *Call, out *output) error {
	ctx := m.up.rt.c
	if err := ctx.enter(); err != nil {
		return err
	}
	defer ctx.leave()
	f := ctx.frame(m.size, m.up, m.up.rt, out)
	err := m.bind(f, c)
	if err == nil {
		err = run(m.body, f)
	}
	if !m.keeps {
		ctx.release(f)
	}
	return err
}

func (m *macro) bind(f *frame, c *Call) error {
	if len(c.Args) > len(m.args) && m.varargs < 0 {
		return fmt.Errorf("macro %s takes not more than %d argument(s)", value.Repr(m.name), len(m.args))
	}
	var room [16]bool
	set := room[:0:len(room)]
	if len(m.args) > len(room) {
		set = make([]bool, 0, len(m.args))
	}
	set = set[:len(m.args)]
	for i := range min(len(c.Args), len(m.args)) {
		f.s[m.slots[i]], set[i] = c.Args[i], true
	}
	if m.varargs >= 0 {
		va := value.Tuple{}
		if len(c.Args) > len(m.args) {
			va = append(va, c.Args[len(m.args):]...)
		}
		f.s[m.varargs] = va
	}
	if err := m.keywords(f, c.KW, set); err != nil {
		return err
	}
	return m.defaults(f, set)
}

func (m *macro) keywords(f *frame, kw []value.Keyword, set []bool) error {
	var rest *value.Dict
	if m.kwargs >= 0 {
		rest = value.NewDict(0)
		f.s[m.kwargs] = rest
	}
	if m.caller >= 0 {
		f.s[m.caller] = &value.Undefined{Name: "caller", Hint: "No caller defined"}
	}
next:
	for _, k := range kw {
		for i, a := range m.args {
			if a == k.Name {
				if set[i] {
					return fmt.Errorf("macro %s got multiple values for argument %s", value.Repr(m.name), value.Repr(a))
				}
				f.s[m.slots[i]], set[i] = k.Value, true
				continue next
			}
		}
		switch {
		case k.Name == "caller" && m.caller >= 0:
			f.s[m.caller] = k.Value
		case rest != nil:
			rest.SetString(k.Name, k.Value)
		case k.Name == "caller":
			return fmt.Errorf("macro %s was invoked with two values for the special caller argument. This is most likely a bug", value.Repr(m.name))
		default:
			return fmt.Errorf("macro %s takes no keyword argument %s", value.Repr(m.name), value.Repr(k.Name))
		}
	}
	return nil
}

func (m *macro) defaults(f *frame, set []bool) error {
	for i, a := range m.args {
		if set[i] {
			continue
		}
		d := i - (len(m.args) - len(m.defs))
		if d < 0 {
			f.s[m.slots[i]] = &value.Undefined{Name: a, Hint: "parameter '" + a + "' was not provided"}
			continue
		}
		v, err := m.defs[d](f)
		if err != nil {
			return err
		}
		f.s[m.slots[i]] = v
	}
	return nil
}
