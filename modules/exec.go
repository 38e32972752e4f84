package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Command is a program that a module runs on the host. Argv is run as it stands, without
// a shell; Shell, when set instead, is text for a shell.
type Command struct {
	// Argv is the program and its arguments. A program without a slash is looked up in
	// the PATH that the command will have.
	Argv []string
	// Shell is run as Executable -c Shell; Executable is /bin/sh when not given.
	Shell string
	// Executable is run in place of Argv[0], which stays the name the program sees.
	Executable string
	Stdin      io.Reader // nil: /dev/null
	Dir        string
	// Env is set on top of the process environment and Host.Env: KEY=VALUE.
	Env []string
	// C gives the command LANG, LC_ALL, LC_MESSAGES and LANGUAGE for output to be parsed.
	C bool
	// As, when set, is whom root runs the command as, without further groups.
	As *syscall.Credential
	// Umask, when set, is the umask of the command.
	Umask *int
	// Timeout ends the command after this time; 0 means none.
	Timeout time.Duration
	// MaxOutput bounds what is kept of each stream; 0 means DefaultMaxOutput.
	MaxOutput int
	// Live sends the output to the caller while the command runs.
	Live bool
}

// DefaultMaxOutput is how much of each output stream is kept.
const DefaultMaxOutput = 16 << 20

// CommandResult is what a command that could be started came to.
type CommandResult struct {
	RC        int // exit code; -N when ended by signal N
	Stdout    []byte
	Stderr    []byte
	Start     time.Time
	End       time.Time
	TimedOut  bool // ended by Command.Timeout
	Truncated bool // a stream was longer than MaxOutput
}

// StartError says that a command could not be started.
type StartError struct {
	Program string
	Errno   syscall.Errno // ENOENT, EACCES, ...; Ansible's rc in this case
}

func (e *StartError) Error() string {
	return fmt.Sprintf("cannot run %q: %v", e.Program, e.Errno)
}

// drainIdle is how long output is still awaited, since its last sign, after the command
// itself has ended but something it started in the background holds its output open.
const drainIdle = 500 * time.Millisecond

// killGrace is the time between asking a process group to end and ending it.
const killGrace = time.Second

// killPoll is how often processes are looked at that are no children of this one.
const killPoll = 20 * time.Millisecond

// Run runs a command to its end, in its own session, so that it neither reads the
// runner's input nor survives it. A non-zero exit code is not an error. When ctx ends, or
// the timeout passes, the whole process group is ended; the error is then ctx's.
func (h *Host) Run(ctx context.Context, c Command) (CommandResult, error) {
	cmd, err := h.prepare(c)
	if err != nil {
		return CommandResult{RC: errnoOf(err)}, err
	}
	limit := c.MaxOutput
	if limit == 0 {
		limit = DefaultMaxOutput
	}
	stdout, stderr := &capture{limit: limit}, &capture{limit: limit}
	if c.Live && h.Output != nil {
		stdout.live = func(p []byte) { h.Output("stdout", p) }
		stderr.live = func(p []byte) { h.Output("stderr", p) }
	}
	res := CommandResult{Start: time.Now()}
	timedOut, err := runGroup(ctx, cmd, c, stdout, stderr)
	res.End, res.TimedOut = time.Now(), timedOut
	res.Stdout, res.Stderr = stdout.buf.Bytes(), stderr.buf.Bytes()
	res.Truncated = stdout.cut || stderr.cut
	if err != nil {
		res.RC = errnoOf(err)
		return res, err
	}
	res.RC = exitCode(cmd.ProcessState)
	if res.Truncated {
		h.Warn("the output of %s is longer than %d bytes; the rest was dropped", filepath.Base(cmd.Path), limit)
	}
	return res, ctx.Err()
}

// Sh quotes words as one command line for a POSIX shell, for messages and Shell.
func Sh(words ...string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if w != "" && strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_") == "" {
			b.WriteString(w)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(w, "'", `'"'"'`) + "'")
	}
	return b.String()
}

// LookPath finds a program in the PATH of the task, then in extra and in the directories
// of system programs. It returns "" when there is none.
func (h *Host) LookPath(name string, extra ...string) string {
	dirs := filepath.SplitList(lookupEnv(h.environ(Command{}), "PATH"))
	dirs = slices.Concat(extra, dirs, []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"})
	path, _ := findProgram(name, dirs, "")
	return path
}

func (h *Host) prepare(c Command) (*exec.Cmd, error) {
	argv, path := c.Argv, c.Executable
	if c.Shell != "" {
		if path == "" {
			path = "/bin/sh"
		}
		argv = []string{path, "-c", c.Shell}
	}
	if len(argv) == 0 {
		return nil, errors.New("no command given")
	}
	env := h.environ(c)
	if path == "" {
		path = argv[0]
	}
	found, errno := findProgram(path, filepath.SplitList(lookupEnv(env, "PATH")), c.Dir)
	if errno != 0 {
		return nil, &StartError{path, errno}
	}
	cmd := &exec.Cmd{Path: found, Args: argv, Dir: c.Dir, Env: env}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.As}
	bindTo(cmd.SysProcAttr)
	if c.Umask != nil {
		// Go cannot set the umask of a child only: a shell does it and becomes the program.
		cmd.Args = append([]string{"/bin/sh", "-c", fmt.Sprintf(`umask %04o; exec "$0" "$@"`, *c.Umask), found}, argv[1:]...)
		cmd.Path = "/bin/sh"
	}
	return cmd, nil
}

