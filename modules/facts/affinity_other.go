//go:build !linux

package facts

import "runtime"

// affinity counts the processors this process may use.
func affinity() int64 { return int64(runtime.NumCPU()) }
