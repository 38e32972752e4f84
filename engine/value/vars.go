package value

import (
	"iter"

	"fettle/engine/diag"
)

// Vars is a set of named variables from one source, in order, each with its place.
// The zero value is empty. Read only once it is shared.
type Vars struct {
	names []string
	m     map[string]Var
}

// Var is a variable as its source gives it: raw, so it may be a *Template.
type Var struct {
	Value Value
	At    diag.Pos
}

// Get returns a variable.
func (s *Vars) Get(name string) (Var, bool) {
	if s == nil {
		return Var{}, false
	}
	v, ok := s.m[name]
	return v, ok
}

// Set adds or replaces a variable; a replaced one keeps its place in the order.
func (s *Vars) Set(name string, v Value, at diag.Pos) {
	if s.m == nil {
		s.m = map[string]Var{}
	}
	if _, ok := s.m[name]; !ok {
		s.names = append(s.names, name)
	}
	s.m[name] = Var{v, at}
}

// Len counts the variables.
func (s *Vars) Len() int {
	if s == nil {
		return 0
	}
	return len(s.names)
}

// All iterates in order.
func (s *Vars) All() iter.Seq2[string, Var] {
	return func(yield func(string, Var) bool) {
		if s == nil {
			return
		}
		for _, n := range s.names {
			if !yield(n, s.m[n]) {
				return
			}
		}
	}
}
