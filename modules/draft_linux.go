package modules

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openUnnamed opens a new file in dir that has no name yet; not every file system can.
func openUnnamed(dir *os.Root) (*os.File, error) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return nil, err // no way to give it a name
	}
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	fd, err := unix.Openat(int(d.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir.Name()), nil
}

// giveName gives a file without a name one in dir; it replaces nothing. The file is locked
// as long as its runner lives.
func giveName(f *os.File, dir *os.Root, name string) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), int(d.Fd()), name, unix.AT_SYMLINK_FOLLOW)
}

// lockDir locks a directory as long as its runner lives; nil where that cannot be.
func lockDir(at *os.Root, name string) *os.File {
	f, err := at.Open(name)
	if err != nil {
		return nil
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = f.Close()
		return nil
	}
	return f
}

// draftAge is how old a draft or a directory without an owner must be to be removed.
const draftAge = 10 * time.Second

// sweepDrafts removes the drafts and temporary directories in dir whose runners were killed:
// nobody holds their lock.
func sweepDrafts(dir *os.Root) {
	d, err := dir.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if !strings.HasPrefix(name, ".fettle-") || len(name) != len(".fettle-0123456789abcdef") {
			continue
		}
		f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		info, err := f.Stat()
		if err == nil && (info.Mode().IsRegular() || info.IsDir() && owned(info)) && time.Since(info.ModTime()) > draftAge && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = dir.RemoveAll(name)
		}
		_ = f.Close()
	}
}

// owned tells whether a directory is one that nobody else could have made so.
func owned(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm() == 0o700
}
