package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 1500, 4 << 20: 1500, 16 << 20: 300, 31 << 20: 106, 32 << 20: 100, 1 << 30: 100} {
		if got := percent(live); got != want {
			t.Errorf("%d bytes: %d, want %d", live, got, want)
		}
	}
}

// What is in use decides after each collection.
func TestTune(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(usual)
	defer debug.SetGCPercent(before)
	Tune()
	big := make([]byte, 2*floor)
	becomes(t, func(p int) bool { return p == usual }, "with much in use")
	runtime.KeepAlive(big)
	becomes(t, func(p int) bool { return p > 3*usual }, "with little in use")
}

func becomes(t *testing.T, ok func(int) bool, when string) {
	t.Helper()
	p := 0
	for range 200 {
		runtime.GC()
		time.Sleep(time.Millisecond) // finalizers run beside
		p = debug.SetGCPercent(usual)
		if debug.SetGCPercent(p); ok(p) {
			return
		}
	}
	t.Errorf("%s: %d", when, p)
}
