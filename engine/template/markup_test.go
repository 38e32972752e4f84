package template

import (
	"testing"

	"fettle/engine/value"
)

// TestMarkup has results of Jinja2 3.1 with MarkupSafe.
func TestMarkup(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{"('a<b'|e) + '<c>'", "'a&lt;b&lt;c&gt;'"},
		{"'<c>' + ('a<b'|e)", "'&lt;c&gt;a&lt;b'"},
		{"('a<b'|e) ~ '<c>'", "'a&lt;b<c>'"},
		{"'a<b'|e|e", "'a&lt;b'"},
		{"'a<b'|e|forceescape", "'a&amp;lt;b'"},
		{"('%s'|e) % '<'", "'&lt;'"},
		{"('%s'|e)|format('<')", "'&lt;'"},
		{"('{}'|e).format('<')", "'&lt;'"},
		{"('<'|e).join(['<', 1])", "'&lt;&lt;1'"},
		{"('a<b'|e).replace('&', 'x')", "'a&lt;b'"},
		{"('a<b'|e)|replace('&', 'x')", "'axlt;b'"},
		{"'a<b'|e is escaped", "True"},
		{"'a<b'|safe|e", "'a<b'"},
		{"['a<b'|e, 1]|string", `"[Markup('a&lt;b'), 1]"`},
		{"{'a': '<'|e, 'b': '<'}|xmlattr", `' a="&lt;" b="&lt;"'`},
		{"('a<b'|e)[1:3]|e", "'&l'"},
		{"('&lt;'|safe).unescape()", "'<'"},
		{"('x'|e) * 2", "'xx'"},
		{"[1]|tojson|e", "'[1]'"},
		{"'%c' % true", `'\x01'`},
		{"'%%' % nope", "'%'"},
	} {
		v, err := New(Options{}).NewContext(t.Context(), nil).Eval(&value.Template{Src: c.expr})
		if err != nil || value.Repr(v) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.expr, value.Repr(v), err, c.want)
		}
	}
}

// TestFailedVariable: since 2.19 a variable that cannot be rendered fails where it is needed.
func TestFailedVariable(t *testing.T) {
	vars := MapScope{Dict: value.DictOf("bad", &value.Template{Src: "{{ 1/0 }}"}, "cyc", &value.Template{Src: "{{ cyc }}"})}
	for _, c := range []struct{ expr, want string }{
		{"'a'|default(bad)", "'a'"}, {"[1, cyc]|first", "1"}, {"{'a': bad}|length", "1"}, {"1|ternary('a', cyc)", "'a'"},
		{"bad", ""}, {"bad is defined", ""}, {"bad|default(1)", ""}, {"cyc ~ 'x'", ""},
	} {
		v, err := New(Options{}).NewContext(t.Context(), vars).Eval(&value.Template{Src: c.expr})
		if c.want == "" && err == nil || c.want != "" && (err != nil || value.Repr(v) != c.want) {
			t.Errorf("%s: %s, %v, want %s", c.expr, value.Repr(v), err, c.want)
		}
	}
}
