package template

import (
	"fmt"
	"sync"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// One template and one set of variables, rendered by many goroutines with contexts of their
// own: each sees its own changes and nobody else's.
func TestConcurrent(t *testing.T) {
	vars := trust(value.DictOf("l", value.NewList(int64(1), "{{ n }}"), "n", int64(2), "d", value.DictOf("x", value.NewList("{{ n }}")))).(*value.Dict)
	e := New(Options{})
	tm := NewTemplate("{% set _ = l.append(me) %}{% set _ = d.update({'y': me}) %}{% set _ = d.x.append(me) %}{{ l }}{{ d }}", diag.Pos{})
	read := NewTemplate("{{ l }}{{ d }}", diag.Pos{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 50 {
				c := e.NewContext(t.Context(), overlay{MapScope{vars}, "me", int64(i)})
				got, err := c.Render(tm)
				want := fmt.Sprintf("[1, 2, %d]{'x': [2, %d], 'y': %d}", i, i, i)
				if err != nil || got != want {
					t.Errorf("got %v, %v; want %s", got, err, want)
				}
				if got, err := c.Render(read); err != nil || got != "[1, 2]{'x': [2]}" {
					t.Errorf("a change is seen outside its template: %v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

// overlay adds one variable to a scope.
type overlay struct {
	Scope
	name string
	v    value.Value
}

func (o overlay) Lookup(n string) (value.Value, bool) {
	if n == o.name {
		return o.v, true
	}
	return o.Scope.Lookup(n)
}
