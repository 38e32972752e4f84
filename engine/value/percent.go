package value

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPad bounds widths and precisions in format strings.
const maxPad = 1 << 20

// Percent is Python's format % args.
func Percent(format string, args Value) (Value, error) {
	p := percent{f: format}
	secret := p.setArgs(args)
	if err := p.run(); err != nil {
		return nil, err
	}
	if p.next < len(p.args) && p.dict == nil {
		return nil, fmt.Errorf("not all arguments converted during string formatting")
	}
	return Mark(p.b.String(), secret || p.secret), nil
}

type percent struct {
	f           string
	i           int
	args        []Value
	next        int
	dict        *Dict
	b           strings.Builder
	secret      bool
	flags       string
	width, prec int // prec is -1 without one
	keyed       bool
	current     Value
}

func (p *percent) setArgs(args Value) (secret bool) {
	args, _, secret = unwrap(args)
	switch x := args.(type) {
	case Tuple:
		p.args = x
	case *Dict:
		p.dict, p.args = x, []Value{x}
	case *Undefined:
		// It can be asked for items, so that one that nothing asks for is not reported.
		p.args = []Value{x}
		if !x.Soft {
			p.dict = &Dict{}
		}
	case *List:
		// A list is one argument, but also something with items: leftovers are not reported.
		p.args, p.dict = []Value{x}, &Dict{}
	default:
		p.args = []Value{args}
	}
	return secret
}

func (p *percent) take() (Value, error) {
	if p.next >= len(p.args) {
		return nil, fmt.Errorf("not enough arguments for format string")
	}
	p.next++
	v, _, s := unwrap(p.args[p.next-1])
	p.secret = p.secret || s
	if u, ok := v.(*Undefined); ok && !u.Soft {
		return nil, &UndefinedError{u}
	}
	return v, nil
}

func (p *percent) run() error {
	for p.i < len(p.f) {
		j := strings.IndexByte(p.f[p.i:], '%')
		if j < 0 {
			p.b.WriteString(p.f[p.i:])
			return nil
		}
		p.b.WriteString(p.f[p.i : p.i+j])
		p.i += j + 1
		if err := p.directive(); err != nil {
			return err
		}
		if p.b.Len() > MaxText {
			return fmt.Errorf("text is too large")
		}
	}
	return nil
}

func (p *percent) directive() (err error) {
	if err = p.key(); err != nil {
		return err
	}
	from := p.i
	for p.i < len(p.f) && strings.IndexByte("#0- +", p.f[p.i]) >= 0 {
		p.i++
	}
	p.flags = p.f[from:p.i]
	if p.width, err = p.number(); err != nil {
		return err
	}
	if p.width < 0 {
		p.width, p.flags = -p.width, p.flags+"-"
	}
	p.prec = -1
	if p.i < len(p.f) && p.f[p.i] == '.' {
		p.i++
		if p.prec, err = p.number(); err != nil {
			return err
		}
		p.prec = max(p.prec, 0)
	}
	for p.i < len(p.f) && strings.IndexByte("hlL", p.f[p.i]) >= 0 {
		p.i++
	}
	if p.i >= len(p.f) {
		return fmt.Errorf("incomplete format")
	}
	c, n := utf8.DecodeRuneInString(p.f[p.i:])
	at := p.i
	p.i += n
	if c == '%' {
		p.b.WriteByte('%')
		return nil
	}
	if p.width > maxPad || p.prec > maxPad {
		return fmt.Errorf("width or precision is too large")
	}
	return p.convert(c, at)
}

