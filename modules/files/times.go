//go:build !darwin && !freebsd

package files

import (
	"syscall"
	"time"
)

// timesOfStat are the access, modification and change time as Python's floats.
func timesOfStat(st *syscall.Stat_t) [3]float64 {
	f := func(t syscall.Timespec) float64 { return seconds(time.Unix(int64(t.Sec), int64(t.Nsec))) }
	return [3]float64{f(st.Atim), f(st.Mtim), f(st.Ctim)}
}

func accessTime(st *syscall.Stat_t) time.Time {
	return time.Unix(int64(st.Atim.Sec), int64(st.Atim.Nsec))
}
