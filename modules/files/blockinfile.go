package files

import (
	"context"
	"slices"
	"strings"

	"fettle/engine/pyre"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.blockinfile",
		Summary: "Keep a block of lines, between marker lines, in a text file.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.Exclusive("insertbefore", "insertafter")},
		Examples: `
- name: Rules of one's own
  ansible.builtin.blockinfile:
    path: /etc/ssh/sshd_config
    block: |
      Match User backup
      PasswordAuthentication no

- name: With markers for another language, before the end
  ansible.builtin.blockinfile:
    path: /srv/www/index.html
    marker: "<!-- {mark} ANSIBLE MANAGED BLOCK -->"
    insertbefore: "</body>"
    block: <p>Hello</p>
`,
	}, blockInFile)
}

type blockInFileArgs struct {
	Path           string  `arg:"path,required" alias:"dest,destfile,name" type:"path" doc:"The file."`
	State          string  `arg:"state" default:"present" choices:"absent,present" doc:"Shall the block be there?"`
	Block          string  `arg:"block" alias:"content" default:"" doc:"The lines; none removes the block."`
	Marker         string  `arg:"marker" default:"# {mark} ANSIBLE MANAGED BLOCK" doc:"The marker line; {mark} becomes the words below."`
	MarkerBegin    string  `arg:"marker_begin" default:"BEGIN" doc:"What {mark} becomes before the block."`
	MarkerEnd      string  `arg:"marker_end" default:"END" doc:"What {mark} becomes after the block."`
	InsertAfter    *string `arg:"insertafter" doc:"Where a new block goes: after the last match, or EOF."`
	InsertBefore   *string `arg:"insertbefore" doc:"Where a new block goes: before the last match, or BOF."`
	Create         bool    `arg:"create" default:"false" doc:"Make the file when it is missing."`
	Backup         bool    `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Validate       string  `arg:"validate" doc:"Command that checks the new file, given as %s, before it is put in place."`
	AppendNewline  bool    `arg:"append_newline" default:"false" doc:"Keep a blank line after the block."`
	PrependNewline bool    `arg:"prepend_newline" default:"false" doc:"Keep a blank line before the block."`
	Encoding       string  `arg:"encoding" default:"utf-8" doc:"Encoding of the file."`
	modules.FileArgs
}

type blockInFileReturn struct {
	Msg        *string `json:"msg,omitempty" doc:"What was done." returned:"success"`
	BackupFile string  `json:"backup_file,omitempty" doc:"The copy of the old file." returned:"changed and backup"`
	RC         int     `json:"rc,omitempty" doc:"257 when there is no such file, 256 when it is a directory." returned:"failure"`
}

func blockInFile(ctx context.Context, h *modules.Host, a blockInFileArgs) (r modules.Result[blockInFileReturn], err error) {
	if err := checkEncoding(a.Encoding); err != nil {
		return r, err
	}
	if modules.IsDir(a.Path) {
		r.Data.RC = 256
		return r, modules.Failf("Path %s is a directory !", a.Path)
	}
	place, err := newBlockPlace(a)
	if err != nil {
		return r, err
	}
	text, exists, err := readText(h, a.Path)
	if err != nil {
		return r, err
	}
	if !exists && !a.Create {
		r.Data.RC = 257
		return r, modules.Failf("Path %s does not exist !", a.Path)
	}
	want, msg, err := editBlock(text, a, place)
	if err != nil {
		return r, err
	}
	if !exists {
		msg = "File created"
		if err := parentOf(h, a.Path); err != nil {
			return r, err
		}
	}
	e := &edit{path: a.Path, exists: exists, old: text, new: want, attrs: a.FileArgs, backup: a.Backup, validate: a.Validate}
	if err := e.apply(ctx, h); err != nil {
		return r, err
	}
	r.AlwaysDiff = true
	r.Data.Msg, r.Data.BackupFile, r.Diff = new(e.message(msg)), e.backupFile, e.diffs(h)
	return r, nil
}

// blockPlace says where a new block goes.
type blockPlace struct {
	re     *pyre.Regexp
	before bool
	start  bool // BOF
}

func newBlockPlace(a blockInFileArgs) (p blockPlace, err error) {
	text, option := a.InsertAfter, "insertafter"
	if a.InsertBefore != nil {
		text, option, p.before = a.InsertBefore, "insertbefore", true
	}
	if text == nil || *text == "EOF" {
		return p, nil
	}
	if *text == "BOF" {
		p.start = true
		return p, nil
	}
	p.re, err = modules.Pattern(option, *text, 0)
	return p, err
}

// index is the line number where a new block goes.
func (p blockPlace) index(all []string, text string) (int, error) {
	if p.start {
		return 0, nil
	}
	if p.re == nil {
		return len(all), nil
	}
	at := -1
	if p.re.Flags()&pyre.MultiLine != 0 {
		err := p.re.FindIter(text, func(m *pyre.Match) bool {
			start, end := m.Span(0)
			if at = strings.Count(text[:end], "\n") + 1; p.before {
				at = strings.Count(text[:start], "\n")
			}
			return true
		})
		at = min(at, len(all))
		if err != nil {
			return 0, err
		}
	} else {
		for i, l := range all {
			hit, err := p.re.Matched(chomp(l))
			if err != nil {
				return 0, err
			}
			if hit {
				if at = i; !p.before {
					at++
				}
			}
		}
	}
	if at < 0 {
		at = len(all)
	}
	return at, nil
}

// editBlock puts the block between its markers, where they are or where they shall be.
func editBlock(text string, a blockInFileArgs, place blockPlace) (want, msg string, err error) {
	begin := strings.ReplaceAll(a.Marker, "{mark}", a.MarkerBegin)
	end := strings.ReplaceAll(a.Marker, "{mark}", a.MarkerEnd)
	var block []string
	if a.State == "present" && a.Block != "" {
		block = []string{begin + "\n"}
		body := a.Block
		if !strings.HasSuffix(body, "\n") {
			body += "\n"
		}
		block = append(append(block, lines(body)...), end+"\n")
	}
	all := lines(text)
	first, last := -1, -1
	for i, l := range all {
		if chomp(l) == begin {
			first = i
		}
		if chomp(l) == end {
			last = i
		}
	}
	var at int
	switch {
	case first >= 0 && last >= 0:
		at = min(first, last)
		all = slices.Delete(all, at, max(first, last)+1)
	default:
		if at, err = place.index(all, text); err != nil {
			return "", "", err
		}
	}
	if len(block) > 0 {
		all = insertBlock(all, at, block, a)
	}
	want = strings.Join(all, "")
	switch {
	case want == text:
	case len(block) == 0:
		msg = "Block removed"
	default:
		msg = "Block inserted"
	}
	return want, msg, nil
}

func insertBlock(all []string, at int, block []string, a blockInFileArgs) []string {
	if at > 0 && !strings.HasSuffix(all[at-1], "\n") {
		all[at-1] += "\n"
	}
	if a.PrependNewline && at > 0 && chomp(all[at-1]) != "" {
		block = slices.Insert(block, 0, "\n")
	}
	if a.AppendNewline && at < len(all) && chomp(all[at]) != "" {
		block = append(block, "\n")
	}
	return slices.Insert(all, at, block...)
}
