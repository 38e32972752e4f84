package template

import (
	"strings"
	"unicode/utf8"

	"fettle/engine/value"
)

// filterPPrint is Python's pprint.pformat with its defaults: 80 columns, sorted dicts. Since 2.19
// lists and dicts are of types that it does not know, and which it prints as they are.
func filterPPrint(c *Call) (value.Value, error) {
	switch c.Args[0].(type) {
	case *value.List, *value.Dict:
		if !c.Compat().Old() {
			return value.Repr(c.Args[0]), nil
		}
	}
	p := pprinter{width: 80}
	p.format(c.Args[0], 0, 0)
	return p.b.String(), nil
}

type pprinter struct {
	b     strings.Builder
	width int
}

// format writes v at a column; after is the room needed behind it.
func (p *pprinter) format(v value.Value, indent, after int) {
	v = sortedDicts(v)
	text := value.Repr(v)
	if utf8.RuneCountInString(text) <= p.width-indent-after {
		p.b.WriteString(text)
		return
	}
	switch x := v.(type) {
	case *value.Dict:
		p.dict(x, indent, after)
	case *value.List:
		p.items(x.Items(), "[", "]", indent, after)
	case value.Tuple:
		end := ")"
		if len(x) == 1 {
			end = ",)"
		}
		p.items(x, "(", end, indent, after)
	case string:
		p.text(x, indent, after)
	default:
		p.b.WriteString(text)
	}
}

// text writes a text that is too long for a line in pieces of whole words, each a literal of its
// own on its own line; the whole value is put in parentheses when it is nothing but the text.
func (p *pprinter) text(s string, indent, after int) {
	alone := p.b.Len() == 0
	if alone {
		indent, after = indent+1, after+1
	}
	var pieces []string
	lines := SplitLines(s, true)
	for i, line := range lines {
		room := p.width - indent
		last := 0 // what the last piece of all leaves free
		if i == len(lines)-1 {
			last = after
		}
		if width(line) <= room-last {
			pieces = append(pieces, line)
			continue
		}
		words := wordsAndBlanks(line)
		piece := ""
		for j, w := range words {
			free := room
			if j == len(words)-1 {
				free -= last
			}
			if piece != "" && width(piece+w) > free {
				pieces = append(pieces, piece)
				piece = ""
			}
			piece += w
		}
		pieces = append(pieces, piece)
	}
	for i, piece := range pieces {
		pieces[i] = value.Repr(piece)
	}
	text := strings.Join(pieces, "\n"+strings.Repeat(" ", indent))
	if alone && len(pieces) > 1 {
		text = "(" + text + ")"
	}
	p.b.WriteString(text)
}

// width is how many columns a text takes as a literal.
func width(s string) int { return utf8.RuneCountInString(value.Repr(s)) }

// wordsAndBlanks cuts a text into words, each with the blanks behind it.
func wordsAndBlanks(s string) []string {
	var out []string
	start, blank := 0, false
	for i, r := range s {
		is := value.IsSpace(r)
		if blank && !is {
			out = append(out, s[start:i])
			start = i
		}
		blank = is
	}
	return append(out, s[start:])
}

func (p *pprinter) dict(d *value.Dict, indent, after int) {
	p.b.WriteByte('{')
	es := d.Items()
	for i, e := range es {
		room := 1
		if i == len(es)-1 {
			room = after + 1
		}
		key := value.Repr(e.Key)
		p.b.WriteString(key + ": ")
		p.format(e.Value, indent+1+utf8.RuneCountInString(key)+2, room)
		if i < len(es)-1 {
			p.b.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
	}
	p.b.WriteByte('}')
}

func (p *pprinter) items(vs []value.Value, open, end string, indent, after int) {
	p.b.WriteString(open)
	for i, v := range vs {
		room := 1
		if i == len(vs)-1 {
			room = after + len(end)
		}
		p.format(v, indent+1, room)
		if i < len(vs)-1 {
			p.b.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
	}
	p.b.WriteString(end)
}

// sortedDicts sorts dicts by key at every depth, where the keys can be ordered.
func sortedDicts(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Dict:
		pairs, _ := dictItems(x, true)
		vs := pairs.(*value.List).V
		sorted, err := Sort(vs, func(v value.Value) (value.Value, error) { return v.(value.Tuple)[0], nil }, false)
		if err != nil {
			sorted = vs
		}
		out := value.NewDict(x.Len())
		for _, kv := range sorted {
			_ = out.Set(kv.(value.Tuple)[0], sortedDicts(kv.(value.Tuple)[1]))
		}
		return out
	case *value.List:
		out := make([]value.Value, len(x.V))
		for i, e := range x.Items() {
			out[i] = sortedDicts(e)
		}
		return &value.List{V: out}
	case value.Tuple:
		out := make(value.Tuple, len(x))
		for i, e := range x {
			out[i] = sortedDicts(e)
		}
		return out
	}
	return v
}
