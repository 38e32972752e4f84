package pyre

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxRepeat = math.MaxInt32
	maxGroups = 1 << 30
	maxDepth  = 500
)

type nodeOp uint8

const (
	nEmpty nodeOp = iota
	nLiteral
	nSet    // set
	nAny    // not newline
	nAnyAll // any character
	nAt     // at
	nCat    // subs in sequence
	nAlt    // one of subs
	nRepeat // subs[0], min, max, kind
	nGroup  // subs[0], group
	nBackref
	nLook   // subs[0], behind, not
	nAtomic // subs[0]
	nCond   // group, subs[0], subs[1] or nil
	nFail
	nPlain // a non-capturing group kept whole
)

type atKind uint8

const (
	atBegin atKind = iota
	atBeginLine
	atEnd
	atEndLine
	atEndString
	atBoundary
	atNotBoundary
)

type repeatKind uint8

const (
	greedy repeatKind = iota
	lazy
	possessive
)

type node struct {
	op       nodeOp
	r        rune
	set      *charset
	at       atKind
	kind     repeatKind
	behind   bool
	not      bool
	asc      bool // ASCII rules: boundaries, back references
	fold     bool
	min, max int
	group    int
	subs     []*node
}

// width is the fewest and most characters a node matches.
type width struct{ lo, hi int }

type parser struct {
	pattern string
	src     []rune
	pos     int
	flags   Flags
	groups  int
	names   map[string]int
	widths  []*width // per group; nil while it is open
	condPos map[int]int
	behind  []int // number of groups when each enclosing lookbehind began
	depth   int
	loose   bool // a lookbehind has no fixed width
}

func newParser(pattern string, flags Flags) *parser {
	return &parser{
		pattern: pattern, src: runes(pattern), flags: flags, groups: 1,
		names: map[string]int{}, widths: []*width{nil}, condPos: map[int]int{},
	}
}

func (p *parser) errAt(pos int, format string, args ...any) error {
	return &Error{Msg: fmt.Sprintf(format, args...), Pattern: p.pattern, Pos: pos}
}

// errBack is an error offset characters before the current place.
func (p *parser) errBack(offset int, format string, args ...any) error {
	return p.errAt(p.pos-offset, format, args...)
}

var errVerbose = errors.New("verbose flag found inside the pattern")

func (p *parser) parse() (*node, error) {
	if err := p.checkFlags(); err != nil {
		return nil, err
	}
	tree, err := p.alternatives(true)
	if errors.Is(err, errVerbose) {
		again := newParser(p.pattern, p.flags|Verbose)
		tree, err = again.alternatives(true)
		*p = *again
	}
	if err != nil {
		return nil, err
	}
	if err := p.checkFlags(); err != nil {
		return nil, err
	}
	if p.pos < len(p.src) {
		return nil, p.errAt(p.pos, "unbalanced parenthesis")
	}
	for g, at := range p.condPos {
		if g >= p.groups {
			return nil, p.errAt(at, "invalid group reference %d", g)
		}
	}
	if p.loose {
		return nil, &Error{Msg: "look-behind requires fixed-width pattern", Pattern: p.pattern, Pos: -1}
	}
	return tree, nil
}

func (p *parser) checkFlags() error {
	if p.flags&Locale != 0 {
		return &Error{Msg: "cannot use LOCALE flag with a str pattern", Pattern: p.pattern, Pos: -1}
	}
	if p.flags&ASCII != 0 && p.flags&Unicode != 0 {
		return &Error{Msg: "ASCII and UNICODE flags are incompatible", Pattern: p.pattern, Pos: -1}
	}
	return nil
}

// peek is the next token's first character; ok is false at the end.
func (p *parser) peek() (rune, bool) {
	if p.pos >= len(p.src) {
		return 0, false
	}
	return p.src[p.pos], true
}

func (p *parser) accept(r rune) bool {
	if c, ok := p.peek(); ok && c == r {
		p.pos++
		return true
	}
	return false
}

// next reads a character; a backslash comes with the one after it. Like Python's reader
// it looks one token ahead, and so it is the one to meet a backslash at the very end.
func (p *parser) next() (string, error) {
	c, ok := p.peek()
	if !ok {
		return "", nil
	}
	start := p.pos
	p.pos++
	if c == '\\' {
		p.pos++
	}
	if p.pos > len(p.src) || p.pos == len(p.src)-1 && p.src[p.pos] == '\\' {
		return "", p.errAt(len(p.src)-1, "bad escape (end of pattern)")
	}
	var tok []byte
	for _, r := range p.src[start:p.pos] {
		tok = appendChar(tok, r)
	}
	return string(tok), nil
}

// until reads up to end, as names in (?P<name>...) are written.
func (p *parser) until(end rune, what string) (string, error) {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] != end {
		p.pos++
	}
	name := string(p.src[start:p.pos])
	if p.pos >= len(p.src) {
		if name == "" {
			return "", p.errAt(p.pos, "missing %s", what)
		}
		return "", p.errAt(start, "missing %c, unterminated name", end)
	}
	p.pos++
	if name == "" {
		return "", p.errAt(start, "missing %s", what)
	}
	return name, nil
}

func (p *parser) alternatives(first bool) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errAt(p.pos, "pattern is nested too deeply")
	}
	defer func() { p.depth-- }()
	var alts []*node
	for {
		n, err := p.sequence(first && len(alts) == 0)
		if err != nil {
			return nil, err
		}
		alts = append(alts, n)
		if !p.accept('|') {
			break
		}
	}
	if len(alts) == 1 {
		return alts[0], nil
	}
	return &node{op: nAlt, subs: alts}, nil
}

