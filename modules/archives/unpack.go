package archives

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fettle/engine/pyre"
	"fettle/modules"
)

// unpacker unpacks one archive. All it writes goes through root, which no link and no
// name in the archive can lead out of.
type unpacker struct {
	ctx              context.Context
	h                *modules.Host
	a                unarchiveArgs
	root             *os.Root
	strip            int
	sameOwner        bool
	include, exclude []*pyre.Regexp

	names   []string
	listing []string // with a slash after directories
	dirs    []member // their times are set at the end
}

// member is one file of an archive.
type member struct {
	name     string // relative to dest
	mode     fs.FileMode
	size     int64
	time     time.Time
	uid, gid int // -1: not known
	link     string
	hard     bool // link is another member
	content  io.Reader
}

var magics = []struct{ kind, magic string }{
	{"gzip", "\x1f\x8b"}, {"bzip2", "BZh"}, {"xz", "\xfd7zXZ\x00"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"zip", "PK\x03\x04"}, {"zip", "PK\x05\x06"},
}

// unpack finds out what kind of archive it is, and unpacks it.
func (u *unpacker) unpack(f *os.File) (handler string, err error) {
	head := make([]byte, 6)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", modules.Failf("Failed to find handler for %q: the archive is empty", u.a.Src)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	kind := ""
	for _, m := range magics {
		if bytes.HasPrefix(head[:n], []byte(m.magic)) {
			kind = m.kind
		}
	}
	var r io.Reader = modules.WithContext(u.ctx, f)
	switch kind {
	case "zip":
		return "ZipArchive", u.unzip(f)
	case "gzip":
		handler = "TgzArchive"
		if r, err = gzip.NewReader(r); err != nil {
			return "", modules.Failf("cannot read %q: %v", u.a.Src, err)
		}
	case "bzip2":
		handler, r = "TarBzipArchive", bzip2.NewReader(r)
	case "xz", "zstd":
		handler = map[string]string{"xz": "TarXzArchive", "zstd": "TarZstdArchive"}[kind]
		plain, err := u.expand(kind, f)
		if err != nil {
			return "", err
		}
		defer plain.Close()
		r = modules.WithContext(u.ctx, plain)
	default:
		handler = "TarArchive"
	}
	return handler, u.untar(r)
}

// expand has the host's program write the plain archive to a private file.
func (u *unpacker) expand(program string, f *os.File) (*os.File, error) {
	dir, err := u.h.TempDir()
	if err != nil {
		return nil, err
	}
	at := u.h.LookPath(program)
	if at == "" {
		return nil, modules.Failf("unpacking %q needs the program %s on the host", u.a.Src, program)
	}
	plain := filepath.Join(dir, "plain")
	out, err := u.h.Run(u.ctx, modules.Command{Argv: []string{"/bin/sh", "-c", `umask 077; exec "$0" -dc > "$1"`, at, plain}, Stdin: f, C: true})
	if err == nil && out.RC != 0 {
		err = modules.Failf("%s cannot read %q: %s", program, u.a.Src, bytes.TrimSpace(out.Stderr))
	}
	if err != nil {
		return nil, err
	}
	return os.Open(plain)
}

func (u *unpacker) untar(r io.Reader) error {
	t := tar.NewReader(r)
	for first := true; ; first = false {
		hdr, err := t.Next()
		if errors.Is(err, io.EOF) && !first {
			return u.finish()
		}
		if err != nil {
			return modules.Failf("Failed to find handler for %q: it is no archive that can be read: %v", u.a.Src, err)
		}
		m := member{mode: hdr.FileInfo().Mode(), size: hdr.Size, time: hdr.ModTime, uid: hdr.Uid, gid: hdr.Gid, link: hdr.Linkname, content: t}
		switch hdr.Typeflag {
		case tar.TypeReg, tar.TypeDir, tar.TypeSymlink:
		case tar.TypeLink:
			m.hard = true
		case tar.TypeXGlobalHeader:
			continue
		default:
			return modules.Failf("the archive has a member that is neither file, directory nor link: %q", hdr.Name)
		}
		if err := u.member(hdr.Name, m); err != nil {
			return err
		}
	}
}

func (u *unpacker) unzip(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return modules.Failf("Failed to find handler for %q: %v", u.a.Src, err)
	}
	for _, e := range z.File {
		if err := u.zipMember(e); err != nil {
			return err
		}
	}
	return u.finish()
}

func (u *unpacker) zipMember(e *zip.File) error {
	r, err := e.Open()
	if err != nil {
		return modules.Failf("cannot read %q: %v", e.Name, err)
	}
	defer r.Close()
	m := member{mode: e.Mode(), size: int64(e.UncompressedSize64), time: e.Modified, uid: -1, gid: -1, content: modules.WithContext(u.ctx, r)}
	if e.Modified.Location() == time.UTC || e.Modified.Location().String() == "" {
		m.time = time.Date(e.Modified.Year(), e.Modified.Month(), e.Modified.Day(), e.Modified.Hour(), e.Modified.Minute(), e.Modified.Second(), 0, time.Local)
	}
	if m.mode.Perm() == 0 { // made where there are no modes
		m.mode |= 0o644
		if m.mode.IsDir() {
			m.mode |= 0o755
		}
	}
	if m.mode&fs.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(r, 4096))
		if err != nil {
			return err
		}
		m.link = string(target)
	}
	return u.member(e.Name, m)
}

