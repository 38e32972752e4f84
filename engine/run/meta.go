package run

import (
	"errors"
	"slices"
	"strings"

	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/value"
)

func isMeta(t *plan.Task) bool { return t.Module == "ansible.builtin.meta" }

// metaName is what a meta task asks for.
func metaName(t *plan.Task) string {
	for _, n := range []string{"_raw_params", "free_form"} {
		if v, ok := t.Args.GetString(n); ok {
			return strings.TrimSpace(value.Str(rawText(v)))
		}
	}
	return ""
}

// meta runs a meta task on the hosts of a set. It touches no host but for reset_connection.
func (pr *playRun) meta(set []*walker, v *plan.Vertex) {
	task := v.Task
	name := metaName(task)
	if name == "role_complete" {
		for _, w := range set {
			if w.ranRoles[roleKey(task)] {
				w.doneRoles[roleKey(task)] = true
			}
			w.advance()
		}
		return
	}
	for i, w := range set {
		u := pr.turn(w, task)
		if i > 0 && metaOnce(name) {
			w.advance() // decided by the first host
			continue
		}
		if !task.Implicit && !ignoresWhen(name) {
			ok, _, err := u.conditions(task.When)
			if err != nil {
				pr.announce(pr.nameTask(u), task, 1)
				pr.abort = &placed{at: task.Pos, err: &taskError{conditional, err}}
				pr.ended = true
				return
			}
			if !ok {
				pr.announceMeta(u)
				pr.r.emit(event.HostResult{At: pr.r.Now(), Host: w.host.Name, Task: pr.eventTask(task), Status: event.Skipped,
					Result: value.DictOf("changed", false, "skipped", true, "skip_reason", pr.metaSkipped(name, w, task))})
				w.advance()
				continue
			}
		}
		if !task.Implicit {
			pr.announceMeta(u)
		}
		if note := metaDone(name, w, task); note != "" && !task.Implicit {
			pr.r.emit(event.Note{Text: "META: " + note, Level: 2})
		}
		if pr.metaOn(name, w, u) {
			return
		}
	}
}

// metaDone is what is told of a meta task, with -vv.
func metaDone(name string, w *walker, t *plan.Task) string {
	switch name {
	case "flush_handlers":
		return "triggered running handlers for " + w.host.Name
	case "end_play":
		return "ending play"
	case "end_batch":
		return "ending batch"
	case "end_host":
		return "ending play for " + w.host.Name
	case "end_role":
		if t.Role != nil {
			return "ending role " + t.Role.Name + " for " + w.host.Name
		}
	case "clear_facts":
		return "facts cleared"
	case "clear_host_errors":
		return "cleared host errors"
	case "refresh_inventory":
		return "inventory successfully refreshed"
	case "reset_connection":
		return "reset connection"
	case "noop":
		return "noop"
	}
	return ""
}

// metaSkipped is why a meta task does nothing; it is told with -vv and returned.
func (pr *playRun) metaSkipped(name string, w *walker, t *plan.Task) string {
	reason := "continuing execution for " + w.host.Name
	switch name {
	case "flush_handlers":
		reason = "not running handlers for " + w.host.Name
	case "end_play":
		reason = "continuing play"
	case "end_batch":
		reason = "continuing current batch"
	case "end_role":
		if t.Role != nil {
			reason = "continuing role " + t.Role.Name + " for " + w.host.Name
		}
	case "clear_facts":
		reason = "not clearing facts and fact cache for " + w.host.Name
	case "clear_host_errors":
		reason = "not clearing host error state for " + w.host.Name
	}
	reason = name + " conditional evaluated to False, " + reason
	pr.r.emit(event.Note{Text: "META: " + reason, Level: 2})
	return reason
}

// ignoresWhen names the meta tasks that Ansible runs whatever their when says.
func ignoresWhen(name string) bool {
	return name == "noop" || name == "refresh_inventory" || name == "reset_connection"
}

// metaOnce names what concerns all hosts: the first host's conditions decide.
func metaOnce(name string) bool {
	switch name {
	case "end_play", "end_batch", "clear_facts", "clear_host_errors", "refresh_inventory":
		return true
	}
	return false
}

func (pr *playRun) announceMeta(u *turn) {
	if ev := pr.nameTask(u); ev != pr.current || u.task.Handler {
		hosts := 1
		if pr.unordered {
			hosts = 0
		}
		pr.announce(ev, u.task, hosts)
	}
}

// metaOn does the meta action for one host; all is true when it was for all hosts at once.
func (pr *playRun) metaOn(name string, w *walker, u *turn) (all bool) {
	switch name {
	case "flush_handlers":
		if u.task.Handler {
			pr.abort = &placed{at: u.task.Pos, err: errors.New("flush_handlers cannot be used as a handler")}
			pr.ended = true
			return true
		}
		pr.flush(w)
		return false
	case "end_play":
		for _, o := range pr.walkers {
			if !o.failed && !o.unreachable {
				o.ended = true
			}
		}
		pr.ended = true
		return true
	case "end_batch":
		for _, o := range pr.walkers {
			if !o.failed && !o.unreachable {
				o.ended = true
			}
		}
		return true
	case "end_host":
		w.ended, w.left = true, true
		pr.setMagic()
		return false
	case "end_role":
		pr.endRole(w, u.task)
		return false
	case "clear_facts":
		for _, o := range pr.walkers {
			pr.r.Store.ForgetFacts(o.state)
		}
	case "clear_host_errors":
		for _, o := range pr.walkers {
			if o.unreachable && o.top() != nil {
				o.advance() // past the task that did not reach it
			}
			o.failed, o.unreachable, o.struck, o.absent = false, false, false, false
			o.forgive()
			delete(pr.r.dead, o.host.Name)
			delete(pr.r.failedHosts, o.host.Name)
		}
		pr.setMagic()
	case "refresh_inventory":
		if err := pr.r.Inventory.Refresh(); err != nil {
			pr.r.warnOnce(u.task.Pos, "refresh_inventory: "+err.Error())
		}
		pr.r.Store.InventoryChanged()
	case "reset_connection":
		s := &services{u: u, j: &job{}}
		if err := s.Reset(pr.r.ctx); err != nil {
			pr.r.warnOnce(u.task.Pos, "reset_connection: "+err.Error())
		}
	case "noop", "":
	}
	w.advance()
	return false
}

// endRole passes the rest of the role the task is in, with the roles it brings in. The
// role counts as through.
func (pr *playRun) endRole(w *walker, t *plan.Task) {
	if key := roleKey(t); w.ranRoles[key] {
		w.doneRoles[key] = true
	}
	for len(w.stack) > 0 {
		v := w.next()
		if v == nil || v.Task.Role != t.Role && (v.Task.Role == nil || !slices.Contains(v.Task.Role.Parents, t.Role)) {
			return
		}
		w.advance()
	}
}

// roleKey identifies the role of a task for "run it once".
func roleKey(t *plan.Task) string {
	if t.Role == nil {
		return ""
	}
	return t.Role.Key
}

// skipsRole: the role has run on the host already and does not allow duplicates.
func (w *walker) skipsRole(t *plan.Task) bool {
	if len(w.doneRoles) == 0 || t.Role == nil || t.Role.AllowDuplicates || t.Handler {
		return false
	}
	return w.doneRoles[roleKey(t)]
}
