package template

import (
	"fmt"
	"strings"

	"fettle/engine/value"
)

func init() {
	text := func(f func(string) string) Filter {
		return func(c *Call) (value.Value, error) {
			if len(c.Args) != 1 {
				return nil, fmt.Errorf("filter takes 1 positional argument but %d were given", len(c.Args))
			}
			s, err := c.str(0)
			return f(s), err
		}
	}
	for name, f := range map[string]func(string) string{
		"upper": upper, "lower": lower, "capitalize": capitalize,
	} {
		RegisterFilter(name, keepsMarkup(text(f)), Markup)
	}
	RegisterFilter("title", text(titleFilter))
	RegisterFilter("striptags", text(stripTags))
	same := func(s string) string { return s }
	RegisterFilter("string", keepsMarkup(text(same)), Plain, Markup)
	RegisterFilter("safe", asMarkup(text(same)))
	RegisterFilter("escape", filterEscape, Markup)
	RegisterFilter("e", filterEscape, Markup)
	RegisterFilter("forceescape", asMarkup(text(value.EscapeHTML)))
	for name, f := range map[string]Filter{"trim": filterTrim, "indent": filterIndent, "center": filterCenter} {
		RegisterFilter(name, keepsMarkup(f), Markup)
	}
	RegisterFilter("format", filterFormat, Markup)
	for name, f := range map[string]Filter{
		"replace": filterReplace, "truncate": filterTruncate, "wordcount": filterWordCount, "wordwrap": filterWordWrap,
	} {
		RegisterFilter(name, f)
	}
}

// str is the i-th argument as text: str(v), where an undefined value anywhere in it is an
// error.
func (c *Call) str(i int) (string, error) {
	if s, ok := c.Args[i].(string); ok {
		return s, nil
	}
	s, _, err := c.text(c.Args[i])
	return s, err
}

// titleFilter upper-cases the first letter after the start, spaces, hyphens and brackets.
func titleFilter(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		if start {
			b.WriteString(upper(string(r)))
		} else {
			b.WriteString(lower(string(r)))
		}
		start = r == '-' || r == '(' || r == '{' || r == '[' || r == '<' || value.IsSpace(r)
	}
	return b.String()
}

func stripTags(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '>')
		closing := 1
		if strings.HasPrefix(s[i:], "<!--") {
			end, closing = strings.Index(s[i:], "-->"), 3
		}
		if end < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i+end+closing:]
	}
	b.WriteString(s)
	return unescapeHTML(strings.Join(strings.FieldsFunc(b.String(), value.IsSpace), " "))
}

var htmlUnescaper = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&#39;", "'", "&#34;", `"`, "&quot;", `"`, "&nbsp;", "\u00a0")

func unescapeHTML(s string) string { return htmlUnescaper.Replace(s) }

func filterTrim(c *Call) (value.Value, error) {
	s, err := c.str(0)
	if err != nil {
		return nil, err
	}
	return strStrip(s, "strip", &Call{Args: []value.Value{c.Arg(1, "chars", nil)}})
}

var replaceSig = NewSig("replace(s, old, new, count=None)")

func filterReplace(c *Call) (value.Value, error) {
	a, err := c.Bind(replaceSig)
	if err != nil {
		return nil, err
	}
	n := int64(-1)
	if a[3] != nil {
		i, ok := value.Int(a[3])
		if !ok {
			return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(a[3]))
		}
		n = i
	}
	for _, v := range a[:3] {
		if err := c.DefinedInside(v); err != nil {
			return nil, err
		}
	}
	return replaceText(value.Str(a[0]), value.Str(a[1]), value.Str(a[2]), n)
}

var indentSig = NewSig("indent(s, width=4, first=False, blank=False)")

