package template

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"fettle/engine/value"
)

// textArg is a positional argument that must be a str.
func (c *Call) textArg(method string, i int) (string, error) {
	if i >= len(c.Args) {
		return "", fmt.Errorf("%s expected at least %d argument%s, got %d", method, i+1, plural(i+1), len(c.Args))
	}
	if s, ok := c.Args[i].(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("%s() argument %d must be str, not %s", method, i+1, value.TypeName(c.Args[i]))
}

// intArg is an optional int argument.
func (c *Call) intArg(i int, name string, dflt int64) (int64, error) {
	v := c.Arg(i, name, nil)
	if v == nil && !c.has(i, name) {
		return dflt, nil
	}
	n, ok := value.Int(v)
	if !ok {
		return 0, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(v))
	}
	return n, nil
}

var strFuncs map[string]func(s, name string, c *Call) (value.Value, error)

func init() {
	strFuncs = map[string]func(s, name string, c *Call) (value.Value, error){
		"split": strSplit, "rsplit": strSplit, "strip": strStrip, "lstrip": strStrip, "rstrip": strStrip,
		"startswith": strAffix, "endswith": strAffix, "removeprefix": strRemove, "removesuffix": strRemove,
		"replace": strReplace, "join": strJoin, "splitlines": strSplitLines,
		"find": strFind, "rfind": strFind, "index": strFind, "rindex": strFind, "count": strFind,
		"partition": strPartition, "rpartition": strPartition, "zfill": strZfill,
		"center": strPad, "ljust": strPad, "rjust": strPad, "expandtabs": strExpandTabs, "encode": strEncode,
		"format": strFormat, "format_map": strFormat, "translate": strTranslate, "maketrans": strMakeTrans,
		"isupper": strCased, "islower": strCased, "istitle": strCased,
		"isdigit": strIs, "isdecimal": strIs, "isnumeric": strIs, "isalpha": strIs, "isalnum": strIs, "isspace": strIs,
		"isascii": strIs, "isprintable": strIs, "isidentifier": strIs,
	}
}

func strMethod(s, name string, c *Call) (value.Value, error) {
	if f := strFuncs[name]; f != nil {
		return f(s, name, c)
	}
	if err := c.need("str."+name, 0, 0); err != nil {
		return nil, err
	}
	switch name {
	case "upper":
		return upper(s), nil
	case "lower":
		return lower(s), nil
	case "casefold":
		return casefold(s), nil
	case "capitalize":
		return capitalize(s), nil
	case "title":
		return title(s), nil
	}
	return swapcase(s), nil
}

func strSplit(s, name string, c *Call) (value.Value, error) {
	max, err := c.intArg(1, "maxsplit", -1)
	if err != nil {
		return nil, err
	}
	max = min(max, 1<<31)
	switch sep := c.Arg(0, "sep", nil).(type) {
	case nil:
		return texts(splitSpace(s, int(max), name == "rsplit")), nil
	case string:
		if sep == "" {
			return nil, fmt.Errorf("empty separator")
		}
		if name == "rsplit" {
			return texts(rsplit(s, sep, int(max))), nil
		}
		if max < 0 {
			return texts(strings.Split(s, sep)), nil
		}
		return texts(strings.SplitN(s, sep, int(max)+1)), nil
	default:
		return nil, fmt.Errorf("must be str or None, not %s", value.TypeName(sep))
	}
}

