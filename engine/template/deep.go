package template

import (
	"errors"
	"fmt"

	"fettle/engine/value"
)

// maxDeep bounds the nesting of data.
const maxDeep = 500

// deepener goes through a value to its leaves: lazy elements are rendered, vault text is
// decrypted. What is not changed is not copied.
type deepener struct {
	c           *Context
	keepSecrets bool // else they are unwrapped and noted in secret
	keepOmit    bool // else entries and items that are omit are dropped
	strict      bool // undefined values are errors
	lists       bool // tuples and sets become lists
	markup      bool // markup stays markup
	secret      bool
	depth       int
	changed     bool // the last value differs from its input
}

// deepPlain resolves an argument of a filter and takes secrets out of it.
func deepPlain(v value.Value, secret *bool) (value.Value, error) { return deepArg(v, secret, false) }

// deepArg is deepPlain that may leave markup as it is.
func deepArg(v value.Value, secret *bool, markup bool) (value.Value, error) {
	d := deepener{keepOmit: true, markup: markup}
	r, err := d.value(v)
	*secret = *secret || d.secret
	return r, err
}

// deep resolves a value for printing: undefined values are errors.
func (c *Context) deep(v value.Value, secret *bool, keepUndefined bool) (value.Value, error) {
	d := deepener{c: c, keepOmit: true, strict: !keepUndefined, markup: true}
	r, err := d.value(v)
	*secret = *secret || d.secret
	return r, err
}

// DefinedInside tells, as an error, what is undefined inside a container. Since 2.19 what reads a
// container as text fails then.
func (c *Call) DefinedInside(v value.Value) error {
	if !isContainer(v) || c.Compat().Old() {
		return nil
	}
	d := deepener{c: c.C, keepSecrets: true, keepOmit: true, strict: true, markup: true}
	_, err := d.value(v)
	return err
}

// DefinedElements is the same for the elements themselves, not what is inside of them: since 2.19
// tests that compare a list or dict look at them all.
func (c *Call) DefinedElements(v value.Value) error {
	if _, isTuple := v.(value.Tuple); isTuple || !isContainer(v) || c.Compat().Old() {
		return nil
	}
	d, isDict := v.(*value.Dict)
	if !isDict {
		vs, err := value.Iterate(v)
		if err == nil {
			err = defined(vs...)
		}
		return err
	}
	es, err := d.Resolved()
	for _, e := range es {
		if err == nil {
			err = defined(e.Value)
		}
	}
	return err
}

func isContainer(v value.Value) bool {
	switch v.(type) {
	case *value.List, *value.Dict, value.Tuple:
		return true
	}
	return false
}

// defined tells the first value that is undefined.
func defined(vs ...value.Value) error {
	for _, v := range vs {
		if u, ok := v.(*value.Undefined); ok && !u.Soft {
			return &value.UndefinedError{Undefined: u}
		}
	}
	return nil
}

// final is the value a module argument gets.
func (c *Context) final(v value.Value) (value.Value, error) {
	d := deepener{c: c, keepSecrets: true, strict: true, lists: !c.e.opts.Compat.Old()}
	return d.value(v)
}

func (d *deepener) value(v value.Value) (value.Value, error) {
	d.changed = false
	switch x := v.(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case value.Text:
		if d.keepSecrets && (d.c == nil || d.c.keepText) {
			return v, nil
		}
		d.changed = true
		return string(x), nil
	case value.Markup:
		if d.markup {
			return v, nil
		}
		d.changed = true
		return string(x), nil
	case *value.Template, *value.Encrypted:
		return d.raw(v)
	case *value.Undefined:
		if d.strict && !x.Soft {
			return nil, &value.UndefinedError{Undefined: x}
		}
		if d.strict && d.keepSecrets && d.c.e.opts.Compat == V219 {
			return nil, errors.New("Type 'Undefined' is unsupported for variable storage: " + x.Hint)
		}
		if d.strict {
			d.changed = true
			return "", nil
		}
		return v, nil
	case *value.Secret:
		r, err := d.value(x.V)
		if err == nil && d.keepSecrets {
			if d.changed {
				return value.Mark(r, true), nil
			}
			return x, nil
		}
		d.secret, d.changed = true, true
		return r, err
	}
	if value.Frozen(v) {
		return v, nil
	}
	if d.depth++; d.depth > maxDeep {
		return nil, fmt.Errorf("data is nested too deeply or holds itself")
	}
	r, err := d.container(v)
	d.depth--
	return r, err
}

