package value

import "sync/atomic"

// Lazy containers. The template engine never hands a variable's own container to a template:
// it hands out a copy that shares the index of keys, renders elements when they are touched
// and keeps what it rendered, so that a template may change it without anybody else noticing.

// Snapshot returns a lazy copy of l: elements are resolved by r when they are touched.
func (l *List) Snapshot(r Resolver) *List {
	return &List{V: append(make([]Value, 0, len(l.V)), l.V...), Lazy: r}
}

// Snapshot returns a lazy copy of d in constant time; it is copied further when written.
func (d *Dict) Snapshot(r Resolver) *Dict {
	return &Dict{entries: d.entries, index: d.index, Lazy: r, shared: true, sharedIndex: true}
}

// NeedsResolving tells that a Resolver has work to do for v.
func NeedsResolving(v Value) bool {
	switch v.(type) {
	case *Template, *Encrypted, *List, *Dict, Tuple:
		return true
	}
	return false
}

// Item is the i-th element, resolved.
func (l *List) Item(i int) (Value, error) {
	v := l.V[i]
	if l.Lazy == nil || !NeedsResolving(v) {
		return v, nil
	}
	if done(v) {
		return v, nil
	}
	v, err := l.Lazy.Resolve(v)
	if err != nil {
		return nil, err
	}
	l.V[i] = v
	return v, nil
}

// done tells that a container has been handed out lazily already.
func done(v Value) bool {
	switch x := v.(type) {
	case *List:
		return x.Lazy != nil
	case *Dict:
		return x.Lazy != nil
	}
	return false
}

// Resolved returns the elements, resolved; afterwards the list holds plain elements.
func (l *List) Resolved() ([]Value, error) {
	if l == nil {
		return nil, nil
	}
	if l.Lazy != nil {
		for i := range l.V {
			if _, err := l.Item(i); err != nil {
				return nil, err
			}
		}
	}
	return l.V, nil
}

// Items are the elements; where one cannot be rendered, the raw ones are given. For showing.
func (l *List) Items() []Value {
	vs, err := l.Resolved()
	if err != nil {
		return l.V
	}
	return vs
}

// valueAt is the value of the i-th entry, resolved.
func (d *Dict) valueAt(i int) (Value, error) {
	v := d.entries[i].Value
	if d.Lazy == nil || !NeedsResolving(v) || done(v) {
		return v, nil
	}
	v, err := d.Lazy.Resolve(v)
	if err != nil {
		return nil, err
	}
	d.unshare()
	d.entries[i].Value = v
	return v, nil
}

// unshare makes the entries the dict's own.
func (d *Dict) unshare() {
	if d.shared {
		d.entries = append(make([]Entry, 0, len(d.entries)+1), d.entries...)
		d.shared = false
	}
}

// own makes entries and index the dict's own, before keys change.
func (d *Dict) own() {
	d.unshare()
	if d.sharedIndex && d.index != nil {
		index := make(map[any]int, len(d.index)+1)
		for k, i := range d.index {
			index[k] = i
		}
		d.index, d.sharedIndex = index, false
	}
}

// LookupString is Lookup for a text key.
func (d *Dict) LookupString(key string) (v Value, ok bool, err error) {
	if d == nil {
		return nil, false, nil
	}
	i, ok := d.findString(key)
	if !ok {
		return d.missing(key)
	}
	v, err = d.valueAt(i)
	return v, true, err
}

// missing is an item that is not listed.
func (d *Dict) missing(key string) (v Value, ok bool, err error) {
	more, is := d.Lazy.(Completer)
	if !is {
		return nil, false, nil
	}
	if v, ok = more.Missing(key); !ok {
		return nil, false, nil
	}
	v, err = more.Resolve(v)
	return v, true, err
}

// Hint remembers where a key was found, for dicts that are alike.
type Hint struct{ i atomic.Uint32 }

// LookupHint is LookupString for an expression that looks up the same key again and again.
func (d *Dict) LookupHint(key string, h *Hint) (v Value, ok bool, err error) {
	if d == nil {
		return nil, false, nil
	}
	i := int(h.i.Load())
	if i < len(d.entries) {
		if k, is := d.entries[i].Key.(string); is && k == key {
			v, err = d.valueAt(i)
			return v, true, err
		}
	}
	if i, ok = d.findString(key); !ok {
		return d.missing(key)
	}
	h.i.Store(uint32(i))
	v, err = d.valueAt(i)
	return v, true, err
}

// Lookup is the item under key, resolved; ok is false when it is absent or key unhashable.
func (d *Dict) Lookup(key Value) (v Value, ok bool, err error) {
	if d == nil {
		return nil, false, nil
	}
	i, ok := 0, false
	if s, isStr := key.(string); isStr {
		if i, ok = d.findString(s); !ok {
			return d.missing(s)
		}
	} else if h, err := hashKey(key); err == nil {
		i, ok = d.find(h)
	}
	if !ok {
		return nil, false, nil
	}
	v, err = d.valueAt(i)
	return v, true, err
}

// Resolved returns the entries with resolved values.
func (d *Dict) Resolved() ([]Entry, error) {
	if d == nil {
		return nil, nil
	}
	if d.Lazy != nil {
		for i := range d.entries {
			if _, err := d.valueAt(i); err != nil {
				return nil, err
			}
		}
	}
	return d.entries, nil
}

// Items are the entries; where a value cannot be rendered, the raw ones. For showing.
func (d *Dict) Items() []Entry {
	es, err := d.Resolved()
	if err != nil {
		return d.entries
	}
	return es
}
