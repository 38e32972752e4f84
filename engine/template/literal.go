package template

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"fettle/engine/value"
)

// finishSingle is the value of a template that is one expression. Native results are taken as
// they are; string mode makes text of them first.
func (c *Context) finishSingle(v value.Value) value.Value {
	switch c.e.opts.Compat {
	case V216Native:
		return c.literal(listed(v))
	case V216:
		return c.literal(c.asText(listed(v)))
	}
	return v
}

// listed makes a list of a range, as Ansible does with results that can only be iterated.
func listed(v value.Value) value.Value {
	if r, ok := v.(*value.Range); ok && r.Len() <= value.MaxItems {
		if vs, err := value.Iterate(r); err == nil {
			return &value.List{V: vs}
		}
	}
	return v
}

// asText is the text of a single expression in string mode. What cannot be printed stays and
// fails later.
func (c *Context) asText(v value.Value) value.Value {
	switch x := v.(type) {
	case string, value.Text, *value.Undefined, value.OmitType:
		return v
	case value.Markup:
		return string(x)
	case []byte:
		return string(x)
	case *value.Secret:
		return value.Mark(c.asText(x.V), true)
	}
	s, secret, err := c.text(v)
	if err != nil {
		var u *value.UndefinedError
		if errors.As(err, &u) {
			return u.Undefined
		}
		return v
	}
	return value.Mark(s, secret)
}

// literal reads text back as a Python literal where the old modes do.
func (c *Context) literal(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Secret:
		return value.Mark(c.literal(x.V), true)
	case value.Markup:
		return c.literal(string(x))
	case string:
		if c.e.opts.Compat == V216 && !strings.HasPrefix(x, "{") && !strings.HasPrefix(x, "[") && x != "True" && x != "False" {
			return v
		}
		p := literalParser{s: x, json: c.e.opts.Compat == V216}
		r, ok := p.all()
		if s, isText := r.(string); isText && ok {
			return x[:1] + s + x[:1] // quotes of text stay
		}
		if ok {
			return r
		}
	}
	return v
}

// Literal reads text as Python's ast.literal_eval does.
func Literal(s string) (value.Value, bool) {
	p := literalParser{s: s}
	return p.all()
}

func (p *literalParser) all() (value.Value, bool) {
	if s := p.s; len(s) == 0 || len(s) > 1<<24 || s[0] == ' ' || s[0] == '\t' {
		return nil, false
	}
	p.space()
	v, ok := p.tuple(0, "")
	p.space()
	if ok && p.i == len(p.s) {
		return v, true
	}
	return nil, false
}

type literalParser struct {
	s     string
	i     int
	json  bool // true, false and null are constants too
	depth int  // open brackets: line ends are white space inside them
}

func (p *literalParser) space() {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == ' ' || c == '\t' || c == '\f':
		case c == '\n' || c == '\r':
			if p.depth == 0 && strings.Trim(p.s[p.i:], " \t\r\n\f") != "" {
				return
			}
		case c == '\\' && strings.HasPrefix(p.s[p.i:], "\\\n"):
			p.i++
		default:
			return
		}
		p.i++
	}
}

func (p *literalParser) eat(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *literalParser) at(c byte) bool {
	p.space()
	return p.i < len(p.s) && p.s[p.i] == c
}

// tuple reads values up to end ("" for the end of the text); commas make a tuple.
func (p *literalParser) tuple(level int, end string) (value.Value, bool) {
	var vs value.Tuple
	for comma := false; ; comma = true {
		p.space()
		if p.i >= len(p.s) && end == "" && comma || end != "" && p.at(end[0]) {
			return vs, comma || end != ""
		}
		v, ok := p.value(level)
		if !ok {
			return nil, false
		}
		if !p.eat(',') {
			if !comma {
				return v, true
			}
			return append(vs, v), true
		}
		vs = append(vs, v)
	}
}

func (p *literalParser) value(level int) (value.Value, bool) {
	if level > 100 {
		return nil, false
	}
	p.space()
	if p.i >= len(p.s) {
		return nil, false
	}
	switch c := p.s[p.i]; {
	case c == '[' || c == '(' || c == '{':
		p.i++
		p.depth++
		v, ok := p.bracket(c, level+1)
		p.depth--
		return v, ok
	case c == '\'' || c == '"':
		return p.str(false, false)
	case c == '-' || c == '+':
		return p.signed(level)
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	}
	return p.word()
}

func (p *literalParser) signed(level int) (value.Value, bool) {
	neg := p.s[p.i] == '-'
	p.i++
	if p.space(); p.i < len(p.s) && (p.s[p.i] == '-' || p.s[p.i] == '+') {
		return nil, false
	}
	v, ok := p.value(level + 1)
	if _, b := v.(bool); !ok || b || !value.IsNumber(v) {
		return nil, false
	}
	if neg {
		v, _ = value.Neg(v)
	}
	return v, true
}

