package run

import (
	"path"

	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/value"
)

// take applies the outcome of a task to its host: variables, notifications, statistics,
// events, and the way on. It reports whether the host has failed by it (also when a rescue
// section takes over).
func (pr *playRun) take(w *walker, u *turn, out *outcome) (broken bool) {
	pr.learn(w, u, out)
	if u.task.Role != nil && out.status != event.Skipped && out.status != event.Unreachable {
		w.ranRoles[roleKey(u.task)] = true
	}
	if u.act != nil && u.act.Inventory {
		u.settle(out)
	}
	pr.notify(w, u, out)
	if pr.abort != nil {
		return false
	}
	rescued := false
	if out.status == event.Failed && !out.ignored {
		rescued = w.canRescue()
	}
	pr.count(w, out, rescued)
	if !out.reported {
		pr.report(w, u, out, rescued)
	}
	return pr.move(w, u, out)
}

// learn keeps registered results and facts.
func (pr *playRun) learn(w *walker, u *turn, out *outcome) {
	if u.task.Register != "" && out.result != nil {
		w.state.SetFact(u.task.Register, registered(out.result, out.isLoop), u.task.Pos)
	}
	for i := range out.items {
		pr.learnFacts(w, u, &out.items[i])
	}
	pr.applyInventory(w, u, out)
	if u.task.Module == "ansible.builtin.set_stats" {
		for i := range out.items {
			pr.setStats(w, out.items[i].result)
		}
	}
}

// setStats keeps what set_stats gave, for the end of the run.
func (pr *playRun) setStats(w *walker, res *value.Dict) {
	v, _ := res.GetString("ansible_stats")
	stats, ok := v.(*value.Dict)
	if !ok {
		return
	}
	data, _ := stats.GetString("data")
	d, ok := data.(*value.Dict)
	if !ok {
		return
	}
	name := "_run"
	if per, _ := stats.GetString("per_host"); per == true {
		name = w.host.Name
	}
	into := pr.r.custom[name]
	if into == nil {
		into = value.NewDict(d.Len())
		pr.r.custom[name] = into
	}
	aggregate, _ := stats.GetString("aggregate")
	for _, e := range d.Entries() {
		old, had := into.Get(e.Key)
		v := e.Value
		if had && aggregate != false {
			v = aggregated(old, e.Value)
		}
		_ = into.Set(e.Key, v)
	}
}

// aggregated adds numbers, texts and lists and merges dicts; values of two kinds replace
// each other.
func aggregated(old, v value.Value) value.Value {
	a, aDict := old.(*value.Dict)
	b, bDict := v.(*value.Dict)
	if aDict && bDict {
		c := a.Clone()
		for _, e := range b.Entries() {
			_ = c.Set(e.Key, e.Value)
		}
		return c
	}
	if value.TypeName(old) != value.TypeName(v) {
		return v
	}
	if sum, err := value.Add(old, v); err == nil {
		return sum
	}
	return v
}

// registered is a result without the keys that are the engine's own, and without the
// invocation, which only the items of loops keep.
func registered(d *value.Dict, loop bool) *value.Dict {
	var drop []string
	for _, name := range []string{"_args", "_ansible_no_log", "_ansible_verbose_always", "invocation"} {
		if _, ok := d.GetString(name); ok && (name != "invocation" || !loop) {
			drop = append(drop, name)
		}
	}
	if len(drop) == 0 {
		return d
	}
	c := d.Clone()
	for _, name := range drop {
		c.Delete(name)
	}
	return c
}

func (pr *playRun) learnFacts(w *walker, u *turn, o *itemOutcome) {
	if o.result == nil || o.status == event.Unreachable {
		return
	}
	f, _ := o.result.GetString("ansible_facts")
	facts, ok := f.(*value.Dict)
	if !ok || facts.Len() == 0 {
		return
	}
	state := w.state
	if o.host != nil {
		state = pr.r.Store.Host(o.host)
	}
	switch u.task.Module {
	case "ansible.builtin.debug": // it shows facts
	case "ansible.builtin.set_fact":
		for _, e := range facts.Entries() {
			if name, ok := e.Key.(string); ok {
				state.SetFact(name, e.Value, u.task.Pos)
			}
		}
		if c, _ := o.result.GetString("_ansible_facts_cacheable"); c == true {
			state.MergeFacts(facts)
			pr.r.Store.KeepFacts(state)
		}
	case "ansible.builtin.include_vars":
		for _, e := range facts.Entries() {
			if name, ok := e.Key.(string); ok {
				state.SetIncluded(name, e.Value, u.task.Pos)
			}
		}
	default:
		state.MergeFacts(facts)
		pr.r.Store.KeepFacts(state)
	}
}

