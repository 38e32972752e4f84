package inventory

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"fettle/engine/value"
)

// literal reads a Python literal, as values in INI files are read: 5, True, 'a', [1, 2],
// {'a': 1}, None. ok is false when s is none; then it is a plain text. Tuples and sets
// become lists and bytes text, for that is what variables made of them are.
func literal(s string) (v value.Value, ok bool) {
	if s == "" || !startsLiteral(s) || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return nil, false
	}
	p := &literalReader{in: strings.TrimLeft(s, " \t")}
	v, ok = p.items(0, "")
	if !ok {
		return nil, false
	}
	if p.blanks(); p.i < len(p.in) {
		return nil, false
	}
	return v, true
}

// startsLiteral is a quick look that rejects most words.
func startsLiteral(s string) bool {
	c := strings.TrimLeft(s, " \t")
	if c == "" {
		return false
	}
	return strings.IndexByte("0123456789+-.([{'\"TFNrRbBuU", c[0]) >= 0
}

const maxLiteralDepth = 90

type literalReader struct {
	in string
	i  int
}

func (p *literalReader) blanks() {
	for p.i < len(p.in) {
		switch p.in[p.i] {
		case ' ', '\t', '\f':
			p.i++
		case '#':
			p.i = len(p.in)
		default:
			return
		}
	}
}

func (p *literalReader) eat(c string) bool {
	p.blanks()
	if c == "" || !strings.HasPrefix(p.in[p.i:], c) {
		return false
	}
	p.i += len(c)
	return true
}

// items reads one value, or values with commas between them, which are a tuple, up to end.
func (p *literalReader) items(depth int, end string) (value.Value, bool) {
	first, ok := p.value(depth)
	if !ok {
		return nil, false
	}
	if !p.eat(",") {
		return first, true
	}
	l := value.NewList(first)
	for {
		p.blanks()
		if p.i >= len(p.in) || end != "" && strings.HasPrefix(p.in[p.i:], end) {
			return l, true
		}
		v, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		l.V = append(l.V, v)
		if !p.eat(",") {
			return l, true
		}
	}
}

func (p *literalReader) value(depth int) (value.Value, bool) {
	if depth > maxLiteralDepth {
		return nil, false
	}
	p.blanks()
	if p.i >= len(p.in) {
		return nil, false
	}
	switch c := p.in[p.i]; {
	case c == '(':
		return p.parens(depth)
	case c == '[':
		return p.list(depth)
	case c == '{':
		return p.braces(depth)
	case c == '+' || c == '-':
		p.i++
		p.blanks()
		for p.eat("(") { // -(5) is fine in Python, and so rare that it may stay text here
			return nil, false
		}
		return p.number(c == '-')
	case c >= '0' && c <= '9' || c == '.':
		return p.number(false)
	}
	if v, ok := p.constant(); ok {
		return v, true
	}
	return p.strings()
}

func (p *literalReader) parens(depth int) (value.Value, bool) {
	p.i++
	if p.eat(")") {
		return value.NewList(), true
	}
	v, ok := p.items(depth+1, ")")
	return v, ok && p.eat(")")
}

func (p *literalReader) list(depth int) (value.Value, bool) {
	p.i++
	l := value.NewList()
	for !p.eat("]") {
		if len(l.V) > 0 && !p.eat(",") {
			return nil, false
		}
		if len(l.V) > 0 && p.eat("]") {
			break
		}
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		l.V = append(l.V, v)
	}
	return l, true
}

// braces reads a dict or a set.
func (p *literalReader) braces(depth int) (value.Value, bool) {
	p.i++
	d := value.NewDict(2)
	if p.eat("}") {
		return d, true
	}
	isSet, count := false, 0
	for {
		k, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		colon := p.eat(":")
		if count++; count == 1 {
			isSet = !colon
		}
		if colon == isSet {
			return nil, false
		}
		var v value.Value
		if colon {
			if v, ok = p.value(depth + 1); !ok {
				return nil, false
			}
		}
		if d.Set(k, v) != nil {
			return nil, false
		}
		if p.eat("}") {
			break
		}
		if !p.eat(",") {
			return nil, false
		}
		if p.eat("}") {
			break
		}
	}
	if !isSet {
		return d, true
	}
	l := value.NewList()
	for _, e := range d.Entries() {
		l.V = append(l.V, e.Key)
	}
	return l, true
}

