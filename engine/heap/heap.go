// Package heap says how often memory is collected. A run lasts seconds and keeps little: with Go's
// own settings a third of the time of compiling a big playbook goes into collecting what is a few
// megabytes.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// floor is the size in bytes below which nothing is collected.
const floor = 64 << 20

// usual is Go's own: the heap may double until it is collected.
const usual = 100

// Tune lets the heap of this process grow to 64 MB, and above that to twice of what is in use, before
// it is collected. The environment variable GOGC goes before.
func Tune() {
	if os.Getenv("GOGC") != "" {
		return
	}
	adjust()
	watch()
}

// watch adjusts after each collection: what nobody refers to is finalized then.
func watch() {
	runtime.SetFinalizer(new(mark), func(*mark) {
		adjust()
		watch()
	})
}

type mark struct{ _ [16]byte }

func adjust() { debug.SetGCPercent(percent(live())) }

// live is what was in use at the last collection, in bytes.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// percent is how much may be added to what is in use.
func percent(live uint64) int {
	live = max(live, 4<<20) // as Go has it
	if 2*live >= floor {
		return usual
	}
	return int((floor - live) * 100 / live)
}
