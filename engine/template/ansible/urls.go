package ansible

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("urldecode(string)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		if !isText(a[0]) {
			return nil, fmt.Errorf("'%s' object has no attribute 'replace'", value.TypeName(a[0]))
		}
		return unquotePlus(text(a[0])), nil
	})
	filter("urlsplit(value, query='', alias='urlsplit')", urlsplit)
	test("uri", "uri(value, schemes=None)", func(_ *template.Call, a []value.Value) (bool, error) { return isURI(a[0], a[1]) })
	test("url", "url(value, schemes=None)", isURL)
	test("urn", "urn(value)", func(_ *template.Call, a []value.Value) (bool, error) {
		return isURI(a[0], texts([]string{"urn"}))
	})
}

// unquotePlus is urllib's unquote_plus; what is no escape stays.
func unquotePlus(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

func unhex(c byte) int {
	if 'A' <= c && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// splitURL is urllib's urlsplit.
type splitURL struct{ scheme, netloc, path, query, fragment string }

func parseURL(s string) (u splitURL, err error) {
	s = strings.TrimLeft(s, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x1c\x1d\x1e\x1f ")
	s = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
	if i := strings.IndexByte(s, ':'); i > 0 && isScheme(s[:i]) {
		u.scheme, s = strings.ToLower(s[:i]), s[i+1:]
	}
	if strings.HasPrefix(s, "//") {
		end := strings.IndexAny(s[2:], "/?#")
		if end < 0 {
			end = len(s) - 2
		}
		u.netloc, s = s[2:2+end], s[2+end:]
		if strings.Contains(u.netloc, "[") != strings.Contains(u.netloc, "]") {
			return u, fmt.Errorf("Invalid IPv6 URL")
		}
	}
	s, u.fragment, _ = strings.Cut(s, "#")
	u.path, u.query, _ = strings.Cut(s, "?")
	return u, nil
}

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c|0x20 && c|0x20 <= 'z' || i > 0 && (isAlnum(c) || strings.IndexByte("+-.", c) >= 0)) {
			return false
		}
	}
	return s != ""
}

func (u splitURL) credentials() (user, password value.Value, hostport string) {
	i := strings.LastIndexByte(u.netloc, '@')
	if i < 0 {
		return nil, nil, u.netloc
	}
	name, pw, ok := strings.Cut(u.netloc[:i], ":")
	if ok {
		password = pw
	}
	return name, password, u.netloc[i+1:]
}

func (u splitURL) hostPort() (host, port value.Value, err error) {
	_, _, s := u.credentials()
	name, p := s, ""
	if rest, ok := strings.CutPrefix(s, "["); ok {
		var after string
		name, after, _ = strings.Cut(rest, "]")
		_, p, _ = strings.Cut(after, ":")
	} else {
		name, p, _ = strings.Cut(s, ":")
	}
	if name != "" {
		before, zone, ok := strings.Cut(name, "%")
		host = strings.ToLower(before)
		if ok {
			host = strings.ToLower(before) + "%" + zone
		}
	}
	if p != "" {
		n, err := integer(p)
		if err != nil || strings.Trim(p, "0123456789") != "" {
			return nil, nil, fmt.Errorf("Port could not be cast to integer value as %s", value.Repr(p))
		}
		if n > 65535 {
			return nil, nil, fmt.Errorf("Port out of range 0-65535")
		}
		port = n
	}
	return host, port, nil
}

func urlsplit(_ *template.Call, a []value.Value) (value.Value, error) {
	if some, err := value.Truth(a[0]); err == nil && !some && value.IsNumber(a[0]) {
		a[0] = nil // which becomes empty bytes too
	}
	if a[0] == nil && !isTrue(a[1]) {
		return nil, errors.New("Type 'method' is unsupported for variable storage.") // of bytes, which None becomes
	}
	if a[0] != nil && !isText(a[0]) {
		return nil, fmt.Errorf("'%s' object has no attribute 'decode'", value.TypeName(a[0]))
	}
	u, err := parseURL(text(a[0]))
	if err != nil {
		return nil, err
	}
	user, password, _ := u.credentials()
	host, port, err := u.hostPort()
	if err != nil {
		return nil, err
	}
	d := value.DictOf("fragment", u.fragment, "hostname", host, "netloc", u.netloc, "password", password,
		"path", u.path, "port", port, "query", u.query, "scheme", u.scheme, "username", user)
	if !isTrue(a[1]) {
		return d, nil
	}
	v, ok := d.GetString(text(a[1]))
	if !ok {
		return nil, fmt.Errorf("%s: unknown URL component: %s", text(a[2]), text(a[1]))
	}
	if s, isString := v.(string); isString && a[0] == nil {
		return []byte(s), nil
	}
	return v, nil
}

// isURI is very tolerant: without schemes every text that can be parsed is one.
func isURI(v, schemes value.Value) (bool, error) {
	if v != nil && !isText(v) {
		some, err := value.Truth(v)
		return err == nil && !some && schemes == nil, nil
	}
	u, err := parseURL(text(v))
	if err != nil || schemes == nil {
		return err == nil, nil
	}
	list, err := items(schemes)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list, func(s value.Value) bool { return text(s) == u.scheme }), nil
}

func isURL(_ *template.Call, a []value.Value) (bool, error) {
	u, err := parseURL(text(a[0]))
	if err != nil || u.netloc == "" && u.scheme != "file" {
		return false, nil
	}
	return isURI(a[0], a[1])
}
