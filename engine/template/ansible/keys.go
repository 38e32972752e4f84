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
	filterAs([]string{"ansible.utils.keep_keys"}, "keep_keys(data, target, matching_parameter='equality')", keepKeys)
	filterAs([]string{"ansible.utils.remove_keys"}, "remove_keys(data, target, matching_parameter='equality')", removeKeys)
	filterAs([]string{"ansible.utils.replace_keys"}, "replace_keys(data, target, matching_parameter='equality')", replaceKeys)
	filterAs([]string{"community.general.keep_keys"}, "keep_keys(data, target=None, matching_parameter='equal')", flatKeys(true))
	filterAs([]string{"community.general.remove_keys"}, "remove_keys(data, target=None, matching_parameter='equal')", flatKeys(false))
	filterAs([]string{"community.general.replace_keys"}, "replace_keys(data, target=None, matching_parameter='equal')", flatReplace)
	filterAs([]string{"ansible.utils.to_paths", "to_paths"}, "to_paths(var, prepend=None, wantlist=False)", toPaths)
	filterAs([]string{"ansible.utils.get_path", "get_path"}, "get_path(var, path, wantlist=False)", getPath)
	filterAs([]string{"ansible.utils.index_of", "index_of"}, "index_of(data, test, value=None, key=None, fail_on_missing=False, wantlist=False)", indexOf)
	filterAs([]string{"ansible.netcommon.vlan_expander", "vlan_expander"}, "vlan_expander(data)", vlanExpander)
	filterAs([]string{"ansible.netcommon.vlan_parser", "vlan_parser"}, "vlan_parser(data, first_line_len=48, other_line_len=44)", vlanParser)
}

// matcher tells whether a key is meant by one of the targets.
type matcher func(key, target string) (bool, error)

func matcherOf(kind string) (matcher, error) {
	switch kind {
	case "equality", "equal":
		return func(k, t string) (bool, error) { return k == t, nil }, nil
	case "starts_with":
		return func(k, t string) (bool, error) { return strings.HasPrefix(k, t), nil }, nil
	case "ends_with":
		return func(k, t string) (bool, error) { return strings.HasSuffix(k, t), nil }, nil
	case "regex":
		return func(k, t string) (bool, error) {
			re, err := pyre.Cached(t, 0)
			if err != nil {
				return false, err
			}
			m, err := re.Match(k)
			return m != nil, err
		}, nil
	}
	return nil, fmt.Errorf("unknown matching_parameter %q", kind)
}

