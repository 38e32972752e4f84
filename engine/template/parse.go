package template

import (
	"fmt"
	"slices"
	"strings"
)

// maxNesting bounds how deep expressions and statements may be nested.
const maxNesting = 400

type parser struct {
	t      []token
	i      int
	c      Syntax
	blocks map[string]*sBlock
	order  []string // block names in the order of the text
	depth  int
	// bare: an expression without delimiters is read; embedded counts {{ }} in it.
	bare     bool
	embedded int
}

// tree is a parsed template.
type tree struct {
	body   []node
	blocks map[string]*sBlock
	order  []string
	// escapedQuote: a string constant holds \' or \", which was a syntax error up to 2.18.
	escapedQuote bool
	// embedded counts {{ }} inside a condition; whole tells that they are all of it.
	embedded int
	whole    bool
}

func (t *tree) nodes() []node {
	if t == nil {
		return nil
	}
	return t.body
}

func parse(src string, c Syntax) (t *tree, err error) {
	l, err := lex(src, c)
	if err != nil {
		return nil, err
	}
	p := &parser{t: l.out, c: c, blocks: map[string]*sBlock{}}
	defer recoverSyntax(&err)
	body := p.sub(nil)
	return &tree{body: body, blocks: p.blocks, order: p.order, escapedQuote: l.escapedQuote}, nil
}

// parseBare reads a text that is one expression.
func parseBare(src string, c Syntax) (t *tree, err error) {
	l, err := lexBare(src, c)
	if err != nil {
		return nil, err
	}
	p := &parser{t: l.out, c: c, blocks: map[string]*sBlock{}}
	p.bare = true
	defer recoverSyntax(&err)
	p.i = 1
	at := p.pos()
	x := p.expr(true)
	if p.cur().t != tVarEnd {
		p.fail("chunk after expression: unexpected '%s'", p.found())
	}
	_, whole := x.(*nEmbed)
	return &tree{body: []node{&sPrint{x, at}}, escapedQuote: l.escapedQuote, embedded: p.embedded, whole: whole}, nil
}

func (p *parser) cur() *token { return &p.t[p.i] }

func (p *parser) peek() *token { return &p.t[min(p.i+1, len(p.t)-1)] }

func (p *parser) adv() token {
	t := p.t[p.i]
	if t.t != tEOF {
		p.i++
	}
	return t
}

func (p *parser) pos() pos { return p.cur().pos }

func (p *parser) fail(format string, a ...any) {
	p.failAt(p.cur().pos, format, a...)
}

func (p *parser) failAt(at pos, format string, a ...any) {
	panic(&syntaxError{msg: fmt.Sprintf(format, a...), p: at})
}

