package inventory

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/pyre"
)

// Pattern is a parsed host pattern: terms in the order they are applied, unions first, then
// intersections (&), then exclusions (!).
type Pattern struct{ terms []term }

type term struct {
	text      string // as written, with & or !
	op        byte   // 0, '&' or '!'
	body      string // without & or !, and without the subscript
	subscript *subscript
	dash      bool // written [a-b]
}

// subscript selects from what a term matches: one host, or those from start up to and
// including end (-1: to the last).
type subscript struct {
	start, end int
	single     bool
}

var (
	subscriptForm = regexp.MustCompile(`^(.+)\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\]$`)
	colonTerms    = regexp.MustCompile(`(?:[^\s:\[\]]|\[[^\]]*\])+`)
)

// ParsePattern reads a pattern, or several that are joined as if by commas.
func ParsePattern(patterns ...string) (*Pattern, error) {
	var plain, and, not []term
	for _, p := range patterns {
		for _, text := range splitPattern(p) {
			t, err := parseTerm(text)
			if err != nil {
				return nil, err
			}
			switch t.op {
			case '&':
				and = append(and, t)
			case '!':
				not = append(not, t)
			default:
				plain = append(plain, t)
			}
		}
	}
	if len(plain) == 0 {
		plain = []term{{text: "all", body: "all"}}
	}
	return &Pattern{slices.Concat(plain, and, not)}, nil
}

