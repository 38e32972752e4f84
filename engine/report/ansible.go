package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/event"
	templates "fettle/engine/template/ansible"
	"fettle/engine/value"
)

// ansible prints what Ansible's default callback prints; the order of hosts within a task
// is that of the inventory.
type ansible struct {
	o       Options
	shown   *event.Task // whose banner stands last
	pending *event.Task // whose banner is still to come
	below   string      // what stands below the next heading
	check   bool        // the whole run is in check mode
}

func newAnsible(o Options) Reporter { return &ansible{o: o} }

// failed prints a line about a failure.
func (a *ansible) failed(code, format string, args ...any) {
	w := a.o.Out
	if a.o.FailedToErr {
		w = a.o.Err
	}
	fmt.Fprintln(w, a.color(fmt.Sprintf(format, args...), code))
}

func (a *ansible) notes() io.Writer {
	if a.o.Notes != nil {
		return a.o.Notes
	}
	return a.o.Out
}

// mark is what a banner says about check mode.
func (a *ansible) mark(check bool) string {
	if check && a.o.CheckMarkers {
		return " [CHECK MODE]"
	}
	return ""
}

// Colours of Ansible's defaults.
const (
	green     = "0;32"
	yellow    = "0;33"
	red       = "0;31"
	brightRed = "1;31"
	cyan      = "0;36"
	blue      = "0;34"
	purple    = "1;35"
	darkGray  = "1;30"
)

func (a *ansible) color(s, code string) string {
	if !a.o.Color || s == "" {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = "\x1b[" + code + "m" + l + "\x1b[0m"
	}
	return strings.Join(lines, "\n")
}

func (a *ansible) line(code, format string, args ...any) {
	fmt.Fprintln(a.o.Out, a.color(fmt.Sprintf(format, args...), code))
}

func (a *ansible) banner(msg string) {
	stars := max(a.o.Width-1-len([]rune(msg)), 3)
	fmt.Fprintf(a.o.Out, "\n%s %s\n", msg, strings.Repeat("*", stars))
}

// Emit implements event.Sink.
func (a *ansible) Emit(e event.Event) {
	switch x := e.(type) {
	case event.RunStart:
		a.check = x.Check
		a.playbooks(x.Playbooks)
		if x.Check && a.o.CheckMarkers {
			a.banner("DRY RUN")
		}
	case event.PlayStart:
		name := "PLAY"
		if x.Name != "" {
			name = "PLAY [" + x.Name + "]"
		}
		a.banner(name + a.mark(x.Check))
	case event.NoHosts:
		a.line(cyan, "skipping: no hosts matched")
	case event.NoHostsLeft:
		a.banner("NO MORE HOSTS LEFT")
	case event.TaskStart:
		a.pending = x.Task
		if x.Hosts > 0 && !a.o.HideSkipped && !a.o.HideOK {
			a.heading()
		}
	case event.ItemResult:
		a.item(x)
	case event.HostResult:
		a.host(x)
	case event.Included:
		a.heading()
		label := ""
		if x.Label != nil {
			label = " => (item=" + value.Str(x.Label) + ")"
		}
		a.line(cyan, "included: %s for %s%s", x.File, strings.Join(x.Hosts, ", "), label)
	case event.Retry:
		a.of(x.Task)
		a.line(darkGray, "FAILED - RETRYING: [%s]: %s (%d retries left).%s", x.Host, taskName(x.Task), x.Retries-x.Attempt+1, a.verbose(x.Result, 2))
	case event.Async:
		a.of(x.Task)
		a.async(x)
	case event.Notified:
		if a.o.Verbosity >= 2 {
			fmt.Fprintf(a.notes(), "NOTIFIED HANDLER %s for %s\n", x.Handler, x.Host)
		}
	case event.Note:
		if a.o.Verbosity >= x.Level {
			fmt.Fprintln(a.notes(), x.Text)
		}
	case event.Interrupted:
		a.interrupted(x)
	case event.Warning:
		a.warning(x)
	case event.Display:
		fmt.Fprintln(a.o.Out, x.Text)
	case event.RunEnd:
		a.recap(x)
	}
}

