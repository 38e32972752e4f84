package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"fettle/integration/fleet"
)

// Plan says what to measure.
type Plan struct {
	Workloads []Workload
	Tools     []Tool
	Hosts     []int
	Latency   []time.Duration
	Repeat    int   // of second runs; slow tools run once
	Prepare   *Tool // makes the first run for slow tools, which are then measured on the second only
	Log       io.Writer
}

// Result is what one tool needed for one workload.
type Result struct {
	Workload string        `json:"workload"`
	Tool     string        `json:"tool"`
	Hosts    int           `json:"hosts"`
	Latency  time.Duration `json:"latency_ns"`
	First    []Sample      `json:"first"`  // on fresh hosts; empty: made by Plan.Prepare
	Second   []Sample      `json:"second"` // on hosts that need no change
	Skipped  string        `json:"skipped,omitempty"`
	Error    string        `json:"error,omitempty"`
}

// Run measures everything in the plan. A tool that fails or leaves a wrong end
// state has an Error and no numbers.
func Run(ctx context.Context, p Plan) ([]Result, error) {
	j, err := newJail()
	if err != nil {
		return nil, err
	}
	defer j.close()
	var results []Result
	for _, latency := range p.Latency {
		for _, n := range p.Hosts {
			for _, w := range p.Workloads {
				for _, tool := range p.Tools {
					if err := ctx.Err(); err != nil {
						return results, err
					}
					r := Result{Workload: w.Name, Tool: tool.Name, Hosts: n, Latency: latency, Skipped: tool.Missing}
					if r.Skipped == "" {
						if err := p.measure(ctx, j, w, tool, &r); err != nil {
							r.First, r.Second, r.Error = nil, nil, err.Error()
						}
					}
					fmt.Fprintln(p.Log, r.line())
					results = append(results, r)
				}
			}
		}
	}
	return results, nil
}

func (r Result) line() string {
	head := fmt.Sprintf("%-9s %4d hosts %5v %-16s", r.Workload, r.Hosts, r.Latency, r.Tool)
	switch {
	case r.Skipped != "":
		return head + " skipped: " + r.Skipped
	case r.Error != "":
		return head + " FAILED: " + r.Error
	}
	m := median(r.Second)
	return fmt.Sprintf("%s first %8v  second %8v  cpu %8v  host cpu %8v  peak %4d MB", head, round(median(r.First).Wall), round(m.Wall), round(m.CPU), round(m.HostCPU), m.Peak>>20)
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

// token is written by the workloads: the same in all runs, so that second runs
// have nothing to change.
const token = "mark-7"

// measure gives the tool fresh hosts, runs it once on them, and then again.
func (p Plan) measure(ctx context.Context, j *jail, w Workload, tool Tool, r *Result) error {
	group := fleet.Group{Count: r.Hosts, Python: true, Latency: r.Latency}
	if w.Systemd {
		group.Kind = fleet.KindSystemd
	}
	f, err := fleet.Start(ctx, group)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return errors.Join(err, f.Down())
	}
	err = p.runs(ctx, j, w, tool, f, dir, r)
	return errors.Join(err, f.Down(), os.RemoveAll(dir))
}

func (p Plan) runs(ctx context.Context, j *jail, w Workload, tool Tool, f *fleet.Fleet, dir string, r *Result) error {
	if err := w.Write(dir); err != nil {
		return err
	}
	repeat := p.Repeat
	if tool.Slow {
		repeat = 1
	}
	hostCPU := func() time.Duration {
		var sum time.Duration
		for _, h := range f.Hosts {
			d, _ := h.CPU()
			sum += d
		}
		return sum
	}
	for i := range repeat + 1 {
		tool, prepares := tool, false
		if i == 0 && tool.Slow && p.Prepare != nil {
			tool, prepares = *p.Prepare, true
		}
		job := Job{Inventory: f.Inventory, Playbook: filepath.Join(dir, "site.yml"), Config: f.AnsibleCfg, Hosts: r.Hosts, Tasks: w.Tasks, Token: token}
		argv, env := tool.Command(job)
		s, out, err := j.run(ctx, dir, argv, env, hostCPU)
		if err != nil {
			return fmt.Errorf("%w: %s", err, lastLines(out))
		}
		if !tool.Floor {
			for _, h := range f.Hosts {
				if err := w.Check(&Check{Host: h, Hosts: r.Hosts, Token: job.Token, Out: out}); err != nil {
					return fmt.Errorf("end state of %s: %w", h.Name, err)
				}
			}
		}
		switch {
		case i > 0:
			r.Second = append(r.Second, s)
		case !prepares:
			r.First = append(r.First, s)
		}
	}
	return nil
}

func lastLines(s string) string {
	if len(s) > 400 {
		s = "…" + s[len(s)-400:]
	}
	return s
}
