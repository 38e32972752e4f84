//go:build unix

package sshconfig

import (
	"io/fs"
	"os"
	"syscall"
)

// trusted: it belongs to the user or to root, and nobody else may write to it.
func trusted(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Getuid()) && info.Mode()&0o022 == 0
}
