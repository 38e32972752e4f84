package template

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Nothing a template asks for may take the process down: each of these ends in an error, soon.
func TestLimits(t *testing.T) {
	for _, src := range []string{
		"{{ range(10**9) | list }}", "{{ range(10**30) | list }}", "{{ range(-(10**18), 10**18) | sum }}", "{{ 'x' * 10**10 }}", "{{ [1] * 10**10 }}", "{{ 'x' * 10**30 }}",
		"{{ 10 ** (10 ** 10) }}", "{{ 2 ** (10**8) }}", "{{ 'x'.zfill(10**12) }}", "{{ 'x'.center(10**12) }}", "{{ '%1000000000d' % 1 }}",
		"{{ '%.*f' % (10**9, 1.0) }}", "{{ '{:1000000000}'.format(1) }}", "{{ 'a\\tb'.expandtabs(10**9) }}", "{{ 'x' | center(10**12) }}",
		"{{ 'x\ny' | indent(10**12) }}", "{{ [1] | batch(10**12, 1) }}", "{{ [1] | slice(10**12) }}", "{{ {'a': 1} | tojson(10**10) }}",
		"{% for i in range(10**9) %}{% endfor %}", "{% for i in range(10**6) %}{% for j in range(10**6) %}{% endfor %}{% endfor %}",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
		"{% for i in range(10**6) %}{{ 'x' * 10000 }}{% endfor %}", "{{ 'aaaa'.replace('', 'x' * 10**8) }}", "{{ ('x' * 10**4).replace('x', 'y' * 10**6) }}",
		"{% set l = [] %}{% set _ = l.append(l) %}{{ l | list | tojson }}", "{% set l = [] %}{% set _ = l.append(l) %}{{ l == [l] and [l] | flatten1 }}",
		strings.Repeat("(", 5000), "{{ " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + " }}",
		"{{ " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + " }}", "{{ " + strings.Repeat("not ", 5000) + "1 }}",
		"{{ " + strings.Repeat("-", 5000) + "1 }}", "{{ 1" + strings.Repeat(" + 1", 50000) + " }}", "{{ a" + strings.Repeat(".b", 50000) + " }}",
		strings.Repeat("{% if 1 %}", 5000) + strings.Repeat("{% endif %}", 5000), "{{ " + strings.Repeat("1 if 1 else ", 5000) + "1 }}",
		"{{ a " + strings.Repeat("| d ", 50000) + " }}", "{{ " + strings.Repeat("9", 10000) + " }}", "{{ ('9' * 10000) | int }}{{ nope }}", "{{ lipsum(10**9) }}",
	} {
		name := src
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			c := contextOf(t, Options{MaxSteps: 2_000_000})
			begin := time.Now()
			v, err := c.Render(NewTemplate("{{ 1 }}"+src, diag.Pos{}))
			if strings.HasPrefix(src, "((") {
				return // plain text
			}
			if err == nil {
				t.Errorf("no error: %.60s", value.Repr(v))
			}
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := New(Options{}).NewContext(ctx, MapScope{value.NewDict(0)})
	_, err := c.Render(NewTemplate("{% for i in range(10**6) %}{% endfor %}x", diag.Pos{}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled rendering", err)
	}
}
