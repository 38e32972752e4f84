package value

// NewSet returns the set of vs; it fails on an unhashable one.
func NewSet(vs ...Value) (*Set, error) {
	s := &Set{NewDict(len(vs))}
	for _, v := range vs {
		if s.D.Has(v) {
			continue
		}
		if err := s.D.Set(v, nil); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Has tells that key is present.
func (d *Dict) Has(key Value) bool { _, ok := d.Get(key); return ok }

func (s *Set) minus(o *Set) *Set {
	out := &Set{NewDict(0)}
	for _, e := range s.D.Entries() {
		if !o.D.Has(e.Key) {
			_ = out.D.Set(e.Key, nil)
		}
	}
	return out
}

func (s *Set) subset(o *Set) bool {
	for _, e := range s.D.Entries() {
		if !o.D.Has(e.Key) {
			return false
		}
	}
	return true
}

func (s *Set) equal(o *Set) bool { return s.D.Len() == o.D.Len() && s.subset(o) }

func (s *Set) order(op string, o *Set) bool {
	switch op {
	case "<=":
		return s.subset(o)
	case "<":
		return s.subset(o) && s.D.Len() < o.D.Len()
	case ">=":
		return o.subset(s)
	}
	return o.subset(s) && o.D.Len() < s.D.Len()
}
