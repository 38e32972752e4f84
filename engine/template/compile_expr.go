package template

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"fettle/engine/value"
)

func (c *compiler) exprs(ns []node) []ev {
	out := make([]ev, len(ns))
	for i, n := range ns {
		out[i] = c.expr(n)
	}
	return out
}

func (c *compiler) expr(n node) ev {
	switch x := n.(type) {
	case *nClosure:
		return x.e
	case *nEmbed:
		return c.embed(x)
	case *nText:
		return c.embedConst(x)
	case *nConst:
		v := x.v
		return func(*frame) (value.Value, error) { return v, nil }
	case *nName:
		return c.name(x.n)
	case *nAttr:
		return c.attr(x)
	case *nItem:
		return c.item(x)
	case *nCall:
		return c.call(x)
	case *nFilter:
		return c.filter(x)
	case *nTest:
		return c.test(x)
	case *nBin:
		return c.binary(x)
	case *nUn:
		return c.unary(x)
	case *nCmp:
		return c.comparison(x)
	case *nConcat:
		return c.concat(x)
	case *nCond:
		return c.cond(x)
	case *nList:
		return c.list(x)
	case *nTuple:
		return c.tuple(x)
	case *nDict:
		return c.dict(x)
	}
	panic(fmt.Sprintf("template: impossible expression %T", n))
}

func (c *compiler) name(n string) ev {
	rs := c.slotsOf(n)
	if n == "self" {
		c.u.leaks = true
		return func(f *frame) (value.Value, error) { return &selfObject{f.rt}, nil }
	}
	get := c.outside(n)
	if len(rs) == 0 {
		return get
	}
	if len(rs) == 1 && rs[0].hops == 0 {
		i := rs[0].i
		return func(f *frame) (value.Value, error) {
			if v := f.s[i]; v != missing {
				return v, nil
			}
			return get(f)
		}
	}
	return func(f *frame) (value.Value, error) {
		if v := readSlots(f, rs); v != missing {
			return v, nil
		}
		return get(f)
	}
}

// nameIndex is the place of a name among the unit's.
func (u *unit) nameIndex(n string) int {
	i, ok := u.names[n]
	if !ok {
		i = len(u.names)
		u.names[n] = i
	}
	return i
}

// outside compiles a name that no slot holds. It stays the same until the template binds it.
func (c *compiler) outside(n string) ev {
	u, i := c.u, c.u.nameIndex(n)
	return func(f *frame) (value.Value, error) {
		rt := f.rt
		if rt.u != u || rt.kept == nil {
			return rt.get(n)
		}
		if v := rt.kept[i]; v != missing {
			return v, nil
		}
		v, err := rt.get(n)
		if err == nil {
			rt.kept[i] = v
		}
		return v, err
	}
}

func readSlots(f *frame, rs []slot) value.Value {
	for _, r := range rs {
		g := f
		for range r.hops {
			g = g.up
		}
		if v := g.s[r.i]; v != missing {
			return v
		}
	}
	return missing
}

func (c *compiler) attr(x *nAttr) ev {
	get := c.attrOf(x)
	if n, ok := x.x.(*nName); ok && n.n != "self" {
		if rs := c.slotsOf(n.n); len(rs) == 1 && rs[0].hops == 0 {
			i, slow := rs[0].i, c.expr(n)
			return func(f *frame) (value.Value, error) {
				v := f.s[i]
				if v == missing {
					var err error
					if v, err = slow(f); err != nil {
						return nil, err
					}
				}
				return get(v)
			}
		}
	}
	o := c.expr(x.x)
	return func(f *frame) (value.Value, error) {
		v, err := o(f)
		if err != nil {
			return nil, err
		}
		return get(v)
	}
}

// attrOf compiles taking the attribute of a value.
func (c *compiler) attrOf(x *nAttr) func(value.Value) (value.Value, error) {
	name, u, item, hint := x.n, c.u, !dictMethods[x.n], new(value.Hint)
	return func(v value.Value) (r value.Value, err error) {
		switch o := v.(type) {
		case *value.Dict:
			if item {
				var ok bool
				if r, ok, err = o.LookupHint(name, hint); ok && err == nil {
					return r, nil
				}
			}
		case *loop:
			if r, ok, _ := o.Attr(name); ok {
				return r, nil
			}
		}
		if err == nil {
			r, err = getAttr(v, name)
		}
		if err != nil {
			return nil, u.place(x.p, err)
		}
		return r, nil
	}
}

func (c *compiler) item(x *nItem) ev {
	if e := c.splitItem(x); e != nil {
		return e
	}
	return c.plainItem(x)
}

func (c *compiler) plainItem(x *nItem) ev {
	if s, ok := x.k.(*nSlice); ok {
		return c.slice(x, s)
	}
	o, ke, u := c.expr(x.x), c.expr(x.k), c.u
	if k, ok := x.k.(*nConst); ok {
		key := k.v
		return func(f *frame) (value.Value, error) {
			v, err := o(f)
			if err != nil {
				return nil, err
			}
			r, err := getItem(v, key)
			if err != nil {
				return nil, u.place(x.p, err)
			}
			return r, nil
		}
	}
	return func(f *frame) (value.Value, error) {
		v, err := o(f)
		if err != nil {
			return nil, err
		}
		k, err := ke(f)
		if err != nil {
			return nil, err
		}
		r, err := getItem(v, k)
		if err != nil {
			return nil, u.place(x.p, err)
		}
		return r, nil
	}
}

