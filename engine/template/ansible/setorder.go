package ansible

import (
	"math"
	"math/big"
	"math/bits"

	"fettle/engine/value"
)

// hashSet is a set whose elements come in the order CPython gives them: that of its hash table.
// Numbers, None and the empty text have the same hashes in every run of Python. What has not, as
// other texts, gets hashes that let it come last, in the order it was met.
type hashSet struct {
	table      []hashEntry
	fill, used int
}

type hashEntry struct {
	hash  uint64
	v     value.Value
	state entryState
}

type entryState uint8

const (
	entryFree entryState = iota
	entryUsed
	entryDummy
)

const (
	linearProbes = 9
	perturbShift = 5
	hashBits     = 61
	hashModulus  = 1<<hashBits - 1
)

// steadyHash is Python's hash of a value that does not depend on the run.
func steadyHash(v value.Value) (uint64, bool) {
	switch x := v.(type) {
	case nil:
		return 0xfca86420, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case string:
		return 0, x == ""
	case int64:
		return bigHash(big.NewInt(x)), true
	case *big.Int:
		return bigHash(x), true
	case float64:
		return floatHash(x), !math.IsNaN(x)
	case value.Tuple:
		return tupleHash(x)
	}
	return 0, false
}

// tupleHash is made of those of the elements.
func tupleHash(t value.Tuple) (uint64, bool) {
	const p1, p2, p5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
	acc := uint64(p5)
	for _, e := range t {
		h, ok := steadyHash(e)
		if !ok {
			return 0, false
		}
		acc = bits.RotateLeft64(acc+h*p2, 31) * p1
	}
	if acc += uint64(len(t)) ^ (p5 ^ 3527539); acc == math.MaxUint64 {
		return 1546275796, true
	}
	return acc, true
}

func signed(h uint64, negative bool) uint64 {
	if negative {
		h = -h
	}
	if h == math.MaxUint64 { // -1 says in CPython that something failed
		h--
	}
	return h
}

func bigHash(n *big.Int) uint64 {
	m := new(big.Int).Mod(new(big.Int).Abs(n), big.NewInt(hashModulus))
	return signed(m.Uint64(), n.Sign() < 0)
}

func newHashSet() *hashSet { return &hashSet{table: make([]hashEntry, 8)} }

// hashes are those of the elements of an operation's sets.
type hashes struct{ others value.Dict }

// meet takes note of the values without a steady hash; one that cannot be hashed is an error.
func (h *hashes) meet(vs []value.Value) error {
	for _, v := range vs {
		if _, ok := steadyHash(v); ok || h.others.Has(v) {
			continue
		}
		if err := h.others.Set(v, int64(h.others.Len())); err != nil {
			return err
		}
	}
	return nil
}

func (h *hashes) set(vs []value.Value) *hashSet {
	s := newHashSet()
	for _, v := range vs {
		hash, ok := steadyHash(v)
		if !ok {
			i, _ := h.others.Get(v)
			hash = math.MaxUint64 - uint64(h.others.Len()) + uint64(i.(int64))
		}
		s.add(hash, v)
	}
	return s
}

// find is the place of a value, or the free one it would take.
func (s *hashSet) find(h uint64, v value.Value) *hashEntry {
	mask := uint64(len(s.table) - 1)
	perturb, i := h, h&mask
	for {
		probes := uint64(0)
		if i+linearProbes <= mask {
			probes = linearProbes
		}
		for j := i; j <= i+probes; j++ {
			e := &s.table[j]
			if e.state == entryFree {
				return e
			}
			if e.state == entryUsed && e.hash == h {
				if same, err := value.Equal(e.v, v); same && err == nil {
					return e
				}
			}
		}
		perturb >>= perturbShift
		i = (i*5 + 1 + perturb) & mask
	}
}

func (s *hashSet) has(e hashEntry) bool { return s.find(e.hash, e.v).state == entryUsed }

func (s *hashSet) add(h uint64, v value.Value) {
	e := s.find(h, v)
	if e.state == entryUsed {
		return
	}
	*e = hashEntry{h, v, entryUsed}
	s.fill++
	s.used++
	if s.fill*5 < (len(s.table)-1)*3 {
		return
	}
	if s.used > 50000 {
		s.resize(s.used * 2)
	} else {
		s.resize(s.used * 4)
	}
}

func (s *hashSet) resize(least int) {
	size := 8
	for size <= least {
		size <<= 1
	}
	old := s.table
	s.table, s.fill = make([]hashEntry, size), s.used
	for _, e := range old {
		if e.state == entryUsed {
			*s.find(e.hash, e.v) = e
		}
	}
}

// merge adds what is in another set.
func (s *hashSet) merge(o *hashSet) {
	if (s.fill+o.used)*5 >= (len(s.table)-1)*3 {
		s.resize((s.used + o.used) * 2)
	}
	if s.fill == 0 && len(s.table) == len(o.table) && o.fill == o.used {
		copy(s.table, o.table)
		s.fill, s.used = o.fill, o.used
		return
	}
	for _, e := range o.entries() {
		s.add(e.hash, e.v)
	}
}

func (s *hashSet) clone() *hashSet {
	c := newHashSet()
	c.merge(s)
	return c
}

func (s *hashSet) remove(e hashEntry) {
	if at := s.find(e.hash, e.v); at.state == entryUsed {
		at.state = entryDummy
		s.used--
	}
}

func (s *hashSet) entries() []hashEntry {
	out := make([]hashEntry, 0, s.used)
	for _, e := range s.table {
		if e.state == entryUsed {
			out = append(out, e)
		}
	}
	return out
}

func (s *hashSet) values() []value.Value {
	out := make([]value.Value, 0, s.used)
	for _, e := range s.entries() {
		out = append(out, e.v)
	}
	return out
}

// kept is what of s is in o, or is not.
func (s *hashSet) kept(o *hashSet, in bool) *hashSet {
	out := newHashSet()
	for _, e := range s.entries() {
		if o.has(e) == in {
			out.add(e.hash, e.v)
		}
	}
	return out
}

func (s *hashSet) minus(o *hashSet) *hashSet {
	if s.used>>2 <= o.used {
		return s.kept(o, false)
	}
	out := s.clone()
	for _, e := range o.entries() {
		out.remove(e)
	}
	return out
}

func (s *hashSet) and(o *hashSet) *hashSet {
	if o.used > s.used {
		return s.kept(o, true)
	}
	return o.kept(s, true)
}

func (s *hashSet) or(o *hashSet) *hashSet {
	out := s.clone()
	out.merge(o)
	return out
}

func (s *hashSet) xor(o *hashSet) *hashSet {
	out := o.clone()
	for _, e := range s.entries() {
		if out.has(e) {
			out.remove(e)
		} else {
			out.add(e.hash, e.v)
		}
	}
	return out
}

// setOrdered is the result of an operation on two sets in Python's order; ok is false when they
// cannot be sets.
func setOrdered(x, y []value.Value, op func(a, b *hashSet) *hashSet) (vs []value.Value, ok bool) {
	h := &hashes{}
	if h.meet(x) != nil || h.meet(y) != nil {
		return nil, false
	}
	return op(h.set(x), h.set(y)).values(), true
}
