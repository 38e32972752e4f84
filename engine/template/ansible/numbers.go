package ansible

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("log(x, base=2.718281828459045)", logFilter)
	filter("pow(x, y)", powFilter)
	filter("root(x, base=2)", rootFilter)
	filter("random(end, start=None, step=None, seed=None)", randomFilter)
	filter("shuffle(mylist, seed=None)", shuffleFilter)
	filter("human_readable(size, isbits=False, unit=None)", humanReadable)
	filter("human_to_bytes(size, default_unit=None, isbits=False)", humanToBytes)
	test("nan isnan", "nan(value)", isNaN)
}

// real reads a number argument of a math function.
func real(v value.Value, name string) (float64, error) {
	if !value.IsNumber(v) {
		return 0, fmt.Errorf("%s() can only be used on numbers: must be real number, not %s", name, value.TypeName(v))
	}
	return value.Float(v), nil
}

func logFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	x, err := real(a[0], "log")
	if err != nil {
		return nil, err
	}
	base, err := real(a[1], "log")
	if err != nil {
		return nil, err
	}
	if x <= 0 || base <= 0 {
		return nil, errors.New("log() can only be used on positive numbers")
	}
	if base == 10 {
		return value.Log10(x), nil
	}
	if base == 1 {
		return nil, errors.New("float division by zero")
	}
	return value.Ln(x) / value.Ln(base), nil
}

func powFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	x, err := real(a[0], "pow")
	if err != nil {
		return nil, err
	}
	y, err := real(a[1], "pow")
	if err != nil {
		return nil, err
	}
	return power(x, y)
}

func power(x, y float64) (value.Value, error) {
	r := value.PowFloat(x, y)
	switch {
	case math.IsNaN(r) && !math.IsNaN(x) && !math.IsNaN(y), x == 0 && y < 0:
		return nil, errors.New("math domain error")
	case math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
		return nil, errors.New("math range error")
	}
	return r, nil
}

func rootFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	x, err := real(a[0], "root")
	if err != nil {
		return nil, err
	}
	base, err := real(a[1], "root")
	if err != nil {
		return nil, err
	}
	if base == 2 {
		if x < 0 {
			return nil, errors.New("root() can only be used on non-negative numbers: math domain error")
		}
		return math.Sqrt(x), nil
	}
	if base == 0 {
		return nil, errors.New("float division by zero")
	}
	return power(x, 1/base)
}

func randomFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	r, err := newRandom(a[3])
	if err != nil {
		return nil, err
	}
	if n, ok := a[0].(int64); ok {
		return randomInt(r, n, a[1], a[2])
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, errors.New("random can only be used on sequences and integers")
	}
	if isTrue(a[1]) || isTrue(a[2]) {
		return nil, errors.New("start and step can only be used with integer values")
	}
	if len(vs) == 0 {
		return nil, errors.New("cannot choose from an empty sequence")
	}
	return vs[below(r, int64(len(vs)))], nil
}

func randomInt(r source, stop int64, first, stride value.Value) (value.Value, error) {
	start, step := int64(0), int64(1)
	var err error
	if isTrue(first) {
		if start, err = integer(first); err != nil {
			return nil, err
		}
	}
	if isTrue(stride) {
		if step, err = integer(stride); err != nil {
			return nil, err
		}
	}
	n := (value.Range{Start: start, Stop: stop, Step: step})
	if n.Len() <= 0 {
		return nil, fmt.Errorf("empty range for randrange() (%d, %d, %d)", start, stop, stop-start)
	}
	return n.At(below(r, n.Len())), nil
}

func shuffleFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return a[0], nil
	}
	r, err := newRandom(a[1])
	if err != nil {
		return nil, err
	}
	return list(shuffled(r, vs)), nil
}

// units in falling size, as Ansible writes them.
var units = []struct {
	letter string
	size   float64
}{
	{"Y", 1 << 80}, {"Z", 1 << 70}, {"E", 1 << 60}, {"P", 1 << 50}, {"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1},
}

func humanReadable(_ *template.Call, a []value.Value) (value.Value, error) {
	if !value.IsNumber(a[0]) {
		return nil, fmt.Errorf("human_readable() failed on bad input: %s is no number", value.Repr(a[0]))
	}
	size := value.Float(a[0])
	base := "Bytes"
	if isTrue(a[1]) {
		base = "bits"
	}
	unit, suffix := 1.0, ""
	for _, u := range units {
		if a[2] == nil && size >= u.size || a[2] != nil && strings.ToUpper(text(a[2])) == u.letter {
			unit, suffix = u.size, u.letter
			break
		}
	}
	if suffix == "B" || suffix == "" {
		suffix = base
	} else {
		suffix += base[:1]
	}
	return value.Fixed(size/unit, 2) + " " + suffix, nil
}

var strictSize = pyre.MustCompile(`^([0-9]*\.?[0-9]+)(?:\s*([A-Za-z]+))?\s*$`, 0)

// looseSize is how sizes were read up to 2.18.
var looseSize = pyre.MustCompile(`^\s*(\d*\.?\d*)\s*([A-Za-z]+)?`, pyre.IgnoreCase)

func humanToBytes(c *template.Call, a []value.Value) (value.Value, error) {
	s := text(a[0])
	form := strictSize
	if c.Compat().Old() {
		form = looseSize
	}
	m, err := form.Search(s)
	if err != nil {
		return nil, err
	}
	fail := fmt.Errorf("human_to_bytes() can't interpret following string: %s", s)
	if m == nil {
		return nil, fail
	}
	num, ok := value.ParseFloat(m.Text(1))
	if !ok {
		return nil, fail
	}
	unit := m.Text(2)
	if unit == "" && a[1] != nil {
		unit = text(a[1])
	}
	if unit == "" {
		return wholeNumber(math.RoundToEven(num)), nil
	}
	size, err := unitSize(unit, isTrue(a[2]), s)
	if err != nil {
		return nil, err
	}
	return wholeNumber(math.RoundToEven(num * size)), nil
}

func wholeNumber(f float64) value.Value {
	if math.Abs(f) < 1<<62 {
		return int64(f)
	}
	b, _ := new(big.Float).SetFloat64(f).Int(nil)
	return value.FromBig(b)
}

func unitSize(unit string, isbits bool, s string) (float64, error) {
	letter := strings.ToUpper(unit[:1])
	for _, u := range units {
		if u.letter != letter {
			continue
		}
		class, sign := "byte", "B"
		if isbits {
			class, sign = "bit", "b"
		}
		if len(unit) == 1 || letter == "B" && strings.EqualFold(unit, class) || unit == letter+sign && letter != "B" {
			return u.size, nil
		}
		if letter == "B" {
			return 0, fmt.Errorf("human_to_bytes() failed to convert %s: the unit must be %s or %s", s, sign, class)
		}
		return 0, fmt.Errorf("human_to_bytes() failed to convert %s: the unit must be %s or %s", s, letter+sign, letter)
	}
	return 0, fmt.Errorf("human_to_bytes() failed to convert %s (unit = %s): the suffix must be one of Y, Z, E, P, T, G, M, K, B", s, unit)
}

func isNaN(_ *template.Call, a []value.Value) (bool, error) {
	f, ok := a[0].(float64)
	if !ok && !value.IsNumber(a[0]) {
		return false, nil
	}
	return math.IsNaN(f), nil
}
