package ansible

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("b64encode(string, encoding='utf-8', urlsafe=False)", b64encode)
	filter("b64decode(string, encoding='utf-8', urlsafe=False)", b64decode)
	filter("quote(value)", quote, template.Markup)
	filter("comment(text, style='plain', **kw)", comment)
	filter("split(value, sep=None, maxsplit=-1)", split)
	filter("type_debug(value)", typeDebug, template.Undefined|template.Lazy)
	filter("ternary(value, true_val, false_val, none_val=None)", ternary, template.UndefinedArgs)
	filter("mandatory(value, msg=None)", mandatory, template.Undefined)
	filter("bool(value)", boolFilter)
}

// encode turns text into bytes of a named encoding.
func encode(s, encoding string) ([]byte, error) {
	switch strings.ToLower(strings.ReplaceAll(encoding, "_", "-")) {
	case "utf-8", "utf8":
		return []byte(s), nil
	case "ascii", "us-ascii":
		if i := strings.IndexFunc(s, func(r rune) bool { return r > 127 }); i >= 0 {
			return nil, fmt.Errorf("'ascii' codec can't encode %s", value.Repr(s[i:]))
		}
		return []byte(s), nil
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1":
		return narrow(s)
	case "utf-16-le", "utf-16le":
		return utf16Bytes(s, false), nil
	case "utf-16-be", "utf-16be":
		return utf16Bytes(s, true), nil
	case "utf-16", "utf16":
		return append([]byte{0xff, 0xfe}, utf16Bytes(s, false)...), nil
	}
	return nil, fmt.Errorf("unknown encoding: %s", encoding)
}

func narrow(s string) ([]byte, error) {
	var out []byte
	for _, r := range s {
		if r > 0xff {
			return nil, fmt.Errorf("'latin-1' codec can't encode character %s", value.Repr(string(r)))
		}
		out = append(out, byte(r))
	}
	return out, nil
}

// decodeText is the inverse of encode.
func decodeText(b []byte, encoding string) (string, error) {
	switch strings.ToLower(strings.ReplaceAll(encoding, "_", "-")) {
	case "utf-8", "utf8", "ascii", "us-ascii":
		return string(b), nil
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1":
		var out []rune
		for _, c := range b {
			out = append(out, rune(c))
		}
		return string(out), nil
	case "utf-16-le", "utf-16le":
		return utf16Text(b, false), nil
	case "utf-16-be", "utf-16be":
		return utf16Text(b, true), nil
	case "utf-16", "utf16":
		if len(b) > 1 && b[0] == 0xfe && b[1] == 0xff {
			return utf16Text(b[2:], true), nil
		}
		return utf16Text([]byte(strings.TrimPrefix(string(b), "\xff\xfe")), false), nil
	}
	return "", fmt.Errorf("unknown encoding: %s", encoding)
}

