package ansible

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// The emitter writes what libyaml's emitter writes for PyYAML's dump: the choice of
// quotes, the folding of long lines, the indentation of lists inside mappings.

const maxSimpleKey = 128

type emitter struct {
	b          strings.Builder
	o          yamlOptions
	best       int // indentation
	width      int
	column     int
	indent     int
	indents    []int
	flowLevel  int
	whitespace bool // the last character was a blank or a break
	indention  bool // nothing but indentation stands in the line
	openEnded  bool
}

func emitYAML(n *ynode, o yamlOptions) string {
	e := &emitter{o: o, best: 2, width: 80, indent: -1, whitespace: true, indention: true}
	if o.indent > 1 && o.indent < 10 {
		e.best = o.indent
	}
	if o.width > e.best*2 {
		e.width = o.width
	}
	if o.width < 0 {
		e.width = 1 << 30
	}
	if o.start {
		e.indicator("---", true, false, false)
	}
	e.node(n, place{})
	if e.openEnded && !o.end {
		e.writeIndent()
		e.b.WriteString("...")
	}
	if o.end {
		e.writeIndent()
		e.indicator("...", true, false, false)
	}
	e.indent = 0
	e.writeIndent()
	out := e.b.String()
	if o.lineBreak != "" && o.lineBreak != "\n" {
		out = strings.ReplaceAll(out, "\n", o.lineBreak)
	}
	return out
}

// place is where a node stands.
type place struct{ mapping, key bool }

func (e *emitter) put(s string) {
	e.b.WriteString(s)
	e.column += len([]rune(s))
}

func (e *emitter) newline() {
	e.b.WriteByte('\n')
	e.column = 0
	e.whitespace, e.indention = true, true
}

func (e *emitter) indicator(s string, needBlank, whitespace, indention bool) {
	if needBlank && !e.whitespace {
		e.put(" ")
	}
	e.put(s)
	e.whitespace = whitespace
	e.indention = e.indention && indention
	e.openEnded = false
}

func (e *emitter) writeIndent() {
	indent := max(e.indent, 0)
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.newline()
	}
	for e.column < indent {
		e.put(" ")
	}
	e.whitespace, e.indention = true, true
}

func (e *emitter) push(flow, indentless bool) {
	e.indents = append(e.indents, e.indent)
	switch {
	case e.indent < 0 && flow:
		e.indent = e.best
	case e.indent < 0:
		e.indent = 0
	case !indentless:
		e.indent += e.best
	}
}

func (e *emitter) pop() {
	e.indent = e.indents[len(e.indents)-1]
	e.indents = e.indents[:len(e.indents)-1]
}

func (e *emitter) node(n *ynode, p place) {
	if n.name != "" {
		if n.done {
			e.indicator("*"+n.name, true, false, false)
			return
		}
		e.indicator("&"+n.name, true, false, false)
		n.done = true
	}
	if n.tag != "" {
		e.indicator(n.tag, true, false, false)
	}
	switch {
	case n.kind == yScalar:
		e.scalar(n, p)
	case e.flowLevel > 0 || n.flow || len(n.items) == 0:
		e.flow(n)
	case n.kind == ySequence:
		e.blockSequence(n, p)
	default:
		e.blockMapping(n)
	}
}

func (e *emitter) blockSequence(n *ynode, p place) {
	e.push(false, p.mapping && !e.indention)
	for _, c := range n.items {
		e.writeIndent()
		e.indicator("-", true, false, true)
		e.node(c, place{})
	}
	e.pop()
}

func (e *emitter) blockMapping(n *ynode) {
	e.push(false, false)
	for i := 0; i < len(n.items); i += 2 {
		k, v := n.items[i], n.items[i+1]
		e.writeIndent()
		if e.simpleKey(k) {
			e.node(k, place{mapping: true, key: true})
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, true)
			e.node(k, place{mapping: true})
			e.writeIndent()
			e.indicator(":", true, false, true)
		}
		e.node(v, place{mapping: true})
	}
	e.pop()
}

func (e *emitter) flow(n *ynode) {
	open, end := "[", "]"
	if n.kind == yMapping {
		open, end = "{", "}"
	}
	e.indicator(open, true, true, false)
	e.push(true, false)
	e.flowLevel++
	step := 1
	if n.kind == yMapping {
		step = 2
	}
	for i := 0; i < len(n.items); i += step {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		if e.column > e.width {
			e.writeIndent()
		}
		if n.kind == yMapping {
			e.flowPair(n.items[i], n.items[i+1])
		} else {
			e.node(n.items[i], place{})
		}
	}
	e.flowLevel--
	e.pop()
	e.indicator(end, false, false, false)
}

func (e *emitter) flowPair(k, v *ynode) {
	if e.simpleKey(k) {
		e.node(k, place{mapping: true, key: true})
		e.indicator(":", false, false, false)
	} else {
		e.indicator("?", true, false, false)
		e.node(k, place{mapping: true})
		if e.column > e.width {
			e.writeIndent()
		}
		e.indicator(":", true, false, false)
	}
	e.node(v, place{mapping: true})
}

func (e *emitter) simpleKey(k *ynode) bool {
	if k.name != "" && k.done {
		return true
	}
	if k.kind != yScalar {
		return len(k.items) == 0
	}
	return len(k.text) <= maxSimpleKey && !strings.ContainsAny(k.text, "\n\u0085\u2028\u2029")
}

