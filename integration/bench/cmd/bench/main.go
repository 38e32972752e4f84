// Command bench measures fettle beside Ansible, Mitogen and a bare SSH floor on
// throw-away hosts, and prints medians and ratios as a Markdown table.
//
//	bench -short                        under ten minutes
//	bench -hosts 10,50 -workloads site  more
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fettle/integration/bench"
	"fettle/integration/fleet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	short            bool
	hosts, latency   string
	workloads, tools string
	repeat           int
	prepare          bool
	fettle, mitogen  string
	site, json, md   string
}

func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == "floor" {
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return bench.Floor(ctx, args[1], n)
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.short, "short", false, "3 hosts, a few workloads: under ten minutes")
	flags.StringVar(&o.hosts, "hosts", "", "numbers of hosts (default 1,10,50,200; short: 3)")
	flags.StringVar(&o.latency, "latency", "", "added round-trip times (default 0,30ms; short: 0)")
	flags.StringVar(&o.workloads, "workloads", "", "ping,facts,site,tiny,steps,loop,files,hostvars,package (default all; short: ping,site,hostvars)")
	flags.StringVar(&o.tools, "tools", "", "floor,fettle,mitogen,ansible tuned,ansible default (default all)")
	flags.IntVar(&o.repeat, "repeat", 5, "second runs of each fast tool")
	flags.BoolVar(&o.prepare, "prepare", false, "fettle makes the first run for Ansible: 50 hosts and more take it half an hour")
	flags.StringVar(&o.fettle, "fettle", "", "program to measure (default: build it)")
	flags.StringVar(&o.mitogen, "mitogen", "", "directory of an unpacked Mitogen")
	flags.StringVar(&o.site, "site", "integration/testdata/site", "directory of the site playbook")
	flags.StringVar(&o.json, "json", "", "file for all samples")
	flags.StringVar(&o.md, "markdown", "", "file for the table, besides stdout")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if why := fleet.Missing(fleet.Group{Python: true}); why != "" {
		fmt.Println("bench skipped:", why)
		return nil
	}
	return o.measure(ctx)
}

func (o options) measure(ctx context.Context) error {
	plan, err := o.plan(ctx)
	if err != nil {
		return err
	}
	results, err := bench.Run(ctx, plan)
	if err != nil {
		return err
	}
	fmt.Println()
	if err := bench.WriteMarkdown(os.Stdout, results); err != nil {
		return err
	}
	if o.json != "" {
		if err := bench.WriteJSON(o.json, results); err != nil {
			return err
		}
	}
	if o.md != "" {
		f, err := os.Create(o.md)
		if err != nil {
			return err
		}
		if err := errors.Join(bench.WriteMarkdown(f, results), f.Close()); err != nil {
			return err
		}
	}
	for _, r := range results {
		if r.Error != "" {
			return fmt.Errorf("%s of %s failed", r.Workload, r.Tool)
		}
	}
	return nil
}

func (o options) plan(ctx context.Context) (bench.Plan, error) {
	p := bench.Plan{Repeat: o.repeat, Log: os.Stderr}
	for _, path := range []*string{&o.fettle, &o.mitogen, &o.site} { // tools run in a directory of their own
		if *path != "" {
			abs, err := filepath.Abs(*path)
			if err != nil {
				return p, err
			}
			*path = abs
		}
	}
	hosts, latency, workloads := "1,10,50,200", "0,30ms", "ping,facts,site,tiny,steps,loop,files,hostvars,package"
	if o.short {
		hosts, latency, workloads = "3", "0", "ping,site,hostvars"
	}
	for _, s := range fields(o.hosts, hosts) {
		n, err := strconv.Atoi(s)
		if err != nil {
			return p, err
		}
		p.Hosts = append(p.Hosts, n)
	}
	for _, s := range fields(o.latency, latency) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return p, err
		}
		p.Latency = append(p.Latency, d)
	}
	for _, name := range fields(o.workloads, workloads) {
		all := bench.Workloads(o.site)
		i := slices.IndexFunc(all, func(w bench.Workload) bool { return w.Name == name })
		if i < 0 {
			return p, fmt.Errorf("no workload %q", name)
		}
		p.Workloads = append(p.Workloads, all[i])
	}
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	want := fields(o.tools, "floor,fettle,mitogen,ansible tuned,ansible default")
	if o.fettle == "" && (o.prepare || slices.Contains(want, "fettle")) {
		if o.fettle, err = build(ctx); err != nil {
			return p, err
		}
	}
	for _, t := range bench.Tools(o.fettle, o.mitogen, self) {
		if o.prepare && t.Name == "fettle" {
			p.Prepare = &t
		}
		if slices.Contains(want, t.Name) {
			p.Tools = append(p.Tools, t)
		}
	}
	return p, nil
}

func fields(value, fallback string) []string {
	if value == "" {
		value = fallback
	}
	return strings.Split(value, ",")
}

// build builds fettle beside this program.
func build(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(filepath.Dir(self), "fettle-under-test")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "fettle/cmd/fettle").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build fettle: %w\n%s", err, out)
	}
	return bin, nil
}
