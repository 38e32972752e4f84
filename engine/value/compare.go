package value

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Truth is Python's bool(v).
func Truth(v Value) (bool, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case nil:
		return false, nil
	case string:
		return x != "", nil
	case int64:
		return x != 0, nil
	case *List:
		return len(x.V) > 0, nil
	case *Dict:
		return x.Len() > 0, nil
	case float64:
		return x != 0, nil
	case *big.Int:
		return x.Sign() != 0, nil
	case Tuple:
		return len(x) > 0, nil
	case []byte:
		return len(x) > 0, nil
	case Text:
		return x != "", nil
	case Markup:
		return x != "", nil
	case *Set:
		return x.D.Len() > 0, nil
	case *Range:
		return x.Len() > 0, nil
	case *Secret:
		return Truth(x.V)
	case *Undefined:
		if x.Soft {
			return false, nil
		}
		return false, &UndefinedError{x}
	case interface{ Len() int }:
		return x.Len() > 0, nil
	}
	return true, nil
}

// Equal is Python's a == b.
func Equal(a, b Value) (bool, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return x == y, nil
		}
	case int64:
		if y, ok := b.(int64); ok {
			return x == y, nil
		}
	}
	if x, y, again, _ := unwrap2(a, b); again {
		return Equal(x, y)
	}
	if x, ok := a.(Named); ok {
		return Equal(x.AsTuple(), b)
	}
	if y, ok := b.(Named); ok {
		return Equal(a, y.AsTuple())
	}
	left, aIs := a.(*Undefined)
	right, bIs := b.(*Undefined)
	switch {
	case aIs && !left.Soft:
		return false, &UndefinedError{left}
	case bIs && !right.Soft:
		return false, &UndefinedError{right}
	case aIs || bIs:
		return aIs && bIs, nil
	}
	if IsNumber(a) && IsNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && c == 0, nil
	}
	return equalData(a, b)
}

func equalData(a, b Value) (bool, error) {
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case string, bool, int64, float64, *big.Int:
		return false, nil
	case *List:
		if y, ok := b.(*List); ok {
			if x == y {
				return true, nil
			}
			return equalLists(x, y)
		}
		return false, nil
	case Tuple:
		y, ok := b.(Tuple)
		if !ok {
			return false, nil
		}
		return equalItems(x, y)
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y), nil
	case *Dict:
		if y, ok := b.(*Dict); ok {
			return equalDicts(x, y)
		}
		return false, nil
	case *Set:
		if y, ok := b.(*Set); ok {
			return x.equal(y), nil
		}
		return false, nil
	case Ordered:
		n, ok := x.CompareTo(b)
		return ok && n == 0, nil
	case *Range:
		if y, ok := b.(*Range); ok {
			n := x.Len()
			return n == y.Len() && (n == 0 || x.Start == y.Start && (n == 1 || x.Step == y.Step)), nil
		}
		return false, nil
	}
	if _, ok := b.(Tuple); ok {
		return false, nil
	}
	if _, ok := b.([]byte); ok {
		return false, nil
	}
	return a == b, nil
}

func equalLists(x, y *List) (bool, error) {
	if len(x.V) != len(y.V) {
		return false, nil
	}
	xs, err := x.Resolved()
	if err != nil {
		return false, err
	}
	ys, err := y.Resolved()
	if err != nil {
		return false, err
	}
	return equalItems(xs, ys)
}

func equalItems(a, b []Value) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if eq, err := Equal(a[i], b[i]); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

func equalDicts(x, y *Dict) (bool, error) {
	if x.Len() != y.Len() {
		return false, nil
	}
	for i, e := range x.Entries() {
		w, ok, err := y.Lookup(e.Key)
		if !ok || err != nil {
			return false, err
		}
		v, err := x.valueAt(i)
		if err != nil {
			return false, err
		}
		if eq, err := Equal(v, w); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

// compareNumbers orders two numbers; ok is false when one is NaN.
func compareNumbers(a, b Value) (c int, ok bool) {
	x, fa := a.(float64)
	y, fb := b.(float64)
	switch {
	case fa && fb:
	case fa:
		return compareFloatInt(x, Big(b))
	case fb:
		c, ok = compareFloatInt(y, Big(a))
		return -c, ok
	default:
		i, oka := Int(a)
		j, okb := Int(b)
		if !oka || !okb {
			return Big(a).Cmp(Big(b)), true
		}
		x, y = 0, 0
		if i < j {
			return -1, true
		} else if i > j {
			return 1, true
		}
		return 0, true
	}
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, x == y
}

func compareFloatInt(f float64, i *big.Int) (int, bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case math.IsInf(f, 1):
		return 1, true
	case math.IsInf(f, -1):
		return -1, true
	}
	return new(big.Float).SetFloat64(f).Cmp(new(big.Float).SetInt(i)), true
}

// Ordered is an Object that can be compared; ok is false when it cannot be compared to other.
type Ordered interface {
	CompareTo(other Value) (n int, ok bool)
}

// Order is one of the comparisons < <= > >= applied to a and b.
func Order(op string, a, b Value) (bool, error) {
	if IsNumber(a) && IsNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && holds(op, c), nil
	}
	if x, ok := a.(*Set); ok {
		if y, ok := b.(*Set); ok {
			return x.order(op, y), nil
		}
	}
	c, err := compare(op, a, b)
	return err == nil && holds(op, c), err
}

