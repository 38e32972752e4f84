package files

import (
	"context"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.ini_file",
		Summary: "Keep options of an INI file.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.Exclusive("value", "values")},
		Examples: `
- name: One option of one section
  community.general.ini_file:
    path: /etc/app.ini
    section: server
    option: port
    value: "8080"
    mode: "0600"
`,
	}, iniFile)
}

type iniFileArgs struct {
	Path                 string         `arg:"path,required" alias:"dest" type:"path" doc:"The file."`
	Section              *string        `arg:"section" doc:"The section; without one, what stands before the first."`
	SectionHasValues     []iniCondition `arg:"section_has_values" doc:"Of several sections of that name, the one with these options."`
	Option               *string        `arg:"option" doc:"The option; without one, the whole section."`
	Value                *string        `arg:"value" doc:"Its value."`
	Values               []string       `arg:"values" doc:"Its values, for an option that comes several times."`
	State                string         `arg:"state" default:"present" choices:"absent,present" doc:"Shall it be there?"`
	Exclusive            bool           `arg:"exclusive" default:"true" doc:"The option has no other values."`
	NoExtraSpaces        bool           `arg:"no_extra_spaces" default:"false" doc:"No blanks around the equals sign."`
	IgnoreSpaces         bool           `arg:"ignore_spaces" default:"false" doc:"A line that differs in blanks only is right."`
	AllowNoValue         bool           `arg:"allow_no_value" default:"false" doc:"Options may stand without a value."`
	ModifyInactiveOption bool           `arg:"modify_inactive_option" default:"true" doc:"Put the option in place of one that is commented out."`
	Create               bool           `arg:"create" default:"true" doc:"Make the file when it is missing."`
	Backup               bool           `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Follow               bool           `arg:"follow" default:"false" doc:"Write through a link."`
	modules.FileArgs
}

type iniCondition struct {
	Option string   `arg:"option,required"`
	Value  *string  `arg:"value"`
	Values []string `arg:"values"`
}

type iniFileReturn struct {
	Path       string `json:"path,omitempty" doc:"The file." returned:"success"`
	BackupFile string `json:"backup_file,omitempty" doc:"The copy of the old file." returned:"changed and backup"`
	RC         int    `json:"rc,omitempty" doc:"257 when there is no such file." returned:"failure"`
	modules.PathInfo
}

func iniFile(ctx context.Context, h *modules.Host, a iniFileArgs) (r modules.Result[iniFileReturn], err error) {
	r.OneDiff = true
	if a.State == "present" && !a.AllowNoValue && a.Value == nil && len(a.Values) == 0 {
		return r, modules.Failf("Parameter 'value(s)' must be defined if state=present and allow_no_value=False.")
	}
	path := a.Path
	if a.Follow && modules.IsLink(path) {
		path = modules.RealPath(path)
	}
	text, exists, err := readText(h, path)
	if err != nil {
		return r, err
	}
	if !exists && !a.Create {
		r.Data.RC = 257
		return r, modules.Failf("Destination %s does not exist!", a.Path)
	}
	if !exists {
		if err := parentOf(h, path); err != nil {
			return r, err
		}
	}
	ed := newIniEditor(text, a)
	ed.edit()
	want := text
	if ed.changed {
		want = strings.Join(ed.lines, "")
	}
	e := &edit{path: path, exists: exists || !ed.changed, old: text, new: want, attrs: a.FileArgs, backup: a.Backup, keepLink: true}
	if exists || ed.changed {
		if err := e.apply(ctx, h); err != nil {
			return r, err
		}
	}
	r.Msg, r.Diff = ed.msg, []modules.Diff{e.contentDiff(" (content)")}
	r.Data = iniFileReturn{Path: a.Path, BackupFile: e.backupFile, PathInfo: h.PathInfo(ctx, path)}
	return r, nil
}

// iniEditor changes the lines of an INI file; it touches nothing else.
type iniEditor struct {
	a       iniFileArgs
	lines   []string // each with its newline
	changed bool
	msg     string
}

func newIniEditor(text string, a iniFileArgs) *iniEditor {
	ed := &iniEditor{a: a, msg: "OK"}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
		ed.changed = text != "\n"
	}
	ed.lines = lines(text)
	return ed
}

func (ed *iniEditor) did(msg string) { ed.changed, ed.msg = true, msg }

func (ed *iniEditor) edit() {
	start, end, found := ed.section()
	if ed.a.State == "absent" {
		switch {
		case !found:
		case ed.a.Option != nil:
			ed.remove(start, end)
		case ed.a.Section != nil:
			ed.lines = slices.Delete(ed.lines, start-1, end)
			ed.did("section removed")
		}
		return
	}
	if found {
		if ed.a.Option != nil {
			ed.set(start, end)
		}
		return
	}
	ed.lines = append(ed.lines, "["+*ed.a.Section+"]\n")
	for _, c := range ed.a.SectionHasValues {
		for _, v := range c.all() {
			ed.lines = append(ed.lines, ed.line(c.Option, v))
		}
	}
	ed.did("only section added")
	if ed.a.Option != nil {
		for _, v := range ed.wanted() {
			ed.lines = append(ed.lines, ed.line(*ed.a.Option, v))
		}
		ed.did("section and option added")
	}
}

func (c iniCondition) all() []*string {
	if c.Value != nil || len(c.Values) == 0 {
		return []*string{c.Value}
	}
	return pointers(c.Values)
}

func pointers(values []string) []*string {
	var out []*string
	for i := range values {
		out = append(out, &values[i])
	}
	return out
}

// wanted are the values the option shall have; nil stands for an option without one.
func (ed *iniEditor) wanted() []*string {
	if ed.a.Value != nil {
		return []*string{ed.a.Value}
	}
	if len(ed.a.Values) > 0 {
		return pointers(ed.a.Values)
	}
	return []*string{nil}
}

// line is the option with a value as it is written.
func (ed *iniEditor) line(option string, v *string) string {
	switch {
	case v == nil:
		return option + "\n"
	case ed.a.NoExtraSpaces:
		return option + "=" + *v + "\n"
	}
	return option + " = " + *v + "\n"
}

// section finds the lines of the section, without its header.
func (ed *iniEditor) section() (start, end int, found bool) {
	next := func(from int) int {
		for i := from; i < len(ed.lines); i++ {
			if strings.HasPrefix(ed.lines[i], "[") {
				return i
			}
		}
		return len(ed.lines)
	}
	if ed.a.Section == nil {
		return 0, next(0), true
	}
	header := "[" + *ed.a.Section + "]"
	for i, l := range ed.lines {
		if strings.HasPrefix(l, header) && ed.has(i+1, next(i+1)) {
			return i + 1, next(i + 1), true
		}
	}
	return 0, 0, false
}

// has tells whether the section has all the values of section_has_values.
func (ed *iniEditor) has(start, end int) bool {
	for _, c := range ed.a.SectionHasValues {
		for _, want := range c.all() {
			ok := slices.ContainsFunc(ed.lines[start:end], func(l string) bool {
				o, is := parseOption(l, c.Option)
				return is && !o.inactive && (want == nil && c.Value == nil || o.value != nil && want != nil && *o.value == *want)
			})
			if !ok {
				return false
			}
		}
	}
	return true
}

// iniOption is a line that sets, or in a comment would set, an option.
type iniOption struct {
	inactive bool
	value    *string
}

func parseOption(line, option string) (o iniOption, ok bool) {
	s := strings.TrimLeft(line, " \t")
	if strings.HasPrefix(s, "#") || strings.HasPrefix(s, ";") {
		o.inactive = true
		s = strings.TrimLeft(s[1:], " \t")
	}
	s, ok = strings.CutPrefix(s, option)
	if !ok {
		return o, false
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return o, true
	}
	if s[0] != '=' {
		return o, false
	}
	v := strings.TrimSpace(s[1:])
	o.value = &v
	return o, true
}

// match is parseOption for the option of the task; a comment counts only when it may be
// put to use, and one without an equals sign is taken for prose.
func (ed *iniEditor) match(line string, comments bool) (iniOption, bool) {
	o, ok := parseOption(line, *ed.a.Option)
	if !ok || o.value == nil && (!ed.a.AllowNoValue || o.inactive) {
		return o, false
	}
	return o, !o.inactive || comments
}

// set gives the option its values: lines that have one of them stay, other lines of the
// option are changed to what is missing or, with exclusive, go; the rest is added.
func (ed *iniEditor) set(start, end int) {
	missing := ed.wanted()
	keep := map[int]bool{}
	for i := start; i < end; i++ {
		o, ok := ed.match(ed.lines[i], ed.a.ModifyInactiveOption)
		if !ok {
			continue
		}
		at := slices.IndexFunc(missing, func(v *string) bool { return sameValue(v, o.value) })
		if at < 0 {
			continue
		}
		ed.update(i, o, missing[at])
		missing = slices.Delete(slices.Clone(missing), at, at+1)
		keep[i] = true
	}
	if ed.a.Exclusive {
		missing, end = ed.reuse(start, end, keep, missing)
	}
	if len(missing) == 0 {
		return
	}
	at := start
	for i := start; i < end; i++ {
		if l := strings.TrimSpace(ed.lines[i]); l != "" && l[0] != '#' && l[0] != ';' {
			at = i + 1
		}
	}
	var added []string
	for _, v := range missing {
		added = append(added, ed.line(*ed.a.Option, v))
	}
	ed.lines = slices.Insert(ed.lines, at, added...)
	ed.did("option added")
}

func sameValue(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// reuse changes the lines of other values to the missing ones, and removes those left.
func (ed *iniEditor) reuse(start, end int, keep map[int]bool, missing []*string) ([]*string, int) {
	var drop []int
	for i := start; i < end; i++ {
		o, ok := ed.match(ed.lines[i], ed.a.ModifyInactiveOption)
		switch {
		case !ok || keep[i]:
		case len(missing) > 0:
			ed.update(i, o, missing[0])
			missing = missing[1:]
		default:
			drop = append(drop, i)
		}
	}
	for _, i := range slices.Backward(drop) {
		ed.lines = slices.Delete(ed.lines, i, i+1)
		end--
		ed.did("option changed")
	}
	return missing, end
}

func (ed *iniEditor) update(i int, o iniOption, v *string) {
	want := ed.line(*ed.a.Option, v)
	if ed.lines[i] == want || ed.a.IgnoreSpaces && !o.inactive && sameValue(o.value, v) {
		return
	}
	ed.lines[i] = want
	ed.did("option changed")
}

func (ed *iniEditor) remove(start, end int) {
	for i := end - 1; i >= start; i-- {
		o, ok := ed.match(ed.lines[i], false)
		if !ok {
			continue
		}
		if !ed.a.Exclusive && !slices.ContainsFunc(ed.wanted(), func(v *string) bool { return sameValue(v, o.value) }) {
			continue
		}
		ed.lines = slices.Delete(ed.lines, i, i+1)
		ed.did("option changed")
	}
}
