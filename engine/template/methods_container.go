package template

import (
	"fmt"
	"slices"

	"fettle/engine/value"
)

// settle makes a lazy list an ordinary one, before it is changed.
func settle(l *value.List) error {
	_, err := l.Resolved()
	if err == nil {
		l.Lazy = nil
	}
	return err
}

func settleDict(d *value.Dict) error {
	_, err := d.Resolved()
	if err == nil {
		d.Lazy = nil
	}
	return err
}

// comparing are the methods that compare their argument with elements.
var comparing = nameSet("count index remove")

func listMethod(l *value.List, name string, c *Call) (value.Value, error) {
	a0 := c.Arg(0, "", nil)
	if err := settle(l); err != nil {
		return nil, err
	}
	if comparing[name] {
		if err := c.DefinedElements(a0); err != nil {
			return nil, err
		}
	}
	switch name {
	case "append":
		if err := c.need("list.append", 1, 1); err != nil {
			return nil, err
		}
		l.V = append(l.V, a0)
	case "extend":
		items, err := value.Iterate(a0)
		if err != nil {
			return nil, err
		}
		if len(l.V)+len(items) > value.MaxItems {
			return nil, &limitError{"the list is too large"}
		}
		l.V = append(l.V, items...)
	case "insert":
		return nil, listInsert(l, c)
	case "pop":
		return listPop(l, c)
	case "remove":
		i, err := find(l.V, a0, 0, len(l.V))
		if err != nil {
			return nil, err
		}
		if i < 0 {
			return nil, fmt.Errorf("list.remove(x): x not in list")
		}
		l.V = append(l.V[:i], l.V[i+1:]...)
	case "reverse":
		slices.Reverse(l.V)
	case "sort":
		return nil, listSort(l, c)
	case "copy":
		return &value.List{V: append([]value.Value{}, l.V...)}, nil
	case "clear":
		l.V = []value.Value{}
	default:
		return sequenceMethod(l.V, name, c)
	}
	return nil, nil
}

func listInsert(l *value.List, c *Call) error {
	if len(c.Args) != 2 {
		return fmt.Errorf("insert expected 2 arguments, got %d", len(c.Args))
	}
	i, ok := value.Int(c.Args[0])
	if !ok {
		return fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(c.Args[0]))
	}
	n := int64(len(l.V))
	if i < 0 {
		i += n
	}
	l.V = slices.Insert(l.V, int(max(0, min(i, n))), c.Args[1])
	return nil
}

func listPop(l *value.List, c *Call) (value.Value, error) {
	if err := c.need("pop", 0, 1); err != nil {
		return nil, err
	}
	i, ok := value.Int(c.Arg(0, "", int64(-1)))
	if !ok {
		return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(c.Args[0]))
	}
	n := int64(len(l.V))
	if n == 0 {
		return nil, fmt.Errorf("pop from empty list")
	}
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil, fmt.Errorf("pop index out of range")
	}
	v := l.V[i]
	l.V = append(l.V[:i], l.V[i+1:]...)
	return v, nil
}

func listSort(l *value.List, c *Call) error {
	if len(c.Args) > 0 {
		return fmt.Errorf("sort() takes no positional arguments")
	}
	key := func(v value.Value) (value.Value, error) { return v, nil }
	if k, ok := c.Keyword("key"); ok && k != nil {
		key = func(v value.Value) (value.Value, error) {
			return invoke(k, &Call{C: c.C, Args: []value.Value{v}, u: c.u, p: c.p, rt: c.rt})
		}
	}
	rev, _ := c.Keyword("reverse")
	reverse, err := value.Truth(rev)
	if err != nil {
		return err
	}
	sorted, err := Sort(l.V, key, reverse)
	if err == nil {
		l.V = sorted
	}
	return err
}

// Sort sorts as Python's sorted does: stable, also when reversed; the first failing
// comparison is the error.
func Sort(items []value.Value, key func(value.Value) (value.Value, error), reverse bool) ([]value.Value, error) {
	return sortBy(items, key, value.Compare, reverse)
}

// compareItems compares as the elements of two lists: what is equal needs no order.
func compareItems(a, b value.Value) (int, error) {
	n, err := value.Compare(a, b)
	if err != nil {
		if same, bad := value.Equal(a, b); same && bad == nil {
			return 0, nil
		}
	}
	return n, err
}

