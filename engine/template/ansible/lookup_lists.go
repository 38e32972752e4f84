package ansible

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	register("items", "", func(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
		return template.FlattenTerms(terms)
	})
	register("list", "", func(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) { return terms, nil })
	register("dict", "", lookupDict)
	register("indexed_items", "", lookupIndexed)
	register("nested", "", lookupNested)
	register("together", "", lookupTogether)
	register("subelements", "", lookupSubelements)
	register("sequence", "start end count stride format", lookupSequence)
	register("random_choice", "", lookupRandomChoice)
}

func lookupDict(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		d, ok := t.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("with_dict expects a dict, got %s", describe(t))
		}
		for _, e := range d.Items() {
			out = append(out, value.DictOf("key", e.Key, "value", e.Value))
		}
	}
	return out, nil
}

func lookupIndexed(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	vs, err := template.FlattenTerms(terms)
	out := make([]value.Value, len(vs))
	for i, v := range vs {
		out[i] = value.Tuple{int64(i), v}
	}
	return out, err
}

// elements are those of a list, and since 2.19 the letters of a text; before, a text stood for
// itself.
func elements(c *template.Context, v value.Value) ([]value.Value, error) {
	if isText(v) && !c.Compat().Old() {
		return value.Iterate(v)
	}
	return items(v)
}

// lookupNested gives every choice of one element per list.
func lookupNested(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	if len(terms) == 0 {
		return nil, errors.New("with_nested requires at least one element in the nested list")
	}
	cols := make([][]value.Value, len(terms))
	for i, t := range terms {
		vs, err := elements(c, t)
		if err != nil {
			return nil, err
		}
		cols[i] = vs
	}
	all, err := cartesian(cols)
	if err != nil {
		return nil, err
	}
	for i, t := range all {
		flat, err := flatten(nil, t.(value.Tuple), -1, false)
		if err != nil {
			return nil, err
		}
		all[i] = list(flat)
	}
	return all, nil
}

func lookupTogether(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	if len(terms) == 0 {
		return nil, errors.New("with_together requires at least one element in each list")
	}
	cols := make([][]value.Value, len(terms))
	n := 0
	for i, t := range terms {
		vs, err := elements(c, t)
		if err != nil {
			return nil, err
		}
		cols[i] = vs
		n = max(n, len(vs))
	}
	out := rows(cols, n, nil)
	for i, r := range out {
		flat, err := flatten(nil, r.(value.Tuple), 1, false)
		if err != nil {
			return nil, err
		}
		out[i] = list(flat)
	}
	return out, nil
}

func lookupSubelements(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	if len(terms) < 2 || len(terms) > 3 {
		return nil, errors.New("subelements lookup expects a list of two or three items")
	}
	var elements []value.Value
	switch x := terms[0].(type) {
	case *value.Dict:
		if skipped, ok := x.GetString("skipped"); ok && isTrue(skipped) {
			return []value.Value{}, nil
		}
		for _, e := range x.Items() {
			elements = append(elements, e.Value)
		}
	case *value.List:
		elements = x.Items()
	default:
		return nil, errors.New("subelements lookup expects a dictionary or a list: first a dict or a list, second a string pointing to the subkey")
	}
	elements = slices.DeleteFunc(slices.Clone(elements), func(e value.Value) bool {
		d, ok := e.(*value.Dict)
		if !ok {
			return false
		}
		skipped, _ := d.GetString("skipped")
		return isTrue(skipped)
	})
	if !isText(terms[1]) {
		return nil, errors.New("subelements lookup expects a list of two or three items: first a dict or a list, second a string pointing to the subkey")
	}
	path, err := subPath(terms[1])
	if err != nil {
		return nil, err
	}
	skip := false
	if len(terms) == 3 {
		flags, ok := terms[2].(*value.Dict)
		if !ok {
			return nil, errors.New("the optional third item must be a dict with flags ['skip_missing']")
		}
		v, _ := flags.GetString("skip_missing")
		skip = isTrue(v) && (!isText(v) || isYes(text(v)))
	}
	return subelements(elements, path, skip, true)
}

func isYes(s string) bool {
	b, ok := yesNo(s)
	return ok && b
}

var sequencePattern = pyre.MustCompile(`(?:(?P<start>[0-9a-fA-Fx]+)-)?(?P<end>[0-9a-fA-Fx]+)(?:/(?P<stride>-?[0-9a-fA-Fx]+))?(?::(?P<format>.+))?`, 0)

const sequenceOptions = "start end count stride format"

func lookupSequence(_ *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	if len(terms) == 0 && len(o.all) > 0 {
		terms = []value.Value{""}
	}
	out := []value.Value{}
	for _, t := range terms {
		if !isText(t) {
			return nil, fmt.Errorf("unknown error parsing with_sequence arguments: %s is no text", value.Repr(t))
		}
		own := o
		m, err := sequencePattern.FullMatch(text(t))
		if err != nil {
			return nil, err
		}
		if m != nil {
			_, own = o.inline("", "")
			for _, name := range strings.Fields(sequenceOptions) {
				if s, set, _ := m.Named(name); set {
					own.all[name] = s
				}
			}
		} else {
			var rest string
			if rest, own = o.inline(text(t), sequenceOptions); rest != "" {
				return nil, fmt.Errorf("unrecognized arguments to with_sequence: %s", unknownOptions(rest))
			}
		}
		if out, err = sequence(out, own); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unknownOptions lists the names of what is left of an option text, as Python prints a list.
func unknownOptions(rest string) string {
	names := value.NewList()
	for _, word := range strings.Fields(rest) {
		name, _, _ := strings.Cut(word, "=")
		names.V = append(names.V, name)
	}
	return value.Repr(names)
}

func sequence(out []value.Value, o options) ([]value.Value, error) {
	num := map[string]int64{"start": 1, "stride": 1}
	for _, name := range []string{"start", "end", "count", "stride"} {
		if !o.has(name) {
			continue
		}
		n, err := strconv.ParseInt(text(o.all[name]), 0, 64)
		if err != nil {
			return nil, fmt.Errorf("Invalid type for %s: %s is not an integer", name, text(o.all[name]))
		}
		num[name] = n
	}
	start, stride, end := num["start"], num["stride"], num["end"]
	switch {
	case o.has("count") && o.has("end"):
		return nil, errors.New("can't specify both count and end in with_sequence")
	case !o.has("count") && !o.has("end"):
		return nil, errors.New("must specify count or end in with_sequence")
	case o.has("count") && num["count"] == 0:
		return out, nil
	case o.has("count"):
		end = start + num["count"]*stride - sign(stride)
	}
	if stride > 0 && end < start {
		return nil, errors.New("to count backwards make stride negative")
	}
	if stride < 0 && end > start {
		return nil, errors.New("to count forward don't make stride negative")
	}
	if stride == 0 {
		return out, nil
	}
	if (end-start)/stride > maxElements {
		return nil, errTooMany
	}
	format := o.text("format", "%d")
	if strings.Count(format, "%") != 1 {
		return nil, fmt.Errorf("bad formatting string: %s", format)
	}
	for i := start; stride > 0 && i <= end || stride < 0 && i >= end; i += stride {
		s, err := value.Percent(format, i)
		if err != nil {
			return nil, fmt.Errorf("problem formatting %d with %q: %w", i, format, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func sign(n int64) int64 {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}

func lookupRandomChoice(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	if len(terms) == 0 {
		return terms, nil
	}
	return []value.Value{terms[below(system{}, int64(len(terms)))]}, nil
}
