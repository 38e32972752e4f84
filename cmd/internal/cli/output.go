package cli

import (
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/report"
	"fettle/inventory"
)

// reporter makes the reporter of the wanted format.
func (ss *session) reporter() (report.Reporter, error) {
	format := ss.o.format
	if format == "" {
		format = ss.defaultFormat()
	}
	o := ss.reportOptions()
	o.Also = ss.callbacks()
	r, err := report.New(format, o)
	return r, withCode(exitOptions, err)
}

// reportOptions are what the flags and the settings say about the output of a run.
func (ss *session) reportOptions() report.Options {
	c := ss.cfg
	o := report.Options{Out: ss.unlogged(ss.s.Out), Err: ss.unlogged(ss.s.Err), Color: ss.colored(), Width: ss.s.Width, Terminal: ss.s.Terminal,
		Verbosity: ss.o.verbosity, Diff: ss.o.diff, HideSkipped: !c.Bool("default:display_skipped_hosts"),
		HideOK: !c.Bool("default:display_ok_hosts"), CustomStats: c.Bool("SHOW_CUSTOM_STATS"),
		FailedToErr: c.Bool("default:display_failed_stderr"), FailedPath: c.Bool("default:show_task_path_on_failure"),
		CheckMarkers: c.Bool("default:check_mode_markers"), YAML: c.String("default:result_format") == "yaml",
		DiffContext: c.Int("DIFF_CONTEXT")}
	if c.IsSet("default:pretty_results") {
		pretty := c.Bool("default:pretty_results")
		o.Pretty = &pretty
	}
	if callback := shortCallback(c.String("DEFAULT_STDOUT_CALLBACK")); callback == "yaml" || callback == "debug" {
		o.YAML = callback == "yaml"
		if o.Pretty == nil {
			o.Pretty = new(bool)
			*o.Pretty = true
		}
	}
	if c.Bool("VERBOSE_TO_STDERR") {
		o.Notes = o.Err
	}
	return o
}

// callbacks are those of callbacks_enabled that there are; the others are named in a warning.
func (ss *session) callbacks() []string {
	var out []string
	for _, name := range ss.cfg.List("CALLBACKS_ENABLED") {
		switch known := report.AlsoName(name); {
		case known != "":
			out = append(out, known)
		case name != "" && shortCallback(name) != "default" && shortCallback(name) != shortCallback(ss.cfg.String("DEFAULT_STDOUT_CALLBACK")):
			ss.warn(diag.Warnf(diag.Pos{}, "config", "Skipping callback plugin '%s': there are timer, profile_tasks and profile_roles", name))
		}
	}
	return out
}

func shortCallback(name string) string {
	for _, prefix := range []string{"ansible.posix.", "ansible.builtin.", "community.general."} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

// defaultFormat is the output that stdout_callback asks for.
func (ss *session) defaultFormat() string {
	switch cb := shortCallback(ss.cfg.String("DEFAULT_STDOUT_CALLBACK")); cb {
	case "json", "jsonl", "minimal", "oneline":
		return cb
	case "default", "debug", "yaml", "":
	default:
		ss.warn(diag.Warnf(diag.Pos{}, "config", "the stdout callback '%s' is not supported: there are default, json, jsonl, minimal, oneline, yaml and debug", cb))
	}
	if asAnsible {
		return "ansible"
	}
	return "human"
}

// quiet is a sink that does not tell what is deprecated (deprecation_warnings).
type quiet struct{ event.Sink }

// Emit implements event.Sink.
func (q quiet) Emit(e event.Event) {
	if w, ok := e.(event.Warning); ok && w.Deprecated {
		return
	}
	q.Sink.Emit(e)
}

// wanted leaves out of what loading found the warnings that the settings turn off.
func (ss *session) wanted(in []*diag.Diagnostic) []*diag.Diagnostic {
	return slices.DeleteFunc(in, func(d *diag.Diagnostic) bool {
		return d.Severity == diag.Deprecated && !ss.cfg.Bool("DEPRECATION_WARNINGS") ||
			d.Rule == "inventory" && d.Summary == inventory.NoneParsed && !ss.cfg.Bool("LOCALHOST_WARNING")
	})
}
