package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fettle/engine/transport"
	"fettle/engine/transport/sshsim"
	"fettle/engine/wire"
)

// recovering is a pool that connects again, and a call that runs until the file "go" is there.
func recovering(t *testing.T) (p *Runners, s *sshsim.Server, a *Account, home string, begin func() <-chan outcome) {
	t.Helper()
	home = t.TempDir()
	s, a = simTarget(t, sshsim.Options{Dir: home})
	p = newPool(t, dialers(t))
	p.opts.Reconnect = 20 * time.Second
	begin = func() <-chan outcome {
		done := make(chan outcome, 1)
		go func() {
			var o outcome
			script := "cd " + home + "; echo >> begun; while [ -e begun ] && [ ! -e go ]; do sleep 0.02; done; echo it is done"
			o.err = p.Call(t.Context(), a, &wire.Call{Module: "ansible.builtin.shell", Args: args(`{"_raw_params":"` + script + `"}`)},
				&IO{Notice: func(text string) { o.notice = text }}, func(r wire.Result) { o.result = string(r.Data) })
			done <- o
		}()
		until(t, func() bool { _, err := os.Stat(home + "/begun"); return err == nil })
		return done
	}
	return p, s, a, home, begin
}

type outcome struct {
	result, notice string
	err            error
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

// A call goes on when its link is cut, however often, and comes to its end once.
func TestCallOutlivesLink(t *testing.T) {
	p, s, _, home, begin := recovering(t)
	done := begin()
	for n := range int64(3) {
		s.Cut()
		until(t, func() bool { return p.Stats().Resumed == n+1 })
	}
	must(t, os.WriteFile(home+"/go", nil, 0o600))
	o := <-done
	if o.err != nil || !strings.Contains(o.result, "it is done") || !strings.Contains(o.notice, "connection was lost") {
		t.Errorf("%+v, err %v", o, o.err)
	}
	if b, _ := os.ReadFile(home + "/begun"); string(b) != "\n" {
		t.Errorf("it ran more than once: %q", b)
	}
}

// A call that ends while there is no connection is not lost either.
func TestOutcomeIsKept(t *testing.T) {
	_, s, _, home, begin := recovering(t)
	done := begin()
	s.Cut()
	must(t, os.WriteFile(home+"/go", nil, 0o600))
	if o := <-done; o.err != nil || !strings.Contains(o.result, "it is done") {
		t.Errorf("%+v, err %v", o, o.err)
	}
}

// When the runner itself is gone, the outcome is unknown, and the next call starts another.
func TestRunnerKilled(t *testing.T) {
	p, _, a, _, begin := recovering(t)
	done := begin()
	h, err := p.Connect(t.Context(), a)
	must(t, err)
	must(t, syscall.Kill(h.PID, syscall.SIGKILL))
	o := <-done
	var u *transport.UnreachableError
	if !asUnreachable(o.err, &u) || !u.Unknown || !strings.Contains(o.err.Error(), "ansible.builtin.shell") || !strings.Contains(o.err.Error(), "it has ended") {
		t.Errorf("%+v, err %v", o, o.err)
	}
	must(t, ping(t, p, a))
}

// closable is a way to hosts that can be closed.
type closable struct {
	transport.Dialer
	closed atomic.Bool
}

func (c *closable) Dial(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	if c.closed.Load() {
		return nil, &transport.UnreachableError{Msg: "no way to " + t.Name}
	}
	return c.Dialer.Dial(ctx, t)
}

// Nobody comes back: the runner ends what it has begun, and itself.
func TestControllerNeverBack(t *testing.T) {
	defer func(d time.Duration) { keepMargin = d }(keepMargin)
	keepMargin = time.Second
	p, s, a, home, begin := recovering(t)
	p.opts.Reconnect = 500 * time.Millisecond
	way := &closable{Dialer: p.opts.Dialers["ssh"]}
	p.opts.Dialers["ssh"] = way
	done := begin()
	h, err := p.Connect(t.Context(), a)
	must(t, err)
	way.closed.Store(true)
	s.Cut()
	o := <-done
	var u *transport.UnreachableError
	if !asUnreachable(o.err, &u) || !u.Unknown || !strings.Contains(o.err.Error(), "did not help") {
		t.Errorf("%+v, err %v", o, o.err)
	}
	until(t, func() bool { return syscall.Kill(h.PID, 0) != nil })
	left, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, l := range left {
		if dir, _ := os.Readlink(l); dir == home {
			t.Errorf("a process is left: %s", l)
		}
	}
}

func TestRepeatable(t *testing.T) {
	for _, tt := range []struct {
		c    wire.Call
		io   *IO
		want bool
	}{
		{wire.Call{Module: "ansible.builtin.stat"}, nil, true},
		{wire.Call{Module: "ansible.builtin.copy"}, nil, false},
		{wire.Call{Module: "ansible.builtin.copy", Check: true}, nil, true},
		{wire.Call{Module: "ansible.builtin.command", Check: true, Binary: "x"}, nil, false},
		{wire.Call{Module: "ansible.builtin.stat", Async: 1}, nil, false},
	} {
		if got := repeatable(&tt.c, tt.io); got != tt.want {
			t.Errorf("%+v: %v", tt.c, got)
		}
	}
}
