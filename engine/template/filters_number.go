package template

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"

	"fettle/engine/value"
)

func init() {
	RegisterFilter("int", filterInt)
	RegisterFilter("float", filterFloat)
	RegisterFilter("round", filterRound)
	RegisterFilter("abs", filterAbs)
	RegisterFilter("filesizeformat", filterFileSize)
}

var intSig = NewSig("int(value, default=0, base=10)")

func filterInt(c *Call) (value.Value, error) {
	a, err := c.Bind(intSig)
	if err != nil {
		return nil, err
	}
	if b, ok := a[0].([]byte); ok {
		a[0] = numberText(b)
	}
	switch x := a[0].(type) {
	case int64, *big.Int:
		return x, nil
	case bool:
		i, _ := value.Int(x)
		return i, nil
	case float64:
		if i, ok := truncate(x); ok {
			return i, nil
		}
		if math.IsInf(x, 0) {
			return nil, fmt.Errorf("cannot convert float infinity to integer")
		}
	case string:
		base, ok := value.Int(a[2])
		if ok = ok && base >= 0 && base != 1 && base <= 36; ok {
			if i, ok := value.ParseInt(x, int(base)); ok {
				return i, nil
			}
		}
		if f, ok := value.ParseFloat(x); ok {
			if i, ok := truncate(f); ok {
				return i, nil
			}
			if c.Compat().Old() && math.IsInf(f, 0) {
				return nil, fmt.Errorf("cannot convert float infinity to integer")
			}
		}
	}
	return a[1], nil
}

func truncate(f float64) (value.Value, bool) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, false
	}
	b, _ := big.NewFloat(math.Trunc(f)).Int(nil)
	return value.FromBig(b), true
}

// numberText is the text of bytes that may be a number: only ASCII is.
func numberText(b []byte) string {
	if bytes.ContainsFunc(b, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return ""
	}
	return string(b)
}

var floatSig = NewSig("float(value, default=0.0)")

func filterFloat(c *Call) (value.Value, error) {
	a, err := c.Bind(floatSig)
	if err != nil {
		return nil, err
	}
	switch x := a[0].(type) {
	case []byte:
		if f, ok := value.ParseFloat(numberText(x)); ok {
			return f, nil
		}
	case string:
		if f, ok := value.ParseFloat(x); ok {
			return f, nil
		}
	default:
		if value.IsNumber(x) {
			if f := value.Float(x); !math.IsInf(f, 0) || isFloat(x) {
				return f, nil
			}
			return nil, fmt.Errorf("int too large to convert to float")
		}
	}
	return a[1], nil
}

func isFloat(v value.Value) bool { _, ok := v.(float64); return ok }

var roundSig = NewSig("round(value, precision=0, method='common')")

func filterRound(c *Call) (value.Value, error) {
	a, err := c.Bind(roundSig)
	if err != nil {
		return nil, err
	}
	method := value.Str(a[2])
	if method != "common" && method != "ceil" && method != "floor" {
		return nil, fmt.Errorf("method must be common, ceil or floor")
	}
	digits, ok := value.Int(a[1])
	if !ok {
		return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(a[1]))
	}
	if !value.IsNumber(a[0]) {
		if method == "common" {
			return nil, fmt.Errorf("type %s doesn't define __round__ method", value.TypeName(a[0]))
		}
		return nil, fmt.Errorf("must be real number, not %s", value.TypeName(a[0]))
	}
	if method == "common" {
		return Round(a[0], digits)
	}
	scale, err := value.Pow(int64(10), digits)
	if err != nil {
		return nil, err
	}
	x, err := value.Mul(a[0], scale)
	if err != nil {
		return nil, err
	}
	f := math.Ceil
	if method == "floor" {
		f = math.Floor
	}
	if isFloat(x) {
		i, ok := truncate(f(x.(float64)))
		if !ok {
			return nil, fmt.Errorf("cannot convert float to integer")
		}
		x = i
	}
	return value.Div(x, scale)
}

// Round is Python's round(v, digits).
func Round(v value.Value, digits int64) (value.Value, error) {
	f, ok := v.(float64)
	if !ok {
		return roundInt(value.Big(v), digits)
	}
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f) || digits > 400:
		return f, nil
	case digits < -400:
		return math.Copysign(0, f), nil
	case digits >= 0:
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
		return r, nil
	}
	// Negative digits: round the exact value to a multiple of a power of ten, ties to even.
	whole, _ := new(big.Float).SetFloat64(f).Rat(nil)
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil))
	q := roundRat(new(big.Rat).Quo(whole, p))
	r, _ := new(big.Rat).Mul(new(big.Rat).SetInt(q), p).Float64()
	return math.Copysign(r, f), nil
}

func roundInt(b *big.Int, digits int64) (value.Value, error) {
	if digits >= 0 {
		return value.FromBig(b), nil
	}
	if -digits > int64(b.BitLen())+1 {
		return int64(0), nil
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil)
	q := roundRat(new(big.Rat).SetFrac(b, p))
	return value.FromBig(q.Mul(q, p)), nil
}

// roundRat rounds half to even.
func roundRat(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	switch m.Lsh(m, 1).Cmp(r.Denom()) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
	}
	return q
}

func filterAbs(c *Call) (value.Value, error) {
	switch x := c.Args[0].(type) {
	case float64:
		return math.Abs(x), nil
	case int64, bool, *big.Int:
		b := value.Big(x)
		return value.FromBig(new(big.Int).Abs(b)), nil
	}
	return nil, fmt.Errorf("bad operand type for abs(): '%s'", value.TypeName(c.Args[0]))
}

var fileSizeSig = NewSig("filesizeformat(value, binary=False)")

func filterFileSize(c *Call) (value.Value, error) {
	a, err := c.Bind(fileSizeSig)
	if err != nil {
		return nil, err
	}
	f := value.Float(a[0])
	if s, ok := a[0].(string); ok {
		if f, ok = value.ParseFloat(s); !ok {
			return nil, fmt.Errorf("could not convert string to float: %s", value.Repr(s))
		}
	} else if !value.IsNumber(a[0]) {
		return nil, fmt.Errorf("float() argument must be a string or a real number, not '%s'", value.TypeName(a[0]))
	}
	binary, err := value.Truth(a[1])
	if err != nil {
		return nil, err
	}
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if binary {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if f == 1 {
		return "1 Byte", nil
	}
	if f < base {
		return value.Fixed(math.Trunc(f)+0, 0) + " Bytes", nil // + 0: no sign of zero
	}
	for i, u := range units {
		unit := math.Pow(base, float64(i+2))
		if f < unit || i == len(units)-1 {
			return value.Fixed(base*f/unit, 1) + " " + u, nil
		}
	}
	return nil, nil
}
