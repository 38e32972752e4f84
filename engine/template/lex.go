package template

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"fettle/engine/value"
)

// Syntax says how a template is written: delimiters and the treatment of white space. The
// zero value of a delimiter means none (line statements and comments).
type Syntax struct {
	BlockStart, BlockEnd       string
	VariableStart, VariableEnd string
	CommentStart, CommentEnd   string
	LineStatement, LineComment string
	TrimBlocks, LstripBlocks   bool
	KeepTrailingNewline        bool
	NewlineSequence            string
	Do, LoopControls, Debug    bool
	literalBackslash           bool // string constants keep backslashes (playbook values)
}

// DefaultSyntax is what Ansible uses for playbook values and template files.
func DefaultSyntax() Syntax {
	return Syntax{BlockStart: "{%", BlockEnd: "%}", VariableStart: "{{", VariableEnd: "}}", CommentStart: "{#", CommentEnd: "#}",
		TrimBlocks: true, NewlineSequence: "\n"}
}

type kind uint8

const (
	tEOF kind = iota
	tData
	tVarBegin
	tVarEnd
	tBlockBegin
	tBlockEnd
	tName
	tStr
	tInt
	tFloat
	tOp
)

type token struct {
	t   kind
	s   string
	pos pos
}

// syntaxError is a mistake in the text of a template.
type syntaxError struct {
	msg  string
	p    pos
	hint string
}

func (e *syntaxError) Error() string { return e.msg }

type lexer struct {
	c      Syntax
	src    string
	p      int
	line   int
	lineAt int // offset of the start of line
	seen   int // offset up to which col is counted
	col    int
	out    []token
	// escapedQuote tells of a string constant like 'it\'s' with literal backslashes.
	escapedQuote bool
	tag          byte // what kind of tag is being read
	alike        bool // see Syntax.alike
}

var (
	floatRe = regexp.MustCompile(`^(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)`)
	intRe   = regexp.MustCompile(`^(?:0[bB](?:_?[0-1])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*)`)
)

// recoverSyntax turns a panic with a *syntaxError into an error.
func recoverSyntax(err *error) {
	switch e := recover().(type) {
	case nil:
	case *syntaxError:
		*err = e
	default:
		panic(e)
	}
}

