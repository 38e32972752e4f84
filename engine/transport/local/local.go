// Package local runs commands on this machine, as the current user, without SSH.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"

	"fettle/engine/transport"
)

// Dialer gives connections to this machine.
type Dialer struct{}

// Dial never fails.
func (Dialer) Dial(context.Context, *transport.Target) (transport.Conn, error) {
	return &conn{done: make(chan struct{})}, nil
}

type conn struct {
	once sync.Once
	done chan struct{}
}

var errClosed = errors.New("the connection was closed")

func (c *conn) Description() string   { return "local" }
func (c *conn) Done() <-chan struct{} { return c.done }

func (c *conn) Err() error {
	select {
	case <-c.done:
		return errClosed
	default:
		return nil
	}
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

// Start runs the command line with /bin/sh, in a session of its own.
func (c *conn) Start(ctx context.Context, command string, opts transport.StartOptions) (transport.Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", command)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	start := p.startPipes
	if opts.PTY {
		start = p.startPTY
	}
	if err := start(); err != nil {
		return nil, &transport.UnreachableError{Msg: fmt.Sprintf("cannot start a process on this machine: %v", err), Err: err}
	}
	return p, nil
}

type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.Reader
	stderr io.Reader
	tty    *os.File

	waiting sync.Once
	ended   chan struct{}
	code    int
	err     error
}

func (p *process) startPipes() (err error) {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return err
	}
	if p.stderr, err = p.cmd.StderrPipe(); err != nil {
		return err
	}
	return p.cmd.Start()
}

func (p *process) startPTY() (err error) {
	if p.tty, err = pty.Start(p.cmd); err != nil {
		return err
	}
	p.stdin, p.stdout, p.stderr = p.tty, ttyReader{p.tty}, eof{}
	return nil
}

// ttyReader reads a terminal, whose end on Linux is an error.
type ttyReader struct{ f *os.File }

func (r ttyReader) Read(b []byte) (int, error) {
	n, err := r.f.Read(b)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (p *process) Write(b []byte) (int, error) { return p.stdin.Write(b) }
func (p *process) Stdout() io.Reader           { return p.stdout }
func (p *process) Stderr() io.Reader           { return p.stderr }

// CloseStdin ends the input; on a terminal it hangs up, as an SSH channel does.
func (p *process) CloseStdin() error { return p.stdin.Close() }

func (p *process) Wait() (int, error) {
	p.waiting.Do(func() {
		defer close(p.ended)
		err := p.cmd.Wait()
		if p.tty != nil {
			_ = p.tty.Close()
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = nil
		}
		if p.err = err; err == nil {
			p.code = exitCode(p.cmd.ProcessState)
		}
	})
	<-p.ended
	return p.code, p.err
}

func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

// killGrace is the time between asking a process to end and ending it.
const killGrace = 2 * time.Second

// Kill asks the process group to end, and ends it when it does not within killGrace.
func (p *process) Kill() error {
	group := -p.cmd.Process.Pid
	err := syscall.Kill(group, syscall.SIGTERM)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	t := time.AfterFunc(killGrace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	go func() {
		<-p.ended
		t.Stop()
	}()
	return err
}

// Put writes a file beside its place and renames it.
func (c *conn) Put(ctx context.Context, path string, mode uint32, _ int64, content io.Reader) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".fettle-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = io.Copy(f, reader{ctx, content}); err != nil {
		return err
	}
	if err = f.Chmod(os.FileMode(mode & 0o777)); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Get copies a file.
func (c *conn) Get(ctx context.Context, path string, to io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(to, reader{ctx, f})
	return err
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
