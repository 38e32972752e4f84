//go:build integration

package templates

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"fettle/engine/diag"
	"fettle/engine/heap"
	"fettle/engine/template"
	"fettle/engine/value"
)

// timing is what one side needs, in microseconds of processor time.
type timing struct {
	Version, Text                string
	Render, Parse, Compile, When float64
}

// TestSpeed times fettle and Jinja2 in turns, on the same template, variables and condition, and
// compares the best times of both: the machine's other work slows down either now and then.
func TestSpeed(t *testing.T) {
	source, err := os.ReadFile("../../engine/template/testdata/nginx.j2")
	if err != nil {
		t.Fatal(err)
	}
	heap.Tune() // as the program does
	job := map[string]any{"template": string(source), "vars": nginx(), "when": "family == 'Debian' and version >= 11 and gzip"}
	ask := startJinja(t, job)
	ours, theirs := newTimer(t, job), ask()
	if text := ours.text(t); text != theirs.Text+"\n" && text != theirs.Text {
		t.Errorf("the texts differ: %d bytes of ours, %d of Jinja2's", len(text), len(theirs.Text))
	}
	best := ours.measure(t)
	for range 8 {
		best, theirs = best.least(ours.measure(t)), theirs.least(ask())
	}
	t.Logf("Python %s", theirs.Version)
	for _, c := range []struct {
		what         string
		ours, theirs float64
		asked        float64
	}{
		{"render", best.Render, theirs.Render, 10}, {"parse and compile against parse and compile", best.Compile, theirs.Compile, 20},
		{"parse and compile against parse alone", best.Compile, theirs.Parse, 0}, {"when", best.When, theirs.When, 10},
	} {
		t.Logf("%-45s %9.2f µs, Jinja2 %9.2f µs, %5.1f times (asked: %g)", c.what, c.ours, c.theirs, c.theirs/c.ours, c.asked)
		if c.theirs/c.ours < c.asked*0.6 { // what is left is for noise
			t.Errorf("%s is only %.1f times faster", c.what, c.theirs/c.ours)
		}
	}
	if best.When > 1 {
		t.Errorf("a condition takes %.2f µs", best.When)
	}
}

func (a timing) least(b timing) timing {
	a.Render, a.Parse = math.Min(a.Render, b.Render), math.Min(a.Parse, b.Parse)
	a.Compile, a.When = math.Min(a.Compile, b.Compile), math.Min(a.When, b.When)
	return a
}

// startJinja starts speed.py and returns what asks it for one measurement.
func startJinja(t *testing.T, job map[string]any) func() timing {
	if err := exec.Command(*python, "-c", "import jinja2").Run(); err != nil {
		t.Skipf("%s has no jinja2: %v", *python, err)
	}
	cmd := exec.CommandContext(t.Context(), *python, "speed.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if err := json.NewEncoder(in).Encode(job); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	return func() (r timing) {
		fmt.Fprintln(in)
		line, err := answers.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// timer runs the same jobs with fettle.
type timer struct {
	e      *template.Engine
	scope  template.MapScope
	source string
	cond   value.Value
}

func newTimer(t *testing.T, job map[string]any) *timer {
	text, err := json.Marshal(job["vars"])
	if err != nil {
		t.Fatal(err)
	}
	vars, err := value.FromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return &timer{template.New(template.Options{}), template.MapScope{Dict: vars.(*value.Dict)}, job["template"].(string),
		template.NewCond(job["when"].(string), diag.Pos{})}
}

func (m *timer) text(t *testing.T) string {
	s, _, err := m.e.NewContext(t.Context(), m.scope).RenderFile("nginx.j2", m.source, template.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *timer) measure(t *testing.T) timing {
	c := m.e.NewContext(t.Context(), m.scope)
	return timing{
		Render: cpu(400, func() { m.text(t) }),
		Compile: cpu(50, func() {
			if _, err := template.Compile(m.source, diag.Pos{}); err != nil {
				t.Fatal(err)
			}
		}),
		When: cpu(20000, func() {
			if ok, err := c.Cond(m.cond); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}),
	}
}

// cpu is the processor time of f in microseconds, that of the garbage collector included.
func cpu(n int, f func()) float64 {
	now := func() time.Duration {
		var r syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
			return 0
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	start := now()
	for range n {
		f()
	}
	return float64(now()-start) / float64(n) / 1000
}

// nginx are the variables of the template.
func nginx() map[string]any {
	var sites, upstreams []any
	for i := range 10 {
		n := fmt.Sprint(i)
		sites = append(sites, map[string]any{"name": "site" + n + ".example.com", "port": 8000 + i, "ssl": i%2 == 0, "root": "/srv/www/site" + n,
			"aliases":   []any{"www.site" + n + ".example.com", "alt" + n + ".example.com"},
			"locations": []any{map[string]any{"path": "/", "proxy": "up" + n}, map[string]any{"path": "/static", "expires": "30d"}}})
		upstreams = append(upstreams, map[string]any{"name": "up" + n,
			"servers": []any{map[string]any{"host": "10.0.0." + n, "weight": i + 1}, map[string]any{"host": "10.0.1." + n}}})
	}
	return map[string]any{"ansible_managed": "Ansible managed", "nginx_user": "www-data", "workers": "auto", "sites": sites, "upstreams": upstreams,
		"gzip": true, "gzip_types": []any{"text/plain", "text/css", "application/json"}, "family": "Debian", "version": 12}
}
