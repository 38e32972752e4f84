package run_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/run"
	"fettle/engine/runner"
	"fettle/engine/template"
	_ "fettle/engine/template/ansible"
	"fettle/engine/transport"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/engine/wire"
	"fettle/inventory"
	"fettle/modules"
	_ "fettle/modules/all"
	"fettle/playbooks/compile"
)

// pool runs modules in this process and counts the calls; hosts named gone* are unreachable.
type pool struct {
	mu    sync.Mutex
	calls map[string]int // by host
	items int
}

func (p *pool) Call(ctx context.Context, a *runner.Account, c *wire.Call, _ *runner.IO, result func(wire.Result)) error {
	p.mu.Lock()
	p.calls[a.Target.Name]++
	p.items += len(c.Args)
	p.mu.Unlock()
	if strings.HasPrefix(a.Target.Name, "gone") {
		return &transport.UnreachableError{Msg: "it went away", Unknown: true}
	}
	if strings.HasPrefix(a.Target.Name, "slow") {
		<-ctx.Done()
		return ctx.Err()
	}
	for i, raw := range c.Args {
		v, err := value.FromJSON(raw)
		if err != nil {
			return err
		}
		h := &modules.Host{Check: c.Check, Diff: c.Diff, Env: c.Env}
		result(wire.Result{Item: i, Data: json.RawMessage(modules.Call(ctx, h, c.Module, v.(*value.Dict), c.Invocation))})
	}
	return nil
}

func (p *pool) Raw(context.Context, *runner.Account, string) (int, []byte, []byte, error) {
	return 0, nil, nil, nil
}
func (p *pool) Connect(context.Context, *runner.Account) (*wire.Hello, error) {
	return &wire.Hello{}, nil
}
func (p *pool) Reset(context.Context, *runner.Account) error { return nil }
func (p *pool) Close() error                                 { return nil }

// sink keeps what happened, without what differs from run to run.
type sink struct{ lines []string }

func (s *sink) Emit(e event.Event) {
	switch x := e.(type) {
	case event.TaskStart:
		s.lines = append(s.lines, "task "+x.Task.Name)
	case event.ItemResult:
		s.lines = append(s.lines, fmt.Sprintf("item %s %s %s", x.Host, x.Status, value.Str(x.Label)))
	case event.HostResult:
		msg := ""
		if m, ok := x.Result.GetString("msg"); ok {
			msg = value.Str(m)
		}
		s.lines = append(s.lines, fmt.Sprintf("%s %s %s", x.Host, x.Status, msg))
	case event.RunEnd:
		for _, st := range x.Stats {
			s.lines = append(s.lines, fmt.Sprintf("recap %s ok=%d changed=%d unreachable=%d failed=%d skipped=%d rescued=%d", st.Host, st.OK, st.Changed, st.Unreachable, st.Failed, st.Skipped, st.Rescued))
		}
	}
}

// play runs a playbook on hosts.
func play(t *testing.T, hosts, text string) (int, []string, *pool) {
	t.Helper()
	return playWith(t, hosts, text, nil)
}

