package template

import (
	"strings"

	"fettle/engine/value"
)

// printFilter prints what join and replace with constant arguments give: their text need not be
// made. It returns nil for anything else.
func (c *compiler) printFilter(x *nFilter) st {
	args, ok := constantTexts(x.call)
	if !ok {
		return nil
	}
	var fast func(f *frame, v value.Value, args []string) (done bool, err error)
	switch {
	case short(x.n) == "join" && len(args) <= 1:
		fast = printJoined
	case short(x.n) == "replace" && len(args) == 2 && args[0] != "":
		fast = printReplaced
	default:
		return nil
	}
	e, slow, u := c.expr(x.x), c.filterOf(x), c.u
	return func(f *frame) error {
		v, err := e(f)
		if err != nil {
			return err
		}
		if !f.out.native {
			if done, err := fast(f, v, args); done || err != nil {
				return u.place(x.p, err)
			}
		}
		if v, err = slow(f, v); err != nil {
			return err
		}
		return f.out.print(v)
	}
}

// filterOf is a filter with its input already evaluated.
func (c *compiler) filterOf(x *nFilter) func(*frame, value.Value) (value.Value, error) {
	hole := c.temp()
	n := *x
	n.x = &nClosure{func(f *frame) (value.Value, error) { return f.s[hole], nil }}
	e := c.expr(&n)
	return func(f *frame, v value.Value) (value.Value, error) {
		f.s[hole] = v
		return e(f)
	}
}

// constantTexts are the arguments of a call that takes constant texts only.
func constantTexts(x *nCall) ([]string, bool) {
	if x.kw != nil || x.dyn != nil || x.dkw != nil {
		return nil, false
	}
	out := make([]string, len(x.args))
	for i, a := range x.args {
		n, ok := a.(*nConst)
		if !ok {
			return nil, false
		}
		if out[i], ok = n.v.(string); !ok {
			return nil, false
		}
	}
	return out, true
}

func printJoined(f *frame, v value.Value, args []string) (bool, error) {
	l, ok := v.(*value.List)
	if !ok || l.Lazy != nil {
		return false, nil
	}
	sep, size := "", 0
	if len(args) == 1 {
		sep = args[0]
	}
	for _, e := range l.V {
		s, ok := e.(string)
		if size += len(sep) + len(s); !ok || size > value.MaxText {
			return false, nil
		}
	}
	for i, e := range l.V {
		if i > 0 {
			if err := f.out.text(sep); err != nil {
				return true, err
			}
		}
		if err := f.out.text(e.(string)); err != nil {
			return true, err
		}
	}
	return true, nil
}

func printReplaced(f *frame, v value.Value, args []string) (bool, error) {
	s, ok := v.(string)
	old, with := args[0], args[1]
	if !ok || len(with) > len(old) && len(s)*len(with) > value.MaxText {
		return false, nil
	}
	for {
		i := strings.Index(s, old)
		if i < 0 {
			return true, f.out.text(s)
		}
		if err := f.out.text(s[:i]); err != nil {
			return true, err
		}
		if err := f.out.text(with); err != nil {
			return true, err
		}
		s = s[i+len(old):]
	}
}
