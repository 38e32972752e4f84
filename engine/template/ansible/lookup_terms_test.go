package ansible

import (
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
)

// Templates inside the terms of a lookup are rendered where they are constants, and nowhere else:
// results of ansible-core 2.19.11.
func TestLookupTerms(t *testing.T) {
	cases := []struct{ src, want string }{
		{"{{ lookup('items', '{{ s }}') }}", "'abc'"},
		{"{{ lookup('items', '{{ l }}') }}", "[1, 2]"},
		{"{{ lookup('items', 'a{{ l }}') }}", "'a[1, 2]'"},
		{"{{ query('items', ['{{ s }}', 'b']) }}", "['abc', 'b']"},
		{"{{ lookup('items', '{{ s }}' if x == 3 else 'b') }}", "'abc'"},
		{"{{ lookup('items', '{{ s }}' or 'b') }}", "'abc'"},
		{"{{ lookup('items', nope | default('{{ s }}')) }}", "'abc'"},
		{"{{ lookup('items', ['{{ s }}'] + ['{{ l }}']) }}", "['abc', [1, 2]]"},
		{"{{ lookup('items', {'a': '{{ s }}'}) }}", "{'a': 'abc'}"},
		{"{{ lookup('dict', {'{{ s }}': '{{ x }}'}) }}", "{'key': '{{ s }}', 'value': 3}"},
		{"{{ lookup('items', s, '{{' ~ ' s }}') }}", "'abc,{{ s }}'"},
		{"{{ lookup('items', host) }}", "'{{ 6 * 7 }}'"},
		{"{{ lookup('items', '{{ host }}') }}", "'{{ 6 * 7 }}'"},
		{"{{ lookup('vars', '{{ s }}', default='{{ s }}') }}", "'{{ s }}'"},
		{"{{ '{{ s }}' }}", "'{{ s }}'"},
		{"{{ '{{ s }}' == 'abc' }}", "False"},
		{"{{ ['{{ s }}'] | map('extract', {'abc': 1, '{{ s }}': 2}) }}", "[2]"},
	}
	list := &value.List{V: []value.Value{int64(1), int64(2)}}
	scope := value.DictOf("s", "abc", "x", int64(3), "l", list, "host", "{{ 6 * 7 }}")
	c := template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: scope})
	for _, tc := range cases {
		v, err := c.Render(template.NewTemplate(tc.src, diag.Pos{}))
		if got := value.Repr(v); err != nil || got != tc.want {
			t.Errorf("%s: got %s, %v, want %s", tc.src, got, err, tc.want)
		}
	}
}

// A secret is one JSON value, not letters; secrets joined by a lookup stay one.
func TestSecretsOfLookups(t *testing.T) {
	var out strings.Builder
	in := `{"id": 1, "kind": "expr", "compat": "2.19", "expr": "lookup('password', '/dev/null', length=3, chars='a')"}` + "\n"
	if err := template.Batch(t.Context(), strings.NewReader(in), &out, template.Options{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"value": "aaa"`) {
		t.Errorf("got %s", out.String())
	}
	c := template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: value.NewDict(0)})
	v, err := c.Render(template.NewTemplate("{{ lookup('password', '/dev/null', '/dev/null', chars='a', length=2) }}", diag.Pos{}))
	if s, ok := v.(*value.Secret); err != nil || !ok || s.V != "aa,aa" {
		t.Errorf("got %#v, %v", v, err)
	}
}

// A secret beside what is extracted from a container does not hide it; one that is extracted stays.
func TestExtractBesideSecrets(t *testing.T) {
	scope := value.DictOf("d", value.DictOf("a", int64(80), "pw", &value.Secret{V: "hunter2"}, "in", value.DictOf("k", &value.Secret{V: "x"}, "n", int64(1))))
	c := template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: scope})
	for _, tc := range []struct {
		src    string
		secret bool
	}{
		{"{{ ['a'] | map('extract', d) | first }}", false},
		{"{{ 'a' | extract(d) }}", false},
		{"{{ 'in' | extract(d, 'n') }}", false},
		{"{{ 'pw' | extract(d) }}", true},
		{"{{ ['pw'] | map('extract', d) | first }}", true},
		{"{{ 'in' | extract(d, 'k') }}", true},
	} {
		v, err := c.Render(template.NewTemplate(tc.src, diag.Pos{}))
		if _, ok := v.(*value.Secret); err != nil || ok != tc.secret {
			t.Errorf("%s: got %#v, %v, want a secret: %v", tc.src, v, err, tc.secret)
		}
	}
}
