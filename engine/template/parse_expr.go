package template

import (
	"math/big"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/value"
)

func (p *parser) tupleEnd(ends []string) bool {
	t := p.cur()
	return t.t == tVarEnd || t.t == tBlockEnd || p.op(")") || t.t == tName && slices.Contains(ends, t.s)
}

// tuple reads one expression or several with commas, which make a tuple. simple allows
// primary expressions only (targets); paren tells that parentheses surround it, so that it
// may be empty.
func (p *parser) tuple(simple, cond bool, ends []string, paren bool) node {
	var xs []node
	isTuple := false
	for {
		if len(xs) > 0 {
			p.needOp(",")
		}
		if p.tupleEnd(ends) {
			break
		}
		if simple {
			xs = append(xs, p.primary())
		} else {
			xs = append(xs, p.expr(cond))
		}
		if !p.op(",") {
			break
		}
		isTuple = true
	}
	if isTuple {
		return &nTuple{xs}
	}
	if len(xs) > 0 {
		return xs[0]
	}
	if !paren {
		p.fail("Expected an expression, got '%s'", p.found())
	}
	return &nTuple{}
}

func (p *parser) expr(cond bool) node {
	p.enter()
	defer p.leave()
	a := p.or()
	for cond && p.kw("if") {
		at := p.pos()
		p.i++
		t := p.or()
		var b node
		if p.skipKw("else") {
			b = p.expr(true)
		}
		a = &nCond{t, a, b, at}
	}
	return a
}

// chain counts the length of operator chains, which nest to the left.
func (p *parser) chain(n *int) {
	if *n++; *n > 20*maxNesting {
		p.fail("the expression is too long")
	}
}

func (p *parser) or() node {
	a, n := p.and(), 0
	for p.kw("or") {
		p.chain(&n)
		at := p.pos()
		p.i++
		a = &nBin{"or", a, p.and(), at}
	}
	return a
}

func (p *parser) and() node {
	a, n := p.not(), 0
	for p.kw("and") {
		p.chain(&n)
		at := p.pos()
		p.i++
		a = &nBin{"and", a, p.not(), at}
	}
	return a
}

func (p *parser) not() node {
	if p.kw("not") {
		p.enter()
		defer p.leave()
		at := p.pos()
		p.i++
		return &nUn{"not", p.not(), at}
	}
	return p.comparison()
}

func (p *parser) comparison() node {
	at := p.pos()
	a := p.sum()
	var ops []string
	var bs []node
	for {
		t := p.cur()
		switch {
		case t.t == tOp && (t.s == "==" || t.s == "!=" || t.s == "<" || t.s == "<=" || t.s == ">" || t.s == ">="):
			p.i++
			ops = append(ops, t.s)
		case p.kw("in"):
			p.i++
			ops = append(ops, "in")
		case p.kw("not") && p.peek().t == tName && p.peek().s == "in":
			p.i += 2
			ops = append(ops, "not in")
		default:
			if ops == nil {
				return a
			}
			return &nCmp{a, ops, bs, at}
		}
		bs = append(bs, p.sum())
	}
}

func (p *parser) binary(next func() node, ops ...string) node {
	a, n := next(), 0
	for p.cur().t == tOp && slices.Contains(ops, p.cur().s) {
		p.chain(&n)
		at := p.pos()
		op := p.adv().s
		a = &nBin{op, a, next(), at}
	}
	return a
}

