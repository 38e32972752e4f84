package ansible

import (
	"fmt"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filterAs([]string{"community.general.json_query", "json_query"}, "json_query(data, expr)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		q, err := parseQuery(text(a[1]))
		if err != nil {
			return nil, fmt.Errorf("JMESPathError in json_query filter plugin: %w in %q", err, text(a[1]))
		}
		r, err := q.eval(a[0])
		if err != nil {
			return nil, fmt.Errorf("error in json_query with %q: %w", text(a[1]), err)
		}
		return r, nil
	})
}

// query is a node of a JMESPath expression.
type query interface {
	eval(v value.Value) (value.Value, error)
}

type (
	qCurrent struct{}
	qField   struct{ name string }
	qIndex   struct{ n int64 }
	qSlice   struct{ from, to, step value.Value }
	qLiteral struct{ v value.Value }
	qPipe    struct{ a, b query }       // a.b, a | b
	qEach    struct{ list, then query } // list[*].then, keeping what is not null
	qValues  struct{ of, then query }   // of.*.then
	qFilter  struct{ list, cond, then query }
	qFlat    struct{ of query }
	qList    struct{ items []query }
	qDict    struct {
		keys  []string
		items []query
	}
	qOr      struct{ a, b query }
	qAnd     struct{ a, b query }
	qNot     struct{ a query }
	qCompare struct {
		op   string
		a, b query
	}
	qCall struct {
		name string
		args []query
	}
	qRef struct{ of query } // &expression
)

func (qCurrent) eval(v value.Value) (value.Value, error) { return v, nil }
func (q qLiteral) eval(value.Value) (value.Value, error) { return q.v, nil }
func (q qRef) eval(value.Value) (value.Value, error) {
	return nil, fmt.Errorf("an expression reference stands alone")
}

func (q qField) eval(v value.Value) (value.Value, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, nil
	}
	r, _, err := d.Lookup(q.name)
	return r, err
}

func (q qIndex) eval(v value.Value) (value.Value, error) {
	if !isSequence(v) {
		return nil, nil
	}
	vs, err := value.Iterate(v)
	i := q.n
	if i < 0 {
		i += int64(len(vs))
	}
	if err != nil || i < 0 || i >= int64(len(vs)) {
		return nil, err
	}
	return vs[i], nil
}

func (q qSlice) eval(v value.Value) (value.Value, error) {
	if !isSequence(v) {
		return nil, nil
	}
	vs, err := value.Iterate(v)
	if err != nil {
		return nil, err
	}
	return value.Slice(list(vs), q.from, q.to, q.step)
}

func (q qPipe) eval(v value.Value) (value.Value, error) {
	r, err := q.a.eval(v)
	if err != nil {
		return nil, err
	}
	return q.b.eval(r)
}

// project applies then to each element and drops nulls.
func project(vs []value.Value, then query) (value.Value, error) {
	out := []value.Value{}
	for _, v := range vs {
		r, err := then.eval(v)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out = append(out, r)
		}
	}
	return list(out), nil
}

func (q qEach) eval(v value.Value) (value.Value, error) {
	r, err := q.list.eval(v)
	if err != nil || !isSequence(r) {
		return nil, err
	}
	vs, err := value.Iterate(r)
	if err != nil {
		return nil, err
	}
	return project(vs, q.then)
}

func (q qValues) eval(v value.Value) (value.Value, error) {
	r, err := q.of.eval(v)
	d, ok := r.(*value.Dict)
	if err != nil || !ok {
		return nil, err
	}
	var vs []value.Value
	for _, e := range d.Items() {
		vs = append(vs, e.Value)
	}
	return project(vs, q.then)
}

func (q qFilter) eval(v value.Value) (value.Value, error) {
	r, err := q.list.eval(v)
	if err != nil || !isSequence(r) {
		return nil, err
	}
	vs, err := value.Iterate(r)
	if err != nil {
		return nil, err
	}
	var kept []value.Value
	for _, e := range vs {
		c, err := q.cond.eval(e)
		if err != nil {
			return nil, err
		}
		if queryTruth(c) {
			kept = append(kept, e)
		}
	}
	return project(kept, q.then)
}

func (q qFlat) eval(v value.Value) (value.Value, error) {
	r, err := q.of.eval(v)
	if err != nil || !isSequence(r) {
		return nil, err
	}
	vs, err := value.Iterate(r)
	if err != nil {
		return nil, err
	}
	out, err := flatten(nil, vs, 1, false)
	return list(out), err
}

func (q qList) eval(v value.Value) (value.Value, error) {
	if v == nil {
		return nil, nil
	}
	out := []value.Value{}
	for _, i := range q.items {
		r, err := i.eval(v)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return list(out), nil
}

func (q qDict) eval(v value.Value) (value.Value, error) {
	if v == nil {
		return nil, nil
	}
	d := value.NewDict(len(q.keys))
	for i, k := range q.keys {
		r, err := q.items[i].eval(v)
		if err != nil {
			return nil, err
		}
		d.SetString(k, r)
	}
	return d, nil
}

// queryTruth: null, false and empty texts, lists and dicts are false; numbers are true.
func queryTruth(v value.Value) bool {
	switch x := v.(type) {
	case nil:
		return false
	case bool:
		return x
	case string, value.Text, value.Markup, *value.List, value.Tuple, *value.Dict:
		n, err := value.Len(x)
		return err == nil && n > 0
	}
	return true
}

func (q qOr) eval(v value.Value) (value.Value, error) {
	r, err := q.a.eval(v)
	if err != nil || queryTruth(r) {
		return r, err
	}
	return q.b.eval(v)
}

func (q qAnd) eval(v value.Value) (value.Value, error) {
	r, err := q.a.eval(v)
	if err != nil || !queryTruth(r) {
		return r, err
	}
	return q.b.eval(v)
}

func (q qNot) eval(v value.Value) (value.Value, error) {
	r, err := q.a.eval(v)
	return !queryTruth(r), err
}

func (q qCompare) eval(v value.Value) (value.Value, error) {
	a, err := q.a.eval(v)
	if err != nil {
		return nil, err
	}
	b, err := q.b.eval(v)
	if err != nil {
		return nil, err
	}
	if q.op == "==" || q.op == "!=" {
		_, boolA := a.(bool)
		_, boolB := b.(bool)
		same, err := value.Equal(a, b)
		return (same && boolA == boolB) == (q.op == "=="), err
	}
	if !queryNumber(a) || !queryNumber(b) {
		if isText(a) && isText(b) {
			return value.Order(q.op, a, b)
		}
		return nil, nil
	}
	return value.Order(q.op, a, b)
}

func queryNumber(v value.Value) bool {
	_, isBool := v.(bool)
	return value.IsNumber(v) && !isBool
}

// queryType is JMESPath's name of a value's type.
func queryType(v value.Value) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string, value.Text, value.Markup:
		return "string"
	case *value.List, value.Tuple, *value.Range:
		return "array"
	case *value.Dict:
		return "object"
	}
	if value.IsNumber(v) {
		return "number"
	}
	return strings.ToLower(value.TypeName(v))
}