// enter counts nesting; the caller defers the returned function.
func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail("the template is nested too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) op(s string) bool { t := p.cur(); return t.t == tOp && t.s == s }
func (p *parser) kw(s string) bool { t := p.cur(); return t.t == tName && t.s == s }

func (p *parser) skipOp(s string) bool {
	if p.op(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) skipKw(s string) bool {
	if p.kw(s) {
		p.i++
		return true
	}
	return false
}

// text describes a token in an error.
func (t *token) text() string {
	switch t.t {
	case tEOF:
		return "end of template"
	case tVarEnd:
		return "end of print statement"
	case tBlockEnd:
		return "end of statement block"
	case tVarBegin:
		return "begin of print statement"
	case tBlockBegin:
		return "begin of statement block"
	case tData:
		return "template data / text"
	}
	return t.s
}

// found describes the current token: a bare expression ends as a template does.
func (p *parser) found() string {
	if p.ended() {
		return "end of template"
	}
	return p.cur().text()
}

func (p *parser) ended() bool { return p.cur().t == tEOF || p.bare && p.cur().t == tVarEnd }

// want fails: the current token is none of the kind that must stand here.
func (p *parser) want(kind string) {
	if p.ended() {
		p.fail("unexpected end of template, expected '%s'.", kind)
	}
	p.fail("expected token '%s', got '%s'", kind, p.found())
}

func (p *parser) needOp(s string) {
	if !p.skipOp(s) {
		p.want(s)
	}
}

func (p *parser) needKw(s string) {
	if !p.skipKw(s) {
		p.want(s)
	}
}

func (p *parser) name() string {
	if p.cur().t != tName {
		p.want("name")
	}
	return p.adv().s
}

func (p *parser) needBlockEnd() {
	if p.cur().t != tBlockEnd {
		p.want("end of statement block")
	}
	p.i++
}

// sub reads statements up to one of the end tags, which stays the current token.
func (p *parser) sub(ends []string) []node {
	p.enter()
	defer p.leave()
	var out []node
	for {
		switch t := p.cur(); t.t {
		case tEOF:
			if ends != nil {
				p.fail("unexpected end of template, looking for '%s'", strings.Join(ends, "' or '"))
			}
			return out
		case tData:
			out = append(out, &sData{t.s})
			p.i++
		case tVarBegin:
			at := p.pos()
			p.i++
			x := p.tuple(false, true, nil, false)
			if p.cur().t != tVarEnd {
				p.want("end of print statement")
			}
			p.i++
			out = append(out, &sPrint{x, at})
		case tBlockBegin:
			p.i++
			if p.cur().t == tName && slices.Contains(ends, p.cur().s) {
				return out
			}
			if n := p.stmt(); n != nil {
				out = append(out, n)
			}
			p.needBlockEnd()
		default:
			p.fail("unexpected '%s'", t.text())
		}
	}
}

// stmts reads the body of a tag: the end of the tag, then up to one of the end tags.
func (p *parser) stmts(ends ...string) []node {
	p.skipOp(":")
	p.needBlockEnd()
	return p.sub(ends)
}

// body reads a body and drops its end tag's name.
func (p *parser) body(end string) []node {
	b := p.stmts(end)
	p.i++
	return b
}

func (p *parser) stmt() node {
	if p.cur().t != tName {
		p.fail("tag name expected")
	}
	at := p.pos()
	tag := p.adv().s
	if f, ok := statements[tag]; ok {
		return f(p, at)
	}
	switch {
	case tag == "do" && p.c.Do:
		return &sDo{p.tuple(false, true, nil, false), at}
	case tag == "break" && p.c.LoopControls:
		return &sBreak{at}
	case tag == "continue" && p.c.LoopControls:
		return &sContinue{at}
	case tag == "debug" && p.c.Debug:
		return &sDebug{at}
	}
	p.failAt(at, "encountered unknown tag '%s'", tag)
	return nil
}

var statements map[string]func(*parser, pos) node

func init() {
	statements = map[string]func(*parser, pos) node{
		"for": (*parser).forStmt, "if": (*parser).ifStmt, "block": (*parser).blockStmt, "macro": (*parser).macroStmt,
		"call": (*parser).callStmt, "filter": (*parser).filterStmt, "set": (*parser).setStmt, "with": (*parser).withStmt,
		"autoescape": (*parser).autoescapeStmt, "include": (*parser).includeStmt, "import": (*parser).importStmt,
		"from": (*parser).fromStmt, "print": (*parser).printStmt,
		"extends": func(p *parser, at pos) node { return &sExtends{p.expr(true), at} },
	}
}

func (p *parser) printStmt(at pos) node {
	var xs []node
	for p.cur().t != tBlockEnd {
		if len(xs) > 0 {
			p.needOp(",")
		}
		xs = append(xs, &sPrint{p.expr(true), at})
	}
	return &sWith{body: xs, p: at}
}

func (p *parser) forStmt(at pos) node {
	f := &sFor{p: at}
	f.target = p.target(true, false, []string{"in"})
	p.needKw("in")
	f.iter = p.tuple(false, false, []string{"recursive"}, false)
	if p.skipKw("if") {
		f.cond = p.expr(true)
	}
	f.rec = p.skipKw("recursive")
	f.body = p.stmts("endfor", "else")
	if p.adv().s == "else" {
		f.els = p.body("endfor")
	}
	return f
}

func (p *parser) ifStmt(at pos) node {
	root := &sIf{p: at}
	n := root
	for {
		n.cond = p.tuple(false, false, nil, false)
		n.body = p.stmts("elif", "else", "endif")
		switch end := p.adv(); end.s {
		case "elif":
			m := &sIf{p: end.pos}
			n.els = []node{m}
			n = m
			continue
		case "else":
			n.els = p.body("endif")
		}
		return root
	}
}

func (p *parser) blockStmt(at pos) node {
	b := &sBlock{p: at}
	b.n = p.name()
	if p.blocks[b.n] != nil {
		p.failAt(at, "block '%s' defined twice", b.n)
	}
	b.scoped = p.skipKw("scoped")
	b.required = p.skipKw("required")
	if p.op("-") {
		p.fail("block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead")
	}
	p.blocks[b.n] = b
	p.order = append(p.order, b.n)
	b.body = p.body("endblock")
	if b.required {
		for _, n := range b.body {
			if d, ok := n.(*sData); !ok || strings.TrimSpace(d.s) != "" {
				p.fail("required blocks can only contain comments or whitespace")
			}
		}
	}
	if p.kw(b.n) {
		p.i++
	}
	return b
}

func (p *parser) macroStmt(at pos) node {
	m := &sMacro{p: at}
	m.n = p.targetName()
	p.signature(m)
	m.body = p.body("endmacro")
	return m
}

func (p *parser) callStmt(at pos) node {
	m := &sMacro{n: "caller", isCall: true, p: at}
	if p.op("(") {
		p.signature(m)
	}
	c, ok := p.expr(true).(*nCall)
	if !ok {
		p.failAt(at, "expected call")
	}
	m.body = p.body("endcall")
	return &sCall{c, m, at}
}

func (p *parser) filterStmt(at pos) node {
	f := p.filter(nil, true)
	b := p.body("endfilter")
	return &sFilter{f.(*nFilter), b, at}
}

func (p *parser) setStmt(at pos) node {
	t := p.target(true, true, nil)
	if p.skipOp("=") {
		return &sSet{t, p.tuple(false, true, nil, false), at}
	}
	var f *nFilter
	if p.op("|") {
		f = p.filter(nil, false).(*nFilter)
	}
	return &sSetBlock{t, f, p.body("endset"), at}
}

func (p *parser) withStmt(at pos) node {
	w := &sWith{p: at}
	for p.cur().t != tBlockEnd && !p.op(":") {
		if len(w.ts) > 0 {
			p.needOp(",")
		}
		w.ts = append(w.ts, p.target(true, false, nil))
		p.needOp("=")
		w.vs = append(w.vs, p.expr(true))
	}
	w.body = p.body("endwith")
	return w
}

func (p *parser) autoescapeStmt(at pos) node {
	p.expr(true)
	return &sWith{body: p.body("endautoescape"), p: at}
}

func (p *parser) includeStmt(at pos) node {
	n := &sInclude{withC: true, p: at}
	n.x = p.expr(true)
	if p.kw("ignore") && p.peek().t == tName && p.peek().s == "missing" {
		p.i += 2
		n.ign = true
	}
	p.context(&n.withC)
	return n
}

func (p *parser) importStmt(at pos) node {
	n := &sImport{p: at}
	n.x = p.expr(true)
	p.needKw("as")
	n.as = p.targetName()
	p.context(&n.withC)
	return n
}

func (p *parser) fromStmt(at pos) node {
	n := &sFrom{p: at}
	n.x = p.expr(true)
	p.needKw("import")
	for {
		if len(n.names) > 0 && !p.skipOp(",") {
			break
		}
		if p.cur().t != tName || p.context(&n.withC) {
			break
		}
		a := p.targetName()
		if strings.HasPrefix(a, "_") {
			p.fail("names starting with an underline can not be imported")
		}
		b := a
		if p.skipKw("as") {
			b = p.targetName()
		}
		n.names = append(n.names, [2]string{a, b})
	}
	p.context(&n.withC)
	if len(n.names) == 0 {
		p.fail("expected token 'name', got '%s'", p.found())
	}
	return n
}

// context reads "with context" or "without context".
func (p *parser) context(with *bool) bool {
	if (p.kw("with") || p.kw("without")) && p.peek().t == tName && p.peek().s == "context" {
		*with = p.adv().s == "with"
		p.i++
		return true
	}
	return false
}

func (p *parser) signature(m *sMacro) {
	p.needOp("(")
	for !p.op(")") {
		if len(m.args) > 0 {
			p.needOp(",")
		}
		m.args = append(m.args, p.targetName())
		if p.skipOp("=") {
			m.defs = append(m.defs, p.expr(true))
		} else if len(m.defs) > 0 {
			p.fail("non-default argument follows default argument")
		}
	}
	p.i++
}

// reserved are the names that are constants.
func reserved(n string) bool {
	switch n {
	case "true", "false", "none", "True", "False", "None":
		return true
	}
	return false
}

// targetName reads a name that is being bound.
func (p *parser) targetName() string {
	at := p.pos()
	n := p.name()
	if reserved(n) {
		p.failAt(at, "can't assign to '%s'", n)
	}
	return n
}

func (p *parser) target(tuple, ns bool, ends []string) node {
	at := p.pos()
	if ns && p.cur().t == tName && p.peek().t == tOp && p.peek().s == "." {
		a := p.name()
		p.i++
		return &nNsRef{a, p.name(), at}
	}
	var n node
	if tuple {
		n = p.tuple(true, true, ends, false)
	} else {
		n = &nName{p.name(), at}
	}
	p.checkTarget(n, at)
	return n
}

func (p *parser) checkTarget(n node, at pos) {
	switch x := n.(type) {
	case *nName:
	case *nTuple:
		for _, y := range x.xs {
			p.checkTarget(y, at)
		}
	default:
		p.failAt(at, "can't assign to an expression")
	}
}