// normalize makes all line ends \n and drops one at the end unless it is to be kept.
func normalize(src string, c *Syntax) string {
	if strings.IndexByte(src, '\r') >= 0 {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	if !c.KeepTrailingNewline {
		src = strings.TrimSuffix(src, "\n")
	}
	return src
}

func lex(src string, c Syntax) (l *lexer, err error) {
	l = &lexer{c: c, src: normalize(src, &c), line: 1, col: 1, alike: c.alike()}
	l.out = make([]token, 0, len(l.src)/6+8)
	defer recoverSyntax(&err)
	l.run()
	l.emit(tEOF, "", len(l.src))
	return l, nil
}

// lexBare reads an expression without delimiters, as conditions are written.
func lexBare(src string, c Syntax) (l *lexer, err error) {
	c.KeepTrailingNewline = true
	l = &lexer{c: c, src: normalize(src, &c), line: 1, col: 1}
	defer recoverSyntax(&err)
	l.emit(tVarBegin, "", 0)
	l.expr(0)
	l.emit(tVarEnd, "", len(l.src))
	l.emit(tEOF, "", len(l.src))
	return l, nil
}

func (l *lexer) fail(at int, format string, a ...any) {
	i := strings.LastIndexByte(l.src[:at], '\n')
	panic(&syntaxError{msg: fmt.Sprintf(format, a...),
		p: pos{1 + strings.Count(l.src[:at], "\n"), utf8.RuneCountInString(l.src[i+1:at]) + 1}})
}

func (l *lexer) emit(t kind, s string, at int) {
	for l.lineAt < at {
		i := strings.IndexByte(l.src[l.lineAt:at], '\n')
		if i < 0 {
			break
		}
		l.lineAt += i + 1
		l.line++
	}
	if l.seen < l.lineAt || l.seen > at {
		l.seen, l.col = l.lineAt, 1
	}
	if at > l.seen {
		l.col += utf8.RuneCountInString(l.src[l.seen:at])
	}
	l.seen = at
	l.out = append(l.out, token{t, s, pos{l.line, l.col}})
}

// tagStart finds the next tag from p: its offset, the length of what opens it, and what it
// is: 'b' block, 'v' variable, 'c' comment, 's' line statement, 'm' line comment.
func (l *lexer) tagStart(p int) (at int, what byte, n int) {
	if l.alike {
		return l.tagAlike(p)
	}
	at = -1
	try := func(d string, k byte) {
		if d == "" {
			return
		}
		end := len(l.src)
		if at >= 0 {
			end = min(end, at+len(d))
		}
		if i := strings.Index(l.src[p:end], d); i >= 0 {
			i += p
			if at < 0 || i < at || (i == at && len(d) > n) {
				at, what, n = i, k, len(d)
			}
		}
	}
	try(l.c.CommentStart, 'c')
	try(l.c.BlockStart, 'b')
	try(l.c.VariableStart, 'v')
	if l.c.LineStatement != "" || l.c.LineComment != "" {
		return l.lineStart(p, at, what, n)
	}
	return at, what, n
}

// tagAlike is tagStart for delimiters that begin with the same byte.
func (l *lexer) tagAlike(p int) (at int, what byte, n int) {
	first := l.c.BlockStart[0]
	for {
		i := strings.IndexByte(l.src[p:], first)
		if i < 0 {
			return -1, 0, 0
		}
		p += i
		rest := l.src[p:]
		if strings.HasPrefix(rest, l.c.CommentStart) {
			what, n = 'c', len(l.c.CommentStart)
		}
		if len(l.c.BlockStart) > n && strings.HasPrefix(rest, l.c.BlockStart) {
			what, n = 'b', len(l.c.BlockStart)
		}
		if len(l.c.VariableStart) > n && strings.HasPrefix(rest, l.c.VariableStart) {
			what, n = 'v', len(l.c.VariableStart)
		}
		if n > 0 {
			return p, what, n
		}
		p++
	}
}

// alike tells that all tags begin with the same byte, and that there are no line statements.
func (c *Syntax) alike() bool {
	return c.BlockStart != "" && c.VariableStart != "" && c.CommentStart != "" && c.LineStatement == "" && c.LineComment == "" &&
		c.BlockStart[0] == c.VariableStart[0] && c.BlockStart[0] == c.CommentStart[0]
}

// lineStart looks for a line statement or comment before the tag found so far.
func (l *lexer) lineStart(p, at int, what byte, n int) (int, byte, int) {
	end := at
	if end < 0 {
		end = len(l.src)
	}
	for q := p; q <= end; q++ {
		atLine := q == 0 || l.src[q-1] == '\n'
		j := q
		for j < len(l.src) && (l.src[j] == ' ' || l.src[j] == '\t' || l.src[j] == '\v') {
			j++
		}
		rest := l.src[j:]
		if l.c.LineComment != "" && q < end && strings.HasPrefix(rest, l.c.LineComment) && (atLine || !isSpaceByte(l.src[q-1])) {
			return q, 'm', j - q + len(l.c.LineComment)
		}
		if l.c.LineStatement != "" && atLine && strings.HasPrefix(rest, l.c.LineStatement) {
			n := j - q + len(l.c.LineStatement)
			if q+n < len(l.src) && (l.src[q+n] == '-' || l.src[q+n] == '+') {
				n++
			}
			return q, 's', n
		}
	}
	return at, what, n
}

func isSpaceByte(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

func (l *lexer) data(s string, at int) {
	if s != "" {
		l.emit(tData, s, at)
	}
}

func (l *lexer) run() {
	for l.p < len(l.src) {
		at, what, n := l.tagStart(l.p)
		if at < 0 {
			l.data(l.src[l.p:], l.p)
			l.p = len(l.src)
			return
		}
		start, text, after := l.p, l.src[l.p:at], at+n
		if what == 's' || what == 'm' {
			l.data(text, start)
			l.p = after
			l.lineTag(what, at)
			continue
		}
		sign := byte(0)
		if after < len(l.src) && (l.src[after] == '-' || l.src[after] == '+') {
			// {{+ is no sign for Jinja's white space control but is eaten all the same.
			sign = l.src[after]
			after++
		}
		l.data(l.before(text, start, sign, what), start)
		l.p = after
		switch what {
		case 'c':
			l.comment(at)
		case 'v':
			l.emit(tVarBegin, "", at)
			l.expr('v')
		case 'b':
			if !l.raw(at) {
				l.emit(tBlockBegin, "", at)
				l.expr('b')
			}
		}
	}
}

func (l *lexer) lineTag(what byte, at int) {
	if what == 's' {
		l.emit(tBlockBegin, "", at)
		l.expr('s')
		return
	}
	if j := strings.IndexByte(l.src[l.p:], '\n'); j >= 0 {
		l.p += j
	} else {
		l.p = len(l.src)
	}
}

// before applies white space control to the text in front of a tag.
func (l *lexer) before(text string, start int, sign, what byte) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, value.IsSpace)
	}
	if sign == '+' || !l.c.LstripBlocks || what == 'v' {
		return text
	}
	k := strings.LastIndexByte(text, '\n') + 1
	if strings.TrimFunc(text[k:], value.IsSpace) == "" && (k > 0 || start == 0 || l.src[start-1] == '\n') {
		return text[:k]
	}
	return text
}