func (p *parser) sequence(first bool) (*node, error) {
	seq := &node{op: nCat}
	for {
		c, ok := p.peek()
		if !ok || c == '|' || c == ')' {
			return seq, nil
		}
		tok, err := p.next()
		if err != nil {
			return nil, err
		}
		if p.flags&Verbose != 0 {
			skipped, err := p.skipVerbose(tok)
			if err != nil {
				return nil, err
			}
			if skipped {
				continue
			}
		}
		n, err := p.item(seq, tok, first)
		if err != nil {
			return nil, err
		}
		if n != nil {
			seq.subs = append(seq.subs, n)
		}
	}
}

// skipVerbose passes over blanks and comments of a verbose pattern.
func (p *parser) skipVerbose(tok string) (skipped bool, err error) {
	if strings.Contains(" \t\n\r\v\f", tok) {
		return true, nil
	}
	if tok != "#" {
		return false, nil
	}
	for tok != "" && tok != "\n" {
		if tok, err = p.next(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// item parses what tok begins; nil when it adds nothing to seq or changed it in place.
func (p *parser) item(seq *node, tok string, first bool) (*node, error) {
	switch tok {
	case ".":
		if p.flags&DotAll != 0 {
			return &node{op: nAnyAll}, nil
		}
		return &node{op: nAny}, nil
	case "^":
		return p.at(atBegin, atBeginLine), nil
	case "$":
		return p.at(atEnd, atEndLine), nil
	case "[":
		return p.class()
	case "(":
		return p.group(first, len(seq.subs) == 0)
	case "*", "+", "?", "{":
		return p.repeat(seq, tok)
	}
	if tok[0] == '\\' {
		return p.escape(tok)
	}
	r, _ := decode(tok, 0)
	return p.literal(r), nil
}

func (p *parser) at(plain, multi atKind) *node {
	if p.flags&MultiLine != 0 {
		return &node{op: nAt, at: multi}
	}
	return &node{op: nAt, at: plain}
}

func (p *parser) literal(r rune) *node {
	if p.flags&IgnoreCase == 0 {
		return &node{op: nLiteral, r: r}
	}
	asc := p.flags&ASCII != 0
	variants := caseVariants(r, asc)
	if len(variants) == 1 {
		return &node{op: nLiteral, r: r}
	}
	set := &charset{}
	for _, v := range variants {
		set.items = append(set.items, classItem{lo: v, hi: v})
	}
	return &node{op: nSet, set: set.finish()}
}

func (p *parser) repeat(seq *node, tok string) (*node, error) {
	here := p.pos
	lo, hi, literal, err := p.bounds(tok)
	if err != nil || literal {
		p.restore(literal, here, tok)
		if err != nil {
			return nil, err
		}
		return p.literal('{'), nil
	}
	if len(seq.subs) == 0 || seq.subs[len(seq.subs)-1].op == nAt && seq.subs[len(seq.subs)-1].at < atBoundary+2 {
		return nil, p.errAt(here-1, "nothing to repeat")
	}
	item := seq.subs[len(seq.subs)-1]
	if item.op == nRepeat {
		return nil, p.errAt(here-1, "multiple repeat")
	}
	kind := greedy
	if p.accept('?') {
		kind = lazy
	} else if p.accept('+') {
		kind = possessive
	}
	seq.subs[len(seq.subs)-1] = &node{op: nRepeat, min: lo, max: hi, kind: kind, subs: []*node{item}}
	return nil, nil
}

// restore goes back behind a brace that turned out to be a plain character.
func (p *parser) restore(literal bool, here int, tok string) {
	if literal && tok == "{" {
		p.pos = here
	}
}

func (p *parser) bounds(tok string) (lo, hi int, literal bool, err error) {
	switch tok {
	case "?":
		return 0, 1, false, nil
	case "*":
		return 0, maxRepeat, false, nil
	case "+":
		return 1, maxRepeat, false, nil
	}
	if c, ok := p.peek(); ok && c == '}' {
		return 0, 0, true, nil
	}
	here := p.pos
	los := p.digits()
	his := los
	if p.accept(',') {
		his = p.digits()
	}
	if !p.accept('}') {
		return 0, 0, true, nil
	}
	lo, hi = 0, maxRepeat
	if los != "" {
		if lo, err = p.count(los); err != nil {
			return 0, 0, false, err
		}
	}
	if his != "" {
		if hi, err = p.count(his); err != nil {
			return 0, 0, false, err
		}
		if hi < lo {
			return 0, 0, false, p.errAt(here, "min repeat greater than max repeat")
		}
	}
	return lo, hi, false, nil
}

func (p *parser) count(digits string) (int, error) {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n >= math.MaxUint32 {
		return 0, &Error{Msg: "the repetition number is too large", Pattern: p.pattern, Pos: -1}
	}
	return int(min(n, maxRepeat)), nil
}

func (p *parser) digits() string {
	start := p.pos
	for p.pos < len(p.src) && '0' <= p.src[p.pos] && p.src[p.pos] <= '9' {
		p.pos++
	}
	return string(p.src[start:p.pos])
}

// isIdentifier is str.isidentifier().
func isIdentifier(s string) bool {
	for i, r := range s {
		start := r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.Other_ID_Start, r)
		if i == 0 && !start {
			return false
		}
		if !start && !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue) {
			return false
		}
	}
	return s != ""
}
