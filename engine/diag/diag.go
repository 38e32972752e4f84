// Package diag is how fettle speaks about problems: data with a place, not text.
//
// A Diagnostic is made where a problem is found, collected in a List, and rendered once,
// as plain text with the source line and a caret, or as JSON. It never prints by itself.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a source text. The zero Pos means "no place known".
// Line and Col count from 1, Col in characters.
type Pos struct {
	File string
	Line int
	Col  int
}

// IsZero tells that the place is not known.
func (p Pos) IsZero() bool { return p.File == "" && p.Line == 0 }

// String is file:line:col, shortened to what is known.
func (p Pos) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Severity orders diagnostics by weight.
type Severity int

// Error stops a run before the first connection; Warning does not.
const (
	Error Severity = iota
	Warning
	Deprecated
)

func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "deprecated"
}

// MarshalText makes the JSON form readable.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Related is a second place that belongs to a problem: "included from", "defined here".
type Related struct {
	Text string `json:"text"`
	At   Pos    `json:"at"`
}

// Diagnostic is one problem.
type Diagnostic struct {
	Severity Severity  `json:"severity"`
	Rule     string    `json:"rule"`              // short stable id: "args", "keyword", "syntax", "undefined", "host-pattern"
	Summary  string    `json:"summary"`           // one line, lower case, no full stop
	Detail   string    `json:"detail,omitempty"`  // optional further lines
	Hint     string    `json:"hint,omitempty"`    // did you mean "state"?
	At       Pos       `json:"at"`                // where
	Width    int       `json:"width,omitempty"`   // characters to underline; 0 means one
	Related  []Related `json:"related,omitempty"` // further places
}

// Error makes a Diagnostic an error, in one line.
func (d *Diagnostic) Error() string {
	var b strings.Builder
	if p := d.At.String(); p != "" {
		b.WriteString(p + ": ")
	}
	b.WriteString(d.Summary)
	if d.Hint != "" {
		b.WriteString(" (" + d.Hint + ")")
	}
	return b.String()
}

// Errorf makes an error diagnostic.
func Errorf(at Pos, rule, format string, a ...any) *Diagnostic {
	return &Diagnostic{Severity: Error, Rule: rule, Summary: fmt.Sprintf(format, a...), At: at}
}

// Warnf makes a warning.
func Warnf(at Pos, rule, format string, a ...any) *Diagnostic {
	return &Diagnostic{Severity: Warning, Rule: rule, Summary: fmt.Sprintf(format, a...), At: at}
}

// List collects diagnostics; the zero value is empty. Not safe for concurrent use.
type List struct {
	items []*Diagnostic
	seen  map[problem]bool
}

// problem is what makes two diagnostics the same.
type problem struct {
	at            Pos
	summary, rule string
}

// Add appends d unless the same problem at the same place is there already.
func (l *List) Add(ds ...*Diagnostic) {
	for _, d := range ds {
		if d == nil {
			continue
		}
		key := problem{at: d.At, summary: d.Summary, rule: d.Rule}
		if l.seen[key] {
			continue
		}
		if l.seen == nil {
			l.seen = map[problem]bool{}
		}
		l.seen[key] = true
		l.items = append(l.items, d)
	}
}

// Errors counts the diagnostics of severity Error.
func (l *List) Errors() int {
	n := 0
	for _, d := range l.items {
		if d.Severity == Error {
			n++
		}
	}
	return n
}

// Len counts all diagnostics.
func (l *List) Len() int { return len(l.items) }

// Sorted returns all diagnostics by file, line, column, severity.
func (l *List) Sorted() []*Diagnostic {
	out := slices.Clone(l.items)
	slices.SortStableFunc(out, func(a, b *Diagnostic) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line),
			cmp.Compare(a.At.Col, b.At.Col), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Summary, b.Summary))
	})
	return out
}

// Err is nil when there is no error, else an *ErrorList.
func (l *List) Err() error {
	if l.Errors() == 0 {
		return nil
	}
	return &ErrorList{l.Sorted()}
}

// ErrorList is a List as an error value.
type ErrorList struct{ Items []*Diagnostic }

func (e *ErrorList) Error() string {
	n, first := 0, ""
	for _, d := range e.Items {
		if d.Severity == Error {
			if n++; first == "" {
				first = d.Error()
			}
		}
	}
	if n > 1 {
		return fmt.Sprintf("%s (and %d more)", first, n-1)
	}
	return first
}

// Source returns the text of a file for showing lines of it; ok is false when it cannot
// or must not be read (vault files).
type Source func(file string) (text string, ok bool)

// Text renders d as people read it:
//
//	roles/web/tasks/main.yml:14:7: error: module ansible.builtin.apt has no option "sate" [args]
//	   14 |       sate: present
//	      |       ^~~~ did you mean "state"?
//	   included from site.yml:9:7
func Text(d *Diagnostic, src Source) string {
	var b strings.Builder
	if p := d.At.String(); p != "" {
		b.WriteString(p + ": ")
	}
	fmt.Fprintf(&b, "%s: %s [%s]\n", d.Severity, d.Summary, d.Rule)
	hint := d.Hint
	if line, ok := sourceLine(d.At, src); ok {
		fmt.Fprintf(&b, "%5d | %s\n", d.At.Line, strings.ReplaceAll(line, "\t", " "))
		pad := max(d.At.Col-1, 0)
		width := max(d.Width, 1)
		fmt.Fprintf(&b, "      | %s^%s", strings.Repeat(" ", pad), strings.Repeat("~", width-1))
		if hint != "" {
			b.WriteString(" " + hint)
			hint = ""
		}
		b.WriteByte('\n')
	}
	if hint != "" {
		fmt.Fprintf(&b, "   %s\n", hint)
	}
	for line := range strings.SplitSeq(strings.TrimRight(d.Detail, "\n"), "\n") {
		if line != "" {
			fmt.Fprintf(&b, "   %s\n", line)
		}
	}
	for _, r := range d.Related {
		fmt.Fprintf(&b, "   %s %s\n", r.Text, r.At)
	}
	return b.String()
}

func sourceLine(at Pos, src Source) (string, bool) {
	if src == nil || at.Line <= 0 {
		return "", false
	}
	text, ok := src(at.File)
	if !ok {
		return "", false
	}
	n := 1
	for line := range strings.SplitSeq(text, "\n") {
		if n == at.Line {
			return strings.TrimRight(line, "\r"), true
		}
		n++
	}
	return "", false
}