func holds(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// Named is a tuple with names for its items.
type Named interface{ AsTuple() Tuple }

// Compare orders a and b as sorting does: negative when a < b.
func Compare(a, b Value) (int, error) { return compare("<", a, b) }

func compare(op string, a, b Value) (int, error) {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	}
	if IsNumber(a) && IsNumber(b) {
		c, _ := compareNumbers(a, b)
		return c, nil
	}
	if x, y, again, _ := unwrap2(a, b); again {
		return compare(op, x, y)
	}
	if x, ok := a.(Named); ok {
		a = x.AsTuple()
	}
	if y, ok := b.(Named); ok {
		b = y.AsTuple()
	}
	switch x := a.(type) {
	case Ordered:
		if n, ok := x.CompareTo(b); ok {
			return n, nil
		}
	case *List:
		if y, ok := b.(*List); ok {
			xs, err := x.Resolved()
			if err != nil {
				return 0, err
			}
			ys, err := y.Resolved()
			if err != nil {
				return 0, err
			}
			return compareItems(op, xs, ys)
		}
	case Tuple:
		if y, ok := b.(Tuple); ok {
			return compareItems(op, x, y)
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return bytes.Compare(x, y), nil
		}
	}
	for _, v := range [2]Value{a, b} {
		if u, ok := v.(*Undefined); ok {
			return 0, &UndefinedError{u}
		}
	}
	return 0, fmt.Errorf("'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func compareItems(op string, a, b []Value) (int, error) {
	for i := 0; i < len(a) && i < len(b); i++ {
		if eq, err := Equal(a[i], b[i]); err != nil {
			return 0, err
		} else if !eq {
			return compare(op, a[i], b[i])
		}
	}
	return len(a) - len(b), nil
}

// Contains is Python's item in container.
func Contains(container, item Value) (bool, error) {
	switch c := container.(type) {
	case string:
		switch s := item.(type) {
		case string:
			return strings.Contains(c, s), nil
		case Text:
			return strings.Contains(c, string(s)), nil
		case Markup:
			return strings.Contains(c, string(s)), nil
		case *Secret:
			return Contains(container, s.V)
		case *Undefined:
			return false, &UndefinedError{s}
		}
		return false, fmt.Errorf("'in <string>' requires string as left operand, not %s", TypeName(item))
	case *Dict:
		return dictHas(c, item)
	case *Set:
		return dictHas(c.D, item)
	case Text:
		return Contains(string(c), item)
	case Markup:
		return Contains(string(c), item)
	case *Secret:
		return Contains(c.V, item)
	case []byte:
		return bytesHave(c, item)
	case *Undefined:
		if c.Soft {
			return false, nil
		}
		return false, &UndefinedError{c}
	case *Range:
		if i, ok := Int(item); ok {
			n := c.Len()
			off := i - c.Start
			return n > 0 && off%c.Step == 0 && off/c.Step >= 0 && off/c.Step < n, nil
		}
	case interface {
		Contains(Value) (bool, error)
	}:
		return c.Contains(item)
	}
	items, err := Iterate(container)
	if err != nil {
		return false, fmt.Errorf("argument of type '%s' is not iterable", TypeName(container))
	}
	for _, e := range items {
		if eq, err := Equal(item, e); err != nil || eq {
			return eq, err
		}
	}
	return false, nil
}

func dictHas(d *Dict, item Value) (bool, error) {
	if u, ok := item.(*Undefined); ok {
		if u.Soft {
			return false, nil
		}
		return false, &UndefinedError{u}
	}
	h, err := hashKey(item)
	if err != nil {
		return false, err
	}
	if d == nil {
		return false, nil
	}
	_, ok := d.find(h)
	if more, is := d.Lazy.(Completer); is && !ok {
		if s, isText := item.(string); isText {
			_, ok = more.Missing(s)
		}
	}
	return ok, nil
}

func bytesHave(c []byte, item Value) (bool, error) {
	switch s := item.(type) {
	case []byte:
		return bytes.Contains(c, s), nil
	case int64:
		return s >= 0 && s < 256 && bytes.IndexByte(c, byte(s)) >= 0, nil
	}
	return false, fmt.Errorf("a bytes-like object is required, not '%s'", TypeName(item))
}