// playbooks names what is about to run, with -vv.
func (a *ansible) playbooks(all []event.Playbook) {
	if a.o.Verbosity < 2 {
		return
	}
	for _, p := range all {
		if p.Name != "" {
			a.banner("PLAYBOOK: " + filepath.Base(p.Name))
			fmt.Fprintf(a.o.Out, "%d plays in %s\n", p.Plays, p.Name)
		}
	}
}

func (a *ansible) interrupted(x event.Interrupted) {
	for i, l := range interruptedLines(x) {
		if i == 0 && !x.Ended {
			l = "User interrupted execution: " + l
		}
		fmt.Fprintln(a.o.Err, a.color("[ERROR]: "+l, red))
	}
}

func (a *ansible) warning(x event.Warning) {
	word := "[WARNING]: "
	code := purple
	if x.Deprecated {
		word, code = "[DEPRECATION WARNING]: ", purple
	}
	text := word + x.Text
	if p := x.Pos.String(); p != "" {
		text += " (" + p + ")"
	}
	fmt.Fprintln(a.o.Err, a.color(text, code))
}

// taskName is what a task is called; what its name was made of may come from a host.
func taskName(t *event.Task) string {
	name := tameText(t.Name)
	if name == "" {
		name = t.Action
	}
	if t.Role != "" {
		return t.Role + " : " + name
	}
	return name
}

// heading prints the banner of the task that has begun, when that has not been done.
func (a *ansible) heading() {
	if a.pending != nil {
		a.headingOf(a.pending)
	}
}

// of makes sure that the banner above is that of a result's task: with the free strategy
// results of several tasks come mixed.
func (a *ansible) of(t *event.Task) {
	if a.pending == t || a.shown != t {
		a.headingOf(t)
	}
}

func (a *ansible) headingOf(t *event.Task) {
	word := "TASK"
	if t.Handler {
		word = "RUNNING HANDLER"
	}
	args := ""
	if t.Args != "" {
		args = " " + t.Args
	}
	a.banner(word + " [" + taskName(t) + args + "]" + a.mark(t.Check))
	fmt.Fprint(a.o.Out, a.below)
	a.below = ""
	if a.o.TaskPath || a.o.Verbosity >= 2 {
		a.line(darkGray, "task path: %s:%d", t.Pos.File, t.Pos.Line)
	}
	a.shown, a.pending = t, nil
}

// path says where a failed task stands, unless its banner has.
func (a *ansible) path(t *event.Task) {
	if a.o.FailedPath && a.o.Verbosity < 2 && !a.o.TaskPath {
		a.line(darkGray, "task path: %s:%d", t.Pos.File, t.Pos.Line)
	}
}

func hostLabel(host, delegated, address string) string {
	if delegated == "" || delegated == host {
		return host
	}
	if address != "" {
		delegated += "(" + address + ")"
	}
	return host + " -> " + delegated
}

// dump is a result as JSON text.
func (a *ansible) dump(d *value.Dict, always bool) string {
	enc := value.JSON{SortKeys: true, Spaces: true}
	pretty := always || a.o.Verbosity > 2
	if a.o.Pretty != nil {
		pretty = *a.o.Pretty
	}
	shown := visible(d, a.o, always)
	if a.o.YAML {
		return a.yaml(shown, pretty)
	}
	if pretty {
		enc.Indent, enc.Pretty = "    ", true
	}
	s, err := enc.Encode(shown)
	if err != nil {
		return value.Repr(d)
	}
	return s
}

// yaml is a result below its line, with result_format yaml.
func (a *ansible) yaml(d *value.Dict, pretty bool) string {
	indent, lossy := 2, a.o.Pretty == nil || *a.o.Pretty
	if pretty {
		indent = 4
	}
	if lossy {
		for _, name := range []string{"stdout", "stderr"} {
			if _, ok := d.GetString(name + "_lines"); ok {
				if _, ok := d.GetString(name); ok {
					d.SetString(name+"_lines", "<omitted>")
				}
			}
		}
	}
	s, err := templates.ResultYAML(d, indent, lossy)
	if err != nil {
		return value.Repr(d)
	}
	if d.Len() == 0 {
		return "\n    {}"
	}
	return "\n    " + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n    "), "\n    \n", "\n\n")
}

func (a *ansible) verbose(d *value.Dict, level int) string {
	if d != nil && a.o.Verbosity >= level {
		return " Result was: " + a.dump(d, false)
	}
	return ""
}

