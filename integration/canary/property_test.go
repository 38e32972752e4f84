package canary_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/report"
	"fettle/engine/run"
	"fettle/engine/runner"
	"fettle/engine/template"
	_ "fettle/engine/template/ansible"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/engine/wire"
	"fettle/inventory"
	_ "fettle/modules/all"
	"fettle/playbooks/compile"
)

// playbooks is how many random playbooks each property is tried on.
const playbooks = 200

// answers is a pool whose hosts say what they like; what they got is in their results.
type answers struct{ said map[string]any }

func (p *answers) Call(_ context.Context, _ *runner.Account, c *wire.Call, _ *runner.IO, result func(wire.Result)) error {
	for i, raw := range c.Args {
		out := map[string]any{"changed": true, "got": json.RawMessage(raw), "failed": c.Module == "ansible.builtin.slurp"}
		for k, v := range p.said {
			out[k] = v
		}
		b, err := json.Marshal(out)
		if err != nil {
			return err
		}
		result(wire.Result{Item: i, Data: b})
	}
	return nil
}

func (p *answers) Raw(context.Context, *runner.Account, string) (int, []byte, []byte, error) {
	return 0, []byte(fmt.Sprint(p.said["stdout"])), nil, nil
}
func (p *answers) Connect(context.Context, *runner.Account) (*wire.Hello, error) {
	return &wire.Hello{}, nil
}
func (p *answers) Reset(context.Context, *runner.Account) error { return nil }
func (p *answers) Close() error                                 { return nil }

// sinks passes events to the reporters of all formats.
type sinks []report.Reporter

func (s sinks) Emit(e event.Event) {
	for _, r := range s {
		r.Emit(e)
	}
}

// author writes playbooks by chance, out of expressions that hold what is looked for.
type author struct {
	*rand.Rand
	sources []string
}

func (a *author) pick(words ...string) string { return words[a.IntN(len(words))] }

// keeping are filters that keep text recognizable: as it is, in base64, in capitals, reversed.
var keeping = strings.Split("string|default('x')|b64encode|upper|reverse|to_json|to_nice_json|to_yaml|to_nice_yaml|trim|quote|e|indent(2)|center(90)|"+
	"list,join('')|split('|'),first|b64encode,b64decode|urlencode,urldecode|ternary('a','b')|regex_replace('$','!')|regex_search('.+')|regex_findall('.+'),first|"+
	"hash('sha1')|comment|to_uuid|replace('zzz','y')|truncate(500)|wordwrap(500)|splitext,first|basename|expanduser|from_json|from_yaml|to_json,from_json|to_yaml,from_yaml|"+
	"type_debug|mandatory|safe|tojson|capitalize,upper|urlize|regex_escape|win_basename|strftime|human_readable|password_hash('sha512','abcdefgh')|checksum|length", "|")

// expr is an expression with the text, alone or inside others.
func (a *author) expr(depth int) string {
	if depth <= 0 || a.IntN(4) == 0 {
		return a.pick(a.sources...)
	}
	e := a.expr(depth - 1)
	switch a.IntN(18) {
	case 13:
		return "{'q': 1}[" + e + "]"
	case 14:
		return "(" + e + ").nonsense"
	case 0:
		return "(" + e + " ~ '-' ~ " + a.expr(depth-1) + ")"
	case 1:
		return "[" + e + ", 1, " + a.expr(depth-1) + "]"
	case 2:
		return "{'a': " + e + ", 'b': {'c': [" + a.expr(depth-1) + "]}}"
	case 3:
		return "('%s|%s' | format(" + e + ", 7))"
	case 4:
		return "[" + e + ", 'x'] | join(' ')"
	case 5:
		return "(" + e + " if 1 else 2)"
	case 6:
		return "{'k': " + e + "} | dict2items"
	case 7:
		return "{'k': " + e + "} | combine({'l': " + a.expr(depth-1) + "})"
	case 8:
		return "[" + e + "] | map('string') | map('" + a.pick("upper", "b64encode", "trim", "quote") + "') | list"
	case 9:
		return "[" + e + "] | zip([2]) | list"
	case 10:
		return "[[" + e + "], [3]] | flatten | unique | first"
	case 11:
		return "('a' ~ " + e + ")[1:]"
	case 12:
		return "lookup('vars', 'kept', default=" + e + ")"
	}
	f := strings.ReplaceAll(a.pick(keeping...), ",", " | ")
	return "((" + e + ") | " + f + ")"
}