// targets binds the names and the way of matching of a filter on keys.
func targets(names, kind value.Value) (func(key value.Value) (bool, error), error) {
	match, err := matcherOf(text(kind))
	if err != nil {
		return nil, err
	}
	vs, err := items(names)
	if err != nil {
		return nil, err
	}
	return func(key value.Value) (bool, error) {
		for _, t := range vs {
			if ok, err := match(text(key), text(t)); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}, nil
}

func keepKeys(c *template.Call, a []value.Value) (value.Value, error) {
	switch a[0].(type) {
	case *value.Dict, *value.List:
	default:
		return nil, errors.New("Input is not valid for keep operation")
	}
	is, err := targets(a[1], a[2])
	if err != nil {
		return nil, err
	}
	if c.Compat().Old() {
		return keepOlder(a[0], is, true)
	}
	return keep(a[0], is)
}

// keep reduces the dicts in v to the wanted keys, and those keys that lead to some.
func keep(v value.Value, is func(value.Value) (bool, error)) (value.Value, error) {
	switch x := v.(type) {
	case *value.List:
		kept := []value.Value{}
		for _, e := range x.Items() {
			r, err := keep(e, is)
			if err != nil {
				return nil, err
			}
			kept = append(kept, r)
		}
		return list(kept), nil
	case *value.Dict:
		d := value.NewDict(x.Len())
		for _, e := range x.Items() {
			val, ok, err := keepEntry(e, is)
			if err == nil && ok {
				err = d.Set(e.Key, val)
			}
			if err != nil {
				return nil, err
			}
		}
		return d, nil
	}
	return v, nil
}

// keepEntry is what stays of a key's value; ok is false where nothing does.
func keepEntry(e value.Entry, is func(value.Value) (bool, error)) (val value.Value, ok bool, err error) {
	if ok, err = is(e.Key); ok || err != nil {
		return e.Value, ok, err
	}
	switch e.Value.(type) {
	case *value.Dict, *value.List:
	default:
		return nil, false, nil
	}
	val, err = keep(e.Value, is)
	if l, is := val.(*value.List); is && err == nil {
		if full := slices.DeleteFunc(slices.Clone(l.V), func(v value.Value) bool { return !isTrue(v) }); len(full) > 0 {
			val = list(full)
		}
	}
	return val, isTrue(val), err
}

// leaf tells what stands or falls with its key: scalars and lists of texts.
func leaf(v value.Value) bool {
	switch x := v.(type) {
	case *value.Dict:
		return false
	case *value.List:
		return !slices.ContainsFunc(x.Items(), func(e value.Value) bool { return !isText(e) })
	}
	return true
}

// keepOlder is keep before ansible.utils 3: what does not hold further dicts goes with its key; what gets empty is dropped, but not at
// the top.
func keepOlder(v value.Value, is func(value.Value) (bool, error), top bool) (value.Value, error) {
	switch x := v.(type) {
	case *value.List:
		kept := []value.Value{}
		for _, e := range x.Items() {
			if leaf(e) {
				kept = append(kept, e)
				continue
			}
			r, err := keepOlder(e, is, false)
			if err != nil {
				return nil, err
			}
			if top || isTrue(r) {
				kept = append(kept, r)
			}
		}
		return list(kept), nil
	case *value.Dict:
		d := value.NewDict(x.Len())
		for _, e := range x.Items() {
			val, ok := e.Value, false
			var err error
			if leaf(val) {
				ok, err = is(e.Key)
			} else {
				val, err = keepOlder(val, is, false)
				ok = isTrue(val)
			}
			if err == nil && ok {
				err = d.Set(e.Key, val)
			}
			if err != nil {
				return nil, err
			}
		}
		return d, nil
	}
	return v, nil
}

func removeKeys(_ *template.Call, a []value.Value) (value.Value, error) {
	is, err := targets(a[1], a[2])
	if err != nil {
		return nil, err
	}
	return rewrite(a[0], func(d *value.Dict) (*value.Dict, error) {
		out := value.NewDict(d.Len())
		for _, e := range d.Items() {
			ok, err := is(e.Key)
			if err != nil {
				return nil, err
			}
			if !ok {
				if err := out.Set(e.Key, e.Value); err != nil {
					return nil, err
				}
			}
		}
		return out, nil
	})
}

// rewrite applies f to every dict in v, from the top down.
func rewrite(v value.Value, f func(*value.Dict) (*value.Dict, error)) (value.Value, error) {
	switch x := v.(type) {
	case *value.List:
		out := []value.Value{}
		for _, e := range x.Items() {
			r, err := rewrite(e, f)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return list(out), nil
	case *value.Dict:
		d, err := f(x)
		if err != nil {
			return nil, err
		}
		out := value.NewDict(d.Len())
		for _, e := range d.Items() {
			r, err := rewrite(e.Value, f)
			if err != nil {
				return nil, err
			}
			if err := out.Set(e.Key, r); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// renames reads [{before: ..., after: ...}].
func renames(v, kind value.Value) (func(key value.Value) (value.Value, bool, error), error) {
	match, err := matcherOf(text(kind))
	if err != nil {
		return nil, err
	}
	vs, err := items(v)
	if err != nil {
		return nil, err
	}
	for _, t := range vs {
		d, ok := t.(*value.Dict)
		if !ok || !d.Has("before") || !d.Has("after") {
			return nil, fmt.Errorf("each target needs the keys before and after, got %s", value.Repr(t))
		}
	}
	return func(key value.Value) (value.Value, bool, error) {
		for _, t := range vs {
			before, _ := t.(*value.Dict).GetString("before")
			after, _ := t.(*value.Dict).GetString("after")
			if ok, err := match(text(key), text(before)); ok || err != nil {
				return after, ok, err
			}
		}
		return key, false, nil
	}, nil
}

func replaceKeys(_ *template.Call, a []value.Value) (value.Value, error) {
	rename, err := renames(a[1], a[2])
	if err != nil {
		return nil, err
	}
	return rewrite(a[0], func(d *value.Dict) (*value.Dict, error) {
		out, moved := value.NewDict(d.Len()), value.NewDict(0)
		for _, e := range d.Items() {
			key, renamed, err := rename(e.Key)
			to := out
			if renamed {
				to = moved
			}
			if err == nil {
				err = to.Set(key, e.Value)
			}
			if err != nil {
				return nil, err
			}
		}
		for _, e := range moved.Entries() {
			_ = out.Set(e.Key, e.Value)
		}
		return out, nil
	})
}

// flatKind refuses ways of matching that community.general does not know.
func flatKind(kind string) error {
	if kind == "equality" {
		return errors.New("The matching_parameter must be one of ['equal', 'starts_with', 'ends_with', 'regex'].")
	}
	return nil
}

// textTarget refuses a target that names nothing.
func textTarget(v value.Value, kind string) error {
	if err := flatKind(kind); err != nil {
		return err
	}
	if l, ok := v.(*value.List); ok && kind == "regex" && len(l.V) > 1 {
		return errors.New("Single item is required in the target list if matching_parameter=regex.")
	}
	switch _, isList := v.(*value.List); {
	case !isText(v) && !isList:
		return fmt.Errorf("The target must be a string or a list. target is <class '%s'>.", value.TypeName(v))
	case !isTrue(v):
		return errors.New("The target can't be empty.")
	}
	return nil
}

// flatKeys keeps or removes keys of a list of dicts.
func flatKeys(wanted bool) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		if err := textTarget(a[1], text(a[2])); err != nil {
			return nil, err
		}
		is, err := targets(a[1], a[2])
		if err != nil {
			return nil, err
		}
		return eachDict(a[0], func(out *value.Dict, e value.Entry) error {
			ok, err := is(e.Key)
			if err != nil || ok != wanted {
				return err
			}
			return out.Set(e.Key, e.Value)
		})
	}
}

func flatReplace(_ *template.Call, a []value.Value) (value.Value, error) {
	if isSequence(a[1]) && !isTrue(a[1]) {
		return nil, errors.New("The target can't be empty.")
	}
	rename, err := renames(a[1], a[2])
	if err != nil {
		return nil, err
	}
	return eachDict(a[0], func(out *value.Dict, e value.Entry) error {
		key, _, err := rename(e.Key)
		if err != nil {
			return err
		}
		return out.Set(key, e.Value)
	})
}

func eachDict(v value.Value, put func(out *value.Dict, e value.Entry) error) (value.Value, error) {
	vs, err := value.Iterate(v)
	if err != nil {
		return nil, err
	}
	res := []value.Value{}
	for _, v := range vs {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("the elements of the data list must be dictionaries, %s is %s", value.Repr(v), value.TypeName(v))
		}
		out := value.NewDict(d.Len())
		for _, e := range d.Items() {
			if !isText(e.Key) {
				return nil, fmt.Errorf("Top level keys must be strings, %s is not", value.Repr(e.Key))
			}
			if err := put(out, e); err != nil {
				return nil, err
			}
		}
		res = append(res, out)
	}
	return list(res), nil
}

var identifier = pyre.MustCompile(`[A-Za-z_]\w*`, 0)

func toPaths(_ *template.Call, a []value.Value) (value.Value, error) {
	out := value.NewDict(16)
	prefix := ""
	if a[1] != nil {
		prefix = text(a[1])
	}
	if err := paths(out, prefix, a[0]); err != nil {
		return nil, err
	}
	if isTrue(a[2]) {
		return list([]value.Value{out}), nil
	}
	return out, nil
}

func paths(out *value.Dict, prefix string, v value.Value) error {
	switch x := v.(type) {
	case *value.Dict:
		for _, e := range x.Items() {
			name := text(e.Key)
			m, err := identifier.FullMatch(name)
			if err != nil {
				return err
			}
			switch {
			case prefix == "":
			case m == nil && isText(e.Key):
				name = prefix + "['" + name + "']"
			case m == nil:
				name = prefix + "[" + name + "]"
			default:
				name = prefix + "." + name
			}
			if err := paths(out, name, e.Value); err != nil {
				return err
			}
		}
		if x.Len() > 0 {
			return nil
		}
	case *value.List:
		for i, e := range x.Items() {
			if err := paths(out, fmt.Sprintf("%s[%d]", prefix, i), e); err != nil {
				return err
			}
		}
		if len(x.V) > 0 {
			return nil
		}
	}
	out.SetString(prefix, v)
	return nil
}

var pathStep = pyre.MustCompile(`\.?([A-Za-z_]\w*)|\[\s*(-?\d+)\s*\]|\[\s*'([^']*)'\s*\]|\[\s*"([^"]*)"\s*\]`, 0)

// getPath follows a path such as a.b[0]['c'].
func getPath(_ *template.Call, a []value.Value) (value.Value, error) {
	v, path := a[0], text(a[1])
	at := 0
	steps, err := pathStep.FindAllMatches(path)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if start, _ := s.Span(0); start != at {
			break
		}
		_, at = s.Span(0)
		var key value.Value = s.Text(1) + s.Text(3) + s.Text(4)
		if n, ok := s.Group(2); ok {
			i, _ := strconv.ParseInt(n, 10, 64)
			key = i
		}
		next, ok, err := value.Item(v, key)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s has no %s in path %q", value.TypeName(v), value.Repr(key), path)
		}
		v = next
	}
	if at != len(path) {
		return nil, fmt.Errorf("cannot read path %q from %q", path, path[at:])
	}
	if isTrue(a[2]) {
		return list([]value.Value{v}), nil
	}
	return v, nil
}