// environ is the environment of a command: later settings win.
func (h *Host) environ(c Command) []string {
	env := slices.Concat(os.Environ(), h.Env, c.Env)
	if c.C {
		env = append(env, "LANG=C", "LC_ALL=C", "LC_MESSAGES=C", "LANGUAGE=C")
	}
	return env
}

func lookupEnv(env []string, key string) string {
	for _, e := range slices.Backward(env) {
		if k, v, ok := strings.Cut(e, "="); ok && k == key {
			return v
		}
	}
	return ""
}

// findProgram resolves a program name; relative paths with a slash are relative to dir,
// where the command will run.
func findProgram(name string, dirs []string, dir string) (string, syscall.Errno) {
	if strings.Contains(name, "/") {
		at := name
		if dir != "" && !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		return name, executable(at)
	}
	errno := syscall.ENOENT
	for _, d := range dirs {
		if d == "" {
			d = "."
		}
		at := filepath.Join(d, name)
		switch executable(at) {
		case 0:
			return at, 0
		case syscall.EACCES:
			errno = syscall.EACCES
		}
	}
	return "", errno
}

func executable(path string) syscall.Errno {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return syscall.EACCES
	case err != nil:
		return syscall.ENOENT
	case info.IsDir() || info.Mode()&0o111 == 0:
		return syscall.EACCES
	}
	return 0
}

func errnoOf(err error) int {
	var se *StartError
	if errors.As(err, &se) {
		return int(se.Errno)
	}
	return 1
}

func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -int(ws.Signal())
	}
	return s.ExitCode()
}

// runGroup starts cmd and waits for it and its output.
func runGroup(ctx context.Context, cmd *exec.Cmd, c Command, stdout, stderr *capture) (timedOut bool, err error) {
	var readers, writers []*os.File
	for _, side := range []**capture{&stdout, &stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(append(readers, writers...))
			return false, err
		}
		(*side).from = r
		readers, writers = append(readers, r), append(writers, w)
	}
	defer closeAll(readers)
	cmd.Stdout, cmd.Stderr = writers[0], writers[1]
	feed, err := feeder(cmd, c.Stdin)
	runtime.LockOSThread() // as bindTo needs
	defer runtime.UnlockOSThread()
	if err == nil {
		err = cmd.Start()
	}
	closeAll(writers)
	if err != nil {
		feed.abandon()
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = &StartError{cmd.Path, errno}
		}
		return false, err
	}
	stopFeed := feed.start()
	var reading sync.WaitGroup
	reading.Go(stdout.read)
	reading.Go(stderr.read)
	timedOut = waitGroup(ctx, cmd, c.Timeout)
	stopFeed()
	stdout.ended()
	stderr.ended()
	reading.Wait()
	return timedOut, nil
}

// waitGroup waits for the process; it ends the group when ctx or the time is over.
func waitGroup(ctx context.Context, cmd *exec.Cmd, timeout time.Duration) (timedOut bool) {
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	defer newGuard(cmd.Process.Pid).end()
	var after <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-done:
		return false
	case <-ctx.Done():
	case <-after:
		timedOut = true
	}
	all := descendants(cmd.Process.Pid) // some, as apt's, have groups of their own
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	all.signal(syscall.SIGTERM)
	late := time.After(killGrace)
	select {
	case <-done:
	case <-late:
	}
	for all.alive() { // they get the same time, also when their parent is gone
		select {
		case <-time.After(killPoll):
			continue
		case <-late:
		}
		break
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	all.signal(syscall.SIGKILL)
	<-done
	return timedOut
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// input feeds the standard input of a command.
type input struct {
	from io.Reader
	to   *os.File // the writing end; nil when the command reads a file itself
	end  *os.File // the command's end
}

func feeder(cmd *exec.Cmd, from io.Reader) (*input, error) {
	if from == nil {
		return &input{}, nil // exec opens /dev/null
	}
	if f, ok := from.(*os.File); ok {
		cmd.Stdin = f
		return &input{}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return &input{}, err
	}
	cmd.Stdin = r
	return &input{from, w, r}, nil
}

func (in *input) abandon() {
	if in.to != nil {
		_ = in.to.Close()
		_ = in.end.Close()
	}
}

// start copies in the background; the returned func ends that. A source that blocks is
// left to its owner: the copy ends with its next read.
func (in *input) start() func() {
	if in.to == nil {
		return func() {}
	}
	_ = in.end.Close()
	go func() {
		_, _ = io.Copy(in.to, in.from)
		_ = in.to.Close()
	}()
	return func() { _ = in.to.Close() }
}

// capture reads one output stream of a command.
type capture struct {
	from  *os.File
	limit int
	live  func([]byte)
	buf   bytes.Buffer
	cut   bool

	mu   sync.Mutex
	over bool // the command has ended
}

func (c *capture) read() {
	p := make([]byte, 32<<10)
	for {
		n, err := c.from.Read(p)
		if n > 0 {
			c.keep(p[:n])
			c.extend()
		}
		if err != nil {
			return
		}
	}
}

func (c *capture) keep(p []byte) {
	if c.live != nil {
		c.live(p)
	}
	if room := c.limit - c.buf.Len(); len(p) > room {
		p, c.cut = p[:room], true
	}
	c.buf.Write(p)
}

// ended notes that the command is over: from now on only what comes soon is awaited.
func (c *capture) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	_ = c.from.SetReadDeadline(time.Now().Add(drainIdle))
}

func (c *capture) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		_ = c.from.SetReadDeadline(time.Now().Add(drainIdle))
	}
}
