package template

import (
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// facts are behaviours recorded in the surface of Ansible (ids TPL-*, CON-*, CHG219-*), each
// with what shows it. Results are those of ansible-core 2.19 unless compat says otherwise.
var facts = []struct {
	id, name string
	compat   Compat
	src      string // a value; "when: ..." is a condition
	want     string // repr of the result; "error: part of the message" for an error
}{
	{"TPL-01", "variables are raw and rendered at use", Default, "{{ a }}", "'b5'"},
	{"TPL-02", "a cycle is an error", Default, "{{ loop1 }}", "error: recursive loop"},
	{"TPL-02", "a self reference is an error", Default, "{{ own }}", "error: recursive loop"},
	{"TPL-03", "trim_blocks is on, lstrip_blocks off", Default, "{% if true %}\n  {% if true %}\nx\n{% endif %}\n{% endif %}", "'  x\\n'"},
	{"TPL-04", "trailing newlines are kept", Default, "{{ s }}\n\n", "'text\\n\\n'"},
	{"TPL-05", "backslashes in constants between braces are literal", Default, `{{ 'a\nb' }}`, `'a\\nb'`},
	{"TPL-05", "but not in statements", Default, `{% set x = 'a\nb' %}{{ x }}`, `'a\nb'`},
	{"TPL-06", "undefined attributes chain", Default, "{{ a.b.c.d | default('x') }}", "'x'"},
	{"TPL-07", "default ignores empty text", Default, "{{ '' | default('x') }}{{ '' | default('y', true) }}", "'y'"},
	{"TPL-09", "undefined is an error", Default, "{{ nope }}", "error: 'nope' is undefined"},
	{"TPL-10", "inline if without else is lenient", Default, "x{{ 'a' if false }}", "'x'"},
	{"TPL-11", "omit drops entries and items", Default, "{{ {'a': omit, 'b': [omit, 1]} }}", "{'b': [1]}"},
	{"TPL-12", "string mode reads literals", V216, "{{ '[1, ' }}2]", "[1, 2]"},
	{"TPL-12", "string mode keeps a lone number", V216, "{{ n }}", "5"},
	{"TPL-12", "string mode makes text of an expression", V216, "{{ n + 1 }}", "'6'"},
	{"TPL-12", "string mode reads True", V216, "{{ 'True' }}", "True"},
	{"TPL-13", "native results", Default, "{{ n + 1 }}", "6"},
	{"TPL-13", "mixed text is text", Default, "[{{ n }}]", "'[5]'"},
	{"TPL-14", "None is None", Default, "{{ none }}", "None"},
	{"TPL-14", "None in text is nothing", Default, "a{{ none }}b", "'ab'"},
	{"TPL-14", "None in string mode is empty", V216, "{{ none or none }}", "''"},
	{"TPL-15", "generators become lists", Default, "{{ [1, 2] | map('string') }}", "['1', '2']"},
	{"TPL-19", "#jinja2: overrides", Default, "#jinja2: variable_start_string: '[[', variable_end_string: ']]'\n[[ n ]]{{ n }}", "'5{{ n }}'"},
	{"TPL-21", "values are rendered deep, keys are not", Default, "deep", "{'{{ k }}': [5]}"},
	{"CON-01", "no braces", Default, "when: n == 5 and s == 'text'", "True"},
	{"CON-03", "truth up to 2.18", V216, "when: 'false'", "True"},
	{"CON-03", "empty list is false", V216, "when: []", "False"},
	{"CON-04", "a variable's text is not evaluated", V216, "when: cond", "True"},
	{"CON-04", "in braces it is", Default, "when: {{ cond }}", "False"},
	{"CON-05", "an empty condition holds up to 2.18", V216, "when: ", "True"},
	{"CON-05", "an empty condition is an error", V219, "when: ", "error: empty conditional"},
	{"CON-06", "the result must be a boolean", V219, "when: n", "error: must have a boolean result"},
	{"CON-06", "the default warns and takes the truth", Default, "when: n", "True"},
	{"CON-07", "embedded braces", V219, "when: {{ n }} == 5", "error: delimiters are not supported"},
	{"CON-07", "embedded braces are accepted by default", Default, "when: {{ n }} == 6", "False"},
	{"CON-07", "a constant with braces", V219, "when: s == '{{ s }}'", "True"},
	{"CON-08", "undefined in a condition", Default, "when: nope", "error: 'nope' is undefined"},
	{"CHG219-001", "no literal evaluation", Default, "{{ '[1]' }}", "'[1]'"},
	{"CHG219-002", "data is not rendered", Default, "{{ data }}", "'{{ n }}'"},
	{"CHG219-003", "untrusted template text stays", Default, "{{ [data] }}", "['{{ n }}']"},
	{"CHG219-004", "non-boolean condition", V219, "when: s", "error: boolean"},
	{"CHG219-006", "whole braces are allowed", V219, "when: {{ n == 5 }}", "True"},
	{"CHG219-007", "one pass only", Default, "{{ '{{ n' ~ ' }}' }}", "'{{ n }}'"},
	{"CHG219-008", "None stays None", Default, "{{ nul }}", "None"},
	{"CHG219-009", "omit at depth", Default, "{{ [[omit, {'x': omit}], omit] }}", "[[{}]]"},
	{"CHG219-011", "undefined makes a filter's result undefined", Default, "{{ nope | upper | default('d') }}", "'d'"},
	{"CHG219-011", "before, it was an error", V216, "{{ nope | upper | default('d') }}", "error: 'nope' is undefined"},
	{"CHG219-012", "lazy: untouched parts are not rendered", Default, "{{ broken.good }}", "1"},
	{"CHG219-012", "touched ones are", Default, "{{ broken.bad }}", "error: 'nope' is undefined"},
	{"CHG219-012", "before, a broken element broke the variable", V216, "{{ broken.good }}", "error: 'nope' is undefined"},
	{"CHG219-013", "tuples become lists", Default, "{{ (1, (2,)) }}", "[1, [2]]"},
	{"CHG219-013", "tuples become lists in text", Default, "x{{ (1, 2) }}", "'x[1, 2]'"},
	{"CHG219-013", "a range must be consumed", V219, "{{ range(2) }}", "error: range"},
	{"CHG219-014", "mutating methods work", Default, "{% set _ = l.append(3) %}{{ l }}", "[1, 2, 3]"},
	{"CHG219-015", "ansible.builtin names", Default, "{{ 'a' | ansible.builtin.upper }}", "'A'"},
	{"CHG219-016", "an unknown header key", V219, "#jinja2: nope: 1\n{{ n }}", "error: 'nope'"},
	{"CHG219-016", "a header value of the wrong type", V219, "#jinja2: trim_blocks: 'x'\n{{ n }}", "error: trim_blocks"},
}

func factVars() *value.Dict {
	d := trust(value.DictOf("n", int64(5), "a", "b{{ n }}", "loop1", "{{ loop2 }}", "loop2", "{{ loop1 }}", "own", "{{ own }}", "s", "text",
		"nul", nil, "cond", "n == 6", "l", value.NewList(int64(1), int64(2)),
		"broken", value.DictOf("good", int64(1), "bad", "{{ nope }}"))).(*value.Dict)
	d.SetString("data", "{{ n }}") // from a host: a string whatever it holds
	return d
}

func TestFacts(t *testing.T) {
	for _, tt := range facts {
		t.Run(tt.id+" "+tt.name, func(t *testing.T) {
			c := New(Options{Compat: tt.compat}).NewContext(t.Context(), MapScope{factVars()})
			got := run1(c, tt.src)
			if part, isErr := strings.CutPrefix(tt.want, "error: "); isErr {
				if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, part) {
					t.Errorf("%s: got %s, want an error with %q", tt.src, got, part)
				}
			} else if got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
			}
		})
	}
}

