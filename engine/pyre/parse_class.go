package pyre

import (
	"strconv"
	"unicode/utf8"
)

var simpleEscapes = map[string]rune{
	`\a`: '\a', `\b`: '\b', `\f`: '\f', `\n`: '\n', `\r`: '\r', `\t`: '\t', `\v`: '\v', `\\`: '\\',
}

var categoryEscapes = map[string]classItem{
	`\d`: {cat: catDigit}, `\D`: {cat: catDigit, not: true},
	`\s`: {cat: catSpace}, `\S`: {cat: catSpace, not: true},
	`\w`: {cat: catWord}, `\W`: {cat: catWord, not: true},
}

var atEscapes = map[string]atKind{
	`\A`: atBegin, `\b`: atBoundary, `\B`: atNotBoundary, `\Z`: atEndString,
}

// class parses a character class after its opening bracket.
func (p *parser) class() (*node, error) {
	here := p.pos - 1
	set := &charset{fold: p.flags&IgnoreCase != 0, asc: p.flags&ASCII != 0}
	set.not = p.accept('^')
	for start := p.pos; ; {
		tok, err := p.next()
		if err != nil {
			return nil, err
		}
		if tok == "" {
			return nil, p.errAt(here, "unterminated character set")
		}
		if tok == "]" && p.pos-1 > start {
			break
		}
		done, err := p.classRange(set, tok, here)
		if err != nil {
			return nil, err
		}
		if done {
			break
		}
	}
	return &node{op: nSet, set: set.finish()}, nil
}

// classRange adds the item that tok begins, or a range; done when it met the closing bracket.
func (p *parser) classRange(set *charset, tok string, here int) (done bool, err error) {
	a, err := p.classItem(tok)
	if err != nil {
		return false, err
	}
	if !p.accept('-') {
		set.items = append(set.items, a)
		return false, nil
	}
	that, err := p.next()
	if err != nil {
		return false, err
	}
	switch that {
	case "":
		return false, p.errAt(here, "unterminated character set")
	case "]":
		set.items = append(set.items, a, classItem{lo: '-', hi: '-'})
		return true, nil
	}
	b, err := p.classItem(that)
	if err != nil {
		return false, err
	}
	if a.cat != catNone || b.cat != catNone || b.lo < a.lo {
		back := utf8.RuneCountInString(tok) + 1 + utf8.RuneCountInString(that)
		return false, p.errBack(back, "bad character range %s-%s", tok, that)
	}
	set.items = append(set.items, classItem{lo: a.lo, hi: b.lo})
	return false, nil
}

func (p *parser) classItem(tok string) (classItem, error) {
	if tok[0] != '\\' {
		r, _ := decode(tok, 0)
		return classItem{lo: r, hi: r}, nil
	}
	if r, ok := simpleEscapes[tok]; ok {
		return classItem{lo: r, hi: r}, nil
	}
	if cat, ok := categoryEscapes[tok]; ok {
		return cat, nil
	}
	r, err := p.classEscape(tok)
	return classItem{lo: r, hi: r}, err
}

func (p *parser) classEscape(tok string) (rune, error) {
	c := tok[1]
	switch {
	case c == 'x' || c == 'u' || c == 'U':
		return p.hexEscape(tok)
	case c == 'N':
		return 0, p.namedChar(tok)
	case '0' <= c && c <= '7':
		tok += p.while(2, isOctal)
		return p.octal(tok)
	case isDigit(rune(c)) || isASCIILetter(c):
		return 0, p.errBack(len([]rune(tok)), "bad escape %s", tok)
	}
	r, _ := decode(tok, 1)
	return r, nil
}

func (p *parser) namedChar(tok string) error {
	return p.errBack(len(tok), "named character escape %s{...} is not supported", tok)
}

func isOctal(r rune) bool { return '0' <= r && r <= '7' }
func isDigit(r rune) bool { return '0' <= r && r <= '9' }
func isHex(r rune) bool {
	return isDigit(r) || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
}

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// while reads at most n characters that satisfy ok.
func (p *parser) while(n int, ok func(rune) bool) string {
	start := p.pos
	for p.pos < len(p.src) && p.pos-start < n && ok(p.src[p.pos]) {
		p.pos++
	}
	return string(p.src[start:p.pos])
}

