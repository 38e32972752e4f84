package run

import (
	"fmt"
	"strings"
	"time"

	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/modules"
)

// strategies decide which hosts take their next task when. They run in the goroutine that
// owns the run.
var strategies = map[string]func(*playRun){
	"linear":      (*playRun).linear,
	"free":        (*playRun).free,
	"host_pinned": (*playRun).hostPinned,
	"debug":       (*playRun).linear, // with the debugger on failures
}

// linear: all hosts finish a task before any starts the next.
func (pr *playRun) linear() {
	for pr.r.stop.Err() == nil && !pr.ended {
		set, v := pr.lockstep()
		if v == nil {
			return
		}
		pr.step(set, v)
		pr.checkFailures()
	}
}

// lockstep are the hosts that are furthest behind, and the task they stand at.
func (pr *playRun) lockstep() ([]*walker, *plan.Vertex) {
	var set []*walker
	var at *plan.Vertex
	for _, w := range pr.walkers {
		v := pr.nextVertex(w)
		if v == nil {
			continue
		}
		switch {
		case len(set) == 0:
		case w.compare(set[0]) > 0:
			continue
		case w.compare(set[0]) < 0:
			set = set[:0]
		}
		set, at = append(set, w), v
	}
	return set, at
}

// nextVertex is where an active host goes on; tasks that are not selected are passed.
func (pr *playRun) nextVertex(w *walker) *plan.Vertex {
	for w.active() {
		v := w.next()
		if v == nil {
			return nil
		}
		if w.afterFlush && len(w.stack) == 1 && !pr.flushes[v] {
			w.failed = true
			return nil
		}
		if pr.wanted(v.Task) && !w.skipsRole(v.Task) && !pr.gathered(w, v.Task) {
			return v
		}
		w.advance()
	}
	return nil
}

// gathered: the implicit gathering of facts is not wanted (gather_facts, gathering=explicit), or not
// needed any more (gathering=smart).
func (pr *playRun) gathered(w *walker, t *plan.Task) bool {
	if !t.Implicit || t.Module != "ansible.builtin.gather_facts" {
		return false
	}
	if pr.play.Gather.Set {
		return !pr.gathers
	}
	switch pr.r.Gathering {
	case "explicit":
		return true
	case "smart":
		_, has := w.state.Facts().GetString("module_setup")
		return has
	}
	return false
}

// step runs one task on the hosts of a set, together.
func (pr *playRun) step(set []*walker, v *plan.Vertex) {
	task := v.Task
	if isMeta(task) {
		pr.meta(set, v)
		return
	}
	first := pr.turn(set[0], task)
	once, err := pr.runsOnce(first)
	if err != nil {
		pr.takeAll(set, set[:1], []*turn{first}, []*outcome{first.failure(err)})
		return
	}
	workers := set
	if once {
		workers = set[:1]
	}
	ev := pr.nameTask(first)
	pr.announce(ev, task, len(workers))
	if pr.r.Step != nil && !pr.r.stepAll && !pr.confirmed(ev) {
		for _, w := range set {
			w.advance()
		}
		return
	}
	turns := make([]*turn, len(workers))
	turns[0] = first
	for i, w := range workers[1:] {
		turns[i+1] = pr.turn(w, task)
	}
	outs := pr.work(turns)
	pr.takeAll(set, workers, turns, outs)
}

func (pr *playRun) announce(ev *event.Task, t *plan.Task, hosts int) {
	pr.current = ev
	pr.r.emit(event.TaskStart{At: pr.r.Now(), Task: ev, Handler: t.Handler, Hosts: hosts})
}

func (pr *playRun) confirmed(ev *event.Task) bool {
	switch pr.r.Step(or(ev.Name, ev.Action)) {
	case "yes":
		return true
	case "continue":
		pr.r.stepAll = true
		return true
	}
	return false
}

func (pr *playRun) turn(w *walker, t *plan.Task) *turn {
	return pr.r.newTurn(pr.r.ctx, pr, w, t, w.includes())
}

func (pr *playRun) runsOnce(u *turn) (bool, error) {
	if u.act != nil && u.act.Once {
		return true, nil
	}
	v, err := u.rendered(u.task.RunOnce, false)
	if err != nil {
		return false, fmt.Errorf("run_once: %w", err)
	}
	return toBool(v)
}

func toBool(v value.Value) (bool, error) {
	if v == nil {
		return false, nil
	}
	if s, ok := v.(string); ok && s == "" {
		return false, nil
	}
	return modules.ToBool(v)
}

