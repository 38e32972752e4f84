// Package transporttest is the contract of transport.Conn as tests, which every
// implementation passes, and a real sshd to pass them on.
package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fettle/engine/transport"
)

// Subject is what is tested: a way to an account on this machine.
type Subject struct {
	Dialer transport.Dialer
	Target *transport.Target
	// Drop, when set, cuts the connection as a failing network does.
	Drop func()
	// NoPTY: the connection has no terminals.
	NoPTY bool
	// NoSignals: the other side takes no signals (sshd, from root).
	NoSignals bool
	// NoSignalCodes: that a signal ended a command is not told.
	NoSignalCodes bool
}

// Run runs the contract; start makes a fresh subject.
func Run(t *testing.T, start func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Subject, transport.Conn)
	}{
		{"exit codes", exitCodes}, {"streams", streams}, {"bulk", bulk}, {"many at once", manyAtOnce},
		{"kill", kill}, {"terminal", terminal}, {"put and get", putAndGet}, {"put fails", putFails},
		{"close", closing}, {"drop", drop},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			conn, err := s.Dialer.Dial(t.Context(), s.Target)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			c.test(t, s, conn)
		})
	}
	t.Run("cancelled dial", func(t *testing.T) {
		s := start(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if c, err := s.Dialer.Dial(ctx, s.Target); err == nil {
			if _, err = c.Start(ctx, "true", transport.StartOptions{}); err == nil {
				t.Error("started under a context that is over")
			}
		}
	})
}

// result runs a command line to its end.
func result(t *testing.T, c transport.Conn, command, stdin string) (code int, stdout, stderr string) {
	t.Helper()
	p, err := c.Start(t.Context(), command, transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	var all sync.WaitGroup
	all.Go(func() { _, _ = io.WriteString(p, stdin); _ = p.CloseStdin() })
	all.Go(func() { _, _ = io.Copy(&out, p.Stdout()) })
	all.Go(func() { _, _ = io.Copy(&errs, p.Stderr()) })
	all.Wait()
	code, err = p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return code, out.String(), errs.String()
}

func exitCodes(t *testing.T, s Subject, c transport.Conn) {
	for command, want := range map[string]int{"true": 0, "exit 3": 3, "exit 255": 255, "kill -9 $$": 137} {
		if want > 128 && want < 255 && s.NoSignalCodes {
			continue
		}
		if code, _, _ := result(t, c, command, ""); code != want {
			t.Errorf("%s: exit code %d, want %d", command, code, want)
		}
	}
}

func streams(t *testing.T, _ Subject, c transport.Conn) {
	code, out, errs := result(t, c, `cat; echo "out 'x' $((1+1))"; echo err >&2`, "in\n")
	if code != 0 || out != "in\nout 'x' 2\n" || errs != "err\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
}

func bulk(t *testing.T, _ Subject, c transport.Conn) {
	in := strings.Repeat("0123456789abcde\n", 256<<10)
	if code, out, _ := result(t, c, "cat", in); code != 0 || out != in {
		t.Errorf("exit code %d, %d of %d bytes", code, len(out), len(in))
	}
}

func manyAtOnce(t *testing.T, _ Subject, c transport.Conn) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, out, _ := result(t, c, fmt.Sprintf("echo %d", i), ""); out != fmt.Sprintf("%d\n", i) {
				t.Errorf("%d: %q", i, out)
			}
		})
	}
	all.Wait()
}

// kill: the process and what it waits for are gone, and its streams end.
func kill(t *testing.T, s Subject, c transport.Conn) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "alive")
	p, err := c.Start(t.Context(), "echo $$; while sleep 0.05 && [ -d "+dir+" ]; do echo x >> "+mark+"; done", transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stdout().Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	_, _ = io.Copy(io.Discard, p.Stdout())
	_, _ = io.Copy(io.Discard, p.Stderr())
	_, _ = p.Wait()
	if s.NoSignals {
		return
	}
	still := func() int64 {
		info, err := os.Stat(mark)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for range 100 {
		before := still()
		time.Sleep(200 * time.Millisecond)
		if still() == before {
			return
		}
	}
	t.Error("the process goes on")
}

func terminal(t *testing.T, s Subject, c transport.Conn) {
	if s.NoPTY {
		t.Skip("this connection has no terminals")
	}
	p, err := c.Start(t.Context(), "stty raw -echo; test -t 0 && test -t 1 && echo tty; read -r x; echo got $x", transport.StartOptions{PTY: true})
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 1)
	go func() { b, _ := io.ReadAll(p.Stdout()); out <- string(b) }()
	_, _ = io.WriteString(p, "word\n")
	if got := <-out; !strings.Contains(got, "tty\n") || !strings.Contains(got, "got word\n") {
		t.Errorf("got %q", got)
	}
	_, _ = p.Wait()
}

func putAndGet(t *testing.T, _ Subject, c transport.Conn) {
	path := filepath.Join(t.TempDir(), "it's a file")
	for _, content := range []string{"first", strings.Repeat("second\n", 100_000), ""} {
		if err := c.Put(t.Context(), path, 0o640, int64(len(content)), strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := c.Get(t.Context(), path, &got); err != nil || got.String() != content {
			t.Errorf("got %d bytes of %d, err %v", got.Len(), len(content), err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("mode %v, err %v", info.Mode(), err)
		}
	}
	if err := c.Get(t.Context(), path+".none", io.Discard); err == nil {
		t.Error("got a file that is not there")
	}
}

// putFails: the old content stays, and nothing new lies about.
func putFails(t *testing.T, _ Subject, c transport.Conn) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), errReader{})
	if err := c.Put(t.Context(), path, 0o644, 1_000_000, broken); err == nil {
		t.Error("no error")
	}
	for range 50 { // without sftp the host cleans up after us
		if files, _ := os.ReadDir(dir); len(files) == 1 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	files, _ := os.ReadDir(dir)
	if b, _ := os.ReadFile(path); string(b) != "old" || len(files) != 1 {
		t.Errorf("content %q, %d files", b, len(files))
	}
	if err := c.Put(t.Context(), filepath.Join(dir, "no", "dir"), 0o644, 1, strings.NewReader("x")); err == nil {
		t.Error("no error for a directory that is not there")
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the disk is broken") }

func closing(t *testing.T, _ Subject, c transport.Conn) {
	if c.Err() != nil || c.Description() == "" {
		t.Errorf("err %v, description %q", c.Err(), c.Description())
	}
	_ = c.Close()
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("not done")
	}
	if c.Err() == nil {
		t.Error("no reason")
	}
}

// drop: the loss of the connection ends streams and is told.
func drop(t *testing.T, s Subject, c transport.Conn) {
	if s.Drop == nil {
		t.Skip("this connection cannot be cut")
	}
	p, err := c.Start(t.Context(), "sleep 600", transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Drop()
	_, _ = io.Copy(io.Discard, p.Stdout())
	_, _ = p.Wait()
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the loss is not noticed")
	}
	_, err = c.Start(t.Context(), "true", transport.StartOptions{})
	if !transport.IsUnreachable(err) {
		t.Errorf("starting on a lost connection: %v", err)
	}
}
