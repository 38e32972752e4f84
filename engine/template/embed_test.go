package template

import (
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Constants with braces inside, as ansible-core 2.19.11 takes them; the last ones, which it refuses, as
// 2.18 does.
func TestEmbeddedConstants(t *testing.T) {
	scope := value.DictOf("s", "abc", "x", int64(3), "l", &value.List{V: []value.Value{int64(1), int64(2)}}, "host", "{{ 6 * 7 }}")
	e := New(Options{})
	c := e.NewContext(t.Context(), MapScope{Dict: scope})
	conds := []struct {
		src  string
		want bool
	}{
		{"'{{ x }}' == 3", true},
		{"'{{ x }}' == '3'", false},
		{"'{{ x }} ' == '3 '", true},
		{"'{{ l }}' | length == 2", true},
		{"s in ['{{ s }}']", true},
		{"{'a': '{{ x }}'}.a == 3", true},
		{"('{{ s }}' ~ 'd') == 'abcd'", true},
		{"'{{ host }}' == host", true},
		{"s is match('{{ s[0] }}')", true},
		{"{{ x }} == 3", true},
		{`"{{ "b" | upper }}" == "B"`, true},
		{`"a{{ "b" | upper }}c{{ s }}" == "aBcabc" and x == 3`, true},
		{`"{{ "b" ~ host }}" == "b42"`, false},
	}
	for _, tc := range conds {
		got, err := c.Cond(NewCond(tc.src, diag.Pos{}))
		if err != nil || got != tc.want {
			t.Errorf("%s: got %v, %v", tc.src, got, err)
		}
	}
	strict := New(Options{Compat: V219}).NewContext(t.Context(), MapScope{Dict: scope})
	if _, err := strict.Cond(NewCond(`"{{ "b" | upper }}" == "B"`, diag.Pos{})); err == nil {
		t.Error("2.19 refuses quotes around braces around quotes")
	}
}

func TestNamesInEmbeddedConstants(t *testing.T) {
	got := Names(NewTemplate("{{ lookup('file', '{{ a }}', ['{{ b }}'], default='{{ c }}') ~ '{{ d }}' }}", diag.Pos{}))
	if len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" {
		t.Errorf("got %v", got)
	}
}
