package value

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxBits bounds the size of integers that ** and << style growth may reach.
const maxBits = 1 << 20

// IsNumber tells that v is a bool, int or float.
func IsNumber(v Value) bool {
	switch v.(type) {
	case bool, int64, float64, *big.Int:
		return true
	}
	return false
}

// Int returns v as an int64: an int or a bool that fits.
func Int(v Value) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case *Secret:
		return Int(x.V)
	}
	return 0, false
}

// Float returns a number as a float64; NaN when it is none.
func Float(v Value) float64 {
	switch x := v.(type) {
	case bool:
		if x {
			return 1
		}
		return 0
	case int64:
		return float64(x)
	case float64:
		return x
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	}
	return math.NaN()
}

// Big returns an int or bool as a big integer, nil for anything else.
func Big(v Value) *big.Int {
	switch x := v.(type) {
	case bool:
		if x {
			return big.NewInt(1)
		}
		return new(big.Int)
	case int64:
		return big.NewInt(x)
	case *big.Int:
		return x
	}
	return nil
}

// FromBig is b as a Value: int64 when it fits.
func FromBig(b *big.Int) Value {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}

// ParseInt reads text as Python's int(text, base) does; base 0 takes the prefix.
func ParseInt(text string, base int) (Value, bool) {
	s := strings.TrimFunc(text, IsSpace)
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if len(s) > 1 && s[0] == '0' {
		p := 0
		switch s[1] | 0x20 {
		case 'x':
			p = 16
		case 'o':
			p = 8
		case 'b':
			p = 2
		}
		if p != 0 && (base == p || base == 0) {
			s, base = s[2:], p
			s = strings.TrimPrefix(s, "_")
		}
	}
	if base == 0 {
		if len(s) > 1 && s[0] == '0' && strings.Trim(s, "0_") != "" {
			return nil, false
		}
		base = 10
	}
	if s == "" || s[0] == '_' || s[0] == '-' || s[0] == '+' || strings.HasSuffix(s, "_") || strings.Contains(s, "__") || len(s) > 5000 {
		return nil, false
	}
	s = asciiDigits(strings.ReplaceAll(s, "_", ""))
	b, ok := new(big.Int).SetString(s, base)
	if !ok {
		return nil, false
	}
	if neg {
		b.Neg(b)
	}
	return FromBig(b), true
}

