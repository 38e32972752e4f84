package template

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// memo is what a variable was rendered to.
type memo struct {
	v   value.Value
	err error
}

// variable is a variable as templates see it: rendered, or a container that renders its
// elements when they are touched.
func (c *Context) variable(name string) (value.Value, bool, error) {
	if m, ok := c.memo[name]; ok {
		return m.v, true, m.err
	}
	if c.scope == nil {
		return nil, false, nil
	}
	raw, ok := c.scope.Lookup(name)
	if ok && c.readBack {
		raw = containerOf(raw)
	}
	if !ok || simple(raw) {
		return raw, ok, nil
	}
	v, err := c.resolveVar(raw, c)
	var limit *limitError
	if errors.As(err, &limit) {
		return nil, true, err
	}
	if err != nil && !c.e.opts.Compat.Old() {
		// Since 2.19 a variable that cannot be rendered is an error where its value is needed.
		v, err = &value.Undefined{Name: name, Err: err}, nil
	}
	if c.memo == nil {
		c.memo = map[string]memo{}
	}
	c.memo[name] = memo{v, err}
	return v, true, err
}

// resolveVar renders a variable's raw value. Up to 2.18 variables were rendered whole.
func (c *Context) resolveVar(raw value.Value, r value.Resolver) (value.Value, error) {
	if !c.e.opts.Compat.Old() {
		return c.resolve(raw, r)
	}
	v, err := c.whole(raw)
	if err != nil && IsUndefined(err) {
		return undefinedFrom(err), nil
	}
	if err != nil {
		return nil, err
	}
	return c.resolve(v, r)
}

// whole renders every template in a value, at any depth.
func (c *Context) whole(v value.Value) (value.Value, error) {
	d := deepener{c: c, keepSecrets: true, keepOmit: true}
	return d.value(v)
}

// Resolve implements value.Resolver.
func (c *Context) Resolve(v value.Value) (value.Value, error) { return c.resolve(v, c) }

// fresh resolves like its context but hands out containers of its own, for a template that
// changes them.
type fresh struct{ c *Context }

func (r *fresh) Resolve(v value.Value) (value.Value, error) { return r.c.resolve(v, r) }

func (c *Context) resolve(v value.Value, r value.Resolver) (value.Value, error) {
	switch x := v.(type) {
	case *value.Template:
		return c.resolveTemplate(x, r)
	case *value.List:
		if x.Lazy == r || c.foreign(x.Lazy) {
			return x, nil
		}
		if r == value.Resolver(c) && value.Plain(x) {
			return x, nil
		}
		return x.Snapshot(r), nil
	case *value.Dict:
		if x.Lazy == r || c.foreign(x.Lazy) {
			return x, nil
		}
		if r == value.Resolver(c) && value.Plain(x) {
			return x, nil
		}
		return x.Snapshot(r), nil
	case value.Tuple:
		out := make(value.Tuple, len(x))
		for i, e := range x {
			var err error
			if out[i], err = c.resolve(e, r); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *value.Encrypted:
		return c.decrypt(x)
	}
	return v, nil
}

// foreign tells that a container is rendered by somebody else: hostvars, and what lies in
// it, by the contexts of the hosts.
func (c *Context) foreign(l value.Resolver) bool {
	switch x := l.(type) {
	case nil:
		return false
	case *Context:
		return x != c
	case *fresh:
		return x.c != c
	}
	return true
}

func (c *Context) resolveTemplate(t *value.Template, r value.Resolver) (value.Value, error) {
	u := unitOf(t)
	for _, b := range c.busy {
		if b == t {
			return nil, &Error{Msg: fmt.Sprintf("recursive loop detected in template: %s", shorten(t.Src)), At: t.At, Err: errRecursive}
		}
	}
	c.busy = append(c.busy, t)
	v, err := c.eval(u)
	c.busy = c.busy[:len(c.busy)-1]
	if err != nil {
		if IsUndefined(err) {
			return undefinedFrom(err), nil
		}
		return nil, err
	}
	if u.err == nil && v == nil && len(u.tree.body) == 0 {
		return "", nil
	}
	if un, ok := v.(*value.Undefined); ok && un.At.IsZero() && !un.Soft {
		n := *un
		n.At = t.At
		return &n, nil
	}
	if c.readBack {
		v = containerOf(v)
	}
	if r != c {
		v, err = c.resolve(v, r)
	}
	if t.Secret && err == nil {
		v = value.Mark(v, true)
	}
	return v, err
}

var errRecursive = errors.New("recursive loop")

func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:77]) + "..."
	}
	return s
}

// undefinedFrom is the undefined value of a variable whose template failed on one.
func undefinedFrom(err error) *value.Undefined {
	var ue *value.UndefinedError
	errors.As(err, &ue)
	u := *ue.Undefined
	var e *Error
	if errors.As(err, &e) {
		u.At = e.At
		if u.Hint == "" {
			u.Hint = e.Msg
		}
	}
	u.Soft = false
	return &u
}

func (c *Context) decrypt(x *value.Encrypted) (value.Value, error) {
	if c.e.opts.Decrypt == nil {
		return nil, &Error{Msg: "attempting to decrypt but no vault secrets found", At: x.At}
	}
	v, err := c.e.opts.Decrypt(x)
	if err != nil {
		return nil, &Error{Msg: err.Error(), At: x.At, Err: err}
	}
	return value.Mark(v, true), nil
}

// Var is a variable as a template sees it; undefined when there is none.
func (c *Context) Var(name string) (value.Value, error) {
	v, ok, err := c.variable(name)
	if err == nil && !ok {
		v = &value.Undefined{Name: name}
	}
	if err == nil {
		err = (&unit{}).place(pos{}, failed(v))
	}
	return v, err
}

func (c *Context) global(name string) (value.Value, bool) {
	v, ok := c.e.globals[name]
	return v, ok
}

// Warnf reports a warning at a place.
func (c *Context) Warnf(at diag.Pos, rule, format string, a ...any) {
	c.Warn(diag.Warnf(at, rule, format, a...))
}

// fileCache keeps compiled template files by their text.
type fileCache struct {
	mu    sync.Mutex
	units map[fileKey]*unit
}

type fileKey struct {
	name, text string
	syntax     Syntax
}

const maxCachedFiles = 512

func newFileCache() *fileCache { return &fileCache{units: map[fileKey]*unit{}} }

// get compiles a file's text once.
func (fc *fileCache) get(name, text string, s Syntax) *unit {
	k := fileKey{name, text, s}
	fc.mu.Lock()
	u := fc.units[k]
	fc.mu.Unlock()
	if u != nil {
		return u
	}
	u = compileText(text, name, diag.Pos{File: name, Line: 1, Col: 1}, s)
	u.syntax = s
	fc.mu.Lock()
	if len(fc.units) >= maxCachedFiles {
		clear(fc.units)
	}
	fc.units[k] = u
	fc.mu.Unlock()
	return u
}

// load finds and compiles a template for include, import and extends; it is read with the
// settings of the template that asks for it.
func (c *Context) load(name string, from *unit) (*unit, error) {
	if c.e.opts.Files == nil {
		return nil, &NotFoundError{name}
	}
	text, path, err := c.e.opts.Files.ReadTemplate(name, c.search)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFoundError{name}
	}
	if err != nil {
		return nil, err
	}
	s := DefaultSyntax()
	if from != nil && from.syntax.BlockStart != "" {
		s = from.syntax
	}
	s.KeepTrailingNewline = false
	u := c.e.files.get(path, text, s)
	return u, u.err
}
