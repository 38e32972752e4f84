package template

import (
	"fmt"
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

func TestNameReads(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"path", "{{ a.b['c'][0].d }}", "a.b.c.0.d@1:4"},
		{"computed key", "{{ a[b.c] }}", "a@1:4 b.c@1:6"},
		{"set", "{% set x = y %}{{ x }}", "y@1:12"},
		{"loop", "{% for x in xs if x.on %}{{ x }}{{ loop.index }}{{ z }}{% endfor %}{{ x }}", "xs@1:13 z@1:52 x@1:71"},
		{"macro", "{% macro m(a, b=c) %}{{ a }}{{ d }}{% endmacro %}{{ m(e) }}", "c@1:17 d@1:32 e@1:55"},
		{"defined", "{{ a if a is defined else b }}", "a?@1:9 a?@1:4 b@1:27"},
		{"default", "{{ a.x | default(b) }}", "a.x?@1:4 b@1:18"},
		{"and", "{{ a is defined and a.b }}", "a?@1:4 a.b?@1:21"},
		{"if", "{% if a is defined %}{{ a }}{% endif %}", "a?@1:7 a?@1:25"},
		{"globals", "{{ range(3) }}{{ lookup('env', home) }}{{ omit }}", "home@1:32"},
		{"second line", "x\n{{ a }}", "a@2:4"},
		{"with", "{% with a=b %}{{ a }}{% endwith %}{{ a }}", "b@1:11 a@1:38"},
		{"import", "{% import f as m %}{{ m.x() }}", "f@1:11"},
		{"filter argument", "{{ a | join(b) }}", "a@1:4 b@1:13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := showNames(Names(NewTemplate(tt.src, diag.Pos{}))); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
			}
		})
	}
	got := showNames(CondNames(value.NewList(NewCond("a == 1", diag.Pos{File: "t.yml", Line: 7, Col: 11}), NewCond("{{ b }}", diag.Pos{}))))
	if want := "a@t.yml:7:11 b@1:4"; got != want {
		t.Errorf("conditions: got %s, want %s", got, want)
	}
}

func showNames(ns []NameRead) string {
	var out []string
	for _, n := range ns {
		mark := ""
		if n.Guarded {
			mark = "?"
		}
		out = append(out, fmt.Sprintf("%s%s@%s", strings.Join(n.Path, "."), mark, strings.TrimPrefix(n.At.String(), ":")))
	}
	return strings.Join(out, " ")
}

func TestCheck(t *testing.T) {
	at := diag.Pos{File: "site.yml", Line: 4, Col: 12}
	for _, tt := range []struct{ name, src, want string }{
		{"fine", "{{ a | upper }}", ""},
		{"syntax", "{{ a | }}", "site.yml:4:19: expected token 'name', got 'end of print statement'"},
		{"filter", "{{ a | uper }}", "site.yml:4:19: No filter named 'uper'. (did you mean \"upper\"?)"},
		{"filter in a branch", "{{ a | uper if b }}{% if c %}{{ d | lowr }}{% endif %}", "site.yml:4:19: no filter named \"uper\" (did you mean \"upper\"?); site.yml:4:48: no filter named \"lowr\" (did you mean \"lower\"?)"},
		{"test", "{% if a %}{{ b is strng }}{% endif %}", "site.yml:4:30: no test named \"strng\" (did you mean \"string\"?)"},
		{"second line", "a\n  {{ b + }}", "site.yml:5:10: unexpected 'end of print statement'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range Check(NewTemplate(tt.src, at)) {
				got = append(got, d.Error())
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

// An error tells the place in the template, and in included files where they were included.
func TestErrorPlaces(t *testing.T) {
	files := mapFiles{"inner.j2": "one\n{{ 1 / 0 }}\n", "mid.j2": "\n{% include 'inner.j2' %}"}
	e := New(Options{Files: files})
	c := e.NewContext(t.Context(), MapScope{value.NewDict(0)})
	_, _, err := c.RenderFile("outer.j2", "x\ny {% include 'mid.j2' %}", FileOptions{})
	te, ok := err.(*Error)
	if !ok {
		t.Fatalf("got %v", err)
	}
	got := te.At.String()
	for _, r := range te.Used {
		got += ", " + r.Text + " " + r.At.String()
	}
	if want := "inner.j2:2:6, included from mid.j2:2:4, included from outer.j2:2:6"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	tm := NewTemplate("{{ a }}", diag.Pos{File: "site.yml", Line: 9, Col: 20})
	d := value.NewDict(1)
	d.SetString("a", NewTemplate("-{{ nope.x }}", diag.Pos{File: "group_vars/all.yml", Line: 3, Col: 4}))
	_, err = e.NewContext(t.Context(), MapScope{d}).Render(tm)
	if err == nil || !strings.Contains(err.Error(), "'nope' is undefined") || !IsUndefined(err) {
		t.Errorf("got %v", err)
	}
}
