package modules

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a command has started in a group of its own is ended with it.
func TestRunEndsOtherGroups(t *testing.T) {
	setsid, err := exec.LookPath("setsid")
	if err != nil {
		t.Skip("no setsid")
	}
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := (&Host{}).Run(ctx, Command{Shell: setsid + " sh -c 'echo $$ > " + file + "; trap : TERM; while :; do sleep 0.1; done' & wait"})
		done <- err
	}()
	pid := 0
	for end := time.Now().Add(20 * time.Second); pid == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if _, start := readStat(pid); start == "" {
		t.Fatal("it did not start")
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("err %v", err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, start := readStat(pid); start == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it goes on")
		}
	}
}
