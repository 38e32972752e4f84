package ansible

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fettle/engine/value"
)

// queryFunc is a function of JMESPath: the types its arguments may have ("" is any, "ref"
// an expression), and what it does. A last type ending in "..." repeats.
type queryFunc struct {
	types []string
	call  func(a []value.Value, ref query) (value.Value, error)
}

func (q qCall) eval(v value.Value) (value.Value, error) {
	f, ok := queryFuncs[q.name]
	if !ok {
		return nil, fmt.Errorf("unknown function: %s()", q.name)
	}
	repeat := strings.HasSuffix(f.types[len(f.types)-1], "...")
	if len(q.args) < len(f.types) || len(q.args) > len(f.types) && !repeat {
		return nil, fmt.Errorf("expected %d arguments for function %s(), received %d", len(f.types), q.name, len(q.args))
	}
	var args []value.Value
	var ref query
	for i, arg := range q.args {
		want := strings.TrimSuffix(f.types[min(i, len(f.types)-1)], "...")
		if r, ok := arg.(qRef); ok {
			if want != "ref" {
				return nil, fmt.Errorf("%s() takes no expression reference there", q.name)
			}
			ref = r.of
			continue
		}
		r, err := arg.eval(v)
		if err != nil {
			return nil, err
		}
		if want != "" && !slices.Contains(strings.Split(want, "|"), queryType(r)) {
			return nil, fmt.Errorf("in function %s(), invalid type for value: %s, expected one of: %s, received: %s", q.name, text(r), want, queryType(r))
		}
		args = append(args, r)
	}
	return f.call(args, ref)
}

var queryFuncs map[string]queryFunc

func init() {
	queryFuncs = map[string]queryFunc{
		"abs":      {[]string{"number"}, func(a []value.Value, _ query) (value.Value, error) { return absolute(a[0]) }},
		"avg":      {[]string{"array"}, queryAverage},
		"ceil":     {[]string{"number"}, rounded(math.Ceil)},
		"floor":    {[]string{"number"}, rounded(math.Floor)},
		"contains": {[]string{"array|string", ""}, func(a []value.Value, _ query) (value.Value, error) { return queryContains(a[0], a[1]) }},
		"starts_with": {[]string{"string", "string"}, func(a []value.Value, _ query) (value.Value, error) {
			return strings.HasPrefix(text(a[0]), text(a[1])), nil
		}},
		"ends_with": {[]string{"string", "string"}, func(a []value.Value, _ query) (value.Value, error) {
			return strings.HasSuffix(text(a[0]), text(a[1])), nil
		}},
		"join":      {[]string{"string", "array"}, queryJoin},
		"keys":      {[]string{"object"}, func(a []value.Value, _ query) (value.Value, error) { return dictColumn(a[0], true), nil }},
		"values":    {[]string{"object"}, func(a []value.Value, _ query) (value.Value, error) { return dictColumn(a[0], false), nil }},
		"length":    {[]string{"string|array|object"}, func(a []value.Value, _ query) (value.Value, error) { n, err := value.Len(a[0]); return int64(n), err }},
		"map":       {[]string{"ref", "array"}, queryMap},
		"max":       {[]string{"array"}, extreme(1)},
		"min":       {[]string{"array"}, extreme(-1)},
		"max_by":    {[]string{"array", "ref"}, extreme(1)},
		"min_by":    {[]string{"array", "ref"}, extreme(-1)},
		"merge":     {[]string{"object..."}, queryMerge},
		"not_null":  {[]string{"..."}, queryNotNull},
		"reverse":   {[]string{"array|string"}, queryReverse},
		"sort":      {[]string{"array"}, querySort},
		"sort_by":   {[]string{"array", "ref"}, querySort},
		"sum":       {[]string{"array"}, func(a []value.Value, _ query) (value.Value, error) { return querySum(a[0]) }},
		"to_array":  {[]string{""}, func(a []value.Value, _ query) (value.Value, error) { vs, err := items(a[0]); return list(vs), err }},
		"to_number": {[]string{""}, func(a []value.Value, _ query) (value.Value, error) { return queryToNumber(a[0]), nil }},
		"to_string": {[]string{""}, queryToString},
		"type":      {[]string{""}, func(a []value.Value, _ query) (value.Value, error) { return queryType(a[0]), nil }},
	}
}

func absolute(v value.Value) (value.Value, error) {
	neg, err := value.Order("<", v, int64(0))
	if err != nil || !neg {
		return v, err
	}
	return value.Neg(v)
}

