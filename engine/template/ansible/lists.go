package ansible

import (
	"errors"
	"fmt"
	"slices"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("flatten(mylist, levels=None, skip_nulls=True)", flattenFilter)
	filter("subelements(obj, subelements, skip_missing=False)", subelementsFilter)
	filter("extract(item, container, morekeys=None)", extract, template.UndefinedArgs, template.Lazy)
	filter("zip(first, *others)", zip, template.UndefinedArgs)
	filter("zip_longest(first, *others, **kw)", zipLongest)
	filter("product(first, *others, **kw)", product)
	filter("permutations(values, r=None)", permutations)
	filter("combinations(values, r)", combinations)
}

const maxElements = value.MaxItems

var errTooMany = errors.New("the result has too many elements")

func flattenFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	levels := int64(-1)
	if a[1] != nil {
		if levels, err = integer(a[1]); err != nil {
			return nil, err
		}
		levels = max(levels, 0)
	}
	out, err := flatten(nil, vs, levels, isTrue(a[2]))
	return list(out), err
}

// flatten unpacks lists in vs, levels deep; a negative number means all.
func flatten(out, vs []value.Value, levels int64, skipNulls bool) ([]value.Value, error) {
	for _, v := range vs {
		if skipNulls && (v == nil || isText(v) && (text(v) == "None" || text(v) == "null")) {
			continue
		}
		if !isSequence(v) || levels == 0 {
			out = append(out, v)
			continue
		}
		inner, err := value.Iterate(v)
		if err != nil {
			return nil, err
		}
		if out, err = flatten(out, inner, levels-1, skipNulls); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func subelementsFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	var elements []value.Value
	var err error
	switch x := a[0].(type) {
	case *value.Dict:
		for _, e := range x.Items() {
			elements = append(elements, e.Value)
		}
	case *value.List:
		elements, err = x.Resolved()
	default:
		err = errors.New("obj must be a list of dicts or a nested dict")
	}
	if err != nil {
		return nil, err
	}
	path, err := subPath(a[1])
	if err != nil {
		return nil, err
	}
	out, err := subelements(elements, path, isTrue(a[2]), false)
	return list(out), err
}

// subPath is the keys that lead to the sublist: a list, or a dotted text.
func subPath(v value.Value) ([]value.Value, error) {
	switch x := v.(type) {
	case *value.List:
		return x.Resolved()
	case string, value.Text, value.Markup:
		var path []value.Value
		for _, p := range splitDots(text(x)) {
			path = append(path, p)
		}
		return path, nil
	}
	return nil, errors.New("subelements must be a list or a string: expects first a dict or a list, second a string pointing to the subkey")
}

// The lookup takes the sublist out of the item it stands in: take does.
func subelements(elements, path []value.Value, skipMissing, take bool) ([]value.Value, error) {
	out := []value.Value{}
	for _, e := range elements {
		sub := e
		found := true
		for _, key := range path {
			d, ok := sub.(*value.Dict)
			if !ok && sub == nil && skipMissing {
				found = false
				break
			}
			if !ok {
				return nil, fmt.Errorf("the key %s should point to a dictionary, got '%s'", text(key), text(sub))
			}
			v, ok, err := d.Lookup(key)
			if err != nil {
				return nil, err
			}
			if !ok {
				found = false
				break
			}
			sub = v
		}
		if !found {
			if skipMissing {
				continue
			}
			return nil, fmt.Errorf("could not find %s key in iterated item '%s'", value.Repr(path[len(path)-1]), value.Repr(e))
		}
		l, ok := sub.(*value.List)
		if !ok {
			return nil, fmt.Errorf("the key %s should point to a list, got '%s'", text(path[len(path)-1]), text(sub))
		}
		vs, err := l.Resolved()
		if err != nil {
			return nil, err
		}
		if take {
			e = without(e, path)
		}
		for _, s := range vs {
			out = append(out, value.Tuple{e, s})
		}
	}
	return out, nil
}

// without is a copy of v that lacks what path leads to.
func without(v value.Value, path []value.Value) value.Value {
	d, ok := v.(*value.Dict)
	if !ok {
		return v
	}
	c := d.Clone()
	if len(path) == 1 {
		c.Delete(path[0])
	} else if inner, ok := c.Get(path[0]); ok {
		_ = c.Set(path[0], without(inner, path[1:]))
	}
	return c
}

// extract does not look at what else the container holds: only a secret that is reached makes
// the result one.
func extract(_ *template.Call, a []value.Value) (value.Value, error) {
	secret := false
	open := func(v value.Value) value.Value {
		s, ok := v.(*value.Secret)
		if !ok {
			return v
		}
		secret = true
		return s.V
	}
	keys := []value.Value{open(a[0])}
	switch m := open(a[2]).(type) {
	case nil:
	case *value.List:
		more, err := m.Resolved()
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	default:
		keys = append(keys, m)
	}
	v := open(a[1])
	for _, k := range keys {
		k = open(k)
		if _, missing := v.(*value.Undefined); missing {
			return v, nil
		}
		next, ok, err := value.Item(v, k)
		if err == nil && !ok {
			next, ok = attr(v, k)
		}
		if err != nil || !ok {
			return &value.Undefined{Name: text(k), Hint: fmt.Sprintf("%s has no attribute %s", value.Repr(value.TypeName(v)+" object"), value.Repr(k))}, nil
		}
		v = open(next)
	}
	return value.Mark(v, secret), nil
}

// attr reads an attribute of an object such as hostvars.
func attr(v, name value.Value) (value.Value, bool) {
	o, ok := v.(value.Object)
	if !ok {
		return nil, false
	}
	r, ok, err := o.Attr(text(name))
	return r, ok && err == nil
}

// columns iterates every argument.
func columns(a []value.Value) ([][]value.Value, error) {
	cols := make([][]value.Value, len(a))
	for i, v := range a {
		var err error
		if cols[i], err = value.Iterate(v); err != nil {
			return nil, err
		}
	}
	return cols, nil
}

func zip(c *template.Call, a []value.Value) (value.Value, error) {
	cols, err := columns(a)
	if err != nil {
		return nil, err
	}
	n := len(cols[0])
	for _, col := range cols {
		n = min(n, len(col))
	}
	for _, col := range cols {
		if len(col) == n {
			break // those before have given one more
		}
		if u, ok := col[n].(*value.Undefined); ok && !u.Soft && !c.Compat().Old() {
			return nil, &value.UndefinedError{Undefined: u}
		}
	}
	return list(rows(cols, n, nil)), nil
}

func zipLongest(c *template.Call, a []value.Value) (value.Value, error) {
	cols, err := columns(a)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, col := range cols {
		n = max(n, len(col))
	}
	fill, _ := c.Keyword("fillvalue")
	return list(rows(cols, n, fill)), nil
}

// rows turns columns into n tuples.
func rows(cols [][]value.Value, n int, fill value.Value) []value.Value {
	out := make([]value.Value, n)
	for i := range n {
		t := make(value.Tuple, len(cols))
		for j, col := range cols {
			if i < len(col) {
				t[j] = col[i]
			} else {
				t[j] = fill
			}
		}
		out[i] = t
	}
	return out
}

func product(c *template.Call, a []value.Value) (value.Value, error) {
	cols, err := columns(a)
	if err != nil {
		return nil, err
	}
	if r, ok := c.Keyword("repeat"); ok {
		n, err := integer(r)
		if err != nil || n < 0 || n > 64 {
			return nil, errors.Join(err, fmt.Errorf("repeat must be between 0 and 64"))
		}
		cols = slices.Repeat(cols, int(n))
	}
	out, err := cartesian(cols)
	return list(out), err
}

// cartesian is every choice of one element per column, the last varying fastest.
func cartesian(cols [][]value.Value) ([]value.Value, error) {
	total := 1
	for _, col := range cols {
		if total *= len(col); total*max(len(cols), 1) > maxElements {
			return nil, errTooMany
		}
	}
	out := make([]value.Value, 0, total)
	if total == 0 {
		return out, nil
	}
	at := make([]int, len(cols))
	for {
		t := make(value.Tuple, len(cols))
		for i, col := range cols {
			t[i] = col[at[i]]
		}
		out = append(out, t)
		i := len(cols) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < len(cols[i]) {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return out, nil
		}
	}
}

func permutations(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	r := int64(len(vs))
	if a[1] != nil {
		if r, err = integer(a[1]); err != nil {
			return nil, err
		}
	}
	out, err := choose(vs, r, false)
	return list(out), err
}

func combinations(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	r, err := integer(a[1])
	if err != nil {
		return nil, err
	}
	out, err := choose(vs, r, true)
	return list(out), err
}

// choose lists the tuples of r elements of vs at different places, in order of place.
func choose(vs []value.Value, r int64, ordered bool) ([]value.Value, error) {
	if r < 0 {
		return nil, errors.New("r must be non-negative")
	}
	out := []value.Value{}
	if r > int64(len(vs)) {
		return out, nil
	}
	used := make([]bool, len(vs))
	pick := make(value.Tuple, 0, r)
	var walk func(from int) error
	walk = func(from int) error {
		if len(pick) == int(r) {
			if len(out)*max(len(pick), 1) >= maxElements {
				return errTooMany
			}
			out = append(out, slices.Clone(pick))
			return nil
		}
		for i := from; i < len(vs); i++ {
			if used[i] {
				continue
			}
			used[i] = true
			pick = append(pick, vs[i])
			next := 0
			if ordered {
				next = i + 1
			}
			if err := walk(next); err != nil {
				return err
			}
			pick = pick[:len(pick)-1]
			used[i] = false
		}
		return nil
	}
	err := walk(0)
	return out, err
}