// applyInventory does what add_host and group_by ask for.
func (pr *playRun) applyInventory(w *walker, u *turn, out *outcome) {
	for i := range out.items {
		res := out.items[i].result
		if res == nil {
			continue
		}
		if v, ok := res.GetString("add_host"); ok {
			if d, isDict := v.(*value.Dict); isDict && u.task.Module == "ansible.builtin.add_host" {
				pr.addHost(d, u, &out.items[i])
			}
		}
		if v, ok := res.GetString("add_group"); ok && u.task.Module == "ansible.builtin.group_by" {
			parents, _ := res.GetString("parent_groups")
			changed, err := pr.r.Inventory.Join(w.host, value.Str(v), texts(parents))
			pr.inventoryResult(u, &out.items[i], changed, err)
		}
	}
}

func (pr *playRun) addHost(d *value.Dict, u *turn, o *itemOutcome) {
	name, _ := d.GetString("host_name")
	groups, _ := d.GetString("groups")
	vs, _ := d.GetString("host_vars")
	set := &value.Vars{}
	if hv, ok := vs.(*value.Dict); ok {
		for _, e := range hv.Entries() {
			set.Set(value.Str(e.Key), e.Value, u.task.Pos)
		}
	}
	_, changed, err := pr.r.Inventory.AddHost(value.Str(name), texts(groups), set)
	pr.inventoryResult(u, o, changed, err)
}

// inventoryResult completes the result of a task that changed the inventory.
func (pr *playRun) inventoryResult(u *turn, o *itemOutcome, changed bool, err error) {
	pr.r.Store.InventoryChanged()
	o.result.SetString("changed", changed)
	if name, ok := o.result.GetString("ansible_loop_var"); ok {
		u.setLocal(value.Str(name), o.item)
	}
	if err == nil {
		err = u.overrule(o.result)
	}
	if err != nil {
		o.result.SetString("failed", true)
		o.result.SetString("msg", u.r.Masker.String(err.Error()))
	}
	o.status = statusOf(o.result)
	o.ignored = o.status == event.Failed && u.ignore
}

func texts(v value.Value) []string {
	var out []string
	if v == nil {
		return nil
	}
	for _, e := range asList(v) {
		out = append(out, value.Str(e))
	}
	return out
}

// count keeps the statistics of the recap.
func (pr *playRun) count(w *walker, out *outcome, rescued bool) {
	s := pr.r.stat(w.host.Name)
	changed := out.status == event.Changed
	if c, ok := out.result.GetString("changed"); ok && c == true && out.ignored {
		changed = true
	}
	switch out.status {
	case event.Skipped:
		s.Skipped++
	case event.Unreachable:
		if out.ignored {
			s.OK++
			s.Ignored++
			return
		}
		s.Unreachable++
	case event.Failed:
		switch {
		case out.ignored:
			s.OK++
			s.Ignored++
			if changed {
				s.Changed++
			}
		case rescued:
			s.Rescued++
		default:
			s.Failed++
		}
	default:
		s.OK += max(1, len(out.includes))
		if changed {
			s.Changed++
		}
	}
}

// report emits the events of an outcome.
func (pr *playRun) report(w *walker, u *turn, out *outcome, rescued bool) {
	r := pr.r
	ev := pr.eventTask(u.origin)
	ev.NoLog = ev.NoLog || out.noLog
	now := r.Now()
	if u.mod != nil && out.status != event.Skipped {
		r.emit(event.Note{Text: "<" + w.host.Name + "> EXEC " + u.task.Module, Level: 3})
	}
	if out.isLoop {
		for i := range out.items {
			o := &out.items[i]
			label := r.Masker.Value(o.label)
			hidden := out.noLog && (o.noLog || !u.flagsPerItem)
			if hidden {
				label = "(censored due to no_log)"
			}
			for _, e := range o.told {
				r.emit(e)
			}
			r.emit(event.ItemResult{At: now, Host: w.host.Name, Task: ev, Status: o.status, Label: label,
				Result: u.shownIf(o.result, hidden), Places: o.at, Ignored: o.ignored,
				Diff: u.diffs(out, o), Delegated: o.delegated, Address: o.address})
		}
	}
	r.emit(event.HostResult{At: now, Host: w.host.Name, Task: ev, Status: out.status, Ignored: out.ignored, Rescued: rescued,
		Result: u.shown(out.result), Places: out.at, Loop: out.isLoop, Elapsed: out.elapsed, Delegated: out.delegated, Address: out.address, Diff: u.hostDiffs(out)})
	for _, name := range [2]string{"warnings", "deprecations"} {
		pr.warnings(u, out, name)
	}
}

