//go:build unix

package ssh

import (
	"os"
	"syscall"
)

func ownFile(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}
