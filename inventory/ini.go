package inventory

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"
)

var (
	sectionForm = regexp.MustCompile(`^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$`)
	groupForm   = regexp.MustCompile(`^([^:\]\s]+)\s*(?:#.*)?$`)
)

// iniReader reads an INI source. What was read before an error stays in the inventory.
type iniReader struct {
	inv     *Inventory
	source  *source
	group   *Group
	state   string // hosts, vars or children
	line    int
	indent  int // characters before the current line's text
	pending []*pendingGroup
}

// pendingGroup is a group that a section speaks of before any declares it.
type pendingGroup struct {
	name    string
	state   string // vars or children
	at      diag.Pos
	parents []*Group
}

func parseINI(inv *Inventory, s *source) error {
	text, err := s.read()
	if err != nil {
		return err
	}
	r := &iniReader{inv: inv, source: s, group: inv.groups["ungrouped"], state: "hosts"}
	for _, raw := range splitLines(text) {
		r.line++
		line := strings.TrimSpace(raw)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		r.indent = utf8.RuneCountInString(raw[:strings.Index(raw, line)])
		if !utf8.ValidString(line) {
			return r.fail(0, "the line is not valid UTF-8")
		}
		if err := r.parse(line); err != nil {
			return err
		}
	}
	return r.undeclared()
}

// splitLines cuts a text at every kind of line end that Python knows.
func splitLines(text []byte) []string {
	var out []string
	for len(text) > 0 {
		i := bytes.IndexAny(text, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			return append(out, string(text))
		}
		out = append(out, string(text[:i]))
		_, w := utf8.DecodeRune(text[i:])
		if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			w = 2
		}
		text = text[i+w:]
	}
	return out
}

func (r *iniReader) at(col int) diag.Pos {
	return diag.Pos{File: r.source.name, Line: r.line, Col: r.indent + col + 1}
}

func (r *iniReader) fail(col int, format string, a ...any) error {
	return diag.Errorf(r.at(col), "inventory", format, a...)
}

func (r *iniReader) parse(line string) error {
	if m := sectionForm.FindStringSubmatch(line); m != nil {
		return r.section(m[1], m[2])
	}
	if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
		return r.fail(0, "%s is no section: its name may hold no blanks, colons or brackets", line)
	}
	switch r.state {
	case "hosts":
		return r.host(line)
	case "vars":
		return r.variable(line)
	}
	return r.child(line)
}

func (r *iniReader) section(name, state string) error {
	if state == "" {
		state = "hosts"
	}
	if state != "hosts" && state != "vars" && state != "children" {
		d := diag.Errorf(r.at(len([]rune(name))+2), "inventory", "section [%s:%s] has the unknown type %q", name, state, state)
		d.Width = len([]rune(state))
		d.Hint = diag.DidYouMean(state, []string{"hosts", "vars", "children"})
		return d
	}
	name = r.inv.safeName(name, r.at(1), r.source)
	known := r.inv.groups[name] != nil
	pending := r.pendingFor(name)
	if !known && state == "vars" && pending == nil {
		r.pending = append(r.pending, &pendingGroup{name: name, state: "vars", at: r.at(0)})
	}
	r.group, r.state = r.inv.addGroup(name, r.at(1)), state
	if pending != nil && state != "vars" {
		return r.declared(pending)
	}
	return nil
}

func (r *iniReader) pendingFor(name string) *pendingGroup {
	for _, p := range r.pending {
		if p.name == name {
			return p
		}
	}
	return nil
}

// declared settles what was said about a group before its section came.
func (r *iniReader) declared(p *pendingGroup) error {
	for i, o := range r.pending {
		if o == p {
			r.pending = append(r.pending[:i], r.pending[i+1:]...)
			break
		}
	}
	for _, parent := range p.parents {
		if err := r.inv.addChild(parent, r.inv.groups[p.name]); err != nil {
			return &diag.Diagnostic{Rule: "inventory", Summary: err.Error(), At: p.at}
		}
	}
	return nil
}

func (r *iniReader) undeclared() error {
	if len(r.pending) == 0 {
		return nil
	}
	p := r.pending[0]
	if p.state == "vars" {
		return diag.Errorf(p.at, "inventory", "section [%s:vars] sets variables of a group that is not declared", p.name)
	}
	d := diag.Errorf(p.at, "inventory", "section [%s:children] names the group %q, which is not declared", p.parents[len(p.parents)-1].Name, p.name)
	d.Width = utf8.RuneCountInString(p.name)
	var names []string
	for _, g := range r.inv.groupList {
		names = append(names, g.Name)
	}
	d.Hint = diag.DidYouMean(p.name, names)
	return d
}