func (l *lexer) comment(at int) {
	j := strings.Index(l.src[l.p:], l.c.CommentEnd)
	if j < 0 && l.p == len(l.src) {
		return
	}
	if j < 0 {
		l.fail(at, "Missing end of comment tag")
	}
	e, sign := l.p+j, byte(0)
	if e > l.p && (l.src[e-1] == '-' || l.src[e-1] == '+') {
		sign = l.src[e-1]
	}
	l.p = e + len(l.c.CommentEnd)
	l.afterBlock(sign)
}

func (l *lexer) afterBlock(sign byte) {
	if sign == '-' {
		for l.p < len(l.src) {
			r, w := utf8.DecodeRuneInString(l.src[l.p:])
			if !value.IsSpace(r) {
				break
			}
			l.p += w
		}
	} else if sign != '+' && l.c.TrimBlocks && l.p < len(l.src) && l.src[l.p] == '\n' {
		l.p++
	}
}

func (l *lexer) skipSpace(q int) int {
	for q < len(l.src) && isSpaceByte(l.src[q]) {
		q++
	}
	return q
}

// raw handles {% raw %} ... {% endraw %}; l.p is behind the opening delimiter.
func (l *lexer) raw(at int) bool {
	q := l.skipSpace(l.p)
	if !strings.HasPrefix(l.src[q:], "raw") {
		return false
	}
	q = l.skipSpace(q + 3)
	minus := strings.HasPrefix(l.src[q:], "-"+l.c.BlockEnd)
	if minus {
		q++
	}
	if !strings.HasPrefix(l.src[q:], l.c.BlockEnd) {
		return false
	}
	q += len(l.c.BlockEnd)
	if minus {
		q = l.skipSpace(q)
	}
	body := q
	for {
		j := strings.Index(l.src[q:], l.c.BlockStart)
		if j < 0 && body == len(l.src) {
			l.p = body // as Jinja has it: nothing is missing when nothing follows
			return true
		}
		if j < 0 {
			l.fail(at, "Missing end of raw directive")
		}
		e := q + j
		q = e + len(l.c.BlockStart)
		if sign, endSign, end, ok := l.endraw(q); ok {
			l.data(l.before(l.src[body:e], body, sign, 'b'), body)
			l.p = end
			l.afterBlock(endSign)
			return true
		}
	}
}

// endraw matches the rest of {% endraw %} at q.
func (l *lexer) endraw(q int) (sign, endSign byte, end int, ok bool) {
	signAt := func() (s byte) {
		if q < len(l.src) && (l.src[q] == '-' || l.src[q] == '+') {
			s = l.src[q]
			q++
		}
		return s
	}
	sign = signAt()
	q = l.skipSpace(q)
	if !strings.HasPrefix(l.src[q:], "endraw") {
		return 0, 0, 0, false
	}
	q = l.skipSpace(q + len("endraw"))
	endSign = signAt()
	if !strings.HasPrefix(l.src[q:], l.c.BlockEnd) {
		return 0, 0, 0, false
	}
	return sign, endSign, q + len(l.c.BlockEnd), true
}

// operatorAt is the operator that s begins with.
func operatorAt(s string) string {
	if len(s) > 1 {
		switch s[:2] {
		case "**", "//", "==", "!=", ">=", "<=":
			return s[:2]
		}
	}
	if strings.IndexByte("+-/*%~[](){}><=.:|,;", s[0]) >= 0 {
		return s[:1]
	}
	return ""
}

// expr reads tokens up to the end of a tag: 'v' variable, 'b' block, 's' line statement,
// 0 the end of the text.
func (l *lexer) expr(what byte) {
	var open []byte
	l.tag = what
	for l.p < len(l.src) {
		if len(open) == 0 && l.tagEnd(what) {
			return
		}
		ch, at := l.src[l.p], l.p
		switch {
		case isSpaceByte(ch):
			l.p++
		case ch >= '0' && ch <= '9':
			l.number(at)
		case ch == '\'' || ch == '"':
			l.str(at, ch)
		case ch == '_' || ch >= 0x80 || unicode.IsLetter(rune(ch)):
			l.name(at)
		default:
			open = l.operator(at, open)
		}
	}
	if what == 's' && len(open) == 0 {
		l.emit(tBlockEnd, "", l.p)
	}
}

// tagEnd eats the end of the tag when it stands here.
func (l *lexer) tagEnd(what byte) bool {
	rest := l.src[l.p:]
	end, t := l.c.VariableEnd, tVarEnd
	switch what {
	case 0:
		return false
	case 's':
		return l.lineEnd()
	case 'b':
		end, t = l.c.BlockEnd, tBlockEnd
	}
	sign := byte(0)
	if rest[0] == '-' || (rest[0] == '+' && what == 'b') {
		if strings.HasPrefix(rest[1:], end) {
			sign = rest[0]
		}
	}
	if sign == 0 && !strings.HasPrefix(rest, end) {
		return false
	}
	l.emit(t, end, l.p)
	l.p += len(end)
	if sign != 0 {
		l.p++
	}
	if what == 'b' || sign == '-' {
		l.afterBlock(sign)
	}
	return true
}

