package users

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// makeHome makes the home directory of an account that exists, with the skeleton's files.
func makeHome(home, skeleton, umask string, owner *account) error {
	if skeleton == "" {
		skeleton = "/etc/skel"
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil { //nolint:gosec // as useradd makes it
		return err
	}
	mode := homeMode(umask)
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	if err := copySkeleton(skeleton, home, owner); err != nil {
		return err
	}
	if err := os.Chmod(home, mode); err != nil {
		return err
	}
	return os.Lchown(home, int(owner.UID), int(owner.GID))
}

// homeMode is the mode of new home directories: from the task, else login.defs.
func homeMode(umask string) fs.FileMode {
	settings := map[string]string{}
	_ = eachLine("/etc/login.defs", func(line string) bool {
		if f := strings.Fields(line); len(f) >= 2 && !strings.HasPrefix(f[0], "#") {
			settings[f[0]] = f[1]
		}
		return true
	})
	if umask == "" {
		if m, err := strconv.ParseUint(settings["HOME_MODE"], 8, 32); err == nil {
			return fs.FileMode(m) & fs.ModePerm
		}
		umask = settings["UMASK"]
	}
	m, err := strconv.ParseUint(umask, 8, 32)
	if err != nil {
		m = 0o22
	}
	return fs.ModePerm &^ fs.FileMode(m)
}

func copySkeleton(from, to string, owner *account) error {
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return nil
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case d.IsDir():
			err = os.Mkdir(target, info.Mode().Perm())
		case d.Type() == fs.ModeSymlink:
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, target)
			}
		case d.Type().IsRegular():
			err = copyFile(path, target, info.Mode().Perm())
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return os.Lchown(target, int(owner.UID), int(owner.GID))
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