// indexOf lists the places where a test holds, or gives the only one.
func indexOf(c *template.Call, a []value.Value) (value.Value, error) {
	if !isSequence(a[0]) {
		return nil, fmt.Errorf("a list is required, was passed a %s", value.TypeName(a[0]))
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	name := text(a[1])
	negate := false
	if rest, ok := strings.CutPrefix(name, "!"); ok && rest != "=" {
		name, negate = rest, true
	}
	if rest, ok := strings.CutPrefix(name, "not "); ok {
		name, negate = rest, true
	}
	out := []value.Value{}
	for i, v := range vs {
		if a[3] != nil {
			key, ok, err := value.Item(v, a[3])
			if err != nil || !ok {
				if isTrue(a[4]) {
					return nil, fmt.Errorf("%s was not found in %s", value.Repr(a[3]), value.Repr(v))
				}
				continue
			}
			v = key
		}
		args := []value.Value{v}
		if a[2] != nil {
			args = append(args, a[2])
		}
		ok, err := c.Test(name, args, nil)
		if err != nil {
			return nil, err
		}
		if ok != negate {
			out = append(out, int64(i))
		}
	}
	if len(out) == 1 && !isTrue(a[5]) {
		return out[0], nil
	}
	return list(out), nil
}

func vlanExpander(_ *template.Call, a []value.Value) (value.Value, error) {
	out := []value.Value{}
	for part := range strings.SplitSeq(text(a[0]), ",") {
		lo, hi, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := integer(lo)
		if err != nil {
			return nil, err
		}
		last := first
		if isRange {
			if last, err = integer(hi); err != nil {
				return nil, err
			}
		}
		if last-first > 4096 {
			return nil, errTooMany
		}
		for n := first; n <= last; n++ {
			out = append(out, n)
		}
	}
	return list(out), nil
}

// vlanParser writes VLAN numbers as ranges, broken into lines of the given lengths.
func vlanParser(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	var nums []int64
	for _, v := range vs {
		n, err := integer(v)
		if err != nil || n < 1 || n > 4094 {
			return nil, fmt.Errorf("valid VLAN range is 1-4094, got %s", text(v))
		}
		nums = append(nums, n)
	}
	limit, err := integer(a[1])
	if err != nil {
		return nil, err
	}
	rest, err := integer(a[2])
	if err != nil {
		return nil, err
	}
	lines := []string{""}
	for _, r := range ranges(nums) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = r
		case int64(len(*last)+1+len(r)) <= limit:
			*last += "," + r
		default:
			lines = append(lines, r)
			limit = rest
		}
	}
	return texts(lines), nil
}
