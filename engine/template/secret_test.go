package template

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Whatever is made of a secret is a secret, also inside longer text and in containers.
func TestSecretsStay(t *testing.T) {
	opts := Options{Decrypt: func(*value.Encrypted) (value.Value, error) { return "hunter2", nil }}
	for _, src := range []string{
		"{{ pw }}", "a{{ pw }}b", "{{ pw ~ 'x' }}", "{{ 'x' + pw }}", "{{ pw | upper }}", "{{ pw | b }}", "{{ pw.upper() }}", "{{ pw[0:3] }}",
		"{{ '%s' % pw }}", "{{ '{}'.format(pw) }}", "{{ [pw] | join(',') }}", "{{ {'a': pw} | tojson }}", "{{ [pw] }}", "{{ {'k': pw} }}",
		"{{ [pw] | first }}", "{{ [[pw]] | sum(start=[]) }}", "{{ pw | default('x') }}", "{{ nope | default(pw) }}", "{{ pw if true else 1 }}",
		"{% set x = pw %}{{ x }}", "{% for c in pw %}{{ c }}{% endfor %}", "{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(pw) }}", "{% set x %}y{{ pw }}{% endset %}{{ x }}",
		"{% filter upper %}{{ pw }}{% endfilter %}", "{{ pw | list }}", "{{ pw.split('t') }}", "{{ [pw] | map('upper') | list }}", "{{ [pw, 'a'] | sort }}",
		"{{ pw * 2 }}", "{{ 'a'.join([pw, pw]) }}", "{{ 'hunter'.replace('hunter', pw) }}", "{{ d.k }}", "{{ d }}", "{{ indirect }}", "{{ [1, pw] | string }}",
		"{{ dict(a=pw).a }}", "{{ (pw, 1)[0] }}", "{{ namespace(a=pw).a }}", "{{ pw | replace('h', 'j') }}", "{{ 'x' | replace('x', pw) }}", "{{ pw | trim }}",
		"{{ vault }}", "v{{ vault }}",
	} {
		t.Run(src, func(t *testing.T) {
			c := contextOf(t, opts, "pw", &value.Secret{V: "hunter2"}, "d", value.DictOf("k", &value.Secret{V: "hunter2"}),
				"indirect", "{{ pw }}!", "vault", &value.Encrypted{Text: "$ANSIBLE_VAULT"})
			v, err := c.Render(NewTemplate(strings.ReplaceAll(src, "| b ", "| lower "), diag.Pos{}))
			if err != nil {
				t.Fatal(err)
			}
			if open := openText(v); strings.Contains(strings.ToLower(open), "hun") {
				t.Errorf("%s shows outside of a secret: %s", src, open)
			}
		})
	}
}

// openText is all text of v that stands outside of secrets.
func openText(v value.Value) string {
	switch x := v.(type) {
	case *value.Secret:
		return ""
	case *value.List:
		var b strings.Builder
		for _, e := range x.V {
			b.WriteString(openText(e) + " ")
		}
		return b.String()
	case *value.Dict:
		var b strings.Builder
		for _, e := range x.Entries() {
			b.WriteString(openText(e.Key) + " " + openText(e.Value) + " ")
		}
		return b.String()
	}
	return value.Str(v)
}

func TestRenderFileTellsSecrets(t *testing.T) {
	c := contextOf(t, Options{}, "pw", &value.Secret{V: "hunter2"})
	text, secret, err := c.RenderFile("f", "p={{ pw }}\n", FileOptions{})
	if err != nil || text != "p=hunter2\n" || !secret {
		t.Errorf("got %q, %v, %v", text, secret, err)
	}
}

// canary counts how often a lookup that only template text from data can reach is called.
var canaryCalls int

func init() {
	RegisterLookup("canary", func(*Context, []value.Value, []value.Keyword) ([]value.Value, error) {
		canaryCalls++
		return []value.Value{"sung"}, nil
	})
}

// No byte that came from a host is ever parsed as a template: data full of template syntax
// goes through random expressions, and nothing in it runs.
func TestDataIsNeverRendered(t *testing.T) {
	evil := []string{"{{ lookup('canary') }}", "{% set x = lookup('canary') %}", "{{", "}}", "{% for", "lookup('canary')", "#jinja2: trim_blocks: False\n{{ q('canary') }}",
		"{{ '{{ lookup(\"canary\") }}' }}", "' ~ lookup('canary') ~ '", "x}} {{ lookup('canary') }} {{x"}
	exprs := []string{"%s", "%s ~ %s", "%s + %s", "[%s, %s]", "{'a': %s}", "%s | upper | lower", "%s | default('x')", "%s.split(' ')", "%s[0:20]", "'%%s' %% %s",
		"%s | replace('a', 'a')", "%s | list | join", "%s | indent", "[%s] | map('string') | list", "dict(a=%s)", "%s if true else 1", "%s | tojson", "%s | trim"}
	r := rand.New(rand.NewSource(1))
	canaryCalls = 0
	for i := range 2000 {
		d := value.NewDict(4)
		d.SetString("h", evil[r.Intn(len(evil))])
		d.SetString("facts", value.DictOf("x", evil[r.Intn(len(evil))], "l", value.NewList(evil[r.Intn(len(evil))])))
		d.SetString("via", NewTemplate("{{ h }}", diag.Pos{}))
		names := []string{"h", "facts.x", "facts.l[0]", "via", "facts.l", "facts"}
		e := exprs[r.Intn(len(exprs))]
		args := []any{names[r.Intn(len(names))], names[r.Intn(len(names))]}
		src := fmt.Sprintf(e, args[:strings.Count(e, "%s")-strings.Count(e, "%%s")]...)
		for _, compat := range []Compat{Default, V219, V216, V216Native} {
			c := New(Options{Compat: compat}).NewContext(t.Context(), MapScope{d})
			v, err := c.Render(NewTemplate("{{ "+src+" }}", diag.Pos{}))
			if err == nil {
				d.SetString("again", v)
				_, _ = c.Render(NewTemplate("{{ again }}{{ [again] }}", diag.Pos{}))
				_, _ = c.Render(v)
			}
			_, _, _ = c.RenderFile("f", "{{ "+src+" }}", FileOptions{})
			_, _ = NewScopeUntrusted(c).Cond(NewCond("{{ "+src+" }}", diag.Pos{}))
			_, _ = NewScopeUntrusted(c).Cond(NewCond(src, diag.Pos{}))
		}
		if canaryCalls > 0 {
			t.Fatalf("round %d: data was rendered by %s", i, src)
		}
	}
}

// untrusted hides that a scope can vouch for its variables.
type untrusted struct{ Scope }

// NewScopeUntrusted is a context over the same variables, none of which is trusted.
func NewScopeUntrusted(c *Context) *Context { return c.e.NewContext(c.ctx, untrusted{c.scope}) }