func rsplit(s, sep string, max int) []string {
	var out []string
	for max != 0 {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		out = append(out, s[i+len(sep):])
		s = s[:i]
		max--
	}
	out = append(out, s)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func splitSpace(s string, max int, right bool) []string {
	if max < 0 {
		return strings.FieldsFunc(s, value.IsSpace)
	}
	var out []string
	if !right {
		s = strings.TrimLeftFunc(s, value.IsSpace)
		for s != "" {
			i := strings.IndexFunc(s, value.IsSpace)
			if len(out) == max || i < 0 {
				return append(out, s)
			}
			out = append(out, s[:i])
			s = strings.TrimLeftFunc(s[i:], value.IsSpace)
		}
		return out
	}
	s = strings.TrimRightFunc(s, value.IsSpace)
	for s != "" {
		i := strings.LastIndexFunc(s, value.IsSpace)
		if len(out) == max || i < 0 {
			out = append([]string{s}, out...)
			return out
		}
		_, w := utf8.DecodeRuneInString(s[i:])
		out = append([]string{s[i+w:]}, out...)
		s = strings.TrimRightFunc(s[:i], value.IsSpace)
	}
	return out
}

// texts is a list of strs.
func texts(xs []string) *value.List {
	l := &value.List{V: make([]value.Value, len(xs))}
	for i, x := range xs {
		l.V[i] = x
	}
	return l
}

func strStrip(s, name string, c *Call) (value.Value, error) {
	in := value.IsSpace
	switch x := c.Arg(0, "", nil).(type) {
	case nil:
	case string:
		in = func(r rune) bool { return strings.ContainsRune(x, r) }
	default:
		return nil, fmt.Errorf("%s arg must be None or str", name)
	}
	if name != "rstrip" {
		s = strings.TrimLeftFunc(s, in)
	}
	if name != "lstrip" {
		s = strings.TrimRightFunc(s, in)
	}
	return s, nil
}

func strAffix(s, name string, c *Call) (value.Value, error) {
	if err := c.need(name, 1, 3); err != nil {
		return nil, err
	}
	rs := []rune(s)
	from, to, err := c.bounds(1, len(rs))
	if err != nil {
		return nil, err
	}
	switch c.Args[0].(type) {
	case string, value.Tuple:
	default:
		return nil, fmt.Errorf("%s first arg must be str or a tuple of str, not %s", name, value.TypeName(c.Args[0]))
	}
	if len(c.Args) > 1 {
		if start, ok := value.Int(c.Args[1]); ok && start > int64(len(rs)) {
			return false, nil
		}
		s = string(rs[from:max(from, to)])
	}
	has := strings.HasPrefix
	if name == "endswith" {
		has = strings.HasSuffix
	}
	if x, ok := c.Args[0].(string); ok {
		return has(s, x), nil
	}
	for _, e := range c.Args[0].(value.Tuple) {
		t, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("tuple for %s must only contain str, not %s", name, value.TypeName(e))
		}
		if has(s, t) {
			return true, nil
		}
	}
	return false, nil
}

func strRemove(s, name string, c *Call) (value.Value, error) {
	x, err := c.textArg(name, 0)
	if name == "removeprefix" {
		return strings.TrimPrefix(s, x), err
	}
	return strings.TrimSuffix(s, x), err
}

func strReplace(s, name string, c *Call) (value.Value, error) {
	a, err := c.textArg(name, 0)
	if err != nil {
		return nil, err
	}
	b, err := c.textArg(name, 1)
	if err != nil {
		return nil, err
	}
	n, err := c.intArg(2, "count", -1)
	if err != nil {
		return nil, err
	}
	return replaceText(s, a, b, n)
}

func replaceText(s, a, b string, n int64) (value.Value, error) {
	if grown := len(b) - len(a); grown > 0 && int64(len(s)+1)*int64(grown) > value.MaxText &&
		int64(strings.Count(s, a))*int64(grown) > value.MaxText {
		return nil, &limitError{"the text is too large"}
	}
	return strings.Replace(s, a, b, int(max(min(n, 1<<40), -1))), nil
}

func strJoin(s, name string, c *Call) (value.Value, error) {
	if err := c.need("str.join", 1, 1); err != nil {
		return nil, err
	}
	items, err := value.Iterate(c.Args[0])
	if err != nil {
		return nil, fmt.Errorf("can only join an iterable")
	}
	parts := make([]string, len(items))
	size := len(s) * len(items)
	for i, e := range items {
		t, ok := e.(string)
		if !ok {
			if u, ok := e.(*value.Undefined); ok {
				return nil, &value.UndefinedError{Undefined: u}
			}
			return nil, fmt.Errorf("sequence item %d: expected str instance, %s found", i, value.TypeName(e))
		}
		parts[i] = t
		if size += len(t); size > value.MaxText {
			return nil, &limitError{"the text is too large"}
		}
	}
	return strings.Join(parts, s), nil
}

func strSplitLines(s, _ string, c *Call) (value.Value, error) {
	keep, err := value.Truth(c.Arg(0, "keepends", false))
	return texts(SplitLines(s, keep)), err
}