func playWith(t *testing.T, hosts, text string, change func(*run.Options)) (int, []string, *pool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, diags := inventory.Load([]string{hosts}, inventory.Options{})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	engine := template.New(template.Options{})
	p, x, diags := compile.Compile(compile.Options{Playbooks: []string{file}, Templates: engine})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	s, pl := &sink{}, &pool{calls: map[string]int{}}
	o := run.Options{Plan: p, Expander: x, Inventory: inv, Templates: engine, Pool: pl, Sink: s,
		Store: vars.NewStore(inv, &value.Vars{}, &value.Vars{}), Masker: &mask.Masker{}, Now: func() time.Time { return time.Unix(0, 0) }}
	if change != nil {
		change(&o)
	}
	code, err := run.Run(t.Context(), t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return code, s.lines, pl
}

// A host that takes too long is unreachable, in the task where that happens; others go on,
// and rescue sections cannot bring it back.
func TestHostTimeout(t *testing.T) {
	for name, task := range map[string]string{
		"task":  "- stat: {path: /}",
		"loop":  "- stat: {path: /}\n      loop: [1, 2]",
		"until": "- stat: {path: /}\n      until: false\n      retries: 1000\n      delay: 0.001",
		"pause": "- pause: {seconds: 1000}\n      when: inventory_hostname == 'slow1'",
	} {
		t.Run(name, func(t *testing.T) {
			code, lines, _ := playWith(t, "h1,slow1,", `
- hosts: all
  gather_facts: false
  strategy: free
  tasks:
    `+task+`
    - debug: {msg: later}
      ignore_unreachable: true
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: another play}
`, func(o *run.Options) { o.HostTimeout = 300 * time.Millisecond })
			told := strings.Join(lines, "\n")
			if name != "until" && !strings.Contains(told, "h1 ok another play") {
				t.Errorf("the other host did not go on:\n%s", told)
			}
			if code != run.ExitUnreachable || name != "loop" && !strings.Contains(told, "--host-timeout") || !strings.Contains(told, "recap slow1 ok=0 changed=0 unreachable=1") {
				t.Errorf("exit code %d\n%s", code, told)
			}
		})
	}
}

func TestLoopIsOneCall(t *testing.T) {
	_, lines, p := play(t, "h1,h2,", `
- hosts: all
  gather_facts: false
  tasks:
    - stat: {path: "/{{ item }}"}
      loop: "{{ range(100) | list }}"
`)
	if p.calls["h1"] != 1 || p.calls["h2"] != 1 || p.items != 200 {
		t.Errorf("calls %v with %d items, want one for each host with 100 items", p.calls, p.items)
	}
	if len(lines) < 200 {
		t.Errorf("only %d events", len(lines))
	}
}

// An item that reads the result of the one before cannot travel with it.
func TestLoopThatReadsItself(t *testing.T) {
	_, _, p := play(t, "h1,", `
- hosts: all
  gather_facts: false
  tasks:
    - stat: {path: "/{{ item }}"}
      loop: [tmp, etc, usr]
      register: found
      when: found is not defined or not found.stat.exists
`)
	if p.items != 1 {
		t.Errorf("%d items ran, want the first alone", p.items)
	}
}

// Text of a host stays text, whatever it holds.
func TestResultsAreNoTemplates(t *testing.T) {
	_, lines, _ := play(t, "h1,", `
- hosts: all
  gather_facts: false
  vars: {open: "{{ '{{' }}", shut: "{{ '}}' }}"}
  tasks:
    - command: echo "{{ open }} 1234567 * 9 {{ shut }}"
      register: said
    - set_fact: {kept: "{{ said.stdout }}"}
    - debug: {msg: "{{ said.stdout }} {{ kept }} {{ [said.stdout] | first }}"}
`)
	all := strings.Join(lines, "\n")
	if !strings.Contains(all, "{{ 1234567 * 9 }}") || strings.Contains(all, "11111103") {
		t.Errorf("the text of a host was rendered:\n%s", all)
	}
}

func TestWaysOfHosts(t *testing.T) {
	code, lines, _ := play(t, "h1,h2,gone1,", `
- hosts: all
  gather_facts: false
  tasks:
    - name: reach
      ping:
    - block:
        - name: breaks
          fail: {msg: "no {{ inventory_hostname }}"}
          when: inventory_hostname == 'h1'
      rescue:
        - name: rescue
          debug: {msg: "saved from {{ ansible_failed_task.name }}"}
          changed_when: true
          notify: told
      always:
        - name: always
          debug: {msg: always}
  handlers:
    - name: told
      debug: {msg: handled}
`)
	want := []string{
		"task reach", "h1 ok ", "h2 ok ", "gone1 unreachable it went away",
		"task breaks", "h1 failed no h1", "h2 skipped ",
		"task rescue", "h1 changed saved from breaks",
		"task always", "h1 ok always", "h2 ok always",
		"task told", "h1 ok handled",
		"recap gone1 ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0",
		"recap h1 ok=4 changed=1 unreachable=0 failed=0 skipped=0 rescued=1",
		"recap h2 ok=2 changed=0 unreachable=0 failed=0 skipped=1 rescued=0",
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "pong")
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if code != run.ExitUnreachable {
		t.Errorf("exit code %d, want %d", code, run.ExitUnreachable)
	}
}

// The same input gives the same events in the same order.
func TestSameOrder(t *testing.T) {
	text := `
- hosts: all
  gather_facts: false
  tasks:
    - command: "true"
      register: r
    - debug: {msg: "{{ ansible_play_hosts | length }} {{ groups.all | join(',') }}"}
    - include_tasks: /dev/null
      when: false
`
	hosts := ""
	for i := range 40 {
		hosts += fmt.Sprintf("h%02d,", i)
	}
	_, first, _ := play(t, hosts, text)
	for range 3 {
		if _, again, _ := play(t, hosts, text); !reflect.DeepEqual(first, again) {
			t.Fatal("two runs gave different events")
		}
	}
}

func TestSelectedByTags(t *testing.T) {
	for _, tt := range []struct {
		tags, only, skip string
		want             bool
	}{
		{"", "", "", true}, {"a", "a", "", true}, {"a", "b", "", false}, {"always", "b", "", true}, {"always", "", "always", false},
		{"never", "", "", false}, {"never,a", "a", "", true}, {"never", "never", "", true}, {"never", "all", "", false},
		{"", "tagged", "", false}, {"a", "tagged", "", true}, {"", "untagged", "", true}, {"a", "untagged", "", false},
		{"a", "", "a", false}, {"a", "", "tagged", false}, {"", "", "untagged", false}, {"a", "a", "a", false}, {"always", "", "all", true},
	} {
		split := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, ",")
		}
		if got := run.SelectedByTags(split(tt.tags), split(tt.only), split(tt.skip)); got != tt.want {
			t.Errorf("tags %q, --tags %q, --skip-tags %q: %v, want %v", tt.tags, tt.only, tt.skip, got, tt.want)
		}
	}
}
