package galaxy

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxUnpacked bounds what an archive may hold.
const maxUnpacked = 4 << 30

// readTar calls each for every member of a plain, gzip or bzip2 archive.
func readTar(file string, each func(h *tar.Header, r io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	magic := make([]byte, 3)
	_, _ = io.ReadFull(f, magic)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var r io.Reader = f
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		if r, err = gzip.NewReader(f); err != nil {
			return err
		}
	case bytes.Equal(magic, []byte("BZh")):
		r = bzip2.NewReader(f)
	}
	t := tar.NewReader(io.LimitReader(r, maxUnpacked))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(h, t); err != nil {
			return err
		}
	}
}

// unpack writes the members below prefix into dir. Nothing leaves dir: neither by name nor
// by a link. keep says which names are wanted (nil: all).
func unpack(file, prefix, dir string, keep func(name string) bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return readTar(file, func(h *tar.Header, r io.Reader) error {
		name := path.Clean("/" + h.Name)[1:]
		if strings.Contains(h.Name, "..") && strings.Contains("/"+h.Name+"/", "/../") {
			return fmt.Errorf("the archive member %q leaves the archive", h.Name)
		}
		if prefix != "" {
			rest, ok := strings.CutPrefix(name, prefix+"/")
			if !ok {
				return nil
			}
			name = rest
		}
		if name == "" || keep != nil && !keep(name) {
			return nil
		}
		return unpackMember(root, name, h, r)
	})
}

func unpackMember(root *os.Root, name string, h *tar.Header, r io.Reader) error {
	if parent := path.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		mode := os.FileMode(0o644)
		if h.Mode&0o100 != 0 {
			mode = 0o755
		}
		_ = root.Remove(name)
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		return err
	case tar.TypeSymlink:
		if path.IsAbs(h.Linkname) || strings.HasPrefix(path.Join(path.Dir(name), h.Linkname), "..") {
			return fmt.Errorf("the link %q in the archive leaves it: %s is not a subpath of the role", h.Name, h.Linkname)
		}
		_ = root.Remove(name)
		return root.Symlink(h.Linkname, name)
	}
	return nil // devices and the like have no place here
}

// copyTree copies files, folders and links of a tree, all but what skip names.
func copyTree(from, to string, skip func(rel string) bool) error {
	return filepath.Walk(from, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if rel != "." && skip != nil && skip(rel) {
			if info.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		return copyOne(p, filepath.Join(to, rel), info)
	})
}

func copyOne(from, to string, info os.FileInfo) error {
	switch {
	case info.IsDir():
		return os.MkdirAll(to, 0o755)
	case info.Mode()&os.ModeSymlink != 0:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(link, to)
	case info.Mode().IsRegular():
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		return os.WriteFile(to, b, mode)
	}
	return nil
}

// replaceDir puts a finished directory in the place of another.
func replaceDir(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	old := ""
	if _, err := os.Lstat(to); err == nil {
		old = filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".old")
		if err := os.RemoveAll(old); err != nil {
			return err
		}
		if err := os.Rename(to, old); err != nil {
			return err
		}
	}
	if err := os.Rename(from, to); err != nil {
		if old != "" {
			_ = os.Rename(old, to)
		}
		return err
	}
	if old != "" {
		return os.RemoveAll(old)
	}
	return nil
}
