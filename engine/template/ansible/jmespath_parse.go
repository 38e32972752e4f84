package ansible

import (
	"fmt"
	"strconv"
	"strings"

	"fettle/engine/value"
)

// qtoken is a token of a JMESPath expression.
type qtoken struct {
	kind string // id, quoted, literal, raw, num, end, or the symbol itself
	text string
	pos  int
}

var querySymbols = []string{"[?", "[]", "||", "&&", "==", "!=", "<=", ">=", ".", "*", "[", "]", "{", "}", "(", ")", ",", ":", "|", "&", "@", "<", ">", "!"}

func lexQuery(s string) ([]qtoken, error) {
	var out []qtoken
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
			continue
		case c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z':
			j := i
			for j < len(s) && (s[j] == '_' || isAlnum(s[j])) {
				j++
			}
			out = append(out, qtoken{"id", s[i:j], i})
			i = j
			continue
		case c == '-' || '0' <= c && c <= '9':
			j := i + 1
			for j < len(s) && '0' <= s[j] && s[j] <= '9' {
				j++
			}
			out = append(out, qtoken{"num", s[i:j], i})
			i = j
			continue
		case c == '"' || c == '\'' || c == '`':
			j := i + 1
			for j < len(s) && s[j] != c {
				if s[j] == '\\' {
					j++
				}
				j++
			}
			if j >= len(s) {
				return nil, fmt.Errorf("unclosed %c delimiter at column %d", c, i)
			}
			kind := map[byte]string{'"': "quoted", '\'': "raw", '`': "literal"}[c]
			out = append(out, qtoken{kind, s[i+1 : j], i})
			i = j + 1
			continue
		}
		sym := ""
		for _, x := range querySymbols {
			if strings.HasPrefix(s[i:], x) {
				sym = x
				break
			}
		}
		if sym == "" {
			return nil, fmt.Errorf("bad jmespath expression: unknown token %c at column %d", c, i)
		}
		out = append(out, qtoken{sym, sym, i})
		i += len(sym)
	}
	return append(out, qtoken{kind: "end", pos: len(s)}), nil
}

var queryPower = map[string]int{"|": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 5, "<=": 5, ">": 5, ">=": 5, "[]": 9, "*": 20, "[?": 21, ".": 40, "!": 45, "{": 50, "[": 55, "(": 60}

// projectionStop: operators that bind weaker end a projection.
const projectionStop = 10

type queryParser struct {
	toks  []qtoken
	i     int
	depth int
}

func parseQuery(s string) (query, error) {
	toks, err := lexQuery(s)
	if err != nil {
		return nil, err
	}
	p := &queryParser{toks: toks}
	q, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.peek() != "end" {
		return nil, p.unexpected()
	}
	return q, nil
}

func (p *queryParser) peek() string { return p.toks[p.i].kind }

func (p *queryParser) next() qtoken {
	t := p.toks[p.i]
	if t.kind != "end" {
		p.i++
	}
	return t
}

func (p *queryParser) unexpected() error {
	t := p.toks[p.i]
	return fmt.Errorf("invalid jmespath expression: unexpected %q at column %d", t.text, t.pos)
}

func (p *queryParser) expect(kind string) error {
	if p.peek() != kind {
		return p.unexpected()
	}
	p.next()
	return nil
}

func (p *queryParser) expression(power int) (query, error) {
	if p.depth++; p.depth > 200 {
		return nil, fmt.Errorf("the expression is nested too deeply")
	}
	defer func() { p.depth-- }()
	left, err := p.prefix()
	for err == nil && queryPower[p.peek()] > power {
		left, err = p.infix(left)
	}
	return left, err
}

func (p *queryParser) prefix() (query, error) {
	t := p.next()
	switch t.kind {
	case "id", "quoted":
		name, err := unquoteName(t)
		if err != nil {
			return nil, err
		}
		if t.kind == "id" && p.peek() == "(" {
			p.next()
			return p.call(name)
		}
		return qField{name}, nil
	case "raw":
		return qLiteral{strings.ReplaceAll(t.text, `\'`, "'")}, nil
	case "literal":
		return queryLiteral(t.text)
	case "@":
		return qCurrent{}, nil
	case "*":
		return p.values(qCurrent{})
	case "[]":
		return p.flat(qCurrent{})
	case "[?":
		return p.filter(qCurrent{})
	case "[":
		if k := p.peek(); k == "num" || k == ":" || k == "*" && p.toks[p.i+1].kind == "]" {
			return p.bracket(qCurrent{})
		}
		return p.multiList()
	case "{":
		return p.multiDict()
	case "!":
		q, err := p.expression(queryPower["!"])
		return qNot{q}, err
	case "&":
		q, err := p.expression(0)
		return qRef{q}, err
	case "(":
		q, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return q, p.expect(")")
	}
	if t.kind != "end" {
		p.i--
	}
	return nil, p.unexpected()
}

