package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/value"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// human is for people, with 1 host as with 500: equal results stand in one line, a diff
// that hosts share is shown once, and the end tells what changed.
type human struct {
	o        Options
	style    styles
	task     *event.TaskStart
	results  []hostLine
	items    map[string][]event.ItemResult
	changed  []change
	times    map[int]*taskTime
	progress bool // a progress line stands on the terminal
}

// liveAfter is how long a task runs before the output of its commands is shown.
const liveAfter = 2 * time.Second

type styles struct{ ok, changed, failed, skipped, dim, bold lipgloss.Style }

type hostLine struct {
	event.HostResult
	items []event.ItemResult
}

type change struct {
	task  string
	what  string
	hosts []string
}

type taskTime struct {
	task  *event.Task
	start time.Time
	total time.Duration
}

func newHuman(o Options) Reporter {
	r := lipgloss.NewRenderer(o.Out)
	r.SetColorProfile(termenv.Ascii)
	if o.Color {
		r.SetColorProfile(termenv.ANSI)
	}
	st := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	return &human{o: o, items: map[string][]event.ItemResult{}, times: map[int]*taskTime{},
		style: styles{ok: st("2"), changed: st("3"), failed: st("1"), skipped: st("6"), dim: st("8"), bold: r.NewStyle().Bold(true)}}
}

