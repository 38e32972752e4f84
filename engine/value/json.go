package value

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds nesting while reading and writing.
const maxJSONDepth = 1000

// FromJSON reads one JSON text. Objects keep their order (of repeated keys the last value
// counts), ints of any size stay ints, NaN and Infinity are read as Python does.
func FromJSON(text []byte) (Value, error) {
	p := jsonParser{s: string(text)}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.s) {
		return nil, p.fail("Extra data")
	}
	return v, nil
}

// JSONError is a syntax error in JSON, worded as Python's.
type JSONError struct {
	Msg            string
	Line, Col, Pos int
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.Msg, e.Line, e.Col, e.Pos)
}

type jsonParser struct {
	s string
	i int
}

func (p *jsonParser) fail(msg string) error { return p.failAt(p.i, msg) }

func (p *jsonParser) failAt(i int, msg string) error {
	before := p.s[:min(i, len(p.s))]
	nl := strings.LastIndexByte(before, '\n')
	return &JSONError{msg, 1 + strings.Count(before, "\n"), utf8.RuneCountInString(before[nl+1:]) + 1, utf8.RuneCountInString(before)}
}

func (p *jsonParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *jsonParser) value(depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, p.fail("maximum recursion depth exceeded")
	}
	if p.i >= len(p.s) {
		return nil, p.fail("Expecting value")
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, w := range jsonWords {
		if strings.HasPrefix(p.s[p.i:], w.text) {
			p.i += len(w.text)
			return w.v, nil
		}
	}
	return nil, p.fail("Expecting value")
}

var jsonWords = []struct {
	text string
	v    Value
}{{"true", true}, {"false", false}, {"null", nil}, {"NaN", math.NaN()}, {"Infinity", math.Inf(1)}}

func (p *jsonParser) object(depth int) (Value, error) {
	d := NewDict(4)
	p.i++
	for first := true; ; first = false {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == '}' && first {
			p.i++
			return d, nil
		}
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, p.fail("Expecting property name enclosed in double quotes")
		}
		k, err := p.string()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, p.fail("Expecting ':' delimiter")
		}
		p.i++
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.SetString(k.(string), v)
		if done, err := p.next('}'); done || err != nil {
			return d, err
		}
	}
}

func (p *jsonParser) array(depth int) (Value, error) {
	l := &List{V: []Value{}}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return l, nil
	}
	for {
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.V = append(l.V, v)
		if done, err := p.next(']'); done || err != nil {
			return l, err
		}
	}
}

// next eats a comma (false) or the closing byte (true).
func (p *jsonParser) next(end byte) (bool, error) {
	p.space()
	if p.i < len(p.s) {
		switch p.s[p.i] {
		case ',':
			p.i++
			return false, nil
		case end:
			p.i++
			return true, nil
		}
	}
	return false, p.fail("Expecting ',' delimiter")
}

