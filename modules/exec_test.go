package modules

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	umask := 0o027
	dir := t.TempDir()
	for _, tt := range []struct {
		name   string
		c      Command
		env    []string
		rc     int
		stdout string
		stderr string
	}{
		{name: "argv is not a shell", c: Command{Argv: []string{"echo", "$HOME;", "a b"}}, stdout: "$HOME; a b\n"},
		{name: "shell", c: Command{Shell: "echo out; echo err >&2; exit 3"}, rc: 3, stdout: "out\n", stderr: "err\n"},
		{name: "stdin", c: Command{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}, stdout: "in"},
		{name: "no stdin is empty", c: Command{Argv: []string{"cat"}}},
		{name: "stdin that is not read", c: Command{Argv: []string{"true"}, Stdin: strings.NewReader(strings.Repeat("x", 1<<20))}},
		{name: "task environment", c: Command{Shell: "echo $A$B", Env: []string{"B=2"}}, env: []string{"A=1", "B=1"}, stdout: "12\n"},
		{name: "C locale wins", c: Command{Shell: "echo $LC_ALL", C: true, Env: []string{"LC_ALL=de_DE"}}, stdout: "C\n"},
		{name: "dir", c: Command{Argv: []string{"pwd"}, Dir: "/"}, stdout: "/\n"},
		{name: "umask", c: Command{Shell: "umask", Umask: &umask}, stdout: "0027\n"},
		{name: "executable", c: Command{Shell: "echo $0", Executable: "/bin/bash"}, stdout: "/bin/bash\n"},
		{name: "signal", c: Command{Shell: "kill -9 $$"}, rc: -9},
		{name: "limit", c: Command{Shell: "echo 123456", MaxOutput: 3}, stdout: "123"},
		{name: "no terminal", c: Command{Shell: "echo x > /dev/tty || echo none", Dir: dir}, stdout: "none\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Host{Env: tt.env}
			r, err := h.Run(t.Context(), tt.c)
			if err != nil || r.RC != tt.rc || string(r.Stdout) != tt.stdout {
				t.Fatalf("rc %d, stdout %q, stderr %q, err %v", r.RC, r.Stdout, r.Stderr, err)
			}
			if tt.stderr != "" && string(r.Stderr) != tt.stderr {
				t.Errorf("stderr %q, want %q", r.Stderr, tt.stderr)
			}
			if tt.c.MaxOutput > 0 && !r.Truncated {
				t.Error("truncated output is not noted")
			}
		})
	}
}

func TestRunCannotStart(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]syscall.Errno{"no-such-program": syscall.ENOENT, dir + "/none": syscall.ENOENT, plain: syscall.EACCES} {
		r, err := (&Host{}).Run(t.Context(), Command{Argv: []string{name}})
		var se *StartError
		if !errors.As(err, &se) || se.Errno != want || r.RC != int(want) {
			t.Errorf("%s: rc %d, err %v; want %v", name, r.RC, err, want)
		}
	}
}

// Cancelling ends everything the command started, also what ignores the polite signal.
func TestRunEndsTheGroup(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"child", "sleep 600 & echo $! > pid; wait"},
		{"child that ignores the signal", "sh -c 'trap \"\" TERM; echo $$ > pid; sleep 600; sleep 600' & wait"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := (&Host{}).Run(ctx, Command{Shell: tt.script, Dir: dir})
				done <- err
			}()
			pid := waitPID(t, filepath.Join(dir, "pid"))
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("err %v", err)
			}
			for range 200 {
				if gone(pid) {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("process %d is still there", pid)
		})
	}
}

// A shell that is ended while it waits does not run its next command.
func TestRunEndsShellsFirst(t *testing.T) {
	for _, tt := range []struct{ name, script string }{
		{"of the group", "sleep 600; echo went on > on"},
		{"of a session of its own", "setsid -w sh -c 'sleep 600; echo went on > on'; true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for range 40 {
				_, err := (&Host{}).Run(t.Context(), Command{Shell: tt.script, Dir: dir, Timeout: 30 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := os.Stat(filepath.Join(dir, "on")); err == nil {
					t.Fatal("it ran its next command")
				}
			}
		})
	}
}

func TestRunTimeout(t *testing.T) {
	start := time.Now()
	r, err := (&Host{}).Run(t.Context(), Command{Argv: []string{"sleep", "600"}, Timeout: 50 * time.Millisecond})
	if err != nil || !r.TimedOut || time.Since(start) > 30*time.Second {
		t.Errorf("timed out %v, err %v, after %v", r.TimedOut, err, time.Since(start))
	}
}

// A daemon that keeps the output open does not hold up the task, and stays alive.
func TestRunLeavesDaemons(t *testing.T) {
	r, err := (&Host{}).Run(t.Context(), Command{Shell: "sleep 600 & echo $!"})
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(r.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	if gone(pid) {
		t.Error("the daemon was ended")
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func TestRunLive(t *testing.T) {
	got := make(chan string, 16)
	h := &Host{Output: func(stream string, p []byte) { got <- stream + ":" + string(p) }}
	release := filepath.Join(t.TempDir(), "go")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.Run(t.Context(), Command{Live: true, Argv: []string{"sh", "-c", `echo early; until [ -e "$0" ]; do sleep 0.01; done`, release}})
	}()
	if s := <-got; s != "stdout:early\n" {
		t.Errorf("got %q", s)
	}
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-done
}

func TestSh(t *testing.T) {
	if s := Sh("a", "", "b c", "it's", "$x"); s != `a '' 'b c' 'it'"'"'s' '$x'` {
		t.Error(s)
	}
}

func waitPID(t *testing.T, path string) int {
	t.Helper()
	for range 1000 {
		b, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && strings.HasSuffix(string(b), "\n") {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the command did not start")
	return 0
}

// gone tells whether the process has ended; a zombie nobody has collected yet has.
func gone(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z")
}
