package report

import (
	"strings"

	"fettle/engine/value"

	"github.com/pmezard/go-difflib/difflib"
)

// diffLines renders one diff of a result, as Ansible's default callback does.
func diffLines(v value.Value, o Options) []string {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	var out []string
	if s, ok := d.GetString("prepared"); ok {
		if text := value.Str(s); text != "" {
			out = append(out, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
		}
	}
	before, hasBefore := d.GetString("before")
	after, hasAfter := d.GetString("after")
	if !hasBefore && !hasAfter {
		return out
	}
	a, b := diffText(before), diffText(after)
	if a == b {
		return out
	}
	context := o.DiffContext
	if context < 0 {
		context = 3
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: splitKeep(a), B: splitKeep(b), Context: context,
		FromFile: header("before", d, "before_header"), ToFile: header("after", d, "after_header"),
	})
	if err != nil {
		return append(out, "cannot show the difference: "+err.Error())
	}
	return append(out, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
}

func header(word string, d *value.Dict, name string) string {
	if h, ok := d.GetString(name); ok && value.Str(h) != "" {
		return word + ": " + value.Str(h)
	}
	return word
}

// diffText is the text of one side; data is shown as JSON.
func diffText(v value.Value) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case *value.Dict, *value.List:
		s, err := value.JSON{Indent: "    ", Pretty: true, SortKeys: true}.Encode(x)
		if err != nil {
			return value.Str(x)
		}
		return s + "\n"
	}
	return value.Str(v)
}

// splitKeep splits into lines that keep their end; a missing last end is marked as diff does.
func splitKeep(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.SplitAfter(s, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		lines[last] += "\n\\ No newline at end of file\n"
	}
	return lines
}