func (p *parser) octal(tok string) (rune, error) {
	v, _ := strconv.ParseInt(tok[1:], 8, 32)
	if v > 0o377 {
		return 0, p.errBack(len(tok), "octal escape value %s outside of range 0-0o377", tok)
	}
	return rune(v), nil
}

func (p *parser) hexEscape(tok string) (rune, error) {
	n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[tok[1]]
	tok += p.while(n, isHex)
	if len(tok) != n+2 {
		return 0, p.errBack(len(tok), "incomplete escape %s", tok)
	}
	v, _ := strconv.ParseInt(tok[2:], 16, 64)
	if v > utf8.MaxRune {
		return 0, p.errBack(len(tok), "bad escape %s", tok)
	}
	return rune(v), nil
}

// escape parses a backslash sequence outside a class.
func (p *parser) escape(tok string) (*node, error) {
	if at, ok := atEscapes[tok]; ok {
		return &node{op: nAt, at: at, asc: p.flags&ASCII != 0}, nil
	}
	if cat, ok := categoryEscapes[tok]; ok {
		set := &charset{items: []classItem{cat}, asc: p.flags&ASCII != 0}
		return &node{op: nSet, set: set.finish()}, nil
	}
	if r, ok := simpleEscapes[tok]; ok {
		return p.literal(r), nil
	}
	c := tok[1]
	var r rune
	var err error
	switch {
	case c == 'x' || c == 'u' || c == 'U':
		r, err = p.hexEscape(tok)
	case c == 'N':
		err = p.namedChar(tok)
	case c == '0':
		r, err = p.octal(tok + p.while(2, isOctal))
	case isDigit(rune(c)):
		return p.numberEscape(tok)
	case isASCIILetter(c):
		err = p.errBack(len(tok), "bad escape %s", tok)
	default:
		r, _ = decode(tok, 1)
	}
	if err != nil {
		return nil, err
	}
	return p.literal(r), nil
}

// numberEscape parses \1 to \99 and three-digit octal escapes.
func (p *parser) numberEscape(tok string) (*node, error) {
	tok += p.while(1, isDigit)
	if len(tok) == 3 && isOctal(rune(tok[1])) && isOctal(rune(tok[2])) {
		if third := p.while(1, isOctal); third != "" {
			r, err := p.octal(tok + third)
			if err != nil {
				return nil, err
			}
			return p.literal(r), nil
		}
	}
	g, _ := strconv.Atoi(tok[1:])
	if g >= p.groups {
		return nil, p.errBack(len(tok)-1, "invalid group reference %d", g)
	}
	if p.groupOpen(g) {
		return nil, p.errBack(len(tok), "cannot refer to an open group")
	}
	if err := p.checkBehind(g); err != nil {
		return nil, err
	}
	return p.backref(g), nil
}

// width computes how many characters n can match.
func (p *parser) width(n *node) width {
	if n == nil {
		return width{}
	}
	switch n.op {
	case nLiteral, nSet, nAny, nAnyAll:
		return width{1, 1}
	case nCat:
		return p.sumWidth(n.subs)
	case nAlt:
		return p.anyWidth(n.subs)
	case nGroup, nPlain, nAtomic:
		return p.width(n.subs[0])
	case nBackref:
		return *p.widths[n.group]
	case nCond:
		if len(n.subs) == 1 {
			return width{0, p.width(n.subs[0]).hi}
		}
		return p.anyWidth(n.subs)
	case nRepeat:
		w := p.width(n.subs[0])
		return width{clamp(w.lo * n.min), clamp(w.hi * n.max)}
	}
	return width{}
}

func clamp(n int) int { return min(n, maxRepeat) }

func (p *parser) sumWidth(subs []*node) width {
	var sum width
	for _, s := range subs {
		w := p.width(s)
		sum.lo, sum.hi = clamp(sum.lo+w.lo), clamp(sum.hi+w.hi)
	}
	return sum
}

func (p *parser) anyWidth(subs []*node) width {
	out := p.width(subs[0])
	for _, s := range subs[1:] {
		w := p.width(s)
		out.lo, out.hi = min(out.lo, w.lo), max(out.hi, w.hi)
	}
	return out
}
