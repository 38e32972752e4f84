package facts

import (
	"syscall"
	"unsafe"
)

// affinity counts the processors this process may use.
func affinity() int64 {
	var mask [128]uintptr
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, uintptr(len(mask))*unsafe.Sizeof(mask[0]), uintptr(unsafe.Pointer(&mask[0])))
	if errno != 0 {
		return 0
	}
	count := int64(0)
	for _, m := range mask[:n/unsafe.Sizeof(mask[0])] {
		for ; m != 0; m &= m - 1 {
			count++
		}
	}
	return count
}
