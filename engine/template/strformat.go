package template

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"fettle/engine/value"
)

func strFormat(s, name string, c *Call) (value.Value, error) {
	return (&formatter{}).format(s, name, c)
}

func (f *formatter) format(s, name string, c *Call) (value.Value, error) {
	f.args, f.kw = c.Args, c.KW
	if name == "format_map" {
		d, ok := c.Arg(0, "", nil).(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("format_map() needs a mapping, not %s", value.TypeName(c.Arg(0, "", nil)))
		}
		f.args, f.kw = nil, nil
		for _, e := range d.Items() {
			f.kw = append(f.kw, value.Keyword{Name: value.Str(e.Key), Value: e.Value})
		}
	}
	if err := f.run(s, 0); err != nil {
		return nil, err
	}
	if !c.Compat().Old() {
		if u := undefinedShown(f.b.String(), value.Tuple(f.args)); u != nil {
			return u, nil
		}
	}
	return f.b.String(), nil
}

// formatter is str.format.
type formatter struct {
	args   []value.Value
	kw     []value.Keyword
	b      strings.Builder
	auto   int
	manual bool
	escape bool // what is formatted is escaped: the format is markup
}

func (f *formatter) run(s string, depth int) error {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c {
			f.b.WriteByte(c)
			i++
			continue
		}
		switch c {
		case '}':
			return fmt.Errorf("Single '}' encountered in format string")
		case '{':
			end, err := fieldEnd(s, i+1)
			if err != nil {
				return err
			}
			if err := f.field(s[i+1:end], depth); err != nil {
				return err
			}
			i = end
		default:
			f.b.WriteByte(c)
		}
		if f.b.Len() > value.MaxText {
			return &limitError{"the text is too large"}
		}
	}
	return nil
}

// fieldEnd is the index of the brace that closes the field starting at i.
func fieldEnd(s string, i int) (int, error) {
	level, bracket := 1, false
	for j := i; j < len(s); j++ {
		switch {
		case s[j] == '[' && level == 1:
			bracket = true
		case s[j] == ']':
			bracket = false
		case s[j] == '{' && !bracket:
			level++
		case s[j] == '}' && !bracket:
			if level--; level == 0 {
				return j, nil
			}
		}
	}
	if i >= len(s) {
		return 0, fmt.Errorf("Single '{' encountered in format string")
	}
	return 0, fmt.Errorf("expected '}' before end of string")
}

func (f *formatter) field(field string, depth int) error {
	name, spec, conv := splitField(field)
	v, err := f.lookup(name)
	if err != nil {
		return err
	}
	if strings.IndexByte(spec, '{') >= 0 {
		if depth >= 1 {
			return fmt.Errorf("Max string recursion exceeded")
		}
		inner := formatter{args: f.args, kw: f.kw, auto: f.auto, manual: f.manual}
		if err := inner.run(spec, depth+1); err != nil {
			return err
		}
		spec, f.auto = inner.b.String(), inner.auto
	}
	if u, ok := v.(*value.Undefined); ok {
		return &value.UndefinedError{Undefined: u}
	}
	switch conv {
	case "":
	case "s":
		v = value.Str(v)
	case "r", "a":
		v = value.Repr(v)
	default:
		return fmt.Errorf("Unknown conversion specifier %s", conv)
	}
	s, err := Format(v, spec)
	if f.escape && !value.IsMarkup(v) {
		s = value.EscapeHTML(s)
	}
	f.b.WriteString(s)
	return err
}

func splitField(field string) (name, spec, conv string) {
	end := len(field)
	bracket := false
	for i := range len(field) {
		switch c := field[i]; {
		case c == '[':
			bracket = true
		case c == ']':
			bracket = false
		case !bracket && (c == ':' || c == '!'):
			end = i
		}
		if end < len(field) {
			break
		}
	}
	name, rest := field[:end], field[end:]
	if strings.HasPrefix(rest, "!") {
		conv, rest = rest[1:], ""
		if i := strings.IndexByte(conv, ':'); i >= 0 {
			conv, rest = conv[:i], conv[i:]
		}
	}
	return name, strings.TrimPrefix(rest, ":"), conv
}

// lookup is the value of a field's name: an argument and attributes and items of it.
func (f *formatter) lookup(name string) (value.Value, error) {
	head, rest := name, ""
	if k := strings.IndexAny(name, ".["); k >= 0 {
		head, rest = name[:k], name[k:]
	}
	v, err := f.arg(head)
	for err == nil && rest != "" {
		var key value.Value
		attr := rest[0] == '.'
		if attr {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				key, rest = rest[1:], ""
			} else {
				key, rest = rest[1:end+1], rest[end+1:]
			}
		} else {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, fmt.Errorf("Missing ']' in format string")
			}
			key = rest[1:end]
			if n, err := strconv.ParseInt(rest[1:end], 10, 64); err == nil {
				key = n
			}
			rest = rest[end+1:]
		}
		v, err = member(v, key, attr)
	}
	return v, err
}

