package ansible

import (
	"errors"
	"fmt"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("regex_replace(value='', pattern='', replacement='', ignorecase=False, multiline=False, count=0, mandatory_count=0)", regexReplace)
	filter("regex_findall(value, regex, multiline=False, ignorecase=False)", regexFindall)
	filter("regex_search(value, regex, *args, **kwargs)", regexSearch)
	filter("regex_escape(string, re_type='python')", regexEscape)
	test("match", "match(value, pattern='', ignorecase=False, multiline=False)", regexTest("match"))
	test("search", "search(value, pattern='', ignorecase=False, multiline=False)", regexTest("search"))
	test("regex", "regex(value='', pattern='', ignorecase=False, multiline=False, match_type='search')", regexAny)
}

// compile makes a regexp from a filter's arguments.
func compile(pattern, ignorecase, multiline value.Value) (*pyre.Regexp, error) {
	var flags pyre.Flags
	if isTrue(ignorecase) {
		flags |= pyre.IgnoreCase
	}
	if isTrue(multiline) {
		flags |= pyre.MultiLine
	}
	if !isText(pattern) {
		return nil, errors.New("first argument must be string or compiled pattern")
	}
	return pyre.Cached(text(pattern), flags)
}

func regexReplace(_ *template.Call, a []value.Value) (value.Value, error) {
	re, err := compile(a[1], a[3], a[4])
	if err != nil {
		return nil, err
	}
	if !isText(a[2]) {
		return nil, fmt.Errorf("expected str instance, %s found", value.TypeName(a[2]))
	}
	count, err := integer(a[5])
	if err != nil {
		return nil, err
	}
	out, n, err := re.Sub(text(a[2]), text(a[0]), int(count))
	if err != nil {
		return nil, err
	}
	if want, err := integer(a[6]); err != nil || want != 0 && int(want) != n {
		return nil, errors.Join(err, fmt.Errorf("'%s' should match %d times, but matches %d times in '%s'", text(a[1]), want, count, text(a[0])))
	}
	return out, nil
}

// row is one result of findall: the text, the only group, or a tuple of groups.
func row(groups []string) value.Value {
	if len(groups) == 1 {
		return groups[0]
	}
	t := make(value.Tuple, len(groups))
	for i, g := range groups {
		t[i] = g
	}
	return t
}

func regexFindall(_ *template.Call, a []value.Value) (value.Value, error) {
	re, err := compile(a[1], a[3], a[2])
	if err != nil {
		return nil, err
	}
	rows, err := re.FindAll(text(a[0]))
	if err != nil {
		return nil, err
	}
	out := []value.Value{}
	for _, r := range rows {
		out = append(out, row(r))
	}
	return list(out), nil
}

func regexSearch(c *template.Call, a []value.Value) (value.Value, error) {
	var ignorecase, multiline value.Value
	for _, k := range c.KW {
		switch k.Name {
		case "ignorecase":
			ignorecase = k.Value
		case "multiline":
			multiline = k.Value
		}
	}
	re, err := compile(a[1], ignorecase, multiline)
	if err != nil {
		return nil, err
	}
	m, err := re.Search(text(a[0]))
	if err != nil {
		return nil, err
	}
	groups := a[2:]
	for _, g := range groups {
		if !isGroupRef(text(g)) {
			return nil, errors.New("Unknown argument")
		}
	}
	if m == nil {
		return nil, nil
	}
	if len(groups) == 0 {
		return m.Text(0), nil
	}
	out := []value.Value{}
	for _, g := range groups {
		v, err := groupOf(m, text(g))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return list(out), nil
}

func isGroupRef(s string) bool {
	return strings.HasPrefix(s, `\g<`) || len(s) > 1 && s[0] == '\\' && s[1] >= '0' && s[1] <= '9'
}

// groupOf reads \g<name>, \g<1> or \1.
func groupOf(m *pyre.Match, ref string) (value.Value, error) {
	name := strings.TrimPrefix(ref, `\`)
	if rest, ok := strings.CutPrefix(ref, `\g<`); ok {
		name, _, _ = strings.Cut(rest, ">")
		if s, set, exists := m.Named(name); exists {
			return groupValue(s, set), nil
		}
	}
	n, err := integer(name)
	if err != nil || n < 0 || int(n) > m.Regexp().Groups() {
		return nil, errors.New("no such group")
	}
	return groupValue(m.Group(int(n))), nil
}

func groupValue(s string, set bool) value.Value {
	if !set {
		return nil
	}
	return s
}

func regexEscape(_ *template.Call, a []value.Value) (value.Value, error) {
	s := text(a[0])
	switch kind := text(a[1]); kind {
	case "python":
		return pyre.Escape(s), nil
	case "posix_basic":
		var b strings.Builder
		for _, r := range s {
			if strings.ContainsRune(`[]{}.^$*\`, r) && r != '{' && r != '}' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		return b.String(), nil
	case "posix_extended":
		return nil, fmt.Errorf("Regex type (%s) not yet implemented", kind)
	default:
		return nil, fmt.Errorf("Invalid regex type (%s)", kind)
	}
}

func regexTest(how string) check {
	return func(c *template.Call, a []value.Value) (bool, error) {
		if err := c.DefinedInside(a[0]); err != nil {
			return false, err
		}
		return matches(a[0], a[1], a[2], a[3], how)
	}
}

func regexAny(_ *template.Call, a []value.Value) (bool, error) {
	return matches(a[0], a[1], a[2], a[3], text(a[4]))
}

func matches(v, pattern, ignorecase, multiline value.Value, how string) (bool, error) {
	re, err := compile(pattern, ignorecase, multiline)
	if err != nil {
		return false, err
	}
	var m *pyre.Match
	switch how {
	case "match":
		m, err = re.Match(text(v))
	case "fullmatch":
		m, err = re.FullMatch(text(v))
	case "search":
		m, err = re.Search(text(v))
	default:
		return false, fmt.Errorf("invalid match_type %q: use match, fullmatch or search", how)
	}
	return m != nil, err
}
