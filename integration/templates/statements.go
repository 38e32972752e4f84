//go:build integration

package templates

import "fmt"

// shapes are templates with statements; holes as in the grammar.
var shapes = []string{
	"{% for x in {L} %}{{ x }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}",
	"{% for k, v in {D}.items() %}{{ k }}={{ v }};{% endfor %}",
	"{% for k, v in {D}|dictsort %}{{ loop.index }}:{{ k }}={{ v }}\n{% endfor %}",
	"{% if {B} %}{{ {S} }}{% elif {B} %}{{ {I} }}{% else %}{{ {A} }}{% endif %}",
	"{% set x = {A} %}{{ x }}", "{% set x %}{{ {A} }} {{ {S} }}{% endset %}{{ x }}|{{ x|length }}",
	"{% set ns = namespace(n={I}) %}{% for x in {L} %}{% set ns.n = ns.n + loop.index %}{% endfor %}{{ ns.n }}",
	"{% macro m(a, b={A}) %}[{{ a }}|{{ b }}|{{ varargs }}|{{ kwargs }}]{% endmacro %}{{ m({A}) }}{{ m({A}, {A}) }}{{ m({A}, b={A}) }}",
	"{% macro m(a) %}<{{ a }}{{ caller() }}>{% endmacro %}{% call m({S}) %}{{ {A} }}{% endcall %}",
	"{% filter upper %}{{ {S} }}{% endfilter %}", "{% with a={A}, b={S} %}{{ a }}{{ b }}{% endwith %}",
	"{% for x in {L} if x is defined and x %}{{ loop.index }}{{ x }}{% endfor %}", "a{{ {A} }}b", "{{ {A} }}{{ {A} }}", "{{ {S} }}\n", " {{ {I} }} ", "{{ {A} }}\n{{ {A} }}\n",
	"{% for x in {L} %}{{ loop.cycle('a', 'b') }}{{ loop.first }}{{ loop.revindex }}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }}{% endfor %}",
	"{%- for x in range({N}) -%} {{ x }} {%- endfor -%}", "{{- {S} -}} x {{- {I} }}", "{# c #}{{ {S} }}{#- c -#} y", "{% raw %}{{ x }}{% endraw %}{{ {S} }}",
	"{% for a in {M} recursive %}{{ a.k }}{% if a.s is sequence and a.s is not string and loop.depth < 3 %}({{ loop(mm) }}){% endif %}{% endfor %}",
	"{% set a, b = ({A}, {A}) %}{{ b }}{{ a }}", "{% for x in {L} %}{% set y = x %}{% endfor %}{{ y|default('no') }}", "{% for x in {L} %}{% for y in {L} %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
	"{{ {B} }}", "{{ {L} }}", "{{ {D} }}", "{{ {F} }}", "{{ {S} }}{{ {S} }}", "{{ {I} }}{{ {I} }}", "[{{ {I} }}, {{ {I} }}]", "{ 'a': {{ {A} }} }", "{{ {S} }}: {{ {A} }}",
	"{% for x in {L} %}{{ loop.changed(x) }}{% endfor %}", "{% set l = {L}|list %}{% set _ = l.append({A}) %}{{ l }}", "{% if {A} %}y{% else %}n{% endif %}", "{{ {S} if {B} }}", "{% for x in {A} %}{{ x }}.{% endfor %}",
}

// one writes one case.
func (g *grammar) one(id int) map[string]any {
	c := map[string]any{"id": id, "vars": data}
	switch {
	case g.group == "statements":
		c["template"] = g.fill(pick(g, shapes), 2)
		c["kind"] = pick(g, []string{"value", "file"})
	case g.r.IntN(8) == 0:
		c["kind"], c["expr"] = "when", g.expr("B", 3)
	default:
		c["kind"], c["expr"] = "expr", g.expr(pick(g, words("S S I F L D B A")), 3)
	}
	return c
}

// data are the variables that cases see.
var data = map[string]any{
	"s1": "hello", "s2": "Two  Words\nand more", "s3": "", "s4": "42", "i1": 5, "i2": -3, "i3": 0, "f1": 2.5, "f2": 1e-7, "t1": true, "t2": false, "n1": nil,
	"l1": []any{3, 1, 2}, "l2": []any{"b", "A", "a", "B"}, "l3": []any{1, "x", nil, []any{2, 3}}, "ml": []any{map[string]any{"a": 1}, map[string]any{"a": 2, "b": "{{ s1 }}"}},
	"d1": map[string]any{"a": 1, "b": map[string]any{"c": []any{1, 2}}}, "d2": map[string]any{"a": "x", "z": nil}, "d3": map[string]any{},
	"mm": []any{map[string]any{"k": "b", "v": 2, "n": 1, "s": []any{1, 2}}, map[string]any{"k": "a", "v": nil, "n": 2.5, "s": []any{}}, map[string]any{"k": "b", "v": map[string]any{"x": 1}, "n": 3, "s": []any{"q"}}},
	"lv": "{{ s1 }} and {{ i1 }}", "lv2": map[string]any{"a": "{{ l1 }}", "b": "{{ d1.b }}"}, "chain": "{{ lv2.a }}", "lazy": map[string]any{"a": "{{ i1 + 1 }}", "b": "{{ chain }}", "bad": "{{ nope }}", "l": []any{1, "{{ i2 }}"}},
	"cyc": "{{ cyc }}",
}

func caseText(c map[string]any) string {
	if t, ok := c["template"]; ok {
		return fmt.Sprintf("%s: %s", c["kind"], t)
	}
	return fmt.Sprintf("%s: %s", c["kind"], c["expr"])
}
