package template

import (
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

var fuzzSeeds = []string{
	"{{ a }}", "{% for x in l %}{{ x }}{% endfor %}", "{{ 'it\\'s' ~ \"x\" }}", "{%- raw -%} {{ }} {%- endraw +%}", "{# c -#} x", "{{ l[1:2] }}{{ d['a'].b }}",
	"{% macro m(a, b=1) %}{{ varargs }}{% endmacro %}{{ m(*l, **d) }}", "{% set a, b = 1, 2 %}", "{% if a is not defined and b in l %}y{% elif x %}{% else %}z{% endif %}",
	"{{ 1.5e3 + 0x1f - 1_000 // 3 ** 2 % 7 }}", "#jinja2: trim_blocks: False, variable_start_string: '[['\n[[ x ]]", "{% call(x) m() %}{% endcall %}", "{% block b scoped %}{{ super() }}{% endblock %}",
	"{{ '%5.2f|%s|%(a)d' % (1, 2) }}{{ '{:>5}{!r:^9}'.format(1, 's') }}", "{% filter indent(3) | upper %}a\nb{% endfilter %}", "{{ u | groupby('g') | map('last') | list }}", "\xff{{ \xff }}", "{{ {'a': [1, (2,)]} | tojson }}",
	"{% for x in [[1]] recursive %}{{ loop(x) if x is iterable }}{% endfor %}", "{{ a if b else c if d }}", "{% with a=1 %}{% include a ignore missing %}{% endwith %}", "{{ range(9)|batch(2, 0)|list|length }}",
}

func FuzzLex(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		_, _ = lex(src, playbookSyntax())
		_, _ = lexBare(src, playbookSyntax())
		s := DefaultSyntax()
		s.LineStatement, s.LineComment, s.LstripBlocks = "#", "##", true
		_, _ = lex(src, s)
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		tm := &value.Template{Src: src, At: diag.Pos{File: "f.yml", Line: 3, Col: 9}}
		for _, r := range append(Names(tm), CondNames(tm)...) {
			if r.Name == "" || r.At.Line < 3 {
				t.Fatalf("a name without a place: %+v", r)
			}
		}
		for _, d := range append(Check(tm), CheckCond(tm)...) {
			if d.At.Line < 3 {
				t.Fatalf("an error without a place: %v", d)
			}
		}
		_, _ = Literal(src)
	})
}

func FuzzRender(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, src string, old bool) {
		opts := Options{MaxOutput: 1 << 20, MaxSteps: 20000, MaxDepth: 50}
		if old {
			opts.Compat = V216
		}
		c := contextOf(t, opts, "a", "x{{ b }}", "b", int64(5), "l", value.NewList("q", 2.5, nil, "{{ a }}"),
			"d", value.DictOf("a", value.DictOf("b", true)), "u", value.NewList(value.DictOf("g", int64(1)), value.DictOf("g", "x")))
		_, _ = c.Render(NewTemplate(src, diag.Pos{}))
		_, _ = c.Cond(NewCond(src, diag.Pos{}))
		_, _, _ = c.RenderFile("f", src, FileOptions{})
	})
}