func member(v, key value.Value, attr bool) (value.Value, error) {
	if attr {
		r, err := getAttr(v, value.Str(key))
		return r, err
	}
	r, ok, err := value.Item(v, key)
	if err == nil && !ok {
		err = fmt.Errorf("%s", value.Repr(key))
	}
	return r, err
}

func (f *formatter) arg(head string) (value.Value, error) {
	n, err := strconv.Atoi(head)
	if head == "" {
		if f.manual {
			return nil, fmt.Errorf("cannot switch from manual field specification to automatic field numbering")
		}
		n, err = f.auto, nil
		f.auto++
	} else if err == nil {
		if f.auto > 0 {
			return nil, fmt.Errorf("cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
	}
	if err == nil {
		if n >= len(f.args) {
			return nil, fmt.Errorf("Replacement index %d out of range for positional args tuple", n)
		}
		return f.args[n], nil
	}
	for _, k := range f.kw {
		if k.Name == head {
			return k.Value, nil
		}
	}
	return nil, fmt.Errorf("%s", value.Repr(head))
}

// spec is a parsed format specification.
type spec struct {
	text        string
	fill, align rune
	sign        rune
	alt, zero   bool
	width, prec int
	sep         byte
	typ         rune
}

func parseSpec(s string) (sp spec, err error) {
	sp = spec{text: s, fill: ' ', prec: -1}
	r := []rune(s)
	i := 0
	if len(r) > 1 && strings.ContainsRune("<>=^", r[1]) {
		sp.fill, sp.align, i = r[0], r[1], 2
	} else if len(r) > 0 && strings.ContainsRune("<>=^", r[0]) {
		sp.align, i = r[0], 1
	}
	is := func(set string) bool { return i < len(r) && strings.ContainsRune(set, r[i]) }
	number := func() int {
		n := -1
		for is("0123456789") && n < maxPad {
			n = max(n, 0)*10 + int(r[i]-'0')
			i++
		}
		return n
	}
	if is("+- ") {
		sp.sign = r[i]
		i++
	}
	if is("z") {
		i++
	}
	if is("#") {
		sp.alt = true
		i++
	}
	if is("0") {
		sp.zero = true
		i++
	}
	sp.width = number()
	if is(",_") {
		sp.sep = byte(r[i])
		i++
	}
	if is(".") {
		i++
		if sp.prec = number(); sp.prec < 0 {
			return sp, fmt.Errorf("Format specifier missing precision")
		}
	}
	if i < len(r) {
		sp.typ = r[i]
		i++
	}
	if i < len(r) {
		return sp, fmt.Errorf("Invalid format specifier")
	}
	if sp.width > maxPad || sp.prec > maxPad {
		return sp, &limitError{"width or precision is too large"}
	}
	return sp, nil
}

// Format is Python's format(v, spec).
func Format(v value.Value, text string) (string, error) {
	if s, ok := v.(*value.Secret); ok {
		return Format(s.V, text)
	}
	if text == "" {
		return value.Str(v), nil
	}
	sp, err := parseSpec(text)
	if err != nil {
		return "", err
	}
	switch x := v.(type) {
	case string:
		return sp.str(x)
	case float64:
		return sp.float(x, v)
	case bool, int64, *big.Int:
		if sp.typ == 0 || strings.ContainsRune("bcdoxXn", sp.typ) {
			return sp.integer(value.Big(x))
		}
		return sp.float(value.Float(x), v)
	}
	return "", fmt.Errorf("unsupported format string passed to %s.__format__", value.TypeName(v))
}

func (sp *spec) unknown(v value.Value) error {
	return fmt.Errorf("Unknown format code '%c' for object of type '%s'", sp.typ, value.TypeName(v))
}

func (sp *spec) str(s string) (string, error) {
	switch {
	case sp.typ != 0 && sp.typ != 's':
		return "", sp.unknown(s)
	case sp.sign != 0:
		return "", fmt.Errorf("Sign not allowed in string format specifier")
	case sp.alt:
		return "", fmt.Errorf("Alternate form (#) not allowed in string format specifier")
	case sp.align == '=':
		return "", fmt.Errorf("'=' alignment not allowed in string format specifier")
	case sp.sep != 0:
		return "", fmt.Errorf("Cannot specify '%c' with 's'.", sp.sep)
	}
	if sp.prec >= 0 && sp.prec < utf8.RuneCountInString(s) {
		s = string([]rune(s)[:sp.prec])
	}
	if sp.zero && sp.align == 0 {
		sp.fill = '0'
	}
	return sp.pad("", s, '<'), nil
}

func (sp *spec) integer(n *big.Int) (string, error) {
	if sp.prec >= 0 {
		return "", fmt.Errorf("Precision not allowed in integer format specifier")
	}
	neg := n.Sign() < 0
	n = new(big.Int).Abs(n)
	base, prefix, group := 10, "", 3
	switch sp.typ {
	case 'c':
		if !n.IsInt64() || n.Int64() > utf8.MaxRune || neg {
			return "", fmt.Errorf("%%c arg not in range(0x110000)")
		}
		return sp.pad("", string(rune(n.Int64())), '<'), nil
	case 'b':
		base, prefix, group = 2, "0b", 4
	case 'o':
		base, prefix, group = 8, "0o", 4
	case 'x':
		base, prefix, group = 16, "0x", 4
	case 'X':
		base, prefix, group = 16, "0X", 4
	}
	if sp.sep == ',' && base != 10 {
		return "", fmt.Errorf("Cannot specify ',' with '%c'.", sp.typ)
	}
	if !sp.alt {
		prefix = ""
	}
	body := n.Text(base)
	if sp.typ == 'X' {
		body = strings.ToUpper(body)
	}
	return sp.number(neg, prefix, body, "", group), nil
}

func (sp *spec) float(f float64, v value.Value) (string, error) {
	neg := math.Signbit(f) && !math.IsNaN(f)
	f = math.Abs(f)
	prec := sp.prec
	if prec < 0 {
		prec = 6
	}
	body := ""
	switch sp.typ {
	case 'e', 'E', 'f', 'F', 'g', 'G':
		body = value.FormatFloat(f, byte(sp.typ), prec, sp.alt)
	case 'n':
		body = value.FormatFloat(f, 'g', prec, sp.alt)
	case '%':
		body = value.FormatFloat(f*100, 'f', prec, sp.alt) + "%"
	case 0:
		body = value.FloatStr(f)
		if sp.prec >= 0 {
			body = generalFloat(f, sp.prec)
		}
	default:
		return "", sp.unknown(v)
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return sp.number(neg, "", "", body, 3), nil
	}
	whole, frac := body, ""
	if k := strings.IndexAny(body, ".eE%"); k >= 0 {
		whole, frac = body[:k], body[k:]
	}
	return sp.number(neg, "", whole, frac, 3), nil
}

// generalFloat is the form without a type but with a precision: like g, but at least one
// digit stands behind the point.
func generalFloat(f float64, prec int) string {
	prec = max(prec, 1)
	s := value.FormatFloat(f, 'g', prec, false)
	if f != 0 && f >= math.Pow10(prec-1) && !strings.Contains(s, "e") {
		return strconv.FormatFloat(f, 'e', prec-1, 64)
	}
	if !strings.ContainsAny(s, ".en") {
		s += ".0"
	}
	return s
}

func (sp *spec) number(neg bool, prefix, whole, rest string, group int) string {
	sign := ""
	if neg {
		sign = "-"
	} else if sp.sign == '+' || sp.sign == ' ' {
		sign = string(sp.sign)
	}
	sign += prefix
	zeroFill := sp.align == '=' && sp.fill == '0' || sp.zero && sp.align == 0
	if sp.zero && sp.align == 0 {
		sp.fill, sp.align = '0', '='
	}
	if sp.sep != 0 {
		if zeroFill {
			// Zeros count as digits: they are grouped too.
			for utf8.RuneCountInString(sign+grouped(whole, sp.sep, group)+rest) < sp.width {
				next := "0" + whole
				if len(sign)+len(grouped(next, sp.sep, group))+len(rest) > sp.width && grouped(next, sp.sep, group)[0] == sp.sep {
					break
				}
				whole = next
			}
		}
		whole = grouped(whole, sp.sep, group)
	}
	return sp.pad(sign, whole+rest, '>')
}

func grouped(digits string, sep byte, n int) string {
	var out []byte
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%n == 0 {
			out = append(out, sep)
		}
		out = append(out, digits[i])
	}
	return string(out)
}

func (sp *spec) pad(sign, body string, dflt rune) string {
	k := sp.width - utf8.RuneCountInString(sign+body)
	if k <= 0 {
		return sign + body
	}
	align := sp.align
	if align == 0 {
		align = dflt
	}
	fill := func(n int) string { return strings.Repeat(string(sp.fill), n) }
	switch align {
	case '<':
		return sign + body + fill(k)
	case '^':
		return fill(k/2) + sign + body + fill(k-k/2)
	case '=':
		return sign + fill(k) + body
	}
	return fill(k) + sign + body
}
