package files

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.stat",
		Summary: "Tell everything about a file: type, owner, mode, times, checksum.",
		Check:   modules.Full,
		Examples: `
- name: Is it there?
  ansible.builtin.stat:
    path: /etc/foo.conf
    get_checksum: false
  register: foo
`,
	}, stat)
}

type statArgs struct {
	Path              string `arg:"path,required" alias:"dest,name" type:"path" doc:"The file."`
	Follow            bool   `arg:"follow" default:"false" doc:"Look at what a link leads to."`
	GetChecksum       bool   `arg:"get_checksum" default:"true" doc:"Compute a checksum of a regular file."`
	ChecksumAlgorithm string `arg:"checksum_algorithm" alias:"checksum,checksum_algo" default:"sha1" choices:"md5,sha1,sha224,sha256,sha384,sha512" doc:"Which checksum."`
	GetMime           bool   `arg:"get_mime" alias:"mime,mime-type,mime_type" default:"true" doc:"Ask the file program for type and encoding."`
	GetAttributes     bool   `arg:"get_attributes" alias:"attr,attributes" default:"true" doc:"Read the inode flags that lsattr shows."`
	GetSELinuxContext bool   `arg:"get_selinux_context" default:"false" doc:"Read the SELinux context."`
}

type statReturn struct {
	Stat *value.Dict `json:"stat,omitempty" doc:"What is known about the file; only exists when there is none." returned:"always"`
}

func stat(ctx context.Context, h *modules.Host, a statArgs) (r modules.Result[statReturn], err error) {
	look := os.Lstat
	if a.Follow {
		look = os.Stat
	}
	info, err := look(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		r.Data.Stat = value.DictOf("exists", false)
		return r, nil
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text := errno.Error()
		return r, modules.Failf("%s", strings.ToUpper(text[:1])+text[1:])
	}
	if err != nil {
		return r, err
	}
	d := statDict(ctx, h, a.Path, info)
	if info.Mode()&os.ModeSymlink != 0 {
		target, _ := os.Readlink(a.Path)
		d.SetString("lnk_source", modules.RealPath(a.Path))
		d.SetString("lnk_target", target)
	}
	if a.GetChecksum && info.Mode().IsRegular() && syscall.Access(a.Path, 4) == nil {
		sum, err := checksum(ctx, a.Path, a.ChecksumAlgorithm)
		if err != nil {
			return r, err
		}
		d.SetString("checksum", sum)
	}
	if a.GetMime {
		mime, charset := mimeOf(ctx, h, a.Path, a.Follow, info)
		d.SetString("mimetype", mime)
		d.SetString("charset", charset)
	}
	if a.GetAttributes {
		addFlags(d, a.Path)
	}
	if a.GetSELinuxContext {
		var context value.Value = value.NewList(nil, nil, nil, nil)
		if info := h.PathInfo(ctx, a.Path); info.SEContext != nil {
			l := value.NewList()
			for _, s := range info.SEContext {
				l.V = append(l.V, s)
			}
			context = l
		}
		d.SetString("selinux_context", context)
	}
	r.Data.Stat = d
	return r, nil
}

func addFlags(d *value.Dict, path string) {
	f := modules.ReadFlags(path)
	names := value.NewList()
	for _, n := range f.Names {
		names.V = append(names.V, n)
	}
	d.SetString("version", nil)
	if f.OK {
		d.SetString("version", f.Version)
	}
	d.SetString("attributes", names)
	d.SetString("attr_flags", f.Letters)
}

func statDict(ctx context.Context, h *modules.Host, path string, info fs.FileInfo) *value.Dict {
	st := info.Sys().(*syscall.Stat_t)
	kind, mode := st.Mode&syscall.S_IFMT, uint32(st.Mode)
	d := value.DictOf("exists", true, "path", path, "mode", statMode(mode),
		"isdir", kind == syscall.S_IFDIR, "ischr", kind == syscall.S_IFCHR, "isblk", kind == syscall.S_IFBLK,
		"isreg", kind == syscall.S_IFREG, "isfifo", kind == syscall.S_IFIFO, "islnk", kind == syscall.S_IFLNK,
		"issock", kind == syscall.S_IFSOCK, "uid", int64(st.Uid), "gid", int64(st.Gid), "size", st.Size,
		"inode", int64(st.Ino), "dev", int64(st.Dev), "nlink", int64(st.Nlink))
	for i, t := range timesOfStat(st) {
		d.SetString([]string{"atime", "mtime", "ctime"}[i], t)
	}
	for i, class := range []string{"usr", "grp", "oth"} {
		bits := mode >> (6 - 3*i)
		d.SetString("w"+class, bits&2 != 0)
		d.SetString("r"+class, bits&4 != 0)
		d.SetString("x"+class, bits&1 != 0)
	}
	d.SetString("isuid", mode&syscall.S_ISUID != 0)
	d.SetString("isgid", mode&syscall.S_ISGID != 0)
	d.SetString("blocks", int64(st.Blocks))
	d.SetString("block_size", int64(st.Blksize))
	d.SetString("device_type", int64(st.Rdev))
	d.SetString("readable", syscall.Access(path, 4) == nil)
	d.SetString("writeable", syscall.Access(path, 2) == nil)
	d.SetString("executable", syscall.Access(path, 1) == nil)
	if n := h.UserName(ctx, int(st.Uid)); n != "" {
		d.SetString("pw_name", n)
	}
	if n := h.GroupName(ctx, int(st.Gid)); n != "" {
		d.SetString("gr_name", n)
	}
	return d
}

// statMode is how stat shows permission bits: four digits, 1777 without a leading zero.
func statMode(mode uint32) string {
	if m := mode & 0o7777; m > 0o777 {
		return strings.TrimPrefix(modules.OctalMode(m), "0")
	}
	return modules.OctalMode(mode)
}

// newHash returns the hash of a name that stat and copy use, or nil.
func newHash(name string) hash.Hash {
	switch name {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha224":
		return sha256.New224()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// checksum reads the file at path and returns its hash in hex.
func checksum(ctx context.Context, path, algorithm string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := newHash(algorithm)
	if _, err := io.Copy(w, modules.WithContext(ctx, f)); err != nil {
		return "", err
	}
	return hex.EncodeToString(w.Sum(nil)), nil
}

var mimeKinds = map[fs.FileMode]string{fs.ModeDir: "directory", fs.ModeSymlink: "symlink", fs.ModeNamedPipe: "fifo",
	fs.ModeSocket: "socket", fs.ModeDevice: "blockdevice", fs.ModeDevice | fs.ModeCharDevice: "chardevice"}

// mimeOf asks the file program, as Ansible does, where a content has to be looked at.
func mimeOf(ctx context.Context, h *modules.Host, path string, follow bool, info fs.FileInfo) (mime, charset string) {
	program := h.LookPath("file")
	if program == "" {
		return "unknown", "unknown"
	}
	if kind := mimeKinds[info.Mode().Type()]; kind != "" {
		return "inode/" + kind, "binary"
	}
	if info.Size() == 0 {
		return "inode/x-empty", "binary"
	}
	argv := []string{program, "--mime-type", "--mime-encoding", "--brief"}
	if follow {
		argv = append(argv, "-L")
	}
	out, err := h.Run(ctx, modules.Command{Argv: append(argv, "--", path), C: true})
	if err != nil || out.RC != 0 {
		return "unknown", "unknown"
	}
	mime, charset, _ = strings.Cut(strings.TrimSpace(string(out.Stdout)), "; charset=")
	return mime, charset
}
