package template

import (
	"math/big"
	"strconv"

	"fettle/engine/value"
)

// output collects what a template prints: text, or in native mode the printed values.
type output struct {
	c      *Context
	native bool
	secret bool
	drop   bool // behind extends
	nodes  []value.Value
	// Nested outputs of one rendering write behind each other into one buffer; this one's text
	// starts at start.
	shared *buffer
	start  int
	// values counts what was printed at the start and is no text by itself; the text ended at
	// end behind it.
	values, end int
}

// buffer is text that grows. Its slice always has its whole length, n of which is text, so that
// writing changes no pointer.
type buffer struct {
	b    []byte
	n    int
	size int // of everything that was ever printed
}

func (b *buffer) write(s string) {
	if len(b.b)-b.n < len(s) {
		b.extend(len(s))
	}
	b.n += copy(b.b[b.n:], s)
}

func (b *buffer) extend(n int) {
	grown := make([]byte, max(2*len(b.b), b.n+n, 512))
	copy(grown, b.b[:b.n])
	b.b = grown
}

func (b *buffer) writeInt(i int64) {
	if len(b.b)-b.n < 20 {
		b.extend(20)
	}
	b.n += len(strconv.AppendInt(b.b[b.n:b.n], i, 10))
}

// spaces is what most repetitions are made of.
const spaces = "                                                                "

func (b *buffer) repeat(s string, n int) {
	if s == " " && n <= len(spaces) {
		b.write(spaces[:n])
		return
	}
	for range n {
		b.write(s)
	}
}

func newOutput(c *Context, native bool) *output {
	return &output{c: c, native: native, shared: &buffer{}}
}

// nested is an output of the same kind for a macro, block or capture. It must be finished
// before this one is written to again.
func (o *output) nested() *output {
	return &output{c: o.c, native: o.native, shared: o.shared, start: o.shared.n}
}

func (o *output) grow(n int) error {
	if o.shared.size += n; o.shared.size > o.c.e.opts.MaxOutput {
		return &limitError{"the output is too large"}
	}
	return nil
}

// take is the text that was printed, which makes room for what follows.
func (o *output) take() string {
	s := string(o.shared.b[o.start:o.shared.n])
	o.shared.n = o.start
	return s
}

// text prints template data.
func (o *output) text(s string) error {
	if o.drop {
		return nil
	}
	if o.native {
		o.nodes = append(o.nodes, s)
	} else {
		o.shared.write(s)
	}
	return o.grow(len(s))
}

// print prints a value.
func (o *output) print(v value.Value) error {
	if o.drop {
		return nil
	}
	if o.native {
		o.nodes = append(o.nodes, v)
		if s, ok := v.(string); ok {
			return o.grow(len(s) + 16)
		}
		return o.grow(16)
	}
	switch x := v.(type) {
	case string:
		o.shared.write(x)
		return o.grow(len(x))
	case int64:
		from := o.shared.n
		o.shared.writeInt(x)
		o.alone(from)
		return o.grow(8)
	case nil:
		o.alone(o.shared.n)
		return nil
	}
	s, secret, err := o.c.printed(v)
	if err != nil {
		return err
	}
	o.secret = o.secret || secret
	o.c.heed(s, secret)
	from := o.shared.n
	o.shared.write(s)
	switch v.(type) {
	case bool, float64, *big.Int, *value.List, *value.Dict, value.Tuple, *value.Set:
		o.alone(from)
	}
	return o.grow(len(s))
}

// alone notes that what was printed behind from is no text by itself.
func (o *output) alone(from int) {
	if from == o.start {
		o.values++
		o.end = o.shared.n
	}
}

// isAlone tells that one value was printed that is no text, and nothing besides.
func (o *output) isAlone() bool { return o.values == 1 && o.shared.n == o.end }

// result is what was printed as one value: text, or in native mode the only value.
func (o *output) result() (value.Value, error) {
	if !o.native {
		return value.Mark(o.take(), o.secret), nil
	}
	return o.c.join(o.nodes)
}

// printed is the text of a value between braces in a longer text. Since 2.19 values are made
// final first: tuples show as lists, omit is dropped.
func (c *Context) printed(v value.Value) (s string, secret bool, err error) {
	switch x := v.(type) {
	case []byte:
		return string(x), false, nil
	case *value.Range:
		if c.e.opts.Compat.Old() {
			v = listed(x)
		} else {
			return value.Repr(x), false, nil
		}
	case value.OmitType:
		return "", false, nil
	}
	if c.e.opts.Compat.Old() || simple(v) {
		return c.text(v)
	}
	d := deepener{c: c, strict: true, lists: true}
	r, err := d.value(v)
	if err != nil {
		return "", false, err
	}
	s, _, err = c.text(r)
	return s, d.secret, err
}

// text is str(v) for printing; an undefined value at any depth is an error.
func (c *Context) text(v value.Value) (s string, secret bool, err error) {
	switch x := v.(type) {
	case string:
		return x, false, nil
	case value.Text:
		return string(x), false, nil
	case value.Markup:
		return string(x), false, nil
	case bool, int64, float64, *big.Int:
		return value.Str(v), false, nil
	case nil:
		return "", false, nil
	case *value.Undefined:
		if x.Soft {
			return "", false, nil
		}
		return "", false, &value.UndefinedError{Undefined: x}
	case *value.Secret:
		s, _, err = c.text(x.V)
		return s, true, err
	case *value.Range:
		if n := x.Len(); n > value.MaxItems {
			return "", false, &limitError{"the range is too large to be printed"}
		}
	}
	d, err := c.deep(v, &secret, false)
	if err != nil {
		return "", false, err
	}
	return c.str(d), secret, nil
}