func (c *compiler) slice(x *nItem, s *nSlice) ev {
	o, u := c.expr(x.x), c.u
	var bounds [3]ev
	for i, y := range []node{s.a, s.b, s.c} {
		if y != nil {
			bounds[i] = c.expr(y)
		}
	}
	return func(f *frame) (value.Value, error) {
		v, err := o(f)
		if err != nil {
			return nil, err
		}
		var k [3]value.Value
		for i, e := range bounds {
			if e != nil {
				if k[i], err = e(f); err != nil {
					return nil, err
				}
			}
		}
		if un, ok := v.(*value.Undefined); ok {
			return un, nil
		}
		r, err := value.Slice(v, k[0], k[1], k[2])
		if errors.Is(err, value.ErrNoSlice) && f.rt.c.e.opts.Compat.Old() {
			return &value.Undefined{Hint: err.Error()}, nil
		}
		if err != nil {
			return nil, u.place(x.p, err)
		}
		return r, nil
	}
}

func (c *compiler) binary(x *nBin) ev {
	a, b, u, op := c.expr(x.a), c.expr(x.b), c.u, x.op
	if op == "and" || op == "or" {
		return func(f *frame) (value.Value, error) {
			v, err := a(f)
			if err != nil {
				return nil, err
			}
			t, err := value.Truth(v)
			if err != nil {
				return nil, u.place(x.p, err)
			}
			if t == (op == "or") {
				return v, nil
			}
			return b(f)
		}
	}
	return func(f *frame) (value.Value, error) {
		v, err := a(f)
		if err != nil {
			return nil, err
		}
		w, err := b(f)
		if err != nil {
			return nil, err
		}
		r, err := value.Binary(op, v, w)
		if err != nil {
			return nil, u.place(x.p, err)
		}
		if op == "%" && !f.rt.c.e.opts.Compat.Old() {
			if u := undefinedShown(r, w); u != nil {
				return u, nil
			}
		}
		return r, nil
	}
}

func (c *compiler) comparison(x *nCmp) ev {
	a, bs, u := c.expr(x.a), c.exprs(x.bs), c.u
	ops := x.ops
	if len(ops) == 1 {
		op, b := ops[0], bs[0]
		return func(f *frame) (value.Value, error) {
			v, err := a(f)
			if err != nil {
				return nil, err
			}
			w, err := b(f)
			if err != nil {
				return nil, err
			}
			r, err := compare(op, v, w)
			if err != nil {
				return nil, u.place(x.p, err)
			}
			return r, nil
		}
	}
	return func(f *frame) (value.Value, error) {
		v, err := a(f)
		if err != nil {
			return nil, err
		}
		for i, e := range bs {
			w, err := e(f)
			if err != nil {
				return nil, err
			}
			r, err := compare(ops[i], v, w)
			if err != nil {
				return nil, u.place(x.p, err)
			}
			if !r {
				return false, nil
			}
			v = w
		}
		return true, nil
	}
}

func compare(op string, a, b value.Value) (bool, error) {
	switch op {
	case "==":
		return value.Equal(a, b)
	case "!=":
		r, err := value.Equal(a, b)
		return !r, err
	case "in":
		return value.Contains(b, a)
	case "not in":
		r, err := value.Contains(b, a)
		return !r, err
	}
	return value.Order(op, a, b)
}

func (c *compiler) concat(x *nConcat) ev {
	xs, u := c.exprs(x.xs), c.u
	return func(f *frame) (value.Value, error) {
		var b strings.Builder
		secret := false
		for _, e := range xs {
			v, err := e(f)
			if err != nil {
				return nil, err
			}
			s, sec := "None", false
			if v != nil {
				if s, sec, err = f.rt.c.text(v); err != nil {
					return nil, u.place(x.p, err)
				}
			}
			secret = secret || sec
			if b.Len()+len(s) > value.MaxText {
				return nil, u.place(x.p, &limitError{"the text is too large"})
			}
			b.WriteString(s)
		}
		return value.Mark(b.String(), secret), nil
	}
}

// softUndefined is the value of an inline if without else whose condition does not hold.
var softUndefined = &value.Undefined{Soft: true, Hint: "the inline if-expression evaluated to false and no else section was defined"}

func (c *compiler) cond(x *nCond) ev {
	t, u := c.expr(x.t), c.u
	c.soft++
	a := c.expr(x.a)
	b := ev(func(*frame) (value.Value, error) { return softUndefined, nil })
	if x.b != nil {
		b = c.expr(x.b)
	}
	c.soft--
	return func(f *frame) (value.Value, error) {
		v, err := t(f)
		if err != nil {
			return nil, err
		}
		ok, err := value.Truth(v)
		if err != nil {
			return nil, u.place(x.p, err)
		}
		if ok {
			return a(f)
		}
		return b(f)
	}
}

