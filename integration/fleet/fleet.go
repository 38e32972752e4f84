// Package fleet makes throw-away hosts with a real sshd on this machine, for
// tests and for people: light ones (overlay, namespaces and sshd; hundreds at a
// time) and booted systemd ones (systemd-nspawn). They listen on 127.N.x.y,
// where N is the number of the fleet.
//
// It needs root and debootstrap. Nothing of a host is kept on disk: its file
// system is a tmpfs over a cached base image, mounted in a namespace of its own,
// so that ending its processes ends all of it. What was started is recorded
// below StateDir; a fleet whose owner died is removed by the next Start.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Kind says how a host is made.
type Kind string

// The kinds of hosts.
const (
	KindLight   Kind = "light"   // overlay, namespaces and sshd under a tiny init
	KindSystemd Kind = "systemd" // booted systemd in systemd-nspawn
)

// Password is the password of the account op, whose sudo asks for it.
const Password = "fleet-op-Pa55"

// Group describes hosts that are alike. Its zero value, with a Count, is a
// light Debian 12 host without Python.
type Group struct {
	Name  string // group in the inventory; empty: the kind
	Kind  Kind   // empty: KindLight
	Count int
	Suite string // Debian release: bookworm (default), trixie, bullseye
	User  string // ansible_user: root (default), op, admin or restricted

	Python    bool          // python3 and python3-apt, for Ansible itself
	Busybox   bool          // a userland of busybox and nothing else; root only
	Shell     string        // login shell of root, op and admin, such as /usr/bin/fish or /bin/tcsh
	NoexecTmp bool          // /tmp, /var/tmp and /dev/shm are mounted noexec
	FullDisk  bool          // the root file system has no free byte
	SmallDisk bool          // /srv/small is a file system of 256 KB
	NoSFTP    bool          // sftp-server cannot be executed
	Noisy     bool          // rc files and MOTD print on every login
	Latency   time.Duration // added round-trip time
	SSHD      []string      // further sshd_config lines, such as "MaxSessions 1"
	Packages  []string      // further Debian packages
	Vars      []string      // further inventory variables, such as "ansible_become=true"
}

// Light is a group of n light hosts.
func Light(n int) Group { return Group{Kind: KindLight, Count: n} }

// Systemd is a group of n booted hosts.
func Systemd(n int) Group { return Group{Kind: KindSystemd, Count: n} }

// A Fleet is a set of running hosts. Its methods may be called concurrently.
type Fleet struct {
	ID         int
	Dir        string // state of this fleet; removed by Down
	Inventory  string // INI inventory of all hosts
	PrivateKey string // accepted by every account of every host
	KnownHosts string // with the real keys of all hosts
	AnsibleCfg string // an ansible.cfg that makes ssh use KnownHosts
	Hosts      []*Host

	signer ssh.Signer
	mu     sync.Mutex
	state  state
	relays []*Relay
}

// Host is one running host.
type Host struct {
	Name  string
	Addr  string // where a client connects to: sshd, or the relay that adds latency
	Port  int
	User  string
	Group Group
	Pid   int           // its PID 1, seen from here
	Relay *Relay        // what adds the latency; nil without
	Key   ssh.PublicKey // its host key

	sshdAddr string
	sshdPort int
	outer    int // the process Start made; differs from Pid with nspawn
}

// Up starts the groups for one test and takes them down when it ends. Without
// root or the tools it needs, the test is skipped with the reason.
func Up(t testing.TB, groups ...Group) *Fleet {
	t.Helper()
	if why := Missing(groups...); why != "" {
		t.Skip("no fleet here: " + why)
	}
	f, err := Start(context.Background(), groups...)
	if err != nil {
		t.Fatalf("cannot start fleet: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Down(); err != nil {
			t.Errorf("cannot take fleet down: %v", err)
		}
	})
	return f
}

// Missing says why the groups cannot run on this machine, or "".
func Missing(groups ...Group) string {
	if runtime.GOOS != "linux" {
		return "needs Linux"
	}
	if os.Geteuid() != 0 {
		return "needs root"
	}
	tools := map[string]bool{"nsenter": true, "unshare": true}
	for _, g := range groups {
		if g.Kind == KindSystemd {
			tools["systemd-nspawn"] = true
		}
		if !imageReady(g) {
			tools["debootstrap"] = true
		}
	}
	var absent []string
	for tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			absent = append(absent, tool)
		}
	}
	sort.Strings(absent)
	if len(absent) > 0 {
		return "needs " + strings.Join(absent, ", ")
	}
	return ""
}