func (pr *playRun) warnings(u *turn, out *outcome, name string) {
	if out.noLog {
		return
	}
	for i := range out.items {
		v, ok := out.items[i].result.GetString(name)
		if !ok {
			continue
		}
		for _, e := range asList(v) {
			if d, isDict := e.(*value.Dict); isDict {
				e, _ = d.GetString("msg")
			}
			pr.r.tellOnce(event.Warning{Text: value.Str(e), Deprecated: name == "deprecations"})
		}
	}
}

// hostDiffs are the diffs of a task without a loop; those of a loop are told item by item.
func (u *turn) hostDiffs(out *outcome) []value.Value {
	if out.isLoop || len(out.items) == 0 {
		return nil
	}
	return u.diffs(out, &out.items[0])
}

// diffs are shown with --diff.
func (u *turn) diffs(out *outcome, o *itemOutcome) []value.Value {
	if !out.diff || out.noLog || o.result == nil {
		return nil
	}
	v, ok := o.result.GetString("diff")
	if !ok {
		return nil
	}
	var all []value.Value
	for _, d := range asList(v) {
		all = append(all, u.r.Masker.Value(d))
	}
	return all
}

// move sends the host on its way after a task.
func (pr *playRun) move(w *walker, u *turn, out *outcome) (broken bool) {
	switch {
	case out.status == event.Unreachable && !out.ignored:
		w.unreachable = true
		pr.setMagic()
		return true
	case out.status == event.Failed && !out.ignored:
		base := w.stack[0]
		from := base.at
		w.fail(u.task, out.result)
		if w.failed {
			pr.forceHandlers(w, base, from)
			pr.setMagic()
			return true
		}
		w.state.SetFact("ansible_failed_task", failedTask(u.task), u.task.Pos)
		w.state.SetFact("ansible_failed_result", registered(out.result, out.isLoop), u.task.Pos)
		return true
	case len(out.includes) > 0 && out.status != event.Skipped:
		return false // pr.include moves it
	}
	w.advance()
	return false
}

// forceHandlers lets a failed host run its pending handlers before it leaves.
func (pr *playRun) forceHandlers(w *walker, base *frame, from *plan.Vertex) {
	if !pr.forced || len(w.notified)+len(w.notices) == 0 || w.afterFlush || from == nil {
		return
	}
	for v := from; v != nil; v = v.Next {
		if v.Task != nil && v.Task.Implicit && isMeta(v.Task) && metaName(v.Task) == "flush_handlers" {
			if pr.flushes == nil {
				pr.flushes = map[*plan.Vertex]bool{}
			}
			pr.flushes[v] = true
			base.at, base.blocks = v, map[*plan.Block]*blockState{}
			w.stack, w.failed, w.afterFlush = []*frame{base}, false, true
			return
		}
	}
}

// share gives the outcome of a task that ran once to the other hosts.
func (pr *playRun) share(others []*walker, u *turn, out *outcome) []pendingInclude {
	var inc []pendingInclude
	for _, w := range others {
		if u.task.Register != "" && out.result != nil {
			w.state.SetFact(u.task.Register, registered(out.result, out.isLoop), u.task.Pos)
		}
		for i := range out.items {
			pr.learnFacts(w, u, &out.items[i])
		}
		switch {
		case out.status == event.Failed && !out.ignored:
			w.fail(u.task, out.result)
		case out.status == event.Unreachable && !out.ignored:
			w.failed = true
		case len(out.includes) > 0 && out.status != event.Skipped:
			inc = append(inc, pr.includesFor(w, u, out)...)
		default:
			w.advance()
		}
	}
	pr.setMagic()
	return inc
}

func globMatch(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return err == nil && ok
}
