package template

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Call is one call of a filter, a test or a function.
type Call struct {
	// C is the rendering's context: lookups, files, warnings.
	C    *Context
	Args []value.Value
	KW   []value.Keyword
	u    *unit
	p    pos
	rt   *rendering
	// takesUndefined: the function is called with undefined arguments too.
	takesUndefined bool
	room           [8]value.Value // for Bind
	used           int            // of room
}

// At is the place of the call in the template's source.
func (c *Call) At() diag.Pos {
	if c.u == nil {
		return diag.Pos{}
	}
	return c.u.pos(c.p)
}

// Keyword returns the keyword argument of that name.
func (c *Call) Keyword(name string) (value.Value, bool) {
	for _, k := range c.KW {
		if k.Name == name {
			return k.Value, true
		}
	}
	return nil, false
}

// Arg returns the argument at position i (0 is a filter's input) or of that name, else dflt.
func (c *Call) Arg(i int, name string, dflt value.Value) value.Value {
	if i < len(c.Args) {
		return c.Args[i]
	}
	if name != "" {
		if v, ok := c.Keyword(name); ok {
			return v
		}
	}
	return dflt
}

// has tells that the argument was given.
func (c *Call) has(i int, name string) bool {
	_, ok := c.Keyword(name)
	return i < len(c.Args) || ok && name != ""
}

// Filter calls another filter by name.
func (c *Call) Filter(name string, args []value.Value, kw []value.Keyword) (value.Value, error) {
	p := plugins.filter(name)
	if p == nil {
		return nil, fmt.Errorf("No filter named '%s'.", name)
	}
	return p.run(&Call{C: c.C, Args: args, KW: kw, u: c.u, p: c.p, rt: c.rt})
}

// Test calls a test by name.
func (c *Call) Test(name string, args []value.Value, kw []value.Keyword) (bool, error) {
	p := plugins.test(name)
	if p == nil {
		return false, fmt.Errorf("No test named '%s'.", name)
	}
	v, err := p.run(&Call{C: c.C, Args: args, KW: kw, u: c.u, p: c.p, rt: c.rt})
	if err != nil {
		return false, err
	}
	return value.Truth(v)
}

// Sig is the parameter list of a function, for binding calls as Python does.
type Sig struct {
	name     string
	params   []string
	defaults []value.Value
	required []bool
	varargs  bool // further positional arguments are appended to what Bind returns
	kwargs   bool // further keywords are allowed and ignored by Bind
}

// NewSig makes a signature from Python's notation, as "f(value, width=4, *args, **kw)".
// It panics when the text is malformed: signatures are constants.
func NewSig(text string) *Sig {
	t, err := parseBare(text, DefaultSyntax())
	if err != nil {
		panic("template: signature " + text + ": " + err.Error())
	}
	call := t.body[0].(*sPrint).x.(*nCall)
	s := &Sig{name: call.f.(*nName).n, varargs: call.dyn != nil, kwargs: call.dkw != nil}
	for _, a := range call.args {
		s.add(a.(*nName).n, nil, true)
	}
	for _, k := range call.kw {
		s.add(k.n, constant(k.v), false)
	}
	return s
}

func constant(n node) value.Value {
	switch x := n.(type) {
	case *nConst:
		return x.v
	case *nUn:
		v, _ := value.Neg(constant(x.a))
		return v
	case *nTuple:
		return value.Tuple{}
	}
	panic("template: a signature's default is no constant")
}

func (s *Sig) add(name string, dflt value.Value, required bool) {
	s.params = append(s.params, name)
	s.defaults = append(s.defaults, dflt)
	s.required = append(s.required, required)
}

