// Package report turns events into what people and programs read. A reporter is one file;
// the engine knows none of them.
//
//	human    results grouped by what is equal, diffs once, a summary of what changed
//	ansible  the text of Ansible's default callback, for tools that parse it
//	json     one document at the end; jsonl one object an event
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"fettle/engine/event"
	"fettle/engine/value"
)

// Options of a reporter.
type Options struct {
	Out, Err    io.Writer
	Color       bool
	Width       int  // columns; 0 means 80
	Terminal    bool // Out is a terminal: progress lines may be rewritten
	Verbosity   int
	Diff        bool
	HideSkipped bool
	HideOK      bool
	CustomStats bool // show what set_stats gave
	TaskPath    bool // show file:line of each task

	// FailedToErr sends failures to Err (display_failed_stderr), FailedPath says where the task
	// stands (show_task_path_on_failure), CheckMarkers marks what runs in check mode.
	FailedToErr, FailedPath, CheckMarkers bool
	// YAML shows results as YAML (result_format). Pretty is pretty_results: nil when it is not set.
	YAML   bool
	Pretty *bool
	// DiffContext is how many lines a diff has around changes; negative means 3.
	DiffContext int
	// Notes takes what only -v and more show; nil means Out (verbose_to_stderr).
	Notes io.Writer
	// Also are what runs beside the output, by name (callbacks_enabled).
	Also []string
}

// Reporter consumes the events of one run. Close flushes what is still held back.
type Reporter interface {
	event.Sink
	Close() error
}

var formats = map[string]func(Options) Reporter{
	"human":   newHuman,
	"ansible": newAnsible,
	"json":    newJSON,
	"jsonl":   newJSONL,
}

// Formats lists the names New knows.
func Formats() []string {
	var out []string
	for n := range formats {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// New makes the reporter of a format.
func New(format string, o Options) (Reporter, error) {
	f := formats[format]
	if f == nil {
		return nil, fmt.Errorf("unknown format %q; there are %s", format, strings.Join(Formats(), ", "))
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	r := f(o)
	if len(o.Also) > 0 {
		r = newProfiled(r, o, format)
	}
	if o.Terminal && format != "json" && format != "jsonl" || format == "human" {
		r = tame{r}
	}
	return r, nil
}

// visible is a result without what is internal or not asked for.
func visible(d *value.Dict, o Options, always bool) *value.Dict {
	out := value.NewDict(d.Len())
	for _, e := range d.Entries() {
		name, _ := e.Key.(string)
		switch {
		case strings.HasPrefix(name, "_ansible_") || name == "_args" || name == "failed" || name == "skipped":
			continue // as Ansible's callbacks never see them
		case name == "invocation" && (o.Verbosity < 3 || always):
			continue
		case name == "diff", name == "warnings", name == "deprecations":
			continue
		case name == "exception" && o.Verbosity < 3:
			continue
		}
		_ = out.Set(e.Key, e.Value)
	}
	return out
}

func isTrue(d *value.Dict, name string) bool {
	v, ok := d.GetString(name)
	if !ok {
		return false
	}
	t, err := value.Truth(v)
	return err == nil && t
}

func sortedKeys[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
