// Package faults_test breaks things in the middle of plays: links, runners, hosts, disks, the
// controller. Files are then old or new and never a mix, nothing is left behind, what was not
// idempotent did not run twice, and the report says what is known.
package faults_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/local"
	"fettle/modules/serve"
)

// TestMain lets the test program be the runner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serve.Word {
		os.Exit(serve.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// link is the way to this machine, as if over a network that fails once: at frame number
// cutAt, of both directions together. half lets half of that frame through; kill takes the
// runner down with the link.
type link struct {
	cutAt      int
	half, kill bool

	mu     sync.Mutex
	frames int
	cuts   int
	pids   []int
}

// Dial implements transport.Dialer.
func (l *link) Dial(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	inner, err := local.Dialer{}.Dial(ctx, t)
	return &linkConn{Conn: inner, link: l, done: make(chan struct{})}, err
}

// pass counts the frame, and tells whether the link is cut at it.
func (l *link) pass() (cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames++
	if l.frames != l.cutAt {
		return false
	}
	l.cuts++
	if l.kill {
		for _, pid := range l.pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return true
}

var errCut = errors.New("the network failed")

type linkConn struct {
	transport.Conn
	link *link
	done chan struct{}

	mu    sync.Mutex
	procs []*linkProcess
	err   error
}

func (c *linkConn) Done() <-chan struct{} { return c.done }

func (c *linkConn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *linkConn) Close() error { c.fail(errors.New("closed")); return nil }

// fail breaks all that goes over the connection; the processes stay, as on another machine.
func (c *linkConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	for _, p := range c.procs {
		_ = p.Process.CloseStdin()
		_ = p.Process.Stdout().(io.Closer).Close()
		_ = p.Process.Stderr().(io.Closer).Close()
	}
	close(c.done)
}

func (c *linkConn) Start(ctx context.Context, command string, o transport.StartOptions) (transport.Process, error) {
	inner, err := c.Conn.Start(ctx, command, o)
	if err != nil {
		return nil, err
	}
	p := &linkProcess{Process: inner, conn: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		_ = inner.CloseStdin()
		return nil, &transport.UnreachableError{Msg: c.err.Error(), Err: c.err}
	}
	c.procs = append(c.procs, p)
	return p, nil
}

// linkProcess looks at the frames that go by.
type linkProcess struct {
	transport.Process
	conn     *linkConn
	greeted  bool
	out, ins splitter
	buf      bytes.Buffer
}

func (p *linkProcess) broken() bool { return p.conn.Err() != nil }

func (p *linkProcess) Kill() error {
	if p.broken() {
		return nil
	}
	return p.Process.Kill()
}

func (p *linkProcess) Wait() (int, error) {
	if p.broken() {
		go func() { _, _ = p.Process.Wait() }()
		return 0, errCut
	}
	return p.Process.Wait()
}

func (p *linkProcess) Write(b []byte) (int, error) {
	ok, cut := p.ins.take(p.conn.link, b)
	if len(ok) > 0 {
		if _, err := p.Process.Write(ok); err != nil {
			return 0, err
		}
	}
	if cut {
		p.conn.fail(errCut)
		return 0, errCut
	}
	return len(b), nil
}

func (p *linkProcess) Stdout() io.Reader { return outReader{p} }

type outReader struct{ p *linkProcess }

func (r outReader) Read(b []byte) (int, error) {
	p := r.p
	for p.buf.Len() == 0 {
		n, err := p.Process.Stdout().Read(b)
		if n == 0 && err != nil {
			return 0, err
		}
		got := bytes.Clone(b[:n])
		if !p.greeted {
			i := bytes.IndexByte(got, '\n') + 1
			if i == 0 {
				p.buf.Write(got)
				break
			}
			p.buf.Write(got[:i])
			p.greeted, got = true, got[i:]
		}
		ok, cut := p.out.take(p.conn.link, got)
		p.buf.Write(ok)
		if cut {
			p.conn.fail(errCut)
			break
		}
	}
	if p.buf.Len() == 0 {
		return 0, errCut
	}
	return p.buf.Read(b)
}

// splitter finds the frames in a stream.
type splitter struct {
	head []byte
	left int // of the frame that passes
}

// take returns what may pass of b, and whether the link is cut behind it.
func (s *splitter) take(l *link, b []byte) (ok []byte, cut bool) {
	for len(b) > 0 {
		if s.left > 0 {
			n := min(s.left, len(b))
			ok, b = append(ok, b[:n]...), b[n:]
			s.left -= n
			continue
		}
		n := min(9-len(s.head), len(b))
		s.head, b = append(s.head, b[:n]...), b[n:]
		if len(s.head) < 9 {
			break
		}
		if l.pass() {
			if l.half {
				ok = append(append(ok, s.head...), b[:min(len(b), int(binary.BigEndian.Uint32(s.head))/2)]...)
			}
			return ok, true
		}
		s.left = int(binary.BigEndian.Uint32(s.head))
		ok, s.head = append(ok, s.head...), nil
	}
	return ok, false
}

func contains(lines []string, words ...string) bool {
	for _, l := range lines {
		all := true
		for _, w := range words {
			all = all && strings.Contains(l, w)
		}
		if all {
			return true
		}
	}
	return false
}
