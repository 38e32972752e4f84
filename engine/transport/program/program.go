// Package program runs processes of this machine as transport.Process, and makes
// connections of programs that lead elsewhere (docker exec, chroot, ssh).
package program

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"

	"fettle/engine/transport"
)

// Options of a process.
type Options struct {
	Terminal bool // on a terminal, not with pipes
	// Lent: the program lends its streams to another, which keeps them open. Kill closes them.
	Lent bool
}

// Start starts a command in a session of its own. Its standard streams must not be set;
// its further files are closed here.
func Start(ctx context.Context, cmd *exec.Cmd, o Options) (transport.Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		for _, f := range cmd.ExtraFiles {
			_ = f.Close()
		}
	}()
	p := &process{cmd: cmd, lent: o.Lent, ended: make(chan struct{})}
	start := p.startPipes
	if o.Terminal {
		start = p.startPTY
	}
	if err := start(); err != nil {
		return nil, err
	}
	return p, nil
}

type process struct {
	cmd    *exec.Cmd
	lent   bool
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

func (r ttyReader) Close() error { return r.f.Close() }

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
	if p.lent {
		for _, r := range []io.Reader{p.stdout, p.stderr} {
			if c, ok := r.(io.Closer); ok {
				_ = c.Close()
			}
		}
	}
	return err
}
