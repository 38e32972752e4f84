package cli

import (
	"fmt"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/inventory"
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

// spare makes errors of group_vars and host_vars that none of these plays' hosts have warnings:
// Ansible does not read those files. With no plays nobody is asked for variables.
func (ss *session) spare(in *diag.List, plays []*plan.Play) *diag.List {
	damaged := ss.inv.Damaged()
	if len(damaged) == 0 {
		return in
	}
	needed := map[*diag.Diagnostic]bool{}
	for _, play := range plays {
		for _, h := range ss.hostsOf(play) {
			for _, d := range h.Damage(play.Dir) {
				needed[d] = true
			}
		}
	}
	out := &diag.List{}
	for _, d := range in.Sorted() {
		if damaged[d] && !needed[d] {
			c := *d
			c.Severity = diag.Warning
			d = &c
		}
		out.Add(d)
	}
	return out
}

// hostsOf are the hosts that a play may run on: all of them where that is not known yet.
func (ss *session) hostsOf(play *plan.Play) []*inventory.Host {
	pattern := play.Pattern
	if pattern == "" || template.IsTemplate(pattern) {
		pattern = "all"
	}
	sel, err := ss.inv.Select([]string{pattern}, ss.o.limit)
	if err != nil {
		return nil
	}
	return sel.Hosts
}