// analysis is which ways of writing a text are possible.
type analysis struct {
	multiline             bool
	flowPlain, blockPlain bool
	singleQuoted, literal bool
}

func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029 }
func isBlankZ(r rune) bool {
	return r == ' ' || r == '\t' || r == 0 || isBreak(r)
}

// printable is libyaml's notion: nothing beyond the basic plane.
func printable(r rune) bool {
	return r == '\n' || 0x20 <= r && r <= 0x7e || 0xa0 <= r && r < 0xd800 || 0xe000 <= r && r <= 0xfffd && r != 0xfeff
}

func (e *emitter) analyze(s string) analysis {
	if s == "" {
		return analysis{blockPlain: true, singleQuoted: true}
	}
	rs := []rune(s)
	var flowInd, blockInd, breaks, special bool
	var leadSpace, leadBreak, trailSpace, trailBreak, breakSpace, spaceBreak bool
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		flowInd, blockInd = true, true
	}
	before := true // the preceding character is a blank
	prevSpace, prevBreak := false, false
	for i, r := range rs {
		after := i+1 == len(rs) || isBlankZ(rs[i+1])
		f, b := indicators(r, i == 0, before, after)
		flowInd, blockInd = flowInd || f, blockInd || b
		if !printable(r) || r > 0x7e && !e.o.unicode {
			special = true
		}
		switch {
		case r == ' ':
			leadSpace = leadSpace || i == 0
			trailSpace = trailSpace || i == len(rs)-1
			breakSpace = breakSpace || prevBreak
			prevSpace, prevBreak = true, false
		case isBreak(r):
			breaks = true
			leadBreak = leadBreak || i == 0
			trailBreak = trailBreak || i == len(rs)-1
			spaceBreak = spaceBreak || prevSpace
			prevSpace, prevBreak = false, true
		default:
			prevSpace, prevBreak = false, false
		}
		before = isBlankZ(r)
	}
	a := analysis{multiline: breaks, flowPlain: true, blockPlain: true, singleQuoted: true, literal: true}
	if leadSpace || leadBreak || trailSpace || trailBreak || breaks {
		a.flowPlain, a.blockPlain = false, false
	}
	if trailSpace {
		a.literal = false
	}
	if breakSpace {
		a.flowPlain, a.blockPlain, a.singleQuoted = false, false, false
	}
	if spaceBreak || special {
		a = analysis{multiline: breaks}
	}
	a.flowPlain = a.flowPlain && !flowInd
	a.blockPlain = a.blockPlain && !blockInd
	return a
}

// indicators tells whether r has a meaning in flow and in block context.
func indicators(r rune, first, before, after bool) (flow, block bool) {
	if first {
		switch {
		case strings.ContainsRune("#,[]{}&*!|>'\"%@`", r):
			return true, true
		case r == '?' || r == ':':
			return true, after
		case r == '-' && after:
			return true, true
		}
		return false, false
	}
	switch {
	case strings.ContainsRune(",?[]{}", r):
		return true, false
	case r == ':':
		return true, after
	case r == '#' && before:
		return true, true
	}
	return false, false
}

func (e *emitter) scalar(n *ynode, p place) {
	a := e.analyze(n.text)
	fold := !p.key
	e.push(true, false)
	style := e.style(n, a, p)
	if style != 0 && n.loose {
		e.indicator("!", true, false, false)
	}
	switch style {
	case 0:
		e.plain(n.text, fold)
	case '\'':
		e.single(n.text, fold)
	case '"':
		e.double(n.text, fold)
	case '|':
		e.literal(n.text)
	case '>':
		e.folded(n.text)
	}
	e.pop()
}

// style picks 0 (plain), a quote, or a block style.
func (e *emitter) style(n *ynode, a analysis, p place) byte {
	want := byte(0)
	if e.o.style != "" {
		want = e.o.style[0]
	}
	if n.tag == "!vault" || n.tag == "!!binary" || e.o.literal && a.multiline {
		want = '|'
	}
	if want == 0 {
		plain := a.blockPlain
		if e.flowLevel > 0 {
			plain = a.flowPlain
		}
		if p.key && a.multiline || n.text == "" && (e.flowLevel > 0 || p.key) || !n.plain {
			plain = false
		}
		if plain {
			return 0
		}
		want = '\''
	}
	if (want == '|' || want == '>') && (!a.literal || e.flowLevel > 0 || p.key) {
		return '"'
	}
	if want == '\'' && (!a.singleQuoted || p.key && a.multiline) {
		return '"'
	}
	return want
}

func base64Lines(b []byte) string {
	s := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(s) > 76 {
		out.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	return out.String() + s + "\n"
}

var doubleEscapes = map[rune]string{
	0: `\0`, '\a': `\a`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\v': `\v`, '\f': `\f`, '\r': `\r`, 0x1b: `\e`,
	'"': `\"`, '\\': `\\`, 0x85: `\N`, 0xa0: `\_`, 0x2028: `\L`, 0x2029: `\P`,
}

func doubleEscape(r rune) string {
	if s, ok := doubleEscapes[r]; ok {
		return s
	}
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}
