package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"fettle/engine/transport"
	"fettle/engine/wire"
)

// The connection to a runner may break while calls run there. The runner goes on with them
// for a while; the pool connects again and asks for it. When it is found, the calls go on as
// if nothing had happened. When it is not, nobody knows what became of them, and that is
// what their error says: they are never run again, but for those that only look.

// keepMargin: the controller may notice the loss later than runners do.
var keepMargin = 10 * time.Second

// keepFor is how long runners wait for a controller that tries for so long.
func keepFor(reconnect time.Duration) time.Duration {
	if reconnect <= 0 {
		return 0
	}
	return reconnect + keepMargin
}

// lost decides about a link whose connection broke.
func (p *Runners) lost(l *link, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.opts.Reconnect <= 0 || !l.client.Busy() {
		go l.client.Fail(cause)
		return
	}
	p.tasks.Go(func() { p.recover(l, cause) })
}

// recover connects again until the calls go on, or the time is over.
func (p *Runners) recover(l *link, cause error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(p.ctx, p.opts.Reconnect)
	defer cancel()
	l.mu.Lock()
	conn, former := l.conn, l.proc
	l.mu.Unlock()
	cause = lossOf(conn, cause)
	l.read.Go(func() { release(former) })
	for try := 1; ; try++ {
		next, err := p.reach(ctx, l.account)
		if err == nil {
			l.remember(next, fmt.Sprintf("the connection was lost (%v) and made again after %v", cause, time.Since(begin).Round(100*time.Millisecond)))
			err = l.client.Resume(ctx, next.client)
			if err == nil {
				l.goOn(next)
				return
			}
			l.resumes.Add(-1)
			var gone *wire.GoneError
			if errors.As(err, &gone) {
				l.client.Fail(fmt.Errorf("%w; connected again, but the runner is gone: %w", cause, err))
				p.adopt(l, next)
				return
			}
			p.end(next)
		}
		if !l.client.Busy() {
			l.client.Fail(cause)
			return
		}
		wait := min(100*time.Millisecond<<min(try, 6), 3*time.Second)
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			l.client.Fail(fmt.Errorf("%w; trying again for %v did not help: %w", cause, time.Since(begin).Round(time.Second), err))
			return
		}
	}
}

// reach starts another runner for an account, on a new connection when there is none.
func (p *Runners) reach(ctx context.Context, a *Account) (*link, error) {
	conn, err := p.conn(ctx, a.Target)
	if err != nil {
		return nil, err
	}
	return p.startOn(ctx, conn, a)
}

// release ends a process whose connection is of no use any more.
func release(proc transport.Process) {
	_ = proc.Kill()
	_ = proc.CloseStdin()
	_, _ = proc.Wait()
}

// remember notes what happened, before the calls go on: they may end at once.
func (l *link) remember(next *link, past string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past = next.conn.Description() + ": " + past
	l.resumes.Add(1)
}

// goOn takes the connection over that next was started on.
func (l *link) goOn(next *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.proc, l.stderr = next.conn, next.proc, next.stderr
	l.read.Go(next.read.Wait)
}

// story tells what happened to the connection during a call.
func (l *link) story(c *wire.Call) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%s while %s was running; it went on and nothing was run twice", l.past, c.Module)
}

// adopt makes a runner that was started in vain the one of its account.
func (p *Runners) adopt(l, next *link) {
	if p.lockAccount(p.ctx, next) != nil {
		p.end(next) // whoever needs the account next is told why
		return
	}
	next.client.OnLost(func(err error) { p.lost(next, err) })
	p.mu.Lock()
	key := accountKey(l.account)
	if s := p.links[key]; p.closed || s == nil || s.value != l {
		p.mu.Unlock()
		p.end(next)
		return
	}
	s := &shared[*link]{ready: make(chan struct{}), host: l.account.Target.Key(), value: next}
	close(s.ready)
	p.links[key] = s
	p.mu.Unlock()
	p.end(l)
}

// looking are modules that change nothing, whatever their arguments: they may run again.
var looking = map[string]bool{
	"ansible.builtin.setup": true, "ansible.builtin.gather_facts": true, "ansible.builtin.ping": true, "ansible.builtin.stat": true,
	"ansible.builtin.slurp": true, "ansible.builtin.find": true, "ansible.builtin.getent": true, "ansible.builtin.service_facts": true,
	"ansible.builtin.package_facts": true, "ansible.builtin.mount_facts": true,
}

// repeatable tells whether running a call twice does no harm.
func repeatable(c *wire.Call, io *IO) bool {
	return c.Binary == "" && c.Async == 0 && (io == nil || io.Receive == nil) && (c.Check || looking[c.Module])
}

// lossNotice is how long after a runner the loss of its connection may be noticed.
const lossNotice = 200 * time.Millisecond

// lossOf is why a runner was lost: its end is often the first sign of the connection's.
func lossOf(conn transport.Conn, err error) error {
	if err != wire.ErrEnded {
		return err
	}
	select {
	case <-conn.Done():
		return conn.Err()
	case <-time.After(lossNotice):
		return err
	}
}

// lostError words the loss of a runner during a call.
func lostError(l *link, c *wire.Call, lost *wire.LostError) error {
	l.mu.Lock()
	conn, stderr := l.conn, l.stderr
	l.mu.Unlock()
	why := lossOf(conn, lost.Err).Error()
	if s := clean(string(stderr.bytes())); s != "" {
		why += " (it printed: " + s + ")"
	}
	msg := fmt.Sprintf("%s: lost the runner: %s", conn.Description(), why)
	if lost.Sent {
		msg = fmt.Sprintf("%s: lost while %s was running, its outcome is unknown: %s", conn.Description(), c.Module, why)
	}
	return &transport.UnreachableError{Msg: msg, Err: lost, Unknown: lost.Sent}
}
