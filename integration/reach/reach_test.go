//go:build integration

// Package reach_test connects to hosts of every kind with real sshd, sudo and shells, and
// looks from the hosts' side at what was left there.
package reach_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fettle/engine/runner"
	"fettle/engine/transport"
	"fettle/engine/transport/ssh"
	"fettle/engine/wire"
	"fettle/integration/fleet"
)

func newPool(t testing.TB) *runner.Runners {
	t.Helper()
	b, err := runner.Embedded("")
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Platforms()) == 0 {
		t.Skip("no runner is built in: run make build")
	}
	p := runner.New(runner.Options{Dialers: map[string]transport.Dialer{"ssh": &ssh.Dialer{}}, Binaries: b})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func account(f *fleet.Fleet, h *fleet.Host, user string, b *runner.Become) *runner.Account {
	return &runner.Account{Become: b, Target: &transport.Target{Name: h.Name, Connection: "ssh", Address: h.Addr, Port: h.Port, User: user,
		KeyFiles: []string{f.PrivateKey}, HostKeyChecking: true, Timeout: 10,
		CommonArgs: []string{"-F", "none", "-o", "IdentityAgent=none", "-o", "UserKnownHostsFile=" + f.KnownHosts}}}
}

func whoami(ctx context.Context, p runner.Pool, a *runner.Account) (string, error) {
	var out struct{ Stdout, Msg string }
	err := p.Call(ctx, a, &wire.Call{Module: "ansible.builtin.command", Args: []json.RawMessage{json.RawMessage(`{"_raw_params":"id -un"}`)}}, nil,
		func(r wire.Result) { _ = json.Unmarshal(r.Data, &out) })
	return out.Stdout + out.Msg, err
}

