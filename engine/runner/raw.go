package runner

import (
	"bytes"
	"context"
	"io"
	"sync"

	"fettle/engine/transport"
	"fettle/engine/transport/become"
)

// maxRaw bounds what is kept of each output of a raw command.
const maxRaw = 16 << 20

// Raw runs a command line through the login shell, or as the become user with /bin/sh.
func (p *Runners) Raw(ctx context.Context, a *Account, command string) (rc int, stdout, stderr []byte, err error) {
	conn, err := p.conn(ctx, a.Target)
	if err != nil {
		return 0, nil, nil, err
	}
	r := &rawRun{account: a, mark: []byte(entered + nonce())}
	r.stdout.run, r.stderr.run = r, r
	opts := transport.StartOptions{}
	if a.Become != nil {
		quiet := ""
		if become.OnTerminal(a.Become.Method) {
			quiet = "stty -echo -onlcr 2>/dev/null; " // as through a pipe
		}
		script := quiet + `echo "` + string(r.mark) + `" >&2; exec /bin/sh -c ` + become.Quote(command)
		if r.plan, err = become.Wrap(become.Options(*a.Become), script, nonce()); err != nil {
			return 0, nil, nil, err
		}
		command, opts.PTY = r.plan.Command, r.plan.PTY
	}
	if r.proc, err = conn.Start(ctx, command, opts); err != nil {
		return 0, nil, nil, err
	}
	defer context.AfterFunc(ctx, r.kill)()
	rc, err = r.follow()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case conn.Err() != nil:
		err = &transport.UnreachableError{Msg: conn.Description() + ": lost while raw was running, its outcome is unknown: " + conn.Err().Error(), Err: conn.Err(), Unknown: true}
	}
	return rc, r.stdout.buf.Bytes(), r.stderr.buf.Bytes(), err
}

// rawRun is one raw command, first on its way through the become program.
type rawRun struct {
	account *Account
	plan    *become.Plan // nil without become
	mark    []byte       // begins the line that tells that become worked
	proc    transport.Process
	stdout  rawStream
	stderr  rawStream

	mu       sync.Mutex
	inside   bool
	answered bool
	refused  error
}

func (r *rawRun) kill() {
	_ = r.proc.Kill()
	_ = r.proc.CloseStdin()
}

func (r *rawRun) follow() (int, error) {
	if r.plan == nil {
		r.inside = true
		_ = r.proc.CloseStdin()
	}
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&r.stdout, r.proc.Stdout()) })
	reading.Go(func() { _, _ = io.Copy(&r.stderr, r.proc.Stderr()) })
	reading.Wait()
	rc, err := r.proc.Wait()
	_ = r.proc.CloseStdin()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.refused != nil:
		return rc, r.refused
	case !r.inside && err == nil:
		return rc, r.plan.Failure(clean(r.stderr.buf.String()+"\n"+r.stdout.buf.String()), rc, r.answered)
	}
	return rc, err
}

// rawStream collects one output; before the mark it looks for the password prompt.
type rawStream struct {
	run *rawRun
	buf bytes.Buffer
}

func (s *rawStream) Write(p []byte) (int, error) {
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := maxRaw - s.buf.Len(); room > 0 {
		s.buf.Write(p[:min(len(p), room)])
	}
	if !r.inside {
		r.enter(s)
	}
	return len(p), nil
}

// enter looks at what the become program says; r.mu is held.
func (r *rawRun) enter(s *rawStream) {
	b := s.buf.Bytes()
	if i := bytes.Index(b, r.mark); i >= 0 {
		end := bytes.IndexByte(b[i:], '\n')
		if end < 0 {
			return
		}
		r.inside = true
		s.buf.Next(i + end + 1)
		if r.plan.PTY {
			_, _ = io.WriteString(r.proc, "\x04") // the end of input; to close a terminal is to hang up
		} else {
			_ = r.proc.CloseStdin()
		}
		return
	}
	if r.refused != nil || !r.plan.Asks(b) {
		return
	}
	switch {
	case r.account.Become.Password == "":
		r.refused = become.Missing(r.plan.Method())
	case r.answered:
		r.refused = become.Incorrect(r.plan.Method())
	default:
		r.answered = true
		s.buf.Reset()
		_, _ = io.WriteString(r.proc, r.account.Become.Password+"\n")
		return
	}
	r.kill()
}