// Bind returns the value of every parameter in order; errors are worded as Python's. The result
// holds until the call ends.
func (c *Call) Bind(s *Sig) ([]value.Value, error) {
	n := len(s.params)
	if len(c.Args) > n && !s.varargs {
		return nil, fmt.Errorf("%s() takes %s positional argument%s but %d were given", s.name, s.count(), plural(n), len(c.Args))
	}
	out := c.room[:0:len(c.room)]
	if max(n, len(c.Args)) > len(c.room) {
		out = make([]value.Value, 0, max(n, len(c.Args)))
	}
	out = out[:n]
	c.used = min(len(c.room), max(n, len(c.Args)))
	var flags [16]bool
	set := flags[:0:len(flags)]
	if n > len(flags) {
		set = make([]bool, 0, n)
	}
	set = set[:n]
	for i := range min(n, len(c.Args)) {
		out[i], set[i] = c.Args[i], true
	}
	if err := s.keywords(c.KW, out, set); err != nil {
		return nil, err
	}
	for i := range out {
		if !set[i] {
			if s.required[i] {
				return nil, s.missing(set)
			}
			out[i] = s.defaults[i]
		}
	}
	if len(c.Args) > n {
		out = append(out, c.Args[n:]...)
	}
	return out, nil
}

func (s *Sig) keywords(kw []value.Keyword, out []value.Value, set []bool) error {
next:
	for _, k := range kw {
		for i, p := range s.params {
			if p == k.Name {
				if set[i] {
					return fmt.Errorf("%s() got multiple values for argument '%s'", s.name, p)
				}
				out[i], set[i] = k.Value, true
				continue next
			}
		}
		if !s.kwargs {
			return fmt.Errorf("%s() got an unexpected keyword argument '%s'", s.name, k.Name)
		}
	}
	return nil
}

func (s *Sig) count() string {
	required := 0
	for _, r := range s.required {
		if r {
			required++
		}
	}
	if required == len(s.params) {
		return fmt.Sprint(required)
	}
	return fmt.Sprintf("from %d to %d", required, len(s.params))
}