func unquoteName(t qtoken) (string, error) {
	if t.kind == "id" {
		return t.text, nil
	}
	v, err := value.FromJSON([]byte(`"` + t.text + `"`))
	return text(v), err
}

func queryLiteral(s string) (query, error) {
	s = strings.ReplaceAll(s, "\\`", "`")
	v, err := value.FromJSON([]byte(s))
	if err != nil {
		v, err = value.FromJSON([]byte(`"` + strings.TrimLeft(s, " ") + `"`))
	}
	return qLiteral{v}, err
}

func (p *queryParser) infix(left query) (query, error) {
	t := p.next()
	switch t.kind {
	case ".":
		if p.peek() == "*" {
			p.next()
			return p.values(left)
		}
		right, err := p.dotted(queryPower["."])
		return qPipe{left, right}, err
	case "|", "||", "&&", "==", "!=", "<", "<=", ">", ">=":
		right, err := p.expression(queryPower[t.kind])
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case "|":
			return qPipe{left, right}, nil
		case "||":
			return qOr{left, right}, nil
		case "&&":
			return qAnd{left, right}, nil
		}
		return qCompare{t.kind, left, right}, nil
	case "[]":
		return p.flat(left)
	case "[?":
		return p.filter(left)
	case "[":
		return p.bracket(left)
	}
	p.i--
	return nil, p.unexpected()
}

// dotted is what may follow a dot.
func (p *queryParser) dotted(power int) (query, error) {
	switch p.peek() {
	case "id", "quoted", "*":
		return p.expression(power)
	case "[":
		p.next()
		return p.multiList()
	case "{":
		p.next()
		return p.multiDict()
	}
	return nil, p.unexpected()
}

// projected is what is applied to each element of a projection.
func (p *queryParser) projected(power int) (query, error) {
	switch k := p.peek(); {
	case queryPower[k] < projectionStop:
		return qCurrent{}, nil
	case k == "[" || k == "[?":
		return p.expression(power)
	case k == ".":
		p.next()
		return p.dotted(power)
	}
	return nil, p.unexpected()
}

func (p *queryParser) values(of query) (query, error) {
	then, err := p.projected(queryPower["*"])
	return qValues{of, then}, err
}

func (p *queryParser) flat(of query) (query, error) {
	then, err := p.projected(queryPower["[]"])
	return qEach{qFlat{of}, then}, err
}

func (p *queryParser) filter(of query) (query, error) {
	cond, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect("]"); err != nil {
		return nil, err
	}
	if p.peek() == "[]" {
		return qFilter{of, cond, qCurrent{}}, nil
	}
	then, err := p.projected(queryPower["[?"])
	return qFilter{of, cond, then}, err
}

// bracket parses [n], [a:b:c] and [*] after left.
func (p *queryParser) bracket(left query) (query, error) {
	if p.peek() == "*" {
		p.next()
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		then, err := p.projected(queryPower["*"])
		return qEach{left, then}, err
	}
	var parts [3]value.Value
	n, colons := 0, 0
	for p.peek() != "]" {
		t := p.next()
		switch {
		case t.kind == ":" && colons < 2:
			colons++
			n = colons
		case t.kind == "num" && parts[n] == nil:
			i, err := strconv.ParseInt(t.text, 10, 64)
			if err != nil {
				return nil, err
			}
			parts[n] = i
		default:
			return nil, p.unexpected()
		}
	}
	p.next()
	if colons == 0 {
		i, ok := parts[0].(int64)
		if !ok {
			return nil, p.unexpected()
		}
		return qPipe{left, qIndex{i}}, nil
	}
	then, err := p.projected(queryPower["*"])
	return qEach{qPipe{left, qSlice{parts[0], parts[1], parts[2]}}, then}, err
}

func (p *queryParser) multiList() (query, error) {
	var q qList
	for {
		item, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		q.items = append(q.items, item)
		if p.peek() == "]" {
			p.next()
			return q, nil
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

func (p *queryParser) multiDict() (query, error) {
	var q qDict
	for {
		t := p.next()
		if t.kind != "id" && t.kind != "quoted" {
			return nil, p.unexpected()
		}
		name, err := unquoteName(t)
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		item, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		q.keys, q.items = append(q.keys, name), append(q.items, item)
		if p.peek() == "}" {
			p.next()
			return q, nil
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

func (p *queryParser) call(name string) (query, error) {
	q := qCall{name: name}
	for p.peek() != ")" {
		arg, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		q.args = append(q.args, arg)
		if p.peek() == "," {
			p.next()
		} else if p.peek() != ")" {
			return nil, p.unexpected()
		}
	}
	p.next()
	return q, nil
}
