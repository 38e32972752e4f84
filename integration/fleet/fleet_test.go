//go:build integration

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fettle/integration/fleet"
)

func dial(t *testing.T, f *fleet.Fleet, h *fleet.Host, user string) *ssh.Client {
	t.Helper()
	conf := f.ClientConfig(h)
	if user != "" {
		conf.User = user
	}
	c, err := ssh.Dial("tcp", h.Address(), conf)
	if err != nil {
		t.Fatalf("%s: %v", h.Name, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func output(t *testing.T, c *ssh.Client, cmd string) string {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.CombinedOutput(cmd)
	var exit *ssh.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", cmd, err)
	}
	return string(out)
}

func TestVariants(t *testing.T) {
	tests := []struct {
		name  string
		group fleet.Group
		user  string
		cmd   string
		want  string
	}{
		{"plain", fleet.Light(2), "", "hostname; command -v python3 || echo no python", "light001\nno python\n"},
		{"passwordless sudo", fleet.Light(1), "admin", "sudo -n id -un", "root\n"},
		{"sudo with password", fleet.Light(1), "op", "echo " + fleet.Password + " | sudo -S -p '' id -un", "root\n"},
		{"restricted shell", fleet.Light(1), "restricted", "cd / && echo free", "restricted"},
		{"noexec tmp", fleet.Group{Count: 1, NoexecTmp: true}, "", "cp /bin/true /tmp/t; /tmp/t", "Permission denied"},
		{"full disk", fleet.Group{Count: 1, FullDisk: true}, "", "echo text > /root/file", "No space left"},
		{"small disk", fleet.Group{Count: 1, SmallDisk: true}, "", "head -c 400000 /dev/zero > /srv/small/f", "No space left"},
		{"noisy", fleet.Group{Count: 1, Noisy: true}, "", "true", "noise from bash.bashrc"},
		{"busybox", fleet.Group{Count: 1, Busybox: true}, "", "ls --help 2>&1 | head -n 1; ls /usr/bin | wc -l", "BusyBox"},
		{"fish", fleet.Group{Count: 1, Shell: "/usr/bin/fish"}, "", "set -x A 1; echo $A $FISH_VERSION | string sub -l 2", "1 \n"},
		{"csh", fleet.Group{Count: 1, Shell: "/bin/tcsh"}, "", "setenv A 1; echo $A$?tcsh", "11\n"},
		{"trixie", fleet.Group{Count: 1, Suite: "trixie"}, "", "cat /etc/debian_version", "13"},
		{"bullseye", fleet.Group{Count: 1, Suite: "bullseye"}, "", "cat /etc/debian_version", "11"},
		{"python", fleet.Group{Count: 1, Python: true}, "", "python3 -c 'import apt; print(apt.__name__)'", "apt\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := fleet.Up(t, tt.group)
			c := dial(t, f, f.Hosts[0], tt.user)
			if got := output(t, c, tt.cmd); !strings.Contains(got, tt.want) {
				t.Errorf("%s printed %q, want %q in it", tt.cmd, got, tt.want)
			}
		})
	}
}

func TestSSHDOptions(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 1, SSHD: []string{"MaxSessions 1"}})
	c := dial(t, f, f.Hosts[0], "")
	first, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if err := first.Start("sleep 5"); err != nil {
		t.Fatal(err)
	}
	if s, err := c.NewSession(); err == nil {
		s.Close()
		t.Error("a second session opened in spite of MaxSessions 1")
	}
}

func TestSystemd(t *testing.T) {
	f := fleet.Up(t, fleet.Systemd(2))
	h := f.Hosts[1]
	c := dial(t, f, h, "")
	if got := output(t, c, "systemctl is-active ssh; cat /proc/1/comm; hostname"); got != "active\nsystemd\nsystemd002\n" {
		t.Errorf("got %q", got)
	}
	if err := h.KillSSHD(); err != nil {
		t.Fatal(err)
	}
	if err := h.StartSSHD(t.Context()); err != nil {
		t.Fatal(err)
	}
	dial(t, f, h, "")
}

