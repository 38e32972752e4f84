package value

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxItems bounds lists and MaxText strings that one operation may make (ranges, repetition).
const (
	MaxItems = 1 << 22
	MaxText  = 1 << 26
)

// IsSpace is Python's str.isspace for one character.
func IsSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

// DigitValue is the value of a decimal digit of any script, -1 for anything else.
func DigitValue(r rune) int {
	if r >= '0' && r <= '9' {
		return int(r - '0')
	}
	if r < 0x80 || !unicode.Is(unicode.Nd, r) {
		return -1
	}
	n := 0
	for n < 10 && unicode.Is(unicode.Nd, r-rune(n)) {
		n++
	}
	// Decimal digits come in runs that start at a multiple of ten from the run's start.
	start := r
	for unicode.Is(unicode.Nd, start-1) {
		start--
	}
	return int(r-start) % 10
}

func concat(a, b Value) (Value, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			if len(x)+len(y) > MaxText {
				return nil, fmt.Errorf("text is too large")
			}
			return x + y, nil
		}
		if u, ok := b.(*Undefined); ok {
			return nil, &UndefinedError{u}
		}
		return nil, fmt.Errorf("can only concatenate str (not \"%s\") to str", TypeName(b))
	case *List:
		if y, ok := b.(*List); ok {
			xs, ys := x.Items(), y.Items()
			if len(xs)+len(ys) > MaxItems {
				return nil, fmt.Errorf("list is too large")
			}
			return &List{V: append(append(make([]Value, 0, len(xs)+len(ys)), xs...), ys...)}, nil
		}
		if u, ok := b.(*Undefined); ok {
			return nil, &UndefinedError{u}
		}
		return nil, fmt.Errorf("can only concatenate list (not \"%s\") to list", TypeName(b))
	case Tuple:
		if y, ok := b.(Tuple); ok {
			return append(append(make(Tuple, 0, len(x)+len(y)), x...), y...), nil
		}
		if u, ok := b.(*Undefined); ok {
			return nil, &UndefinedError{u}
		}
		return nil, fmt.Errorf("can only concatenate tuple (not \"%s\") to tuple", TypeName(b))
	case []byte:
		if y, ok := b.([]byte); ok {
			return append(append(make([]byte, 0, len(x)+len(y)), x...), y...), nil
		}
	}
	return nil, unsupported("+", a, b)
}

func multiply(a, b Value) (Value, error) {
	if n, ok := repeatCount(b); ok && !IsNumber(a) {
		return repeat(a, n, b)
	}
	if n, ok := repeatCount(a); ok && !IsNumber(b) {
		return repeat(b, n, a)
	}
	switch a.(type) {
	case string, *List, Tuple:
		if _, ok := b.(*Undefined); !ok {
			return nil, fmt.Errorf("can't multiply sequence by non-int of type '%s'", TypeName(b))
		}
	}
	return nil, unsupported("*", a, b)
}

func repeatCount(v Value) (int64, bool) {
	if _, ok := v.(*big.Int); ok {
		return noCount, true
	}
	return Int(v)
}

// noCount is a count that is no machine word.
const noCount = math.MinInt64

func repeat(v Value, n int64, by Value) (Value, error) {
	if n == noCount {
		return nil, fmt.Errorf("cannot fit 'int' into an index-sized integer")
	}
	n = max(n, 0)
	switch x := v.(type) {
	case string:
		if len(x) > 0 && n > MaxText/int64(len(x)) {
			return nil, fmt.Errorf("text is too large")
		}
		return strings.Repeat(x, int(n*int64(min(len(x), 1)))), nil
	case *List:
		vs, err := repeatItems(x.Items(), n)
		return &List{V: vs}, err
	case Tuple:
		vs, err := repeatItems(x, n)
		return Tuple(vs), err
	case []byte:
		if len(x) > 0 && n > MaxText/int64(len(x)) {
			return nil, fmt.Errorf("bytes are too large")
		}
		return []byte(strings.Repeat(string(x), int(n*int64(min(len(x), 1))))), nil
	}
	return nil, unsupported("*", v, by)
}

func repeatItems(vs []Value, n int64) ([]Value, error) {
	if len(vs) > 0 && n > MaxItems/int64(len(vs)) {
		return nil, fmt.Errorf("list is too large")
	}
	out := make([]Value, 0, int64(len(vs))*n*int64(min(len(vs), 1)))
	if len(vs) == 0 {
		return out, nil
	}
	for range n {
		out = append(out, vs...)
	}
	return out, nil
}

