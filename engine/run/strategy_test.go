package run_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fettle/engine/run"
	"fettle/engine/runner"
	"fettle/engine/wire"
)

// counting notes how many calls are under way at once.
type counting struct {
	*pool
	now, most atomic.Int32
}

func (c *counting) Call(ctx context.Context, a *runner.Account, w *wire.Call, io *runner.IO, result func(wire.Result)) error {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	time.Sleep(2 * time.Millisecond) // the others come in now, if they may
	return c.pool.Call(ctx, a, w, io, result)
}

func TestThrottle(t *testing.T) {
	for _, strategy := range []string{"linear", "free", "host_pinned"} {
		c := &counting{}
		playWith(t, "h1,h2,h3,h4,h5,h6,", `
- hosts: all
  gather_facts: false
  strategy: `+strategy+`
  tasks:
    - stat: {path: /}
      throttle: 2
    - stat: {path: /tmp}
      throttle: "{{ 1 + 1 }}"
`, func(o *run.Options) {
			c.pool = o.Pool.(*pool)
			o.Pool = c
		})
		// The two tasks of the free strategies may overlap: each is held back for itself.
		if most := c.most.Load(); most > 4 || strategy == "linear" && most > 2 {
			t.Errorf("%s: %d calls at once", strategy, most)
		}
		if len(c.calls) != 6 {
			t.Errorf("%s: calls %v", strategy, c.calls)
		}
	}
}

// With one fork, hosts of the free strategy take turns; host_pinned finishes one before the next.
func TestFreeAndPinned(t *testing.T) {
	for strategy, want := range map[string]string{
		"free":        "h1a h2a h3a h1b h2b h3b",
		"host_pinned": "h1a h1b h2a h2b h3a h3b",
	} {
		_, lines, _ := playWith(t, "h1,h2,h3,", `
- hosts: all
  gather_facts: false
  strategy: `+strategy+`
  tasks:
    - debug: {msg: "{{ inventory_hostname }}a"}
    - debug: {msg: "{{ inventory_hostname }}b"}
`, func(o *run.Options) { o.Forks = 1 })
		var got []string
		for _, l := range lines {
			if _, msg, ok := strings.Cut(l, " ok "); ok {
				got = append(got, msg)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", strategy, s, want)
		}
	}
}