func (r *iniReader) child(line string) error {
	m := groupForm.FindStringSubmatch(line)
	if m == nil {
		return r.fail(0, "expected the name of a group, found %q", line)
	}
	name := r.inv.safeName(m[1], r.at(0), r.source)
	if g := r.inv.groups[name]; g != nil {
		if err := r.inv.addChild(r.group, g); err != nil {
			return r.fail(0, "%v", err)
		}
		return nil
	}
	if p := r.pendingFor(name); p != nil {
		p.parents = append(p.parents, r.group)
		return nil
	}
	r.pending = append(r.pending, &pendingGroup{name: name, state: "children", at: r.at(0), parents: []*Group{r.group}})
	return nil
}

// host reads "name[range]:port key=value ... # comment".
func (r *iniReader) host(line string) error {
	words, err := splitWords(line)
	if err != nil {
		return r.fail(0, "cannot read the host line: %v", err)
	}
	if len(words) == 0 {
		return nil
	}
	names, port, err := r.names(words[0].text)
	if err != nil {
		return err
	}
	vars := &value.Vars{}
	for _, w := range words[1:] {
		k, v, ok := strings.Cut(w.text, "=")
		if !ok {
			d := diag.Errorf(r.at(w.col), "inventory", "expected a variable as key=value, found %q", w.text)
			d.Width = utf8.RuneCountInString(w.text)
			return d
		}
		vars.Set(k, iniValue(v, r.at(w.col+utf8.RuneCountInString(k)+1)), r.at(w.col))
	}
	for _, n := range names {
		h := r.inv.addHost(n, r.group, port, r.source.name)
		for k, v := range vars.All() {
			h.setVar(k, v.Value, v.At)
		}
	}
	return nil
}

func (r *iniReader) names(pattern string) ([]string, int, error) {
	if pattern == "---" {
		return nil, 0, r.fail(0, `"---" is no host: this looks like a YAML file`)
	}
	names, port, err := expandHosts(pattern)
	if err != nil {
		return nil, 0, r.fail(0, "%v", err)
	}
	if strings.HasSuffix(strings.TrimSpace(pattern), ":") && port == 0 {
		return nil, 0, r.fail(0, "%q is no host: a colon at the end is kept for a port", pattern)
	}
	return names, port, nil
}

func (r *iniReader) variable(line string) error {
	k, v, ok := strings.Cut(line, "=")
	if !ok {
		return r.fail(0, "expected a variable as key=value, found %q", line)
	}
	col := utf8.RuneCountInString(k) + 1 + len(v) - len(strings.TrimLeft(v, " \t"))
	if err := r.group.setVar(strings.TrimSpace(k), iniValue(strings.TrimSpace(v), r.at(col)), r.at(0)); err != nil {
		return r.fail(0, "%v", err)
	}
	return nil
}

// iniValue reads the value of a variable: a Python literal, or else text.
func iniValue(s string, at diag.Pos) value.Value {
	v, ok := literal(s)
	if !ok {
		return yamlv.Text(s, at)
	}
	return trusted(v, at)
}

// trusted turns the texts inside of v into templates where they hold template syntax.
func trusted(v value.Value, at diag.Pos) value.Value {
	switch x := v.(type) {
	case string:
		return yamlv.Text(x, at)
	case *value.List:
		for i := range x.V {
			x.V[i] = trusted(x.V[i], at)
		}
	case *value.Dict:
		for _, e := range x.Entries() {
			_ = x.Set(e.Key, trusted(e.Value, at))
		}
	}
	return v
}

var notGroupName = regexp.MustCompile(`^[0-9]|[^\p{L}\p{N}_]`)

// safeName applies TRANSFORM_INVALID_GROUP_CHARS to the name of a group.
func (inv *Inventory) safeName(name string, at diag.Pos, s *source) string {
	if !notGroupName.MatchString(name) {
		return name
	}
	replaced := notGroupName.ReplaceAllString(name, "_")
	switch inv.opts.TransformGroups {
	case "always":
		s.warn(diag.Warnf(at, "group-name", "Invalid characters were found in group names and automatically replaced: %q became %q", name, replaced))
		return replaced
	case "silently":
		return replaced
	case "ignore":
		return name
	}
	s.warn(diag.Warnf(at, "group-name", "Invalid characters were found in group names but not replaced: %q", name))
	return name
}