func (a *author) value() string {
	e := "{{ " + a.expr(3) + " }}"
	switch a.IntN(6) {
	case 0:
		e = "text " + e + " more"
	case 1:
		e = "{% for x in [" + a.expr(2) + "] %}<{{ x }}>{% endfor %}"
	case 2:
		e = "{% set y = " + a.expr(2) + " %}{{ y }}"
	case 3:
		e = "{% macro m(z) %}({{ z }}){% endmacro %}{{ m(" + a.expr(2) + ") }}"
	}
	return quoted(e)
}

// quoted is a YAML scalar.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func (a *author) task() string {
	v, e := a.value(), quoted(a.expr(2))
	task := a.pick(
		"debug: {msg: "+v+"}",
		"debug: {var: "+e+"}",
		"set_fact: {kept: "+v+"}",
		"set_fact: {kept: {deep: ["+v+"]}, other: "+v+"}",
		"debug: {msg: \"{{ item }}\"}\n      loop: ["+v+", "+v+"]\n      loop_control: {label: "+v+"}",
		"debug: {msg: \"{{ local }}\"}\n      vars: {local: "+v+"}",
		"command: {argv: [a, "+v+"]}\n      register: said2",
		"command: {argv: ["+v+"]}\n      loop: ["+v+", 2]\n      register: said2\n      changed_when: "+quoted(a.expr(2)+" is defined"),
		"stat: {path: "+v+"}\n      failed_when: "+quoted(a.expr(2)+" == 'x'"),
		"slurp: {src: "+v+"}",
		"slurp: {src: "+v+"}\n      no_log: true",
		"fail: {msg: "+v+"}",
		"assert: {that: ["+quoted("("+a.expr(2)+") == 'nonsense'")+"], fail_msg: "+v+"}",
		"copy: {content: "+v+", dest: /x}",
		"template: {src: t.j2, dest: /x}",
		"add_host: {name: h9, inherited: "+v+"}",
		"group_by: {key: fixed}",
		"set_stats: {data: {a: "+v+"}}",
		"debug: {msg: "+v+"}\n      when: "+quoted("("+a.expr(2)+") is not none"),
		"debug: {msg: "+v+"}\n      when: "+a.pick(a.sources...),
		"debug: {msg: \"{{ hostvars['h1'].kept | default("+strings.Trim(quoted(a.expr(1)), `"`)+") }}\"}",
		"include_tasks: {file: inc.yml}\n      vars: {passed: "+v+"}",
		"command: x\n      environment: {E: "+v+"}\n      args: {stdin: "+v+"}",
		"debug: {msg: \"{{ 'x'.nonsense ~ "+strings.Trim(quoted(a.expr(1)), `"`)+" }}\"}",
	)
	return "    - name: " + a.pick("plain", v) + "\n      " + task + "\n      ignore_errors: true\n"
}

