package ansible

import (
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
)

// facts are behaviours recorded in the surface of Ansible that filters and lookups show, by id.
// Results are those of ansible-core 2.19.11 where it has the behaviour.
var facts = []struct {
	id, src, want string // want is a repr, or "error: part of the message"
}{
	{"TPL-17", "{{ lookup('items', ['a', 'b']) }}", "'a,b'"},
	{"TPL-17", "{{ query('items', ['a', 'b']) }}", "['a', 'b']"},
	{"TPL-17", "{{ lookup('list', ['a', 'b']) }}", "['a', 'b']"},
	{"CHG219-011", "{{ nope | to_json | default('x') }}", "'x'"},
	{"CHG219-011", "{{ ('x' | from_json) | default('y') }}", "error: Expecting value"},
	{"CHG219-011", "{{ ('x' | from_json) is defined }}", "error: Expecting value"},
	{"CHG219-012", "{{ [('x' | from_json), 1] | length }}", "2"},
	{"CHG219-012", "{{ {'a': ('x' | from_json), 'b': 2}.b }}", "2"},
	{"CHG219-012", "{{ [1, 'x' | from_json] }}", "error: Expecting value"},
	{"CHG219-040", "{{ 'maybe' | bool }}", "False"},
	{"CHG219-040", "{{ '' | from_yaml_all }}", "[]"},
	{"CHG219-040", "{{ 'a' | regex_search('b') }}", "None"},
	{"CHG219-041", "{{ {'a': 1} | to_json(profile='tagless') }}", `'{"a": 1}'`},
	{"CHG219-041", "{{ '{}' | from_json(profile='tagless') }}", "{}"},
	{"CHG219-041", "{{ {'a': 1} | to_nice_json(profile='nope') }}", "error: Unknown profile name 'nope'"},
	{"CHG219-042", "{{ 'a?>~' | b64encode(urlsafe=true) }}", "'YT8-fg=='"},
	{"CHG219-042", "{{ 'YT8-fg==' | b64decode(urlsafe=true) }}", "'a?>~'"},
	{"CHG219-043", "{{ lookup('vars', 'nope', default='d') }}", "'d'"},
	{"CHG219-043", "{{ lookup('vars', 'nope') | default('d') }} {{ lookup('vars', 'nope') is defined }}", "'d False'"},
	{"CHG219-043", "{{ {'a': nope} | list }}", "['a']"},
	{"CHG219-043", "{{ lookup('vars', 'bad', default='d') }}", "error: 'nope' is undefined"},
	{"CHG219-044", "{{ lookup('first_found', ['/nope', '/dev/null']) }}", "'/dev/null'"},
	{"CHG220-063", "{{ true | ternary('a', nope) }}", "'a'"},
	{"CHG220-063", "{{ true | ternary('a', 'x' | from_json) }}", "'a'"},
	{"CHG221-081", "{{ {'a': 1} | to_yaml(vault_behavior='decrypt') }}", `'{a: 1}\n'`},
	{"TPL-16", "{{ host }}", "'{{ 6 * 7 }}'"},
	{"TPL-16", "{{ host | upper | lower }}", "'{{ 6 * 7 }}'"},
	{"TPL-16", "{{ [host] | map('trim') | join }}", "'{{ 6 * 7 }}'"},
	{"TPL-16", "{{ '{' ~ '{ 6 * 7 }' ~ '}' }}", "'{{ 6 * 7 }}'"},
	{"TPL-16", "{{ lookup('vars', 'host') }}", "'{{ 6 * 7 }}'"},
	{"TPL-16", "{{ hosts.a }}", "'{{ 6 * 7 }}'"},
	{"TPL-16", "{{ ('{\"x\": \"' ~ host ~ '\"}') | from_json }}", "{'x': '{{ 6 * 7 }}'}"},
}

func TestFacts(t *testing.T) {
	host := "{{ 6 * 7 }}"
	scope := value.DictOf("host", host, "hosts", value.DictOf("a", host), "bad", template.NewTemplate("{{ nope }}", diag.Pos{}))
	e := template.New(template.Options{})
	for _, f := range facts {
		v, err := e.NewContext(t.Context(), template.MapScope{Dict: scope}).Render(template.NewTemplate(f.src, diag.Pos{}))
		got := value.Repr(v)
		if err != nil {
			got = "error: " + err.Error()
		}
		part, wantsError := strings.CutPrefix(f.want, "error: ")
		if wantsError && (err == nil || !strings.Contains(got, part)) || !wantsError && got != f.want {
			t.Errorf("%s %s: got %s, want %s", f.id, f.src, got, f.want)
		}
	}
}
