package bench

import (
	"strings"
	"testing"
	"time"

	"fettle/integration/fleet"
)

func TestMedian(t *testing.T) {
	s := []Sample{{Wall: 5, CPU: 1}, {Wall: 1, CPU: 9}, {Wall: 3, CPU: 4}}
	if m := median(s); m.Wall != 3 || m.CPU != 4 {
		t.Errorf("odd: %+v", m)
	}
	if m := median(s[:2]); m.Wall != 3 || m.CPU != 5 {
		t.Errorf("even: %+v", m)
	}
	if m := median(nil); m.Wall != 0 {
		t.Errorf("none: %+v", m)
	}
}

func TestWriteMarkdown(t *testing.T) {
	results := []Result{
		{Workload: "ping", Hosts: 2, Tool: "fettle", First: []Sample{{Wall: time.Second}}, Second: []Sample{{Wall: 100 * time.Millisecond, CPU: 10 * time.Millisecond, Peak: 5 << 20}}},
		{Workload: "ping", Hosts: 2, Tool: "slow", First: []Sample{{Wall: time.Second}}, Second: []Sample{{Wall: time.Second, CPU: 250 * time.Millisecond}}},
		{Workload: "ping", Hosts: 3, Tool: "slow", Second: []Sample{{Wall: time.Second}}},
		{Workload: "ping", Hosts: 2, Tool: "none", Skipped: "absent"},
		{Workload: "ping", Hosts: 2, Tool: "bad", Error: "end state"},
	}
	var b strings.Builder
	if err := WriteMarkdown(&b, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| ping | 2 | 0s | fettle | 1s | 100ms | 1.0 | 10ms | 1.0 | 0s | 5 MB |\n",
		"| slow | 1s | 1s | 10.0 | 250ms | 25.0 |",
		"| ping | 3 | 0s | slow | by fettle | 1s | – |", // another number of hosts is no base
		"| none | skipped: absent |",
		"| bad | failed |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

func TestRecapOK(t *testing.T) {
	out := "web1 : ok=3 changed=0 unreachable=0 failed=0\nweb2 : ok=3 changed=0 unreachable=0 failed=1\nweb3 : ok=0 changed=0 unreachable=1 failed=0\n"
	tests := map[string]bool{"web1": true, "web2": false, "web3": false, "web4": false}
	for name, want := range tests {
		if err := recapOK(&Check{Host: hostNamed(name), Out: out}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func hostNamed(name string) *fleet.Host { return &fleet.Host{Name: name} }