func (s *Sig) missing(set []bool) error {
	var names []string
	for i, p := range s.params {
		if s.required[i] && !set[i] {
			names = append(names, "'"+p+"'")
		}
	}
	list := names[0]
	if n := len(names); n > 1 {
		list = strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return fmt.Errorf("%s() missing %d required positional argument%s: %s", s.name, len(names), plural(len(names)), list)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// run calls the plugin after preparing the arguments as its traits ask.
func (p *plugin) run(c *Call) (value.Value, error) {
	if u, err := p.checkUndefined(c); u != nil || err != nil {
		return u, err
	}
	if p.traits&Lazy != 0 {
		return p.plain(c, p.call)
	}
	secret := false
	for i, v := range c.Args {
		if simple(v) {
			continue
		}
		r, err := deepArg(v, &secret, p.traits&Markup != 0)
		if err != nil {
			return nil, err
		}
		c.Args[i] = r
	}
	for i, k := range c.KW {
		if simple(k.Value) {
			continue
		}
		r, err := deepArg(k.Value, &secret, p.traits&Markup != 0)
		if err != nil {
			return nil, err
		}
		c.KW[i].Value = r
	}
	if p.touches && !c.Compat().Old() {
		reach := reachOf(p, c.Args)
		for _, v := range c.Args {
			if u := undefinedIn(v); u != nil && !beyond(v, u, reach) {
				return u, nil
			}
			if p.deep {
				if u := undefinedAnywhere(v, 10); u != nil {
					return u, nil
				}
			}
		}
	}
	v, err := p.plain(c, p.call)
	return value.Mark(v, secret), hidden(err, secret)
}

// hiddenError takes the place of an error whose words may show a secret.
type hiddenError struct{ err error }

func (e *hiddenError) Error() string { return "the reason is not shown, as the values are secret" }
func (e *hiddenError) Unwrap() error { return e.err }

// hidden hides the words of an error that arose with secret values.
func hidden(err error, secret bool) error {
	if err == nil || !secret {
		return err
	}
	return &hiddenError{err}
}

// reachOf is how many elements of its arguments a filter looks at.
func reachOf(p *plugin, args []value.Value) int {
	n := value.MaxItems
	if p.name != "zip" {
		return n
	}
	for _, v := range args {
		if l, err := value.Len(v); err == nil {
			n = min(n, l)
		}
	}
	return n
}

// beyond tells that the first undefined element of a list is one that a filter does not reach.
func beyond(v value.Value, u *value.Undefined, reach int) bool {
	l, ok := v.(*value.List)
	return ok && reach < len(l.V) && !slices.ContainsFunc(l.V[:reach], func(e value.Value) bool { return e == value.Value(u) })
}

// undefinedIn is the first element of a list or dict that is undefined. Since 2.19 a filter that
// touches such an element gives it as its result.
func undefinedIn(v value.Value) *value.Undefined {
	if value.Frozen(v) {
		return nil
	}
	switch x := v.(type) {
	case *value.List:
		for _, e := range x.V {
			if u, ok := e.(*value.Undefined); ok && !u.Soft {
				return u
			}
		}
	case *value.Dict:
		for _, e := range x.Entries() {
			if u, ok := e.Value.(*value.Undefined); ok && !u.Soft {
				return u
			}
		}
	}
	return nil
}

// undefinedShown is what is undefined in a container that was formatted and stands in the text it
// gave.
func undefinedShown(made, from value.Value) *value.Undefined {
	s, ok := made.(string)
	if !ok || !strings.Contains(s, "Undefined") {
		return nil
	}
	return undefinedAnywhere(from, 10)
}

func undefinedAnywhere(v value.Value, depth int) *value.Undefined {
	if u := undefinedIn(v); u != nil || depth == 0 || value.Frozen(v) {
		return u
	}
	var vs []value.Value
	switch x := v.(type) {
	case *value.List:
		vs = x.V
	case value.Tuple:
		vs = x
	case *value.Dict:
		for _, e := range x.Entries() {
			vs = append(vs, e.Value)
		}
	}
	for _, e := range vs {
		if u := undefinedAnywhere(e, depth-1); u != nil {
			return u
		}
	}
	return nil
}

// plain marks text results in string mode.
func (p *plugin) plain(c *Call, f Filter) (value.Value, error) {
	v, err := f(c)
	if r, ok := v.(*value.Range); ok && !c.Compat().Old() && !p.test {
		v = listed(r)
	}
	if p.traits&Plain != 0 && c.C != nil && c.C.e.opts.Compat.literals() {
		if s, ok := v.(string); ok {
			return value.Text(s), err
		}
		if s, ok := v.(value.Markup); ok {
			return value.Text(s), err
		}
	}
	return v, err
}

func simple(v value.Value) bool {
	switch v.(type) {
	case string, int64, nil, bool, float64:
		return true
	}
	return false
}

// checkUndefined deals with undefined arguments the plugin does not take: before 2.19 they are
// errors, since then they make the result undefined.
func (p *plugin) checkUndefined(c *Call) (value.Value, error) {
	args := p.traits&UndefinedArgs != 0 || p.traits&OldUndefinedArgs != 0 && c.Compat().Old()
	for i, v := range c.Args {
		u, ok := v.(*value.Undefined)
		if ok && u.Err != nil && i == 0 && p.name != "type_debug" {
			return nil, &value.UndefinedError{Undefined: u}
		}
		if !ok || i == 0 && (p.traits&Undefined != 0 || p.traits&OldUndefined != 0 && c.Compat() != V219) || i > 0 && args {
			continue
		}
		if u.Soft && p.test {
			continue
		}
		if u.Soft && (c.Compat().Old() || p.name != "int" && p.name != "float" && p.name != "to_json") {
			c.Args[i] = "" // what it prints as is what it counts as
			continue
		}
		if u.Soft {
			return nil, fmt.Errorf("%s", u.Hint)
		}
		return c.undefined(u)
	}
	if !args {
		for _, k := range c.KW {
			if u, ok := k.Value.(*value.Undefined); ok {
				return c.undefined(u)
			}
		}
	}
	return nil, nil
}

// Compat says whose behaviour is followed.
func (c *Call) Compat() Compat {
	if c.C == nil {
		return Default
	}
	return c.C.e.opts.Compat
}

func (c *Call) undefined(u *value.Undefined) (value.Value, error) {
	if c.C != nil && c.C.e.opts.Compat.Old() && !u.Soft {
		return nil, &value.UndefinedError{Undefined: u}
	}
	return u, nil
}
