package template

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// ansibleGlobals are the functions Ansible adds.
var ansibleGlobals map[string]value.Value

func init() {
	ansibleGlobals = map[string]value.Value{
		"lookup": Func(lookupFunc), "query": Func(queryFunc), "q": Func(queryFunc),
		"now": Func(nowFunc), "undef": Func(undefFunc),
	}
}

// Query runs a lookup plugin by name.
func (c *Context) Query(name string, terms []value.Value, kw []value.Keyword) ([]value.Value, error) {
	l := plugins.lookups[short(name)]
	if l == nil {
		return nil, &noLookup{name}
	}
	return l(c, terms, kw)
}

// noLookup is the error of a lookup plugin that does not exist.
type noLookup struct{ name string }

func (e *noLookup) Error() string {
	msg := fmt.Sprintf("The lookup plugin '%s' was not found.", e.name)
	if hint := diag.DidYouMean(e.name, LookupNames()); hint != "" {
		msg += " " + hint
	}
	return msg
}

// lookupCall is one call of lookup or query.
type lookupCall struct {
	name     string
	terms    []value.Value
	kw       []value.Keyword
	wantList bool
	errors   string
	secret   bool
	at       diag.Pos
}

func newLookupCall(c *Call, wantList bool) (*lookupCall, value.Value, error) {
	if len(c.Args) == 0 {
		return nil, nil, fmt.Errorf("lookup needs the name of a plugin")
	}
	l := &lookupCall{wantList: wantList, errors: "strict", at: c.At()}
	for i, a := range c.Args {
		v, err := deepPlain(a, &l.secret)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			l.name = value.Str(v)
			if u, ok := v.(*value.Undefined); ok {
				return nil, nil, &value.UndefinedError{Undefined: u}
			}
			continue
		}
		l.terms = append(l.terms, v)
	}
	for _, k := range c.KW {
		if err := l.keyword(k); err != nil {
			return nil, nil, err
		}
	}
	if plugins.lookupTraits[short(l.name)]&UndefinedArgs == 0 {
		if u := findUndefined(l.terms); u != nil {
			r, err := c.undefined(u)
			return nil, r, err
		}
	}
	return l, nil, nil
}

func (l *lookupCall) keyword(k value.Keyword) (err error) {
	v, err := deepPlain(k.Value, &l.secret)
	if err != nil {
		return err
	}
	switch k.Name {
	case "wantlist":
		l.wantList, err = value.Truth(v)
	case "errors":
		l.errors = value.Str(v)
		if l.errors != "strict" && l.errors != "warn" && l.errors != "ignore" {
			return fmt.Errorf("lookup's errors must be one of strict, warn, ignore, not %s", value.Repr(v))
		}
	default:
		l.kw = append(l.kw, value.Keyword{Name: k.Name, Value: v})
	}
	return err
}

func findUndefined(vs []value.Value) *value.Undefined {
	for _, v := range vs {
		switch x := v.(type) {
		case *value.Undefined:
			return x
		case *value.List:
			if u := findUndefined(x.V); u != nil {
				return u
			}
		}
	}
	return nil
}

func lookupFunc(c *Call) (value.Value, error) { return runLookup(c, false) }
func queryFunc(c *Call) (value.Value, error)  { return runLookup(c, true) }

func runLookup(c *Call, wantList bool) (value.Value, error) {
	l, done, err := newLookupCall(c, wantList)
	if err != nil || done != nil {
		return done, err
	}
	if c.C == nil {
		return nil, fmt.Errorf("lookups cannot be used here")
	}
	if err := c.C.enter(); err != nil {
		return nil, err
	}
	defer c.C.leave()
	out, err := c.C.Query(l.name, l.terms, l.kw)
	if err != nil {
		return l.failed(c.C, err)
	}
	r := l.result(out)
	return value.Mark(r, l.secret), nil
}

func (l *lookupCall) failed(c *Context, err error) (value.Value, error) {
	var limit *limitError
	if l.errors == "strict" || errors.As(err, &limit) {
		if IsUndefined(err) {
			return nil, err
		}
		if none := (*noLookup)(nil); errors.As(err, &none) {
			return nil, err
		}
		return nil, &pluginError{"lookup", l.name, err}
	}
	if l.errors == "warn" {
		c.Warnf(l.at, "lookup", "lookup plugin '%s' failed: %v", l.name, err)
	}
	if l.wantList {
		return &value.List{V: []value.Value{}}, nil
	}
	return nil, nil
}

// result is the list of what was found, or without wantlist the only element, or the
// elements joined by commas; nothing found is an empty list either way.
func (l *lookupCall) result(out []value.Value) value.Value {
	if l.wantList || len(out) == 0 {
		return &value.List{V: append([]value.Value{}, out...)}
	}
	if len(out) == 1 {
		return out[0]
	}
	parts := make([]string, len(out))
	for i, v := range out {
		s, ok := v.(string)
		if sec, is := v.(*value.Secret); is {
			s, ok = sec.V.(string)
			l.secret = true
		}
		if !ok {
			return &value.List{V: append([]value.Value{}, out...)}
		}
		parts[i] = s
	}
	return strings.Join(parts, ",")
}

// FlattenTerms flattens lists one level, as lookups do with their terms.
func FlattenTerms(terms []value.Value) ([]value.Value, error) {
	var out []value.Value
	for _, t := range terms {
		if l, ok := t.(*value.List); ok {
			vs, err := l.Resolved()
			if err != nil {
				return nil, err
			}
			out = append(out, vs...)
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

// clock is the time for now(); tests replace it through Options.
func nowFunc(c *Call) (value.Value, error) {
	utc, err := value.Truth(c.Arg(0, "utc", false))
	if err != nil {
		return nil, err
	}
	t := time.Now()
	if utc {
		t = t.UTC()
	}
	if f := c.Arg(1, "fmt", nil); f != nil {
		if strftime == nil {
			return nil, fmt.Errorf("now(fmt=...) is not available")
		}
		return strftime(t, value.Str(f))
	}
	return NewTime(t), nil
}

func undefFunc(c *Call) (value.Value, error) {
	if u, ok := c.Arg(0, "hint", "").(*value.Undefined); ok && !c.Compat().Old() {
		return nil, fmt.Errorf("The 'hint' argument must be of type 'str' or 'NoneType': %s", u.Message())
	}
	if len(c.Args) > 1 {
		return nil, fmt.Errorf("undef() takes from 0 to 1 positional arguments but %d were given", len(c.Args))
	}
	given := c.Arg(0, "hint", nil)
	if given != nil && !isString(given) && !c.Compat().Old() {
		return nil, fmt.Errorf("The 'hint' argument must be of type 'str' or 'NoneType', not '%s'.", value.TypeName(given))
	}
	hint, ok := given.(string)
	if !ok || hint == "" {
		hint = "undef() called without hint"
	}
	return &value.Undefined{Name: "undef", Hint: hint}, nil
}
