package ansible

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
)

// slow are filters that take long on purpose, or that read files.
var slow = []string{"password_hash", "vault", "unvault", "fileglob", "realpath"}

// FuzzFilters calls every filter and test with hostile arguments: nothing may panic, hang or use
// memory without bound.
func FuzzFilters(f *testing.F) {
	names := slices.DeleteFunc(append(template.FilterNames(), template.TestNames()...), func(n string) bool {
		return slices.ContainsFunc(slow, func(s string) bool { return n == s || strings.HasSuffix(n, "."+s) })
	})
	for i := range names {
		f.Add(uint16(i), `[{"a": "1"}, -1, 1e308, ""]`, `99999999999999999999`, `"%"`)
		f.Add(uint16(i), `"10.0.0.0/8"`, `-1`, `{"a": [null]}`)
	}
	e := template.New(template.Options{MaxOutput: 1 << 20, MaxSteps: 1 << 16})
	f.Fuzz(func(t *testing.T, n uint16, a, b, c string) {
		name := names[int(n)%len(names)]
		scope := value.DictOf("a", fuzzValue(a), "b", fuzzValue(b), "c", fuzzValue(c))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		for _, args := range []string{"", "(b)", "(b, c)", "(c, b, b)"} {
			for _, form := range []string{"{{ a | " + name + args + " }}", "{{ a is " + name + args + " }}"} {
				tc := e.NewContext(ctx, template.MapScope{Dict: scope})
				_, _ = tc.Render(template.NewTemplate(form, diag.Pos{}))
			}
		}
		if d := time.Since(start); d > 15*time.Second {
			t.Fatalf("%s with %q, %q and %q takes %v", name, a, b, c, d)
		}
	})
}

// fuzzValue is the value that text stands for as JSON, else the text.
func fuzzValue(s string) value.Value {
	if v, err := value.FromJSON([]byte(s)); err == nil {
		return v
	}
	return s
}