// ParseFloat reads text as Python's float(text) does.
func ParseFloat(text string) (float64, bool) {
	s := strings.ToLower(asciiDigits(strings.TrimFunc(text, IsSpace)))
	switch strings.TrimLeft(s, "+-") {
	case "inf", "infinity", "nan":
		if len(s)-len(strings.TrimLeft(s, "+-")) > 1 {
			return 0, false
		}
	default:
		if strings.ContainsAny(s, "xpin") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") ||
			strings.Contains(s, "_.") || strings.Contains(s, "._") || strings.Contains(s, "e_") || strings.Contains(s, "_e") {
			return 0, false
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// asciiDigits maps the decimal digits of other scripts to 0-9, as Python's int does.
func asciiDigits(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.Map(func(r rune) rune {
				if d := DigitValue(r); r >= 0x80 && d >= 0 {
					return rune('0' + d)
				}
				return r
			}, s)
		}
	}
	return s
}

func unsupported(op string, a, b Value) error {
	for _, v := range []Value{a, b} {
		if u, ok := v.(*Undefined); ok {
			return &UndefinedError{u}
		}
	}
	return fmt.Errorf("unsupported operand type(s) for %s: '%s' and '%s'", op, TypeName(a), TypeName(b))
}

// unwrap2 strips Text and Secret from two operands; secret tells that one was secret.
func unwrap2(a, b Value) (x, y Value, again, secret bool) {
	x, a1, s1 := unwrap(a)
	y, a2, s2 := unwrap(b)
	return x, y, a1 || a2, s1 || s2
}

func unwrap(v Value) (x Value, changed, secret bool) {
	switch t := v.(type) {
	case Text:
		return string(t), true, false
	case Markup:
		return string(t), true, false
	case *Secret:
		x, _, _ = unwrap(t.V)
		return x, true, true
	}
	return v, false, false
}

// Mark wraps v in a Secret when secret is true; None, booleans, undefined values and what is
// secret already are returned as they are.
func Mark(v Value, secret bool) Value {
	if !secret {
		return v
	}
	switch v.(type) {
	case nil, bool, *Undefined, *Secret, OmitType, Object, Callable:
		return v
	}
	return &Secret{v}
}

// Operand is an Object that takes part in arithmetic: it stands left of other, or right of it
// when reversed. ok is false when it cannot.
type Operand interface {
	Operate(op string, other Value, reversed bool) (r Value, ok bool, err error)
}

// Binary applies one of + - * / // % ** as Python does.
func Binary(op string, a, b Value) (Value, error) {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			if v, ok := smallInt(op, x, y); ok {
				return v, nil
			}
		}
	}
	if IsMarkup(a) || IsMarkup(b) {
		if x, y, ok := markupOperands(op, a, b); ok {
			r, err := Binary(op, x, y)
			return AsMarkup(r), err
		}
	}
	if x, y, again, secret := unwrap2(a, b); again {
		r, err := Binary(op, x, y)
		return Mark(r, secret), err
	}
	if IsNumber(a) && IsNumber(b) {
		return arithmetic(op, a, b)
	}
	if o, ok := a.(Operand); ok {
		if r, ok, err := o.Operate(op, b, false); ok || err != nil {
			return r, err
		}
	}
	if o, ok := b.(Operand); ok {
		if r, ok, err := o.Operate(op, a, true); ok || err != nil {
			return r, err
		}
	}
	switch op {
	case "+":
		return concat(a, b)
	case "*":
		return multiply(a, b)
	case "-":
		if x, ok := a.(*Set); ok {
			if y, ok := b.(*Set); ok {
				return x.minus(y), nil
			}
		}
	case "%":
		switch x := a.(type) {
		case string:
			return Percent(x, b)
		case []byte:
			r, err := Percent(string(x), b)
			if err != nil {
				return nil, err
			}
			return []byte(Str(r)), nil
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	return nil, unsupported(op, a, b)
}

// Add is a + b.
func Add(a, b Value) (Value, error) { return Binary("+", a, b) }

// Mul is a * b.
func Mul(a, b Value) (Value, error) { return Binary("*", a, b) }

// Div is a / b.
func Div(a, b Value) (Value, error) { return Binary("/", a, b) }

// Mod is a % b, also for formatting text.
func Mod(a, b Value) (Value, error) { return Binary("%", a, b) }

// Pow is a ** b.
func Pow(a, b Value) (Value, error) { return Binary("**", a, b) }

// Neg is -v.
func Neg(v Value) (Value, error) {
	switch x := v.(type) {
	case int64:
		if x != math.MinInt64 {
			return -x, nil
		}
	case float64:
		return -x, nil
	case *Undefined:
		return nil, &UndefinedError{x}
	case *Secret:
		r, err := Neg(x.V)
		return Mark(r, true), err
	}
	if b := Big(v); b != nil {
		return FromBig(new(big.Int).Neg(b)), nil
	}
	return nil, fmt.Errorf("bad operand type for unary -: '%s'", TypeName(v))
}

// Pos is +v.
func Pos(v Value) (Value, error) {
	switch x := v.(type) {
	case bool:
		i, _ := Int(x)
		return i, nil
	case int64, float64, *big.Int:
		return v, nil
	case *Undefined:
		return nil, &UndefinedError{x}
	case *Secret:
		r, err := Pos(x.V)
		return Mark(r, true), err
	}
	return nil, fmt.Errorf("bad operand type for unary +: '%s'", TypeName(v))
}

func smallInt(op string, x, y int64) (Value, bool) {
	switch op {
	case "+":
		s := x + y
		return s, (s > x) == (y > 0)
	case "-":
		s := x - y
		return s, (s < x) == (y > 0)
	case "*":
		if x == 0 || y == 0 {
			return int64(0), true
		}
		p := x * y
		return p, p/y == x && !(x == -1 && y == math.MinInt64) && !(y == -1 && x == math.MinInt64)
	case "//":
		if y == 0 || y == -1 {
			return nil, false
		}
		q := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			q--
		}
		return q, true
	case "%":
		if y == 0 || y == -1 {
			return nil, false
		}
		m := x % y
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m, true
	}
	return nil, false
}

