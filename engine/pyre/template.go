package pyre

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Template is a parsed replacement text.
type Template struct {
	parts []part
}

// part is literal text or, when group >= 0, the text of a group.
type part struct {
	text  string
	group int
}

// Template parses Python's replacement syntax: \1, \g<name>, \n ...; a mistake is an *Error.
func (re *Regexp) Template(repl string) (*Template, error) {
	if strings.IndexByte(repl, '\\') < 0 {
		return &Template{[]part{{repl, -1}}}, nil
	}
	t := &templateParser{parser: newParser(repl, 0), re: re}
	for {
		tok, err := t.next()
		if err != nil {
			return nil, err
		}
		if tok == "" {
			break
		}
		if tok[0] != '\\' {
			t.text = append(t.text, tok...)
			continue
		}
		if err := t.escape(tok); err != nil {
			return nil, err
		}
	}
	t.flush()
	return &Template{t.parts}, nil
}

type templateParser struct {
	*parser
	re    *Regexp
	text  []byte
	parts []part
}

func (t *templateParser) flush() {
	if len(t.text) > 0 {
		t.parts = append(t.parts, part{string(t.text), -1})
		t.text = nil
	}
}

func (t *templateParser) addGroup(g, back int) error {
	if g > t.re.groups {
		return t.errBack(back, "invalid group reference %d", g)
	}
	t.flush()
	t.parts = append(t.parts, part{"", g})
	return nil
}

func (t *templateParser) escape(tok string) error {
	c := tok[1]
	switch {
	case c == 'g':
		return t.named()
	case c == '0':
		v, _ := strconv.ParseInt("0"+t.while(2, isOctal), 8, 32)
		t.text = appendChar(t.text, rune(v&0xff))
	case isDigit(rune(c)):
		return t.number(tok)
	default:
		if r, ok := simpleEscapes[tok]; ok {
			t.text = append(t.text, byte(r))
			return nil
		}
		if isASCIILetter(c) {
			return t.errBack(len(tok), "bad escape %s", tok)
		}
		t.text = append(t.text, tok...)
	}
	return nil
}

func (t *templateParser) number(tok string) error {
	tok += t.while(1, isDigit)
	if len(tok) == 3 && isOctal(rune(tok[1])) && isOctal(rune(tok[2])) {
		if third := t.while(1, isOctal); third != "" {
			r, err := t.octal(tok + third)
			if err != nil {
				return err
			}
			t.text = appendChar(t.text, r)
			return nil
		}
	}
	g, _ := strconv.Atoi(tok[1:])
	return t.addGroup(g, len(tok)-1)
}

func (t *templateParser) named() error {
	if !t.accept('<') {
		return t.errAt(t.pos, "missing <")
	}
	name, err := t.until('>', "group name")
	if err != nil {
		return err
	}
	back := utf8.RuneCountInString(name) + 1
	if isIdentifier(name) {
		g, ok := t.re.names[name]
		if !ok {
			return &Error{Msg: "unknown group name " + pyRepr(name), Pattern: t.pattern, Pos: -1}
		}
		return t.addGroup(g, back)
	}
	g, err := strconv.Atoi(strings.TrimSpace(name))
	if err != nil || g < 0 {
		return t.errBack(back, "bad character in group name %s", pyRepr(name))
	}
	return t.addGroup(g, back)
}

// Expand is match.expand: the template with the groups of m.
func (t *Template) Expand(m *Match) string {
	if len(t.parts) == 1 && t.parts[0].group < 0 {
		return t.parts[0].text
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.group < 0 {
			b.WriteString(p.text)
		} else {
			b.WriteString(m.Text(p.group))
		}
	}
	return b.String()
}

// Sub is re.subn: it replaces at most count matches (0: all) and tells how many it replaced.
func (re *Regexp) Sub(repl, s string, count int) (string, int, error) {
	t, err := re.Template(repl)
	if err != nil {
		return "", 0, err
	}
	return re.SubFunc(t.Expand, s, count)
}

// SubFunc is Sub with a function that gives the replacement of each match.
func (re *Regexp) SubFunc(repl func(*Match) string, s string, count int) (string, int, error) {
	if count < 0 {
		return s, 0, nil
	}
	var b strings.Builder
	last, n := 0, 0
	err := re.FindIter(s, func(m *Match) bool {
		b.WriteString(s[last:m.spans[0]])
		b.WriteString(repl(m))
		last = m.spans[1]
		n++
		return count == 0 || n < count
	})
	if err != nil {
		return "", 0, err
	}
	if n == 0 {
		return s, 0, nil
	}
	b.WriteString(s[last:])
	return b.String(), n, nil
}
