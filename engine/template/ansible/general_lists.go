package ansible

import (
	"errors"
	"fmt"
	"slices"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	listsFilter("lists_union")
	listsFilter("lists_intersect")
	listsFilter("lists_difference")
	listsFilter("lists_symmetric_difference")
	filterAs([]string{"community.general.lists_mergeby", "lists_mergeby"}, "lists_mergeby(first, *rest, **kw)", listsMergeBy)
}

// listsFilter registers one of the filters that take any number of lists.
func listsFilter(name string) {
	template.RegisterFilter("community.general."+name, func(c *template.Call) (value.Value, error) {
		args := c.Args
		if v, _ := c.Keyword("flatten"); isTrue(v) {
			args = flattenLists(args)
		}
		if err := sameKind(name, args); err != nil {
			return nil, err
		}
		if v, _ := c.Keyword("flatten"); len(args) == 1 && isTrue(v) {
			return args[0], nil
		}
		lists, err := columns(args)
		if err != nil {
			return nil, fmt.Errorf("all elements of the list passed to %s must be lists: %w", name, err)
		}
		if len(lists) == 0 {
			return list(nil), nil
		}
		return foldLists(name, lists)
	})
}

// flattenLists opens the arguments that hold nothing but lists.
func flattenLists(args []value.Value) []value.Value {
	var out []value.Value
	for _, arg := range args {
		vs, err := value.Iterate(arg)
		if err != nil || !isSequence(arg) || slices.ContainsFunc(vs, func(v value.Value) bool { return !isSequence(v) }) {
			vs = []value.Value{arg}
		}
		out = append(out, vs...)
	}
	return out
}

// sameKind refuses to add a list to what is none, as the filters that add do.
func sameKind(name string, args []value.Value) error {
	if name != "lists_union" && name != "lists_symmetric_difference" || len(args) < 2 {
		return nil
	}
	for _, arg := range args[1:] {
		if l, r := value.TypeName(args[0]), value.TypeName(arg); l != r || l == "dict" || l == "range" {
			return fmt.Errorf("can only concatenate %s (not %q) to %s", l, r, l)
		}
	}
	return nil
}

func foldLists(name string, lists [][]value.Value) (value.Value, error) {
	acc := lists[0]
	for i, next := range lists {
		if i == 0 {
			continue
		}
		other, err := newBag(next)
		if err != nil {
			return nil, err
		}
		own, err := newBag(acc)
		if err != nil {
			return nil, err
		}
		pool := acc
		if name == "lists_union" || name == "lists_symmetric_difference" {
			pool = append(slices.Clone(acc), next...)
		}
		acc, err = pick(pool, func(v value.Value) (bool, error) {
			right, err := other.has(v)
			if err != nil {
				return false, err
			}
			left, err := own.has(v)
			switch name {
			case "lists_intersect":
				return right, err
			case "lists_difference":
				return !right, err
			case "lists_symmetric_difference":
				return left != right, err
			}
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	out, err := pick(acc, func(value.Value) (bool, error) { return true, nil })
	return list(out), err
}

// listsMergeBy merges dicts of several lists that have the same value under a key.
func listsMergeBy(c *template.Call, a []value.Value) (value.Value, error) {
	if len(a) < 2 {
		return nil, errors.New("lists_mergeby needs lists and the name of the index")
	}
	index := a[len(a)-1]
	lists := flattenLists(a[:len(a)-1])
	if len(a) > 2 {
		lists = slices.DeleteFunc(slices.Clone(a[:len(a)-1]), func(v value.Value) bool { return isSequence(v) && !isTrue(v) })
	}
	if len(lists) == 1 {
		return lists[0], nil
	}
	for _, l := range lists {
		if !isSequence(l) {
			return nil, fmt.Errorf("All arguments before the argument index for community.general.lists_mergeby must be lists. %s", describe(l))
		}
	}
	if !isText(index) {
		return nil, fmt.Errorf("First argument after the lists for community.general.lists_mergeby must be string. %s", describe(index))
	}
	dicts, err := flatten(nil, lists, 1, false)
	if err != nil {
		return nil, err
	}
	recursive, merge := false, "replace"
	for _, k := range c.KW {
		switch k.Name {
		case "recursive":
			recursive = isTrue(k.Value)
		case "list_merge":
			merge = text(k.Value)
		default:
			return nil, fmt.Errorf("lists_mergeby has no argument %q", k.Name)
		}
	}
	return mergeBy(dicts, index, recursive, merge)
}

func mergeBy(dicts []value.Value, index value.Value, recursive bool, merge string) (value.Value, error) {
	byKey := value.NewDict(len(dicts))
	for _, v := range dicts {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("elements of list arguments for lists_mergeby must be dictionaries, %s is %s", value.Repr(v), value.TypeName(v))
		}
		key, ok := d.Get(index)
		if !ok {
			continue
		}
		merged := d
		if old, had := byKey.Get(key); had {
			if !mergeKinds[merge] {
				return nil, fmt.Errorf("lists_mergeby: unknown list_merge %q", merge)
			}
			var err error
			if merged, err = mergeDicts(old.(*value.Dict), d, recursive, merge); err != nil {
				return nil, err
			}
		}
		if err := byKey.Set(key, merged); err != nil {
			return nil, err
		}
	}
	out := []value.Value{}
	for _, e := range sorted(byKey.Entries()) {
		out = append(out, e.Value)
	}
	return list(out), nil
}
