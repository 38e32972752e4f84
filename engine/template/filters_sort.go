package template

import (
	"strings"

	"fettle/engine/value"
)

func filterSort(c *Call) (value.Value, error) {
	a, err := c.Bind(sortSig)
	if err != nil {
		return nil, err
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	reverse, err := value.Truth(a[1])
	if err != nil {
		return nil, err
	}
	cased, err := value.Truth(a[2])
	if err != nil {
		return nil, err
	}
	out, err := sortBy(vs, c.definedKey(sortKey(a[3], cased)), compareItems, reverse)
	if err != nil {
		return nil, err
	}
	return &value.List{V: out}, nil
}

// definedKey is a key that since 2.19 must not be undefined even when nothing is compared.
func (c *Call) definedKey(key func(value.Value) (value.Value, error)) func(value.Value) (value.Value, error) {
	if c.Compat().Old() {
		return key
	}
	return func(v value.Value) (value.Value, error) {
		k, err := key(v)
		u, bad := k.(*value.Undefined)
		if t, ok := k.(value.Tuple); ok && len(t) > 0 && !bad {
			for _, e := range t {
				if u, bad = e.(*value.Undefined); bad {
					break
				}
			}
		}
		if err == nil && bad {
			err = &value.UndefinedError{Undefined: u}
		}
		return k, err
	}
}

func sortKey(attr value.Value, cased bool) func(value.Value) (value.Value, error) {
	gets := []func(value.Value) (value.Value, error){attrGetter(attr, nil)}
	if s, ok := attr.(string); ok {
		gets = nil
		for p := range strings.SplitSeq(s, ",") {
			gets = append(gets, attrGetter(p, nil))
		}
	}
	return func(v value.Value) (value.Value, error) {
		if len(gets) == 1 {
			k, err := gets[0](v)
			if err == nil && !cased {
				k = foldCase(k)
			}
			return k, err
		}
		key := make(value.Tuple, len(gets))
		for i, g := range gets {
			k, err := g(v)
			if err != nil {
				return nil, err
			}
			if !cased {
				k = foldCase(k)
			}
			key[i] = k
		}
		return key, nil
	}
}
