package run_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fettle/engine/run"
)

const failing = `
- hosts: all
  gather_facts: false
  vars: {v: 3}
  tasks:
    - name: first
      assert: {that: "v == 4"}
      KEYWORDS
    - name: second
      debug: {msg: "v is {{ v }}"}
`

func TestDebugger(t *testing.T) {
	for _, c := range []struct {
		name, keywords string
		answers        []string
		code           int
		asked          int
		want           string // an event
	}{
		{"redo with a variable", "debugger: on_failed", []string{"p task.args['that']", "task_vars['v'] = 4", "redo"}, 0, 3, "h1 ok v is 3"},
		{"redo with an argument", "debugger: always", []string{`task.args["that"] = "true"`, "r", "c"}, 0, 3, "h1 ok v is 3"},
		{"continue", "debugger: on_failed", []string{"", "bogus", "c"}, 2, 3, "h1 failed Assertion failed"},
		{"quit", "debugger: on_failed", []string{"q"}, 99, 1, "h1 failed Assertion failed"},
		{"nobody there", "debugger: on_failed", nil, 99, 1, "h1 failed Assertion failed"},
		{"never", "debugger: never", nil, 2, 0, "h1 failed Assertion failed"},
		{"on skipped", "debugger: on_skipped", nil, 2, 0, "h1 failed Assertion failed"},
		{"ignored", "{debugger: on_failed, ignore_errors: true}", nil, 0, 0, "h1 ok v is 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(failing, "      KEYWORDS", "      "+strings.Trim(strings.ReplaceAll(c.keywords, ", ", "\n      "), "{}"), 1)
			asked := 0
			code, lines, _ := playWith(t, "h1,", text, func(o *run.Options) {
				o.DebugIgnoresIgnored = true
				o.Ask = func(_ context.Context, prompt string, _ bool, _ time.Duration) (string, bool, error) {
					if prompt != "[h1] TASK: first (debug)> " {
						t.Errorf("the question is %q", prompt)
					}
					if asked++; asked > len(c.answers) {
						return "", false, nil
					}
					return c.answers[asked-1], true, nil
				}
			})
			if code != c.code || asked != c.asked || !slices.Contains(lines, c.want) {
				t.Errorf("exit code %d, want %d; asked %d times, want %d; no %q in:\n%s", code, c.code, asked, c.asked, c.want, strings.Join(lines, "\n"))
			}
		})
	}
}
