package cli

import (
	"context"
	"fmt"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/playbooks/compile"

	"github.com/spf13/cobra"
)

type checkOptions struct {
	runOptions
	strict bool
	json   bool
}

func newCheck(s *Streams) *cobra.Command {
	o := &checkOptions{}
	c := &cobra.Command{
		Use:   "check PLAYBOOK...",
		Short: "Load, check and compile playbooks; report all problems; connect to nothing",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	f := c.Flags()
	o.inventoryFlags(f)
	f.StringArrayVarP(&o.modulePath, "module-path", "M", nil, "where to look for custom modules, separated by colons")
	f.BoolVar(&o.strict, "strict", false, "what a run would meet only on reaching a task is an error as well")
	f.BoolVar(&o.json, "json", false, "print the problems as JSON")
	return c
}

func (o *checkOptions) run(ctx context.Context, s *Streams, args []string) error {
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	p, _, diags := compile.Compile(ss.compileOptions(args))
	all := &diag.List{}
	all.Add(ss.diags.Sorted()...)
	all.Add(diags.Sorted()...)
	all.Add(ss.strangers(p).Sorted()...)
	if o.strict {
		all = compile.Strict(all)
	}
	list := all.Sorted()
	errors := 0
	for _, d := range list {
		if d.Severity == diag.Error {
			errors++
		}
	}
	if o.json {
		if list == nil {
			list = []*diag.Diagnostic{}
		}
		if err := writeJSON(s.Out, list); err != nil {
			return err
		}
	} else {
		printDiagnostics(s.Err, list)
		fmt.Fprintf(s.Out, "%s, %s: %s, %s\n", count(len(p.Plays), "play"), count(taskCount(p), "task"), count(errors, "error"), count(len(list)-errors, "warning"))
	}
	if errors > 0 {
		return exit(exitParse)
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func taskCount(p *plan.Plan) int {
	n := 0
	for _, play := range p.Plays {
		for _, v := range play.Graph.Vertices {
			if v.Task != nil && !v.Task.Implicit {
				n++
			}
		}
		n += len(play.Handlers)
	}
	return n
}
