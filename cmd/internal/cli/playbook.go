package cli

import (
	"context"
	"fmt"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/run"
	"fettle/engine/value"
	"fettle/playbooks/compile"

	"github.com/spf13/cobra"
)

type playbookOptions struct {
	runOptions
	tags, skipTags []string
	startAt        string
	step           bool
	syntax         bool
	listTasks      bool
	listTags       bool
	forceHandlers  bool
}

func newPlaybook(s *Streams) *cobra.Command {
	o := &playbookOptions{}
	c := &cobra.Command{
		Use:   "playbook PLAYBOOK...",
		Short: "Run playbooks against the hosts of an inventory",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	f := c.Flags()
	o.runFlags(f)
	f.StringArrayVarP(&o.tags, "tags", "t", nil, "only tasks with these tags")
	f.StringArrayVar(&o.skipTags, "skip-tags", nil, "no tasks with these tags")
	f.StringVar(&o.startAt, "start-at-task", "", "start at the task of this name")
	f.BoolVar(&o.step, "step", false, "ask before each task")
	f.BoolVar(&o.syntax, "syntax-check", false, "check the playbook, run nothing")
	f.BoolVar(&o.listTasks, "list-tasks", false, "list the tasks, run nothing")
	f.BoolVar(&o.listTags, "list-tags", false, "list the tags, run nothing")
	f.BoolVar(&o.forceHandlers, "force-handlers", false, "run handlers even if a task fails")
	f.BoolVar(&o.flushCache, "flush-cache", false, "forget cached facts of the hosts")
	return c
}

func tagList(in, dflt []string) []string {
	if len(in) == 0 {
		in = dflt
	}
	var out []string
	for _, t := range in {
		for e := range strings.SplitSeq(t, ",") {
			if e = strings.TrimSpace(e); e != "" {
				out = append(out, e)
			}
		}
	}
	return out
}

func (o *playbookOptions) run(ctx context.Context, s *Streams, args []string) error {
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	ss.what = strings.Join(args, " ")
	tags, skip := tagList(o.tags, ss.cfg.List("TAGS_RUN")), tagList(o.skipTags, ss.cfg.List("TAGS_SKIP"))
	copts := ss.compileOptions(args)
	copts.Selected = func(t []string) bool { return run.SelectedByTags(t, tags, skip) }
	p, x, diags := compile.Compile(copts)
	for _, play := range p.Plays {
		diags.Add(ss.inv.LoadPlaybookDir(play.Dir).Sorted()...)
	}
	diags.Add(ss.strangers(p).Sorted()...)
	diags.Add(ss.diags.Sorted()...)
	ss.diags = &diag.List{}
	if o.syntax || o.listHosts || o.listTasks || o.listTags {
		diags = ss.spare(diags, nil)
	} else {
		diags = ss.spare(diags, p.Plays)
	}
	if err := ss.showProblems(onReaching(diags)); err != nil {
		return err
	}
	if len(tags) > 0 {
		ss.store.Magic.Set("ansible_run_tags", textList(tags), diag.Pos{})
	}
	ss.store.Magic.Set("ansible_skip_tags", textList(skip), diag.Pos{})
	if o.limit != "" {
		if err := ss.checkLimit(); err != nil {
			return err
		}
	}
	switch {
	case o.syntax:
		for _, a := range args {
			fmt.Fprintf(s.Out, "\nplaybook: %s\n", a)
		}
		return nil
	case o.listHosts || o.listTasks || o.listTags:
		return ss.list(o, p, tags, skip)
	}
	if o.flushCache {
		ss.flushFacts()
	}
	retry := ss.retryFile(args)
	err = ss.execute(ctx, p, x, func(ro *run.Options) {
		ro.Sink = watched{ro.Sink, retry.watch}
		ro.Tags, ro.SkipTags, ro.StartAtTask = tags, skip, o.startAt
		ro.ForceHandlers = ro.ForceHandlers || o.forceHandlers
		if o.step {
			ro.Step = func(task string) string { return askStep(ctx, task) }
		}
	})
	if werr := retry.write(s); err == nil {
		err = werr
	}
	return err
}

func textList(in []string) *value.List {
	l := value.NewList()
	for _, s := range in {
		l.V = append(l.V, s)
	}
	return l
}

// checkLimit refuses a limit that leaves nobody.
func (ss *session) checkLimit() error {
	sel, err := ss.inv.Select([]string{"all", "localhost"}, ss.o.limit)
	if err != nil {
		return err
	}
	if len(sel.Hosts) == 0 {
		for _, w := range sel.Warnings {
			fmt.Fprintf(ss.s.Err, "[WARNING]: %s\n", w)
		}
		return fmt.Errorf("Specified inventory, host pattern and/or --limit leaves us with no hosts to target.") //nolint:staticcheck // Ansible's words
	}
	return nil
}

func askStep(ctx context.Context, task string) string {
	for {
		a, ok, err := ask(ctx, fmt.Sprintf("Perform task: %s (N)o/(y)es/(c)ontinue: ", task), true, 0)
		if err != nil || !ok {
			return "no"
		}
		switch strings.ToLower(strings.TrimSpace(a)) {
		case "y", "yes":
			return "yes"
		case "c", "continue":
			return "continue"
		case "", "n", "no":
			return "no"
		}
	}
}
