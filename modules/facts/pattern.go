package facts

import "fettle/engine/pyre"

// pattern is a regular expression, compiled when it is first used.
type pattern string

// find gives the first match and its groups; nil when there is none.
func (p pattern) find(s string) []string {
	re, err := pyre.Cached(string(p), 0)
	if err != nil {
		panic(err) // they are constants, TestPatterns compiles each
	}
	m, err := re.Search(s)
	if m == nil || err != nil {
		return nil
	}
	groups := make([]string, re.Groups()+1)
	for i := range groups {
		groups[i] = m.Text(i)
	}
	return groups
}

func (p pattern) in(s string) bool { return p.find(s) != nil }