func (p *literalReader) constant() (value.Value, bool) {
	for word, v := range map[string]value.Value{"True": true, "False": false, "None": nil} {
		rest, ok := strings.CutPrefix(p.in[p.i:], word)
		if ok && (rest == "" || !isNameByte(rest[0])) {
			p.i += len(word)
			return v, true
		}
	}
	return nil, false
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (p *literalReader) number(negative bool) (value.Value, bool) {
	start := p.i
	for p.i < len(p.in) {
		c := p.in[p.i]
		exponent := (c == '+' || c == '-') && p.i > start && (p.in[p.i-1] == 'e' || p.in[p.i-1] == 'E') && !isPrefixed(p.in[start:p.i])
		if !isNameByte(c) && c != '.' && !exponent {
			break
		}
		p.i++
	}
	text := p.in[start:p.i]
	clean, ok := withoutUnderscores(text)
	if !ok {
		return nil, false
	}
	if n, ok := wholeNumber(clean); ok {
		if negative {
			n.Neg(n)
		}
		if n.IsInt64() {
			return n.Int64(), true
		}
		return n, true
	}
	if isPrefixed(clean) || !strings.ContainsAny(clean, ".eE") || strings.IndexFunc(clean, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) >= 0 {
		return nil, false
	}
	f, err := strconv.ParseFloat(clean, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, false
	}
	if negative {
		f = -f
	}
	return f, true
}

func isPrefixed(s string) bool {
	return len(s) > 1 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0
}

// withoutUnderscores drops single underscores between digits.
func withoutUnderscores(s string) (string, bool) {
	if !strings.Contains(s, "_") {
		return s, s != ""
	}
	for i := range len(s) {
		if s[i] != '_' {
			continue
		}
		if i == 0 || i == len(s)-1 || !isDigitish(s[i+1]) || !isDigitish(s[i-1]) && !(i == 2 && isPrefixed(s)) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

func isDigitish(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func wholeNumber(s string) (*big.Int, bool) {
	n := new(big.Int)
	if isPrefixed(s) {
		base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]
		if strings.ContainsAny(s[2:], "+-") {
			return nil, false
		}
		return n.SetString(s[2:], base)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return nil, false
		}
	}
	if s == "" || s[0] == '0' && strings.Trim(s, "0") != "" || len(s) > 4300 {
		return nil, false // a leading zero is an error in Python, unless all are
	}
	return n.SetString(s, 10)
}

// strings reads string literals; neighbours join.
func (p *literalReader) strings() (value.Value, bool) {
	var out strings.Builder
	count, bytes := 0, 0
	for {
		p.blanks()
		start := p.i
		raw, isBytes, ok := p.prefix()
		if !ok {
			p.i = start
			break
		}
		if !p.text(&out, raw, isBytes) {
			return nil, false
		}
		if count++; isBytes {
			bytes++
		}
	}
	if count == 0 || bytes != 0 && bytes != count {
		return nil, false
	}
	return out.String(), true
}

// prefix reads the letters before a quote.
func (p *literalReader) prefix() (raw, isBytes, ok bool) {
	end := strings.IndexAny(p.in[p.i:], `'"`)
	if end < 0 || end > 2 {
		return false, false, false
	}
	switch strings.ToLower(p.in[p.i : p.i+end]) {
	case "", "u":
	case "r":
		raw = true
	case "b":
		isBytes = true
	case "br", "rb":
		raw, isBytes = true, true
	default:
		return false, false, false
	}
	p.i += end
	return raw, isBytes, true
}

func (p *literalReader) text(out *strings.Builder, raw, isBytes bool) bool {
	quote := p.in[p.i : p.i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(p.in[p.i:], triple) {
		quote = triple
	}
	p.i += len(quote)
	for p.i < len(p.in) {
		c := p.in[p.i]
		switch {
		case strings.HasPrefix(p.in[p.i:], quote):
			p.i += len(quote)
			return true
		case c == '\\' && p.i+1 < len(p.in):
			if raw {
				out.WriteString(p.in[p.i : p.i+2])
				p.i += 2
			} else if !p.escape(out, isBytes) {
				return false
			}
		case isBytes && c >= 0x80:
			return false
		default:
			out.WriteByte(c)
			p.i++
		}
	}
	return false
}

var simpleEscapes = map[byte]string{'\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}

func (p *literalReader) escape(out *strings.Builder, isBytes bool) bool {
	c := p.in[p.i+1]
	if s, ok := simpleEscapes[c]; ok {
		out.WriteString(s)
		p.i += 2
		return true
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if isBytes && c != 'x' {
		digits = 0
	}
	switch {
	case digits > 0:
		end := p.i + 2 + digits
		if end > len(p.in) {
			return false
		}
		n, err := strconv.ParseUint(p.in[p.i+2:end], 16, 32)
		if err != nil || n > utf8.MaxRune {
			return false
		}
		out.WriteRune(rune(n))
		p.i = end
	case c >= '0' && c <= '7':
		n, i := 0, p.i+1
		for ; i < len(p.in) && i < p.i+4 && p.in[i] >= '0' && p.in[i] <= '7'; i++ {
			n = n*8 + int(p.in[i]-'0')
		}
		out.WriteRune(rune(n))
		p.i = i
	case c == 'N' && !isBytes:
		return false // names of characters: such a text stays as it is written
	default:
		out.WriteByte('\\')
		p.i++
	}
	return true
}