func (p *percent) key() error {
	p.keyed = false
	if p.i >= len(p.f) || p.f[p.i] != '(' {
		return nil
	}
	depth, j := 1, p.i+1
	for ; j < len(p.f) && depth > 0; j++ {
		switch p.f[j] {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	if depth > 0 {
		return fmt.Errorf("incomplete format key")
	}
	if p.dict == nil {
		return fmt.Errorf("format requires a mapping")
	}
	key := p.f[p.i+1 : j-1]
	v, ok, err := p.dict.Lookup(key)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s", Repr(key))
	}
	v, _, s := unwrap(v)
	p.secret = p.secret || s
	p.current, p.keyed, p.i = v, true, j
	return nil
}

func (p *percent) number() (int, error) {
	if p.i < len(p.f) && p.f[p.i] == '*' {
		p.i++
		v, err := p.take()
		if err != nil {
			return 0, err
		}
		n, ok := v.(int64)
		if !ok {
			return 0, fmt.Errorf("* wants int")
		}
		return int(max(min(n, maxPad+1), -maxPad-1)), nil
	}
	from := p.i
	for p.i < len(p.f) && p.f[p.i] >= '0' && p.f[p.i] <= '9' {
		p.i++
	}
	if from == p.i {
		return 0, nil
	}
	n, err := strconv.Atoi(p.f[from:p.i])
	if err != nil {
		return maxPad + 1, nil
	}
	return n, nil
}

func (p *percent) convert(c rune, at int) (err error) {
	v := p.current
	if !p.keyed {
		if v, err = p.take(); err != nil {
			return err
		}
	}
	if u, ok := v.(*Undefined); ok && !u.Soft {
		return &UndefinedError{u}
	}
	switch c {
	case 's', 'r', 'a':
		s := Str(v)
		if c == 'r' || c == 'a' {
			s = Repr(v)
		}
		if p.prec >= 0 && p.prec < utf8.RuneCountInString(s) {
			s = string([]rune(s)[:p.prec])
		}
		p.pad("", s, false)
		return nil
	case 'c':
		return p.char(v)
	case 'd', 'i', 'u':
		return p.integer(v, 'd')
	case 'o', 'x', 'X':
		return p.integer(v, c)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return p.float(v, c)
	}
	return fmt.Errorf("unsupported format character '%c' (0x%x) at index %d", c, c, at)
}

func (p *percent) char(v Value) error {
	switch x := v.(type) {
	case bool:
		p.pad("", map[bool]string{true: "\x01", false: "\x00"}[x], false)
		return nil
	case int64:
		if x < 0 || x > utf8.MaxRune {
			return fmt.Errorf("%%c arg not in range(0x110000)")
		}
		p.pad("", string(rune(x)), false)
		return nil
	case string:
		if utf8.RuneCountInString(x) == 1 {
			p.pad("", x, false)
			return nil
		}
	}
	return fmt.Errorf("%%c requires int or char")
}

func (p *percent) integer(v Value, c rune) error {
	if f, ok := v.(float64); ok && c == 'd' {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("cannot convert float %s to integer", map[bool]string{true: "NaN", false: "infinity"}[math.IsNaN(f)])
		}
		b, _ := big.NewFloat(math.Trunc(f)).Int(nil)
		v = FromBig(b)
	}
	n := Big(v)
	if n == nil {
		if c == 'd' {
			return fmt.Errorf("%%d format: a real number is required, not %s", TypeName(v))
		}
		return fmt.Errorf("%%%c format: an integer is required, not %s", c, TypeName(v))
	}
	neg := n.Sign() < 0
	n = new(big.Int).Abs(n)
	base, prefix := 10, ""
	switch c {
	case 'o':
		base, prefix = 8, "0o"
	case 'x':
		base, prefix = 16, "0x"
	case 'X':
		base, prefix = 16, "0X"
	}
	s := n.Text(base)
	if c == 'X' {
		s = strings.ToUpper(s)
	}
	if k := p.prec - len(s); k > 0 {
		s = strings.Repeat("0", k) + s
	}
	if !strings.Contains(p.flags, "#") {
		prefix = ""
	}
	p.pad(p.sign(neg)+prefix, s, true)
	return nil
}

func (p *percent) float(v Value, c rune) error {
	if !IsNumber(v) {
		return fmt.Errorf("must be real number, not %s", TypeName(v))
	}
	prec := p.prec
	if prec < 0 {
		prec = 6
	}
	f := Float(v)
	p.pad(p.sign(math.Signbit(f) && !math.IsNaN(f)), FormatFloat(math.Abs(f), byte(c), prec, strings.Contains(p.flags, "#")), !math.IsInf(f, 0) && !math.IsNaN(f))
	return nil
}

func (p *percent) sign(neg bool) string {
	switch {
	case neg:
		return "-"
	case strings.Contains(p.flags, "+"):
		return "+"
	case strings.Contains(p.flags, " "):
		return " "
	}
	return ""
}

func (p *percent) pad(sign, body string, zero bool) {
	k := p.width - utf8.RuneCountInString(sign) - utf8.RuneCountInString(body)
	switch {
	case k <= 0:
		p.b.WriteString(sign + body)
	case strings.Contains(p.flags, "-"):
		p.b.WriteString(sign + body + strings.Repeat(" ", k))
	case zero && strings.Contains(p.flags, "0"):
		p.b.WriteString(sign + strings.Repeat("0", k) + body)
	default:
		p.b.WriteString(strings.Repeat(" ", k) + sign + body)
	}
}

// FormatFloat writes a number that is not negative with one of the verbs e E f F g G; alt
// keeps the point and trailing zeros.
func FormatFloat(f float64, verb byte, prec int, alt bool) string {
	upper := verb >= 'A' && verb <= 'Z'
	var s string
	switch {
	case math.IsInf(f, 0):
		s = "inf"
	case math.IsNaN(f):
		s = "nan"
	case verb|0x20 == 'g':
		s = formatGeneral(f, prec, alt)
	default:
		s = strconv.FormatFloat(f, verb|0x20, prec, 64)
		if alt && prec == 0 {
			if k := strings.IndexByte(s, 'e'); k >= 0 {
				s = s[:k] + "." + s[k:]
			} else {
				s += "."
			}
		}
	}
	if upper {
		s = strings.ToUpper(s)
	}
	return s
}

func formatGeneral(f float64, prec int, alt bool) string {
	prec = max(prec, 1)
	s := strconv.FormatFloat(f, 'e', prec-1, 64)
	k := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[k+1:])
	tail := ""
	if exp < -4 || exp >= prec {
		s, tail = s[:k], s[k:]
	} else {
		s = strconv.FormatFloat(f, 'f', max(prec-1-exp, 0), 64)
	}
	if alt {
		if !strings.Contains(s, ".") {
			s += "."
		}
	} else if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + tail
}