// splitPattern cuts at commas, or at colons when there is no comma and the text is no
// address.
func splitPattern(s string) []string {
	var parts []string
	if strings.Contains(s, ",") {
		parts = strings.Split(s, ",")
	} else if _, _, err := parseAddress(s, true); err == nil {
		parts = []string{s}
	} else {
		parts = colonTerms.FindAllString(s, -1)
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func parseTerm(text string) (term, error) {
	t := term{text: text, body: text}
	if text[0] == '&' || text[0] == '!' {
		t.op, t.body = text[0], text[1:]
	}
	if t.body == "" {
		return t, fmt.Errorf("invalid host pattern %q: nothing stands after %q", text, text)
	}
	if t.body[0] == '~' {
		if _, err := pyre.Cached(t.body[1:], 0); err != nil {
			return t, fmt.Errorf("invalid host pattern %q: %w", text, err)
		}
		return t, nil
	}
	m := subscriptForm.FindStringSubmatch(t.body)
	if m == nil {
		return t, nil
	}
	t.body, t.dash = m[1], m[4] == "-"
	var err error
	t.subscript, err = parseSubscript(m[2], m[3], m[5])
	if err != nil {
		return t, fmt.Errorf("invalid host pattern %q: %w", text, err)
	}
	return t, nil
}

func parseSubscript(index, start, end string) (*subscript, error) {
	var s subscript
	if index != "" {
		s.single = true
		_, err := fmt.Sscanf(index, "%d", &s.start)
		return &s, err
	}
	if _, err := fmt.Sscanf(start, "%d", &s.start); err != nil {
		return nil, err
	}
	if s.end = -1; end != "" {
		if _, err := fmt.Sscanf(end, "%d", &s.end); err != nil {
			return nil, err
		}
		s.single = s.end == 0 // [n:0] is read as [n]
	}
	return &s, nil
}

// Selection is what a pattern gave.
type Selection struct {
	Hosts []*Host
	// Unmatched are the terms that no host or group answers to.
	Unmatched []string
	Warnings  []string
}

// Match returns the hosts of a pattern in Ansible's order, each once, and without those that
// limit leaves out (nil limits nothing).
func (inv *Inventory) Match(p, limit *Pattern) (*Selection, error) {
	inv.mu.Lock() // an implicit host may be made
	defer inv.mu.Unlock()
	sel := &Selection{}
	hosts, err := inv.evaluate(p, sel)
	if err != nil {
		return nil, err
	}
	if limit != nil {
		within, err := inv.evaluate(limit, sel)
		if err != nil {
			return nil, err
		}
		hosts = keep(hosts, within, true)
	}
	sel.Hosts = unique(hosts)
	return sel, nil
}

// Select is Match for pattern texts; limit may be empty.
func (inv *Inventory) Select(patterns []string, limit string) (*Selection, error) {
	p, err := ParsePattern(patterns...)
	if err != nil {
		return nil, err
	}
	var l *Pattern
	if limit != "" {
		if l, err = ParseLimit(limit); err != nil {
			return nil, err
		}
	}
	return inv.Match(p, l)
}

// ParseLimit reads the text of --limit, where @file stands for the terms in a file.
func ParseLimit(s string) (*Pattern, error) {
	var terms []string
	for _, t := range splitPattern(s) {
		if !strings.HasPrefix(t, "@") {
			terms = append(terms, t)
			continue
		}
		if st, err := os.Stat(t[1:]); err == nil && st.IsDir() {
			return nil, fmt.Errorf("the limit starting with \"@\" must be a file, not a directory: %s", t[1:])
		}
		b, err := os.ReadFile(t[1:])
		if err != nil {
			return nil, fmt.Errorf("cannot read the limit file %q: %w", t[1:], reason(err))
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				terms = append(terms, line)
			}
		}
	}
	return ParsePattern(terms...)
}

func keep(hosts, other []*Host, in bool) []*Host {
	set := map[*Host]bool{}
	for _, h := range other {
		set[h] = true
	}
	var out []*Host
	for _, h := range hosts {
		if set[h] == in {
			out = append(out, h)
		}
	}
	return out
}

func unique(hosts []*Host) []*Host {
	seen := make(map[*Host]bool, len(hosts))
	out := hosts[:0:0]
	for _, h := range hosts {
		if !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return out
}

func (inv *Inventory) evaluate(p *Pattern, sel *Selection) ([]*Host, error) {
	var hosts []*Host
	for _, t := range p.terms {
		if h := inv.hosts[t.text]; h != nil { // a plain host name is never taken apart
			hosts = append(hosts, h)
			continue
		}
		that, err := inv.matchTerm(t, sel)
		if err != nil {
			return nil, err
		}
		switch t.op {
		case '!':
			hosts = keep(hosts, that, false)
		case '&':
			hosts = keep(hosts, that, true)
		default:
			hosts = append(hosts, keep(that, hosts, false)...)
		}
	}
	return hosts, nil
}

func (inv *Inventory) matchTerm(t term, sel *Selection) ([]*Host, error) {
	if t.dash {
		sel.Warnings = append(sel.Warnings, "Use [x:y] inclusive subscripts instead of [x-y] which has been removed")
	}
	hosts, err := inv.enumerate(t, sel)
	if err != nil || t.subscript == nil || len(hosts) == 0 {
		return hosts, err
	}
	s, n := t.subscript, len(hosts)
	if s.single {
		i := s.start
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, fmt.Errorf("No hosts matched the subscripted pattern '%s'", strings.TrimLeft(t.text, "&!"))
		}
		return hosts[i : i+1], nil
	}
	end := n
	if s.end >= 0 {
		end = min(s.end+1, n)
	}
	return hosts[min(s.start, end):end], nil
}

// enumerate finds what a term names: groups first, hosts when no group answers or the term
// could mean hosts as well.
func (inv *Inventory) enumerate(t term, sel *Selection) ([]*Host, error) {
	match, err := matcher(t.body)
	if err != nil {
		return nil, err
	}
	var out []*Host
	groups := false
	if g := inv.groups[t.body]; g != nil && !strings.ContainsAny(t.body, "*?[~") {
		groups, out = true, g.allHosts()
	} else {
		for _, g := range inv.groupList {
			if match(g.Name) {
				groups = true
				out = append(out, g.allHosts()...)
			}
		}
	}
	if !groups || t.body[0] == '~' || strings.ContainsAny(t.body, ".?*[") {
		for _, h := range inv.hostList {
			if match(h.Name) {
				out = append(out, h)
			}
		}
	}
	if len(out) == 0 && slices.Contains(localNames, t.body) {
		return []*Host{inv.implicitHost(t.body)}, nil
	}
	if len(out) == 0 && !groups && t.body != "all" {
		return nil, inv.unmatched(t.body, sel)
	}
	return out, nil
}

func (inv *Inventory) unmatched(body string, sel *Selection) error {
	if inv.opts.PatternMismatch == "error" {
		return fmt.Errorf("Could not match supplied host pattern, ignoring: %s", body)
	}
	if !slices.Contains(sel.Unmatched, body) {
		sel.Unmatched = append(sel.Unmatched, body)
		if inv.opts.PatternMismatch != "ignore" {
			w := "Could not match supplied host pattern, ignoring: " + body
			if hint := diag.DidYouMean(body, inv.names()); hint != "" {
				w += " (" + hint + ")"
			}
			sel.Warnings = append(sel.Warnings, w)
		}
	}
	return nil
}

// names are all names a pattern may use.
func (inv *Inventory) names() []string {
	var out []string
	for _, g := range inv.groupList {
		out = append(out, g.Name)
	}
	for _, h := range inv.hostList {
		out = append(out, h.Name)
	}
	return out
}

// matcher gives the test for one term: a regular expression after ~, matched from the
// start, else a glob for the whole name.
func matcher(body string) (func(string) bool, error) {
	if body[0] == '~' {
		re, err := pyre.Cached(body[1:], 0)
		if err != nil {
			return nil, fmt.Errorf("invalid host pattern %q: %w", body, err)
		}
		return func(s string) bool { m, err := re.Match(s); return err == nil && m != nil }, nil
	}
	if !strings.ContainsAny(body, "*?[") {
		return func(s string) bool { return s == body }, nil
	}
	re, err := regexp.Compile(globExpression(body))
	if err != nil {
		return nil, fmt.Errorf("invalid host pattern %q", body)
	}
	return re.MatchString, nil
}

// globExpression turns a glob into a regular expression. [!abc] negates; an open [ without
// its end is plain text; a range that ends before it begins matches nothing.
func globExpression(glob string) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for rs, i := []rune(glob), 0; i < len(rs); i++ {
		switch rs[i] {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			class, n := globClass(rs[i+1:])
			if n == 0 {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(class)
			i += n
		default:
			b.WriteString(regexp.QuoteMeta(string(rs[i])))
		}
	}
	b.WriteString("$")
	return b.String()
}

// globClass reads what follows a [ and tells how many characters it took, 0 when there is no end.
func globClass(rs []rune) (string, int) {
	j := 0
	if j < len(rs) && rs[j] == '!' {
		j++
	}
	if j < len(rs) && rs[j] == ']' {
		j++
	}
	for j < len(rs) && rs[j] != ']' {
		j++
	}
	if j >= len(rs) {
		return "", 0
	}
	body, not := rs[:j], false
	if len(body) > 0 && body[0] == '!' {
		body, not = body[1:], true
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		if i+2 < len(body) && body[i+1] == '-' {
			if body[i] <= body[i+2] {
				fmt.Fprintf(&b, `\x{%x}-\x{%x}`, body[i], body[i+2])
			}
			i += 2
			continue
		}
		fmt.Fprintf(&b, `\x{%x}`, body[i])
	}
	switch {
	case b.Len() == 0 && not:
		return ".", j + 1
	case b.Len() == 0:
		return `[^\x{0}-\x{10FFFF}]`, j + 1
	case not:
		return "[^" + b.String() + "]", j + 1
	}
	return "[" + b.String() + "]", j + 1
}
