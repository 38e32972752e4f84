package cli

import (
	"fmt"

	"fettle/engine/diag"
)

// showProblems prints what loading found; errors end the command.
func (ss *session) showProblems(diags *diag.List) error {
	all := &diag.List{}
	all.Add(ss.diags.Sorted()...)
	ss.diags = &diag.List{}
	if diags != nil {
		all.Add(diags.Sorted()...)
	}
	if shown := ss.wanted(all.Sorted()); len(shown) > 0 {
		if ss.o.verbosity == 0 {
			shown = folded(shown)
		}
		printDiagnostics(ss.s.Err, shown)
	}
	if all.Errors() > 0 {
		return exit(problemCode(all.Sorted()))
	}
	return nil
}

// folded shows a module that is not supported once: published roles have a task for each
// package manager there is, and few of them are ever reached.
func folded(ds []*diag.Diagnostic) []*diag.Diagnostic {
	first, more := map[string]int{}, map[string]int{}
	var out []*diag.Diagnostic
	for _, d := range ds {
		if d.Rule == "unsupported" && d.Severity == diag.Warning {
			if _, ok := first[d.Summary]; ok {
				more[d.Summary]++
				continue
			}
			first[d.Summary] = len(out)
		}
		out = append(out, d)
	}
	for summary, n := range more {
		d := *out[first[summary]]
		places := "place"
		if n > 1 {
			places = "places"
		}
		d.Hint = fmt.Sprintf("and at %d more %s, which -v shows", n, places)
		out[first[summary]] = &d
	}
	return out
}

// problemCode is the exit code for errors of loading: files and roles that are not there are
// a general error for Ansible, anything else is one of the parser.
func problemCode(ds []*diag.Diagnostic) int {
	for _, d := range ds {
		if d.Severity == diag.Error && d.Rule != "role" && d.Rule != "file" {
			return exitParse
		}
	}
	return exitError
}

// onReaching makes problems that Ansible meets only when a host reaches the task warnings.
func onReaching(in *diag.List) *diag.List {
	out := &diag.List{}
	for _, d := range in.Sorted() {
		if d.Severity == diag.Error && d.Rule == "args" {
			c := *d
			c.Severity = diag.Warning
			d = &c
		}
		out.Add(d)
	}
	return out
}