func TestAccounts(t *testing.T) {
	sudo := func(user, password string) *runner.Become {
		return &runner.Become{Method: "sudo", User: user, Password: password}
	}
	doas := fleet.Group{Packages: []string{"opendoas"}}
	const doasConf = `echo "permit op" > /etc/doas.conf; echo "permit nopass admin" >> /etc/doas.conf; chmod 600 /etc/doas.conf`
	for _, tt := range []struct {
		name    string
		group   fleet.Group
		prepare string // run on the host, as root
		user    string
		as      *runner.Become
		want    string
		err     string // part of the error
	}{
		{name: "root", user: "root", want: "root"},
		{name: "user", user: "op", want: "op"},
		{name: "sudo without password", user: "admin", as: sudo("root", ""), want: "root"},
		{name: "sudo with password nobody asks for", user: "admin", as: sudo("root", "x"), want: "root"},
		{name: "sudo with password", user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "sudo to another user", user: "op", as: sudo("admin", fleet.Password), want: "admin"},
		{name: "sudo to a user without home", user: "admin", as: sudo("nobody", ""), want: "nobody"},
		{name: "wrong sudo password", user: "op", as: sudo("root", "wrong"), err: "Incorrect sudo password"},
		{name: "missing sudo password", user: "op", as: sudo("root", ""), err: "Missing sudo password"},
		{name: "unknown sudo user", user: "admin", as: sudo("nosuch", ""), err: "unknown user"},
		{name: "su", user: "op", as: &runner.Become{Method: "su", User: "admin", Password: fleet.Password}, want: "admin"},
		{name: "wrong su password", user: "op", as: &runner.Become{Method: "su", User: "admin", Password: "wrong"}, err: "Incorrect su password"},
		{name: "missing su password", user: "op", as: &runner.Become{Method: "su", User: "admin"}, err: "Missing su password"},
		{name: "su from root", user: "root", as: &runner.Become{Method: "su", User: "op"}, want: "op"},
		{name: "runuser", user: "root", as: &runner.Become{Method: "runuser", User: "op"}, want: "op"},
		{name: "unknown method", user: "root", as: &runner.Become{Method: "magic"}, err: "magic"},
		{name: "noexec tmp", group: fleet.Group{NoexecTmp: true}, user: "op", as: sudo("admin", fleet.Password), want: "admin"},
		{name: "noisy", group: fleet.Group{Noisy: true}, user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "fish", group: fleet.Group{Shell: "/usr/bin/fish"}, user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "fish su", group: fleet.Group{Shell: "/usr/bin/fish"}, user: "op", as: &runner.Become{Method: "su", User: "admin", Password: fleet.Password}, want: "admin"},
		{name: "tcsh", group: fleet.Group{Shell: "/bin/tcsh"}, user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "tcsh su", group: fleet.Group{Shell: "/bin/tcsh"}, user: "op", as: &runner.Become{Method: "su", User: "admin", Password: fleet.Password}, want: "admin"},
		{name: "busybox", group: fleet.Group{Busybox: true}, user: "root", want: "root"},
		{name: "one session", group: fleet.Group{SSHD: []string{"MaxSessions 1"}}, user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "sudo that wants a terminal", prepare: `echo "Defaults requiretty, lecture=always" > /etc/sudoers.d/tty`, user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "sudosu", user: "op", as: &runner.Become{Method: "sudosu", User: "admin", Password: fleet.Password}, want: "admin"},
		{name: "doas", group: doas, prepare: doasConf, user: "op", as: &runner.Become{Method: "doas", User: "root", Password: fleet.Password}, want: "root"},
		{name: "doas to another user", group: doas, prepare: doasConf, user: "op", as: &runner.Become{Method: "doas", User: "nobody", Password: fleet.Password}, want: "nobody"},
		{name: "doas without password", group: doas, prepare: doasConf, user: "admin", as: &runner.Become{Method: "doas", User: "root"}, want: "root"},
		{name: "wrong doas password", group: doas, prepare: doasConf, user: "op", as: &runner.Become{Method: "doas", User: "root", Password: "wrong"}, err: "Incorrect doas password"},
		{name: "missing doas password", group: doas, prepare: doasConf, user: "op", as: &runner.Become{Method: "doas", User: "root"}, err: "Missing doas password"},
		{name: "doas is not allowed", group: doas, prepare: `echo "permit admin" > /etc/doas.conf`, user: "op", as: &runner.Become{Method: "doas", User: "root"}, err: "not permitted"},
		{name: "machinectl", group: fleet.Group{Kind: fleet.KindSystemd}, user: "root", as: &runner.Become{Method: "machinectl", User: "op"}, want: "op"},
		{name: "machinectl is not allowed", group: fleet.Group{Kind: fleet.KindSystemd}, user: "op", as: &runner.Become{Method: "machinectl", User: "admin"}, err: "machinectl"},
		{name: "run0", group: fleet.Group{Kind: fleet.KindSystemd, Suite: "trixie"}, user: "root", as: &runner.Become{Method: "run0", User: "op"}, want: "op"},
		{name: "run0 is not allowed", group: fleet.Group{Kind: fleet.KindSystemd, Suite: "trixie"}, user: "op", as: &runner.Become{Method: "run0", User: "admin"}, err: "run0"},
		{name: "forced command", group: fleet.Group{SSHD: []string{"ForceCommand echo this account is for backups"}}, user: "op", err: "this account is for backups"},
		{name: "nologin", group: fleet.Group{Shell: "/usr/sbin/nologin"}, user: "op", err: "not available"},
		{name: "read-only home", prepare: "mount -t tmpfs -o ro tmpfs /home/op", user: "op", want: "op"},
		{name: "umask of nobody's business", prepare: `sed -i "1i umask 0777" /etc/bash.bashrc; echo "umask 0777" >> /etc/profile; for f in /home/op/.bashrc /root/.bashrc; do echo "umask 0777" > $f; chown $(basename $(dirname $f)) $f; done`, user: "op", as: sudo("root", fleet.Password), want: "root"},
		{name: "full disk", group: fleet.Group{FullDisk: true, NoexecTmp: true}, user: "root", err: "No space left on device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.group.Count = 1
			f := fleet.Up(t, tt.group)
			h := f.Hosts[0]
			if tt.prepare != "" {
				if out, err := h.Exec(t.Context(), "sh", "-c", tt.prepare); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			p := newPool(t)
			for _, a := range []*runner.Account{account(f, h, tt.user, nil), account(f, h, tt.user, tt.as)} {
				want, wantErr := tt.want, tt.err
				if a.Become == nil && tt.as != nil {
					want, wantErr = tt.user, ""
				}
				got, err := whoami(t.Context(), p, a)
				switch {
				case wantErr != "":
					if err == nil || !strings.Contains(err.Error(), wantErr) {
						t.Errorf("got %q, err %v; want an error with %q", got, err, wantErr)
					} else {
						t.Log(err)
					}
				case err != nil || got != want:
					t.Errorf("got %q, err %v; want %q", got, err, want)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Sixty hosts are served by sshd with its default limits, all at once, again and again.
func TestManyAtOnce(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 20, SSHD: []string{"MaxStartups 2:50:4"}})
	for round := range 2 {
		p := newPool(t)
		start := time.Now()
		var all sync.WaitGroup
		for _, h := range f.Hosts {
			all.Go(func() {
				if got, err := whoami(t.Context(), p, account(f, h, "root", nil)); err != nil || got != "root" {
					t.Errorf("%s: %q, %v", h.Name, got, err)
				}
			})
		}
		all.Wait()
		t.Logf("round %d: %d hosts in %v", round, len(f.Hosts), time.Since(start))
		_ = p.Close()
	}
}

// A controller that goes away takes everything with it.
func TestNothingLeft(t *testing.T) {
	f := fleet.Up(t, fleet.Light(1))
	p := newPool(t)
	h := f.Hosts[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	as := &runner.Become{Method: "sudo", User: "root", Password: fleet.Password}
	var all sync.WaitGroup
	for i, a := range []*runner.Account{account(f, h, "op", nil), account(f, h, "op", as)} {
		all.Go(func() {
			c := &wire.Call{Module: "ansible.builtin.shell", Args: []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"_raw_params":"sleep 98765%d & sleep 98765%d"}`, i, i))}}
			_ = p.Call(ctx, a, c, nil, func(wire.Result) {})
		})
	}
	root := newPool(t)
	count := func(words string) int {
		_, out, _, err := root.Raw(t.Context(), account(f, h, "root", nil), "ps axww -o args | grep -c '"+words+"'")
		if err != nil {
			t.Fatal(err)
		}
		var n int
		_, _ = fmt.Sscan(string(out), &n)
		return n
	}
	for range 300 {
		if count("[s]leep 98765") >= 4 { // and the shells
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n := count("[f]ettle-runner-.* __runner"); n != 2 {
		t.Errorf("%d runner processes for two accounts", n)
	}
	if n := count(fleet.Password[:6] + "[" + fleet.Password[6:7] + "]"); n != 0 {
		t.Error("the password stands in an argument")
	}
	cancel()
	all.Wait()
	if n := count("[s]leep 98765"); n != 0 {
		t.Errorf("%d processes of a cancelled call are left", n)
	}
	_ = p.Close()
	if n := count("[f]ettle-runner-.* __runner"); n != 0 {
		t.Errorf("%d runners are left", n)
	}
}