func sortBy(items []value.Value, key func(value.Value) (value.Value, error), compare func(a, b value.Value) (int, error), reverse bool) ([]value.Value, error) {
	type keyed struct{ k, v value.Value }
	ks := make([]keyed, len(items))
	for i, v := range items {
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		ks[i] = keyed{k, v}
	}
	var fail error
	slices.SortStableFunc(ks, func(a, b keyed) int {
		if fail != nil {
			return 0
		}
		if reverse {
			a, b = b, a
		}
		n, err := compare(a.k, b.k)
		if err != nil {
			fail = err
		}
		return n
	})
	if fail != nil {
		return nil, fail
	}
	out := make([]value.Value, len(ks))
	for i, k := range ks {
		out[i] = k.v
	}
	return out, nil
}

func find(vs []value.Value, x value.Value, from, to int) (int, error) {
	for i := from; i < to; i++ {
		if eq, err := value.Equal(vs[i], x); err != nil {
			return -1, err
		} else if eq {
			return i, nil
		}
	}
	return -1, nil
}

func tupleMethod(t []value.Value, name string, c *Call) (value.Value, error) {
	return sequenceMethod(t, name, c)
}

// sequenceMethod is index and count.
func sequenceMethod(vs []value.Value, name string, c *Call) (value.Value, error) {
	most := 3
	if name == "count" {
		most = 1
	}
	if err := c.need(name, 1, most); err != nil {
		return nil, err
	}
	if name == "count" {
		n := int64(0)
		for _, e := range vs {
			eq, err := value.Equal(e, c.Args[0])
			if err != nil {
				return nil, err
			}
			if eq {
				n++
			}
		}
		return n, nil
	}
	from, to, err := c.bounds(1, len(vs))
	if err != nil {
		return nil, err
	}
	i, err := find(vs, c.Args[0], from, to)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return nil, fmt.Errorf("%s is not in list", value.Repr(c.Args[0]))
	}
	return int64(i), nil
}

// bounds reads optional start and end arguments as slice bounds of n items.
func (c *Call) bounds(at, n int) (from, to int, err error) {
	to = n
	for k, p := range []*int{&from, &to} {
		v := c.Arg(at+k, "", nil)
		if v == nil {
			continue
		}
		i, ok := value.Int(v)
		if !ok {
			return 0, 0, fmt.Errorf("slice indices must be integers or have an __index__ method")
		}
		if i < 0 {
			i += int64(n)
		}
		*p = int(max(0, min(i, int64(n))))
	}
	return from, to, nil
}

func dictMethod(d *value.Dict, name string, c *Call) (value.Value, error) {
	a0, a1 := c.Arg(0, "key", nil), c.Arg(1, "default", nil)
	switch name {
	case "get":
		return dictGet(d, c, a0, a1)
	case "keys":
		items, err := value.Iterate(d)
		return &value.List{V: items}, err
	case "values", "items":
		return dictItems(d, name == "items")
	}
	if err := settleDict(d); err != nil {
		return nil, err
	}
	switch name {
	case "update":
		return nil, dictUpdate(d, c)
	case "pop":
		return dictPop(d, c)
	case "setdefault":
		if err := c.need("setdefault", 1, 2); err != nil {
			return nil, err
		}
		if v, ok := d.Get(a0); ok {
			return v, nil
		}
		return a1, d.Set(a0, a1)
	case "copy":
		return d.Clone(), nil
	case "clear":
		*d = *value.NewDict(0)
		return nil, nil
	case "popitem":
		es := d.Entries()
		if len(es) == 0 {
			return nil, fmt.Errorf("'popitem(): dictionary is empty'")
		}
		e := es[len(es)-1]
		d.Delete(e.Key)
		return value.Tuple{e.Key, e.Value}, nil
	}
	return dictFromKeys(a0, a1)
}

func dictGet(d *value.Dict, c *Call, key, dflt value.Value) (value.Value, error) {
	if err := c.need("get", 1, 2); err != nil {
		return nil, err
	}
	if u, ok := key.(*value.Undefined); ok {
		return nil, &value.UndefinedError{Undefined: u}
	}
	if _, err := hashable(key); err != nil {
		return nil, err
	}
	v, ok, err := d.Lookup(key)
	if ok || err != nil {
		return v, err
	}
	return dflt, nil
}

