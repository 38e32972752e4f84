package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"fettle/cmd/internal/config"
	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/run"
	"fettle/engine/value"
	"fettle/playbooks/compile"

	"github.com/spf13/cobra"
)

type adhocOptions struct {
	runOptions
	module, args string
	oneLine      bool
	tree         string
	background   int
	poll         int
	basedir      string
	taskTimeout  int
	direct       bool              // the user's own command, for which settings count
	pollGiven    bool              // --poll was given
	collections  []string          // where module names are looked for (console)
	watch        func(event.Event) // sees every event beside the reporter
}

func newAdhoc(s *Streams) *cobra.Command {
	o := &adhocOptions{}
	c := &cobra.Command{
		Use:   "adhoc PATTERN",
		Short: "Run one module on hosts",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.direct, o.pollGiven = true, c.Flags().Changed("poll")
			return o.run(c.Context(), s, args[0])
		},
	}
	f := c.Flags()
	o.runFlags(f)
	f.StringVarP(&o.module, "module-name", "m", "", "module to run (default command)")
	f.StringVarP(&o.args, "args", "a", "", "its arguments: key=value words, JSON, or the free form")
	f.BoolVarP(&o.oneLine, "one-line", "o", false, "one line a host")
	f.StringVarP(&o.tree, "tree", "t", "", "not supported: use --format jsonl and a redirection")
	f.IntVarP(&o.background, "background", "B", 0, "run in the background for at most so many seconds")
	f.IntVarP(&o.poll, "poll", "P", 15, "seconds between looks at a background job")
	f.StringVar(&o.basedir, "playbook-dir", "", "directory that relative names and group_vars start from")
	f.IntVar(&o.taskTimeout, "task-timeout", 0, "seconds a task may take")
	return c
}

func (o *adhocOptions) run(ctx context.Context, s *Streams, pattern string) error {
	if o.tree != "" {
		return withCode(exitOptions, fmt.Errorf("--tree is not supported: use --format jsonl and a redirection"))
	}
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	ss.diags = ss.spare(ss.diags, []*plan.Play{{Pattern: pattern}})
	if err := ss.showProblems(nil); err != nil {
		return err
	}
	o.defaults(ss.cfg)
	module := first(o.module, ss.cfg.String("DEFAULT_MODULE_NAME"))
	sel, err := ss.inv.Select([]string{pattern}, o.limit)
	if err != nil {
		return err
	}
	for _, w := range sel.Warnings {
		ss.warn(diag.Warnf(diag.Pos{}, "host-pattern", "%s", w))
	}
	if o.listHosts {
		fmt.Fprintf(s.Out, "  hosts (%d):\n", len(sel.Hosts))
		for _, h := range sel.Hosts {
			fmt.Fprintf(s.Out, "    %s\n", h.Name)
		}
		return nil
	}
	if len(sel.Hosts) == 0 {
		fmt.Fprintln(s.Err, "[WARNING]: No hosts matched, nothing to do")
		return nil
	}
	if o.format == "" {
		o.format = "minimal"
		if o.oneLine || ss.cfg.Bool("DEFAULT_LOAD_CALLBACK_PLUGINS") && ss.cfg.String("DEFAULT_STDOUT_CALLBACK") == "oneline" {
			o.format = "oneline"
		}
	}
	return o.perform(ctx, ss, pattern, module, nil)
}

// defaults are what the settings say where no flag does.
func (o *adhocOptions) defaults(cfg *config.Config) {
	if !o.direct {
		return
	}
	o.args, o.basedir = first(o.args, cfg.String("DEFAULT_MODULE_ARGS")), first(o.basedir, cfg.String("PLAYBOOK_DIR"))
	if !o.pollGiven {
		o.poll = cfg.Int("DEFAULT_POLL_INTERVAL")
	}
}

// perform runs one module on the hosts of a pattern.
func (o *adhocOptions) perform(ctx context.Context, ss *session, pattern, module string, change func(*run.Options)) error {
	file, text, err := o.playbook(pattern, module)
	if err != nil {
		return err
	}
	opts := ss.compileOptions([]string{file})
	opts.Texts = map[string][]byte{file: text}
	p, x, diags := compile.Compile(opts)
	if err := ss.showProblems(diags); err != nil {
		return exit(exitUsage)
	}
	for _, play := range p.Plays {
		ss.diags.Add(ss.inv.LoadPlaybookDir(play.Dir).Sorted()...)
	}
	ss.diags = ss.spare(ss.diags, p.Plays)
	return ss.execute(ctx, p, x, func(ro *run.Options) {
		if o.watch != nil {
			ro.Sink = watched{ro.Sink, o.watch}
		}
		// An operator who asks at the terminal is answered; files, pipes and logs stay masked.
		ro.ShowSecrets = ss.s.Terminal && ss.closeLog == nil
		if change != nil {
			change(ro)
		}
		if o.taskTimeout > 0 {
			ro.TaskTimeout = o.taskTimeout
		}
	})
}

// playbook is the ad-hoc command as a playbook of one task.
func (o *adhocOptions) playbook(pattern, module string) (file string, text []byte, err error) {
	dir := o.basedir
	if dir == "" {
		dir = "."
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	quote := func(s string) string {
		q, _ := value.JSON{}.Encode(s) // a JSON string is a YAML scalar
		return q
	}
	args := strings.TrimSpace(o.args)
	switch {
	case args == "":
		args = "{}"
	case !strings.HasPrefix(args, "{"):
		args = quote(args)
	}
	task := fmt.Sprintf("- hosts: %s\n  name: Ansible Ad-Hoc\n  gather_facts: false\n", quote(pattern))
	if len(o.collections) > 0 {
		list, _ := value.JSON{}.Encode(textList(o.collections))
		task += "  collections: " + list + "\n"
	}
	task += fmt.Sprintf("  tasks:\n  - %s: %s\n", quote(module), args)
	if o.background > 0 {
		task += fmt.Sprintf("    async: %d\n    poll: %d\n", o.background, o.poll)
	}
	return filepath.Join(dir, "__adhoc_playbook__"), []byte(task), nil
}