func (p *jsonParser) number() (Value, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	if p.s[p.i] == '-' {
		p.i++
		if strings.HasPrefix(p.s[p.i:], "Infinity") {
			p.i += 8
			return math.Inf(-1), nil
		}
	}
	if p.i < len(p.s) && p.s[p.i] == '0' {
		p.i++
	} else if !digits() {
		return nil, p.failAt(start, "Expecting value")
	}
	end, float := p.i, false
	if p.i < len(p.s) && p.s[p.i] == '.' {
		if p.i++; digits() {
			end, float = p.i, true
		}
		p.i = end
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if digits() {
			end, float = p.i, true
		}
		p.i = end
	}
	text := p.s[start:end]
	if float {
		f, _ := strconv.ParseFloat(text, 64)
		return f, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if len(text) > 4300 {
		return nil, p.failAt(start, "integer has too many digits")
	}
	b, _ := new(big.Int).SetString(text, 10)
	return FromBig(b), nil
}

func (p *jsonParser) string() (Value, error) {
	start := p.i
	p.i++
	from := p.i
	for p.i < len(p.s) && p.s[p.i] != '"' && p.s[p.i] != '\\' && p.s[p.i] >= ' ' {
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == '"' {
		p.i++
		return p.s[from : p.i-1], nil
	}
	var b strings.Builder
	b.WriteString(p.s[from:p.i])
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return b.String(), nil
		case c == '\\':
			if err := p.escape(&b); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, p.fail("Invalid control character at")
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	return nil, p.failAt(start, "Unterminated string starting at")
}

func (p *jsonParser) escape(b *strings.Builder) error {
	at := p.i
	p.i++
	if p.i >= len(p.s) {
		return p.failAt(at, "Unterminated string starting at")
	}
	c := p.s[p.i]
	p.i++
	if c == 'u' {
		r, ok := p.hex4()
		if !ok {
			return p.failAt(at+1, "Invalid \\uXXXX escape")
		}
		if utf16.IsSurrogate(r) && strings.HasPrefix(p.s[p.i:], "\\u") {
			save := p.i
			p.i += 2
			if r2, ok := p.hex4(); ok && utf16.DecodeRune(r, r2) != utf8.RuneError {
				r = utf16.DecodeRune(r, r2)
			} else {
				p.i = save
			}
		}
		if r >= 0xdc80 && r <= 0xdcff { // a byte that is no text, as it is written
			b.WriteByte(byte(r))
			return nil
		}
		b.WriteRune(r)
		return nil
	}
	k := strings.IndexByte(`"\/bfnrt`, c)
	if k < 0 {
		return p.failAt(at, "Invalid \\escape")
	}
	b.WriteByte("\"\\/\b\f\n\r\t"[k])
	return nil
}

func (p *jsonParser) hex4() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	p.i += 4
	return rune(n), err == nil
}

// JSON says how ToJSON writes; the zero value is the compact form with UTF-8 text.
type JSON struct {
	Spaces   bool   // ", " and ": " between items, as Python's default
	Indent   string // one level of indentation; "" for one line (see Pretty)
	Pretty   bool   // one item a line, also when Indent is empty
	SortKeys bool
	TextKeys bool // sort keys by how they are written
	ASCII    bool // escape what is not ASCII
	// Default says how to write a value JSON has no form for; nil makes it an error.
	Default func(Value) (Value, error)
}

// ToJSON writes v in compact form. Secrets are written plain: the caller masks.
func ToJSON(v Value) ([]byte, error) {
	s, err := JSON{}.Encode(v)
	return []byte(s), err
}

// Encode writes v as Python's json.dumps would with these settings.
func (j JSON) Encode(v Value) (string, error) {
	w := jsonWriter{JSON: j}
	if err := w.value(v, 0); err != nil {
		return "", err
	}
	return w.b.String(), nil
}

type jsonWriter struct {
	JSON
	b strings.Builder
}

func (w *jsonWriter) value(v Value, depth int) error {
	if depth > maxJSONDepth {
		return fmt.Errorf("circular reference or nesting too deep")
	}
	switch x := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(x))
	case int64:
		w.b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		w.b.WriteString(x.String())
	case float64:
		w.float(x)
	case string:
		w.text(x)
	case Text:
		w.text(string(x))
	case Markup:
		w.text(string(x))
	case *Secret:
		return w.value(x.V, depth)
	case *List:
		vs, err := x.Resolved()
		if err != nil {
			return err
		}
		return w.array(vs, depth)
	case Tuple:
		return w.array(x, depth)
	case *Dict:
		return w.object(x, depth)
	case *Undefined:
		return &UndefinedError{x}
	default:
		if w.Default == nil {
			return fmt.Errorf("object of type %s is not JSON serializable", TypeName(v))
		}
		d, err := w.Default(v)
		if err != nil {
			return err
		}
		return w.value(d, depth)
	}
	return nil
}

func (w *jsonWriter) float(f float64) {
	switch {
	case math.IsNaN(f):
		w.b.WriteString("NaN")
	case math.IsInf(f, 1):
		w.b.WriteString("Infinity")
	case math.IsInf(f, -1):
		w.b.WriteString("-Infinity")
	default:
		w.b.WriteString(FloatStr(f))
	}
}

