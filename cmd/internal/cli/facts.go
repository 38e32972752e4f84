package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type factsOptions struct {
	adhocOptions
	subset, filter string
}

func newFacts(s *Streams) *cobra.Command {
	o := &factsOptions{}
	c := &cobra.Command{
		Use:   "facts PATTERN",
		Short: "Gather and print the facts of hosts",
		Args:  cobra.ExactArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	f := c.Flags()
	o.runFlags(f)
	f.StringVar(&o.subset, "subset", "", "what to gather, as setup's gather_subset")
	f.StringVar(&o.filter, "filter", "", "which facts to show, as setup's filter")
	return c
}

func (o *factsOptions) run(ctx context.Context, s *Streams, pattern string) error {
	o.module = "ansible.builtin.setup"
	if o.subset != "" {
		o.args += " gather_subset=" + o.subset
	}
	if o.filter != "" {
		o.args += " filter=" + o.filter
	}
	return o.adhocOptions.run(ctx, s, pattern)
}
