package template

import (
	"strings"

	"fettle/engine/value"
)

// Expressions that templates are full of, compiled to make no value that is thrown away at once.

// literal compiles an argument; a constant list or dict is made once. It is frozen, so what a
// template does to it stays in a copy.
func (c *compiler) literal(n node) ev {
	if c.u.mutates || !constantNode(n, true) {
		return c.expr(n)
	}
	v, err := c.expr(n)(nil)
	if err != nil || !value.Plain(v) {
		return c.expr(n)
	}
	return func(*frame) (value.Value, error) { return v, nil }
}

// constantNode tells that n is a list or dict of nothing but constants.
func constantNode(n node, outer bool) bool {
	switch x := n.(type) {
	case *nConst:
		return !outer
	case *nList:
		return constantNodes(x.xs)
	case *nDict:
		return constantNodes(x.ks) && constantNodes(x.vs)
	}
	return false
}

func constantNodes(ns []node) bool {
	for _, n := range ns {
		if !constantNode(n, false) {
			return false
		}
	}
	return true
}

// splitItem compiles text.split(sep)[n]: the part is found without making the list. It returns
// nil when the expression is something else.
func (c *compiler) splitItem(x *nItem) ev {
	i, sep, o := splitParts(x)
	if o == nil {
		return nil
	}
	text, slow := c.expr(o), c.itemOf(x)
	return func(f *frame) (value.Value, error) {
		v, err := text(f)
		if err != nil {
			return nil, err
		}
		if s, ok := v.(string); ok {
			if part, ok := splitAt(s, sep, i); ok {
				return part, nil
			}
		}
		return slow(f, v)
	}
}

func splitParts(x *nItem) (i int64, sep string, text node) {
	k, ok := x.k.(*nConst)
	if !ok {
		return 0, "", nil
	}
	call, ok := x.x.(*nCall)
	if i, isInt := k.v.(int64); ok && isInt && len(call.args) == 1 && call.kw == nil && call.dyn == nil && call.dkw == nil {
		attr, isAttr := call.f.(*nAttr)
		arg, isConst := call.args[0].(*nConst)
		if isAttr && isConst && attr.n == "split" {
			if sep, isStr := arg.v.(string); isStr && sep != "" {
				return i, sep, attr.x
			}
		}
	}
	return 0, "", nil
}

// splitAt is the i-th part of s between separators; a negative i counts from the end.
func splitAt(s, sep string, i int64) (string, bool) {
	for ; i > 0; i-- {
		_, rest, found := strings.Cut(s, sep)
		if !found {
			return "", false
		}
		s = rest
	}
	if i == 0 {
		part, _, _ := strings.Cut(s, sep)
		return part, true
	}
	if i < -1 || len(sep) > 1 { // with longer separators the parts depend on where one starts
		return "", false
	}
	return s[strings.LastIndex(s, sep)+len(sep):], true
}

// itemOf is the slow way of splitItem, with the text already evaluated.
func (c *compiler) itemOf(x *nItem) func(*frame, value.Value) (value.Value, error) {
	hole := c.temp()
	call := *x.x.(*nCall)
	attr := *call.f.(*nAttr)
	attr.x = &nClosure{func(f *frame) (value.Value, error) { return f.s[hole], nil }}
	call.f = &attr
	e := c.plainItem(&nItem{x: &call, k: x.k, p: x.p})
	return func(f *frame, v value.Value) (value.Value, error) {
		f.s[hole] = v
		return e(f)
	}
}
