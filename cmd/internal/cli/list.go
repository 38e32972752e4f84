package cli

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/plan"
	"fettle/engine/run"
	"fettle/engine/value"
	"fettle/playbooks/compile"
)

// list is --list-hosts, --list-tasks and --list-tags. The tags of tasks marked never are
// listed where no tags are asked for or skipped, as by ansible-playbook.
func (ss *session) list(o *playbookOptions, p *plan.Plan, only, skip []string) error {
	if o.listTags && len(only) == 0 && len(skip) == 0 {
		only = []string{"all", "never"}
	}
	w := ss.s.Out
	playbook, n := "", 0
	for i, play := range compile.List(p, func(tags []string) bool { return run.SelectedByTags(tags, only, skip) }) {
		if i == 0 || play.Play.Playbook != playbook {
			playbook, n = play.Play.Playbook, 0
			fmt.Fprintf(w, "\nplaybook: %s\n", playbook)
		}
		n++
		fmt.Fprintf(w, "\n  play #%d (%s): %s\tTAGS: [%s]\n", n, play.Pattern, play.Name, strings.Join(play.Tags, ","))
		if o.listHosts {
			if err := ss.listHosts(play.Play, play.Pattern, o.limit); err != nil {
				return err
			}
		}
		if o.listTasks {
			fmt.Fprintln(w, "    tasks:")
			for _, t := range play.Tasks {
				fmt.Fprintf(w, "      %s\tTAGS: [%s]\n", t.Name, strings.Join(t.Tags, ", "))
			}
		}
		if o.listTags {
			fmt.Fprintf(w, "      TASK TAGS: [%s]\n", strings.Join(play.TaskTags, ", "))
		}
	}
	return nil
}

// listHosts prints the hosts of one play.
func (ss *session) listHosts(play *plan.Play, pattern, limit string) error {
	sel, err := ss.inv.Select([]string{pattern}, limit)
	if err != nil {
		return err
	}
	for _, w := range sel.Warnings {
		fmt.Fprintf(ss.s.Err, "[WARNING]: %s\n", w)
	}
	written := value.NewList(pattern)
	if l, ok := play.Hosts.Value.(*value.List); ok {
		written = l
	}
	fmt.Fprintf(ss.s.Out, "    pattern: %s\n    hosts (%d):\n", value.Repr(written), len(sel.Hosts))
	for _, h := range sel.Hosts {
		fmt.Fprintf(ss.s.Out, "      %s\n", h.Name)
	}
	return nil
}

func sorted(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}
