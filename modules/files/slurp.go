package files

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.slurp",
		Summary: "Return the content of a file, base64-encoded.",
		Check:   modules.Full,
		Examples: `
- name: Read a key
  ansible.builtin.slurp:
    src: /var/lib/app/id.pub
  register: id
`,
	}, slurp)
}

type slurpArgs struct {
	Src string `arg:"src,required" alias:"path" type:"path" doc:"The file."`
}

type slurpReturn struct {
	Content  string `json:"content,omitempty" doc:"The content, encoded." returned:"success"`
	Encoding string `json:"encoding,omitempty" doc:"Always base64." returned:"success"`
	Source   string `json:"source,omitempty" doc:"The file." returned:"success"`
}

func slurp(_ context.Context, h *modules.Host, a slurpArgs) (r modules.Result[slurpReturn], err error) {
	if err := readable(a.Src); err != nil {
		return r, err
	}
	b, err := h.ReadFile(a.Src)
	if err != nil {
		return r, readError(a.Src, err)
	}
	r.Data = slurpReturn{base64.StdEncoding.EncodeToString(b), "base64", a.Src}
	return r, nil
}

// readable fails for what cannot be read as a file.
func readable(path string) error {
	if modules.IsDir(path) {
		return modules.Failf("source is a directory and must be a file: %s", path)
	}
	return nil
}

func readError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return modules.Failf("file not found: %s", path)
	case errors.Is(err, fs.ErrPermission):
		return modules.Failf("file is not readable: %s", path)
	}
	return modules.Failf("unable to slurp file: %v", err)
}
