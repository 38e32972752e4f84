package run

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"fettle/engine/event"
	"fettle/engine/value"
)

// What the person at the debugger decided.
type verdict int

const (
	goOn verdict = iota
	redo
	quit
)

// debugger talks with a person about a task that failed on a host.
type debugger struct {
	pr   *playRun
	u    *turn
	out  *outcome
	args *value.Dict            // of the task, as changed
	vars map[string]value.Value // that were set
}

// debugged lets a person look at a result before the run goes on with it. A redo gives
// another turn and outcome; stop ends the run.
func (pr *playRun) debugged(w *walker, u *turn, out *outcome) (*turn, *outcome, bool) {
	for pr.wantsDebugger(u, out) {
		if !out.reported {
			pr.report(w, u, out, false)
			out.reported = true
		}
		d := &debugger{pr: pr, u: u, out: out, args: u.task.Args, vars: map[string]value.Value{}}
		switch d.talk() {
		case quit:
			pr.r.quit, pr.ended, pr.r.ended = true, true, true
			return u, out, true
		case goOn:
			return u, out, false
		}
		u = d.again()
		out = u.do(pr.r.ctx)
	}
	return u, out, false
}

// wantsDebugger follows the keyword debugger, the strategy debug and the setting
// enable_task_debugger.
func (pr *playRun) wantsDebugger(u *turn, out *outcome) bool {
	failed := out.status == event.Failed && (!out.ignored || !pr.r.DebugIgnoresIgnored)
	unreachable := out.status == event.Unreachable
	v, err := u.rendered(u.task.Debugger, "")
	if err != nil {
		return false
	}
	switch value.Str(v) {
	case "always":
		return true
	case "never":
		return false
	case "on_failed":
		return failed
	case "on_unreachable":
		return unreachable
	case "on_skipped":
		return out.status == event.Skipped
	}
	return (pr.debug || pr.r.EnableDebugger) && (failed || unreachable)
}

// again is the turn anew, with what was changed.
func (d *debugger) again() *turn {
	task := *d.u.task
	if d.args != task.Args {
		task.Args, task.Static, task.Encoded = d.args, false, nil
	}
	u := d.pr.turn(d.u.w, &task)
	u.origin = d.u.origin
	for _, name := range slices.Sorted(maps.Keys(d.vars)) {
		u.setLocal(name, d.vars[name])
	}
	return u
}

const debuggerHelp = `p EXPRESSION                show task, task.args, task_vars, host or result, or what is in them
task.args[KEY] = VALUE      change an argument of the task
task_vars[KEY] = VALUE      set a variable for the task
update_task, u              take the variables into account (redo does so as well)
redo, r                     run the task again
continue, c                 go on with the result as it is
quit, q                     end the run`

// talk reads commands until one decides how to go on. Without a terminal, or at its end,
// the run is over, as with Ansible.
func (d *debugger) talk() verdict {
	if d.pr.r.Ask == nil {
		d.pr.r.warnOnce(d.u.task.Pos, "the debugger needs a terminal; the run ends here")
		return quit
	}
	d.pr.r.emit(event.Question{})
	name := taskTitle(d.pr.eventTask(d.u.origin))
	for {
		line, ok, err := d.pr.r.Ask(d.pr.r.ctx, fmt.Sprintf("[%s] TASK: %s (debug)> ", d.u.w.host.Name, name), true, 0)
		if err != nil || !ok {
			d.pr.r.warnOnce(d.u.task.Pos, "the debugger needs a terminal; the run ends here")
			return quit
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "":
		case "r", "redo":
			return redo
		case "c", "continue":
			return goOn
		case "q", "quit", "EOF":
			return quit
		case "u", "update_task":
			d.u = d.again()
		case "h", "help", "?":
			d.say(debuggerHelp)
		case "p", "pprint":
			d.show(strings.TrimSpace(rest))
		default:
			d.assign(strings.TrimSpace(line))
		}
	}
}

func taskTitle(t *event.Task) string {
	name := or(t.Name, t.Action)
	if t.Role != "" {
		return t.Role + " : " + name
	}
	return name
}

func (d *debugger) say(text string) { d.pr.r.emit(event.Display{Text: text}) }

// eval evaluates an expression over the task, its variables, the host and the result.
func (d *debugger) eval(expr string) (value.Value, error) {
	title := taskTitle(d.pr.eventTask(d.u.origin))
	local := map[string]value.Value{
		"task":      value.DictOf("name", title, "action", d.u.task.Action, "args", d.args),
		"host":      d.u.w.host.Name,
		"result":    value.DictOf("_result", d.out.result, "task_name", title),
		"task_vars": nil,
	}
	if strings.Contains(expr, "task_vars") {
		local["task_vars"], _ = d.u.scope.Lookup("vars")
	}
	for name, v := range d.vars {
		local[name] = v
	}
	u := d.pr.turn(d.u.w, d.u.task)
	for _, name := range slices.Sorted(maps.Keys(local)) {
		u.setLocal(name, local[name])
	}
	return u.t.Render(&value.Template{Src: "{{ " + expr + " }}", At: d.u.task.Pos})
}

func (d *debugger) show(expr string) {
	v, err := d.eval(expr)
	if err != nil {
		d.problem(err)
		return
	}
	d.say(value.Repr(d.pr.r.Masker.Value(v)))
}

func (d *debugger) problem(err error) { d.say("***" + d.pr.r.Masker.String(err.Error())) }

var assignment = regexp.MustCompile(`^(task\.args|task_vars|vars)\[(.+?)\]\s*=\s*([^=].*)$`)

// assign sets an argument of the task or a variable.
func (d *debugger) assign(line string) {
	m := assignment.FindStringSubmatch(line)
	if m == nil {
		d.problem(errors.New("not understood: " + line + "; help lists the commands"))
		return
	}
	key, err := d.eval(m[2])
	if err != nil {
		d.problem(err)
		return
	}
	v, err := d.eval(m[3])
	if err != nil {
		d.problem(err)
		return
	}
	if m[1] != "task.args" {
		d.vars[value.Str(key)] = v
		return
	}
	d.args = d.args.Clone()
	d.args.SetString(value.Str(key), v)
}