// member puts one member in place, unless it is there already.
func (u *unpacker) member(raw string, m member) error {
	name, err := u.name(raw)
	if name == "" || err != nil {
		return err
	}
	m.name = name
	u.names = append(u.names, name)
	if m.mode.IsDir() {
		u.listing = append(u.listing, name+"/")
	} else {
		u.listing = append(u.listing, name)
	}
	old, err := u.root.Lstat(name)
	exists := err == nil
	if exists && u.a.KeepNewer && !m.mode.IsDir() && old.ModTime().After(m.time) {
		return nil
	}
	switch {
	case m.hard:
		err = u.hardLink(m, old)
	case m.mode.IsDir():
		err = u.makeDir(m, old)
	case m.mode&fs.ModeSymlink != 0:
		err = u.symlink(m, exists)
	default:
		err = u.regular(m, old)
	}
	if err != nil {
		return fmt.Errorf("cannot unpack %q: %w", raw, err)
	}
	return nil
}

func (u *unpacker) makeDir(m member, old fs.FileInfo) error {
	switch {
	case old == nil:
		if err := u.h.Act(func() error { return u.root.MkdirAll(m.name, 0o755) }); err != nil {
			return err
		}
	case old.Mode()&fs.ModeSymlink != 0: // a directory that an administrator moved elsewhere
		return nil
	case !old.IsDir():
		return errors.New("there is a file in the place of the directory")
	case u.rightMode(m, old) && u.rightOwner(m, old):
		return nil
	}
	u.dirs = append(u.dirs, m)
	return u.h.Act(func() error { return nil })
}

func (u *unpacker) rightMode(m member, old fs.FileInfo) bool {
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return u.a.Mode != nil || old.Mode()&bits == m.mode&bits
}

func (u *unpacker) rightOwner(m member, old fs.FileInfo) bool {
	st := old.Sys().(*syscall.Stat_t)
	return !u.sameOwner || m.uid < 0 || (u.a.Owner != "" || int(st.Uid) == m.uid) && (u.a.Group != "" || int(st.Gid) == m.gid)
}

func (u *unpacker) symlink(m member, exists bool) error {
	if exists {
		if target, err := u.root.Readlink(m.name); err == nil && target == m.link {
			return nil
		}
	}
	return u.replace(m.name, func(temp string) error { return u.root.Symlink(m.link, temp) })
}

func (u *unpacker) hardLink(m member, old fs.FileInfo) error {
	target, err := u.name(m.link)
	if err != nil || target == "" {
		return errors.Join(err, errors.New("the other name of the link is not unpacked"))
	}
	if info, err := u.root.Lstat(target); err == nil && old != nil && os.SameFile(info, old) {
		return nil
	}
	return u.replace(m.name, func(temp string) error { return u.root.Link(target, temp) })
}

// regular writes a file unless it has size, time, mode and owner of the member already.
func (u *unpacker) regular(m member, old fs.FileInfo) error {
	if old != nil && old.Mode().IsRegular() && old.Size() == m.size && u.rightMode(m, old) && u.rightOwner(m, old) &&
		old.ModTime().Truncate(2*time.Second).Equal(m.time.Truncate(2*time.Second)) {
		return nil
	}
	return u.replace(m.name, func(temp string) error {
		f, err := u.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, m.content)
		if err == nil && u.sameOwner && m.uid >= 0 {
			err = f.Chown(m.uid, m.gid)
		}
		mode := m.mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
		if !u.sameOwner {
			mode &^= fs.ModeSetuid | fs.ModeSetgid
		}
		err = errors.Join(err, f.Chmod(mode), f.Close())
		if err == nil {
			err = u.root.Chtimes(temp, m.time, m.time)
		}
		return err
	})
}

// replace makes something under a passing name and renames it into place.
func (u *unpacker) replace(name string, make func(temp string) error) error {
	return u.h.Act(func() error {
		if dir := path.Dir(name); dir != "." {
			if err := u.root.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		temp := path.Join(path.Dir(name), fmt.Sprintf(".fettle-unpack-%d-%d", os.Getpid(), len(u.names)))
		err := make(temp)
		if err == nil {
			err = u.root.Rename(temp, name)
		}
		if err != nil {
			_ = u.root.Remove(temp)
		}
		var pe *fs.PathError
		if errors.As(err, &pe) && strings.Contains(pe.Path, ".fettle-unpack") {
			return pe.Err
		}
		return err
	})
}

// finish sets owner, mode and time of the directories, deepest first.
func (u *unpacker) finish() error {
	if u.h.Check {
		return nil
	}
	for i := len(u.dirs) - 1; i >= 0; i-- {
		m := u.dirs[i]
		var err error
		if u.sameOwner && m.uid >= 0 {
			err = u.root.Lchown(m.name, m.uid, m.gid)
		}
		if u.a.Mode == nil {
			err = errors.Join(err, u.root.Chmod(m.name, m.mode&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)))
		}
		if err = errors.Join(err, u.root.Chtimes(m.name, m.time, m.time)); err != nil {
			return err
		}
	}
	return nil
}
