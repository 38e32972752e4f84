//go:build integration

package differential

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/integration/fleet"
)

// hostsPlay works on every kind of host: no accounts, no packages.
const hostsPlay = `- hosts: all
  gather_facts: false
  tasks:
    - file: {path: /srv/hosts/sub, state: directory, mode: "0750"}
    - copy: {content: "{{ inventory_hostname }}\n", dest: /srv/hosts/sub/name, mode: "0640"}
    - copy: {content: "{{ item }}", dest: "/srv/hosts/{{ item }}"}
      loop: [a, b, c]
    - command: cat /srv/hosts/sub/name
      register: r
      changed_when: false
    - assert: {that: r.stdout == inventory_hostname, quiet: true}
`

func writePlay(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKindsOfHosts runs one playbook twice on each kind of host: all must
// change in the first run and not in the second.
func TestKindsOfHosts(t *testing.T) {
	bin, play := fettle(t).Command, writePlay(t, hostsPlay)
	become := []string{"ansible_become=true"}
	tests := []struct {
		name  string
		group fleet.Group
		args  []string
	}{
		{"plain", fleet.Group{}, nil},
		{"sudo without password", fleet.Group{User: "admin", Vars: become}, nil},
		{"sudo with password", fleet.Group{User: "op", Vars: become}, []string{"-e", "ansible_become_password=" + fleet.Password}},
		{"noexec tmp", fleet.Group{NoexecTmp: true}, nil},
		{"noisy", fleet.Group{Noisy: true}, nil},
		{"busybox", fleet.Group{Busybox: true}, nil},
		{"fish", fleet.Group{Shell: "/usr/bin/fish"}, nil},
		{"csh", fleet.Group{Shell: "/bin/tcsh"}, nil},
		{"fish and sudo", fleet.Group{Shell: "/usr/bin/fish", User: "admin", Vars: become}, nil},
		{"one session", fleet.Group{SSHD: []string{"MaxSessions 1"}}, nil},
		{"no sftp", fleet.Group{NoSFTP: true}, nil},
		{"no tty", fleet.Group{SSHD: []string{"PermitTTY no"}}, nil},
		{"far", fleet.Group{Latency: 50 * time.Millisecond}, nil},
		{"systemd", fleet.Group{Kind: fleet.KindSystemd}, nil},
		{"trixie", fleet.Group{Suite: "trixie"}, nil},
		{"bullseye", fleet.Group{Suite: "bullseye"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.group.Count = 2
			f := fleet.Up(t, tt.group)
			args := append(tt.args, play)
			first := playOn(t, bin, f, args...)
			if first.Exit != 0 || changed(first) != 3*len(f.Hosts) {
				t.Fatalf("first run: exit code %d, %d changes, want 6\n%s", first.Exit, changed(first), tail(first.Stdout))
			}
			second := playOn(t, bin, f, args...)
			if second.Exit != 0 || changed(second) != 0 {
				t.Fatalf("second run: exit code %d, %d changes, want none\n%s", second.Exit, changed(second), tail(second.Stdout))
			}
			for _, h := range f.Hosts {
				if n, err := h.Connections(); err != nil || n != 2 {
					t.Errorf("%s saw %d connections in two runs, want 2 (%v)", h.Name, n, err)
				}
			}
		})
	}
}

// TestTrouble gives one of three hosts a trouble: the others carry on, the
// trouble is named, and the exit code is Ansible's.
func TestTrouble(t *testing.T) {
	bin := fettle(t).Command
	tests := []struct {
		name    string
		bad     fleet.Group
		play    string
		exit    int
		message string
		during  func(t *testing.T, h *fleet.Host)
	}{
		{name: "full disk", bad: fleet.Group{FullDisk: true}, play: hostsPlay, exit: 2, message: "no space left"},
		{name: "wrong sudo password", bad: fleet.Group{User: "op", Vars: []string{"ansible_become=true", "ansible_become_password=wrong"}}, play: hostsPlay, exit: 2, message: "password"},
		{name: "no sudo password", bad: fleet.Group{User: "op", Vars: []string{"ansible_become=true"}}, play: hostsPlay, exit: 2, message: "password"},
		{name: "may not write", bad: fleet.Group{User: "admin"}, play: hostsPlay, exit: 2, message: "permission denied"},
		{name: "host dies", play: "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: touch /tmp/busy; sleep 2\n    - command: echo after\n", exit: 4, message: "unreachable=1",
			during: func(t *testing.T, h *fleet.Host) {
				if err := h.Kill(); err != nil {
					t.Error(err)
				}
			}},
		{name: "sshd dies", play: "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: touch /tmp/busy; sleep 2\n    - command: echo after\n", exit: 4, message: "unreachable=1",
			during: func(t *testing.T, h *fleet.Host) {
				if err := h.KillSSHD(); err != nil {
					t.Error(err)
				}
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.bad.Count, tt.bad.Name = 1, "bad"
			f := fleet.Up(t, fleet.Group{Count: 2, Name: "good"}, tt.bad)
			if tt.during != nil {
				go func() {
					for i := 0; i < 2000; i++ {
						if _, err := f.Host("bad001").ReadFile("/tmp/busy"); err == nil {
							tt.during(t, f.Host("bad001"))
							return
						}
						time.Sleep(10 * time.Millisecond)
					}
				}()
			}
			begin := time.Now()
			r := playOn(t, bin, f, writePlay(t, tt.play))
			if r.Exit != tt.exit {
				t.Errorf("exit code %d, want %d", r.Exit, tt.exit)
			}
			if !strings.Contains(strings.ToLower(r.Stdout), tt.message) {
				t.Errorf("the report does not say %q", tt.message)
			}
			for _, name := range []string{"good001", "good002"} {
				if c := r.Recap[name]; c["failed"]+c["unreachable"] != 0 || c["ok"] == 0 {
					t.Errorf("%s did not carry on: %s", name, recapText(c))
				}
			}
			if c := r.Recap["bad001"]; c["failed"]+c["unreachable"] != 1 {
				t.Errorf("bad001: %s", recapText(c))
			}
			if took := time.Since(begin); took > 60*time.Second {
				t.Errorf("it took %v", took)
			}
			if t.Failed() {
				t.Log(tail(r.Stdout))
			}
		})
	}
}

const servicePlay = `- hosts: all
  gather_facts: false
  tasks:
    - apt: {name: [bc, file], state: present}
    - copy:
        content: |
          [Service]
          ExecStart=/bin/sh -c '. /etc/demo.conf; exec sleep $SECONDS_TO_SLEEP'
          [Install]
          WantedBy=multi-user.target
        dest: /etc/systemd/system/demo.service
    - template: {src: demo.j2, dest: /etc/demo.conf}
      notify: restart demo
    - systemd: {name: demo, state: started, enabled: true, daemon_reload: true}
  handlers:
    - name: restart demo
      service: {name: demo, state: restarted}
`

// TestPackageAndService installs packages and runs a service with a handler on
// a booted host: changed, unchanged, and restarted after a change.
func TestPackageAndService(t *testing.T) {
	f := fleet.Up(t, fleet.Systemd(1))
	bin, play, h := fettle(t).Command, writePlay(t, servicePlay), f.Hosts[0]
	if err := os.WriteFile(filepath.Join(filepath.Dir(play), "demo.j2"), []byte("SECONDS_TO_SLEEP={{ seconds | default(1000) }}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pid := func() string {
		out, err := h.Exec(t.Context(), "systemctl", "show", "-P", "MainPID", "demo")
		if err != nil || strings.TrimSpace(out) == "0" {
			t.Fatalf("demo does not run: %q, %v", out, err)
		}
		return out
	}
	first := playOn(t, bin, f, play)
	if first.Exit != 0 || changed(first) != 5 {
		t.Fatalf("first run: exit code %d, %d changes, want 5\n%s", first.Exit, changed(first), tail(first.Stdout))
	}
	if out, err := h.Exec(t.Context(), "dpkg-query", "-W", "-f", "${Status}\n", "bc", "file"); err != nil || strings.Count(out, "ok installed") != 2 {
		t.Errorf("packages: %q, %v", out, err)
	}
	before := pid()
	second := playOn(t, bin, f, play)
	if second.Exit != 0 || changed(second) != 0 {
		t.Errorf("second run: exit code %d, %d changes, want none\n%s", second.Exit, changed(second), tail(second.Stdout))
	}
	if pid() != before {
		t.Error("the second run restarted the service")
	}
	third := playOn(t, bin, f, "-e", "seconds=2000", play)
	if third.Exit != 0 || changed(third) != 2 || pid() == before {
		t.Errorf("a changed template: exit code %d, %d changes, want 2 and a restart\n%s", third.Exit, changed(third), tail(third.Stdout))
	}
}