func (p *parser) sum() node { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() node {
	at := p.pos()
	xs := []node{p.product()}
	for p.skipOp("~") {
		xs = append(xs, p.product())
	}
	if len(xs) == 1 {
		return xs[0]
	}
	return &nConcat{xs, at}
}

func (p *parser) product() node { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() node   { return p.binary(func() node { return p.unary(true) }, "**") }

func (p *parser) unary(filters bool) node {
	p.enter()
	defer p.leave()
	at := p.pos()
	var n node
	switch {
	case p.skipOp("-"):
		n = &nUn{"-", p.unary(false), at}
	case p.skipOp("+"):
		n = &nUn{"+", p.unary(false), at}
	default:
		n = p.primary()
	}
	n = p.postfix(n)
	if filters {
		n = p.filters(n)
	}
	return n
}

func (p *parser) primary() node {
	t, at := p.cur(), p.pos()
	switch t.t {
	case tName:
		p.i++
		switch t.s {
		case "true", "True":
			return &nConst{true}
		case "false", "False":
			return &nConst{false}
		case "none", "None":
			return &nConst{nil}
		}
		return &nName{t.s, at}
	case tStr:
		s := p.adv().s
		for p.cur().t == tStr {
			s += p.adv().s
		}
		if p.bare && IsTemplate(s) {
			return &nText{s: s, p: at, cond: true}
		}
		return &nConst{s}
	case tInt:
		p.i++
		return &nConst{p.integer(t.s, at)}
	case tFloat:
		p.i++
		f, _ := strconv.ParseFloat(t.s, 64)
		return &nConst{f}
	case tOp:
		switch t.s {
		case "(":
			p.i++
			n := p.tuple(false, true, nil, true)
			p.needOp(")")
			return n
		case "{{":
			p.i++
			p.embedded++
			n := p.expr(true)
			p.needOp("}}")
			return &nEmbed{n, at}
		case "[":
			return p.listDisplay()
		case "{":
			return p.dictDisplay(at)
		}
	}
	p.fail("unexpected '%s'", p.found())
	return nil
}

func (p *parser) integer(s string, at pos) value.Value {
	if len(s) > 4300 {
		p.failAt(at, "integer has too many digits")
	}
	b, ok := new(big.Int).SetString(s, 0)
	if !ok { // 00
		return int64(0)
	}
	return value.FromBig(b)
}

func (p *parser) listDisplay() node {
	p.needOp("[")
	l := &nList{}
	for !p.op("]") {
		if len(l.xs) > 0 {
			p.needOp(",")
		}
		if p.op("]") {
			break
		}
		l.xs = append(l.xs, p.expr(true))
	}
	p.needOp("]")
	return l
}

func (p *parser) dictDisplay(at pos) node {
	p.needOp("{")
	d := &nDict{p: at}
	for !p.op("}") {
		if len(d.ks) > 0 {
			p.needOp(",")
		}
		if p.op("}") {
			break
		}
		d.ks = append(d.ks, p.expr(true))
		p.needOp(":")
		d.vs = append(d.vs, p.expr(true))
	}
	p.needOp("}")
	return d
}

// postfix reads attributes, subscripts and calls.
func (p *parser) postfix(n node) node {
	for count := 0; ; {
		at := p.pos()
		switch {
		case p.skipOp("."):
			n = p.attribute(n, at)
		case p.op("["):
			n = p.subscript(n, at)
		case p.op("("):
			n = p.call(n)
		default:
			return n
		}
		p.chain(&count)
	}
}

func (p *parser) attribute(n node, at pos) node {
	switch t := p.cur(); t.t {
	case tName:
		p.i++
		return &nAttr{n, t.s, at}
	case tInt:
		p.i++
		return &nItem{n, &nConst{p.integer(t.s, at)}, at}
	}
	p.fail("expected name or number")
	return nil
}

func (p *parser) subscript(n node, at pos) node {
	p.needOp("[")
	var xs []node
	for !p.op("]") {
		if len(xs) > 0 {
			p.needOp(",")
		}
		xs = append(xs, p.subscribed())
	}
	p.needOp("]")
	if len(xs) == 1 {
		return &nItem{n, xs[0], at}
	}
	return &nItem{n, &nTuple{xs}, at}
}

func (p *parser) subscribed() node {
	var a, b, c node
	if !p.skipOp(":") {
		n := p.expr(true)
		if !p.skipOp(":") {
			return n
		}
		a = n
	}
	if !p.op(":") && !p.op("]") && !p.op(",") {
		b = p.expr(true)
	}
	if p.skipOp(":") {
		if !p.op("]") && !p.op(",") {
			c = p.expr(true)
		}
	}
	return &nSlice{a, b, c}
}

func (p *parser) call(f node) *nCall {
	c := &nCall{f: f, p: p.pos()}
	p.needOp("(")
	for comma := false; !p.op(")"); comma = true {
		if comma {
			p.needOp(",")
			if p.op(")") {
				break
			}
		}
		p.argument(c)
	}
	p.needOp(")")
	if calls(c, lookups) && len(c.args) > 1 {
		p.embedTexts(c.args[1:], c.p)
	}
	return c
}

// embedTexts makes templates of the constants among the terms of a lookup that have template syntax
// inside, also in lists and as values of dicts.
func (p *parser) embedTexts(xs []node, at pos) {
	for i, x := range xs {
		switch x := x.(type) {
		case *nConst:
			if s, ok := x.v.(string); ok && IsTemplate(s) {
				xs[i] = &nText{s: s, p: at}
			}
		case *nList:
			p.embedTexts(x.xs, at)
		case *nTuple:
			p.embedTexts(x.xs, at)
		case *nDict:
			p.embedTexts(x.vs, at)
		case *nCond:
			branches := []node{x.a, x.b}
			p.embedTexts(branches, at)
			x.a, x.b = branches[0], branches[1]
		case *nBin:
			if _, list := x.a.(*nList); !list && x.op != "and" && x.op != "or" {
				continue
			}
			sides := []node{x.a, x.b}
			p.embedTexts(sides, at)
			x.a, x.b = sides[0], sides[1]
		case *nFilter:
			if x.n == "default" || x.n == "d" {
				p.embedTexts(x.call.args, at)
			}
		}
	}
}

func (p *parser) argument(c *nCall) {
	need := func(ok bool) {
		if !ok {
			p.fail("invalid syntax for function call expression")
		}
	}
	switch {
	case p.skipOp("*"):
		need(c.dyn == nil && c.dkw == nil)
		c.dyn = p.expr(true)
	case p.skipOp("**"):
		need(c.dkw == nil)
		c.dkw = p.expr(true)
	case p.cur().t == tName && p.peek().t == tOp && p.peek().s == "=":
		need(c.dkw == nil)
		k := p.adv().s
		p.i++
		if slices.ContainsFunc(c.kw, func(o kwNode) bool { return o.n == k }) {
			p.fail("keyword argument repeated: %s", k)
		}
		c.kw = append(c.kw, kwNode{k, p.expr(true)})
	default:
		need(c.dyn == nil && c.dkw == nil && c.kw == nil)
		c.args = append(c.args, p.expr(true))
	}
}

func (p *parser) dotted() string {
	n := p.name()
	for p.op(".") {
		p.i++
		n += "." + p.name()
	}
	return n
}

func (p *parser) filter(n node, inline bool) node {
	for count := 0; p.op("|") || inline; p.chain(&count) {
		if !inline {
			p.i++
		}
		at := p.pos()
		inline = false
		name := p.dotted()
		c := &nCall{p: at}
		if p.op("(") {
			c = p.call(nil)
		}
		n = &nFilter{n, name, c, at}
	}
	return n
}

// filters reads filters, tests and calls behind an expression.
func (p *parser) filters(n node) node {
	for count := 0; ; p.chain(&count) {
		switch {
		case p.op("|"):
			n = p.filter(n, false)
		case p.kw("is"):
			n = p.test(n)
		case p.op("("):
			n = p.call(n)
		default:
			return n
		}
	}
}

func (p *parser) test(n node) node {
	at := p.pos()
	p.i++
	neg := p.skipKw("not")
	nameAt := p.pos()
	name := p.dotted()
	c := &nCall{p: at}
	t := p.cur()
	switch {
	case p.op("("):
		c = p.call(nil)
	case (t.t == tName || t.t == tStr || t.t == tInt || t.t == tFloat || p.op("[") || p.op("{")) &&
		!p.kw("else") && !p.kw("or") && !p.kw("and"):
		if p.kw("is") {
			p.fail("you cannot chain multiple tests with is")
		}
		c.args = []node{p.postfix(p.primary())}
	}
	var out node = &nTest{n, strings.TrimSpace(name), c, nameAt}
	if neg {
		out = &nUn{"not", out, at}
	}
	return out
}
