package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/value"
)

// pendingInclude is one file or role that a host is to go through.
type pendingInclude struct {
	w   *walker
	u   *turn
	req includeRequest
}

// includesOf reads what an item of include_tasks or include_role asks for.
func (u *turn) includesOf(o itemOutcome) []includeRequest {
	if o.status == event.Failed || o.status == event.Unreachable || o.status == event.Skipped || o.result == nil {
		return nil
	}
	if u.task.Module != "ansible.builtin.include_tasks" && u.task.Module != "ansible.builtin.include_role" {
		return nil
	}
	v, _ := o.result.GetString("_args")
	args, ok := v.(*value.Dict)
	if !ok {
		return nil
	}
	o.result.Delete("_args")
	req := includeRequest{item: o.item, vars: &value.Vars{}}
	if u.task.Loop != nil {
		u.loopVariables(o, req.vars)
	}
	text := func(name string) string {
		v, _ := args.GetString(name)
		if v == nil {
			return ""
		}
		return value.Str(v)
	}
	flag := func(name string, dflt bool) bool {
		v, ok := args.GetString(name)
		if !ok {
			return dflt
		}
		b, err := toBool(v)
		return err == nil && b
	}
	if u.task.Module == "ansible.builtin.include_tasks" {
		req.file = or(text("file"), text("_raw_params"))
		o.result.SetString("include", req.file)
		return []includeRequest{req}
	}
	req.role = &plan.RoleUse{Name: or(text("name"), text("role")), TasksFrom: text("tasks_from"), VarsFrom: text("vars_from"),
		DefaultsFrom: text("defaults_from"), HandlersFrom: text("handlers_from"), AllowDuplicates: flag("allow_duplicates", true),
		Public: flag("public", u.r.PublicIncludes), ValidateArgs: flag("rolespec_validate", true)}
	return []includeRequest{req}
}

// loopVariables are what the tasks of an include in a loop see of it.
func (u *turn) loopVariables(o itemOutcome, to *value.Vars) {
	name := "item"
	if v, ok := o.result.GetString("ansible_loop_var"); ok {
		name = value.Str(v)
	} else if v, err := u.rendered(u.task.Loop.Var, "item"); err == nil {
		name = value.Str(v)
	}
	to.Set(name, o.item, u.task.Pos)
	to.Set("ansible_loop_var", name, u.task.Pos)
	if v, ok := o.result.GetString("ansible_index_var"); ok {
		if i, ok := o.result.GetString(value.Str(v)); ok {
			to.Set(value.Str(v), i, u.task.Pos)
		}
	}
	if v, ok := o.result.GetString("ansible_loop"); ok {
		to.Set("ansible_loop", v, u.task.Pos)
	}
}

func (pr *playRun) includesFor(w *walker, u *turn, out *outcome) []pendingInclude {
	if out.status == event.Failed || out.status == event.Unreachable {
		return nil
	}
	var inc []pendingInclude
	for _, req := range out.includes {
		inc = append(inc, pendingInclude{w, u, req})
	}
	return inc
}

// include expands what hosts asked for. Hosts that asked for the same file with the same
// item go through it together, in the order in which the files first came up.
// It tells whether hosts failed by it.
func (pr *playRun) include(inc []pendingInclude) (failed []*outcome) {
	type group struct {
		x     *plan.Expansion
		seq   int
		hosts []string
		req   includeRequest
		count map[*walker]int
	}
	var groups []*group
	frames := map[*walker][]*frame{}
	broken := map[*walker][]*brokenInclude{}
	var order []*walker
	for _, p := range inc {
		if _, seen := frames[p.w]; !seen {
			frames[p.w] = nil
			order = append(order, p.w)
		}
		x, err := pr.expand(p)
		if bad := unreadable(err); bad != nil {
			pr.abort, pr.ended = bad, true
			return nil
		}
		if err != nil {
			broken[p.w] = append(broken[p.w], &brokenInclude{p, err})
			continue
		}
		// The same host comes through a file twice when its loop names it twice.
		var g *group
		for _, c := range groups {
			if c.x == x && sameItem(c.req.item, p.req.item) && c.count[p.w] == 0 {
				g = c
				break
			}
		}
		if g == nil {
			pr.seq++
			g = &group{x: x, seq: pr.seq, req: p.req, count: map[*walker]int{}}
			groups = append(groups, g)
		}
		g.count[p.w]++
		g.hosts = append(g.hosts, p.w.host.Name)
		pr.adopt(x)
		frames[p.w] = append(frames[p.w], newFrame(x.Graph, g.seq, p.req.vars))
	}
	for _, g := range groups {
		pr.r.emit(event.Included{File: g.x.File, Hosts: g.hosts, Label: pr.r.Masker.Value(g.req.item)})
	}
	for _, w := range order {
		for _, b := range broken[w] {
			failed = append(failed, pr.includeFailed(b))
		}
		if len(broken[w]) == 0 {
			w.push(frames[w])
			continue
		}
		pr.failBy(broken[w][0], failed[len(failed)-1].result)
		if w.failed || len(frames[w]) == 0 {
			continue
		}
		for _, f := range frames[w] { // a rescue section runs behind the files that could be loaded
			f.before = true
		}
		w.push(frames[w])
	}
	return failed
}

