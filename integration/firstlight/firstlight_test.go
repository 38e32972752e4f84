//go:build integration

// Package firstlight_test runs fettle as an operator does, against real hosts with sshd and
// no Python, and looks at what it did from the hosts' side.
package firstlight_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fettle/integration/fleet"
)

var binary string

// TestMain builds fettle the way make does, unless FETTLE_BIN names one.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		binary = os.Getenv("FETTLE_BIN")
		if binary == "" {
			root, err := filepath.Abs("../..")
			if err != nil {
				panic(err)
			}
			cmd := exec.Command("make", "build")
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "cannot build fettle: %v\n%s", err, out)
				return 1
			}
			binary = filepath.Join(root, "bin", "fettle")
		}
		return m.Run()
	}())
}

type result struct {
	code     int
	out, err string
}

// fettle runs the program in a directory of its own, without this machine's settings.
func fettle(t *testing.T, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("cannot run %s: %v", binary, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, s := range texts {
		if !strings.Contains(r.out+r.err, s) {
			t.Errorf("the output lacks %q:\n%s%s", s, r.out, r.err)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

var recapLine = regexp.MustCompile(`(?m)^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)`)

// changes maps hosts to their number of changes, from the recap.
func changes(out string) map[string]string {
	m := map[string]string{}
	for _, g := range recapLine.FindAllStringSubmatch(out, -1) {
		m[g[1]] = g[3]
	}
	return m
}

// The site playbook: changes, then none; a manual edit is told exactly by --check --diff and
// repaired exactly by the next run.
func TestSite(t *testing.T) {
	f := fleet.Up(t, fleet.Light(10))
	site := "../testdata/site/site.yml"
	first := fettle(t, nil, "playbook", "-i", f.Inventory, site)
	first.want(t, 0)
	for _, h := range f.Hosts {
		if n := changes(first.out)[h.Name]; n == "" || n == "0" {
			t.Errorf("first run: %s has %q changes", h.Name, n)
		}
	}
	second := fettle(t, nil, "playbook", "-i", f.Inventory, site)
	second.want(t, 0)
	for h, n := range changes(second.out) {
		if n != "0" {
			t.Errorf("second run: %s has %s changes\n%s", h, n, second.out)
		}
	}
	edited := f.Hosts[3]
	const file = "/srv/site/conf/NOTICE"
	before, err := edited.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := edited.WriteFile(file, append([]byte("edited by hand\n"), before...), 0o644); err != nil {
		t.Fatal(err)
	}
	drift := fettle(t, nil, "playbook", "-i", f.Inventory, "--check", "--diff", site)
	drift.want(t, 0, "-edited by hand")
	onlyOn(t, "check", drift, edited.Name, "1")
	if now, err := edited.ReadFile(file); err != nil || !strings.HasPrefix(string(now), "edited by hand") {
		t.Errorf("check mode touched the file: %q, %v", now, err)
	}
	repair := fettle(t, nil, "playbook", "-i", f.Inventory, site)
	repair.want(t, 0)
	onlyOn(t, "repair", repair, edited.Name, "1")
	if after, err := edited.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("after the repair the file is %q, want %q (%v)", after, before, err)
	}
}

func onlyOn(t *testing.T, run string, r result, host, want string) {
	t.Helper()
	for h, n := range changes(r.out) {
		w := "0"
		if h == host {
			w = want
		}
		if n != w {
			t.Errorf("%s: %s has %s changes, want %s\n%s", run, h, n, w, r.out)
		}
	}
}

// One TCP connection and one runner for each account, for the whole run with all its plays.
func TestOneConnection(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 2, User: "admin"})
	play := write(t, `
- hosts: all
  gather_facts: false
  tasks:
    - ping:
    - command: id -un
      become: true
- hosts: all
  gather_facts: false
  tasks:
    - command: sleep 3
    - command: id -u
      become: true
`)
	done := make(chan result, 1)
	go func() { done <- fettle(t, nil, "playbook", "-i", f.Inventory, play) }()
	most, runners := map[string]int{}, map[string]map[int]int{}
	for {
		select {
		case r := <-done:
			r.want(t, 0)
			for _, h := range f.Hosts {
				if most[h.Name] != 1 {
					t.Errorf("%s saw %d connections at once, want 1", h.Name, most[h.Name])
				}
				if len(runners[h.Name]) != 2 {
					t.Errorf("%s had runners of %d accounts, want 2: %v", h.Name, len(runners[h.Name]), runners[h.Name])
				}
				for uid, n := range runners[h.Name] {
					if n != 1 {
						t.Errorf("%s had %d runners of uid %d, want 1", h.Name, n, uid)
					}
				}
				left(t, h)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
		for _, h := range f.Hosts {
			if n, err := h.Connections(); err == nil {
				most[h.Name] = max(most[h.Name], n)
			}
			rs, err := h.Runners()
			if err != nil {
				continue
			}
			if runners[h.Name] == nil {
				runners[h.Name] = map[int]int{}
			}
			for uid, n := range rs {
				runners[h.Name][uid] = max(runners[h.Name][uid], n)
			}
		}
	}
}

// left: nothing of fettle runs on a host after a run.
func left(t *testing.T, h *fleet.Host) {
	t.Helper()
	for range 100 {
		if rs, err := h.Runners(); err == nil && len(rs) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	rs, err := h.Runners()
	t.Errorf("%s still has runners: %v, %v", h.Name, rs, err)
}

// apt, template and service with a restart handler, on a booted host, twice.
func TestService(t *testing.T) {
	f := fleet.Up(t, fleet.Systemd(1))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "motd.j2"), []byte("Banner {{ banner }}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	play := filepath.Join(dir, "site.yml")
	if err := os.WriteFile(play, []byte(`
- hosts: all
  gather_facts: true
  vars: {banner: none}
  tasks:
    - ansible.builtin.apt:
        name: [cron, less]
        update_cache: true
        cache_valid_time: 3600
    - ansible.builtin.template:
        src: motd.j2
        dest: /etc/ssh/sshd_config.d/banner.conf
      notify: restart cron
    - ansible.builtin.service:
        name: cron
        state: started
        enabled: true
    - ansible.builtin.assert:
        that: ansible_facts.distribution == "Debian"
  handlers:
    - name: restart cron
      ansible.builtin.service:
        name: cron
        state: restarted
`), 0o644); err != nil {
		t.Fatal(err)
	}
	fettle(t, nil, "playbook", "-i", f.Inventory, play).want(t, 0, "HANDLER restart cron")
	if out, err := f.Hosts[0].Exec(t.Context(), "systemctl", "is-active", "cron"); err != nil || strings.TrimSpace(out) != "active" {
		t.Errorf("cron is %q, %v", out, err)
	}
	again := fettle(t, nil, "playbook", "-i", f.Inventory, play)
	again.want(t, 0)
	onlyOn(t, "second run", again, "", "0")
	if strings.Contains(again.out, "HANDLER") {
		t.Errorf("the handler ran without a change:\n%s", again.out)
	}
}

// What goes wrong gives one clear message with its place or host and the right exit code,
// and the other hosts carry on.
func TestTrouble(t *testing.T) {
	f := fleet.Up(t, fleet.Light(2), fleet.Group{Name: "full", Count: 1, FullDisk: true}, fleet.Group{Name: "op", Count: 1, User: "op"})
	ping := write(t, "- hosts: all\n  gather_facts: false\n  tasks:\n    - ping:\n")
	one := f.Hosts[0].Name
	for _, tt := range []struct {
		name string
		play string
		args []string
		code int
		want []string
	}{
		{"module", "- hosts: all\n  tasks:\n    - ansible.builtin.cop: {dest: /x}\n", nil, 4, []string{"site.yml:3:7", `did you mean "ansible.builtin.copy"?`}},
		{"keyword", "- hosts: all\n  tasks:\n    - ping:\n      whn: true\n", nil, 4, []string{"site.yml:4:7", `did you mean "when"?`}},
		{"option", "- hosts: light\n  gather_facts: false\n  tasks:\n    - file: {path: /tmp/x, sate: absent}\n", nil, 2, []string{"site.yml:4:28", `did you mean "state"?`, "Unsupported parameters"}},
		{"variable", "- hosts: light\n  gather_facts: false\n  tasks:\n    - debug: msg={{ nope }}\n", nil, 2, []string{"'nope' is undefined", "site.yml:4"}},
		{"yaml", "- hosts: all\n  tasks:\n   - ping:\n  - ping:\n", nil, 4, []string{"site.yml:"}},
		{"limit", "", []string{"--limit", "nobody"}, 1, []string{"no hosts to target"}},
		{"refused connection", "", []string{"--limit", one + "," + f.Hosts[1].Name, "-e", `{"ansible_port": "{{ 1 if inventory_hostname == '` + one + `' else 22 }}"}`}, 4,
			[]string{one, "refused", f.Hosts[1].Name + "  "}},
		{"no key", "", []string{"--limit", "light", "-e", "ansible_ssh_private_key_file=/nowhere/key"}, 4, []string{"/nowhere/key"}},
		{"full disk", "- hosts: full\n  gather_facts: false\n  tasks:\n    - copy: {content: \"{{ 'x' * 9000 }}\", dest: /etc/issue}\n", nil, 0, nil},
		{"sudo password", "- hosts: op\n  gather_facts: false\n  become: true\n  tasks:\n    - ping:\n", []string{"-e", "ansible_become_password=wrong"}, 0, []string{"Incorrect sudo password"}},
		{"no sudo password", "- hosts: op\n  gather_facts: false\n  become: true\n  tasks:\n    - ping:\n", nil, 0, []string{"Missing sudo password"}},
		{"sudo", "- hosts: op\n  gather_facts: false\n  become: true\n  tasks:\n    - command: id -un\n      register: r\n    - debug: var=r.stdout\n", []string{"-e", "ansible_become_password=" + fleet.Password}, 0, []string{"r.stdout: root"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play := ping
			if tt.play != "" {
				play = write(t, tt.play)
			}
			r := fettle(t, nil, append([]string{"playbook", "-i", f.Inventory, play}, tt.args...)...)
			if tt.code == 0 && tt.name != "sudo" {
				if r.code == 0 {
					t.Fatalf("no failure:\n%s%s", r.out, r.err)
				}
				tt.code = r.code
			}
			r.want(t, tt.code, tt.want...)
			if strings.Contains(r.out+r.err, "goroutine ") {
				t.Errorf("a stack trace:\n%s%s", r.out, r.err)
			}
		})
	}
	if text, err := f.Host("full001").ReadFile("/etc/issue"); err == nil && strings.Contains(string(text), "xxx") && len(text) < 9000 {
		t.Errorf("a half written file: %d bytes", len(text))
	}
}

// A host that goes away in the middle of a task is unreachable, its outcome unknown; the
// others carry on.
func TestHostGoesAway(t *testing.T) {
	f := fleet.Up(t, fleet.Light(3))
	play := write(t, `
- hosts: all
  gather_facts: false
  tasks:
    - command: sleep 4
    - command: "true"
`)
	done := make(chan result, 1)
	go func() { done <- fettle(t, nil, "playbook", "-i", f.Inventory, play) }()
	gone := f.Hosts[1]
	for range 200 {
		if rs, err := gone.Runners(); err == nil && len(rs) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second)
	if err := gone.Kill(); err != nil {
		t.Fatal(err)
	}
	r := <-done
	r.want(t, 4, gone.Name, "unreachable")
	for _, g := range recapLine.FindAllStringSubmatch(r.out, -1) {
		if g[1] == gone.Name && g[4] != "1" || g[1] != gone.Name && g[2] != "2" {
			t.Errorf("recap of %s: %s", g[1], g[0])
		}
	}
}