func (d *deepener) container(v value.Value) (value.Value, error) {
	switch x := v.(type) {
	case *value.List:
		vs, err := x.Resolved()
		if err != nil {
			return nil, err
		}
		out, err := d.items(vs)
		if err != nil || !d.changed {
			return x, err
		}
		return &value.List{V: out}, nil
	case value.Tuple:
		out, err := d.items(x)
		if err != nil {
			return nil, err
		}
		if d.lists {
			d.changed = true
			return &value.List{V: out}, nil
		}
		return value.Tuple(out), nil
	case *value.Dict:
		return d.dict(x)
	case *value.Set:
		if d.lists {
			vs, _ := value.Iterate(x)
			d.changed = true
			return &value.List{V: vs}, nil
		}
	case *value.Range:
		if d.lists {
			if x.Len() > value.MaxItems {
				return nil, &limitError{"range is too large"}
			}
			if d.c.e.opts.Compat == V219 {
				return nil, fmt.Errorf("type 'range' is unsupported for variable storage")
			}
			d.changed = true
			return listed(x), nil
		}
	case []byte:
		if d.lists && (d.c == nil || d.c.e.opts.Compat != V219) {
			d.changed = true
			return string(x), nil
		}
	case *group:
		r, err := d.value(x.t)
		d.changed = true
		return r, err
	}
	d.changed = false
	return v, nil
}

// raw renders a template or vault text that stands outside a lazy container.
func (d *deepener) raw(v value.Value) (value.Value, error) {
	if d.c == nil {
		return v, nil
	}
	r, err := d.c.Resolve(v)
	if err != nil {
		return nil, err
	}
	if u, ok := r.(*value.Undefined); ok && !u.Soft {
		return nil, &value.UndefinedError{Undefined: u}
	}
	r, err = d.value(r)
	d.changed = true
	return r, err
}

func (d *deepener) items(vs []value.Value) ([]value.Value, error) {
	var out []value.Value
	for i, e := range vs {
		omit := !d.keepOmit && isOmit(e)
		var r value.Value
		if !omit {
			var err error
			if r, err = d.value(e); err != nil {
				return nil, err
			}
			omit = d.changed && !d.keepOmit && isOmit(r)
		}
		if out == nil && (omit || d.changed) {
			out = append(make([]value.Value, 0, len(vs)), vs[:i]...)
		}
		if out != nil && !omit {
			out = append(out, r)
		}
	}
	d.changed = out != nil
	if out == nil {
		return vs, nil
	}
	return out, nil
}

func (d *deepener) dict(x *value.Dict) (value.Value, error) {
	es, err := x.Resolved()
	if err != nil {
		return nil, err
	}
	var out *value.Dict
	for i, e := range es {
		omit := !d.keepOmit && isOmit(e.Value)
		var r value.Value
		key, keyChanged := e.Key, false
		if !omit {
			if r, err = d.value(e.Value); err != nil {
				return nil, err
			}
			omit = !d.keepOmit && isOmit(r)
			changed := d.changed
			key, keyChanged = d.key(e.Key)
			if _, tuple := key.(value.Tuple); tuple && d.lists && d.c != nil && d.c.e.opts.Compat == V219 {
				return nil, errors.New("unhashable type: 'list'")
			}
			d.changed = changed || keyChanged
		}
		if out == nil && (omit || d.changed) {
			out = value.NewDict(len(es))
			for _, o := range es[:i] {
				_ = out.Set(o.Key, o.Value)
			}
		}
		if out != nil && !omit {
			if err := out.Set(key, r); err != nil {
				return nil, err
			}
		}
	}
	d.changed = out != nil
	if out == nil {
		return x, nil
	}
	return out, nil
}

func isOmit(v value.Value) bool {
	_, ok := v.(value.OmitType)
	return ok
}

// key is a dict key without marks.
func (d *deepener) key(k value.Value) (value.Value, bool) {
	switch x := k.(type) {
	case value.Text:
		return string(x), true
	case value.Markup:
		return string(x), true
	case *value.Secret:
		d.secret = true
		return x.V, true
	}
	return k, false
}
