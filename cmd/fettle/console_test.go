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

// atTerminal starts a program at a terminal of its own, in a home of its own; send types.
func atTerminal(t *testing.T, home, name string, args ...string) (s *screen, send func(keys string), cmd *exec.Cmd) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(program, args...)
	cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home, "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { _ = tty.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s = &screen{}
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
	return s, func(keys string) {
		t.Helper()
		if _, err := tty.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}, cmd
}

// TestDebugAtTerminal: who asks an ad-hoc debug for a secret at the terminal is shown it, for
// other modules and in playbooks it stays masked.
func TestDebugAtTerminal(t *testing.T) {
	home := t.TempDir()
	play := "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: 'it is {{ ansible_password }}'}}]\n"
	if err := os.WriteFile(filepath.Join(home, "p.yml"), []byte(play), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		command    []string
	}{
		{"debug", "it is {{ 1 + 2 }}", []string{"ansible", "-i", "h,", "-c", "local", "-k", "all", "-m", "debug", "-a", "msg='it is {{ ansible_password }}'"}},
		{"other", `"msg": "********"`, []string{"ansible", "-i", "h,", "-c", "local", "-k", "all", "-m", "assert", "-a", "that=false fail_msg='it is {{ ansible_password }}'"}},
		{"playbook", `"msg": "********"`, []string{"ansible-playbook", "-i", "h,", "-c", "local", "-k", "p.yml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, send, _ := atTerminal(t, home, c.command[0], c.command[1:]...)
			at := s.await(t, 0, "SSH password:")
			send("{{ 1 + 2 }}\r")
			s.await(t, at, c.want)
		})
	}
}

// TestConsoleAtTerminal: editing, completion and history, which need a terminal.
func TestConsoleAtTerminal(t *testing.T) {
	home := t.TempDir()
	s, send, cmd := atTerminal(t, home, "ansible-console", "-i", "web1,web2,db1", "-c", "local")
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