func (p *literalParser) bracket(open byte, level int) (value.Value, bool) {
	switch open {
	case '(':
		v, ok := p.tuple(level, ")")
		return v, ok && p.eat(')')
	case '[':
		l := &value.List{V: []value.Value{}}
		for !p.at(']') {
			v, ok := p.value(level)
			if !ok {
				return nil, false
			}
			l.V = append(l.V, v)
			if !p.eat(',') {
				break
			}
		}
		return l, p.eat(']')
	}
	return p.braces(level)
}

func (p *literalParser) braces(level int) (value.Value, bool) {
	d := value.NewDict(4)
	var set *value.Set
	for !p.at('}') {
		k, ok := p.value(level)
		if !ok {
			return nil, false
		}
		switch {
		case set == nil && p.eat(':'):
			v, ok := p.value(level)
			if !ok || d.Set(k, v) != nil {
				return nil, false
			}
		case d.Len() > 0:
			return nil, false
		default:
			if set == nil {
				set = &value.Set{D: value.NewDict(4)}
			}
			if set.D.Set(k, nil) != nil {
				return nil, false
			}
		}
		if !p.eat(',') {
			break
		}
	}
	if set != nil {
		return set, p.eat('}')
	}
	return d, p.eat('}')
}

func (p *literalParser) word() (value.Value, bool) {
	j := p.i
	for j < len(p.s) && (p.s[j] == '_' || p.s[j]|0x20 >= 'a' && p.s[j]|0x20 <= 'z' || p.s[j] >= '0' && p.s[j] <= '9') {
		j++
	}
	w := p.s[p.i:j]
	if j < len(p.s) && (p.s[j] == '\'' || p.s[j] == '"') {
		w = strings.ToLower(w)
		if w == "b" || w == "r" || w == "u" || w == "br" || w == "rb" {
			p.i = j
			return p.str(strings.Contains(w, "r"), strings.Contains(w, "b"))
		}
		return nil, false
	}
	p.i = j
	switch w {
	case "True":
		return true, true
	case "False":
		return false, true
	case "None":
		return nil, true
	case "true", "false":
		return w == "true", p.json
	case "null":
		return nil, p.json
	case "set":
		if strings.HasPrefix(p.s[j:], "()") {
			p.i += 2
			return &value.Set{D: value.NewDict(0)}, true
		}
	}
	return nil, false
}

func (p *literalParser) number() (value.Value, bool) {
	rest := p.s[p.i:]
	text := floatRe.FindString(rest)
	isFloat := text != ""
	if strings.HasPrefix(rest, ".") {
		text = floatRe.FindString("0" + rest)
		if isFloat = text != ""; isFloat {
			text = text[1:]
		}
	}
	if !isFloat {
		text = intRe.FindString(rest)
		if strings.HasPrefix(rest[len(text):], ".") {
			text += "."
			isFloat = true
		}
	}
	p.i += len(text)
	if text == "" || p.i < len(p.s) && (p.s[p.i] == '_' || p.s[p.i] == '.' || p.s[p.i] >= '0' && p.s[p.i] <= '9' || p.s[p.i]|0x20 >= 'a' && p.s[p.i]|0x20 <= 'z') {
		return nil, false
	}
	clean := strings.ReplaceAll(text, "_", "")
	if isFloat {
		f, err := strconv.ParseFloat(clean, 64)
		return f, err == nil || f > 1
	}
	b, ok := new(big.Int).SetString(clean, 0)
	if !ok || len(clean) > 4300 {
		return int64(0), strings.Trim(clean, "0") == ""
	}
	return value.FromBig(b), true
}

// str reads one or several adjacent string constants.
func (p *literalParser) str(raw, isBytes bool) (value.Value, bool) {
	var b strings.Builder
	for p.i < len(p.s) && (p.s[p.i] == '\'' || p.s[p.i] == '"') {
		text, ok := p.quoted()
		if !ok {
			return nil, false
		}
		if !raw {
			var err error
			if text, err = unescape(text); err != nil {
				return nil, false
			}
		}
		b.WriteString(text)
		if isBytes {
			break
		}
		p.space()
	}
	if isBytes {
		out := make([]byte, 0, b.Len())
		for _, r := range b.String() {
			if r > 0xff {
				return nil, false
			}
			out = append(out, byte(r))
		}
		return out, true
	}
	return b.String(), utf8.ValidString(b.String())
}

func (p *literalParser) quoted() (string, bool) {
	q := p.s[p.i : p.i+1]
	if t := strings.Repeat(q, 3); strings.HasPrefix(p.s[p.i:], t) {
		q = t
	}
	p.i += len(q)
	from := p.i
	for p.i < len(p.s) {
		switch {
		case p.s[p.i] == '\\':
			p.i++
		case strings.HasPrefix(p.s[p.i:], q):
			text := p.s[from:p.i]
			p.i += len(q)
			return text, true
		case p.s[p.i] == '\n' && len(q) == 1:
			return "", false
		}
		p.i++
	}
	return "", false
}