func run1(c *Context, src string) string {
	var v value.Value
	var err error
	cond, isCond := strings.CutPrefix(src, "when: ")
	switch {
	case isCond:
		v, err = boolResult(c.Cond(NewCond(cond, diag.Pos{})))
	case src == "deep":
		d := value.NewDict(1)
		d.SetString("{{ k }}", value.NewList(NewTemplate("{{ n }}", diag.Pos{})))
		v, err = c.Render(d)
	default:
		v, err = c.Render(NewTemplate(src, diag.Pos{}))
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return value.Repr(v)
}

// LOP-06 and CON-01: the conditions of a list are evaluated in order and stop at the first
// that does not hold.
func TestCondList(t *testing.T) {
	c := contextOf(t, Options{}, "n", int64(5))
	list := value.NewList(NewCond("n == 6", diag.Pos{}), NewCond("nope", diag.Pos{}))
	if ok, err := c.Cond(list); ok || err != nil {
		t.Errorf("got %v, %v; want false without looking at the second", ok, err)
	}
}

// TPL-18: errors=ignore gives None, an empty list with wantlist; warn warns.
func TestLookupErrors(t *testing.T) {
	var warned []string
	c := contextOf(t, Options{Warn: func(d *diag.Diagnostic) { warned = append(warned, d.Summary) }})
	for src, want := range map[string]string{
		"{{ lookup('nope', errors='ignore') }}":                "None",
		"{{ lookup('nope', errors='ignore', wantlist=true) }}": "[]",
		"{{ query('nope', errors='warn') }}":                   "[]",
	} {
		if got := run1(c, src); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
	if len(warned) != 1 {
		t.Errorf("got warnings %q, want one", warned)
	}
	if got := run1(c, "{{ lookup('nope') }}"); !strings.Contains(got, "The lookup plugin 'nope' was not found") {
		t.Errorf("got %s", got)
	}
}
