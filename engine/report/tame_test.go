package report

import (
	"bytes"
	"strings"
	"testing"

	"fettle/engine/event"
	"fettle/engine/value"
)

// What hosts say cannot steer the terminal, in no reporter that people read.
func TestControlCharacters(t *testing.T) {
	evil := "\x1b[2J\x1b]0;title\x07all \rfine\u009b1m\u202egnp.exe\x7f\x00"
	task := &event.Task{ID: 1, Name: "t" + evil, Module: "ansible.builtin.command", Action: "command"}
	result := value.DictOf("msg", evil, "stdout", evil, "stderr", evil, "rc", int64(1), "cmd", value.NewList(evil), "key"+evil, value.DictOf("a", evil), "failed", true)
	diff := []value.Value{value.DictOf("before", "a\n", "after", evil+"\n", "after_header", evil)}
	for _, format := range []string{"human", "ansible", "minimal", "oneline"} {
		var out bytes.Buffer
		r, err := New(format, Options{Out: &out, Err: &out, Terminal: true, Verbosity: 3, Diff: true})
		if err != nil {
			t.Fatal(err)
		}
		r.Emit(event.TaskStart{Task: task, Hosts: 2})
		r.Emit(event.Live{Host: "h", Task: task, Stream: "stdout", Text: evil})
		r.Emit(event.Retry{Host: "h", Task: task, Attempt: 1, Retries: 2, Result: result})
		r.Emit(event.ItemResult{Host: "h", Task: task, Status: event.Failed, Label: evil, Result: result, Diff: diff})
		for _, status := range []event.Status{event.OK, event.Changed, event.Failed, event.Unreachable} {
			r.Emit(event.HostResult{Host: string(status), Task: task, Status: status, Result: result, Diff: diff})
		}
		r.Emit(event.Warning{Text: evil})
		r.Emit(event.RunEnd{})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "fine") {
			t.Errorf("%s shows nothing: %q", format, &out)
		}
		for _, bad := range []string{"\x1b", "\a", "\r", "\u009b", "\u202e", "\x7f", "\x00"} {
			if i := strings.Index(out.String(), bad); i >= 0 {
				t.Errorf("%s passes %q on: %.80q", format, bad, out.String()[max(0, i-30):])
			}
		}
	}
}

func TestTameText(t *testing.T) {
	for in, want := range map[string]string{"a\tb\n": "a\tb\n", "a\r\nb": "a\nb", "a\rb": `a\rb`, "\x1b[1m": `\x1b[1m`, "é — 語": "é — 語", "\u2066x": `\u2066x`} {
		if got := tameText(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
