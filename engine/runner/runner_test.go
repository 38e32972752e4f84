package runner

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/local"
	"fettle/engine/transport/ssh"
	"fettle/engine/transport/sshsim"
	"fettle/engine/wire"
	_ "fettle/modules/all"
	"fettle/modules/serve"
)

// buildDir is where the runner for the tests is built.
var buildDir string

// TestMain lets the test program be the runner it places.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serve.Word {
		os.Exit(serve.Main(os.Args[2:]))
	}
	dir, err := os.MkdirTemp("", "fettle-runner-test")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// bothBinaries are the two programs of a runner as hosts get them.
var bothBinaries = sync.OnceValues(func() (*Binaries, error) {
	runner, second := filepath.Join(buildDir, "fettle-runner-core"), filepath.Join(buildDir, "fettle-extra")
	if err := exec.Command("go", "build", "-tags", "core", "-o", runner, "fettle/cmd/fettle-runner").Run(); err != nil {
		return nil, err
	}
	if err := exec.Command("go", "build", "-o", second, "fettle/cmd/fettle-extra").Run(); err != nil {
		return nil, err
	}
	b, err := Own(runner)
	if err != nil {
		return nil, err
	}
	b.self = ""
	x, err := ownBinary(second)
	if err != nil {
		return nil, err
	}
	x.packed = sync.OnceValues(func() ([]byte, error) { return exec.Command("xz", "-0c", second).Output() })
	b.extra = []*Binary{x}
	return b, nil
})

// ownBinaries is a runner built for the tests; without the go tool, the test program.
var ownBinaries = sync.OnceValues(func() (*Binaries, error) {
	program := filepath.Join(buildDir, "fettle-runner")
	if err := exec.Command("go", "build", "-o", program, "fettle/cmd/fettle-runner").Run(); err == nil {
		return Own(program)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return Own(self)
})

func newPool(t *testing.T, dialers map[string]transport.Dialer) *Runners {
	t.Helper()
	bin, err := ownBinaries()
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Dialers: dialers, Binaries: bin})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func args(items ...string) (out []json.RawMessage) {
	for _, i := range items {
		out = append(out, json.RawMessage(i))
	}
	return out
}

func call(t *testing.T, p Pool, a *Account, c *wire.Call) []string {
	t.Helper()
	out := make([]string, len(c.Args))
	if err := p.Call(t.Context(), a, c, nil, func(r wire.Result) { out[r.Item] = string(r.Data) }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLocal(t *testing.T) {
	p := newPool(t, map[string]transport.Dialer{"local": local.Dialer{}})
	a := &Account{Target: &transport.Target{Name: "localhost", Connection: "local"}}
	r := call(t, p, a, &wire.Call{Module: "ansible.builtin.command", Args: args(`{"_raw_params":"echo hello"}`)})
	if !strings.Contains(r[0], `"stdout":"hello"`) {
		t.Errorf("got %s", r)
	}
	rc, out, errOut, err := p.Raw(context.Background(), a, "echo out; echo err >&2; exit 3")
	if rc != 3 || string(out) != "out\n" || string(errOut) != "err\n" || err != nil {
		t.Errorf("raw: rc %d, %q, %q, %v", rc, out, errOut, err)
	}
}

func simTarget(t *testing.T, o sshsim.Options) (*sshsim.Server, *Account) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := sshsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, &Account{Target: &transport.Target{Name: "sim", Connection: "ssh", Address: "127.0.0.1", Port: s.Addr().Port,
		User: "u", CommonArgs: []string{"-F", "none", "-o", "UserKnownHostsFile=/dev/null"}}}
}

func dialers(t *testing.T) map[string]transport.Dialer {
	t.Helper()
	d := &ssh.Dialer{}
	t.Cleanup(func() { _ = d.Close() })
	return map[string]transport.Dialer{"local": local.Dialer{}, "ssh": d}
}

func TestSim(t *testing.T) {
	p := newPool(t, dialers(t))
	s, a := simTarget(t, sshsim.Options{})
	for range 3 {
		r := call(t, p, a, &wire.Call{Module: "ansible.builtin.command", Args: args(`{"_raw_params":"pwd"}`)})
		if !strings.Contains(r[0], `"rc":0`) {
			t.Errorf("got %s", r)
		}
	}
	if st := s.Stats(); st.Connections != 1 || st.Execs != 1 {
		t.Errorf("%+v", st)
	}
	if st := p.Stats(); st.RoundTrips() != 3 {
		t.Errorf("%+v", st)
	}
}