// tail is what follows an ok or changed line.
func (a *ansible) tail(t *event.Task, d *value.Dict) string {
	if d == nil {
		return ""
	}
	always := isTrue(d, "_ansible_verbose_always")
	if !always && a.o.Verbosity == 0 {
		return ""
	}
	if t.Module == "ansible.builtin.debug" {
		d = onlyDebug(d)
		always = true
	}
	return " => " + a.dump(d, always)
}

// origin tells where in the playbook's own text a failure comes from.
func (a *ansible) origin(at []diag.Pos, d *value.Dict) {
	if len(at) == 0 || d == nil {
		return
	}
	msg, _ := d.GetString("msg")
	for _, name := range []string{"changed_when_result", "failed_when_result"} {
		if text, ok := d.GetString(name); ok && value.TypeName(text) == "str" {
			msg = text
		}
	}
	text := "[ERROR]: " + value.Str(msg)
	for _, p := range at {
		text += "\nOrigin: " + p.String()
	}
	fmt.Fprintln(a.notes(), a.color(text, red)+"\n")
}

// failure is the result of a task that failed or was skipped; debug shows its message as when it does not fail.
func (a *ansible) failure(t *event.Task, d *value.Dict) string {
	if t.Module == "ansible.builtin.debug" && d != nil {
		return a.dump(onlyDebug(d), isTrue(d, "_ansible_verbose_always"))
	}
	return a.dump(d, d != nil && isTrue(d, "_ansible_verbose_always"))
}

// onlyDebug is what is shown of debug: the message alone, or the variable.
func onlyDebug(d *value.Dict) *value.Dict {
	if m, ok := d.GetString("msg"); ok {
		return value.DictOf("msg", m)
	}
	hidden := map[string]bool{"changed": true, "failed": true, "skipped": true, "skip_reason": true, "invocation": true, "ansible_loop_var": true,
		"ansible_index_var": true, "ansible_loop": true}
	out := value.NewDict(1)
	for _, e := range d.Entries() {
		if name, _ := e.Key.(string); !hidden[name] {
			_ = out.Set(e.Key, e.Value)
		}
	}
	return out
}

func (a *ansible) item(x event.ItemResult) {
	label := value.Str(x.Label)
	host := hostLabel(x.Host, x.Delegated, x.Address)
	switch x.Status {
	case event.OK, event.Changed:
		if x.Task.Module == "ansible.builtin.include_tasks" || x.Task.Module == "ansible.builtin.include_role" {
			return
		}
		a.changes(x.Status, x.Diff)
		word, code := "ok", green
		if x.Status == event.Changed {
			word, code = "changed", yellow
		} else if a.o.HideOK {
			return
		}
		a.of(x.Task)
		a.line(code, "%s: [%s] => (item=%s)%s", word, host, label, a.tail(x.Task, x.Result))
	case event.Failed, event.Unreachable:
		a.of(x.Task)
		a.origin(x.Places, x.Result)
		a.diffs(x.Diff)
		a.path(x.Task)
		a.failed(red, "failed: [%s] (item=%s) => %s", host, label, a.failure(x.Task, x.Result))
	case event.Skipped:
		if !a.o.HideSkipped {
			a.of(x.Task)
			a.line(cyan, "skipping: [%s] => (item=%s) %s", host, label, a.skipTail(x.Task, x.Result))
		}
	}
}

func (a *ansible) skipTail(t *event.Task, d *value.Dict) string {
	if a.o.Verbosity > 0 && d != nil {
		return "=> " + a.failure(t, d)
	}
	return ""
}

