package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"fettle/engine/event"
	"fettle/engine/runner"
	"fettle/engine/transport"
)

// enter and leave note who is in the middle of a task. spent is what the host took so far.
func (r *run) enter(u *turn) (spent time.Duration) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	r.active[u] = true
	return r.spent[u.w.host.Name]
}

// hostTime bounds a task by what is left of the host's time, after which the host is
// unreachable for the rest of the run.
func (r *run) hostTime(ctx context.Context, spent time.Duration) (context.Context, context.CancelFunc) {
	if r.HostTimeout <= 0 {
		return ctx, func() {}
	}
	msg := fmt.Sprintf("given up: the host took longer than the %v of --host-timeout", r.HostTimeout)
	return context.WithTimeoutCause(ctx, r.HostTimeout-spent, &transport.UnreachableError{Msg: msg, Err: context.DeadlineExceeded})
}

func (r *run) leave(u *turn, out *outcome) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	delete(r.active, u)
	r.spent[u.w.host.Name] += out.elapsed
	if r.ctx.Err() != nil && (out.status == event.Failed || out.status == event.Unreachable) {
		r.cutOff = append(r.cutOff, u)
	}
}

// watch tells, when the run is interrupted, what still runs. The function it returns ends
// that, and tells what was not waited for.
func (r *run) watch() (end func()) {
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-over:
		case <-r.stop.Done():
		}
		if r.stop.Err() != nil {
			r.interrupted(false)
		}
	})
	return func() {
		close(over)
		watching.Wait()
		if len(r.cutOff) > 0 {
			r.interrupted(true)
		}
	}
}

func (r *run) interrupted(ended bool) {
	r.emitMu.Lock()
	var turns []*turn
	for u := range r.active {
		turns = append(turns, u)
	}
	if ended {
		turns = slices.Clone(r.cutOff)
	}
	r.emitMu.Unlock()
	slices.SortFunc(turns, func(a, b *turn) int {
		return cmp.Or(cmp.Compare(a.task.ID, b.task.ID), cmp.Compare(a.w.host.Name, b.w.host.Name))
	})
	e := event.Interrupted{At: r.Now(), Ended: ended}
	for _, u := range turns {
		t := u.p.eventTask(u.task)
		if n := len(e.Running); n == 0 || e.Running[n-1].Task != t {
			e.Running = append(e.Running, event.Running{Task: t})
		}
		last := &e.Running[len(e.Running)-1]
		last.Hosts = append(last.Hosts, u.w.host.Name)
	}
	r.emit(e)
}

// streams are the content streams of a call, without content.
func (u *turn) streams() *runner.IO {
	return &runner.IO{Output: u.output, Notice: func(text string) { u.r.warnOnce(u.task.Pos, u.w.host.Name+": "+text) }}
}