// SplitLines is Python's str.splitlines.
func SplitLines(s string, keep bool) []string {
	out := []string{}
	for s != "" {
		j := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if j < 0 {
			return append(out, s)
		}
		_, w := utf8.DecodeRuneInString(s[j:])
		if strings.HasPrefix(s[j:], "\r\n") {
			w = 2
		}
		if keep {
			out = append(out, s[:j+w])
		} else {
			out = append(out, s[:j])
		}
		s = s[j+w:]
	}
	return out
}

func strFind(s, name string, c *Call) (value.Value, error) {
	if err := c.need(name, 1, 3); err != nil {
		return nil, err
	}
	x, ok := c.Args[0].(string)
	if !ok {
		return nil, fmt.Errorf("must be str, not %s", value.TypeName(c.Args[0]))
	}
	offset, outside := 0, false
	if len(c.Args) > 1 {
		rs := []rune(s)
		from, to, err := c.bounds(1, len(rs))
		if err != nil {
			return nil, err
		}
		start, _ := value.Int(c.Args[1])
		outside = from > to || start > int64(len(rs))
		s, offset = string(rs[from:max(from, to)]), from
	}
	if name == "count" {
		if outside {
			return int64(0), nil
		}
		return int64(strings.Count(s, x)), nil
	}
	i := strings.Index(s, x)
	if name[0] == 'r' {
		i = strings.LastIndex(s, x)
	}
	if outside || i < 0 {
		if strings.HasSuffix(name, "index") {
			return nil, fmt.Errorf("substring not found")
		}
		return int64(-1), nil
	}
	return int64(utf8.RuneCountInString(s[:i]) + offset), nil
}

func strPartition(s, name string, c *Call) (value.Value, error) {
	x, err := c.textArg(name, 0)
	if err != nil {
		return nil, err
	}
	if x == "" {
		return nil, fmt.Errorf("empty separator")
	}
	if name == "partition" {
		if a, b, ok := strings.Cut(s, x); ok {
			return value.Tuple{a, x, b}, nil
		}
		return value.Tuple{s, "", ""}, nil
	}
	if i := strings.LastIndex(s, x); i >= 0 {
		return value.Tuple{s[:i], x, s[i+len(x):]}, nil
	}
	return value.Tuple{"", "", s}, nil
}

// maxPad bounds what padding methods may make.
const maxPad = 1 << 24

func (c *Call) width() (int, error) {
	w, ok := value.Int(c.Arg(0, "width", nil))
	if !ok {
		return 0, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(c.Arg(0, "width", nil)))
	}
	if w > maxPad {
		return 0, &limitError{"the width is too large"}
	}
	return int(max(w, 0)), nil
}

func strZfill(s, _ string, c *Call) (value.Value, error) {
	w, err := c.width()
	k := w - utf8.RuneCountInString(s)
	if err != nil || k <= 0 {
		return s, err
	}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[:1] + strings.Repeat("0", k) + s[1:], nil
	}
	return strings.Repeat("0", k) + s, nil
}

func strPad(s, name string, c *Call) (value.Value, error) {
	w, err := c.width()
	if err != nil {
		return nil, err
	}
	fill, ok := c.Arg(1, "", " ").(string)
	if !ok || utf8.RuneCountInString(fill) != 1 {
		return nil, fmt.Errorf("The fill character must be exactly one character long")
	}
	k := w - utf8.RuneCountInString(s)
	if k <= 0 {
		return s, nil
	}
	left := 0
	switch name {
	case "center":
		left = k/2 + k&w&1
	case "rjust":
		left = k
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, k-left), nil
}

func strExpandTabs(s, _ string, c *Call) (value.Value, error) {
	size, err := c.intArg(0, "tabsize", 8)
	if err != nil {
		return nil, err
	}
	if size > 1<<16 {
		return nil, &limitError{"the tab size is too large"}
	}
	var b strings.Builder
	col := int64(0)
	for _, r := range s {
		switch r {
		case '\t':
			if size > 0 {
				k := size - col%size
				b.WriteString(strings.Repeat(" ", int(k)))
				col += k
			}
			continue
		case '\n', '\r':
			col = -1
		}
		col++
		b.WriteRune(r)
	}
	return b.String(), nil
}

