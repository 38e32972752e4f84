package run

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/value"
)

// notify keeps the names that a changed task notifies; between handlers, they are marked at once.
func (pr *playRun) notify(w *walker, u *turn, out *outcome) {
	if len(u.task.Notify) == 0 || !notifies(out) {
		return
	}
	for _, a := range u.task.Notify {
		names, err := u.notified(a.Value, out)
		if err != nil {
			pr.notifyFailed(out, fmt.Errorf("notify: %w", err))
			return
		}
		for _, name := range names {
			hs := pr.findHandlers(name)
			if len(hs) == 0 {
				err := fmt.Errorf("The requested handler '%s' was not found in either the main handlers list nor in the listening handlers list", name)
				if pr.r.LenientHandlers {
					pr.r.warnOnce(u.task.Pos, err.Error())
					continue
				}
				pr.abort = &placed{at: u.task.Pos, err: err}
				pr.ended = true
				return
			}
			if w.flushing() {
				pr.mark(w, name, hs)
				continue
			}
			if !slices.Contains(w.notices, name) {
				w.notices = append(w.notices, name)
				pr.r.emit(event.Note{Text: "Notification for handler " + name + " has been saved.", Level: 2})
			}
		}
	}
}

// mark has the handlers run that a notification reaches.
func (pr *playRun) mark(w *walker, name string, hs []*plan.Handler) {
	for _, h := range hs {
		if !w.notified[h] {
			w.notified[h] = true
			pr.r.emit(event.Notified{Host: w.host.Name, Handler: name})
		}
	}
}

// flush enters the handlers that a host's notifications reach by now: of handlers of one name
// those that came last, even after the notification.
func (pr *playRun) flush(w *walker) {
	for _, name := range w.notices {
		pr.mark(w, name, pr.findHandlers(name))
	}
	w.notices = nil
	w.startFlush(pr.handlers)
}

// notified renders the names of a notify: in a loop for every item, changed or not.
func (u *turn) notified(v value.Value, out *outcome) ([]string, error) {
	_, computed := v.(*value.Template)
	if !out.isLoop || !computed {
		r, err := u.t.Render(v)
		return texts(r), err
	}
	var names []string
	for i := range out.items {
		loopVar, _ := out.items[i].result.GetString("ansible_loop_var")
		u.setLocal(value.Str(loopVar), out.items[i].item)
		r, err := u.t.Render(v)
		if err != nil {
			return nil, err
		}
		names = append(names, texts(r)...)
	}
	return names, nil
}

func notifies(out *outcome) bool {
	if out.status == event.Failed || out.status == event.Unreachable {
		return false
	}
	if out.status == event.Changed {
		return true
	}
	c, _ := out.result.GetString("changed")
	return c == true
}

func (pr *playRun) notifyFailed(out *outcome, err error) {
	out.status = event.Failed
	out.result = out.result.Clone()
	out.result.SetString("failed", true)
	out.result.SetString("msg", err.Error())
}

// addHandlers adds handlers to the play's. The same role, used again in the same way,
// brings the handlers that are there already.
func (pr *playRun) addHandlers(hs []*plan.Handler) {
	for _, h := range hs {
		key := handlerKey(h)
		if key != "" && pr.roleHandlers[key] {
			continue
		}
		pr.roleHandlers[key] = true
		pr.handlers = append(pr.handlers, h)
	}
}

// handlerKey identifies a handler of a role with the variables of the role's use; "" for
// handlers of plays.
func handlerKey(h *plan.Handler) string {
	if h.Task == nil || h.Task.Role == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(h.Task.Pos.String())
	b.WriteString(roleKey(h.Task))
	for _, set := range h.Task.Vars {
		for n, v := range set.Vars.All() {
			b.WriteString("|" + n + "=" + value.Repr(rawText(v.Value)))
		}
	}
	for _, c := range h.Task.When {
		b.WriteString("|when " + value.Repr(rawText(c.Value)))
	}
	return b.String()
}

// findHandlers finds what a notification reaches: the handler of that name in the list that
// was loaded last (of one list the first), and of all that listen to it the first of each name
// in that order.
func (pr *playRun) findHandlers(name string) []*plan.Handler {
	reached := map[*plan.Handler]bool{}
	var named *plan.Handler
	seen := map[string]bool{}
	for _, h := range pr.lastListFirst() {
		if named == nil && pr.handlerNamed(h, name) {
			named = h
		}
		if !listens(h, name) {
			continue
		}
		if own := pr.handlerName(h); own == "" || !seen[own] {
			seen[own], reached[h] = true, true
		}
	}
	reached[named] = true
	var out []*plan.Handler
	for _, h := range pr.handlers {
		if reached[h] {
			out = append(out, h)
		}
	}
	return out
}

// lastListFirst are the handlers with the lists loaded last in front, each list in its order.
func (pr *playRun) lastListFirst() []*plan.Handler {
	out := make([]*plan.Handler, 0, len(pr.handlers))
	for end := len(pr.handlers); end > 0; {
		start := end - 1
		for start > 0 && pr.handlers[start-1].List == pr.handlers[end-1].List {
			start--
		}
		out = append(out, pr.handlers[start:end]...)
		end = start
	}
	return out
}

func (pr *playRun) handlerNamed(h *plan.Handler, name string) bool {
	if h.Task == nil || !h.Task.Name.Set {
		return false
	}
	own := pr.handlerName(h)
	if own == name {
		return true
	}
	return ofRole(h.Task.Role, own, name)
}

// ofRole tells that full is name with its role in front.
func ofRole(r *plan.Role, name, full string) bool {
	if r == nil {
		return false
	}
	prefix, ok := strings.CutSuffix(full, " : "+name)
	return ok && (prefix == r.Name || prefix == r.FQName || r.FQName != "" && strings.HasSuffix(r.FQName, "."+prefix))
}

// handlerName renders a handler's name with the variables of the play.
func (pr *playRun) handlerName(h *plan.Handler) string {
	if !h.Task.Name.Set {
		return ""
	}
	t, ok := h.Task.Name.Value.(*value.Template)
	if !ok {
		return value.Str(h.Task.Name.Value)
	}
	w := pr.walkers[0]
	u := pr.r.newTurn(pr.r.ctx, pr, w, h.Task, nil)
	s, err := u.t.String(t)
	if err != nil {
		if len(h.Task.Listen) == 0 {
			pr.r.warnOnce(h.Task.Pos, fmt.Sprintf("Handler '%s' is unusable because it has no listen topics and its name cannot be rendered: %v", t.Src, err))
		}
		return t.Src
	}
	return s
}

// listens tells that a handler listens to a topic. Topics are not templated.
func listens(h *plan.Handler, topic string) bool {
	if h.Task == nil {
		return false
	}
	for _, a := range h.Task.Listen {
		for _, e := range asList(a.Value) {
			if s := value.Str(rawText(e)); s == topic || ofRole(h.Task.Role, s, topic) {
				return true
			}
		}
	}
	return false
}