func b64encode(_ *template.Call, a []value.Value) (value.Value, error) {
	raw, ok := a[0].([]byte)
	if !ok {
		var err error
		if raw, err = encode(text(a[0]), text(a[1])); err != nil {
			return nil, err
		}
	}
	if isTrue(a[2]) {
		return base64.URLEncoding.EncodeToString(raw), nil
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

func b64decode(_ *template.Call, a []value.Value) (value.Value, error) {
	s := text(a[0])
	if isTrue(a[2]) {
		s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	}
	raw, err := lenientBase64(s)
	if err != nil {
		return nil, err
	}
	return decodeText(raw, text(a[1]))
}

// lenientBase64 skips characters outside the alphabet, as Python's b64decode does.
func lenientBase64(s string) ([]byte, error) {
	var out []byte
	var bits uint32
	n, pads := 0, 0
	for i := 0; i < len(s); i++ {
		d := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", s[i])
		if s[i] == '=' {
			pads++
		}
		if d < 0 {
			continue
		}
		pads = 0
		bits = bits<<6 | uint32(d)
		n++
		if n >= 2 {
			out = append(out, byte(bits>>(6*(4-n)%8)))
		}
		switch n {
		case 2:
			out[len(out)-1] = byte(bits >> 4)
		case 3:
			out[len(out)-1] = byte(bits >> 2)
		case 4:
			out[len(out)-1] = byte(bits)
			n, bits = 0, 0
		}
	}
	switch {
	case n == 0, n > 1 && n+pads >= 4:
		return out, nil
	case n == 1:
		return nil, errors.New("Invalid base64-encoded string: number of data characters cannot be 1 more than a multiple of 4")
	}
	return nil, errors.New("Incorrect padding")
}

// shellQuote is Python's shlex.quote.
func shellQuote(s string) string {
	if s == "" {
		return "''"
	}
	for _, r := range s {
		if !(r < 128 && (isAlnum(byte(r)) || strings.ContainsRune("_@%+=:,./-", r))) {
			return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
		}
	}
	return s
}

func isAlnum(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

func quote(_ *template.Call, a []value.Value) (value.Value, error) {
	if a[0] == nil {
		return "''", nil
	}
	if m, ok := a[0].(value.Markup); ok && shellQuote(string(m)) != string(m) {
		// What shlex puts around markup is escaped.
		return "&#39;" + strings.ReplaceAll(string(m), "'", "&#39;&#34;&#39;&#34;&#39;") + "&#39;", nil
	}
	return shellQuote(text(a[0])), nil
}

// commentStyle is how the comment filter draws.
type commentStyle struct{ beginning, decoration, end string }

var commentStyles = map[string]commentStyle{
	"plain":  {decoration: "# "},
	"erlang": {decoration: "% "},
	"c":      {decoration: "// "},
	"cblock": {"/*", " * ", " */"},
	"xml":    {"<!--", " - ", "-->"},
}

func comment(c *template.Call, a []value.Value) (value.Value, error) {
	if !isText(a[0]) {
		return nil, fmt.Errorf("'%s' object has no attribute 'replace'", value.TypeName(a[0]))
	}
	style, ok := commentStyles[text(a[1])]
	if !ok {
		return nil, fmt.Errorf("comment has no style %q", text(a[1]))
	}
	option := func(name, dflt string) string {
		if v, ok := c.Keyword(name); ok {
			return text(v)
		}
		return dflt
	}
	if v, ok := c.Keyword("decoration"); ok && !isText(v) {
		return nil, fmt.Errorf("'%s' object has no attribute 'rstrip'", value.TypeName(v))
	}
	decoration := option("decoration", style.decoration)
	beginning, end := option("beginning", style.beginning), option("end", style.end)
	newline := option("newline", "\n")
	prefix := option("prefix", strings.TrimRight(decoration, " \t\n"))
	postfix := option("postfix", strings.TrimRight(decoration, " \t\n"))
	before, err := integer(option("prefix_count", "1"))
	if err != nil {
		return nil, err
	}
	after, err := integer(option("postfix_count", "1"))
	if err != nil {
		return nil, err
	}
	if before > 1000 || after > 1000 {
		return nil, errors.New("comment: a count is too large")
	}
	var b strings.Builder
	if beginning != "" {
		b.WriteString(beginning + newline)
	}
	if prefix != "" {
		if prefix != newline {
			prefix += newline
		}
		b.WriteString(strings.Repeat(prefix, max(int(before), 0)))
	}
	body := decoration + strings.ReplaceAll(text(a[0]), newline, newline+decoration)
	b.WriteString(strings.ReplaceAll(body, decoration+newline, strings.TrimRight(decoration, " \t\n")+newline))
	b.WriteString(strings.Repeat(newline+postfix, max(int(after), 0)))
	if end != "" {
		b.WriteString(newline + end)
	}
	return b.String(), nil
}

func split(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isText(a[0]) {
		return nil, fmt.Errorf("descriptor 'split' for 'str' objects doesn't apply to a '%s' object", value.TypeName(a[0]))
	}
	n, err := integer(a[2])
	if err != nil {
		return nil, err
	}
	s := text(a[0])
	if a[1] == nil {
		return texts(splitBlanks(s, int(n))), nil
	}
	if !isText(a[1]) {
		return nil, fmt.Errorf("must be str or None, not %s", value.TypeName(a[1]))
	}
	sep := text(a[1])
	if sep == "" {
		return nil, errors.New("empty separator")
	}
	if n >= 0 {
		n++
	}
	return texts(strings.SplitN(s, sep, int(n))), nil
}

// splitBlanks is str.split() with at most n splits.
func splitBlanks(s string, n int) []string {
	if n < 0 {
		return strings.FieldsFunc(s, value.IsSpace)
	}
	out := []string{}
	for s = strings.TrimLeftFunc(s, value.IsSpace); s != ""; n-- {
		i := strings.IndexFunc(s, value.IsSpace)
		if n == 0 || i < 0 {
			return append(out, strings.TrimRightFunc(s, value.IsSpace))
		}
		out = append(out, s[:i])
		s = strings.TrimLeftFunc(s[i:], value.IsSpace)
	}
	return out
}

func typeDebug(c *template.Call, a []value.Value) (value.Value, error) {
	name := value.TypeName(a[0])
	if _, ok := a[0].(value.Text); ok && c.C.Native() {
		return "NativeJinjaUnsafeText", nil
	}
	u, undefined := a[0].(*value.Undefined)
	switch {
	case !undefined:
		return name, nil
	case u.Soft:
		return "Undefined", nil
	case c.Compat().Old():
		return "AnsibleUndefined", nil
	case u.Err != nil:
		return "CapturedExceptionMarker", nil
	}
	return "UndefinedMarker", nil
}

func ternary(_ *template.Call, a []value.Value) (value.Value, error) {
	if a[0] == nil && a[3] != nil {
		return a[3], nil
	}
	yes, err := truth(a[0])
	if err != nil {
		return nil, err
	}
	if yes {
		return a[1], nil
	}
	return a[2], nil
}

func mandatory(_ *template.Call, a []value.Value) (value.Value, error) {
	u, ok := a[0].(*value.Undefined)
	if !ok {
		return a[0], nil
	}
	switch {
	case a[1] != nil:
		return nil, errors.New(text(a[1]))
	case u.Name != "":
		return nil, fmt.Errorf("Mandatory variable '%s' not defined.", u.Name)
	}
	return nil, errors.New("Mandatory variable not defined.")
}

// boolFilter knows the words for yes; everything else is no.
func boolFilter(c *template.Call, a []value.Value) (value.Value, error) {
	switch x := a[0].(type) {
	case nil:
		if c.C != nil && c.C.Compat() > template.V219 {
			return nil, nil
		}
		return false, nil
	case bool:
		return x, nil
	case int64:
		return x == 1, nil
	case float64:
		return x == 1, nil
	}
	switch strings.ToLower(text(a[0])) {
	case "yes", "on", "1", "true":
		return true, nil
	}
	return false, nil
}

// yesNo reads Ansible's words for true and false.
func yesNo(s string) (b, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "yes", "on", "1", "true", "t", "y", "1.0":
		return true, true
	case "no", "off", "0", "false", "f", "n", "0.0":
		return false, true
	}
	return false, false
}
