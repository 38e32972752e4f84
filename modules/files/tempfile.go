package files

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.tempfile",
		Summary: "Make a temporary file or directory.",
		Examples: `
- name: A place to build in
  ansible.builtin.tempfile:
    state: directory
    suffix: build
  register: build
`,
	}, tempfile)
}

type tempfileArgs struct {
	State  string `arg:"state" default:"file" choices:"directory,file" doc:"What to make."`
	Path   string `arg:"path" type:"path" doc:"Where; the system's directory for temporary files when not given."`
	Prefix string `arg:"prefix" default:"ansible." doc:"Start of the name."`
	Suffix string `arg:"suffix" default:"" doc:"End of the name."`
}

type tempfileReturn struct {
	Path string `json:"path,omitempty" doc:"What was made." returned:"success"`
	modules.PathInfo
}

func tempfile(ctx context.Context, h *modules.Host, a tempfileArgs) (r modules.Result[tempfileReturn], err error) {
	dir := a.Path
	if dir == "" {
		dir = os.TempDir()
		if v, ok := h.Getenv("TMPDIR"); ok && v != "" {
			dir = v
		}
	}
	for range 100 {
		path := filepath.Join(dir, a.Prefix+rand.Text()[:8]+a.Suffix)
		if a.State == "directory" {
			err = os.Mkdir(path, 0o700)
		} else {
			err = createExclusive(path)
		}
		if err == nil {
			h.MarkChanged()
			r.Data.Path = path
			r.Data.PathInfo = h.PathInfo(ctx, path)
			return r, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return r, modules.Failf("cannot make a temporary %s in %s: %v", a.State, dir, err)
}

func createExclusive(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
