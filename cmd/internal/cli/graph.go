package cli

import (
	"context"
	"fmt"

	"fettle/playbooks/compile"

	"github.com/spf13/cobra"
)

type graphOptions struct {
	runOptions
	format string
}

func newGraph(s *Streams) *cobra.Command {
	o := &graphOptions{}
	c := &cobra.Command{
		Use:   "graph PLAYBOOK...",
		Short: "Print the task graph that the engine walks",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	o.inventoryFlags(c.Flags())
	c.Flags().StringVarP(&o.format, "output", "o", "dot", "dot, mermaid or json")
	return c
}

func (o *graphOptions) run(ctx context.Context, s *Streams, args []string) error {
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	p, _, diags := compile.Compile(ss.compileOptions(args))
	if err := ss.showProblems(diags); err != nil {
		return err
	}
	g := compile.Graph(p)
	switch o.format {
	case "dot":
		return g.DOT(s.Out)
	case "mermaid":
		return g.Mermaid(s.Out)
	case "json":
		return g.JSON(s.Out)
	}
	return withCode(exitOptions, fmt.Errorf("unknown graph format %q; there are dot, mermaid and json", o.format))
}
