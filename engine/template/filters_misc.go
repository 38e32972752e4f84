package template

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"fettle/engine/value"
)

func init() {
	RegisterFilter("tojson", asMarkup(filterToJSON))
	RegisterFilter("pprint", filterPPrint, Markup)
	RegisterFilter("urlencode", filterURLEncode)
	RegisterFilter("xmlattr", filterXMLAttr, Markup)
	RegisterFilter("urlize", filterURLize)
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func filterToJSON(c *Call) (value.Value, error) {
	indentArg := c.Arg(1, "indent", nil)
	j := value.JSON{Spaces: true, SortKeys: true, ASCII: true}
	if n, ok := value.Int(indentArg); ok {
		if n > 1000 {
			return nil, &limitError{"the indentation is too large"}
		}
		j.Pretty, j.Indent = true, strings.Repeat(" ", int(max(n, 0)))
	}
	s, err := j.Encode(c.Args[0])
	if err != nil {
		return nil, err
	}
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(s), nil
}

// quoteURL is urllib's quote.
func quoteURL(s, safe string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-~", c) >= 0 || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func filterURLEncode(c *Call) (value.Value, error) {
	quotePlus := func(v value.Value) string {
		s := value.Str(v)
		return strings.ReplaceAll(quoteURL(s, " "), " ", "+")
	}
	var pairs []value.Value
	switch x := c.Args[0].(type) {
	case *value.Dict:
		items, err := dictItems(x, true)
		if err != nil {
			return nil, err
		}
		pairs = items.(*value.List).V
	case string:
		return quoteURL(x, "/"), nil
	default:
		vs, err := value.Iterate(x)
		if err != nil {
			return quoteURL(value.Str(x), "/"), nil
		}
		pairs = vs
	}
	parts := make([]string, 0, len(pairs))
	for _, p := range pairs {
		kv, err := value.Iterate(p)
		if err != nil {
			return nil, err
		}
		if len(kv) != 2 {
			return nil, fmt.Errorf("not enough values to unpack (expected 2, got %d)", len(kv))
		}
		parts = append(parts, quotePlus(kv[0])+"="+quotePlus(kv[1]))
	}
	return strings.Join(parts, "&"), nil
}

func filterXMLAttr(c *Call) (value.Value, error) {
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("'%s' object has no attribute 'items'", value.TypeName(c.Args[0]))
	}
	var parts []string
	for _, e := range d.Items() {
		if _, undefined := e.Value.(*value.Undefined); undefined || e.Value == nil {
			continue
		}
		k, ok := e.Key.(string)
		if !ok {
			return nil, fmt.Errorf("expected string or bytes-like object, got '%s'", value.TypeName(e.Key))
		}
		if strings.ContainsAny(k, " \t\n\r\f/>=") {
			return nil, fmt.Errorf("Invalid character in attribute name: %s", value.Repr(k))
		}
		parts = append(parts, value.EscapeHTML(k)+`="`+string(value.Escape(e.Value))+`"`)
	}
	out := strings.Join(parts, " ")
	space, err := value.Truth(c.Arg(1, "autospace", true))
	if space && out != "" {
		out = " " + out
	}
	return out, err
}

func filterURLize(c *Call) (value.Value, error) {
	s, err := c.str(0)
	if err != nil {
		return nil, err
	}
	trim, _ := value.Int(c.Arg(1, "trim_url_limit", int64(1<<30)))
	if trim == 0 {
		trim = 1 << 30
	}
	rel := []string{"noopener"}
	if nf, _ := value.Truth(c.Arg(2, "nofollow", false)); nf {
		rel = []string{"nofollow", "noopener"}
	}
	attrs := ` rel="` + strings.Join(rel, " ") + `"`
	if t := c.Arg(3, "target", nil); t != nil {
		attrs += ` target="` + value.EscapeHTML(value.Str(t)) + `"`
	}
	var b strings.Builder
	word := func(w string) { b.WriteString(linkWord(w, attrs, int(trim))) }
	from := 0
	space := false
	for i, r := range s {
		if value.IsSpace(r) != space {
			if !space {
				word(s[from:i])
			} else {
				b.WriteString(s[from:i])
			}
			from, space = i, !space
		}
	}
	if space {
		b.WriteString(s[from:])
	} else {
		word(s[from:])
	}
	return b.String(), nil
}

