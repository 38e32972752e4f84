package run

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/inventory"
)

// run is one execution of a plan.
type run struct {
	Options
	ctx   context.Context // of the run; cancelled on the second interrupt
	stop  context.Context // done on the first interrupt: no new tasks
	stats map[string]*event.Stats
	// dead are hosts that failed or were unreachable in an earlier play.
	dead map[string]bool
	// failedHosts are those of dead that failed, not the unreachable ones.
	failedHosts map[string]bool
	tasks       map[*plan.Task]*event.Task
	custom      map[string]*value.Dict
	selected    map[*plan.Task]bool
	started     bool // StartAtTask has been reached
	stepAll     bool
	unreached   bool // some host was unreachable
	failedAny   bool
	ended       bool // end of the whole run was asked for
	quit        bool // in the debugger

	lastProgress time.Time

	emitMu sync.Mutex
	warned map[string]bool
	delegs map[string]*inventory.Host
	slots  chan struct{}            // forks
	active map[*turn]bool           // who is in the middle of a task; emitMu guards it
	spent  map[string]time.Duration // in tasks, by host; emitMu guards it
	cutOff []*turn                  // whose task was not waited for; emitMu guards it
}

// Run executes the plan and returns the exit code of ansible-playbook. An error means that
// the run could not be set up; failures of hosts are events. stop, when done, lets running
// tasks finish and starts no more; ctx ends everything.
func Run(ctx, stop context.Context, o Options) (int, error) {
	if o.Forks <= 0 {
		o.Forks = 50
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &run{Options: o, ctx: ctx, stop: stop, stats: map[string]*event.Stats{}, dead: map[string]bool{}, failedHosts: map[string]bool{},
		tasks: map[*plan.Task]*event.Task{}, custom: map[string]*value.Dict{}, selected: map[*plan.Task]bool{},
		warned: map[string]bool{}, delegs: map[string]*inventory.Host{}, slots: make(chan struct{}, o.Forks), active: map[*turn]bool{}, spent: map[string]time.Duration{},
		started: o.StartAtTask == ""}
	start := o.Now()
	r.emit(event.RunStart{At: start, Playbooks: r.playbooks(), Check: o.Check})
	end := r.watch()
	var err error
	for _, p := range o.Plan.Plays {
		if err = r.play(p); err != nil || r.ended || stop.Err() != nil {
			break
		}
	}
	end()
	code := r.exitCode()
	if r.quit {
		code = ExitInterrupted
	}
	if stop.Err() != nil {
		code = ExitInterrupted
		if errors.Is(err, context.Canceled) {
			err = nil // a question that was not answered
		}
	}
	var wrong *optionError
	if errors.As(err, &wrong) {
		return ExitOptions, err
	}
	var unreadable *parseError
	if errors.As(err, &unreadable) {
		return ExitParse, err
	}
	if err != nil {
		return 1, err
	}
	r.emit(event.RunEnd{At: o.Now(), Elapsed: o.Now().Sub(start), Stats: r.recap(), Custom: r.shownStats(), ExitCode: code})
	return code, err
}

// shownStats is what set_stats gave, masked.
func (r *run) shownStats() map[string]*value.Dict {
	out := make(map[string]*value.Dict, len(r.custom))
	for name, d := range r.custom {
		out[name] = r.Masker.Dict(d)
	}
	return out
}

func (r *run) playbooks() []event.Playbook {
	var out []event.Playbook
	for _, p := range r.Plan.Plays {
		if n := len(out); n == 0 || out[n-1].Name != p.Playbook {
			out = append(out, event.Playbook{Name: p.Playbook})
		}
		out[len(out)-1].Plays++
	}
	return out
}

// exitCode: unreachable hosts win over failed ones.
func (r *run) exitCode() int {
	switch {
	case r.unreached:
		return ExitUnreachable
	case r.failedAny:
		return ExitFailed
	}
	return ExitOK
}

func (r *run) recap() []event.Stats {
	out := make([]event.Stats, 0, len(r.stats))
	for _, s := range r.stats {
		out = append(out, *s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Host < out[j].Host })
	return out
}

func (r *run) stat(host string) *event.Stats {
	s := r.stats[host]
	if s == nil {
		s = &event.Stats{Host: host}
		r.stats[host] = s
	}
	return s
}

// emit sends an event on; emitLater is the same for the goroutines that work on hosts.
func (r *run) emit(e event.Event) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	r.Sink.Emit(e)
}

func (r *run) emitLater(e event.Event) { r.emit(e) }

// warnOnce shows a warning the first time it comes up.
func (r *run) warnOnce(at diag.Pos, text string) { r.tellOnce(event.Warning{Text: text, Pos: at}) }

func (r *run) tellOnce(w event.Warning) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	key := w.Pos.String() + w.Text
	if r.warned[key] {
		return
	}
	r.warned[key] = true
	w.Text = r.Masker.String(w.Text)
	r.Sink.Emit(w)
}

// delegateHost finds or makes the host that a task is delegated to: names that are not in
// the inventory are taken as addresses.
func (r *run) delegateHost(name string) *inventory.Host {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	if h := r.Inventory.Host(name); h != nil {
		return h
	}
	if h := r.delegs[name]; h != nil {
		return h
	}
	h := r.Inventory.Outside(name)
	r.delegs[name] = h
	return h
}

// eventTask is the name under which a task appears in events.
func (p *playRun) eventTask(t *plan.Task) *event.Task {
	p.r.emitMu.Lock()
	defer p.r.emitMu.Unlock()
	if e := p.r.tasks[t]; e != nil {
		return e
	}
	e := &event.Task{ID: t.ID, Action: t.Action, Module: t.Module, Pos: t.Pos, Tags: t.Tags, Handler: t.Handler}
	e.Check = p.r.checkMode(&t.Keywords)
	if t.Role != nil && t.Module != "ansible.builtin.include_role" { // Ansible names the role that comes alone
		e.Role = t.Role.Name
	}
	if t.Name.Set {
		e.Name = value.Str(rawText(t.Name.Value))
	}
	if e.Name == "" && t.Module == "ansible.builtin.include_role" {
		name, ok := t.Args.GetString("name")
		if !ok {
			name, ok = t.Args.GetString("role")
		}
		if ok {
			e.Name = t.Action + " : " + value.Str(rawText(name))
		}
	}
	p.r.tasks[t] = e
	return e
}

// inOrder sorts hosts as the order keyword says.
func (r *run) inOrder(hosts []*inventory.Host, order string) ([]*inventory.Host, error) {
	out := slices.Clone(hosts)
	byName := func(a, b *inventory.Host) int { return strings.Compare(a.Name, b.Name) }
	switch order {
	case "", "inventory":
	case "sorted":
		slices.SortStableFunc(out, byName)
	case "reverse_sorted":
		slices.SortStableFunc(out, func(a, b *inventory.Host) int { return byName(b, a) })
	case "reverse_inventory":
		slices.Reverse(out)
	case "shuffle":
		if r.Rand != nil {
			r.Rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		}
	default:
		return nil, badOption("invalid value %q for order: it is one of inventory, sorted, reverse_sorted, reverse_inventory, shuffle", order)
	}
	return out, nil
}
