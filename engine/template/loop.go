package template

import (
	"fmt"
	"slices"

	"fettle/engine/value"
)

// loop is the loop variable.
type loop struct {
	items     []value.Value
	i, depth  int
	changed   value.Tuple
	recursive func(items value.Value, depth int) (value.Value, error)
}

func (l *loop) TypeName() string { return "LoopContext" }
func (l *loop) String() string   { return fmt.Sprintf("<LoopContext %d/%d>", l.i+1, len(l.items)) }

// Len is what loop|length gives.
func (l *loop) Len() int { return len(l.items) }

func (l *loop) Attr(n string) (value.Value, bool, error) {
	i, count := int64(l.i), int64(len(l.items))
	var v value.Value
	switch n {
	case "index":
		v = i + 1
	case "index0":
		v = i
	case "revindex":
		v = count - i
	case "revindex0":
		v = count - i - 1
	case "first":
		v = i == 0
	case "last":
		v = i == count-1
	case "length":
		v = count
	case "depth":
		v = int64(l.depth + 1)
	case "depth0":
		v = int64(l.depth)
	case "previtem":
		v = &value.Undefined{Name: n, Hint: "there is no previous item"}
		if i > 0 {
			v = l.items[i-1]
		}
	case "nextitem":
		v = &value.Undefined{Name: n, Hint: "there is no next item"}
		if i < count-1 {
			v = l.items[i+1]
		}
	case "cycle":
		v = Func(l.cycle)
	case "changed":
		v = Func(l.hasChanged)
	default:
		return nil, false, nil
	}
	return v, true, nil
}

func (l *loop) cycle(c *Call) (value.Value, error) {
	if len(c.Args) == 0 {
		return nil, fmt.Errorf("no items for cycling given")
	}
	return c.Args[l.i%len(c.Args)], nil
}

func (l *loop) hasChanged(c *Call) (value.Value, error) {
	now := value.Tuple(c.Args)
	if l.changed != nil {
		if eq, err := value.Equal(now, l.changed); err != nil || eq {
			return false, err
		}
	}
	l.changed = slices.Clone(now)
	return true, nil
}

func (l *loop) invoke(c *Call) (value.Value, error) {
	if l.recursive == nil {
		return nil, fmt.Errorf("The loop must have the 'recursive' marker to be called recursively.")
	}
	return l.recursive(c.Arg(0, "iterable", nil), l.depth+1)
}

// forLoop is a compiled for statement.
type forLoop struct {
	u         *unit
	p         pos
	iter      ev
	assign    func(*frame, value.Value) error
	cond      ev
	body, els []st
	slots     []int
	elseClear func(*frame)
	loopSlot  int  // -1: the body does not use loop
	loopKept  bool // something may hold on to loop after its statement
	recursive bool
}

func (c *compiler) forStmt(x *sFor) st {
	l := &forLoop{u: c.u, p: x.p, iter: c.expr(x.iter), loopSlot: -1, recursive: x.rec}
	sc := c.push(false)
	l.assign = c.assign(x.target)
	if x.cond != nil {
		l.cond = c.expr(x.cond)
	}
	if x.rec || uses(x.body, "loop") || hasScopedBlock(x.body) {
		l.loopSlot = c.declare("loop")
		l.loopKept = x.rec || hasScopedBlock(x.body) || keepsLoop(x.body)
	}
	c.soft++
	l.body = c.stmts(x.body)
	c.soft--
	l.slots = sc.list()
	c.pop()
	c.push(false)
	l.elseClear = c.sc.clear()
	l.els = c.stmts(x.els)
	c.pop()
	return func(f *frame) error {
		v, err := l.iter(f)
		if err != nil {
			return l.u.place(l.p, err)
		}
		return l.exec(f, v, 0)
	}
}

// keepsLoop tells that loop is used in a body otherwise than by its plain attributes.
func keepsLoop(body []node) bool {
	found := false
	walk(body, func(n node) bool {
		switch x := n.(type) {
		case *nAttr:
			if l, ok := x.x.(*nName); ok && l.n == "loop" {
				found = found || x.n == "cycle" || x.n == "changed"
				return false
			}
		case *nName:
			found = found || x.n == "loop"
		}
		return !found
	})
	return found
}

func hasScopedBlock(body []node) bool {
	found := false
	walk(body, func(n node) bool {
		b, ok := n.(*sBlock)
		found = found || ok && b.scoped
		return true
	})
	return found
}

func (l *forLoop) clear(f *frame) {
	for _, i := range l.slots {
		f.s[i] = missing
	}
}

func (l *forLoop) exec(f *frame, v value.Value, depth int) error {
	items, err := value.Iterate(v)
	if err == nil && l.cond != nil {
		items, err = l.filter(f, items)
	}
	if err != nil {
		return l.u.place(l.p, err)
	}
	if len(items) == 0 {
		l.elseClear(f)
		return run(l.els, f)
	}
	var lo *loop
	if l.loopSlot >= 0 {
		lo = l.object(f, items, depth)
	}
	for i := 0; i < len(items); i++ {
		if err := f.rt.c.step(); err != nil {
			return l.u.place(l.p, err)
		}
		l.clear(f)
		if err := l.assign(f, items[i]); err != nil {
			return l.u.place(l.p, err)
		}
		if lo != nil {
			lo.i = i
			f.s[l.loopSlot] = lo
		}
		if err := run(l.body, f); err == errBreak {
			break
		} else if err != nil && err != errContinue {
			return err
		}
	}
	l.clear(f)
	if lo != nil && !l.loopKept {
		f.rt.c.pool.keepLoop(lo)
	}
	return nil
}

// filter keeps the items for which the loop's condition holds.
func (l *forLoop) filter(f *frame, items []value.Value) ([]value.Value, error) {
	var out []value.Value
	for _, item := range items {
		if err := f.rt.c.step(); err != nil {
			return nil, err
		}
		l.clear(f)
		if err := l.assign(f, item); err != nil {
			return nil, err
		}
		v, err := l.cond(f)
		if err != nil {
			return nil, err
		}
		ok, err := value.Truth(v)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	l.clear(f)
	return out, nil
}

func (l *forLoop) object(f *frame, items []value.Value, depth int) *loop {
	lo := f.rt.c.pool.loop()
	lo.items, lo.depth = items, depth
	if l.recursive {
		lo.recursive = func(v value.Value, d int) (value.Value, error) {
			if err := f.rt.c.enter(); err != nil {
				return nil, err
			}
			defer f.rt.c.leave()
			g := &frame{s: append([]value.Value(nil), f.s...), up: f.up, rt: f.rt, out: f.out.nested()}
			if err := l.exec(g, v, d); err != nil {
				return nil, err
			}
			return g.out.result()
		}
	}
	return lo
}
