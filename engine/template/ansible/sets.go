package ansible

import (
	"errors"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("union(a, b)", union)
	filter("intersect(a, b)", intersect)
	filter("difference(a, b)", difference)
	filter("symmetric_difference(a, b)", symmetricDifference)
	filter("unique(a, case_sensitive=None, attribute=None)", unique)
	test("subset issubset", "subset(a, b)", func(_ *template.Call, a []value.Value) (bool, error) { return subset(a[0], a[1]) })
	test("superset issuperset", "superset(a, b)", func(_ *template.Call, a []value.Value) (bool, error) { return subset(a[1], a[0]) })
	test("contains", "contains(seq, value)", func(c *template.Call, a []value.Value) (bool, error) {
		if err := c.DefinedElements(a[1]); err != nil {
			return false, err
		}
		return value.Contains(a[0], a[1])
	})
	test("any", "any(seq)", func(_ *template.Call, a []value.Value) (bool, error) { return count(a[0], true) })
	test("all", "all(seq)", func(_ *template.Call, a []value.Value) (bool, error) {
		found, err := count(a[0], false)
		return !found, err
	})
}

// pick is the distinct elements of vs that keep accepts, in order.
func pick(vs []value.Value, keep func(value.Value) (bool, error)) ([]value.Value, error) {
	out := []value.Value{}
	seen := bag{}
	for _, v := range vs {
		ok, err := keep(v)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		fresh, err := seen.add(v)
		if err != nil {
			return nil, err
		}
		if fresh {
			out = append(out, v)
		}
	}
	return out, nil
}

// bag is a set that also takes unhashable values, compared one by one.
type bag struct {
	hashed value.Dict
	rest   []value.Value
}

func (b *bag) has(v value.Value) (bool, error) {
	if b.hashed.Has(v) {
		return true, nil
	}
	return contains(b.rest, v)
}

// add puts v into the bag and tells whether it was new.
func (b *bag) add(v value.Value) (bool, error) {
	if found, err := b.has(v); found || err != nil {
		return false, err
	}
	if b.hashed.Set(v, nil) != nil {
		b.rest = append(b.rest, v)
	}
	return true, nil
}

