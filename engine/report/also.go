package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"fettle/engine/event"
)

// alsoKnown are the callbacks that can run beside the output, by their short names.
var alsoKnown = []string{"timer", "profile_tasks", "profile_roles"}

// AlsoName is the name under which a callback of callbacks_enabled can be asked for in
// Options.Also; "" when there is no such one.
func AlsoName(name string) string {
	for _, prefix := range []string{"ansible.posix.", "community.general.", "ansible.builtin."} {
		name = strings.TrimPrefix(name, prefix)
	}
	if slices.Contains(alsoKnown, name) {
		return name
	}
	return ""
}

// profiled tells, beside what a reporter tells, how long things take, as the callbacks timer,
// profile_tasks and profile_roles do.
type profiled struct {
	Reporter
	w         io.Writer
	each      bool // a line below every heading
	also      []string
	began     time.Time
	last      time.Time
	current   *event.Task
	tasks     []spent
	roles     []spent
	roleIndex map[string]int
}

type spent struct {
	name string
	time time.Duration
}

func newProfiled(r Reporter, o Options, format string) Reporter {
	p := &profiled{Reporter: r, w: o.Out, also: o.Also, each: format == "ansible", roleIndex: map[string]int{}}
	if strings.HasPrefix(format, "json") {
		p.w = o.Err
	}
	return p
}

// Emit implements event.Sink.
func (p *profiled) Emit(e event.Event) {
	switch x := e.(type) {
	case event.RunStart:
		p.began, p.last = x.At, x.At
	case event.TaskStart:
		line := p.lap(x.At, x.Task)
		if a, ok := p.Reporter.(*ansible); ok && p.each {
			a.below = line
		}
	case event.RunEnd:
		p.Reporter.Emit(e)
		p.summary(x)
		return
	}
	p.Reporter.Emit(e)
}

// lap ends the task before and gives the line that stands below the heading of the next.
func (p *profiled) lap(at time.Time, next *event.Task) string {
	took := at.Sub(p.last)
	p.last = at
	if t := p.current; t != nil {
		p.tasks[len(p.tasks)-1].time += took
		p.roles[p.roleIndex[roleOf(t)]].time += took
	}
	if next != nil {
		p.tasks = append(p.tasks, spent{name: taskName(next)})
		if _, ok := p.roleIndex[roleOf(next)]; !ok {
			p.roleIndex[roleOf(next)] = len(p.roles)
			p.roles = append(p.roles, spent{name: roleOf(next)})
		}
	}
	p.current = next
	line := at.Format("Monday 02 January 2006  15:04:05 -0700") + " (" + clock(took) + ")       " + clock(at.Sub(p.began))
	out := ""
	for _, name := range p.also {
		if name != "timer" {
			out += filled(line, "*") + "\n"
		}
	}
	return out
}

func roleOf(t *event.Task) string { return cmp.Or(t.Role, t.Action) }

func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%d:%02d:%02d.%03d", ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}

func filled(text, with string) string {
	if text != "" {
		text += " "
	}
	return text + strings.Repeat(with, max(79-len(text), 3)) + " "
}

const profileLines = 20 // as many as profile_tasks shows

func (p *profiled) summary(x event.RunEnd) {
	head := p.lap(x.At, nil)
	if i := strings.IndexByte(head, '\n'); i > 0 {
		head = head[:i+1]
	}
	for _, name := range p.also {
		switch name {
		case "timer":
			s := int64(x.At.Sub(p.began).Seconds())
			fmt.Fprintf(p.w, "Playbook run took %d days, %d hours, %d minutes, %d seconds\n", s/86400, s/3600%24, s/60%60, s%60)
		case "profile_tasks":
			fmt.Fprint(p.w, head+filled("", "=")+"\n")
			writeSpent(p.w, p.tasks, profileLines)
		case "profile_roles":
			fmt.Fprint(p.w, head+filled("", "=")+"\n")
			total := writeSpent(p.w, p.roles, len(p.roles))
			fmt.Fprintln(p.w, filled("", "~"))
			writeSpent(p.w, []spent{{"total", total}}, 1)
		}
	}
}

// writeSpent lists what took longest and gives the sum of all.
func writeSpent(w io.Writer, all []spent, most int) time.Duration {
	sorted := slices.Clone(all)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].time > sorted[j].time })
	total := time.Duration(0)
	for i, s := range sorted {
		total += s.time
		if i >= most {
			continue
		}
		name, took := s.name+" ", fmt.Sprintf(" %.2fs", s.time.Seconds())
		fmt.Fprintf(w, "%s%s%s%s\n", name, strings.Repeat("-", max(70-len([]rune(name)), 0)), strings.Repeat("-", max(9-len(took), 0)), took)
	}
	return total
}
