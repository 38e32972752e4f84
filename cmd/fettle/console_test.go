package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen is what a program printed at a terminal so far.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// await waits until the screen shows a text that was not there at from, and gives its end.
func (s *screen) await(t *testing.T, from int, want string) int {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if i := strings.Index(s.text()[from:], want); i >= 0 {
			return from + i + len(want)
		}
	}
	t.Fatalf("no %q behind %q", want, s.text()[from:])
	return 0
}

// TestConsoleAtTerminal: editing, completion and history, which need a terminal.
func TestConsoleAtTerminal(t *testing.T) {
	program, err := exec.LookPath("ansible-console")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(program, "-i", "web1,web2,db1", "-c", "local")
	cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home, "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	defer func() { _ = tty.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	s := &screen{}
	go func() { // ends when the terminal is closed
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			_, _ = s.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	send := func(keys string) {
		t.Helper()
		if _, err := tty.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	at := s.await(t, 0, "@all (3)[f:50]$ ")
	send("cd w\t")
	at = s.await(t, at, "cd web") // as far as both hosts agree
	send("\t")
	at = s.await(t, at, "web1  web2")
	send("1\r")
	at = s.await(t, at, "@web1 (1)[f:50]$ ")
	send("debug ms\t'from the terminal'\r")
	at = s.await(t, at, "debug msg='from the terminal'")
	at = s.await(t, at, `"msg": "from the terminal"`)
	at = s.await(t, at, "@web1 (1)[f:50]$ ")
	send("\x1b[A\x1b[A\r") // two lines up: cd web1
	at = s.await(t, at, "cd web1")
	at = s.await(t, at, "@web1 (1)[f:50]$ ")
	send("\x04")
	s.await(t, at, "Ansible-console was exited.")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(filepath.Join(home, ".ansible-console_history"))
	if err != nil || !strings.HasPrefix(string(b), "cd web1\ndebug msg=") {
		t.Errorf("history is %q, %v", b, err)
	}
}