// Emit implements event.Sink.
func (h *human) Emit(e event.Event) {
	switch x := e.(type) {
	case event.PlayStart:
		h.flush()
		if x.Batch > 0 {
			h.println("\n" + h.style.bold.Render(fmt.Sprintf("PLAY %s", x.Name)) + h.style.dim.Render(fmt.Sprintf("  batch %d, %s", x.Batch+1, count(len(x.Hosts), "host"))))
			return
		}
		h.println("\n" + h.style.bold.Render("PLAY "+x.Name) + h.style.dim.Render("  "+count(len(x.Hosts), "host")))
	case event.NoHosts:
		h.println("  no hosts matched " + x.Pattern)
	case event.TaskStart:
		h.flush()
		h.task = &x
		t := h.times[x.Task.ID]
		if t == nil {
			t = &taskTime{task: x.Task}
			h.times[x.Task.ID] = t
		}
		t.start = x.At
	case event.ItemResult:
		h.items[x.Host] = append(h.items[x.Host], x)
	case event.HostResult:
		h.results = append(h.results, hostLine{x, h.items[x.Host]})
		delete(h.items, x.Host)
		if t := h.times[x.Task.ID]; t != nil {
			t.total = max(t.total, x.Elapsed)
		}
	case event.Progress:
		h.showProgress(x)
	case event.Retry:
		h.flushHeading()
		h.println(h.style.dim.Render(fmt.Sprintf("  retry    %s: attempt %d of %d failed", x.Host, x.Attempt, x.Retries+1)))
	case event.Live:
		if t := h.times[x.Task.ID]; t == nil || time.Since(t.start) < liveAfter {
			return // what ends soon is told in the result
		}
		h.flushHeading()
		for line := range strings.SplitSeq(strings.TrimRight(x.Text, "\n"), "\n") {
			h.println(h.style.dim.Render("  " + x.Host + " | " + line))
		}
	case event.Included:
		h.flush()
		h.println(h.style.dim.Render(fmt.Sprintf("  included %s for %s", x.File, hostRange(x.Hosts))))
	case event.Interrupted:
		h.clearProgress()
		for _, l := range interruptedLines(x) {
			fmt.Fprintln(h.o.Err, h.style.failed.Render(l))
		}
	case event.Warning:
		h.clearProgress()
		text := "warning: " + x.Text
		if p := x.Pos.String(); p != "" {
			text = p + ": " + text
		}
		fmt.Fprintln(h.o.Err, h.style.changed.Render(text))
	case event.Question:
		h.flush()
		h.clearProgress()
	case event.Display:
		h.println(x.Text)
	case event.RunEnd:
		h.flush()
		h.end(x)
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (h *human) println(s string) {
	h.clearProgress()
	fmt.Fprintln(h.o.Out, s)
}

func (h *human) showProgress(x event.Progress) {
	if !h.o.Terminal || x.Total < 2 {
		return
	}
	text := fmt.Sprintf("  %d/%d %s", x.Done, x.Total, taskName(x.Task))
	if len(x.Waiting) > 0 && len(x.Waiting) <= 5 {
		text += "  waiting for " + strings.Join(x.Waiting, ", ")
	}
	if r := []rune(text); len(r) >= h.o.Width {
		text = string(r[:h.o.Width-1])
	}
	fmt.Fprint(h.o.Out, "\r\x1b[K"+h.style.dim.Render(text))
	h.progress = true
}

func (h *human) clearProgress() {
	if h.progress {
		fmt.Fprint(h.o.Out, "\r\x1b[K")
		h.progress = false
	}
}

func (h *human) flushHeading() {
	if h.task == nil {
		return
	}
	word := "TASK "
	if h.task.Task.Handler {
		word = "HANDLER "
	}
	line := h.style.bold.Render(word + taskName(h.task.Task))
	if h.o.TaskPath || h.o.Verbosity >= 2 {
		line += h.style.dim.Render("  " + h.task.Task.Pos.String())
	}
	h.println(line)
	h.task = nil
}

// flush prints the task that is through: one line for each group of equal results.
func (h *human) flush() {
	if len(h.results) == 0 {
		return
	}
	type group struct {
		key   string
		first hostLine
		hosts []string
	}
	var groups []*group
	byKey := map[string]*group{}
	for _, r := range h.results {
		key := h.key(r)
		g := byKey[key]
		if g == nil {
			g = &group{key: key, first: r}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.hosts = append(g.hosts, hostLabel(r.Host, r.Delegated, ""))
	}
	for _, g := range groups {
		if g.first.Status == event.Skipped && (h.o.HideSkipped || len(groups) > 1 && h.o.Verbosity == 0) {
			continue
		}
		if h.o.HideOK && g.first.Status == event.OK {
			continue
		}
		h.flushHeading()
		h.group(g.first, g.hosts)
	}
	h.task, h.results = nil, nil
}

// key tells which results look the same.
func (h *human) key(r hostLine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%v|%v|%s|", r.Status, r.Ignored, r.Rescued, h.text(r.HostResult.Result, r.Task, r.Status))
	for _, i := range r.items {
		fmt.Fprintf(&b, "%s|%s|%s|", i.Status, value.Str(i.Label), h.text(i.Result, i.Task, i.Status))
		for _, d := range i.Diff {
			b.WriteString(strings.Join(diffLines(d, h.o), "\n"))
		}
	}
	for _, d := range r.Diff {
		b.WriteString(strings.Join(diffLines(d, h.o), "\n"))
	}
	return b.String()
}

// text is what is told of a result beside its status.
func (h *human) text(d *value.Dict, t *event.Task, s event.Status) string {
	if d == nil {
		return ""
	}
	if isTrue(d, "_ansible_verbose_always") && t.Module == "ansible.builtin.debug" {
		return debugText(d)
	}
	if s == event.Failed || s == event.Unreachable {
		return failureText(d)
	}
	if h.o.Verbosity > 0 {
		js, err := value.JSON{SortKeys: true, Spaces: true, Pretty: true, Indent: "  "}.Encode(visible(d, h.o, false))
		if err == nil {
			return js
		}
	}
	return ""
}

func debugText(d *value.Dict) string {
	var parts []string
	for _, e := range onlyDebug(visible(d, Options{}, true)).Entries() {
		text, isText := e.Value.(string)
		if !isText {
			text, _ = value.JSON{SortKeys: true, Spaces: true, Pretty: true, Indent: "  "}.Encode(e.Value)
		}
		if e.Key == value.Value("msg") {
			parts = append(parts, text)
			continue
		}
		parts = append(parts, value.Str(e.Key)+": "+text)
	}
	return strings.Join(parts, "\n")
}

// failureText is the message of a failure with what helps to understand it.
func failureText(d *value.Dict) string {
	var parts []string
	if c, ok := d.GetString("censored"); ok {
		return value.Str(c)
	}
	m, ok := d.GetString("msg")
	if !ok {
		m, ok = d.GetString("reason") // of includes
	}
	if ok {
		parts = append(parts, strings.TrimRight(value.Str(m), "\n"))
	}
	for _, name := range []string{"changed_when_result", "failed_when_result"} {
		if v, _ := d.GetString(name); v != nil && value.TypeName(v) == "str" {
			parts = append(parts, value.Str(v))
		}
	}
	if rc, ok := d.GetString("rc"); ok {
		parts = append(parts, "exit code "+value.Str(rc))
	}
	for _, name := range []string{"cmd", "stderr", "module_stderr", "stdout"} {
		v, ok := d.GetString(name)
		if !ok {
			continue
		}
		text := commandText(v)
		if text == "" || name == "stdout" && len(parts) > 3 {
			continue
		}
		parts = append(parts, name+": "+lastLines(text, 8))
	}
	return strings.Join(parts, "\n")
}

func commandText(v value.Value) string {
	if l, ok := v.(*value.List); ok {
		var words []string
		for _, e := range l.V {
			words = append(words, value.Str(e))
		}
		return strings.Join(words, " ")
	}
	return strings.TrimRight(value.Str(v), "\n")
}

func lastLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	if len(lines) > n {
		lines = append([]string{"…"}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "\n")
}

func (h *human) group(r hostLine, hosts []string) {
	word, st := string(r.Status), h.style.ok
	switch r.Status {
	case event.Changed:
		st = h.style.changed
	case event.Failed, event.Unreachable:
		st = h.style.failed
		switch {
		case r.Ignored:
			word, st = "ignored", h.style.skipped
		case r.Rescued:
			word = "rescued"
		}
	case event.Skipped:
		st = h.style.skipped
	}
	line := "  " + st.Render(fmt.Sprintf("%-11s", word)) + " " + hostRange(hosts)
	if len(hosts) > 1 {
		line += fmt.Sprintf(" (%d hosts)", len(hosts))
	}
	if what := changedItems(r); what != "" {
		line += h.style.dim.Render("  " + what)
	}
	h.println(line)
	if text := h.text(r.HostResult.Result, r.Task, r.Status); text != "" && !r.Loop {
		h.indent(text, st)
		h.places(r.Places)
		if r.Status == event.Failed && !r.Task.Pos.IsZero() {
			h.println(h.style.dim.Render("      at " + r.Task.Pos.String()))
		}
	}
	h.loopItems(r)
	h.diffs(r.Diff)
	if r.Status == event.Changed {
		h.noteChange(r, hosts)
	}
}

// places tells what a failure of the playbook's own text is about.
func (h *human) places(at []diag.Pos) {
	for _, p := range at {
		h.println(h.style.dim.Render("      in " + p.String()))
	}
}

func changedItems(r hostLine) string {
	if !r.Loop {
		return ""
	}
	n := map[event.Status]int{}
	for _, i := range r.items {
		n[i.Status]++
	}
	var parts []string
	for _, s := range []event.Status{event.Changed, event.OK, event.Failed, event.Unreachable, event.Skipped} {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	return count(len(r.items), "item") + ": " + strings.Join(parts, ", ")
}

func (h *human) loopItems(r hostLine) {
	for _, i := range r.items {
		text := h.text(i.Result, i.Task, i.Status)
		if i.Status == event.Changed || text != "" && i.Status != event.Skipped {
			label := short(value.Str(i.Label), 100)
			h.println(h.style.dim.Render(fmt.Sprintf("    - %s: %s", i.Status, label)))
		}
		if text != "" {
			h.indent(text, h.style.failed)
		}
		h.diffs(i.Diff)
	}
}

func short(s string, n int) string {
	s = strings.ReplaceAll(s, "\n", "⏎")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func (h *human) indent(text string, st lipgloss.Style) {
	for line := range strings.SplitSeq(text, "\n") {
		h.println("      " + st.Render(line))
	}
}

func (h *human) diffs(all []value.Value) {
	for _, d := range all {
		for _, l := range diffLines(d, h.o) {
			st := h.style.dim
			switch diffColor(l) {
			case green:
				st = h.style.ok
			case red:
				st = h.style.failed
			case cyan:
				st = h.style.skipped
			}
			h.println("      " + st.Render(l))
		}
	}
}

func (h *human) noteChange(r hostLine, hosts []string) {
	var labels []string
	for _, i := range r.items {
		if i.Status == event.Changed {
			labels = append(labels, short(value.Str(i.Label), 40))
		}
	}
	what := ""
	if len(labels) > 0 {
		if len(labels) > 4 {
			labels = append(labels[:3], fmt.Sprintf("and %d more", len(labels)-3))
		}
		what = " (" + strings.Join(labels, ", ") + ")"
	}
	h.changed = append(h.changed, change{taskName(r.Task), what, slices.Clone(hosts)})
}

func (h *human) end(x event.RunEnd) {
	if len(h.changed) > 0 {
		h.println("\n" + h.style.bold.Render("CHANGED"))
		shown := h.changed
		if len(shown) > 40 {
			shown = shown[:40]
		}
		for _, c := range shown {
			h.println(fmt.Sprintf("  %s%s: %s", c.task, c.what, hostRange(c.hosts)))
		}
		if n := len(h.changed) - len(shown); n > 0 {
			h.println(fmt.Sprintf("  and %d more", n))
		}
	}
	h.slowest()
	h.println("\n" + h.style.bold.Render("PLAY RECAP"))
	writeRecap(h.o.Out, x.Stats, h.ansi, h.o.Color)
	h.println(h.style.dim.Render(fmt.Sprintf("%s in %v", count(len(x.Stats), "host"), x.Elapsed.Round(time.Millisecond))))
}

func (h *human) ansi(s, code string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }

// slowest names the tasks that took the most time, when they took any to speak of.
func (h *human) slowest() {
	var all []*taskTime
	for _, t := range h.times {
		if t.total >= 500*time.Millisecond {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b *taskTime) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.task.ID, b.task.ID))
	})
	h.println("\n" + h.style.bold.Render("SLOWEST"))
	for _, t := range all[:min(5, len(all))] {
		h.println(fmt.Sprintf("  %7.2fs %s", t.total.Seconds(), taskName(t.task)))
	}
}

// Close implements Reporter.
func (h *human) Close() error {
	h.flush()
	h.clearProgress()
	return nil
}
