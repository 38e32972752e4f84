//go:build integration

package faults_test

import (
	"errors"
	"regexp"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fettle/integration/fleet"
)

// The clock of both sides jumps in the middle of a task, by an hour: no limit is reached that
// was not, no time told that was not taken, and nothing swept away that is in use.
func TestClockJump(t *testing.T) { // not parallel: the clock is everybody's
	bin := program(t)
	f := fleet.Up(t, fleet.Light(1))
	r := newRig(t, f, f.Hosts[0])
	r.must(r.h.WriteFile("/usr/local/bin/hold", []byte(hold), 0o755))
	relay, err := f.Relay(r.h, 0)
	r.must(err)
	defer relay.Close()
	r.relay = relay
	for name, task := range map[string]string{
		"copy":       `copy: {content: "new\n", dest: /srv/f, validate: "hold %s"}` + "\n      timeout: 50",
		"background": `shell: "hold; echo new > /srv/f"` + "\n      async: 50\n      poll: 1",
		"unarchive":  `unarchive: {src: "URL/a.tar.gz", dest: /srv, remote_src: true}`,
	} {
		for by, d := range map[string]time.Duration{"on": time.Hour, "back": -time.Hour} {
			t.Run(name+" "+by, func(t *testing.T) {
				r.t = t
				r.sh("rm -rf /run/go /run/begun /run/after; echo old > /srv/f")
				server := r.web()
				defer server.Close()
				r.start(bin, withURL(task, server.URL), "--host-timeout", "50")
				r.wait("the task", 30*time.Second, func() bool { _, err := r.h.ReadFile("/run/begun"); return err == nil })
				restore := jump(t, d)
				time.Sleep(2500 * time.Millisecond) // keepalives, polls
				r.free()
				code := r.end()
				restore()
				out := r.out.String()
				if state := r.sh(fileState); code != 0 || state != "new" && name != "unarchive" {
					t.Errorf("exit code %d, the state is %s", code, state)
				}
				if !regexp.MustCompile(`1 host in ([0-9]|1[0-9])(\.[0-9]+)?s`).MatchString(out) {
					t.Error("the time it took is not told")
				}
				r.wait("nothing left", 20*time.Second, func() bool { return r.leftovers() == "" })
				if t.Failed() {
					t.Logf("it printed:\n%s", out)
				}
			})
		}
	}
}

// jump sets the clock of this machine; what it returns sets it right again.
func jump(t *testing.T, d time.Duration) (restore func()) {
	t.Helper()
	var before unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &before); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	set := func(d time.Duration) error {
		ts := unix.NsecToTimespec(before.Nano() + int64(time.Since(begun)+d)) // Since is monotonic
		return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
	}
	if err := set(d); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
			t.Skipf("cannot set the clock here: %v", err)
		}
		t.Fatal(err)
	}
	over := false
	restore = func() {
		if !over {
			over = true
			if err := set(0); err != nil {
				t.Errorf("the clock is wrong now: %v", err)
			}
		}
	}
	t.Cleanup(restore)
	return restore
}