// work runs turns in parallel, within forks and throttle, and returns their outcomes in order.
// Those that an interrupt kept from starting have none.
func (pr *playRun) work(turns []*turn) []*outcome {
	outs := make([]*outcome, len(turns))
	if len(turns) == 1 {
		outs[0] = turns[0].do(pr.r.ctx)
		return outs
	}
	slots := pr.r.slots
	if n := pr.throttle(turns[0]); n > 0 && n < cap(slots) {
		slots = make(chan struct{}, n)
	}
	done := make(chan struct{}, len(turns))
	go func() {
		for i, u := range turns {
			select {
			case slots <- struct{}{}:
			case <-pr.r.stop.Done():
			}
			if pr.r.stop.Err() != nil {
				done <- struct{}{}
				continue
			}
			go func() {
				defer func() { <-slots; done <- struct{}{} }()
				outs[i] = u.do(pr.r.ctx)
			}()
		}
	}()
	for n := range turns {
		<-done
		pr.progress(len(turns), n+1)
	}
	return outs
}

// progress tells how many hosts are through, at most every so often.
func (pr *playRun) progress(total, done int) {
	r := pr.r
	if r.Options.Progress <= 0 || time.Since(r.lastProgress) < r.Options.Progress {
		return
	}
	r.lastProgress = time.Now()
	ev := event.Progress{Task: pr.current, Done: done, Total: total}
	r.emit(ev)
}

func (pr *playRun) throttle(u *turn) int {
	v, err := u.rendered(u.task.Throttle, int64(0))
	if err != nil {
		return 0
	}
	f, err := number(v)
	if err != nil {
		return 0
	}
	return int(f)
}

// takeAll applies the outcomes of a step: set are all hosts at the task, workers those that ran it.
func (pr *playRun) takeAll(set, workers []*walker, turns []*turn, outs []*outcome) {
	var inc []pendingInclude
	broken := false
	for i, w := range workers {
		if outs[i] == nil {
			continue
		}
		var end bool
		if turns[i], outs[i], end = pr.debugged(w, turns[i], outs[i]); end {
			return
		}
		f := pr.take(w, turns[i], outs[i])
		broken = broken || f
		inc = append(inc, pr.includesFor(w, turns[i], outs[i])...)
	}
	if len(workers) < len(set) {
		inc = append(inc, pr.share(set[1:], turns[0], outs[0])...)
	}
	if len(inc) > 0 {
		if failed := pr.include(inc); len(failed) > 0 {
			outs, broken = append(outs, failed...), true
		}
	}
	if broken && pr.anyErrorsFatal(turns[0]) {
		pr.failRest(turns[0].task, set, outs)
	}
}

// anyErrorsFatal also holds for a task that ran once for all.
func (pr *playRun) anyErrorsFatal(u *turn) bool {
	v, err := u.rendered(u.task.AnyErrorsFatal, pr.r.AnyErrorsFatal)
	if err != nil {
		return false
	}
	ok, err := toBool(v)
	return err == nil && ok
}

// failRest makes a failure of one host that of all hosts of the batch.
func (pr *playRun) failRest(t *plan.Task, set []*walker, outs []*outcome) {
	var result *value.Dict
	for _, o := range outs {
		if o != nil && (o.status == event.Failed || o.status == event.Unreachable) {
			result = o.result
			break
		}
	}
	struck := false
	for _, w := range pr.walkers {
		if w.active() && !w.afterFlush && !w.rescuedNow(t) && w.top() != nil && w.next() != nil {
			base := w.stack[0]
			from := base.at
			if w.fail(t, result); w.failed {
				pr.forceHandlers(w, base, from)
			}
			w.struck = !w.failed
			struck = struck || w.struck
		}
	}
	if struck {
		pr.setMagic()
	}
	for _, w := range pr.walkers {
		if w.active() && !w.afterFlush {
			return
		}
	}
	pr.fatal = true
	pr.setMagic()
}

// rescuedNow: the host has just been sent to a rescue or always section by this task's failure.
func (w *walker) rescuedNow(t *plan.Task) bool {
	st := w.rescueOf()
	return st != nil && st.task == t
}

// checkFailures ends the play when more hosts failed, in the run so far, than
// max_fail_percentage of the batch allows. Unreachable hosts do not count.
func (pr *playRun) checkFailures() {
	if pr.maxFail < 0 {
		return
	}
	failed := len(pr.r.failedHosts)
	for _, w := range pr.walkers {
		if w.failed && !pr.r.failedHosts[w.host.Name] {
			failed++
		}
	}
	if failed > 0 && float64(failed)/float64(len(pr.walkers))*100 > pr.maxFail {
		for _, w := range pr.walkers {
			if !w.unreachable {
				w.failed = true
			}
		}
		pr.r.emit(event.NoHostsLeft{})
		pr.fatal = true
		pr.ended = true
	}
}

