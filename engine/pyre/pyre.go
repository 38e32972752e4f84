// Package pyre is Python's re module: the same syntax, the same matches, the same
// replacement templates and the same rules for empty matches (Python 3.11).
//
// Playbooks hand patterns to filters, tests and modules that were written for Python;
// Go's regexp has no lookaround, back references, conditionals or possessive
// quantifiers, and picks other alternatives. The package is a backtracking matcher over
// a compiled program. A step limit turns catastrophic patterns into ErrTooComplex.
//
// Text is a Go string read as code points; all offsets are byte offsets. A byte that is
// not UTF-8 counts as one character (Python's surrogateescape). Only str patterns exist:
// the L flag and \N{...} are refused by name.
//
// The package imports the standard library only, because the runner links it.
package pyre

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Flags are the re.X flags.
type Flags uint16

// The flags of Python's re; a Flags value joins them with |.
const (
	IgnoreCase Flags = 1 << iota // re.I
	MultiLine                    // re.M
	DotAll                       // re.S
	Verbose                      // re.X
	ASCII                        // re.A
	Unicode                      // re.U, the default for text
	Locale                       // re.L, refused
)

// ErrTooComplex is returned when a match needs more steps or memory than allowed.
var ErrTooComplex = errors.New("regular expression takes too many steps on this text")

// Error is a mistake in a pattern or in a replacement template.
type Error struct {
	Msg     string
	Pattern string
	Pos     int // in code points; -1 when the error has no place
}

// Error is Python's str(re.error).
func (e *Error) Error() string {
	if e.Pos < 0 {
		return e.Msg
	}
	text := fmt.Sprintf("%s at position %d", e.Msg, e.Pos)
	if !strings.Contains(e.Pattern, "\n") {
		return text
	}
	before := []rune(e.Pattern)[:e.Pos]
	line, col := 1, e.Pos+1
	for i, r := range before {
		if r == '\n' {
			line++
			col = e.Pos - i
		}
	}
	return fmt.Sprintf("%s (line %d, column %d)", text, line, col)
}

// Regexp is a compiled pattern; it is safe for concurrent use.
type Regexp struct {
	pattern string
	flags   Flags
	prog    *program
	groups  int // without group 0
	names   map[string]int
	pool    sync.Pool
}

// Compile translates a pattern; a mistake in it is an *Error with Python's wording.
func Compile(pattern string, flags Flags) (*Regexp, error) {
	p := newParser(pattern, flags)
	tree, err := p.parse()
	if err != nil {
		return nil, err
	}
	re := &Regexp{pattern: pattern, flags: p.flags, groups: p.groups - 1, names: p.names}
	re.prog = assemble(tree, p.groups)
	return re, nil
}

// MustCompile is Compile for constant patterns; it panics on a mistake.
func MustCompile(pattern string, flags Flags) *Regexp {
	re, err := Compile(pattern, flags)
	if err != nil {
		panic("pyre: " + pattern + ": " + err.Error())
	}
	return re
}

const cacheSize = 512

type cacheKey struct {
	pattern string
	flags   Flags
}

var cache = struct {
	sync.RWMutex
	m map[cacheKey]*Regexp
}{m: map[cacheKey]*Regexp{}}

// Cached is Compile with a bounded cache of recent patterns, as Python keeps one.
func Cached(pattern string, flags Flags) (*Regexp, error) {
	key := cacheKey{pattern, flags}
	cache.RLock()
	re := cache.m[key]
	cache.RUnlock()
	if re != nil {
		return re, nil
	}
	re, err := Compile(pattern, flags)
	if err != nil {
		return nil, err
	}
	cache.Lock()
	defer cache.Unlock()
	if len(cache.m) >= cacheSize {
		clear(cache.m)
	}
	cache.m[key] = re
	return re, nil
}

// String is the pattern as it was given.
func (re *Regexp) String() string { return re.pattern }

// Flags are the flags in force, inline ones included.
func (re *Regexp) Flags() Flags { return re.flags }

// Groups is the number of capturing groups, without group 0.
func (re *Regexp) Groups() int { return re.groups }

// GroupIndex maps group names to numbers; the caller must not change it.
func (re *Regexp) GroupIndex() map[string]int { return re.names }

// Match is one match in a text.
type Match struct {
	re    *Regexp
	text  string
	spans []int // start, end of each group; -1 when it took no part
}

