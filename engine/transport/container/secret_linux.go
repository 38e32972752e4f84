package container

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// secretPath is where a program finds its third file, to be read as often as it likes.
const secretPath = "/proc/self/fd/3"

// secretFile is a file in memory that no other process can open by a name.
func secretFile(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("fettle", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "fettle")
	if _, err := f.Write(content); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