// Len is Python's len(v).
func Len(v Value) (int, error) {
	switch x := v.(type) {
	case string:
		return utf8.RuneCountInString(x), nil
	case Text:
		return utf8.RuneCountInString(string(x)), nil
	case Markup:
		return utf8.RuneCountInString(string(x)), nil
	case *List:
		return len(x.V), nil
	case *Dict:
		return x.Len(), nil
	case Tuple:
		return len(x), nil
	case *Set:
		return x.D.Len(), nil
	case *Range:
		return int(x.Len()), nil
	case []byte:
		return len(x), nil
	case *Secret:
		return Len(x.V)
	case *Undefined:
		if x.Soft {
			return 0, nil
		}
		return 0, &UndefinedError{x}
	case interface{ Len() int }:
		return x.Len(), nil
	}
	return 0, fmt.Errorf("object of type '%s' has no len()", TypeName(v))
}

// Len is the number of items.
func (r *Range) Len() int64 {
	if r.Step > 0 && r.Stop > r.Start {
		return int64((uint64(r.Stop)-uint64(r.Start)-1)/uint64(r.Step)) + 1
	}
	if r.Step < 0 && r.Stop < r.Start {
		return int64((uint64(r.Start)-uint64(r.Stop)-1)/uint64(-r.Step)) + 1
	}
	return 0
}

// At is the i-th number; the caller checks the bounds.
func (r *Range) At(i int64) int64 { return r.Start + i*r.Step }

func (r *Range) items() ([]Value, error) {
	n := r.Len()
	if n > MaxItems || n < 0 {
		return nil, fmt.Errorf("range of %d items is too large", uint64(n))
	}
	out := make([]Value, n)
	for i := range out {
		out[i] = r.At(int64(i))
	}
	return out, nil
}

// Iterable is an Object that can be iterated.
type Iterable interface{ Iterate() ([]Value, error) }

// Iterate returns the items that Python's iter(v) would give. The slice may be v's own and
// must not be changed.
func Iterate(v Value) ([]Value, error) {
	switch x := v.(type) {
	case *List:
		return x.Resolved()
	case Tuple:
		return x, nil
	case *Dict:
		out := make([]Value, x.Len())
		for i, e := range x.Entries() {
			out[i] = e.Key
		}
		return out, nil
	case *Set:
		return Iterate(x.D)
	case string:
		out := make([]Value, 0, len(x))
		for _, r := range x {
			out = append(out, string(r))
		}
		return out, nil
	case Text:
		return Iterate(string(x))
	case Markup:
		return Iterate(string(x))
	case []byte:
		out := make([]Value, len(x))
		for i, c := range x {
			out[i] = int64(c)
		}
		return out, nil
	case *Range:
		return x.items()
	case *Secret:
		return iterateSecret(x)
	case Iterable:
		return x.Iterate()
	case *Undefined:
		if x.Soft {
			return nil, nil
		}
		return nil, &UndefinedError{x}
	}
	return nil, fmt.Errorf("'%s' object is not iterable", TypeName(v))
}

func iterateSecret(s *Secret) ([]Value, error) {
	vs, err := Iterate(s.V)
	if err != nil {
		return nil, err
	}
	out := make([]Value, len(vs))
	for i, v := range vs {
		out[i] = Mark(v, true)
	}
	return out, nil
}

// IsSequence tells that Jinja's sequence test holds: v has a length and items by number.
func IsSequence(v Value) bool {
	switch x := v.(type) {
	case string, Text, Markup, []byte, *List, Tuple, *Dict, *Range:
		return true
	case *Undefined:
		return x.Soft
	case *Secret:
		return IsSequence(x.V)
	}
	return false
}

// Indexable is an Object with items.
type Indexable interface {
	Item(key Value) (Value, bool, error)
}

// Item is v[key] as Python does it; ok is false where Python raises KeyError, IndexError or
// TypeError. The error is that of rendering a lazy item.
func Item(v, key Value) (r Value, ok bool, err error) {
	switch x := v.(type) {
	case *Dict:
		return x.Lookup(key)
	case *List:
		i, ok := index(key, len(x.V))
		if !ok {
			return nil, false, nil
		}
		r, err = x.Item(i)
		return r, true, err
	case Tuple:
		if i, ok := index(key, len(x)); ok {
			return x[i], true, nil
		}
	case string:
		return textItem(x, key)
	case Text:
		return textItem(string(x), key)
	case Markup:
		r, ok, err := textItem(string(x), key)
		return AsMarkup(r), ok, err
	case []byte:
		if i, ok := index(key, len(x)); ok {
			return int64(x[i]), true, nil
		}
	case *Range:
		n := x.Len()
		i, isInt := Int(key)
		if i < 0 {
			i += n
		}
		if isInt && i >= 0 && i < n {
			return x.At(i), true, nil
		}
	case *Secret:
		r, ok, err = Item(x.V, key)
		return Mark(r, true), ok, err
	case Indexable:
		return x.Item(key)
	}
	return nil, false, nil
}

