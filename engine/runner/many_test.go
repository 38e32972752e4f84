package runner

import (
	"sync"
	"testing"
	"time"

	"fettle/engine/transport/sshsim"
	"fettle/modules/serve"
)

// Two hundred hosts at once, each on an SSH server of its own with a runner in this process.
func TestManyHosts(t *testing.T) {
	var accounts []*Account
	for range 200 {
		_, a := simTarget(t, sshsim.Options{Runner: serve.Run})
		accounts = append(accounts, a)
	}
	p := newPool(t, dialers(t))
	for range 2 {
		c0, t0 := cpu(), time.Now()
		var all sync.WaitGroup
		for _, a := range accounts {
			all.Go(func() {
				if err := ping(t, p, a); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		t.Logf("200 hosts in %v, %v of processor time for both sides", time.Since(t0), cpu()-c0)
	}
}
