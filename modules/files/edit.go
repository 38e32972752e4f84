package files

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"fettle/modules"
)

// edit is the change of a text file from one content to another: what lineinfile,
// blockinfile, replace and ini_file have in common once they know the new text.
type edit struct {
	path     string
	exists   bool
	old, new string
	attrs    modules.FileArgs
	backup   bool
	validate string
	// keepLink replaces a link at path by a file, in place of writing through it.
	keepLink bool

	// filled by apply
	plan       *modules.AttrPlan
	backupFile string
}

// readText reads the file to edit; ok is false when there is none.
func readText(h *modules.Host, path string) (text string, ok bool, err error) {
	b, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return string(b), true, nil
}

// apply writes the new content, if it is another, and sets the attributes.
func (e *edit) apply(ctx context.Context, h *modules.Host) error {
	path := e.path
	if !e.keepLink {
		path = modules.RealPath(path)
	}
	if e.exists || !h.Check {
		var err error
		if e.plan, err = h.PlanAttrs(ctx, path, e.attrs); err != nil {
			return err
		}
	}
	if e.old == e.new && e.exists {
		return h.ApplyAttrs(path, e.plan)
	}
	var err error
	e.backupFile, err = h.WriteFile(ctx, path, []byte(e.new), modules.Replacement{Plan: e.plan, Validate: e.validate,
		Backup: e.backup && e.exists, UnsafeWrites: e.attrs.UnsafeWrites})
	return err
}

const attrsMessage = "ownership, perms or SE linux context changed"

// message adds to msg that attributes changed as well.
func (e *edit) message(msg string) string {
	switch {
	case e.plan == nil || !e.plan.Changed:
		return msg
	case msg == "":
		return attrsMessage
	}
	return msg + " and " + attrsMessage
}

// contentDiff is the diff of the text.
func (e *edit) contentDiff(suffix string) modules.Diff {
	return modules.Diff{Before: e.old, After: e.new, BeforeHeader: e.path + suffix, AfterHeader: e.path + suffix}
}

// diffs are the diff of the text, empty when the task asks for none, and that of the attributes.
func (e *edit) diffs(h *modules.Host) []modules.Diff {
	d := []modules.Diff{e.contentDiff(" (content)")}
	if !h.Diff {
		d[0].Before, d[0].After = "", ""
	}
	if e.plan != nil {
		attrs := modules.Diff{BeforeHeader: e.path + " (file attributes)", AfterHeader: e.path + " (file attributes)"}
		if e.plan.Changed {
			attrs.Before, attrs.After = e.plan.Before, e.plan.After
		}
		d = append(d, attrs)
	}
	return d
}

// splitLines cuts text after each newline; the last line may have none.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
}

// lines is splitLines with the last newline kept.
func lines(text string) []string {
	l := splitLines(text)
	if len(l) > 0 && strings.HasSuffix(text, "\n") {
		l[len(l)-1] += "\n"
	}
	return l
}

// chomp is a line without its end.
func chomp(line string) string { return strings.TrimRight(line, "\r\n") }

// encodings that texts can have; nothing else needs tables.
func checkEncoding(name string) error {
	switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
	case "", "utf-8", "utf8", "ascii", "us-ascii":
		return nil
	}
	return modules.Failf("encoding %q is not supported; utf-8 and ascii are", name)
}