func (a *ansible) host(x event.HostResult) {
	host := hostLabel(x.Host, x.Delegated, x.Address)
	include := x.Task.Module == "ansible.builtin.include_tasks" || x.Task.Module == "ansible.builtin.include_role"
	switch x.Status {
	case event.OK, event.Changed:
		if x.Loop || include {
			return
		}
		word, code := "ok", green
		if x.Status == event.Changed {
			word, code = "changed", yellow
		} else if a.o.HideOK {
			return
		}
		a.of(x.Task)
		a.changes(x.Status, x.Diff)
		a.line(code, "%s: [%s]%s", word, host, a.tail(x.Task, x.Result))
	case event.Skipped:
		if !a.o.HideSkipped {
			a.of(x.Task)
			tail := ""
			if a.o.Verbosity > 0 && x.Result != nil && !x.Loop {
				tail = " => " + a.failure(x.Task, x.Result)
			}
			a.line(cyan, "skipping: [%s]%s", host, tail)
		}
	case event.Failed:
		a.of(x.Task)
		if !x.Loop {
			a.origin(x.Places, x.Result)
			a.diffs(x.Diff)
			a.path(x.Task)
			a.failed(red, "fatal: [%s]: FAILED! => %s", host, a.failure(x.Task, x.Result))
		} else if x.Task.Module == "ansible.builtin.debug" {
			a.failed(red, "fatal: [%s]: FAILED! => %s", host, a.dump(onlyDebug(x.Result), false))
		}
		if x.Ignored {
			a.line(cyan, "...ignoring")
		}
	case event.Unreachable:
		a.of(x.Task)
		a.failed(brightRed, "fatal: [%s]: UNREACHABLE! => %s", host, a.dump(x.Result, false))
		if x.Ignored {
			a.line(cyan, "...ignoring")
		}
	}
}

// changes shows the diffs of what changed; changed_when may say that nothing has.
func (a *ansible) changes(s event.Status, all []value.Value) {
	if s == event.Changed {
		a.diffs(all)
	}
}

func (a *ansible) diffs(all []value.Value) {
	for _, v := range all {
		lines := diffLines(v, a.o)
		if len(lines) == 0 {
			continue
		}
		for _, l := range lines {
			a.line(diffColor(l), "%s", l)
		}
		fmt.Fprintln(a.o.Out)
	}
}

func diffColor(l string) string {
	switch {
	case strings.HasPrefix(l, "+"):
		return green
	case strings.HasPrefix(l, "-"):
		return red
	case strings.HasPrefix(l, "@@"):
		return cyan
	}
	return "0"
}

func (a *ansible) recap(x event.RunEnd) {
	a.banner("PLAY RECAP")
	writeRecap(a.o.Out, x.Stats, func(s, code string) string { return a.color(s, code) }, a.o.Color)
	fmt.Fprintln(a.o.Out)
	if len(x.Custom) > 0 && a.o.CustomStats {
		a.banner("CUSTOM STATS: ")
		for name, d := range x.Custom {
			label := name
			if name == "_run" {
				label = "\tRUN"
			} else {
				label = "\t" + name
			}
			s, err := value.JSON{SortKeys: true, Spaces: true}.Encode(d)
			if err == nil {
				fmt.Fprintf(a.o.Out, "%s: %s\n", label, s)
			}
		}
		fmt.Fprintln(a.o.Out)
	}
	if a.check && a.o.CheckMarkers {
		a.banner("DRY RUN")
	}
}

// writeRecap prints the recap lines that scripts read.
func writeRecap(w io.Writer, stats []event.Stats, color func(s, code string) string, colored bool) {
	cell := func(name string, n int, code string) string {
		s := fmt.Sprintf("%s=%-4d", name, n)
		if n != 0 && colored {
			return color(s, code)
		}
		return s
	}
	for _, s := range stats {
		code := green
		switch {
		case s.Failed > 0 || s.Unreachable > 0:
			code = red
		case s.Changed > 0:
			code = yellow
		}
		host := fmt.Sprintf("%-26s", s.Host)
		if colored {
			host = color(host, code)
		}
		fmt.Fprintf(w, "%s : %s %s %s %s %s %s %s\n", host, cell("ok", s.OK, green), cell("changed", s.Changed, yellow),
			cell("unreachable", s.Unreachable, red), cell("failed", s.Failed, red), cell("skipped", s.Skipped, cyan),
			cell("rescued", s.Rescued, green), cell("ignored", s.Ignored, blue))
	}
}

// Close implements Reporter.
func (a *ansible) Close() error { return nil }

func (a *ansible) async(x event.Async) {
	switch x.State {
	case "poll":
		a.line(darkGray, "ASYNC POLL on %s: jid=%s started=True finished=False", x.Host, x.Job)
	case "ok":
		a.line(darkGray, "ASYNC OK on %s: jid=%s", x.Host, x.Job)
	case "failed":
		a.line(darkGray, "ASYNC FAILED on %s: jid=%s", x.Host, x.Job)
	}
}
