package template

import (
	"context"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// context over variables whose texts with template syntax are templates, as in a playbook.
func contextOf(t testing.TB, opts Options, vars ...value.Value) *Context {
	t.Helper()
	return New(opts).NewContext(context.Background(), MapScope{trust(value.DictOf(vars...)).(*value.Dict)})
}

// trust makes templates of texts, at any depth.
func trust(v value.Value) value.Value { return Trust(v, diag.Pos{}) }

func TestRender(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"sum", "{{ 1 + 2 }}", "3"},
		{"text", "a{{ x }}b", "'a5b'"},
		{"list", "{{ [x, 'a', none] }}", "[5, 'a', None]"},
		{"loop", "{% for i in range(3) %}{{ loop.index }}{% endfor %}", "'123'"},
		{"nested", "{{ d.a.b }}", "'v5'"},
		{"omit", "{{ {'a': omit, 'b': 1} }}", "{'b': 1}"},
		{"default", "{{ nope.x | default('d') }}", "'d'"},
		{"macro", "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}", "'1-2'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := contextOf(t, Options{}, "x", int64(5), "d", value.DictOf("a", value.DictOf("b", "v{{ x }}")))
			v, err := c.Render(NewTemplate(tt.src, diag.Pos{}))
			if err != nil {
				t.Fatal(err)
			}
			if got := value.Repr(v); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