func strEncode(s, _ string, c *Call) (value.Value, error) {
	enc := strings.ToLower(strings.ReplaceAll(value.Str(c.Arg(0, "encoding", "utf-8")), "_", "-"))
	switch enc {
	case "utf-8", "utf8":
		return []byte(s), nil
	case "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1", "iso8859-1":
		limit := rune(0x7f)
		if enc[0] == 'l' || enc[0] == 'i' {
			limit = 0xff
		}
		return encodeByte(s, limit, enc, value.Str(c.Arg(1, "errors", "strict")))
	}
	return nil, fmt.Errorf("unknown encoding: %s", enc)
}

func encodeByte(s string, limit rune, enc, errors string) (value.Value, error) {
	out := make([]byte, 0, len(s))
	for i, r := range []rune(s) {
		switch {
		case r <= limit:
			out = append(out, byte(r))
		case errors == "ignore":
		case errors == "replace":
			out = append(out, '?')
		default:
			return nil, fmt.Errorf("'%s' codec can't encode character %s in position %d: ordinal not in range(%d)", enc, value.Repr(string(r)), i, limit+1)
		}
	}
	return out, nil
}

func strCased(s, name string, _ *Call) (value.Value, error) {
	hasUpper, hasLower := false, false
	for _, r := range s {
		hasUpper = hasUpper || unicode.IsUpper(r) || unicode.IsTitle(r)
		hasLower = hasLower || unicode.IsLower(r)
	}
	switch name {
	case "isupper":
		return hasUpper && !hasLower, nil
	case "islower":
		return hasLower && !hasUpper, nil
	}
	cased, found := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if cased {
				return false, nil
			}
			cased, found = true, true
		case unicode.IsLower(r):
			if !cased {
				return false, nil
			}
			found = true
		default:
			cased = false
		}
	}
	return found, nil
}

func strIs(s, name string, _ *Call) (value.Value, error) {
	f := map[string]func(rune) bool{
		"isdigit":   func(r rune) bool { return unicode.Is(unicode.Nd, r) || isSuperDigit(r) },
		"isdecimal": func(r rune) bool { return unicode.Is(unicode.Nd, r) },
		"isnumeric": unicode.IsNumber,
		"isalpha":   unicode.IsLetter,
		"isalnum":   func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
		"isspace":   value.IsSpace,
	}[name]
	switch name {
	case "isascii":
		return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0, nil
	case "isprintable":
		return strings.IndexFunc(s, func(r rune) bool { return !value.Printable(r) }) < 0, nil
	case "isidentifier":
		return isIdentifier(s), nil
	}
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0, nil
}

func isSuperDigit(r rune) bool {
	return r == '²' || r == '³' || r == '¹' || r >= '⁰' && r <= '⁹' || r >= '₀' && r <= '₉' || r >= '①' && r <= '⑨'
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)) {
			return false
		}
	}
	return s != ""
}

func strTranslate(s, _ string, c *Call) (value.Value, error) {
	d, ok := c.Arg(0, "table", nil).(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("'%s' object is not subscriptable", value.TypeName(c.Arg(0, "table", nil)))
	}
	var b strings.Builder
	for _, r := range s {
		v, ok := d.Get(int64(r))
		switch x := v.(type) {
		case int64:
			b.WriteRune(rune(x))
		case string:
			b.WriteString(x)
		default:
			if !ok {
				b.WriteRune(r)
			}
		}
	}
	return b.String(), nil
}

func strMakeTrans(_, _ string, c *Call) (value.Value, error) {
	out := value.NewDict(8)
	if d, ok := c.Arg(0, "", nil).(*value.Dict); ok && len(c.Args) == 1 {
		for _, e := range d.Items() {
			k := e.Key
			if s, ok := k.(string); ok {
				r, _ := utf8.DecodeRuneInString(s)
				k = int64(r)
			}
			_ = out.Set(k, e.Value)
		}
		return out, nil
	}
	a, err := c.textArg("maketrans", 0)
	if err != nil {
		return nil, err
	}
	b, err := c.textArg("maketrans", 1)
	if err != nil {
		return nil, err
	}
	from, to := []rune(a), []rune(b)
	if len(from) != len(to) {
		return nil, fmt.Errorf("the first two maketrans arguments must have equal length")
	}
	for i := range from {
		_ = out.Set(int64(from[i]), int64(to[i]))
	}
	if z, ok := c.Arg(2, "", "").(string); ok {
		for _, r := range z {
			_ = out.Set(int64(r), nil)
		}
	}
	return out, nil
}
