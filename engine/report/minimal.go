package report

import (
	"fmt"
	"strings"

	"fettle/engine/event"
	"fettle/engine/value"
)

func init() {
	formats["minimal"] = func(o Options) Reporter { return &minimal{ansible: ansible{o: o}} }
	formats["oneline"] = func(o Options) Reporter { return &minimal{ansible: ansible{o: o}, oneLine: true} }
}

// minimal is what Ansible prints for ad-hoc commands: each host with its result, and for
// commands their output as it is.
type minimal struct {
	ansible
	oneLine bool
}

// Emit implements event.Sink.
func (m *minimal) Emit(e event.Event) {
	switch x := e.(type) {
	case event.HostResult:
		m.result(x)
	case event.Interrupted:
		m.interrupted(x)
	case event.Warning:
		m.warning(x)
	case event.Display:
		fmt.Fprintln(m.o.Out, x.Text)
	}
}

func (m *minimal) result(x event.HostResult) {
	word, code := "SUCCESS", green
	switch x.Status {
	case event.Changed:
		word, code = "CHANGED", yellow
	case event.Failed:
		word, code = "FAILED", red
		if !m.oneLine {
			word = "FAILED!"
		}
	case event.Unreachable:
		word, code = "UNREACHABLE!", brightRed
	case event.Skipped:
		m.line(cyan, "%s | SKIPPED", x.Host)
		return
	}
	if x.Task.Module == "ansible.builtin.debug" && x.Result != nil && isTrue(x.Result, "_ansible_verbose_always") {
		x.Result = onlyDebug(x.Result)
	}
	for _, d := range x.Diff {
		for _, l := range diffLines(d, m.o) {
			m.line(diffColor(l), "%s", l)
		}
	}
	if isCommand(x.Task.Module) && x.Result != nil && x.Status != event.Unreachable {
		if _, ok := x.Result.GetString("rc"); ok {
			m.command(x, strings.TrimSuffix(word, "!"), code)
			return
		}
	}
	if m.oneLine {
		m.line(code, "%s | %s => %s", x.Host, word, m.flat(x.Result))
		return
	}
	m.line(code, "%s | %s => %s", x.Host, word, m.dump(x.Result, true))
}

func (m *minimal) flat(d *value.Dict) string {
	s, err := value.JSON{SortKeys: true, Spaces: true}.Encode(visible(d, m.o, false))
	if err != nil {
		return value.Repr(d)
	}
	return s
}

func isCommand(module string) bool {
	switch module {
	case "ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.script":
		return true
	}
	return false
}

func (m *minimal) command(x event.HostResult, word, code string) {
	text := func(name string) string {
		v, _ := x.Result.GetString(name)
		if v == nil {
			return ""
		}
		return value.Str(v)
	}
	if m.oneLine {
		out := strings.ReplaceAll(text("stdout"), "\n", "\\n")
		line := fmt.Sprintf("%s | %s | rc=%s | (stdout) %s", x.Host, word, text("rc"), out)
		if e := text("stderr"); e != "" {
			line += " (stderr) " + strings.ReplaceAll(e, "\n", "\\n")
		}
		m.line(code, "%s", line)
		return
	}
	m.line(code, "%s | %s | rc=%s >>\n%s%s%s", x.Host, word, text("rc"), withNewline(text("stdout")), withNewline(text("stderr")), withNewline(text("msg")))
}

func withNewline(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
