package value

import (
	"fmt"
	"iter"
	"math"
	"math/big"
)

// Dict is Python's dict: insertion order, keys equal as in Python (1 == 1.0 == True).
// The zero value is an empty dict ready for use. Not safe for concurrent writes; a Dict
// that several goroutines can see is read only.
type Dict struct {
	entries []Entry
	index   map[any]int // only of dicts with more than smallDict items
	// Lazy, when set, renders values on access (see List.Lazy).
	Lazy Resolver
	// shared and sharedIndex: another dict uses the same entries or index (see Snapshot).
	shared, sharedIndex bool
	plain               uint32 // see Plain
}

// Entry is one item of a Dict.
type Entry struct{ Key, Value Value }

// NewDict returns an empty dict with room for n items.
func NewDict(n int) *Dict {
	d := &Dict{}
	if n > 0 {
		d.entries = make([]Entry, 0, n)
	}
	if n > smallDict {
		d.index = make(map[any]int, n)
	}
	return d
}

// smallDict is how many items are searched one by one instead of in an index.
const smallDict = 8

// find is the place of the item whose key has the hash h.
func (d *Dict) find(h any) (int, bool) {
	if s, ok := h.(string); ok {
		return d.findString(s)
	}
	if d.index != nil {
		i, ok := d.index[h]
		return i, ok
	}
	for i := range d.entries {
		if k, err := hashKey(d.entries[i].Key); err == nil && k == h {
			return i, true
		}
	}
	return 0, false
}

func (d *Dict) findString(s string) (int, bool) {
	if d.index != nil {
		i, ok := d.index[s]
		return i, ok
	}
	for i := range d.entries {
		switch k := d.entries[i].Key.(type) {
		case string:
			if k == s {
				return i, true
			}
		case int64, bool, nil, float64:
		default:
			if h, err := hashKey(k); err == nil && h == any(s) {
				return i, true
			}
		}
	}
	return 0, false
}

// DictOf builds a dict from alternating string keys and values; it panics on an odd count.
func DictOf(kv ...Value) *Dict {
	d := NewDict(len(kv) / 2)
	for i := 0; i < len(kv); i += 2 {
		d.SetString(kv[i].(string), kv[i+1])
	}
	return d
}

// Len is the number of items; a nil Dict is empty.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.entries)
}

// GetString returns the raw item under a string key (not rendered: see Dict.Lazy).
func (d *Dict) GetString(key string) (Value, bool) {
	if d == nil {
		return nil, false
	}
	i, ok := d.findString(key)
	if !ok {
		return nil, false
	}
	return d.entries[i].Value, true
}

// Get returns the raw item under key; ok is false when it is absent or unhashable.
func (d *Dict) Get(key Value) (Value, bool) {
	if s, ok := key.(string); ok {
		return d.GetString(s)
	}
	if d == nil {
		return nil, false
	}
	h, err := hashKey(key)
	if err != nil {
		return nil, false
	}
	i, ok := d.find(h)
	if !ok {
		return nil, false
	}
	return d.entries[i].Value, true
}

// SetString sets the item under a string key; an existing key keeps its place.
func (d *Dict) SetString(key string, v Value) {
	if i, ok := d.findString(key); ok {
		d.plain = unknownPlain
		d.unshare()
		d.entries[i].Value = v
		return
	}
	var k any = key
	d.set(k, k, v)
}

// Set sets the item under key; it fails when key is unhashable.
func (d *Dict) Set(key, v Value) error {
	h, err := hashKey(key)
	if err != nil {
		return err
	}
	d.set(h, key, v)
	return nil
}

func (d *Dict) set(h any, key, v Value) {
	d.plain = unknownPlain
	if i, ok := d.find(h); ok {
		d.unshare()
		d.entries[i].Value = v
		return
	}
	d.own()
	d.entries = append(d.entries, Entry{key, v})
	if d.index != nil {
		d.index[h] = len(d.entries) - 1
	} else if len(d.entries) > smallDict {
		d.reindex()
	}
}

// reindex makes the index of a dict that is not small any more.
func (d *Dict) reindex() {
	d.index, d.sharedIndex = make(map[any]int, 2*len(d.entries)), false
	for i, e := range d.entries {
		if h, err := hashKey(e.Key); err == nil {
			d.index[h] = i
		}
	}
}

// Delete removes key and reports whether it was there.
func (d *Dict) Delete(key Value) bool {
	h, err := hashKey(key)
	if err != nil {
		return false
	}
	i, ok := d.find(h)
	if !ok {
		return false
	}
	d.own()
	d.plain = unknownPlain
	d.entries = append(d.entries[:i:i], d.entries[i+1:]...)
	if d.index == nil {
		return true
	}
	delete(d.index, h)
	for k, j := range d.index {
		if j > i {
			d.index[k] = j - 1
		}
	}
	return true
}

// Entries are the items in order, raw; the caller must not change the slice.
func (d *Dict) Entries() []Entry {
	if d == nil {
		return nil
	}
	return d.entries
}

// All iterates over the raw items in order.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for _, e := range d.Entries() {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// Clone is a shallow copy (raw values, no Lazy).
func (d *Dict) Clone() *Dict {
	c := NewDict(d.Len())
	for _, e := range d.Entries() {
		_ = c.Set(e.Key, e.Value)
	}
	return c
}

type noneKey struct{}

// hashKey maps a Python-hashable value to a Go map key such that Python-equal keys are equal.
func hashKey(k Value) (any, error) {
	switch x := k.(type) {
	case string:
		return x, nil
	case int64:
		return x, nil
	case nil:
		return noneKey{}, nil
	case bool:
		if x {
			return int64(1), nil
		}
		return int64(0), nil
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<62 {
			return int64(x), nil
		}
		return x, nil
	case *big.Int:
		return "\x00b" + x.String(), nil
	case []byte:
		return "\x00y" + string(x), nil
	case Tuple:
		return tupleKey(x)
	case *Secret:
		return hashKey(x.V)
	case Text:
		return string(x), nil
	case Markup:
		return string(x), nil
	case *Undefined:
		return nil, &UndefinedError{x}
	case *Set:
		return nil, fmt.Errorf("unhashable type: 'set'")
	case *Template, *Encrypted:
		return k, nil
	case *List:
		return nil, fmt.Errorf("unhashable type: 'list'")
	case *Dict:
		return nil, fmt.Errorf("unhashable type: 'dict'")
	}
	return k, nil
}

// tupleKey builds a key that is equal for element-wise equal tuples.
func tupleKey(t Tuple) (any, error) {
	s := "\x00t"
	for _, e := range t {
		h, err := hashKey(e)
		if err != nil {
			return nil, err
		}
		s += fmt.Sprintf("%T:%v,", h, h)
	}
	return s, nil
}