type finished struct {
	u   *turn
	out *outcome
}

// free: every host goes on as soon as it can; the hosts take turns where forks are few.
func (pr *playRun) free() { pr.unbound(true) }

// hostPinned: as free, but a host that has begun goes on to its end before another one begins.
func (pr *playRun) hostPinned() { pr.unbound(false) }

func (pr *playRun) unbound(inTurn bool) {
	pr.unordered = true
	results := make(chan finished)
	running := map[*plan.Task]int{}
	for busy, first := 0, 0; ; busy-- {
		for n := 0; n < len(pr.walkers); n++ {
			if pr.r.stop.Err() != nil || pr.ended || busy >= pr.r.Forks {
				break
			}
			at := (first + n) % len(pr.walkers)
			u := pr.nextFree(pr.walkers[at], running)
			if u == nil {
				continue
			}
			if inTurn {
				first, n = at+1, -1
			}
			running[u.origin]++
			busy++
			go func() { results <- finished{u, u.do(pr.r.ctx)} }()
		}
		if busy == 0 {
			return
		}
		f := <-results
		running[f.u.origin]--
		f.u.w.busy = false
		pr.takeAll([]*walker{f.u.w}, []*walker{f.u.w}, []*turn{f.u}, []*outcome{f.out})
		pr.checkFailures()
	}
}

// nextFree is the next task of a host that has nothing under way, unless throttle holds it back.
func (pr *playRun) nextFree(w *walker, running map[*plan.Task]int) *turn {
	for !w.busy {
		v := pr.nextVertex(w)
		if v == nil {
			return nil
		}
		if isMeta(v.Task) {
			pr.meta([]*walker{w}, v)
			continue
		}
		u := pr.turn(w, v.Task)
		if n := pr.throttle(u); n > 0 && running[v.Task] >= n {
			return nil
		}
		pr.warnOnceOnly(u)
		pr.announce(pr.nameTask(u), v.Task, 0)
		w.busy = true
		return u
	}
	return nil
}

// warnOnceOnly tells that the free strategies do not know run_once.
func (pr *playRun) warnOnceOnly(u *turn) {
	if once, err := pr.runsOnce(u); err == nil && once && (u.act == nil || !u.act.Once) {
		pr.r.warnOnce(u.task.Pos, "Using run_once with the free strategy is not currently supported. This task will still be executed for every host in the inventory list.")
	}
}

// wanted tells whether tags and --start-at-task select a task.
func (pr *playRun) wanted(t *plan.Task) bool {
	r := pr.r
	if !r.started {
		name := ""
		if t.Name.Set {
			name = value.Str(rawText(t.Name.Value))
		}
		if t.Implicit || !startsHere(r.StartAtTask, name, t) {
			return t.Implicit && t.Module == "ansible.builtin.gather_facts" && SelectedByTags(t.Tags, r.Tags, r.SkipTags)
		}
		r.started = true
	}
	if isMeta(t) && t.Implicit || t.Handler {
		return true // handlers run when they are notified, whatever their tags
	}
	if yes, known := r.selected[t]; known {
		return yes
	}
	yes := SelectedByTags(t.Tags, r.Tags, r.SkipTags)
	r.selected[t] = yes
	return yes
}

func startsHere(pattern, name string, t *plan.Task) bool {
	full := name
	if t.Role != nil {
		full = t.Role.Name + " : " + name
	}
	return name == pattern || full == pattern || globMatch(pattern, name) || globMatch(pattern, full)
}

// SelectedByTags is Ansible's rule for --tags and --skip-tags with its special tags.
func SelectedByTags(tags, only, skip []string) bool {
	has := func(list []string, s string) bool {
		for _, e := range list {
			if strings.TrimSpace(e) == s {
				return true
			}
		}
		return false
	}
	any := func(list []string) bool {
		for _, t := range tags {
			if has(list, t) {
				return true
			}
		}
		return false
	}
	always, never, untagged := has(tags, "always"), has(tags, "never"), len(tags) == 0
	ok := true
	if len(only) > 0 {
		switch {
		case always:
		case has(only, "all") && !never:
		case any(only):
		case has(only, "tagged") && !untagged && !never:
		case untagged && has(only, "untagged"):
		default:
			ok = false
		}
	} else if never {
		ok = false
	}
	if ok && len(skip) > 0 {
		switch {
		case has(skip, "all"):
			ok = always && !has(skip, "always")
		case any(skip):
			ok = false
		case untagged && has(skip, "untagged"):
			ok = false
		case has(skip, "tagged") && !untagged:
			ok = false
		}
	}
	return ok
}
