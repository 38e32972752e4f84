//go:build integration

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fettle/integration/fleet"
)

// A file system without room, or that cannot be written: the old content stays, whole, and
// the report names the host and the reason.
func TestDisk(t *testing.T) {
	t.Parallel()
	bin := program(t)
	f := fleet.Up(t, fleet.Group{Count: 1, SmallDisk: true})
	h := f.Hosts[0]
	r := newRig(t, f, h)
	relay, err := f.Relay(h, 0)
	r.must(err)
	r.relay = relay
	r.sh("mkdir -p /srv/ro; mount -t tmpfs none /srv/ro; echo old > /srv/ro/f; mount -o remount,ro /srv/ro; echo old > /srv/small/f")
	before := r.sh("cd /srv; find ro small | sort; cat ro/f small/f")
	large := strings.Repeat("0123456789", 50000)
	r.must(h.WriteFile("/srv/large", []byte(large), 0o644))
	for _, tt := range []struct{ name, task, says string }{
		{"copy, full", `copy: {content: "{{ '0123456789' * 50000 }}", dest: /srv/small/f}`, "no space left"},
		{"remote copy, full", `copy: {src: /srv/large, dest: /srv/small/f, remote_src: true}`, "no space left"},
		{"template, full", `template: {src: large.j2, dest: /srv/small/f}`, "no space left"},
		{"lineinfile, full", `lineinfile: {path: /srv/small/f, line: "{{ '0123456789' * 50000 }}"}`, "no space left"},
		{"blockinfile, full", `blockinfile: {path: /srv/small/f, block: "{{ '0123456789' * 50000 }}"}`, "no space left"},
		{"replace, full", `replace: {path: /srv/small/f, regexp: old, replace: "{{ '0123456789' * 50000 }}"}`, "no space left"},
		{"copy, read-only", `copy: {content: new, dest: /srv/ro/f}`, "read-only file system"},
		{"template, read-only", `template: {src: t.j2, dest: /srv/ro/f}`, "read-only file system"},
		{"lineinfile, read-only", `lineinfile: {path: /srv/ro/f, line: new}`, "read-only file system"},
		{"file, read-only", `file: {path: /srv/ro/d, state: directory}`, "read-only file system"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			if strings.Contains(tt.task, "large.j2") {
				writeText(t, r.dir+"/large.j2", large)
			}
			r.start(bin, tt.task)
			code := r.end()
			out := r.out.String()
			if code != 2 || !strings.Contains(strings.ToLower(out), tt.says) || !strings.Contains(out, h.Name) {
				t.Errorf("exit code %d, it printed:\n%s", code, out)
			}
			if now := r.sh("cd /srv; find ro small | sort; cat ro/f small/f"); now != before {
				t.Errorf("before:\n%s\nnow:\n%s", before, now)
			}
			r.wait("nothing left", 20*time.Second, func() bool { return r.leftovers() == "" })
		})
	}
}

// sshd takes few log-ins at a time: who is turned away comes again.
func TestMaxStartups(t *testing.T) {
	bin := program(t)
	f := fleet.Up(t, fleet.Group{Count: 1, SSHD: []string{"MaxStartups 2:100:2"}})
	r := newRig(t, f, f.Hosts[0])
	relay, err := f.Relay(r.h, 40*time.Millisecond) // log-ins take their time
	r.must(err)
	r.relay = relay
	r.start(bin, "command: echo hello")
	hosts := ""
	for i, name := range strings.Fields("a b c d e f g h i j k l") {
		line := strings.Replace(r.inventory(), r.h.Name+" ", name+" ", 1)
		hosts += strings.Replace(line, "-F none", fmt.Sprintf("-F none -o ConnectTimeout=%d", 30+i), 1) // a connection of its own
	}
	r.end()
	writeText(t, r.dir+"/many", hosts)
	r.run(bin, "-i", "many", "site.yml")
	if code := r.end(); code != 0 || strings.Count(r.out.String(), "unreachable=0") != 12 {
		t.Errorf("exit code %d, it printed:\n%s", code, r.out.String())
	}
	if log := r.sh("grep -i -E 'maxstartups|past' /run/sshd.log || true"); log == "" {
		t.Error("nobody was turned away: the test shows nothing")
	}
}

// sshd 9.8 and later turns an address away for a while after a failed log-in: who may log in
// comes again until the time is over.
func TestPenalties(t *testing.T) {
	bin := program(t)
	f := fleet.Up(t, fleet.Group{Count: 1, Suite: "trixie", SSHD: []string{"PerSourcePenalties authfail:5s noauth:5s min:1s"}})
	r := newRig(t, f, f.Hosts[0])
	relay, err := f.Relay(r.h, 0)
	r.must(err)
	r.relay = relay
	r.start(bin, "command: echo hello", "-e", "ansible_user=nosuch")
	if code := r.end(); code != 4 || !strings.Contains(r.out.String(), "does not let nosuch in") {
		t.Fatalf("a wrong user: exit code %d, it printed:\n%s", code, r.out.String())
	}
	r.wait("the penalty", 20*time.Second, func() bool { return strings.Contains(r.sh("cat /run/sshd.log"), "active penalty") })
	r.start(bin, "command: echo hello")
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d, it printed:\n%s", code, r.out.String())
	}
	if !strings.Contains(r.sh("cat /run/sshd.log"), "drop connection") {
		t.Error("nobody was turned away: the test shows nothing")
	}
}