func (l *lexer) lineEnd() bool {
	j := l.p
	for j < len(l.src) && (l.src[j] == ' ' || l.src[j] == '\t') {
		j++
	}
	if l.c.LineComment != "" && strings.HasPrefix(l.src[j:], l.c.LineComment) {
		k := strings.IndexByte(l.src[j:], '\n')
		if k < 0 {
			l.p = len(l.src)
			l.emit(tBlockEnd, "", l.p)
			return true
		}
		j += k
	}
	if j < len(l.src) && l.src[j] == '\n' {
		l.emit(tBlockEnd, "", l.p)
		l.p = j + 1
		return true
	}
	return false
}

func (l *lexer) number(at int) {
	rest := l.src[at:]
	if n := digits(rest); n == len(rest) || n > 0 && strings.IndexByte("_.eExXoObB0123456789", rest[n]) < 0 {
		if rest[0] != '0' || n == 1 {
			l.emit(tInt, rest[:n], at)
			l.p += n
			return
		}
	}
	afterDot := len(l.out) > 0 && l.out[len(l.out)-1].t == tOp && l.out[len(l.out)-1].s == "." && at > 0 && l.src[at-1] == '.'
	if m := floatRe.FindString(rest); m != "" && !afterDot {
		l.emit(tFloat, strings.ReplaceAll(m, "_", ""), at)
		l.p += len(m)
		return
	}
	m := intRe.FindString(rest)
	l.emit(tInt, strings.ToLower(strings.ReplaceAll(m, "_", "")), at)
	l.p += len(m)
}

// digits is how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func (l *lexer) str(at int, quote byte) {
	j := at + 1
	for j < len(l.src) && l.src[j] != quote {
		if l.src[j] == '\\' {
			j++
		}
		j++
	}
	if j >= len(l.src) {
		l.fail(at, "unexpected char %s at %d", value.Repr(string(quote)), at)
	}
	text := l.src[at+1 : j]
	if l.c.NewlineSequence != "" && l.c.NewlineSequence != "\n" {
		text = strings.ReplaceAll(text, "\n", l.c.NewlineSequence)
	}
	if !l.c.literalBackslash || l.tag != 'v' {
		var err error
		if text, err = unescape(text); err != nil {
			l.fail(at, "%v", err)
		}
	} else if strings.Contains(text, "\\"+string(quote)) {
		l.escapedQuote = true
	}
	l.emit(tStr, text, at)
	l.p = j + 1
}

// wordByte are the ASCII letters, digits and the underscore.
var wordByte = func() (t [256]bool) {
	for _, c := range []byte("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

func (l *lexer) name(at int) {
	j := at
	for j < len(l.src) && (wordByte[l.src[j]] || l.src[j] >= 0x80) {
		if l.src[j] < 0x80 {
			j++
			continue
		}
		r, w := utf8.DecodeRuneInString(l.src[j:])
		if r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) ||
			j > at && (unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r)) {
			if r != utf8.RuneError {
				j += w
				continue
			}
		}
		break
	}
	if j == at {
		r, _ := utf8.DecodeRuneInString(l.src[j:])
		l.fail(at, "unexpected char %s at %d", value.Repr(string(r)), at)
	}
	l.emit(tName, l.src[at:j], at)
	l.p = j
}

func (l *lexer) operator(at int, open []byte) []byte {
	if l.tag == 0 {
		// Braces inside a condition: {{ x }} stands for x.
		if rest := l.src[at:]; strings.HasPrefix(rest, "{{") {
			l.emit(tOp, "{{", at)
			l.p += 2
			return append(open, embedMark)
		} else if strings.HasPrefix(rest, "}}") && len(open) > 0 && open[len(open)-1] == embedMark {
			l.emit(tOp, "}}", at)
			l.p += 2
			return open[:len(open)-1]
		}
	}
	op := operatorAt(l.src[at:])
	switch op {
	case "":
		r, _ := utf8.DecodeRuneInString(l.src[at:])
		l.fail(at, "unexpected char %s at %d", value.Repr(string(r)), at)
	case "(", "[", "{":
		open = append(open, op[0])
	case ")", "]", "}":
		if len(open) == 0 {
			l.fail(at, "unexpected '%s'", op)
		}
		if want := closing(open[len(open)-1]); want != op[0] {
			l.fail(at, "unexpected '%s', expected '%c'", op, want)
		}
		open = open[:len(open)-1]
	}
	l.emit(tOp, op, at)
	l.p += len(op)
	return open
}

// embedMark stands for "{{" among the open brackets of a condition.
const embedMark = 1

func closing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}