func filterIndent(c *Call) (value.Value, error) {
	a, err := c.Bind(indentSig)
	if err != nil {
		return nil, err
	}
	s, ok := a[0].(string)
	if !ok {
		return nil, fmt.Errorf("unsupported operand type(s) for +=: '%s' and 'str'", value.TypeName(a[0]))
	}
	pad, ok := a[1].(string)
	if !ok {
		n, ok := value.Int(a[1])
		if !ok {
			return nil, fmt.Errorf("can't multiply sequence by non-int of type '%s'", value.TypeName(a[1]))
		}
		if n > maxPad {
			return nil, &limitError{"the width is too large"}
		}
		pad = strings.Repeat(" ", int(max(n, 0)))
	}
	first, err := value.Truth(a[2])
	if err != nil {
		return nil, err
	}
	blank, err := value.Truth(a[3])
	if err != nil {
		return nil, err
	}
	return indent(s, pad, first, blank)
}

func indent(s, pad string, first, blank bool) (value.Value, error) {
	s += "\n"
	lines := SplitLines(s, false)
	if int64(len(lines))*int64(len(pad)) > value.MaxText {
		return nil, &limitError{"the text is too large"}
	}
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
			if l != "" || blank {
				b.WriteString(pad)
			}
		} else if first {
			b.WriteString(pad)
		}
		b.WriteString(l)
	}
	return b.String(), nil
}

func filterCenter(c *Call) (value.Value, error) {
	s, err := c.str(0)
	if err != nil {
		return nil, err
	}
	return strPad(s, "center", &Call{Args: []value.Value{c.Arg(1, "width", int64(80))}})
}

var truncateSig = NewSig("truncate(s, length=255, killwords=False, end='...', leeway=None)")

func filterTruncate(c *Call) (value.Value, error) {
	a, err := c.Bind(truncateSig)
	if err != nil {
		return nil, err
	}
	s, isText := a[0].(string)
	n, err := value.Len(a[0])
	if err != nil {
		return nil, err
	}
	leeway := int64(5)
	if a[4] != nil {
		leeway, _ = value.Int(a[4])
	}
	length, ok := value.Int(a[1])
	ends, err := value.Len(a[3])
	if err != nil {
		return nil, err
	}
	if !ok || length < int64(ends) {
		return nil, fmt.Errorf("expected length >= %d, got %s", ends, value.Str(a[1]))
	}
	if leeway < 0 {
		return nil, fmt.Errorf("expected leeway >= 0, got %d", leeway)
	}
	if int64(n) <= length+leeway {
		return a[0], nil
	}
	if !isText {
		return nil, fmt.Errorf("cannot truncate a value of type %s", value.TypeName(a[0]))
	}
	end, ok := a[3].(string)
	if !ok {
		return nil, fmt.Errorf("can only concatenate str (not %q) to str", value.TypeName(a[3]))
	}
	cut := string([]rune(s)[:length-int64(ends)])
	kill, err := value.Truth(a[2])
	if err != nil {
		return nil, err
	}
	if i := strings.LastIndexByte(cut, ' '); !kill && i >= 0 {
		cut = cut[:i]
	}
	return cut + end, nil
}

func filterWordCount(c *Call) (value.Value, error) {
	s, err := c.str(0)
	if err != nil {
		return nil, err
	}
	return int64(len(strings.FieldsFunc(s, func(r rune) bool { return r != '_' && !isWord(r) }))), nil
}

func filterFormat(c *Call) (value.Value, error) {
	s, err := c.str(0)
	if err != nil {
		return nil, err
	}
	var format value.Value = s
	if value.IsMarkup(c.Args[0]) {
		format = value.Markup(s)
	}
	if len(c.Args) > 1 && len(c.KW) > 0 {
		return nil, fmt.Errorf("can't handle positional and keyword arguments at the same time")
	}
	if len(c.KW) > 0 {
		d := value.NewDict(len(c.KW))
		for _, k := range c.KW {
			d.SetString(k.Name, k.Value)
		}
		return value.Mod(format, d)
	}
	return value.Mod(format, value.Tuple(append([]value.Value{}, c.Args[1:]...)))
}
