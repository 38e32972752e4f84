package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/run"
	"fettle/engine/value"
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

// list is --list-hosts, --list-tasks and --list-tags.
func (ss *session) list(o *playbookOptions, p *plan.Plan, only, skip []string) error {
	w := ss.s.Out
	file := ""
	for n, play := range p.Plays {
		if play.File != file {
			file = play.File
			fmt.Fprintf(w, "\nplaybook: %s\n", file)
		}
		pattern := patternText(play.Hosts)
		name := pattern
		if play.Name.Set {
			name = value.Str(raw(play.Name.Value))
		}
		fmt.Fprintf(w, "\n  play #%d (%s): %s\tTAGS: [%s]\n", n+1, pattern, name, strings.Join(tagTexts(play.Tags), ","))
		if o.listHosts {
			sel, err := ss.inv.Select([]string{pattern}, o.limit)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "    pattern: ['%s']\n    hosts (%d):\n", strings.ReplaceAll(pattern, ",", "', '"), len(sel.Hosts))
			for _, h := range sel.Hosts {
				fmt.Fprintf(w, "      %s\n", h.Name)
			}
		}
		listPlay(w, o, play, only, skip)
	}
	return nil
}

func listPlay(w io.Writer, o *playbookOptions, play *plan.Play, only, skip []string) {
	if o.listTasks {
		fmt.Fprintln(w, "    tasks:")
	}
	var all []string
	for _, v := range play.Graph.Vertices {
		t := v.Task
		if t == nil || t.Implicit || !run.SelectedByTags(t.Tags, only, skip) {
			continue
		}
		for _, tag := range t.Tags {
			if !slices.Contains(all, tag) {
				all = append(all, tag)
			}
		}
		if o.listTasks {
			name := t.Action
			if t.Name.Set {
				name = value.Str(raw(t.Name.Value))
			}
			if t.Role != nil {
				name = t.Role.Name + " : " + name
			}
			fmt.Fprintf(w, "      %s\tTAGS: [%s]\n", name, strings.Join(sorted(t.Tags), ", "))
		}
	}
	if o.listTags {
		fmt.Fprintf(w, "      TASK TAGS: [%s]\n", strings.Join(sorted(all), ", "))
	}
}

func sorted(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

func raw(v value.Value) value.Value {
	if t, ok := v.(*value.Template); ok {
		return t.Src
	}
	return v
}

func patternText(a plan.Attr) string {
	if l, ok := a.Value.(*value.List); ok {
		return strings.Join(tagTexts(l.V), ",")
	}
	return value.Str(raw(a.Value))
}

func tagTexts(vs []value.Value) []string {
	out := make([]string, 0, len(vs))
	for _, v := range vs {
		out = append(out, value.Str(raw(v)))
	}
	return out
}