func (w *jsonWriter) sep(i, depth int) {
	pretty := w.Pretty || w.Indent != ""
	if i > 0 {
		w.b.WriteByte(',')
		if w.Spaces && !pretty {
			w.b.WriteByte(' ')
		}
	}
	if pretty {
		w.newline(depth + 1)
	}
}

func (w *jsonWriter) newline(depth int) {
	w.b.WriteByte('\n')
	for range depth {
		w.b.WriteString(w.Indent)
	}
}

func (w *jsonWriter) array(vs []Value, depth int) error {
	w.b.WriteByte('[')
	for i, v := range vs {
		w.sep(i, depth)
		if err := w.value(v, depth+1); err != nil {
			return err
		}
	}
	if len(vs) > 0 && (w.Pretty || w.Indent != "") {
		w.newline(depth)
	}
	w.b.WriteByte(']')
	return nil
}

func (w *jsonWriter) object(d *Dict, depth int) error {
	es, err := d.Resolved()
	if err != nil {
		return err
	}
	if w.SortKeys {
		if w.TextKeys {
			es = slices.Clone(es)
			slices.SortStableFunc(es, func(a, b Entry) int { return strings.Compare(w.keyText(a.Key), w.keyText(b.Key)) })
		} else if es, err = sortedEntries(es); err != nil {
			return err
		}
	}
	w.b.WriteByte('{')
	for i, e := range es {
		w.sep(i, depth)
		if err := w.key(e.Key); err != nil {
			return err
		}
		w.b.WriteByte(':')
		if w.Spaces || w.Pretty || w.Indent != "" {
			w.b.WriteByte(' ')
		}
		if err := w.value(e.Value, depth+1); err != nil {
			return err
		}
	}
	if len(es) > 0 && (w.Pretty || w.Indent != "") {
		w.newline(depth)
	}
	w.b.WriteByte('}')
	return nil
}

// keyText is a key as it is written, or as it would be if it could.
func (w *jsonWriter) keyText(k Value) string {
	switch k.(type) {
	case string, Text, Markup:
		return Str(k)
	}
	t := jsonWriter{JSON: w.JSON}
	if t.key(k) != nil {
		return Str(k)
	}
	return strings.Trim(t.b.String(), `"`)
}

func sortedEntries(es []Entry) ([]Entry, error) {
	es = slices.Clone(es)
	var fail error
	slices.SortStableFunc(es, func(a, b Entry) int {
		c, err := Compare(a.Key, b.Key)
		if err != nil && fail == nil {
			fail = err
		}
		return c
	})
	return es, fail
}

func (w *jsonWriter) key(k Value) error {
	switch x := k.(type) {
	case string:
		w.text(x)
	case nil, bool, int64, *big.Int, float64:
		w.b.WriteByte('"')
		if err := w.value(x, 0); err != nil {
			return err
		}
		w.b.WriteByte('"')
	case Text:
		w.text(string(x))
	case Markup:
		w.text(string(x))
	case *Secret:
		return w.key(x.V)
	default:
		return fmt.Errorf("keys must be str, int, float, bool or None, not %s", TypeName(k))
	}
	return nil
}

func (w *jsonWriter) text(s string) {
	b := &w.b
	b.WriteByte('"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			b.WriteByte(c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(b, "\\udc%02x", c)
		case strings.IndexByte("\"\\\b\f\n\r\t", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte("\"\\bfnrt"[strings.IndexByte("\"\\\b\f\n\r\t", c)])
		case c < ' ':
			fmt.Fprintf(b, "\\u%04x", c)
		case r == 0x7f || !w.ASCII:
			b.WriteString(s[i : i+n])
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(b, "\\u%04x\\u%04x", hi, lo)
		default:
			fmt.Fprintf(b, "\\u%04x", r)
		}
		i += n
	}
	b.WriteByte('"')
}
