package template

import (
	"fmt"
	"strconv"
	"strings"

	"fettle/engine/value"
)

// Filters over sequences. They take lazy containers and touch only what they need.

func init() {
	for name, f := range map[string]Filter{
		"first": filterFirst, "last": filterLast, "length": filterLength, "count": filterLength, "list": filterList,
		"join": filterJoin, "reverse": filterReverse, "sort": filterSort, "sum": filterSum, "min": filterMin, "max": filterMax,
		"batch": filterBatch, "slice": filterSlice, "groupby": filterGroupBy, "map": filterMap,
		"select": filterSelect(true, false), "reject": filterSelect(false, false),
		"selectattr": filterSelect(true, true), "rejectattr": filterSelect(false, true),
		"attr": filterAttr, "items": filterItems, "dictsort": filterDictSort,
	} {
		traits := Lazy
		if name == "items" {
			traits |= OldUndefined
		}
		if name == "map" || name == "groupby" {
			traits |= OldUndefinedArgs
		}
		RegisterFilter(name, f, traits)
	}
	RegisterFilter("default", filterDefault, Lazy, Undefined, UndefinedArgs)
	RegisterFilter("d", filterDefault, Lazy, Undefined, UndefinedArgs)
}

var defaultSig = NewSig("default(value, default_value='', boolean=False)")

func filterDefault(c *Call) (value.Value, error) {
	a, err := c.Bind(defaultSig)
	if err != nil {
		return nil, err
	}
	if u, ok := a[0].(*value.Undefined); ok && (!u.Soft || c.Compat() != V219) {
		return a[1], nil
	}
	if b, err := value.Truth(a[2]); err != nil || !b {
		return a[0], err
	}
	if t, err := value.Truth(a[0]); err != nil || t {
		return a[0], err
	}
	return a[1], nil
}

func filterFirst(c *Call) (value.Value, error) {
	switch x := c.Args[0].(type) {
	case *value.List:
		if len(x.V) > 0 {
			return x.Item(0)
		}
	case string:
		for _, r := range x {
			return string(r), nil
		}
	case *value.Range:
		if x.Len() > 0 {
			return x.Start, nil
		}
	default:
		vs, err := value.Iterate(x)
		if err != nil || len(vs) > 0 {
			return head(vs), err
		}
	}
	return &value.Undefined{Name: "first", Hint: "No first item, sequence was empty."}, nil
}

func head(vs []value.Value) value.Value {
	if len(vs) == 0 {
		return nil
	}
	return vs[0]
}

func filterLast(c *Call) (value.Value, error) {
	switch x := c.Args[0].(type) {
	case *value.List:
		if n := len(x.V); n > 0 {
			return x.Item(n - 1)
		}
	case *value.Range:
		if n := x.Len(); n > 0 {
			return x.At(n - 1), nil
		}
	default:
		vs, err := value.Iterate(x)
		if err != nil {
			return nil, err
		}
		if len(vs) > 0 {
			return vs[len(vs)-1], nil
		}
	}
	return &value.Undefined{Name: "last", Hint: "No last item, sequence was empty."}, nil
}

func filterLength(c *Call) (value.Value, error) {
	n, err := value.Len(c.Args[0])
	if err != nil {
		return nil, err
	}
	return int64(n), nil
}

func filterList(c *Call) (value.Value, error) {
	vs, err := value.Iterate(c.Args[0])
	if err != nil {
		return nil, err
	}
	l := &value.List{V: append([]value.Value{}, vs...)}
	if u := undefinedIn(l); u != nil && !c.Compat().Old() {
		return u, nil
	}
	return l, nil
}

// attrGetter returns a function that follows an attribute as filters take it: dotted text,
// numbers in it are indices.
func attrGetter(attr, dflt value.Value) func(value.Value) (value.Value, error) {
	if attr == nil {
		return itself
	}
	return partsGetter(attr, dflt)
}

func partsGetter(attr, dflt value.Value) func(value.Value) (value.Value, error) {
	var parts []value.Value
	switch x := attr.(type) {
	case string:
		if x != "" && (x[0] < '0' || x[0] > '9') && strings.IndexByte(x, '.') < 0 {
			parts = []value.Value{attr}
			break
		}
		for p := range strings.SplitSeq(x, ".") {
			if i, err := strconv.ParseInt(p, 10, 64); err == nil && p[0] != '-' && p[0] != '+' {
				parts = append(parts, i)
			} else {
				parts = append(parts, p)
			}
		}
	default:
		parts = []value.Value{attr}
	}
	return func(v value.Value) (value.Value, error) {
		for _, p := range parts {
			r, err := getItem(v, p)
			if err != nil {
				return nil, err
			}
			if _, ok := r.(*value.Undefined); ok && dflt != nil {
				r = dflt
			}
			v = r
		}
		return v, nil
	}
}

func itself(v value.Value) (value.Value, error) { return v, nil }

