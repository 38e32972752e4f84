package run_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/run"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/inventory"
	"fettle/playbooks/compile"
)

// stopper interrupts the run at an event.
type stopper struct {
	sink
	at   func(event.Event) bool
	stop context.CancelFunc
	said []event.Interrupted
}

func (s *stopper) Emit(e event.Event) {
	if x, ok := e.(event.Interrupted); ok {
		s.said = append(s.said, x)
	}
	if s.at(e) {
		s.stop()
	}
	s.sink.Emit(e)
}

// After an interrupt hosts that wait for their turn do not get it, no other task is begun,
// and the exit code says so.
func TestInterrupt(t *testing.T) {
	for _, tt := range []struct {
		name, strategy string
		at             func(event.Event) bool
		calls          int
	}{
		{"before the first host", "linear", func(e event.Event) bool { x, ok := e.(event.TaskStart); return ok && x.Task.Name == "one" }, 0},
		{"between tasks", "linear", func(e event.Event) bool { x, ok := e.(event.HostResult); return ok && x.Host == "h3" }, 3},
		{"free", "free", func(e event.Event) bool { _, ok := e.(event.HostResult); return ok }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "site.yml")
			text := "- hosts: all\n  gather_facts: false\n  strategy: " + tt.strategy + "\n  tasks:\n    - {name: one, stat: {path: /}}\n    - {name: two, stat: {path: /}}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			inv, _ := inventory.Load([]string{"h1,h2,h3,"}, inventory.Options{})
			engine := template.New(template.Options{})
			p, x, diags := compile.Compile(compile.Options{Playbooks: []string{file}, Templates: engine})
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			stop, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, pl := &stopper{at: tt.at, stop: cancel}, &pool{calls: map[string]int{}}
			code, err := run.Run(t.Context(), stop, run.Options{Plan: p, Expander: x, Inventory: inv, Templates: engine, Pool: pl, Sink: s, Forks: 1,
				Store: vars.NewStore(inv, &value.Vars{}, &value.Vars{}), Masker: &mask.Masker{}})
			if err != nil || code != run.ExitInterrupted {
				t.Errorf("exit code %d, err %v", code, err)
			}
			if n := pl.calls["h1"] + pl.calls["h2"] + pl.calls["h3"]; n != tt.calls {
				t.Errorf("%d calls, want %d\n%s", n, tt.calls, strings.Join(s.lines, "\n"))
			}
			if len(s.said) != 1 || s.said[0].Ended {
				t.Errorf("it said %+v", s.said)
			}
		})
	}
}
