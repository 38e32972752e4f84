package modules

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileFlag is one inode flag: what lsattr and chattr show.
type fileFlag struct {
	letter byte
	bit    uint32
	name   string // Ansible's word; "" when it has none
}

// inodeFlags are in the order in which lsattr prints them.
var inodeFlags = []fileFlag{
	{'s', 0x1, "zero"}, {'u', 0x2, "undelete"}, {'S', 0x8, "synchronous"}, {'D', 0x10000, "dirsync"},
	{'i', 0x10, "immutable"}, {'a', 0x20, "append"}, {'d', 0x40, "nodump"}, {'A', 0x80, "noatime"},
	{'c', 0x4, "compressed"}, {'E', 0x800, "encrypted"}, {'j', 0x4000, "journalled"}, {'I', 0x1000, "indexed"},
	{'t', 0x8000, "notail"}, {'T', 0x20000, "blockroot"}, {'e', 0x80000, "extents"}, {'C', 0x800000, "nocow"},
	{'x', 0x2000000, ""}, {'F', 0x40000000, ""}, {'N', 0x10000000, "inline"}, {'P', 0x20000000, ""},
	{'V', 0x100000, ""}, {'m', 0x400, ""},
}

// The ioctl that reads the generation of an inode: _IOR('v', 1, long) on 64-bit systems.
const fsIocGetVersion = 0x80087601

// readOnlyFlags are kept whatever a task asks for: the file system owns them.
const readOnlyFlags = 0x800 | 0x1000 | 0x10000000 | 0x100000

// FileFlags are the inode flags of a file.
type FileFlags struct {
	Letters string   // as lsattr prints them, without the dashes
	Names   []string // Ansible's word for each
	Version string   // the inode's generation
	OK      bool     // false when the file system has none, or the file is no file or directory
	bits    uint32
}

// ReadFlags reads the inode flags of a regular file or directory, not following links.
func ReadFlags(path string) FileFlags {
	var f FileFlags
	f.Names = []string{}
	fd, err := openForFlags(path)
	if err != nil {
		return f
	}
	defer unix.Close(fd)
	bits, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return f
	}
	f.bits = bits
	version, err := unix.IoctlGetUint32(fd, fsIocGetVersion)
	if err != nil {
		return f // lsattr shows nothing there
	}
	f.OK, f.Version = true, strconv.FormatUint(uint64(version), 10)
	f.Letters = flagLetters(bits)
	for _, flag := range inodeFlags {
		if bits&flag.bit != 0 && flag.name != "" {
			f.Names = append(f.Names, flag.name)
		}
	}
	return f
}

// set are the letters of all flags, also where lsattr shows none.
func (f FileFlags) set() string { return flagLetters(f.bits) }

func flagLetters(bits uint32) string {
	var letters strings.Builder
	for _, flag := range inodeFlags {
		if bits&flag.bit != 0 {
			letters.WriteByte(flag.letter)
		}
	}
	return letters.String()
}

func openForFlags(path string) (int, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return -1, err
	}
	if k := st.Mode & unix.S_IFMT; k != unix.S_IFREG && k != unix.S_IFDIR {
		return -1, errors.ErrUnsupported // opening a device or FIFO may do things
	}
	return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
}

// writeFlags sets, adds (+) or removes (-) inode flags given by letters.
func writeFlags(path string, op byte, letters string) error {
	var bits uint32
	for i := range len(letters) {
		known := false
		for _, flag := range inodeFlags {
			if flag.letter == letters[i] {
				bits |= flag.bit
				known = true
			}
		}
		if !known {
			return Failf("chattr failed: unknown attribute %q", letters[i:i+1])
		}
	}
	fd, err := openForFlags(path)
	if err != nil {
		return &os.PathError{Op: "chattr", Path: path, Err: err}
	}
	defer unix.Close(fd)
	old, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err == nil {
		want := bits
		switch op {
		case '+':
			want = old | bits
		case '-':
			want = old &^ bits
		}
		want = want&^readOnlyFlags | old&readOnlyFlags
		err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(want))
	}
	if err != nil {
		return Failf("chattr failed: %s: %v", path, err)
	}
	return nil
}

// protected tells that path, or the directory it is in, is immutable or append-only: why
// a replacement failed with EPERM.
func protected(path string) string {
	for _, p := range []struct{ what, path string }{{"file", path}, {"directory", filepath.Dir(path)}} {
		switch f := ReadFlags(p.path); {
		case f.bits&0x10 != 0:
			return " (the " + p.what + " is immutable)"
		case f.bits&0x20 != 0:
			return " (the " + p.what + " is append-only)"
		}
	}
	return ""
}

func lgetxattr(path, name string) string {
	buf := make([]byte, 256)
	n, err := unix.Lgetxattr(path, name, buf)
	if err != nil || n <= 0 {
		return ""
	}
	return strings.TrimRight(string(buf[:n]), "\x00")
}

func lsetxattr(path, name, v string) error { return unix.Lsetxattr(path, name, []byte(v), 0) }

// chmod changes the mode of path itself, whatever kind of file it is and without opening
// it: a link that has taken its place since we looked is refused, not followed.
func chmod(path string, mode uint32) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "chmod", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		err = unix.ELOOP
	}
	if err == nil {
		err = unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
	}
	if err == unix.ENOENT { // no /proc here
		var f int
		if f, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			err = unix.Fchmod(f, mode)
			_ = unix.Close(f)
		}
	}
	if err != nil {
		return &os.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}

// copyXattrs gives a file the extended attributes of another, access lists among them. What
// the file system or the account does not allow is left out, as with Ansible.
func copyXattrs(from string, to *os.File) {
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(from, buf)
	if err != nil {
		return
	}
	for name := range strings.SplitSeq(string(buf[:n]), "\x00") {
		if name == "" || name == selinuxXattr || strings.HasPrefix(name, "trusted.") {
			continue
		}
		if v, err := xattrOf(from, name); err == nil {
			_ = unix.Fsetxattr(int(to.Fd()), name, v, 0)
		}
	}
}

func xattrOf(path, name string) ([]byte, error) {
	buf := make([]byte, 1<<16)
	n, err := unix.Lgetxattr(path, name, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