// Start starts the groups. The caller must call Down; if it dies before, the
// next Start of anybody on this machine does.
func Start(ctx context.Context, groups ...Group) (*Fleet, error) {
	if err := Sweep(); err != nil {
		return nil, err
	}
	images := make([]image, len(groups))
	for i, g := range groups {
		img, err := ensureImage(ctx, g)
		if err != nil {
			return nil, err
		}
		images[i] = img
	}
	f, err := claim()
	if err != nil {
		return nil, err
	}
	if err := f.start(ctx, groups, images); err != nil {
		return nil, errors.Join(err, f.Down())
	}
	return f, nil
}

func (f *Fleet) start(ctx context.Context, groups []Group, images []image) error {
	if err := f.makeKey(); err != nil {
		return err
	}
	var boots []boot
	for i, g := range groups {
		if g.Kind == "" {
			g.Kind = KindLight
		}
		for n := 1; n <= g.Count; n++ {
			b, err := f.prepare(g, images[i], n, len(boots))
			if err != nil {
				return err
			}
			boots = append(boots, b)
			f.Hosts = append(f.Hosts, b.host)
		}
	}
	if err := f.bootAll(ctx, boots); err != nil {
		return err
	}
	for _, h := range f.Hosts {
		if err := f.addLatency(h); err != nil {
			return err
		}
	}
	return f.writeInventory()
}

// bootAll starts all hosts, some at a time, and waits until every sshd listens.
func (f *Fleet) bootAll(ctx context.Context, boots []boot) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	sem := make(chan struct{}, 2*runtime.NumCPU())
	errs := make([]error, len(boots))
	var wg sync.WaitGroup
	for i, b := range boots {
		wg.Add(1)
		sem <- struct{}{}
		go func() {
			defer wg.Done()
			err := f.boot(b)
			<-sem
			if err == nil {
				err = b.host.waitReady(ctx)
			}
			if err != nil {
				errs[i] = fmt.Errorf("host %s: %w %s", b.host.Name, err, f.console(b.host))
			}
		}()
	}
	wg.Wait()
	if err := f.save(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// Host returns the host of that name, or nil.
func (f *Fleet) Host(name string) *Host {
	for _, h := range f.Hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// Down ends every process of the fleet and removes its files.
func (f *Fleet) Down() error {
	for _, r := range f.relays {
		r.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.remove(f.Dir)
}

// WriteInventory writes an INI inventory of the hosts given, in this order, to
// path. Each line may be followed by further variables.
func (f *Fleet) WriteInventory(path string, hosts []*Host, vars ...string) error {
	var b strings.Builder
	groups := map[string][]string{}
	var order []string
	for _, h := range hosts {
		fmt.Fprintf(&b, "%s ansible_host=%s ansible_port=%d ansible_user=%s ansible_ssh_private_key_file=%s\n", h.Name, h.Addr, h.Port, h.User, f.PrivateKey)
		g := h.Group.Name
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], h.Name)
	}
	for _, g := range order {
		fmt.Fprintf(&b, "\n[%s]\n%s\n", g, strings.Join(groups[g], "\n"))
		h := f.Host(groups[g][0])
		if len(h.Group.Vars) > 0 {
			fmt.Fprintf(&b, "\n[%s:vars]\n%s\n", g, strings.Join(h.Group.Vars, "\n"))
		}
	}
	all := append([]string{fmt.Sprintf("ansible_ssh_common_args=-o UserKnownHostsFile=%s -o StrictHostKeyChecking=yes", f.KnownHosts)}, vars...)
	fmt.Fprintf(&b, "\n[all:vars]\n%s\n", strings.Join(all, "\n"))
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func (f *Fleet) writeInventory() error {
	var kh strings.Builder
	for _, h := range f.Hosts {
		name := h.Addr
		if h.Port != 22 {
			name = fmt.Sprintf("[%s]:%d", h.Addr, h.Port)
		}
		kh.WriteString(name + " " + string(ssh.MarshalAuthorizedKey(h.Key)))
	}
	if err := os.WriteFile(f.KnownHosts, []byte(kh.String()), 0o644); err != nil {
		return err
	}
	cfg := fmt.Sprintf("[defaults]\ninventory = %s\nlocal_tmp = %s\n\n[ssh_connection]\ncontrol_path_dir = %s\n",
		f.Inventory, filepath.Join(f.Dir, "local_tmp"), filepath.Join(f.Dir, "cp"))
	if err := os.WriteFile(f.AnsibleCfg, []byte(cfg), 0o644); err != nil {
		return err
	}
	return f.WriteInventory(f.Inventory, f.Hosts)
}