// perform runs a random playbook and gives what was printed, in all formats.
func perform(t *testing.T, a *author, said map[string]any, extra *value.Vars, m *mask.Masker) (printed, text string) {
	t.Helper()
	dir := t.TempDir()
	text = "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: one\n      register: said\n    - set_fact: {kept: start}\n"
	for range 8 {
		text += a.task()
	}
	for name, content := range map[string]string{"site.yml": text, "inc.yml": "- debug: {msg: \"{{ passed }}\"}\n", "t.j2": "{{ " + a.expr(2) + " }}\n"} {
		write(t, filepath.Join(dir, name), content)
	}
	inv, diags := inventory.Load([]string{"h1,"}, inventory.Options{})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	engine := template.New(template.Options{})
	p, x, diags := compile.Compile(compile.Options{Playbooks: []string{filepath.Join(dir, "site.yml")}, Templates: engine})
	if err := diags.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var out bytes.Buffer
	var all sinks
	for _, f := range report.Formats() {
		r, err := report.New(f, report.Options{Out: &out, Err: &out, Verbosity: 3, Diff: true, CustomStats: true, TaskPath: true, DiffContext: -1})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	o := run.Options{Plan: p, Expander: x, Inventory: inv, Templates: engine, Pool: &answers{said}, Sink: all, Verbosity: 3, Diff: true,
		Store: vars.NewStore(inv, extra, &value.Vars{}), Masker: m}
	if _, err := run.Run(t.Context(), t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, r := range all {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String(), text
}

// No text of a host is evaluated, wherever a playbook puts it.
func TestHostTextIsNeverATemplate(t *testing.T) {
	seen := 0
	for seed := range uint64(playbooks) {
		planted := filepath.Join(t.TempDir(), "planted")
		evil := []string{"{{ 'PW' ~ 'NED' }}", "{% if true %}PW{{ '' }}NED{% endif %}", "{{ lookup('pipe', 'touch " + planted + "') }}", "{{ query('file', '/etc/hostname') }}{{ 'pw' ~ 'ned' }}",
			"#jinja2: variable_start_string:'[['\n[[ 'PW' ~ 'NED' ]]", "('PW' ~ 'NED') | length == 5 and lookup('pipe', 'touch " + planted + "')", "{# x #}PW{##}NED", "{{ [].__class__ }}{{ 'PW' + 'NED' }}",
			"!unsafe {{ 'PW' ~ 'NED' }}", "{\"a\": \"{{ 'PW' ~ 'NED' }}\"}", "[\"{{ 'PW' ~ 'NED' }}\"]"}
		a := &author{Rand: rand.New(rand.NewPCG(seed, 7)), sources: []string{"said.stdout", "said['stdout']", "said.nested.list[0]", "said.nested.text", "hostvars['h1'].said.stdout",
			"hostvars[inventory_hostname]['said'].nested.text", "kept", "said.stdout_lines[0]", "ansible_facts.evil", "evil", "ansible_local_evil"}}
		one, two := a.pick(evil...), a.pick(evil...)
		said := map[string]any{"stdout": one, "msg": two, "nested": map[string]any{"list": []any{two}, "text": one, one: two}, "ansible_facts": map[string]any{"evil": one, "ansible_local_evil": two, "fact_" + two: one}}
		printed, text := perform(t, a, said, &value.Vars{}, &mask.Masker{})
		if _, err := os.Lstat(planted); err == nil || strings.Contains(strings.ToUpper(printed), "PWNED") || strings.Contains(printed, base64.StdEncoding.EncodeToString([]byte("PWNED"))) || strings.Contains(printed, "DENWP") {
			t.Fatalf("seed %d: the text %q or %q of a host was evaluated (%v) in\n%s\n%s", seed, one, two, err == nil, text, printed)
		}
		if strings.Contains(printed, "' ~ 'NED") {
			seen++
		}
	}
	if seen < playbooks/4 {
		t.Errorf("the text was printed by %d playbooks only: they show little", seen)
	}
}

// No report shows a secret, wherever a playbook puts it: neither itself nor what is made of it.
func TestSecretIsNeverShown(t *testing.T) {
	masked := 0
	for seed := range uint64(playbooks) {
		m := &mask.Masker{}
		extra := &value.Vars{}
		for name, v := range map[string]value.Value{"sec": m.Keep(bird + "One"), "deep": value.DictOf("list", value.NewList(m.Keep(bird+"Two")), "text", m.Keep("a long text with "+bird+"Three in it")),
			"whole": m.Keep(value.DictOf("x", bird+"Four", "y", value.NewList(bird+"Five")))} {
			extra.Set(name, v, diag.Pos{})
		}
		a := &author{Rand: rand.New(rand.NewPCG(seed, 8)), sources: []string{"sec", "deep.list[0]", "deep.text", "whole.x", "whole['y'][0]", "whole", "deep", "kept", "hostvars['h1'].sec", "hostvars[inventory_hostname].deep.list", "vars.sec",
			"said.got"}}
		printed, text := perform(t, a, map[string]any{"stdout": "fine"}, extra, m)
		for line := range strings.SplitSeq(printed, "\n") {
			if song := sings([]byte(line)); song != "" {
				t.Fatalf("seed %d: printed %q by\n%s", seed, song, text)
			}
		}
		if strings.Contains(printed, mask.Text) {
			masked++
		}
	}
	if masked < playbooks/4 {
		t.Errorf("%d playbooks masked something: they show little", masked)
	}
}
