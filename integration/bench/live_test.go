//go:build integration

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fettle/integration/fleet"
)

// TestFloor measures the floor on real hosts, so that what the harness reports
// is known to come from somewhere.
func TestFloor(t *testing.T) {
	if why := fleet.Missing(fleet.Group{Python: true}); why != "" {
		t.Skip(why)
	}
	bin := filepath.Join(t.TempDir(), "bench")
	if out, err := exec.Command("go", "build", "-o", bin, "./cmd/bench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var tools []Tool
	for _, tool := range Tools("", "", bin) {
		if tool.Floor {
			tools = append(tools, tool)
		}
	}
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		results, err := Run(t.Context(), Plan{Workloads: Workloads("../testdata/site")[:1], Tools: tools, Hosts: []int{3}, Latency: []time.Duration{latency}, Repeat: 2, Log: os.Stderr})
		if err != nil {
			t.Fatal(err)
		}
		if len(results) != 1 || results[0].Error != "" || len(results[0].Second) != 2 {
			t.Fatalf("results = %+v", results)
		}
		m := median(results[0].Second)
		if m.Wall < 4*latency || m.CPU == 0 || m.HostCPU == 0 || m.Peak == 0 {
			t.Errorf("implausible: %+v", m)
		}
	}
}

// TestWrongEndStateIsAnError uses a tool that does nothing and says it did.
func TestWrongEndStateIsAnError(t *testing.T) {
	if why := fleet.Missing(fleet.Group{Python: true}); why != "" {
		t.Skip(why)
	}
	liar := Tool{Name: "liar", Command: func(Job) ([]string, []string) {
		return []string{"echo", "light001 : ok=100 changed=0 unreachable=0 failed=0"}, []string{"PATH=/bin"}
	}}
	for _, w := range Workloads("../testdata/site") {
		if w.Name == "ping" || w.Name == "facts" || w.Systemd {
			continue // their end state is the recap; and no need to boot for this
		}
		results, err := Run(t.Context(), Plan{Workloads: []Workload{w}, Tools: []Tool{liar}, Hosts: []int{1}, Latency: []time.Duration{0}, Repeat: 1, Log: os.Stderr})
		if err != nil {
			t.Fatal(err)
		}
		if results[0].Error == "" {
			t.Errorf("%s: a tool that did nothing passed", w.Name)
		}
	}
}
