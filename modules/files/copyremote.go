package files

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fettle/modules"
)

// remote copies within the host.
func (t *copyTask) remote() error {
	info, err := os.Stat(t.a.Src)
	if err != nil {
		return modules.Failf("Source %s not found", t.a.Src)
	}
	if info.IsDir() {
		return t.remoteTree()
	}
	if !info.Mode().IsRegular() {
		return modules.Failf("Cannot copy invalid source '%s': not a file", t.a.Src)
	}
	dest, err := t.destination(filepath.Base(t.a.Src))
	if err != nil {
		return err
	}
	c, err := localContent(t.ctx, t.a.Src)
	if err != nil {
		return err
	}
	if t.a.Checksum != "" && t.a.Checksum != c.SHA1 {
		t.r.Data.Checksum, t.r.Data.ExpectedChecksum = c.SHA1, t.a.Checksum
		return modules.Failf("Copied file does not match the expected checksum. Transfer failed.")
	}
	return t.place(c, dest, t.a.FileArgs)
}

// localContent offers a file of the host.
func localContent(ctx context.Context, path string) (content, error) {
	info, err := os.Stat(path)
	if err != nil {
		return content{}, err
	}
	sum, err := checksum(ctx, path, "sha1")
	if err != nil {
		return content{}, modules.Failf("cannot read the source: %v", err)
	}
	return content{local: true, header: path, Source: modules.Source{Name: path, Size: info.Size(), SHA1: sum,
		Mode: uint32(info.Mode().Perm()), Open: func(context.Context) (io.ReadCloser, error) { return os.Open(path) }}}, nil
}

// remoteTree copies a directory of the host: what is in it when src ends in a slash, else
// the directory itself. Files keep their modes.
func (t *copyTask) remoteTree() error {
	src := strings.TrimRight(t.a.Src, "/")
	top := t.a.Dest
	if src == t.a.Src {
		top = filepath.Join(top, filepath.Base(src))
	}
	attrs := t.a.FileArgs
	attrs.Mode = nil
	if real, dest := modules.RealPath(src), modules.RealPath(top); dest == real || strings.HasPrefix(dest, real+"/") {
		return modules.Failf("cannot copy %s into itself: %s", src, top)
	}
	outer := t.r
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = t.ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(src, path)
		t.r = modules.Result[copyReturn]{}
		err = t.remoteItem(path, filepath.Join(top, rel), d, attrs)
		return err
	})
	t.r = outer
	if err != nil {
		return err
	}
	attrs.Mode = t.a.DirectoryMode
	if s, _ := t.a.Mode.(string); t.a.Mode != nil && s != "preserve" {
		attrs.Mode = t.a.Mode
	}
	plan, err := t.h.PlanAttrs(t.ctx, top, attrs)
	if err == nil && modules.Exists(top) {
		err = t.h.ApplyAttrs(top, plan)
	}
	t.r.Data = copyReturn{Dest: top, Src: t.a.Src, PathInfo: t.h.PathInfo(t.ctx, top)}
	return err
}

func (t *copyTask) remoteItem(from, to string, d fs.DirEntry, attrs modules.FileArgs) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	follow := t.a.LocalFollow != nil && *t.a.LocalFollow
	if info.Mode()&fs.ModeSymlink != 0 && follow {
		if info, err = os.Stat(from); err != nil {
			return err
		}
	}
	mode := attrs
	mode.Mode = int64(info.Mode().Perm())
	switch {
	case info.IsDir() && d.IsDir():
		if modules.IsDir(to) {
			return nil
		}
		return t.item(manifestItem{Kind: "directory"}, to, mode)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return t.item(manifestItem{Kind: "link", Link: target}, to, attrs)
	case info.Mode().IsRegular():
		c, err := localContent(t.ctx, from)
		if err != nil {
			return err
		}
		if t.h.Check && !modules.IsDir(filepath.Dir(to)) {
			t.h.MarkChanged()
			return nil
		}
		return t.place(c, to, mode)
	}
	return modules.Failf("cannot copy %s: it is neither a file nor a directory nor a link", from)
}
