package sshsim

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/creack/pty"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// session is one channel of a connection: a command, a runner or a file transfer.
type session struct {
	server  *Server
	ch      ssh.Channel
	pty     bool
	env     []string
	running sync.WaitGroup
	replied sync.Mutex

	mu   sync.Mutex
	proc *os.Process
	tty  *os.File
}

func (s *session) serve(reqs <-chan *ssh.Request) {
	for r := range reqs {
		s.replied.Lock() // nothing ends before its request is answered
		ok := s.request(r)
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
		s.replied.Unlock()
	}
	s.hangUp()
	s.running.Wait()
}

func (s *session) request(r *ssh.Request) bool {
	switch r.Type {
	case "pty-req":
		s.pty = true
		return true
	case "env":
		var kv struct{ Name, Value string }
		if ssh.Unmarshal(r.Payload, &kv) != nil || kv.Name != "LANG" && !strings.HasPrefix(kv.Name, "LC_") {
			return false
		}
		s.env = append(s.env, kv.Name+"="+kv.Value)
		return true
	case "exec":
		var cmd struct{ Command string }
		if ssh.Unmarshal(r.Payload, &cmd) != nil {
			return false
		}
		s.server.execs.Add(1)
		s.exec(cmd.Command)
		return true
	case "signal":
		s.signal(syscall.SIGTERM)
		return true
	case "subsystem":
		var name struct{ Name string }
		if s.server.opts.NoSFTP || ssh.Unmarshal(r.Payload, &name) != nil || name.Name != "sftp" {
			return false
		}
		s.server.transfers.Add(1)
		s.running.Go(s.sftp)
		return true
	}
	return false
}

func (s *session) sftp() {
	srv, err := sftp.NewServer(s.ch, sftp.WithServerWorkingDirectory(s.server.opts.Dir))
	if err == nil {
		_ = srv.Serve()
		_ = srv.Close()
	}
	_ = s.ch.Close()
}

func (s *session) exec(line string) {
	if m := startNonce.FindStringSubmatch(line); m != nil && s.server.opts.Runner != nil {
		s.running.Go(func() {
			_, _ = io.WriteString(s.ch, s.server.opts.Noise+"fettle-runner "+m[1]+"\n")
			err := s.server.opts.Runner(s.server.ctx, s.ch, s.ch)
			s.exit(map[bool]int{true: 0, false: 1}[err == nil])
		})
		return
	}
	o := s.server.opts
	cmd := exec.Command(o.Shell[0], append(o.Shell[1:len(o.Shell):len(o.Shell)], line)...)
	cmd.Dir, cmd.Env = o.Dir, append(environ(o), s.env...)
	if o.Noise != "" {
		_, _ = io.WriteString(s.ch, o.Noise)
	}
	start := s.startPipes
	if s.pty {
		start = s.startPTY
	}
	wait, err := start(cmd)
	if err != nil {
		_, _ = io.WriteString(s.ch.Stderr(), err.Error()+"\n")
		s.running.Go(func() { s.exit(127) })
		return
	}
	kill := context.AfterFunc(s.server.ctx, func() { s.signal(syscall.SIGKILL) })
	s.running.Go(func() {
		wait()
		s.exit(code(cmd))
		kill()
	})
}

func code(cmd *exec.Cmd) int {
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 255
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}

// startPipes starts a command; wait returns when its outputs have ended.
func (s *session) startPipes(cmd *exec.Cmd) (wait func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.started(cmd.Process, nil)
	go func() { _, _ = io.Copy(in, s.ch); _ = in.Close() }()
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(s.ch, out) })
	reading.Go(func() { _, _ = io.Copy(s.ch.Stderr(), errs) })
	return reading.Wait, nil
}

func (s *session) startPTY(cmd *exec.Cmd) (wait func(), err error) {
	tty, err := pty.Start(cmd)
	if err != nil {
		return nil, err
	}
	s.started(cmd.Process, tty)
	go func() { _, _ = io.Copy(tty, s.ch) }()
	return func() {
		_, _ = io.Copy(s.ch, tty)
		_ = tty.Close()
	}, nil
}

func (s *session) started(p *os.Process, tty *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc, s.tty = p, tty
}

func (s *session) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		_ = syscall.Kill(-s.proc.Pid, sig)
	}
}

// hangUp ends what is left when the client has closed the channel.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tty != nil {
		_ = s.tty.Close()
	}
}

func (s *session) exit(code int) {
	s.replied.Lock()
	defer s.replied.Unlock()
	s.mu.Lock()
	s.proc = nil
	s.mu.Unlock()
	_, _ = s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
	_ = s.ch.Close()
}
