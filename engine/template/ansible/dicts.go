package ansible

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("dict2items(mydict, key_name='key', value_name='value')", dict2items)
	filter("items2dict(mylist, key_name='key', value_name='value')", items2dict)
	template.RegisterFilter("combine", combineFilter)
	filter("rekey_on_member(data, key, duplicates='error')", rekeyOnMember)
}

func splitDots(s string) []string { return strings.Split(s, ".") }

func dict2items(_ *template.Call, a []value.Value) (value.Value, error) {
	d, ok := a[0].(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("dict2items requires a dictionary, got %s instead", value.TypeName(a[0]))
	}
	out := []value.Value{}
	for _, e := range d.Items() {
		item := value.NewDict(2)
		if err := errors.Join(item.Set(a[1], e.Key), item.Set(a[2], e.Value)); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return list(out), nil
}

func items2dict(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isSequence(a[0]) {
		return nil, fmt.Errorf("items2dict requires a list, got %s instead", value.TypeName(a[0]))
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	out := value.NewDict(len(vs))
	for _, v := range vs {
		if _, ok := v.(*value.Dict); !ok && !isSequence(v) {
			return nil, fmt.Errorf("items2dict requires a list of dictionaries, got %s instead", value.Repr(a[0]))
		}
		key, ok1, err1 := value.Item(v, a[1])
		val, ok2, err2 := value.Item(v, a[2])
		if !ok1 || !ok2 || err1 != nil || err2 != nil {
			return nil, fmt.Errorf("items2dict requires each dictionary in the list to contain the keys %s and %s, got %s instead", value.Repr(a[1]), value.Repr(a[2]), value.Repr(v))
		}
		if err := out.Set(key, val); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func combineFilter(c *template.Call) (value.Value, error) {
	recursive, merge := false, "replace"
	for _, k := range c.KW {
		switch k.Name {
		case "recursive":
			recursive = isTrue(k.Value)
		case "list_merge":
			merge = text(k.Value)
		default:
			return nil, errors.New("'recursive' and 'list_merge' are the only valid keyword arguments")
		}
	}
	if !mergeKinds[merge] {
		return nil, fmt.Errorf("'list_merge' argument can only be equal to 'replace', 'keep', 'append', 'prepend', 'append_rp' or 'prepend_rp', not %q", merge)
	}
	terms, err := flatten(nil, c.Args, 1, true)
	if err != nil {
		return nil, err
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	out := value.NewDict(0)
	for i, t := range slices.Backward(terms) { // the last two are merged first
		if u, ok := t.(*value.Undefined); ok {
			return nil, &value.UndefinedError{Undefined: u}
		}
		d, ok := t.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("failed to combine variables, expected dicts but got a '%s'", value.TypeName(t))
		}
		if i == len(terms)-1 {
			out = d
			continue
		}
		if out, err = mergeDicts(d, out, recursive, merge); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var mergeKinds = map[string]bool{"replace": true, "keep": true, "append": true, "prepend": true, "append_rp": true, "prepend_rp": true}

// mergeDicts lays y over x.
func mergeDicts(x, y *value.Dict, recursive bool, merge string) (*value.Dict, error) {
	if same, err := value.Equal(x, y); x.Len() == 0 || same && err == nil {
		return y, nil
	}
	out := x.Clone()
	for _, e := range y.Items() {
		old, had := x.Get(e.Key)
		v := e.Value
		if had {
			var err error
			if v, err = mergeValues(old, v, recursive, merge); err != nil {
				return nil, err
			}
		}
		if err := out.Set(e.Key, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func mergeValues(old, v value.Value, recursive bool, merge string) (value.Value, error) {
	if od, ok := old.(*value.Dict); ok && recursive {
		if nd, ok := v.(*value.Dict); ok {
			return mergeDicts(od, nd, recursive, merge)
		}
	}
	ol, ok1 := old.(*value.List)
	nl, ok2 := v.(*value.List)
	if !ok1 || !ok2 {
		return v, nil
	}
	return mergeLists(ol, nl, merge)
}

func mergeLists(old, fresh *value.List, merge string) (value.Value, error) {
	join := func(a, b []value.Value) value.Value { return list(append(append([]value.Value{}, a...), b...)) }
	switch merge {
	case "keep":
		return old, nil
	case "append":
		return join(old.Items(), fresh.Items()), nil
	case "prepend":
		return join(fresh.Items(), old.Items()), nil
	case "replace":
		return fresh, nil
	}
	other, err := newBag(fresh.Items())
	if err != nil {
		return nil, err
	}
	var kept []value.Value
	for _, v := range old.Items() {
		in, err := other.has(v)
		if err != nil {
			return nil, err
		}
		if !in {
			kept = append(kept, v)
		}
	}
	if merge == "append_rp" {
		return join(kept, fresh.Items()), nil
	}
	return join(fresh.Items(), kept), nil
}

func rekeyOnMember(_ *template.Call, a []value.Value) (value.Value, error) {
	duplicates := text(a[2])
	if duplicates != "error" && duplicates != "overwrite" {
		return nil, fmt.Errorf("duplicates parameter to rekey_on_member has unknown value: %s", duplicates)
	}
	var vs []value.Value
	switch x := a[0].(type) {
	case *value.Dict:
		for _, e := range x.Items() {
			vs = append(vs, e.Value)
		}
	case *value.List, value.Tuple:
		vs, _ = value.Iterate(x)
	default:
		return nil, errors.New("Type is not a valid list, set, or dict")
	}
	out := value.NewDict(len(vs))
	for _, v := range vs {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, errors.New("List item is not a valid dict")
		}
		key, ok := d.Get(a[1])
		if !ok {
			return nil, fmt.Errorf("Key %s was not found", text(a[1]))
		}
		if _, had := out.Get(key); had && duplicates == "error" {
			return nil, fmt.Errorf("Key %s is not unique, cannot correctly turn into dict", text(key))
		}
		if err := out.Set(key, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}
