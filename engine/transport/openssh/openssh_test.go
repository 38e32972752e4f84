package openssh

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/sshsim"
	"fettle/engine/transport/transporttest"
)

// The test program is its own askpass.
func TestMain(m *testing.M) {
	if is, code := Answer(os.Args, os.Stdout); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func newDialer(t *testing.T) *Dialer {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("no ssh on this machine (package openssh-client)")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	if len(os.TempDir()) > 60 {
		t.Setenv("TMPDIR", "/tmp")
	}
	return &Dialer{Askpass: self}
}

func TestContract(t *testing.T) {
	for name, config := range map[string][]string{"plain": nil, "one session a connection": {"MaxSessions 1"}} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Subject {
				s := transporttest.StartSSHD(t, config...)
				return transporttest.Subject{Dialer: newDialer(t), Target: s.Target(t), Drop: s.Drop, NoSignals: s.User == "root", NoSignalCodes: true}
			})
		})
	}
}

func run(t *testing.T, d *Dialer, target *transport.Target) (string, error) {
	t.Helper()
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	p, err := c.Start(t.Context(), "echo in", transport.StartOptions{})
	if err != nil {
		return "", err
	}
	_ = p.CloseStdin()
	var out bytes.Buffer
	_, _ = out.ReadFrom(p.Stdout())
	_, _ = out.ReadFrom(p.Stderr())
	_, err = p.Wait()
	return strings.TrimSpace(out.String()), err
}

func sim(t *testing.T, o sshsim.Options) (*sshsim.Server, *transport.Target) {
	t.Helper()
	o.Dir = t.TempDir()
	s, err := sshsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, &transport.Target{Name: "sim", Connection: "openssh", Address: "127.0.0.1", Port: s.Addr().Port, User: "u",
		CommonArgs: []string{"-F", "none", "-o", "IdentityAgent=none", "-o", "IdentityFile=none", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"}, Timeout: 10}
}

func TestPassword(t *testing.T) {
	for _, tt := range []struct {
		name, password string
		ask            bool
		want           string
	}{
		{"password", "pw secret", false, ""},
		{"keyboard-interactive", "pw secret", true, ""},
		{"wrong", "wrong", false, "Permission denied"},
		{"none", "", false, "Permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, target := sim(t, sshsim.Options{Password: "pw secret", Ask: tt.ask})
			target.Password = tt.password
			out, err := run(t, newDialer(t), target)
			if tt.want == "" && (err != nil || out != "in") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !transport.IsUnreachable(err)) {
				t.Errorf("%q, %v; want %q", out, err, tt.want)
			}
		})
	}
}

// A passphrase is asked for once, whatever number of hosts needs the key.
func TestPassphraseAskedOnce(t *testing.T) {
	s := transporttest.StartSSHD(t)
	d := newDialer(t)
	locked := filepath.Join(t.TempDir(), "locked")
	b, err := os.ReadFile(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(locked, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", "-p", "-P", "", "-N", "open sesame", "-f", locked).CombinedOutput(); err != nil {
		t.Skipf("ssh-keygen: %v %s", err, out)
	}
	var asked atomic.Int32
	d.Ask = func(context.Context, string, bool) (string, bool, error) {
		asked.Add(1)
		return "open sesame", true, nil
	}
	var all sync.WaitGroup
	for range 3 {
		target := s.Target(t)
		target.KeyFiles = []string{locked}
		all.Go(func() {
			if out, err := run(t, d, target); err != nil || out != "in" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	all.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestRefusals(t *testing.T) {
	d := newDialer(t)
	for want, change := range map[string]func(*transport.Target){
		"Connection refused":          func(x *transport.Target) { x.Port = 1 },
		"ansible_private_key is for":  func(x *transport.Target) { x.PrivateKey = "x" },
		"makes no sense here":         func(x *transport.Target) { x.CommonArgs = []string{"-W", "a:1"} },
		"is no name of a host":        func(x *transport.Target) { x.Address = "-oProxyCommand=touch /tmp/x" },
		"nosuchssh is not there":      func(x *transport.Target) { x.Extra = map[string]string{"ansible_ssh_executable": "nosuchssh"} },
		"does not take its configura": func(x *transport.Target) { x.CommonArgs = []string{"-F", "/nonexistent"} },
		"Host key verification":       func(x *transport.Target) { x.HostKeyChecking = true },
	} {
		_, target := sim(t, sshsim.Options{})
		change(target)
		if out, err := run(t, d, target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", want, out, err)
		}
	}
}

// Only the host itself gets its password.
func TestWhoAsks(t *testing.T) {
	q := &questions{h: &host{name: "web", known: map[string]string{"user": "u", "hostname": "10.0.0.1", "proxyjump": "b"}}}
	for text, want := range map[string]bool{"u@10.0.0.1's password: ": true, "(u@10.0.0.1) Password: ": true, "u@b's password: ": false, "(u@b) Password: ": false, "Password:": false,
		"Enter passphrase for key 'u@10.0.0.1's password'": false} {
		if q.isPassword(text) != want {
			t.Errorf("%q", text)
		}
	}
}
