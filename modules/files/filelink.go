package files

import (
	"fmt"
	"os"
	"path/filepath"

	"fettle/modules"
)

// link makes the path a symbolic link to src.
func (t *fileTask) link() error {
	src := t.a.Src
	if src == "" && t.prev == "link" {
		src, _ = os.Readlink(t.a.Path)
	}
	if src == "" {
		return modules.Failf("src is required for creating new symlinks")
	}
	if err := t.linkAllowed(src); err != nil {
		return err
	}
	before, after := t.startDiff("link")
	change := t.prev != "link"
	if !change {
		if old, _ := os.Readlink(t.a.Path); old != src {
			before.SetString("src", old)
			after.SetString("src", src)
			change = true
		}
	}
	t.r.Data.Dest, t.r.Data.Src = t.a.Path, t.a.Src
	if _, err := os.Stat(t.a.Path); err == nil && t.a.Follow {
		t.r.Data.Src = src
	}
	if change {
		if err := t.h.Act(func() error { return t.place(func(at string) error { return os.Symlink(src, at) }) }); err != nil {
			return err
		}
	}
	if t.h.Check && !modules.Exists(t.a.Path) {
		return nil
	}
	path := t.a.Path
	if t.a.Follow && modules.IsLink(path) {
		if path = modules.RealPath(path); !modules.Exists(path) {
			if !t.h.Check {
				t.h.Warn("Cannot set fs attributes on a non-existent symlink target. follow should be set to False to avoid this.")
			}
			return nil
		}
	}
	return t.attributes(path)
}

func (t *fileTask) linkAllowed(src string) error {
	path := t.a.Path
	base := filepath.Dir(path)
	if t.prev == "directory" {
		base = path
	}
	target := src
	if !filepath.IsAbs(src) {
		target = filepath.Join(base, src)
	}
	if _, err := os.Stat(target); err != nil && !t.a.Force && t.a.Src != "" {
		t.r.Data.Src = src
		t.r.Data.Path = path
		return modules.Failf("src file does not exist, use 'force=yes' if you really want to create the link: %s", target)
	}
	switch t.prev {
	case "directory":
		if !t.a.Force {
			return modules.Failf("refusing to convert from directory to symlink for %s", path)
		}
		if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
			return modules.Failf("the directory %s is not empty, refusing to convert it", path)
		}
	case "file", "hard":
		if !t.a.Force {
			return modules.Failf("refusing to convert from %s to symlink for %s", t.prev, path)
		}
	}
	return nil
}

// place makes something under a passing name and renames it over the path, so that the
// path is never missing in between; only a directory has to go first.
func (t *fileTask) place(make func(at string) error) error {
	path := t.a.Path
	if t.prev == "absent" {
		if err := make(path); err != nil {
			return modules.Failf("Error while linking: %v", err)
		}
		return nil
	}
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".fettle-link-%d-%d", os.Getpid(), os.Getuid()))
	_ = os.Remove(temp)
	err := make(temp)
	if err == nil && t.prev == "directory" {
		err = os.Remove(path)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return modules.Failf("Error while replacing: %v", err)
	}
	_ = os.Remove(temp) // renaming one name of a file over another does nothing
	return nil
}

// hardLink makes the path another name of src.
func (t *fileTask) hardLink() error {
	path, src := t.a.Path, t.a.Src
	if src == "" {
		if t.prev == "absent" {
			return modules.Failf("src is required for creating new hardlinks")
		}
		t.r.Data.Dest = path
		t.startDiff("hard")
		return t.attributes(path)
	}
	t.r.Data.Dest, t.r.Data.Src = path, src
	srcInfo, err := os.Stat(src)
	if err != nil {
		return modules.Failf("src does not exist")
	}
	before, after := t.startDiff("hard")
	change := true
	switch info, err := os.Lstat(path); {
	case err != nil:
	case os.SameFile(info, srcInfo):
		change = false
	case t.prev == "link":
		old, _ := os.Readlink(path)
		before.SetString("src", old)
		after.SetString("src", src)
	case t.prev == "hard" && !t.a.Force:
		t.diff = nil
		return modules.Failf("Cannot link, different hard link exists at destination")
	case !t.a.Force:
		t.diff = nil
		return modules.Failf("Cannot link, %s exists at destination", t.prev)
	}
	if change {
		if err := t.h.Act(func() error { return t.place(func(at string) error { return os.Link(src, at) }) }); err != nil {
			return err
		}
	}
	if t.h.Check && !modules.Exists(path) {
		return nil
	}
	return t.attributes(path)
}
