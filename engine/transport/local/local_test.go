package local

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/transporttest"
)

func TestContract(t *testing.T) {
	transporttest.Run(t, func(*testing.T) transporttest.Subject {
		return transporttest.Subject{Dialer: Dialer{}, Target: &transport.Target{Name: "localhost", Connection: "local"}}
	})
}

func TestDir(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dialer{}.Dial(t.Context(), &transport.Target{Name: "localhost", Connection: "local", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	p, err := c.Start(t.Context(), "pwd -P", transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(p.Stdout())
	_, _ = io.ReadAll(p.Stderr())
	if code, err := p.Wait(); err != nil || code != 0 || strings.TrimSpace(string(out)) != dir {
		t.Errorf("got %q, %d, %v, want %q", out, code, err, dir)
	}
}