func rounded(f func(float64) float64) func([]value.Value, query) (value.Value, error) {
	return func(a []value.Value, _ query) (value.Value, error) {
		x, ok := a[0].(float64)
		if !ok {
			return a[0], nil
		}
		return int64(f(x)), nil
	}
}

func querySum(v value.Value) (value.Value, error) {
	vs, err := value.Iterate(v)
	var sum value.Value = int64(0)
	for _, e := range vs {
		if sum, err = value.Add(sum, e); err != nil {
			return nil, err
		}
	}
	return sum, err
}

func queryAverage(a []value.Value, _ query) (value.Value, error) {
	n, err := value.Len(a[0])
	if err != nil || n == 0 {
		return nil, err
	}
	sum, err := querySum(a[0])
	if err != nil {
		return nil, err
	}
	return value.Div(sum, int64(n))
}

func queryContains(in, v value.Value) (value.Value, error) {
	if isText(in) && !isText(v) {
		return false, nil
	}
	return value.Contains(in, v)
}

func queryJoin(a []value.Value, _ query) (value.Value, error) {
	vs, err := value.Iterate(a[1])
	var parts []string
	for _, v := range vs {
		if !isText(v) {
			return nil, fmt.Errorf("in function join(), invalid type for value: %s", text(v))
		}
		parts = append(parts, text(v))
	}
	return strings.Join(parts, text(a[0])), err
}

func dictColumn(v value.Value, keys bool) value.Value {
	out := []value.Value{}
	for _, e := range v.(*value.Dict).Items() {
		if keys {
			out = append(out, e.Key)
		} else {
			out = append(out, e.Value)
		}
	}
	return list(out)
}

func queryMap(a []value.Value, ref query) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	out := []value.Value{}
	for _, v := range vs {
		r, err := ref.eval(v)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return list(out), err
}

// keyed computes what elements are compared by.
func keyed(v value.Value, ref query) (vs, keys []value.Value, err error) {
	if vs, err = value.Iterate(v); err != nil || ref == nil {
		return vs, vs, err
	}
	for _, e := range vs {
		k, err := ref.eval(e)
		if err != nil {
			return nil, nil, err
		}
		if !queryNumber(k) && !isText(k) {
			return nil, nil, fmt.Errorf("cannot order by a value of type %s", queryType(k))
		}
		keys = append(keys, k)
	}
	return vs, keys, nil
}

func extreme(sign int) func([]value.Value, query) (value.Value, error) {
	return func(a []value.Value, ref query) (value.Value, error) {
		vs, keys, err := keyed(a[0], ref)
		if err != nil || len(vs) == 0 {
			return nil, err
		}
		best := 0
		for i := range keys {
			c, err := value.Compare(keys[i], keys[best])
			if err != nil {
				return nil, err
			}
			if c*sign > 0 {
				best = i
			}
		}
		return vs[best], nil
	}
}

func querySort(a []value.Value, ref query) (value.Value, error) {
	vs, keys, err := keyed(a[0], ref)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(vs))
	for i := range order {
		order[i] = i
	}
	var fail error
	slices.SortStableFunc(order, func(x, y int) int {
		c, err := value.Compare(keys[x], keys[y])
		if err != nil {
			fail = err
		}
		return c
	})
	out := []value.Value{}
	for _, i := range order {
		out = append(out, vs[i])
	}
	return list(out), fail
}

func queryMerge(a []value.Value, _ query) (value.Value, error) {
	out := value.NewDict(0)
	for _, d := range a {
		for _, e := range d.(*value.Dict).Items() {
			if err := out.Set(e.Key, e.Value); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func queryNotNull(a []value.Value, _ query) (value.Value, error) {
	for _, v := range a {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func queryReverse(a []value.Value, _ query) (value.Value, error) {
	return value.Slice(a[0], nil, nil, int64(-1))
}

func queryToNumber(v value.Value) value.Value {
	if queryNumber(v) {
		return v
	}
	if !isText(v) {
		return nil
	}
	if n, ok := value.ParseInt(text(v), 10); ok {
		return n
	}
	if f, ok := value.ParseFloat(text(v)); ok {
		return f
	}
	return nil
}

func queryToString(a []value.Value, _ query) (value.Value, error) {
	if isText(a[0]) {
		return a[0], nil
	}
	return value.JSON{ASCII: true}.Encode(a[0])
}
