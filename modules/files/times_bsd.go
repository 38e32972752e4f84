//go:build darwin || freebsd

package files

import (
	"syscall"
	"time"
)

// timesOfStat are the access, modification and change time as Python's floats.
func timesOfStat(st *syscall.Stat_t) [3]float64 {
	f := func(t syscall.Timespec) float64 { return seconds(time.Unix(t.Sec, t.Nsec)) }
	return [3]float64{f(st.Atimespec), f(st.Mtimespec), f(st.Ctimespec)}
}

func accessTime(st *syscall.Stat_t) time.Time { return time.Unix(st.Atimespec.Sec, st.Atimespec.Nsec) }
