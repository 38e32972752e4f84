package files

import (
	"context"
	"fmt"

	"fettle/engine/pyre"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.replace",
		Summary: "Replace all that a regular expression finds in a file.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: Another name for the host
  ansible.builtin.replace:
    path: /etc/hosts
    regexp: '(\s+)old\.host\.name(\s+.*)?$'
    replace: '\1new.host.name\2'

- name: Comment out a section
  ansible.builtin.replace:
    path: /etc/app.conf
    after: '\[old\]\n'
    before: '\n\['
    regexp: '^([^#].*)$'
    replace: '# \1'
`,
	}, replaceModule)
}

type replaceArgs struct {
	Path     string  `arg:"path,required" alias:"dest,destfile,name" type:"path" doc:"The file."`
	Regexp   string  `arg:"regexp,required" doc:"What to find; ^ and $ match at each line."`
	Replace  string  `arg:"replace" default:"" doc:"What to put in its place; may refer to groups."`
	After    *string `arg:"after" doc:"Only what follows this expression is changed."`
	Before   *string `arg:"before" doc:"Only what precedes this expression is changed."`
	Backup   bool    `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Validate string  `arg:"validate" doc:"Command that checks the new file, given as %s, before it is put in place."`
	Encoding string  `arg:"encoding" default:"utf-8" doc:"Encoding of the file."`
	modules.FileArgs
}

type replaceReturn struct {
	Msg        *string `json:"msg,omitempty" doc:"What was done." returned:"success"`
	RC         *int    `json:"rc,omitempty" doc:"0; 257 when there is no such file, 256 when it is a directory."`
	BackupFile string  `json:"backup_file,omitempty" doc:"The copy of the old file." returned:"changed and backup"`
}

func replaceModule(ctx context.Context, h *modules.Host, a replaceArgs) (r modules.Result[replaceReturn], err error) {
	r.OneDiff = true
	if err := checkEncoding(a.Encoding); err != nil {
		return r, err
	}
	if modules.IsDir(a.Path) {
		r.Data.RC = new(256)
		return r, modules.Failf("Path %s is a directory !", a.Path)
	}
	text, exists, err := readText(h, a.Path)
	if err != nil {
		return r, err
	}
	if !exists {
		r.Data.RC = new(257)
		return r, modules.Failf("Path %s does not exist !", a.Path)
	}
	from, to, miss, err := section(text, a)
	if err != nil {
		return r, err
	}
	if r.Data.RC = new(0); miss != "" {
		r.Data.Msg = new("Pattern for before/after params did not match the given file: " + miss)
		return r, nil
	}
	re, err := modules.Pattern("regexp", a.Regexp, pyre.MultiLine)
	if err != nil {
		return r, err
	}
	changed, n, err := re.Sub(a.Replace, text[from:to], 0)
	if err != nil {
		r.Data.RC = nil
		return r, modules.Failf("Unable to process replace due to error: %v", err)
	}
	e := &edit{path: a.Path, exists: true, old: text, new: text[:from] + changed + text[to:], attrs: a.FileArgs,
		backup: a.Backup, validate: a.Validate}
	if err := e.apply(ctx, h); err != nil {
		r.Data.RC = nil
		return r, err
	}
	msg := ""
	if e.old != e.new {
		msg = fmt.Sprintf("%d replacements made", n)
		r.Diff = []modules.Diff{e.contentDiff("")}
	}
	r.Data.Msg, r.Data.BackupFile = new(e.message(msg)), e.backupFile
	return r, nil
}

// section finds the part of text between after and before; miss is the expression when it
// finds nothing.
func section(text string, a replaceArgs) (from, to int, miss string, err error) {
	expr := ""
	switch {
	case a.After != nil && a.Before != nil:
		expr = *a.After + "(?P<subsection>.*?)" + *a.Before
	case a.After != nil:
		expr = *a.After + "(?P<subsection>.*)"
	case a.Before != nil:
		expr = "(?P<subsection>.*)" + *a.Before
	default:
		return 0, len(text), "", nil
	}
	re, err := modules.Pattern("before/after", expr, pyre.DotAll)
	if err != nil {
		return 0, 0, "", err
	}
	m, err := re.Search(text)
	if err != nil || m == nil {
		return 0, 0, expr, err
	}
	from, to = m.Span(re.GroupIndex()["subsection"])
	return from, to, "", nil
}