func newBag(vs []value.Value) (*bag, error) {
	b := &bag{}
	for _, v := range vs {
		if _, err := b.add(v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func both(a []value.Value) (x, y []value.Value, err error) {
	if x, err = value.Iterate(a[0]); err != nil {
		return nil, nil, err
	}
	y, err = value.Iterate(a[1])
	return x, y, err
}

// result is a list; before 2.19 two hashable operands gave a set.
func result(c *template.Call, a []value.Value, vs []value.Value) (value.Value, error) {
	_, t := a[0].(value.Tuple)
	_, u := a[1].(value.Tuple)
	if old(c) && (t || isText(a[0])) && (u || isText(a[1])) {
		return value.NewSet(vs...)
	}
	return list(vs), nil
}

// hashed computes with sets as Python does, whose order shows. Up to 2.18 lists were not made sets.
func hashed(c *template.Call, a, x, y []value.Value, op func(a, b *hashSet) *hashSet) ([]value.Value, bool) {
	_, t := a[0].(value.Tuple)
	_, u := a[1].(value.Tuple)
	if old(c) && !(t && u) {
		return nil, false
	}
	return setOrdered(x, y, op)
}

func union(c *template.Call, a []value.Value) (value.Value, error) {
	x, y, err := both(a)
	if err == nil {
		err = addable(c, a, x, y)
	}
	if err != nil {
		return nil, err
	}
	if vs, ok := hashed(c, a, x, y, (*hashSet).or); ok {
		return result(c, a, vs)
	}
	vs, err := pick(append(append([]value.Value{}, x...), y...), func(value.Value) (bool, error) { return true, nil })
	if err != nil {
		return nil, err
	}
	return result(c, a, vs)
}

// addable is the error of operands that up to 2.18 could not be put together: they were added
// unless both could be hashed.
func addable(c *template.Call, a, x, y []value.Value) error {
	hashable := func(v value.Value) bool {
		_, tuple := v.(value.Tuple)
		return tuple || isText(v)
	}
	switch {
	case old(c) && hashable(a[0]) && hashable(a[1]):
		return nil
	case !old(c):
		all, err := newBag(append(append([]value.Value{}, x...), y...))
		if err != nil || len(all.rest) == 0 {
			return err
		}
	}
	_, err := value.Binary("+", a[0], a[1])
	return err
}

func intersect(c *template.Call, a []value.Value) (value.Value, error) {
	return filtered(c, a, func(in bool) bool { return in }, (*hashSet).and)
}

func difference(c *template.Call, a []value.Value) (value.Value, error) {
	return filtered(c, a, func(in bool) bool { return !in }, (*hashSet).minus)
}

func filtered(c *template.Call, a []value.Value, keep func(in bool) bool, op func(a, b *hashSet) *hashSet) (value.Value, error) {
	x, y, err := both(a)
	if err != nil {
		if vs, bad := value.Iterate(a[0]); bad == nil && len(vs) == 0 { // then nobody looks at the other
			return list([]value.Value{}), nil
		}
		return nil, err
	}
	if vs, ok := hashed(c, a, x, y, op); ok {
		return result(c, a, vs)
	}
	other, err := members(c, a, x, y)
	if err != nil {
		return nil, err
	}
	vs, err := pick(x, func(v value.Value) (bool, error) {
		in, err := other(v)
		return keep(in), err
	})
	if err != nil {
		return nil, err
	}
	return result(c, a, vs)
}

// members tells what is in the second operand. Without hashes, texts are asked whether they
// contain a text.
func members(c *template.Call, a, x, y []value.Value) (func(value.Value) (bool, error), error) {
	other, err := newBag(y)
	if err != nil {
		return nil, err
	}
	_, keys := a[1].(*value.Dict)
	if (isText(a[1]) || keys && !old(c)) && !isText(a[0]) {
		left, err := newBag(x)
		if err != nil {
			return nil, err
		}
		if _, tuple := a[0].(value.Tuple); old(c) && !tuple || len(left.rest) > 0 {
			return func(v value.Value) (bool, error) { return value.Contains(a[1], v) }, nil
		}
	}
	return other.has, nil
}

func old(c *template.Call) bool { return c.Compat().Old() }

func symmetricDifference(c *template.Call, a []value.Value) (value.Value, error) {
	x, y, err := both(a)
	if err == nil {
		err = addable(c, a, x, y)
	}
	if err != nil {
		return nil, err
	}
	if vs, ok := hashed(c, a, x, y, (*hashSet).xor); ok {
		return result(c, a, vs)
	}
	left, err := newBag(x)
	if err != nil {
		return nil, err
	}
	right, err := newBag(y)
	if err != nil {
		return nil, err
	}
	vs, err := pick(append(append([]value.Value{}, x...), y...), func(v value.Value) (bool, error) {
		l, err := left.has(v)
		if err != nil || !l {
			return !l, err
		}
		r, err := right.has(v)
		return !r, err
	})
	if err != nil {
		return nil, err
	}
	return result(c, a, vs)
}

// unique keeps the first of equal elements; case is ignored unless case_sensitive.
func unique(c *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	fold := !isTrue(a[1])
	out := []value.Value{}
	seen := bag{}
	unhashable := false
	for _, v := range vs {
		key := v
		if a[2] != nil {
			if key, err = attribute(v, text(a[2])); err != nil {
				return nil, err
			}
		}
		if fold && isText(key) {
			key = strings.ToLower(text(key))
		}
		fresh, err := seen.add(key)
		if err != nil {
			return nil, err
		}
		unhashable = unhashable || len(seen.rest) > 0
		if fresh {
			out = append(out, v)
		}
	}
	if !unhashable {
		return list(out), nil
	}
	if a[2] != nil || a[1] != nil && fold {
		return nil, errors.New("unique cannot compare unhashable elements with an attribute or without case, and cannot fall back to a comparison without them")
	}
	out, err = pick(vs, func(value.Value) (bool, error) { return true, nil })
	return list(out), err
}

// attribute follows a dotted path of names and indexes.
func attribute(v value.Value, path string) (value.Value, error) {
	for part := range strings.SplitSeq(path, ".") {
		var key value.Value = part
		if n, err := integer(part); err == nil && part != "" && part[0] != '-' {
			key = n
		}
		next, ok, err := value.Item(v, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return &value.Undefined{Name: part}, nil
		}
		v = next
	}
	return v, nil
}

func subset(a, b value.Value) (bool, error) {
	x, y, err := both([]value.Value{a, b})
	if err != nil {
		return false, err
	}
	if _, err := value.NewSet(x...); err != nil {
		return false, err
	}
	big, err := value.NewSet(y...)
	if err != nil {
		return false, err
	}
	for _, v := range x {
		if !big.D.Has(v) {
			return false, nil
		}
	}
	return true, nil
}

// count tells whether an element with that truth exists.
func count(v value.Value, want bool) (bool, error) {
	vs, err := value.Iterate(v)
	if err != nil {
		return false, err
	}
	for _, e := range vs {
		b, err := truth(e)
		if err != nil {
			return false, err
		}
		if b == want {
			return true, nil
		}
	}
	return false, nil
}