// Match matches at the start of s; a nil Match means no match.
func (re *Regexp) Match(s string) (*Match, error) { return re.once(s, atStart) }

// FullMatch matches all of s; a nil Match means no match.
func (re *Regexp) FullMatch(s string) (*Match, error) { return re.once(s, atStart|toEnd) }

// Search finds the first match in s; a nil Match means none.
func (re *Regexp) Search(s string) (*Match, error) { return re.once(s, 0) }

func (re *Regexp) once(s string, mode searchMode) (*Match, error) {
	m := re.machine(s)
	defer re.release(m)
	ok, err := m.search(0, mode)
	if err != nil || !ok {
		return nil, err
	}
	return m.match(re), nil
}

// Matched tells whether the pattern is found in s, without keeping groups.
func (re *Regexp) Matched(s string) (bool, error) {
	m := re.machine(s)
	defer re.release(m)
	return m.search(0, 0)
}

// FindIter calls yield for each match as finditer gives them, until yield returns false.
func (re *Regexp) FindIter(s string, yield func(*Match) bool) error {
	m := re.machine(s)
	defer re.release(m)
	pos, mode := 0, searchMode(0)
	for pos <= len(s) {
		ok, err := m.search(pos, mode)
		if err != nil || !ok {
			return err
		}
		found := m.match(re)
		if !yield(found) {
			return nil
		}
		pos, mode = found.spans[1], 0
		if found.spans[0] == found.spans[1] {
			mode = mustAdvance
		}
	}
	return nil
}

// FindAllMatches collects what FindIter yields.
func (re *Regexp) FindAllMatches(s string) ([]*Match, error) {
	var all []*Match
	err := re.FindIter(s, func(m *Match) bool { all = append(all, m); return true })
	return all, err
}

// FindAll is findall: per match the whole text when there is no group, otherwise the
// groups ("" for one that took no part).
func (re *Regexp) FindAll(s string) ([][]string, error) {
	var all [][]string
	err := re.FindIter(s, func(m *Match) bool {
		if re.groups == 0 {
			all = append(all, []string{m.Text(0)})
			return true
		}
		row := make([]string, re.groups)
		for i := range row {
			row[i] = m.Text(i + 1)
		}
		all = append(all, row)
		return true
	})
	return all, err
}

// Piece is an element of Split's result; Set is false where Python gives None.
type Piece struct {
	Text string
	Set  bool
}

// Split is re.split; maxsplit 0 means no limit.
func (re *Regexp) Split(s string, maxsplit int) ([]Piece, error) {
	var out []Piece
	if maxsplit < 0 {
		return []Piece{{s, true}}, nil
	}
	last, n := 0, 0
	err := re.FindIter(s, func(m *Match) bool {
		out = append(out, Piece{s[last:m.spans[0]], true})
		for g := 1; g <= re.groups; g++ {
			text, set := m.Group(g)
			out = append(out, Piece{text, set})
		}
		last = m.spans[1]
		n++
		return maxsplit == 0 || n < maxsplit
	})
	return append(out, Piece{s[last:], true}), err
}

// Group returns the text of group i and whether it took part; i must not exceed Groups.
func (m *Match) Group(i int) (string, bool) {
	if !m.has(i) {
		return "", false
	}
	return m.text[m.spans[2*i]:m.spans[2*i+1]], true
}

func (m *Match) has(i int) bool {
	return i >= 0 && 2*i < len(m.spans) && m.spans[2*i] >= 0 && m.spans[2*i+1] >= m.spans[2*i]
}

// Text is Group without the second result.
func (m *Match) Text(i int) string {
	text, _ := m.Group(i)
	return text
}

// Named returns the text of a named group, whether it took part, and whether it exists.
func (m *Match) Named(name string) (text string, set, exists bool) {
	i, ok := m.re.names[name]
	if !ok {
		return "", false, false
	}
	text, set = m.Group(i)
	return text, set, true
}

// Span is the byte offsets of group i, or -1, -1.
func (m *Match) Span(i int) (start, end int) {
	if !m.has(i) {
		return -1, -1
	}
	return m.spans[2*i], m.spans[2*i+1]
}

// Regexp is the pattern that matched.
func (m *Match) Regexp() *Regexp { return m.re }

const special = "()[]{}?*+-|^$\\.&~# \t\n\r\v\f"

// Escape is re.escape: special characters get a backslash.
func Escape(s string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
