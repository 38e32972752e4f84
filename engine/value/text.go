package value

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is a str that the old string mode (compat 2.16) must not read back as a literal:
// what to_json, string and their like return, and with the setting jinja2_native the lookup
// template. Every operation treats it as the string it is.
type Text string

// TypeName is what Python's type(v).__name__ says.
func TypeName(v Value) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, Text, *Template, *Encrypted:
		return "str"
	case Markup:
		return "Markup"
	case []byte:
		return "bytes"
	case *List:
		return "list"
	case Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *Range:
		return "range"
	case *Undefined:
		return "Undefined"
	case *Secret:
		return TypeName(x.V)
	case OmitType:
		return "Omit"
	case Object:
		return x.TypeName()
	case Callable:
		return "function"
	}
	return "object"
}

// FloatStr is Python's repr of a float.
func FloatStr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	i := strings.IndexByte(s, 'e')
	e, _ := strconv.Atoi(s[i+1:])
	if f != 0 && (e < -4 || e >= 16) {
		sign := '+'
		if e < 0 {
			sign, e = '-', -e
		}
		return fmt.Sprintf("%se%c%02d", s[:i], sign, e)
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// Str is Python's str(v). An undefined value gives its name in braces unless it is soft;
// callers that must fail on it check first.
func Str(v Value) string {
	switch x := v.(type) {
	case string:
		return x
	case Text:
		return string(x)
	case Markup:
		return string(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case *Secret:
		return Str(x.V)
	case *Template:
		return x.Src
	case *Undefined:
		if x.Soft {
			return ""
		}
	case Object:
		return x.String()
	}
	return Repr(v)
}

// Repr is Python's repr(v).
func Repr(v Value) string {
	var p printer
	p.repr(v)
	return p.b.String()
}

// maxReprDepth stops at structures nested deeper than Python itself could print.
const maxReprDepth = 900

type printer struct {
	b     strings.Builder
	depth int
	open  []any // containers being printed: a list that holds itself prints as [...]
}

func (p *printer) enter(c any, dots string) bool {
	for _, o := range p.open {
		if o == c {
			p.b.WriteString(dots)
			return false
		}
	}
	if p.depth++; p.depth > maxReprDepth {
		p.depth--
		p.b.WriteString("...")
		return false
	}
	p.open = append(p.open, c)
	return true
}

func (p *printer) leave() { p.depth--; p.open = p.open[:len(p.open)-1] }

func (p *printer) repr(v Value) {
	switch x := v.(type) {
	case nil:
		p.b.WriteString("None")
	case bool:
		if x {
			p.b.WriteString("True")
		} else {
			p.b.WriteString("False")
		}
	case int64:
		p.b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		p.b.WriteString(x.String())
	case float64:
		p.b.WriteString(FloatStr(x))
	case string:
		strRepr(&p.b, x)
	case Text:
		strRepr(&p.b, string(x))
	case Markup:
		p.b.WriteString("Markup(")
		strRepr(&p.b, string(x))
		p.b.WriteByte(')')
	case *Template:
		strRepr(&p.b, x.Src)
	case []byte:
		bytesRepr(&p.b, x)
	case *List:
		if p.enter(x, "[...]") {
			p.b.WriteByte('[')
			p.items(x.Items())
			p.b.WriteByte(']')
			p.leave()
		}
	case Tuple:
		p.tuple(x)
	case *Dict:
		if p.enter(x, "{...}") {
			p.dict(x)
			p.leave()
		}
	default:
		p.other(v)
	}
}

func (p *printer) other(v Value) {
	switch x := v.(type) {
	case *Set:
		if x.D.Len() == 0 {
			p.b.WriteString("set()")
			return
		}
		p.b.WriteByte('{')
		for i, e := range x.D.Entries() {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.repr(e.Key)
		}
		p.b.WriteByte('}')
	case *Range:
		if x.Step == 1 {
			fmt.Fprintf(&p.b, "range(%d, %d)", x.Start, x.Stop)
		} else {
			fmt.Fprintf(&p.b, "range(%d, %d, %d)", x.Start, x.Stop, x.Step)
		}
	case *Secret:
		p.repr(x.V)
	case *Undefined:
		p.b.WriteString("Undefined")
	case OmitType:
		p.b.WriteString("<<Omit>>")
	case *Encrypted:
		strRepr(&p.b, x.Text)
	case interface{ Repr() string }:
		p.b.WriteString(x.Repr())
	case Object:
		p.b.WriteString(x.String())
	default:
		p.b.WriteString("<function>")
	}
}

func (p *printer) items(vs []Value) {
	for i, e := range vs {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.repr(e)
	}
}

func (p *printer) tuple(t Tuple) {
	if p.depth++; p.depth > maxReprDepth {
		p.b.WriteString("...")
		p.depth--
		return
	}
	p.b.WriteByte('(')
	p.items(t)
	if len(t) == 1 {
		p.b.WriteByte(',')
	}
	p.b.WriteByte(')')
	p.depth--
}

func (p *printer) dict(d *Dict) {
	p.b.WriteByte('{')
	for i, e := range d.Items() {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.repr(e.Key)
		p.b.WriteString(": ")
		p.repr(e.Value)
	}
	p.b.WriteByte('}')
}

func strRepr(b *strings.Builder, s string) {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, "\"") {
		q = '"'
	}
	b.WriteByte(q)
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != q && c != '\\' {
			b.WriteByte(c)
			i++
			continue
		}
		r, w := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && w == 1 {
			fmt.Fprintf(b, "\\udc%02x", c) // surrogateescape
		} else {
			escapeRune(b, r, rune(q))
		}
		i += w
	}
	b.WriteByte(q)
}

func escapeRune(b *strings.Builder, r, quote rune) {
	switch {
	case r == quote || r == '\\':
		b.WriteByte('\\')
		b.WriteRune(r)
	case r == '\n':
		b.WriteString("\\n")
	case r == '\r':
		b.WriteString("\\r")
	case r == '\t':
		b.WriteString("\\t")
	case r < ' ' || r == 0x7f:
		fmt.Fprintf(b, "\\x%02x", r)
	case r < 0x7f || Printable(r):
		b.WriteRune(r)
	case r <= 0xff:
		fmt.Fprintf(b, "\\x%02x", r)
	case r <= 0xffff:
		fmt.Fprintf(b, "\\u%04x", r)
	default:
		fmt.Fprintf(b, "\\U%08x", r)
	}
}

// Printable is Python's str.isprintable for one character.
func Printable(r rune) bool { return r == ' ' || unicode.IsPrint(r) && !unicode.IsSpace(r) }

func bytesRepr(b *strings.Builder, s []byte) {
	q := byte('\'')
	if strings.Contains(string(s), "'") && !strings.Contains(string(s), "\"") {
		q = '"'
	}
	b.WriteByte('b')
	b.WriteByte(q)
	for _, c := range s {
		switch {
		case c == q || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString("\\n")
		case c == '\r':
			b.WriteString("\\r")
		case c == '\t':
			b.WriteString("\\t")
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(q)
}