// noItems are the items of an empty dict, a list that nobody changes.
var noItems = func() *value.List {
	l := &value.List{V: []value.Value{}}
	value.Plain(l)
	return l
}()

func dictItems(d *value.Dict, pairs bool) (value.Value, error) {
	es, err := d.Resolved()
	if err != nil {
		return nil, err
	}
	if len(es) == 0 {
		return noItems, nil
	}
	out := make([]value.Value, len(es))
	for i, e := range es {
		out[i] = e.Value
		if pairs {
			out[i] = value.Tuple{e.Key, e.Value}
		}
	}
	return &value.List{V: out}, nil
}

func dictPop(d *value.Dict, c *Call) (value.Value, error) {
	if err := c.need("pop", 1, 2); err != nil {
		return nil, err
	}
	if _, err := hashable(c.Args[0]); err != nil {
		return nil, err
	}
	if v, ok := d.Get(c.Args[0]); ok {
		d.Delete(c.Args[0])
		return v, nil
	}
	if len(c.Args) > 1 {
		return c.Args[1], nil
	}
	return nil, fmt.Errorf("%s", value.Repr(c.Args[0]))
}

func dictFromKeys(keys, v value.Value) (value.Value, error) {
	items, err := value.Iterate(keys)
	if err != nil {
		return nil, err
	}
	out := value.NewDict(len(items))
	for _, k := range items {
		if err := out.Set(k, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dictUpdate is dict.update and the constructor: a mapping or pairs, then keywords.
func dictUpdate(d *value.Dict, c *Call) error {
	if len(c.Args) > 1 {
		return fmt.Errorf("update expected at most 1 argument, got %d", len(c.Args))
	}
	if len(c.Args) == 1 {
		if err := updateFrom(d, c.Args[0]); err != nil {
			return err
		}
	}
	for _, k := range c.KW {
		d.SetString(k.Name, k.Value)
	}
	return nil
}

func updateFrom(d *value.Dict, src value.Value) error {
	switch o := src.(type) {
	case *value.Dict:
		es, err := o.Resolved()
		for _, e := range es {
			if err := d.Set(e.Key, e.Value); err != nil {
				return err
			}
		}
		return err
	case *namespace:
		return updateFrom(d, o.d)
	}
	items, err := value.Iterate(src)
	if err != nil {
		return err
	}
	for i, p := range items {
		kv, err := value.Iterate(p)
		if err != nil {
			return fmt.Errorf("cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		if len(kv) != 2 {
			return fmt.Errorf("dictionary update sequence element #%d has length %d; 2 is required", i, len(kv))
		}
		if err := d.Set(kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

func setMethod(s *value.Set, name string, c *Call) (value.Value, error) {
	a0 := c.Arg(0, "", nil)
	switch name {
	case "add":
		return nil, s.D.Set(a0, nil)
	case "discard", "remove":
		if !s.D.Delete(a0) && name == "remove" {
			return nil, fmt.Errorf("%s", value.Repr(a0))
		}
		return nil, nil
	case "copy":
		return &value.Set{D: s.D.Clone()}, nil
	}
	items, err := value.Iterate(a0)
	if err != nil {
		return nil, err
	}
	o, err := value.NewSet(items...)
	if err != nil {
		return nil, err
	}
	switch name {
	case "issubset":
		return value.Order("<=", s, o)
	case "issuperset":
		return value.Order(">=", s, o)
	}
	return combineSets(s, o, name)
}

func combineSets(s, o *value.Set, name string) (value.Value, error) {
	out := &value.Set{D: value.NewDict(0)}
	take := func(from *value.Set, keep func(value.Value) bool) {
		for _, e := range from.D.Entries() {
			if keep(e.Key) {
				_ = out.D.Set(e.Key, nil)
			}
		}
	}
	inS, inO := s.D.Has, o.D.Has
	not := func(f func(value.Value) bool) func(value.Value) bool {
		return func(v value.Value) bool { return !f(v) }
	}
	switch name {
	case "union":
		take(s, func(value.Value) bool { return true })
		take(o, not(inS))
	case "intersection":
		take(s, inO)
	case "difference":
		take(s, not(inO))
	case "symmetric_difference":
		take(s, not(inO))
		take(o, not(inS))
	case "isdisjoint":
		take(s, inO)
		return out.D.Len() == 0, nil
	}
	return out, nil
}
