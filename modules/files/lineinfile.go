package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/pyre"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.lineinfile",
		Summary: "Keep one line in a text file, or keep lines out of it.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules: modules.Rules{
			modules.Exclusive("insertbefore", "insertafter"),
			modules.Exclusive("regexp", "search_string"),
			modules.Exclusive("backrefs", "search_string"),
		},
		Examples: `
- name: One setting
  ansible.builtin.lineinfile:
    path: /etc/ssh/sshd_config
    regexp: '^#?PermitRootLogin '
    line: PermitRootLogin no
    validate: /usr/sbin/sshd -tf %s

- name: No such host
  ansible.builtin.lineinfile:
    path: /etc/hosts
    regexp: '\sold\.example\.org$'
    state: absent
`,
	}, lineInFile)
}

type lineInFileArgs struct {
	Path         string  `arg:"path,required" alias:"dest,destfile,name" type:"path" doc:"The file."`
	State        string  `arg:"state" default:"present" choices:"absent,present" doc:"Shall the line be there?"`
	Regexp       *string `arg:"regexp" alias:"regex" doc:"Finds the line to replace (the last one), or the lines to remove."`
	SearchString *string `arg:"search_string" doc:"Text to find in a line, in place of a regular expression."`
	Line         *string `arg:"line" alias:"value" doc:"The line, without its newline."`
	Backrefs     bool    `arg:"backrefs" default:"false" doc:"line holds references to groups of regexp; nothing happens when it does not match."`
	InsertAfter  *string `arg:"insertafter" doc:"Where a new line goes: after the last match, or EOF."`
	InsertBefore *string `arg:"insertbefore" doc:"Where a new line goes: before the last match, or BOF."`
	FirstMatch   bool    `arg:"firstmatch" default:"false" doc:"Take the first match, not the last."`
	Create       bool    `arg:"create" default:"false" doc:"Make the file when it is missing."`
	Backup       bool    `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Validate     string  `arg:"validate" doc:"Command that checks the new file, given as %s, before it is put in place."`
	Encoding     string  `arg:"encoding" default:"utf-8" doc:"Encoding of the file."`
	modules.FileArgs
}

type lineInFileReturn struct {
	Msg    *string `json:"msg,omitempty" doc:"What was done." returned:"success"`
	Backup *string `json:"backup,omitempty" doc:"The copy of the old file." returned:"the file exists"`
	Found  *int    `json:"found,omitempty" doc:"How many lines were removed." returned:"state is absent"`
	RC     int     `json:"rc,omitempty" doc:"257 when there is no such file, 256 when it is a directory." returned:"failure"`
}

func lineInFile(ctx context.Context, h *modules.Host, a lineInFileArgs) (r modules.Result[lineInFileReturn], err error) {
	if err := checkEncoding(a.Encoding); err != nil {
		return r, err
	}
	if modules.IsDir(a.Path) {
		r.Data.RC = 256
		return r, modules.Failf("Path %s is a directory !", a.Path)
	}
	if a.Regexp != nil && *a.Regexp == "" {
		h.Warn("The regular expression is an empty string, which will match every line in the file. This may have unintended consequences, such as replacing the last line in the file rather than appending. If this is desired, use '^' to match every line in the file and avoid this warning.")
	}
	if a.SearchString != nil && *a.SearchString == "" {
		h.Warn("The search string is an empty string, which will match every line in the file. This may have unintended consequences, such as replacing the last line in the file rather than appending.")
	}
	ed, err := newLineEditor(a)
	if err != nil {
		return r, err
	}
	text, exists, err := readText(h, a.Path)
	if err != nil {
		return r, err
	}
	if !exists && a.State == "absent" {
		r.Data.Msg = new("file not present")
		return r, nil
	}
	if !exists && !a.Create {
		r.Data.RC = 257
		return r, modules.Failf("Destination %s does not exist !", a.Path)
	}
	want, msg, found, err := ed.edit(text)
	if err != nil {
		return r, err
	}
	e := &edit{path: a.Path, exists: exists, old: text, new: want, attrs: a.FileArgs, backup: a.Backup, validate: a.Validate}
	if !exists {
		if err := parentOf(h, a.Path); err != nil {
			return r, err
		}
	}
	if err := e.apply(ctx, h); err != nil {
		return r, err
	}
	r.AlwaysDiff, r.OneDiff = true, true
	r.Data.Msg, r.Data.Backup, r.Diff = new(e.message(msg)), &e.backupFile, e.diffs(h)
	if a.State == "absent" {
		r.Data.Found = &found
	}
	return r, nil
}

// parentOf makes the missing directories above a file that is to be created.
func parentOf(h *modules.Host, path string) error {
	dir := filepath.Dir(path)
	if modules.IsDir(dir) || h.Check {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return modules.Failf("Error creating %s (%v)", dir, err)
	}
	return nil
}

// lineEditor decides; it touches nothing.
type lineEditor struct {
	a       lineInFileArgs
	line    string
	regexp  *pyre.Regexp
	place   *pyre.Regexp // insertafter or insertbefore, when it is an expression
	expand  *pyre.Template
	newline string
}

func newLineEditor(a lineInFileArgs) (*lineEditor, error) {
	ed := &lineEditor{a: a, newline: "\n"}
	if a.Line != nil {
		ed.line = *a.Line
	}
	var err error
	if a.Regexp != nil {
		if ed.regexp, err = modules.Pattern("regexp", *a.Regexp, 0); err != nil {
			return nil, err
		}
	}
	if a.State == "absent" {
		if a.Regexp == nil && a.SearchString == nil && a.Line == nil {
			return nil, modules.Failf("one of line, search_string, or regexp is required with state=absent")
		}
		return ed, nil
	}
	if a.Line == nil {
		return nil, modules.Failf("line is required with state=present")
	}
	if a.Backrefs && a.Regexp == nil {
		return nil, modules.Failf("regexp is required with backrefs=true")
	}
	if a.Backrefs {
		if ed.expand, err = ed.regexp.Template(ed.line); err != nil {
			return nil, modules.Failf("line: %v", err)
		}
	}
	for _, o := range []struct {
		name string
		v    *string
	}{{"insertafter", a.InsertAfter}, {"insertbefore", a.InsertBefore}} {
		if o.v != nil && *o.v != "BOF" && *o.v != "EOF" {
			if ed.place, err = modules.Pattern(o.name, *o.v, 0); err != nil {
				return nil, err
			}
		}
	}
	return ed, nil
}

// matches tells whether the regular expression or the search string finds something.
func (ed *lineEditor) matches(line string) (m *pyre.Match, ok bool, err error) {
	switch {
	case ed.regexp != nil:
		m, err = ed.regexp.Search(line)
		return m, m != nil, err
	case ed.a.SearchString != nil:
		return nil, strings.Contains(line, *ed.a.SearchString), nil
	}
	return nil, false, nil
}

func (ed *lineEditor) edit(text string) (want, msg string, found int, err error) {
	all := lines(text)
	if ed.a.State == "absent" {
		kept, err := ed.without(all)
		if found = len(all) - len(kept); found > 0 {
			msg = fmt.Sprintf("%d line(s) removed", found)
		}
		return strings.Join(kept, ""), msg, found, err
	}
	all, msg, err = ed.with(all)
	return strings.Join(all, ""), msg, 0, err
}

func (ed *lineEditor) without(all []string) ([]string, error) {
	var kept []string
	for _, l := range all {
		_, drop, err := ed.matches(l)
		if err != nil {
			return nil, err
		}
		if ed.regexp == nil && ed.a.SearchString == nil {
			drop = chomp(l) == ed.line
		}
		if !drop {
			kept = append(kept, l)
		}
	}
	return kept, nil
}

// with puts the line where it belongs: in place of what the expression finds; nowhere if
// it is there already; else where insertafter or insertbefore say.
func (ed *lineEditor) with(all []string) ([]string, string, error) {
	at := -1
	var match *pyre.Match
	for i, l := range all {
		m, ok, err := ed.matches(l)
		if err != nil {
			return nil, "", err
		}
		if ok {
			at, match = i, m
			if ed.a.FirstMatch {
				break
			}
		}
	}
	place := -1
	if at < 0 {
		var err error
		if at, place, err = ed.find(all); err != nil {
			return nil, "", err
		}
	}
	if at >= 0 {
		want := ed.line
		if ed.expand != nil && match != nil {
			want = ed.expand.Expand(match)
		}
		if !strings.HasSuffix(want, ed.newline) {
			want += ed.newline
		}
		if all[at] == want {
			return all, "", nil
		}
		all[at] = want
		return all, "line replaced", nil
	}
	if ed.a.Backrefs {
		return all, "", nil
	}
	return ed.insert(all, place)
}

// find looks for the line itself and for the place where it would go.
func (ed *lineEditor) find(all []string) (at, place int, err error) {
	at, place = -1, -1
	for i, l := range all {
		if chomp(l) == ed.line {
			at = i
			continue
		}
		if ed.place == nil {
			continue
		}
		hit, err := ed.place.Matched(l)
		if err != nil {
			return -1, -1, err
		}
		if hit {
			if place = i; ed.a.InsertBefore == nil {
				place++
			}
			if ed.a.FirstMatch {
				break
			}
		}
	}
	return at, place, nil
}

func (ed *lineEditor) insert(all []string, place int) ([]string, string, error) {
	line := ed.line + ed.newline
	is := func(v *string, s string) bool { return v != nil && *v == s }
	switch {
	case is(ed.a.InsertBefore, "BOF") || is(ed.a.InsertAfter, "BOF"):
		place = 0
	case place < 0 || is(ed.a.InsertAfter, "EOF"):
		place = len(all)
	case ed.a.InsertBefore == nil && chomp(all[min(place, len(all)-1)]) == ed.line:
		return all, "", nil // with firstmatch the search ended before this line
	}
	if place == len(all) && place > 0 && chomp(all[place-1]) == all[place-1] {
		all[place-1] += ed.newline
	}
	return slices.Insert(all, place, line), "line added", nil
}