func TestObserve(t *testing.T) {
	f := fleet.Up(t, fleet.Light(1))
	h := f.Hosts[0]
	for range 3 {
		output(t, dial(t, f, h, ""), "true")
	}
	if n, err := h.Connections(); err != nil || n != 3 {
		t.Errorf("Connections = %d, %v, want 3", n, err)
	}
	c := dial(t, f, h, "admin")
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Start("cp /bin/sleep /tmp/fettle-runner && exec /tmp/fettle-runner 60"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "runner of admin", func() bool {
		got, err := h.Runners()
		return err == nil && got[1001] == 1 && len(got) == 1
	})
	out, err := h.Exec(t.Context(), "sh", "-c", "mkdir -m 750 /srv/a && printf hello > /srv/a/f && ln -s f /srv/a/l && hostname")
	if err != nil || out != h.Name+"\n" {
		t.Fatalf("Exec = %q, %v", out, err)
	}
	tree, err := h.Tree("/srv/a", "/srv/absent")
	if err != nil {
		t.Fatal(err)
	}
	if len(tree) != 3 || tree[0].Path != "/srv/a" || tree[0].Mode.Perm() != 0o750 || tree[1].Size != 5 || tree[2].Link != "f" {
		t.Errorf("tree = %+v", tree)
	}
	if b, err := h.ReadFile("/srv/a/f"); err != nil || string(b) != "hello" {
		t.Errorf("ReadFile = %q, %v", b, err)
	}
}

func TestLatency(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 1, Latency: 40 * time.Millisecond})
	c := dial(t, f, f.Hosts[0], "")
	output(t, c, "true")
	before, begin := f.Hosts[0].Relay.RoundTrips(), time.Now()
	if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 40*time.Millisecond || took > 200*time.Millisecond {
		t.Errorf("a round trip took %v, want about 40ms", took)
	}
	if n := f.Hosts[0].Relay.RoundTrips() - before; n != 1 {
		t.Errorf("%d round trips counted, want 1", n)
	}
	f.Hosts[0].Relay.Cut()
	if err := c.Wait(); err == nil {
		t.Error("the connection survived Cut")
	}
}

// TestManyStartFast starts the hosts the speed claims are about, and checks the cost.
func TestManyStartFast(t *testing.T) {
	begin := time.Now()
	f := fleet.Up(t, fleet.Light(100))
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("100 light hosts took %v", took)
	} else {
		t.Logf("100 light hosts in %v", took)
	}
	for _, h := range f.Hosts {
		if c, err := net.Dial("tcp", h.Address()); err != nil {
			t.Error(err)
		} else {
			c.Close()
		}
	}
}

// TestBadSSHDOption must say what sshd says, and soon.
// Simulated hosts take SSH connections with their own key and run modules; nothing is left.
func TestSimulated(t *testing.T) {
	s, err := fleet.Simulate(3)
	if err != nil {
		t.Fatal(err)
	}
	inventory, err := os.ReadFile(s.Inventory)
	if err != nil || strings.Count(string(inventory), "ansible_port=") != 3 {
		t.Fatalf("%s %v", inventory, err)
	}
	pem, err := os.ReadFile(filepath.Join(s.Dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	for _, srv := range s.Servers {
		c, err := ssh.Dial("tcp", srv.Addr().String(), &ssh.ClientConfig{User: "sim", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(srv.HostKey())})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Dir); err == nil {
		t.Error("its directory is left")
	}
}

func TestBadSSHDOption(t *testing.T) {
	if why := fleet.Missing(fleet.Light(1)); why != "" {
		t.Skip(why)
	}
	begin := time.Now()
	_, err := fleet.Start(t.Context(), fleet.Group{Count: 1, SSHD: []string{"NoSuchOption yes"}})
	if err == nil || !strings.Contains(err.Error(), "NoSuchOption") || time.Since(begin) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
}

// TestCrash kills a program that holds a fleet, and sweeps.
func TestCrash(t *testing.T) {
	groups := []fleet.Group{fleet.Light(2), fleet.Systemd(1)}
	if why := fleet.Missing(groups...); why != "" {
		t.Skip(why)
	}
	bin := filepath.Join(t.TempDir(), "fleet")
	if out, err := exec.Command("go", "build", "-o", bin, "./cmd/fleet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin, "up", "--light", "2", "--systemd", "1", "--foreground")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var id int
	if _, err := fmt.Fscanf(stdout, "fleet %d:", &id); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(fleet.StateDir, strconv.Itoa(id))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(processesWith(t, dir)) == 0 {
		t.Fatal("the crash took the hosts along: nothing to sweep")
	}
	if err := fleet.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("state is still there: %v", err)
	}
	if left := processesWith(t, dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	cgroups, err := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/fettle-fleet-%d-*", id))
	if err != nil || len(cgroups) > 0 {
		t.Errorf("cgroups left: %v, %v", cgroups, err)
	}
}

// processesWith lists the processes that see a mount below dir.
func processesWith(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), dir+"/") {
			found = append(found, f)
		}
	}
	return found
}

func TestNothingLeft(t *testing.T) {
	if why := fleet.Missing(fleet.Light(1)); why != "" {
		t.Skip(why)
	}
	f, err := fleet.Start(context.Background(), fleet.Light(3), fleet.Systemd(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Down(); err != nil {
		t.Fatal(err)
	}
	if left := processesWith(t, f.Dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", f.Dir, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), f.Dir) {
		t.Errorf("mounts left: %v", err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: did not come", what)
}