func textItem(s string, key Value) (Value, bool, error) {
	if _, ok := Int(key); !ok {
		return nil, false, nil
	}
	rs := []rune(s)
	if i, ok := index(key, len(rs)); ok {
		return string(rs[i]), true, nil
	}
	return nil, false, nil
}

func index(key Value, n int) (int, bool) {
	i, ok := Int(key)
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok && i >= 0 && i < int64(n)
}

// ErrNoSlice tells that Slice was asked for what Python raises TypeError for.
var ErrNoSlice = errors.New("cannot slice")

// Slice is v[start:stop:step]; nil bounds are left out.
func Slice(v, start, stop, step Value) (Value, error) {
	if x, again, secret := unwrap(v); again {
		r, err := Slice(x, start, stop, step)
		if IsMarkup(v) {
			r = AsMarkup(r)
		}
		return Mark(r, secret), err
	}
	n, err := sliceLen(v)
	if err != nil {
		return nil, err
	}
	idx, err := sliceIndices(n, start, stop, step)
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case string:
		return sliceText(x, idx), nil
	case *List:
		items, err := x.Resolved()
		if err != nil {
			return nil, err
		}
		return &List{V: pick(items, idx)}, nil
	case Tuple:
		return Tuple(pick(x, idx)), nil
	case []byte:
		out := make([]byte, 0, idx.n)
		for i := range idx.n {
			out = append(out, x[idx.at(i)])
		}
		return out, nil
	}
	r := v.(*Range)
	return &Range{r.At(idx.start), r.At(idx.start) + idx.n*idx.step*r.Step, r.Step * idx.step}, nil
}

func sliceLen(v Value) (int64, error) {
	switch x := v.(type) {
	case string, *List, Tuple, []byte:
		n, err := Len(x)
		return int64(n), err
	case *Range:
		return x.Len(), nil
	case *Undefined:
		return 0, &UndefinedError{x}
	case *Dict:
		return 0, fmt.Errorf("%w: unhashable type: 'slice'", ErrNoSlice)
	}
	return 0, fmt.Errorf("%w: '%s' object is not subscriptable", ErrNoSlice, TypeName(v))
}

type indices struct{ start, step, n int64 }

func (x indices) at(i int64) int64 { return x.start + i*x.step }

func pick(vs []Value, x indices) []Value {
	out := make([]Value, x.n)
	for i := range x.n {
		out[i] = vs[x.at(i)]
	}
	return out
}

func sliceText(s string, x indices) string {
	rs := []rune(s)
	out := make([]rune, x.n)
	for i := range x.n {
		out[i] = rs[x.at(i)]
	}
	return string(out)
}

func sliceIndices(n int64, start, stop, step Value) (x indices, err error) {
	bound := func(v Value, dflt int64) (int64, error) {
		switch t := v.(type) {
		case nil:
			return dflt, nil
		case *Undefined:
			return 0, &UndefinedError{t}
		case *big.Int:
			return int64(t.Sign()) << 40, nil
		}
		i, ok := Int(v)
		if !ok {
			return 0, fmt.Errorf("%w: slice indices must be integers or None or have an __index__ method", ErrNoSlice)
		}
		return i, nil
	}
	if x.step, err = bound(step, 1); err != nil {
		return x, err
	}
	if x.step == 0 {
		return x, fmt.Errorf("slice step cannot be zero")
	}
	x.step = max(min(x.step, 1<<40), -1<<40)
	lo, hi := int64(0), n
	first, last := lo, hi
	if x.step < 0 {
		lo, hi = -1, n-1
		first, last = hi, lo
	}
	clamp := func(v Value, dflt int64) (int64, error) {
		i, err := bound(v, dflt)
		if v != nil && i < 0 {
			i += n
		}
		return max(lo, min(i, hi)), err
	}
	if x.start, err = clamp(start, first); err != nil {
		return x, err
	}
	end, err := clamp(stop, last)
	if err != nil {
		return x, err
	}
	switch {
	case x.step > 0 && end > x.start:
		x.n = (end-x.start-1)/x.step + 1
	case x.step < 0 && end < x.start:
		x.n = (x.start-end-1)/-x.step + 1
	}
	return x, nil
}
