//go:build integration

package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fettle/integration/fleet"
)

// program is the fettle to measure: FETTLE_BIN, what make build left, or a new one.
func program(t *testing.T) string {
	t.Helper()
	for _, p := range []string{os.Getenv("FETTLE_BIN"), "../../bin/fettle"} {
		if abs, err := filepath.Abs(p); p != "" && err == nil {
			if _, err := os.Stat(abs); err == nil {
				return abs
			}
		}
	}
	bin := filepath.Join(t.TempDir(), "fettle")
	if out, err := exec.Command("go", "build", "-o", bin, "fettle/cmd/fettle").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// simulate starts n simulated hosts in a process of their own, so that what they need is
// not counted as the controller's, and gives their inventory.
func simulate(t *testing.T, n int) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "fleet")
	if out, err := exec.Command("go", "build", "-o", bin, "fettle/integration/fleet/cmd/fleet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin, "up", "--simulated", fmt.Sprint(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "inventory"); ok {
			return strings.TrimSpace(path)
		}
	}
	t.Fatal("the simulated hosts did not start")
	return ""
}

// used is what one run of the controller needed.
type used struct {
	cpu  time.Duration
	peak int64 // bytes
}

// play runs a playbook and checks that every host is through with ok tasks.
func playOn(t *testing.T, inventory, text string, hosts, ok int) used {
	t.Helper()
	site := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "playbook", "-i", inventory, site)
	cmd.Dir = filepath.Dir(site)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, lastLines(string(out)))
	}
	if n := strings.Count(string(out), fmt.Sprintf(": ok=%-4d changed=0    unreachable=0    failed=0 ", ok)); n != hosts {
		t.Fatalf("%d of %d hosts are through: %s", n, hosts, lastLines(string(out)))
	}
	s := cmd.ProcessState
	return used{s.UserTime() + s.SystemTime(), s.SysUsage().(*syscall.Rusage).Maxrss << 10}
}

// tasks is a playbook of n tasks with variables, results and conditions, one in two of
// them looking at files.
func tasks(n int) string {
	var b strings.Builder
	b.WriteString("- hosts: all\n  gather_facts: false\n  vars: {app: shop, shop_port: \"{{ 8000 + number | int }}\"}\n  tasks:\n")
	for i := range n / 2 {
		fmt.Fprintf(&b, "    - name: look %d\n      ansible.builtin.stat: {path: \"/etc/{{ app }}-%d-{{ inventory_hostname }}\"}\n      register: r%d\n", i, i, i%5)
		fmt.Fprintf(&b, "    - name: ping %d\n      ansible.builtin.ping: {data: \"{{ shop_port }}-%d\"}\n      when: not r%d.stat.exists\n", i, i, i%5)
	}
	return b.String()
}

// 1,000 hosts × 100 tasks: at most 1 ms of the controller's processor time for each task
// on each host, and 100 MB and 0.15 MB a host of memory. 5,000 hosts complete.
func TestThousandsOfHosts(t *testing.T) {
	for _, tt := range []struct{ hosts, tasks int }{{1000, 100}, {5000, 4}} {
		t.Run(fmt.Sprint(tt.hosts), func(t *testing.T) {
			u := playOn(t, simulate(t, tt.hosts), tasks(tt.tasks), tt.hosts, tt.tasks)
			each := u.cpu / time.Duration(tt.hosts*tt.tasks)
			t.Logf("%d hosts, %d tasks: %v of processor time, %v a task and host; peak %d MB", tt.hosts, tt.tasks, u.cpu, each, u.peak>>20)
			if each > time.Millisecond {
				t.Errorf("%v a task and host, more than 1ms", each)
			}
			if limit := int64(100<<20 + tt.hosts*150<<10); u.peak > limit {
				t.Errorf("peak %d MB, more than %d", u.peak>>20, limit>>20)
			}
		})
	}
}

// A template that reads variables of all hosts takes time in proportion to the hosts: four
// times as many renders of four times the length are sixteen times the work.
func TestHostvarsAreLinear(t *testing.T) {
	text := "- hosts: all\n  gather_facts: false\n  tasks:\n" + strings.Repeat("    - set_fact:\n        text: \"{% for h in groups['all'] %}{{ hostvars[h].ansible_port }} {{ hostvars[h].number }} {% endfor %}\"\n", 2)
	few := playOn(t, simulate(t, 100), text, 100, 2)
	many := playOn(t, simulate(t, 400), text, 400, 2)
	idle := playOn(t, simulate(t, 400), "- hosts: all\n  gather_facts: false\n  tasks:\n    - set_fact: {text: x}\n    - set_fact: {text: x}\n", 400, 2)
	t.Logf("100 hosts %v, 400 hosts %v, of which without the template %v", few.cpu, many.cpu, idle.cpu)
	if limit := 16*few.cpu*3/2 + idle.cpu; many.cpu > limit {
		t.Errorf("400 hosts take %v, more than %v", many.cpu, limit)
	}
	if each := (many.cpu - idle.cpu) / (2 * 400 * 400); each > 20*time.Microsecond {
		t.Errorf("%v for the variables of one host in one render", each)
	}
}

// What the site playbook takes over a slow link is round trips: no more than it has tasks,
// and eight to connect and start.
func TestRoundTripsOnTheWire(t *testing.T) {
	group := fleet.Group{Count: 20, Latency: 30 * time.Millisecond}
	f := fleet.Up(t, group)
	dir := t.TempDir()
	site := Workloads("../testdata/site")[2]
	if err := site.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"first", "second"} {
		before := make([]int, len(f.Hosts))
		for i, h := range f.Hosts {
			before[i] = h.Relay.RoundTrips()
		}
		cmd := exec.Command(program(t), "playbook", "-i", f.Inventory, "-e", "token="+token, filepath.Join(dir, "site.yml"))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "ANSIBLE_CONFIG="+f.AnsibleCfg)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, lastLines(string(out)))
		}
		most := 0
		for i, h := range f.Hosts {
			if err := site.Check(&Check{Host: h, Hosts: len(f.Hosts), Token: token, Out: string(out)}); err != nil {
				t.Errorf("%s: %v", h.Name, err)
			}
			most = max(most, h.Relay.RoundTrips()-before[i])
		}
		t.Logf("%s run: at most %d round trips a host for %d tasks", run, most, site.Tasks)
		if run == "second" && most > site.Tasks+8 {
			t.Errorf("%d round trips, more than %d", most, site.Tasks+8)
		}
	}
}
