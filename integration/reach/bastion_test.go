//go:build integration

package reach_test

import (
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
	"fettle/engine/transport/ssh"
	"fettle/engine/transport/sshsim"
	"fettle/integration/fleet"
)

const many = 200

// connectAll connects to all targets at once and runs a command on each.
func connectAll(t *testing.T, targets []*transport.Target) time.Duration {
	t.Helper()
	d := &ssh.Dialer{}
	defer func() { _ = d.Close() }()
	start := time.Now()
	errs := make([]error, len(targets))
	var all sync.WaitGroup
	for i, x := range targets {
		all.Go(func() {
			c, err := d.Dial(t.Context(), x)
			if err != nil {
				errs[i] = err
				return
			}
			defer func() { _ = c.Close() }()
			p, err := c.Start(t.Context(), "true", transport.StartOptions{})
			if err != nil {
				errs[i] = err
				return
			}
			_, _ = io.Copy(io.Discard, p.Stdout())
			_, errs[i] = p.Wait()
		})
	}
	all.Wait()
	took := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		t.Errorf("not all connect: %.2000s", err.Error())
	}
	return took
}

// Two hundred hosts behind one bastion with sshd's default limits, with and without the
// penalties of newer ones: all connect, in about the time that a bastion without limits takes.
func TestBastion(t *testing.T) {
	groups := []fleet.Group{
		{Name: "unlimited", Count: 1, SSHD: []string{"MaxStartups 1000", "MaxSessions 1000"}},
		{Name: "bookworm", Count: 1},
		{Name: "trixie", Count: 1, Suite: "trixie"},
	}
	f := fleet.Up(t, groups...)
	var targets []*transport.Target
	var known strings.Builder
	for i := range many {
		s, err := sshsim.Start(sshsim.Options{Dir: t.TempDir(), Address: fmt.Sprintf("127.77.%d.%d:0", i/200, 1+i%200)})
		must(t, err)
		t.Cleanup(func() { _ = s.Close() })
		known.WriteString(s.KnownHostsLine())
		targets = append(targets, &transport.Target{Name: fmt.Sprintf("h%d", i), Connection: "ssh", Address: s.Addr().IP.String(), Port: s.Addr().Port, User: "u", HostKeyChecking: true, Timeout: 10})
	}
	hosts, err := os.ReadFile(f.KnownHosts)
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/known", append([]byte(known.String()), hosts...), 0o600))
	took := map[string]time.Duration{}
	for i, g := range groups {
		h := f.Hosts[i]
		config := filepath.Join(dir, g.Name)
		must(t, os.WriteFile(config, fmt.Appendf(nil, "Host bastion\n HostName %s\n Port %d\n User root\nMatch originalhost 127.77.*\n ProxyJump bastion\nHost *\n IdentityFile %s\n IdentityAgent none\n UserKnownHostsFile %s/known\n",
			h.Addr, h.Port, f.PrivateKey, dir), 0o600))
		for _, x := range targets {
			x.CommonArgs = []string{"-F", config}
		}
		took[g.Name] = min(connectAll(t, targets), connectAll(t, targets)) // this machine is shared
		t.Logf("%d hosts behind %s in %v", many, g.Name, took[g.Name])
	}
	for _, name := range []string{"bookworm", "trixie"} {
		if most := took["unlimited"]*3/2 + 2*time.Second; took[name] > most {
			t.Errorf("behind %s it takes %v, more than %v", name, took[name], most)
		}
	}
}

// Two hundred connections to one sshd that drops new ones by chance from the tenth on.
func TestMaxStartups(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Name: "bookworm", Count: 1, SSHD: []string{"MaxStartups 10:30:60"}}, fleet.Group{Name: "trixie", Count: 1, Suite: "trixie", SSHD: []string{"MaxStartups 10:30:60"}})
	for _, h := range f.Hosts {
		var targets []*transport.Target
		for range many {
			targets = append(targets, account(f, h, "root", nil).Target)
		}
		t.Logf("%d connections to %s in %v", many, h.Name, connectAll(t, targets))
	}
}
