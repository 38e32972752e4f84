package run_test

import (
	"strings"
	"testing"

	"fettle/engine/event"
	"fettle/engine/run"
	"fettle/engine/value"
)

// results keeps the failures of a run.
type results struct{ failed []event.HostResult }

func (r *results) Emit(e event.Event) {
	if x, ok := e.(event.HostResult); ok && x.Status == event.Failed {
		r.failed = append(r.failed, x)
	}
}

// The messages are those of ansible-core 2.19.11, observed; the places are told beside them.
func TestFailureWords(t *testing.T) {
	const args = "Task failed: Finalization of task args for 'ansible.builtin.debug' failed: Error while resolving value for 'msg': "
	for task, want := range map[string]string{
		`debug: {msg: "{{ nope }}"}`:                              args + "'nope' is undefined @ :5:15",
		`debug: {msg: "{{ d.b.c }}"}`:                             args + "object of type 'dict' has no attribute 'b' @ :5:15",
		`debug: {msg: "{{ d['zz'] }}"}`:                           args + "object of type 'dict' has no attribute 'zz' @ :5:15",
		`debug: {msg: "{{ [1][5] }}"}`:                            args + "object of type 'list' has no attribute 5 @ :5:15",
		`debug: {msg: "{{ [][0] }}"}`:                             args + "list object has no element 0 @ :5:15",
		`debug: {msg: "{{ none.foo }}"}`:                          args + "object of type 'NoneType' has no attribute 'foo' @ :5:15",
		`debug: {msg: "{{ 1 / 0 }}"}`:                             args + "Error rendering template: division by zero @ :5:15",
		`debug: {msg: "{{ 'a' | from_json }}"}`:                   args + "The filter plugin 'ansible.builtin.from_json' failed: Expecting value: line 1 column 1 (char 0) @ :5:15",
		`debug: {msg: "{{ 'x' | nope }}"}`:                        args + "Syntax error in template: No filter named 'nope'. @ :5:15",
		`debug: {msg: "{{ 'x' "}`:                                 args + "Syntax error in template: unexpected end of template, expected 'end of print statement'. @ :5:15",
		"debug: {msg: hi}\n      when: nope":                      "Task failed: Error while evaluating conditional: 'nope' is undefined @ :6:13",
		"debug: {msg: hi}\n      when: 1 +":                       "Task failed: Syntax error in expression: unexpected 'end of template' @ :6:13",
		"debug: {msg: hi}\n      loop: \"{{ nope }}\"":            "Task failed: 'nope' is undefined @ :6:13",
		"debug: {msg: hi}\n      loop: \"{{ d }}\"":               "The `loop` value must resolve to a 'list', not 'dict'. @ ",
		"debug: {msg: hi}\n      delegate_to: \"{{ nope }}\"":     "Task failed: 'nope' is undefined @ :6:20",
		"stat: {path: /}\n      environment: {A: \"{{ nope }}\"}": "Task failed: Error processing keyword 'environment': 'nope' is undefined @ ",
		"assert: {that: nope}":                                    "Task failed: Error while evaluating conditional: 'nope' is undefined @ ",
	} {
		r := &results{}
		playWith(t, "h1,", "- hosts: all\n  gather_facts: false\n  vars: {d: {a: 1}}\n  tasks:\n    - "+task+"\n", func(o *run.Options) { o.Sink = r })
		if len(r.failed) != 1 {
			t.Errorf("%s: %d failures", task, len(r.failed))
			continue
		}
		msg, _ := r.failed[0].Result.GetString("msg")
		got, at := value.Str(msg)+" @ ", r.failed[0].Places
		text, place, _ := strings.Cut(want, " @ ")
		if got != text+" @ " || place != "" && len(at) == 0 {
			t.Errorf("%s:\ngot  %s%v\nwant %s", task, got, at, want)
		}
		if place != "" && len(at) > 0 && !strings.HasSuffix(at[len(at)-1].String(), place) {
			t.Errorf("%s: places %v, want %s", task, at, place)
		}
	}
}