func arithmetic(op string, a, b Value) (Value, error) {
	_, fa := a.(float64)
	_, fb := b.(float64)
	if fa || fb {
		for _, v := range []Value{a, b} {
			if x, ok := v.(*big.Int); ok && math.IsInf(Float(x), 0) {
				return nil, fmt.Errorf("int too large to convert to float")
			}
		}
		return floatOp(op, Float(a), Float(b))
	}
	return intOp(op, Big(a), Big(b))
}

func floatOp(op string, x, y float64) (Value, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "/":
		if y == 0 {
			return nil, fmt.Errorf("float division by zero")
		}
		return x / y, nil
	case "//":
		if y == 0 {
			return nil, fmt.Errorf("float floor division by zero")
		}
		q, _ := divmod(x, y)
		return q, nil
	case "%":
		if y == 0 {
			return nil, fmt.Errorf("float modulo")
		}
		_, m := divmod(x, y)
		return m, nil
	}
	return floatPow(x, y)
}

// divmod is Python's float divmod.
func divmod(x, y float64) (q, m float64) {
	m = math.Mod(x, y)
	q = (x - m) / y
	if m != 0 {
		if (y < 0) != (m < 0) {
			m += y
			q--
		}
	} else {
		m = math.Copysign(0, y)
	}
	if q != 0 {
		f := math.Floor(q)
		if q-f > 0.5 {
			f++
		}
		return f, m
	}
	return math.Copysign(0, x/y), m
}

func floatPow(x, y float64) (Value, error) {
	if x == 0 && y < 0 {
		return nil, fmt.Errorf("0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(y, 0) {
		return nil, fmt.Errorf("complex results are not supported: %s ** %s", FloatStr(x), FloatStr(y))
	}
	r := PowFloat(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, fmt.Errorf("(34, 'Numerical result out of range')")
	}
	return r, nil
}

func intOp(op string, x, y *big.Int) (Value, error) {
	r := new(big.Int)
	switch op {
	case "+":
		return FromBig(r.Add(x, y)), nil
	case "-":
		return FromBig(r.Sub(x, y)), nil
	case "*":
		if x.BitLen()+y.BitLen() > maxBits {
			return nil, fmt.Errorf("integer is too large")
		}
		return FromBig(r.Mul(x, y)), nil
	case "/":
		return trueDivide(x, y)
	case "//", "%":
		if y.Sign() == 0 {
			if op == "%" {
				return nil, fmt.Errorf("integer modulo by zero")
			}
			return nil, fmt.Errorf("integer division or modulo by zero")
		}
		m := new(big.Int)
		r.QuoRem(x, y, m)
		if m.Sign() != 0 && (m.Sign() < 0) != (y.Sign() < 0) {
			m.Add(m, y)
			r.Sub(r, big.NewInt(1))
		}
		if op == "%" {
			return FromBig(m), nil
		}
		return FromBig(r), nil
	}
	if y.Sign() < 0 {
		return floatPow(Float(FromBig(x)), Float(FromBig(y)))
	}
	if x.IsInt64() && (x.Int64() == 0 || x.Int64() == 1 || x.Int64() == -1) && !y.IsInt64() {
		y = big.NewInt(2 + int64(y.Bit(0)))
	}
	if !y.IsInt64() || x.BitLen() > 1 && float64(x.BitLen())*float64(y.Int64()) > maxBits {
		return nil, fmt.Errorf("integer is too large")
	}
	return FromBig(r.Exp(x, y, nil)), nil
}

func trueDivide(x, y *big.Int) (Value, error) {
	if y.Sign() == 0 {
		return nil, fmt.Errorf("division by zero")
	}
	f, _ := new(big.Rat).SetFrac(x, y).Float64()
	if x.Sign() == 0 && y.Sign() < 0 {
		f = math.Copysign(0, -1)
	}
	if math.IsInf(f, 0) {
		return nil, fmt.Errorf("integer division result too large for a float")
	}
	return f, nil
}

// Fixed is f with so many digits behind the point, as Python writes it.
func Fixed(f float64, digits int) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'f', digits, 64)
}