func (c *compiler) list(x *nList) ev {
	xs := c.exprs(x.xs)
	return func(f *frame) (value.Value, error) {
		vs, err := evalAll(f, xs)
		if err != nil {
			return nil, err
		}
		return &value.List{V: vs}, nil
	}
}

func (c *compiler) tuple(x *nTuple) ev {
	xs := c.exprs(x.xs)
	return func(f *frame) (value.Value, error) {
		vs, err := evalAll(f, xs)
		return value.Tuple(vs), err
	}
}

func evalAll(f *frame, xs []ev) ([]value.Value, error) {
	out := make([]value.Value, len(xs))
	for i, e := range xs {
		v, err := e(f)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (c *compiler) dict(x *nDict) ev {
	ks, vs, u := c.exprs(x.ks), c.exprs(x.vs), c.u
	return func(f *frame) (value.Value, error) {
		out := value.NewDict(len(ks))
		for i := range ks {
			k, err := ks[i](f)
			if err != nil {
				return nil, err
			}
			v, err := vs[i](f)
			if err != nil {
				return nil, err
			}
			if err := out.Set(k, v); err != nil {
				return nil, u.place(x.p, err)
			}
		}
		return out, nil
	}
}

// getAttr is v.name: an attribute or method, else an item.
func getAttr(v value.Value, name string) (value.Value, error) {
	switch x := v.(type) {
	case *value.Undefined:
		return chained(x)
	case *value.Secret:
		r, err := getAttr(x.V, name)
		return value.Mark(r, true), err
	case value.Text:
		return getAttr(string(x), name)
	case value.Markup:
		if hasMethod(v, name) {
			return &method{v, name}, nil
		}
		return getAttr(string(x), name)
	case value.Object:
		r, ok, err := x.Attr(name)
		if ok || err != nil {
			return r, err
		}
	}
	if hasMethod(v, name) {
		return &method{v, name}, nil
	}
	if intAttrs[name] {
		switch v.(type) {
		case int64, *big.Int, bool, float64:
			return numberAttr(v, name)
		}
	}
	if name == "__class__" {
		return &class{v}, nil
	}
	switch v.(type) {
	case *value.Dict, *big.Int, value.Indexable:
		if r, ok, err := value.Item(v, name); ok || err != nil {
			return r, err
		}
	}
	return noAttr(v, name), nil
}

// chained is an attribute or item of something undefined: undefined as well, but an inline if
// without else has none.
func chained(u *value.Undefined) (value.Value, error) {
	if u.Soft {
		hard := *u
		hard.Soft = false
		return nil, &value.UndefinedError{Undefined: &hard}
	}
	return u, nil
}

func noAttr(v value.Value, name string) *value.Undefined {
	return &value.Undefined{Name: name, Owner: objectName(v)}
}

// noItem speaks of keys that are false as Jinja2 does, Ansible does not see them as names.
func noItem(v, key value.Value) *value.Undefined {
	u := &value.Undefined{Name: value.Str(key), Owner: objectName(v)}
	if is, err := value.Truth(key); err == nil && !is {
		u.Hint = strings.TrimSuffix(u.Owner+" object", "Type object") + " has no element " + value.Repr(key)
	} else {
		u.Hint = "object of type '" + u.Owner + "' has no attribute " + value.Repr(key)
	}
	return u
}

func objectName(v value.Value) string {
	if s, ok := v.(*value.Secret); ok {
		return objectName(s.V)
	}
	return value.TypeName(v)
}

// getItem is v[key]: an item, else for a text key an attribute.
func getItem(v, key value.Value) (value.Value, error) {
	if u, ok := v.(*value.Undefined); ok {
		return chained(u)
	}
	switch k := key.(type) {
	case *value.Undefined:
		return undefinedKey(v, k)
	case *value.Secret:
		r, err := getItem(v, k.V)
		if u, ok := r.(*value.Undefined); ok && u.Owner != "" {
			r = noAttr(v, "********")
		}
		return r, hidden(err, true)
	case value.Text:
		return getItem(v, string(k))
	case value.Markup:
		return getItem(v, string(k))
	}
	if r, ok, err := value.Item(v, key); ok || err != nil {
		return r, err
	}
	if s, ok := key.(string); ok {
		return getAttr(v, s)
	}
	if s, ok := v.(*value.Secret); ok {
		v = s.V
	}
	if _, err := hashable(key); err != nil {
		return &value.Undefined{Hint: err.Error()}, nil
	}
	return noItem(v, key), nil
}

func hashable(k value.Value) (bool, error) {
	d := value.NewDict(1)
	err := d.Set(k, nil)
	return err == nil, err
}

// undefinedKey is a subscript with an undefined key: an error for dicts (it is hashed), an
// undefined value for the rest.
func undefinedKey(v value.Value, k *value.Undefined) (value.Value, error) {
	if s, ok := v.(*value.Secret); ok {
		v = s.V
	}
	switch v.(type) {
	case *value.List, value.Tuple, string, value.Text, value.Markup, []byte, *value.Range:
		return k, nil
	}
	return nil, &value.UndefinedError{Undefined: k}
}