func linkWord(w, attrs string, limit int) string {
	head, tail := "", ""
	for w != "" && strings.ContainsRune("(<", rune(w[0])) {
		head, w = head+value.EscapeHTML(w[:1]), w[1:]
	}
	for w != "" && strings.ContainsRune(").,>\n", rune(w[len(w)-1])) {
		tail, w = value.EscapeHTML(w[len(w)-1:])+tail, w[:len(w)-1]
	}
	href := ""
	switch {
	case strings.HasPrefix(w, "http://") || strings.HasPrefix(w, "https://"):
		href = w
	case strings.HasPrefix(w, "www.") && strings.Contains(w[4:], "."):
		href = "https://" + w
	case strings.HasPrefix(w, "mailto:") && strings.Contains(w, "@"):
		href = w
	}
	if u, err := url.Parse(href); href == "" || err != nil || u == nil {
		if strings.Contains(w, "@") && !strings.HasPrefix(w, "@") && strings.Contains(w[strings.Index(w, "@"):], ".") && !strings.Contains(w, ":") && !strings.HasPrefix(w, "www.") {
			return head + `<a href="mailto:` + value.EscapeHTML(w) + `">` + value.EscapeHTML(w) + `</a>` + tail
		}
		return head + value.EscapeHTML(w) + tail
	}
	shown := strings.TrimPrefix(w, "mailto:")
	if utf8.RuneCountInString(shown) > limit {
		shown = string([]rune(shown)[:limit]) + "..."
	}
	if strings.HasPrefix(w, "mailto:") {
		return head + `<a href="` + value.EscapeHTML(href) + `">` + value.EscapeHTML(shown) + `</a>` + tail
	}
	return head + `<a href="` + value.EscapeHTML(href) + `"` + attrs + `>` + value.EscapeHTML(shown) + `</a>` + tail
}

var wordWrapSig = NewSig("wordwrap(s, width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)")

func filterWordWrap(c *Call) (value.Value, error) {
	a, err := c.Bind(wordWrapSig)
	if err != nil {
		return nil, err
	}
	s, ok := a[0].(string)
	if b, bytes := a[0].([]byte); bytes && len(b) == 0 {
		return "", nil
	}
	if !ok {
		return nil, fmt.Errorf("'%s' object has no attribute 'splitlines'", value.TypeName(a[0]))
	}
	lines := SplitLines(s, false)
	width, ok := value.Int(a[1])
	if (!ok || width <= 0) && len(lines) > 0 {
		return nil, fmt.Errorf("invalid width %s (must be > 0)", value.Str(a[1]))
	}
	breakLong, err := value.Truth(a[2])
	if err != nil {
		return nil, err
	}
	hyphens, err := value.Truth(a[4])
	if err != nil {
		return nil, err
	}
	sep := "\n"
	if a[3] != nil {
		sep = value.Str(a[3])
	}
	var out []string
	for _, line := range lines {
		out = append(out, strings.Join(wrapLine(line, int(min(width, 1<<30)), breakLong, hyphens), sep))
	}
	return strings.Join(out, sep), nil
}

// wrapLine is textwrap.wrap with expand_tabs and replace_whitespace off.
func wrapLine(s string, width int, breakLong, hyphens bool) []string {
	chunks := wrapChunks(s, hyphens)
	var lines []string
	for len(chunks) > 0 {
		var line []string
		n := 0
		if len(lines) > 0 && strings.TrimSpace(chunks[0]) == "" {
			chunks = chunks[1:]
		}
		for len(chunks) > 0 && n+utf8.RuneCountInString(chunks[0]) <= width {
			n += utf8.RuneCountInString(chunks[0])
			line = append(line, chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && utf8.RuneCountInString(chunks[0]) > width {
			rs := []rune(chunks[0])
			room := width - n
			if breakLong {
				cut := room
				if hyphens {
					if h := strings.LastIndex(string(rs[:min(room, len(rs))]), "-"); h > 0 && strings.Trim(string(rs[:room])[:h], "-") != "" {
						cut = utf8.RuneCountInString(string(rs[:room])[:h]) + 1
					}
				}
				line = append(line, string(rs[:cut]))
				chunks[0] = string(rs[cut:])
			} else if len(line) == 0 {
				line = append(line, chunks[0])
				chunks = chunks[1:]
			}
		}
		// As in Python, an empty piece of a word keeps the white space before it.
		if k := len(line); k > 0 && strings.TrimSpace(line[k-1]) == "" {
			line = line[:k-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// wrapChunks splits text into words and the white space between them; hyphenated words are
// split behind their hyphens.
func wrapChunks(s string, hyphens bool) []string {
	var out []string
	isSpace := func(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return isSpace(r) != isSpace(rune(s[0])) })
		if i < 0 {
			i = len(s)
		}
		w := s[:i]
		s = s[i:]
		if !hyphens || isSpace(rune(w[0])) {
			out = append(out, w)
			continue
		}
		out = append(out, splitHyphens(w)...)
	}
	return out
}

func splitHyphens(w string) []string {
	var out []string
	rs := []rune(w)
	from := 0
	letter := func(i int) bool { return i >= 0 && i < len(rs) && (unicode.IsLetter(rs[i]) || rs[i] == '_') }
	for i := range rs {
		if rs[i] == '-' && i-from >= 2 && letter(i-1) && isWord(rs[i-2]) && letter(i+1) && i+2 < len(rs) && isWord(rs[i+2]) {
			out = append(out, string(rs[from:i+1]))
			from = i + 1
		}
	}
	return append(out, string(rs[from:]))
}
