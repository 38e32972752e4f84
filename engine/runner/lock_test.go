package runner

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"fettle/engine/transport/sshsim"
	"fettle/modules/serve"
)

// lockers makes pools of several runs that lock one host, whose accounts have their locks in
// its home directory.
func lockers(t *testing.T) (a *Account, as func(run string, wait time.Duration) *Runners) {
	t.Helper()
	_, a = simTarget(t, sshsim.Options{})
	return a, func(run string, wait time.Duration) *Runners {
		p := newPool(t, dialers(t))
		p.opts.Lock = &Lock{Holder: serve.Holder{Run: run, Who: "user of " + run, From: "ctl", PID: 7, Since: "today", What: "site.yml"}, Wait: wait}
		return p
	}
}

func lockFile(t *testing.T) string {
	if os.Geteuid() == 0 {
		return "/run/fettle.lock"
	}
	home, err := os.UserHomeDir()
	must(t, err)
	return home + "/.fettle/fettle.lock"
}

func TestLock(t *testing.T) {
	if _, err := os.Stat(lockFile(t)); err == nil {
		t.Skip("somebody works on this machine with --lock")
	}
	a, as := lockers(t)
	one, two := as("one", 0), as("two", 0)
	must(t, ping(t, one, a))
	err := ping(t, two, a)
	if err == nil || !strings.Contains(err.Error(), "another run is at work there: user of one, from ctl, process 7, since today, with site.yml") {
		t.Errorf("err %v", err)
	}
	alias := as("one", 0) // the same run, by another name of the host
	must(t, ping(t, alias, a))
	_ = alias.Close()
	patient := as("three", 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- ping(t, patient, a) }()
	select {
	case err := <-done:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	_ = one.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = patient.Close()
	if _, err := os.Stat(lockFile(t)); err == nil {
		t.Error("the file of the lock is left")
	}
}

// A runner that dies gives the lock back.
func TestLockEndsWithRunner(t *testing.T) {
	if _, err := os.Stat(lockFile(t)); err == nil {
		t.Skip("somebody works on this machine with --lock")
	}
	a, as := lockers(t)
	one := as("one", 0)
	h, err := one.Connect(t.Context(), a)
	must(t, err)
	must(t, syscall.Kill(h.PID, syscall.SIGKILL))
	two := as("two", 20*time.Second)
	must(t, ping(t, two, a))
	_ = two.Close()
	if _, err := os.Stat(lockFile(t)); err == nil {
		t.Error("the file of the lock is left")
	}
}
