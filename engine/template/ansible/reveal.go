package ansible

import (
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

// revealType names the type of a value, and of what a list or dict holds.
func revealType(_ *template.Call, a []value.Value) (value.Value, error) {
	name := func(v value.Value) string {
		n := taggedName(v)
		if d, ok := a[1].(*value.Dict); ok {
			if other, ok := d.GetString(n); ok {
				return text(other)
			}
		}
		return n
	}
	switch x := a[0].(type) {
	case *value.List:
		if len(x.V) > 0 {
			return name(x) + "[" + typeNames(x.V, name) + "]", nil
		}
	case *value.Dict:
		if x.Len() > 0 {
			var keys, vals []value.Value
			for _, e := range x.Items() {
				keys, vals = append(keys, e.Key), append(vals, e.Value)
			}
			return name(x) + "[" + typeNames(keys, name) + ", " + typeNames(vals, name) + "]", nil
		}
	}
	return name(a[0]), nil
}

// taggedName is the type of a value as Ansible's own classes call it.
func taggedName(v value.Value) string {
	switch v.(type) {
	case value.Tuple:
		return "_AnsibleLazyAccessTuple"
	}
	return value.TypeName(v)
}

func typeNames(vs []value.Value, name func(value.Value) string) string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = name(v)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "|")
}

func isAnsibleType(c *template.Call, a []value.Value) (bool, error) {
	got, err := revealType(c, []value.Value{a[0], a[2]})
	if err != nil {
		return false, err
	}
	wanted, err := items(a[1])
	if err != nil {
		return false, err
	}
	return contains(wanted, got)
}
