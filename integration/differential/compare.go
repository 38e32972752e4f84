package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compare lists, for people, where got differs from want. Nothing means equal.
func Compare(c Case, want, got Outcome) []string {
	var diffs []string
	add := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	if len(want.Runs) != len(got.Runs) {
		add("%d runs, want %d", len(got.Runs), len(want.Runs))
		return diffs
	}
	for i, w := range want.Runs {
		for _, d := range compareRun(c, w, got.Runs[i]) {
			add("run %d %s: %s", i+1, strings.Join(w.Args, " "), d)
		}
	}
	for _, d := range compareTree(want.Tree, got.Tree) {
		add("files: %s", d)
	}
	return diffs
}

// Unsaid lists the texts a case wants to be printed and that were not.
func Unsaid(c Case, o Outcome) []string {
	var all strings.Builder
	for _, r := range o.Runs {
		all.WriteString(r.Stdout + "\n" + r.Stderr + "\n")
	}
	printed := strings.Join(strings.Fields(all.String()), " ")
	var diffs []string
	for _, s := range c.Says {
		if !strings.Contains(printed, s) {
			diffs = append(diffs, fmt.Sprintf("does not say %q", s))
		}
	}
	return diffs
}

func compareRun(c Case, want, got Run) []string {
	var diffs []string
	if want.Exit != got.Exit {
		diffs = append(diffs, fmt.Sprintf("exit code %d, want %d", got.Exit, want.Exit))
	}
	hosts := map[string]bool{}
	for h := range want.Recap {
		hosts[h] = true
	}
	for h := range got.Recap {
		hosts[h] = true
	}
	for _, h := range slices.Sorted(maps.Keys(hosts)) {
		if !maps.Equal(want.Recap[h], got.Recap[h]) {
			diffs = append(diffs, fmt.Sprintf("recap of %s: %s, want %s", h, recapText(got.Recap[h]), recapText(want.Recap[h])))
		}
	}
	return append(diffs, compareLines(eventLines(c, want.Events), eventLines(c, got.Events))...)
}

func recapText(counts map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s=%d", k, counts[k]))
	}
	return strings.Join(parts, " ")
}

// eventLines puts events into comparable lines.
func eventLines(c Case, events []Event) []string {
	var lines []string
	for _, e := range events {
		line := e.Banner
		if e.Status != "" {
			line += fmt.Sprintf(": %s [%s]", e.Status, e.Host)
		}
		if e.Item != "" {
			line += " (" + e.Item + ")"
		}
		if r := comparable(c, e); r != "" {
			line += " " + r
		}
		if e.Diff != "" {
			line += "\n" + e.Diff
		}
		lines = append(lines, line)
	}
	if c.Unordered {
		slices.Sort(lines)
		lines = slices.Compact(lines) // banners repeat with the free strategies
	}
	return lines
}

// comparable is the part of a shown result that must agree. The wording of an
// engine's own errors may differ; what failed tasks return besides is compared.
func comparable(c Case, e Event) string {
	if len(e.Result) == 0 {
		return ""
	}
	var m map[string]json.RawMessage
	failed := strings.HasPrefix(e.Status, "fatal") || strings.HasPrefix(e.Status, "failed") || strings.HasPrefix(e.Status, "unreachable")
	if !failed || json.Unmarshal(e.Result, &m) != nil {
		return compact(e.Result)
	}
	keep := map[string]json.RawMessage{}
	for _, k := range []string{"rc", "stdout", "stderr", "failed_when_result", "censored", "assertion", "evaluated_to", "attempts"} {
		if v, ok := m[k]; ok {
			keep[k] = v
		}
	}
	if c.Messages {
		keep["msg"] = m["msg"]
	}
	b, err := json.Marshal(keep)
	if err != nil {
		return compact(e.Result)
	}
	return string(b)
}

// compact undoes the indenting of golden files.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw)
	}
	return b.String()
}

// compareLines reports the first few differences of two lists of events.
func compareLines(want, got []string) []string {
	var diffs []string
	for i := 0; i < max(len(want), len(got)); i++ {
		switch {
		case i >= len(got):
			diffs = append(diffs, "missing: "+want[i])
		case i >= len(want):
			diffs = append(diffs, "too much: "+got[i])
		case want[i] != got[i]:
			diffs = append(diffs, fmt.Sprintf("reported %s\n      want %s", got[i], want[i]))
		}
		if len(diffs) == 3 {
			return append(diffs, "…")
		}
	}
	return diffs
}

func compareTree(want, got []Entry) []string {
	var diffs []string
	index := map[string]Entry{}
	for _, e := range got {
		index[e.Path] = e
	}
	for _, w := range want {
		g, ok := index[w.Path]
		delete(index, w.Path)
		switch {
		case !ok:
			diffs = append(diffs, w.Path+" is missing")
		case g.Mode != w.Mode:
			diffs = append(diffs, fmt.Sprintf("%s has mode %s, want %s", w.Path, g.Mode, w.Mode))
		case g.Text != w.Text:
			diffs = append(diffs, fmt.Sprintf("%s holds %q\n      want %q", w.Path, g.Text, w.Text))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(index)) {
		diffs = append(diffs, p+" should not be there")
	}
	return diffs
}
