package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// What make build leaves: small, and quick to start.
const (
	built    = "../../bin/fettle"
	maxBytes = 25_000_000
	maxStart = 20 * time.Millisecond
)

func TestBuiltBinary(t *testing.T) {
	info, err := os.Stat(built)
	if err != nil {
		t.Skip("no binary is built: run make build")
	}
	if info.Size() > maxBytes {
		t.Errorf("%d bytes, more than %d", info.Size(), maxBytes)
	}
	var starts []time.Duration
	for range 7 {
		cmd := exec.Command(built, "version")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		// Processor time: other tests running meanwhile do not count.
		starts = append(starts, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	slices.Sort(starts)
	t.Logf("%d bytes, starts with %v of processor time", info.Size(), starts[3])
	if starts[3] > maxStart {
		t.Errorf("starting takes %v of processor time, more than %v", starts[3], maxStart)
	}
}