func foldCase(v value.Value) value.Value {
	switch s := v.(type) {
	case string:
		if l := lower(s); l != s {
			return l
		}
		return v
	case value.Text:
		return lower(string(s))
	case value.Markup:
		return lower(string(s))
	case *value.Secret:
		return foldCase(s.V)
	case *group:
		return s.t
	}
	return v
}

var joinSig = NewSig("join(value, d='', attribute=None)")

func filterJoin(c *Call) (value.Value, error) {
	a, err := c.Bind(joinSig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	get := attrGetter(a[2], nil)
	sep, secret, err := c.text(a[1])
	if err != nil {
		return nil, err
	}
	b := c.C.scratch()
	for i, v := range vs {
		if v, err = get(v); err != nil {
			return nil, err
		}
		s, sec, err := c.text(v)
		if err != nil {
			return nil, err
		}
		secret = secret || sec
		if i > 0 {
			b = append(b, sep...)
		}
		b = append(b, s...)
		if len(b) > value.MaxText {
			return nil, &limitError{"the text is too large"}
		}
	}
	c.C.keepScratch(b)
	return value.Mark(string(b), secret), nil
}

// text is str(v), with None as "None".
func (c *Call) text(v value.Value) (string, bool, error) {
	if v == nil {
		return "None", false, nil
	}
	if c.C == nil {
		return value.Str(v), false, nil
	}
	return c.C.text(v)
}

func filterReverse(c *Call) (value.Value, error) {
	v := c.Args[0]
	if t, ok := v.(value.Text); ok {
		v = string(t)
	}
	if m, ok := v.(value.Markup); ok {
		return value.Slice(m, nil, nil, int64(-1))
	}
	if s, ok := v.(string); ok {
		return value.Slice(s, nil, nil, int64(-1))
	}
	vs, err := value.Iterate(v)
	if err != nil {
		return nil, fmt.Errorf("argument must be iterable")
	}
	out := make([]value.Value, len(vs))
	for i, e := range vs {
		out[len(vs)-1-i] = e
	}
	return &value.List{V: out}, nil
}

var sortSig = NewSig("sort(value, reverse=False, case_sensitive=False, attribute=None)")

var sumSig = NewSig("sum(iterable, attribute=None, start=0)")

func filterSum(c *Call) (value.Value, error) {
	a, err := c.Bind(sumSig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	get := attrGetter(a[1], nil)
	if s, ok := a[2].(string); ok {
		return nil, fmt.Errorf("sum() can't sum strings [use ''.join(seq) instead]: %s", value.Repr(s))
	}
	total := a[2]
	for _, v := range vs {
		if v, err = get(v); err != nil {
			return nil, err
		}
		if total, err = value.Add(total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

var minSig = NewSig("min(value, case_sensitive=False, attribute=None)")

func filterMin(c *Call) (value.Value, error) { return extreme(c, 1) }
func filterMax(c *Call) (value.Value, error) { return extreme(c, -1) }

func extreme(c *Call, sign int) (value.Value, error) {
	a, err := c.Bind(minSig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	if len(vs) == 0 {
		return &value.Undefined{Name: "item", Hint: "No aggregated item, sequence was empty."}, nil
	}
	cased, err := value.Truth(a[1])
	if err != nil {
		return nil, err
	}
	get := attrGetter(a[2], nil)
	key := func(v value.Value) (value.Value, error) {
		k, err := get(v)
		if !cased {
			k = foldCase(k)
		}
		return k, err
	}
	key = c.definedKey(key)
	best := vs[0]
	bestKey, err := key(best)
	for _, v := range vs[1:] {
		if err != nil {
			return nil, err
		}
		var k value.Value
		if k, err = key(v); err != nil {
			return nil, err
		}
		var n int
		if n, err = value.Compare(k, bestKey); err == nil && n*sign < 0 {
			best, bestKey = v, k
		}
	}
	return best, err
}

var batchSig = NewSig("batch(value, linecount, fill_with=None)")

func filterBatch(c *Call) (value.Value, error) {
	a, err := c.Bind(batchSig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	n, ok := value.Int(a[1])
	if !ok {
		return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(a[1]))
	}
	if a[2] != nil && n > value.MaxItems {
		return nil, &limitError{"the batch is too large"}
	}
	out := &value.List{V: []value.Value{}}
	row := []value.Value{}
	for _, v := range vs {
		if int64(len(row)) == n {
			out.V = append(out.V, &value.List{V: row})
			row = []value.Value{}
		}
		row = append(row, v)
	}
	if len(row) > 0 {
		for a[2] != nil && int64(len(row)) < n {
			row = append(row, a[2])
		}
		out.V = append(out.V, &value.List{V: row})
	}
	return out, nil
}

var sliceSig = NewSig("slice(value, slices, fill_with=None)")

func filterSlice(c *Call) (value.Value, error) {
	a, err := c.Bind(sliceSig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	n64, ok := value.Int(a[1])
	switch {
	case !ok:
		return nil, fmt.Errorf("unsupported operand type(s) for //: 'int' and '%s'", value.TypeName(a[1]))
	case n64 == 0:
		return nil, fmt.Errorf("integer division or modulo by zero")
	case n64 > value.MaxItems:
		return nil, &limitError{"there are too many slices"}
	}
	n := int(max(n64, 0))
	out := &value.List{V: []value.Value{}}
	if n == 0 {
		return out, nil
	}
	per, extra, at := len(vs)/n, len(vs)%n, 0
	for i := range n {
		size := per
		if i < extra {
			size++
		}
		row := append([]value.Value{}, vs[at:at+size]...)
		at += size
		if a[2] != nil && i >= extra {
			row = append(row, a[2])
		}
		out.V = append(out.V, &value.List{V: row})
	}
	return out, nil
}

// group is an element of groupby's result: a pair with names.
type group struct{ t value.Tuple }

func (g *group) TypeName() string                              { return "_GroupTuple" }
func (g *group) String() string                                { return value.Repr(g.t) }
func (g *group) Iterate() ([]value.Value, error)               { return g.t, nil }
func (g *group) AsTuple() value.Tuple                          { return g.t }
func (g *group) Len() int                                      { return len(g.t) }
func (g *group) Item(k value.Value) (value.Value, bool, error) { return value.Item(g.t, k) }

func (g *group) Attr(n string) (value.Value, bool, error) {
	switch n {
	case "grouper":
		return g.t[0], true, nil
	case "list":
		return g.t[1], true, nil
	}
	return nil, false, nil
}

var groupBySig = NewSig("groupby(value, attribute, default=None, case_sensitive=False)")

func filterGroupBy(c *Call) (value.Value, error) {
	a, err := c.Bind(groupBySig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	cased, err := value.Truth(a[3])
	if err != nil {
		return nil, err
	}
	get := attrGetter(a[1], a[2])
	key := func(v value.Value) (value.Value, error) {
		k, err := get(v)
		if !cased {
			k = foldCase(k)
		}
		return k, err
	}
	sorted, err := Sort(vs, key, false)
	if err != nil {
		return nil, err
	}
	out := &value.List{V: []value.Value{}}
	var members *value.List
	var last value.Value
	for _, v := range sorted {
		k, _ := key(v)
		if members != nil {
			if eq, err := value.Equal(k, last); err != nil {
				return nil, err
			} else if eq {
				members.V = append(members.V, v)
				continue
			}
		}
		name, _ := get(v)
		if u, ok := name.(*value.Undefined); ok {
			return nil, &value.UndefinedError{Undefined: u}
		}
		last, members = k, &value.List{V: []value.Value{v}}
		out.V = append(out.V, &group{value.Tuple{name, members}})
	}
	return out, nil
}

func filterAttr(c *Call) (value.Value, error) {
	if len(c.Args) != 2 {
		return nil, fmt.Errorf("attr() takes exactly 2 arguments (%d given)", len(c.Args))
	}
	name := value.Str(c.Args[1])
	v := c.Args[0]
	if o, ok := v.(value.Object); ok {
		if r, ok, err := o.Attr(name); ok || err != nil {
			return r, err
		}
	}
	if hasMethod(v, name) {
		return &method{v, name}, nil
	}
	return noAttr(v, name), nil
}

func filterItems(c *Call) (value.Value, error) {
	switch x := c.Args[0].(type) {
	case *value.Undefined:
		return &value.List{V: []value.Value{}}, nil
	case *value.Dict:
		return dictItems(x, true)
	}
	return nil, fmt.Errorf("Can only get item pairs from a mapping.")
}

var dictSortSig = NewSig("dictsort(value, case_sensitive=False, by='key', reverse=False)")

func filterDictSort(c *Call) (value.Value, error) {
	a, err := c.Bind(dictSortSig)
	if err != nil {
		return nil, err
	}
	d, ok := a[0].(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("'%s' object has no attribute 'items'", value.TypeName(a[0]))
	}
	if u := undefinedIn(d); u != nil && !c.Compat().Old() {
		return u, nil
	}
	cased, err := value.Truth(a[1])
	if err != nil {
		return nil, err
	}
	reverse, err := value.Truth(a[3])
	if err != nil {
		return nil, err
	}
	i := 0
	switch by := value.Str(a[2]); by {
	case "key":
	case "value":
		i = 1
	default:
		return nil, fmt.Errorf("You can only sort by either \"key\" or \"value\"")
	}
	pairs, err := dictItems(d, true)
	if err != nil {
		return nil, err
	}
	out, err := Sort(pairs.(*value.List).V, func(v value.Value) (value.Value, error) {
		k := v.(value.Tuple)[i]
		if !cased {
			k = foldCase(k)
		}
		return k, nil
	}, reverse)
	return &value.List{V: out}, err
}