func sameItem(a, b value.Value) bool {
	eq, err := value.Equal(a, b)
	return err == nil && eq
}

func (pr *playRun) expand(p pendingInclude) (*plan.Expansion, error) {
	if p.req.role != nil {
		return pr.r.Expander.IncludeRole(pr.r.ctx, p.u.task, *p.req.role)
	}
	if p.req.file == "" {
		return nil, fmt.Errorf("include_tasks needs the name of a file")
	}
	return pr.r.Expander.IncludeTasks(pr.r.ctx, p.u.task, p.req.file)
}

// adopt makes the handlers and, when it is public, the variables of an included role the play's.
func (pr *playRun) adopt(x *plan.Expansion) {
	if x.Role != nil {
		pr.included = append(pr.included, slices.DeleteFunc(slices.Clone(x.Roles), func(r *plan.Role) bool { return r == x.Role })...)
		pr.included = append(pr.included, x.Role)
		defer pr.setMagic()
	}
	if pr.adopted[x] {
		return
	}
	pr.adopted[x] = true
	pr.addHandlers(x.Handlers)
	for _, role := range append([]*plan.Role{x.Role}, x.Roles...) {
		if role != nil && role.Public {
			pr.vars.AddRole(role)
		}
	}
}

// brokenInclude is an include that could not be loaded.
type brokenInclude struct {
	pendingInclude
	err error
}

// parseError is what is wrong in the text that an include brings in: it ends the run.
type parseError struct{ list *diag.ErrorList }

func (e *parseError) Error() string { return e.list.Error() }
func (e *parseError) Unwrap() error { return e.list }

// unreadable gives the parse errors of an include. A file or role that is missing fails
// only the hosts that wanted it.
func unreadable(err error) *parseError {
	var list *diag.ErrorList
	if !errors.As(err, &list) {
		return nil
	}
	for _, d := range list.Items {
		if d.Severity == diag.Error && d.Rule != "file" && d.Rule != "role" && d.Rule != "list" {
			return &parseError{list}
		}
	}
	return nil
}

// includeFailed reports an include that could not be loaded.
func (pr *playRun) includeFailed(b *brokenInclude) *outcome {
	p, w := b.pendingInclude, b.w
	res := value.DictOf("changed", false, "failed", true)
	if p.req.role == nil {
		res.SetString("include", p.req.file)
	}
	res.SetString("reason", pr.r.Masker.String(includeReason(b.err)))
	out := &outcome{status: event.Failed, result: res, items: []itemOutcome{{status: event.Failed, result: res}}}
	st := pr.r.stat(w.host.Name)
	st.OK-- // it counted as ok when it was reached
	st.Failed++
	pr.report(w, p.u, out, false)
	return out
}

// failBy fails a host by an include. A rescue section goes on, but is told nothing, and the host
// takes no part in later plays.
func (pr *playRun) failBy(b *brokenInclude, res *value.Dict) {
	w, base := b.w, b.w.stack[0]
	from := base.at
	if w.fail(b.u.task, res); w.failed {
		pr.forceHandlers(w, base, from)
	}
	w.absent = !w.failed
	pr.setMagic()
}

func includeReason(err error) string {
	var list *diag.ErrorList
	if errors.As(err, &list) {
		var lines []string
		for _, d := range list.Items {
			if d.Severity == diag.Error {
				lines = append(lines, d.Summary)
			}
		}
		return strings.Join(lines, "\n")
	}
	return err.Error()
}
