package template

import (
	"fmt"
	"math/big"
	"strings"

	"fettle/engine/value"
)

func makeGlobals(opts Options) map[string]value.Value {
	g := map[string]value.Value{
		"range": Func(rangeFunc), "dict": Func(dictFunc), "namespace": Func(namespaceFunc),
		"cycler": Func(cyclerFunc), "joiner": Func(joinerFunc), "lipsum": Func(lipsumFunc),
		"omit": value.Omit,
	}
	for n, f := range ansibleGlobals {
		g[n] = f
	}
	for n, v := range opts.Globals {
		g[n] = v
	}
	return g
}

func rangeFunc(c *Call) (value.Value, error) {
	var n []int64
	for _, a := range c.Args {
		i, ok := value.Int(a)
		if _, isBig := a.(*big.Int); isBig {
			return nil, &limitError{"range is too large"}
		}
		if u, isU := a.(*value.Undefined); isU && !u.Soft {
			return nil, &value.UndefinedError{Undefined: u}
		}
		if !ok {
			return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", value.TypeName(a))
		}
		n = append(n, i)
	}
	r := &value.Range{Step: 1}
	switch len(n) {
	case 1:
		r.Stop = n[0]
	case 2:
		r.Start, r.Stop = n[0], n[1]
	case 3:
		r.Start, r.Stop, r.Step = n[0], n[1], n[2]
	case 0:
		return nil, fmt.Errorf("range expected at least 1 argument, got 0")
	default:
		return nil, fmt.Errorf("range expected at most 3 arguments, got %d", len(n))
	}
	if r.Step == 0 {
		return nil, fmt.Errorf("range() arg 3 must not be zero")
	}
	return r, nil
}

func dictFunc(c *Call) (value.Value, error) {
	d := value.NewDict(len(c.KW))
	return d, dictUpdate(d, c)
}

// namespace is what namespace() makes: attributes can be set from inside loops.
type namespace struct{ d *value.Dict }

func (n *namespace) TypeName() string { return "Namespace" }
func (n *namespace) String() string   { return "<Namespace " + value.Repr(n.d) + ">" }

func (n *namespace) Attr(k string) (value.Value, bool, error) {
	v, ok := n.d.GetString(k)
	return v, ok, nil
}

func (n *namespace) Item(k value.Value) (value.Value, bool, error) { return n.d.Lookup(k) }

func namespaceFunc(c *Call) (value.Value, error) {
	d := value.NewDict(len(c.KW))
	return &namespace{d}, dictUpdate(d, c)
}

type cycler struct {
	items []value.Value
	i     int
}

func (c *cycler) TypeName() string { return "Cycler" }
func (c *cycler) String() string   { return "<Cycler>" }

func (c *cycler) Attr(n string) (value.Value, bool, error) {
	switch n {
	case "next":
		return Func(func(*Call) (value.Value, error) {
			v := c.items[c.i]
			c.i = (c.i + 1) % len(c.items)
			return v, nil
		}), true, nil
	case "current":
		return c.items[c.i], true, nil
	case "reset":
		return Func(func(*Call) (value.Value, error) { c.i = 0; return nil, nil }), true, nil
	}
	return nil, false, nil
}

func cyclerFunc(c *Call) (value.Value, error) {
	if len(c.Args) == 0 {
		return nil, fmt.Errorf("at least one item has to be provided")
	}
	return &cycler{items: append([]value.Value(nil), c.Args...)}, nil
}

func joinerFunc(c *Call) (value.Value, error) {
	used, sep := false, c.Arg(0, "sep", ", ")
	return Func(func(*Call) (value.Value, error) {
		if !used {
			used = true
			return "", nil
		}
		return sep, nil
	}), nil
}

var lipsumWords = strings.Fields(`lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore
	et dolore magna aliqua enim minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat`)

// lipsumFunc gives filler text: n paragraphs, as HTML unless html is false.
func lipsumFunc(c *Call) (value.Value, error) {
	n, _ := value.Int(c.Arg(0, "n", int64(5)))
	html, err := value.Truth(c.Arg(1, "html", true))
	if err != nil {
		return nil, err
	}
	if n > 1000 {
		return nil, &limitError{"lipsum is too long"}
	}
	var out []string
	for i := range n {
		words := make([]string, 0, 60)
		for j := range int64(60) {
			words = append(words, lipsumWords[(i*7+j)%int64(len(lipsumWords))])
		}
		p := capitalize(strings.Join(words, " ")) + "."
		if html {
			p = "<p>" + value.EscapeHTML(p) + "</p>"
		}
		out = append(out, p)
	}
	if html {
		return strings.Join(out, "\n"), nil
	}
	return strings.Join(out, "\n\n"), nil
}
