// Package mask keeps secrets out of everything fettle shows: it knows the texts that must
// not appear and replaces them, also inside longer strings.
package mask

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"fettle/engine/value"
)

// Text replaces a masked secret.
const Text = "********"

// Masker holds the secrets of a run. Safe for concurrent use.
type Masker struct {
	mu       sync.Mutex
	known    map[string]bool
	replacer atomic.Pointer[strings.Replacer]
}

// Add makes s a secret. Very short texts and the words true, false, yes, no and none
// would blacken everything and give nothing away; they are left alone.
func (m *Masker) Add(s string) {
	s = strings.TrimSpace(s)
	if len(s) < 4 {
		return
	}
	switch strings.ToLower(s) {
	case "true", "false", "none", "null":
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[s] {
		return
	}
	if m.known == nil {
		m.known = map[string]bool{}
	}
	m.known[s] = true
	for line := range strings.SplitSeq(s, "\n") { // diffs show secrets line by line
		if line = strings.TrimSpace(line); len(line) >= 8 {
			m.known[line] = true
		}
	}
	all := make([]string, 0, len(m.known))
	for k := range m.known {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(all))
	for _, k := range all {
		pairs = append(pairs, k, Text)
	}
	m.replacer.Store(strings.NewReplacer(pairs...))
}

// String masks the secrets in s.
func (m *Masker) String(s string) string {
	if m == nil {
		return s
	}
	if r := m.replacer.Load(); r != nil {
		return r.Replace(s)
	}
	return s
}

// Empty tells that there is nothing to mask.
func (m *Masker) Empty() bool { return m == nil || m.replacer.Load() == nil }

// Value masks the secrets in all texts of v; it copies what it changes.
func (m *Masker) Value(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Secret:
		return Text
	case *value.Template:
		if x.Secret {
			return Text
		}
	case string:
		return m.String(x)
	case value.Text:
		return value.Text(m.String(string(x)))
	case *value.List:
		out := &value.List{V: make([]value.Value, len(x.V))}
		for i, e := range x.V {
			out.V[i] = m.Value(e)
		}
		return out
	case value.Tuple:
		out := make(value.Tuple, len(x))
		for i, e := range x {
			out[i] = m.Value(e)
		}
		return out
	case *value.Dict:
		return m.Dict(x)
	}
	return v
}

// Dict is Value for a dict.
func (m *Masker) Dict(d *value.Dict) *value.Dict {
	if d == nil {
		return nil
	}
	out := value.NewDict(d.Len())
	for _, e := range d.Entries() {
		_ = out.Set(m.Value(e.Key), m.Value(e.Value))
	}
	return out
}

// Reveal unwraps the secrets in v for a module's eyes, and remembers them. It copies what
// it changes.
func (m *Masker) Reveal(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Secret:
		m.remember(x.V)
		return m.Reveal(x.V)
	case *value.List:
		if !Holds(x) {
			return x
		}
		out := &value.List{V: make([]value.Value, len(x.V))}
		for i, e := range x.V {
			out.V[i] = m.Reveal(e)
		}
		return out
	case value.Tuple:
		out := make(value.Tuple, len(x))
		for i, e := range x {
			out[i] = m.Reveal(e)
		}
		return out
	case *value.Dict:
		if !Holds(x) {
			return x
		}
		out := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			_ = out.Set(m.Reveal(e.Key), m.Reveal(e.Value))
		}
		return out
	}
	return v
}

// remember adds every text and number in a secret value.
func (m *Masker) remember(v value.Value) {
	switch x := v.(type) {
	case string:
		m.Add(x)
	case *value.Secret:
		m.remember(x.V)
	case *value.List:
		for _, e := range x.V {
			m.remember(e)
		}
	case value.Tuple:
		for _, e := range x {
			m.remember(e)
		}
	case *value.Dict:
		for _, e := range x.Entries() {
			m.remember(e.Value)
		}
	case int64, float64:
		m.Add(value.Str(v))
	}
}

// Keep marks v as secret, and remembers it.
func (m *Masker) Keep(v value.Value) *value.Secret {
	m.remember(v)
	return &value.Secret{V: v}
}

// Holds tells whether v is secret, or holds something secret.
func Holds(v value.Value) bool {
	switch x := v.(type) {
	case *value.Secret:
		return true
	case *value.Template:
		return x.Secret
	case *value.List:
		return slices.ContainsFunc(x.V, Holds)
	case value.Tuple:
		return slices.ContainsFunc(x, Holds)
	case *value.Dict:
		return slices.ContainsFunc(x.Entries(), func(e value.Entry) bool { return Holds(e.Key) || Holds(e.Value) })
	}
	return false
}
