package files

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.fetch",
		Summary: "Copy a file from a host to the controller.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: Collect the logs, a directory for each host
  ansible.builtin.fetch:
    src: /var/log/app.log
    dest: logs
`,
	}, fetch)
}

// fetchArgs: dest, flat and validate_checksum are the action's; the runner half only reads.
//
// The action calls this half with _have_sha1 set to the SHA-1 of the file that the
// controller already has under the final name ("" when there is none), and in no check
// mode but its own. This half answers with the file's checksum and, when that differs
// from _have_sha1, has sent the content by Host.Send as "content" before it answers; sent
// tells which. The action writes what arrives to a temporary file, compares its SHA-1
// with checksum, and renames it into place. In check mode nothing is sent.
type fetchArgs struct {
	Src              string `arg:"src,required" doc:"The file on the host."`
	Dest             string `arg:"dest,required" doc:"Directory on the controller, or with flat the file."`
	FailOnMissing    bool   `arg:"fail_on_missing" default:"true" doc:"Fail when there is no such file."`
	ValidateChecksum bool   `arg:"validate_checksum" default:"true" doc:"Compare checksums afterwards."`
	Flat             bool   `arg:"flat" default:"false" doc:"Take dest as it is, without host name and path."`
	HaveSHA1         string `arg:"_have_sha1"`
}

type fetchReturn struct {
	Checksum string `json:"checksum,omitempty" doc:"SHA-1 of the file." returned:"success"`
	Source   string `json:"source,omitempty" doc:"The file." returned:"success"`
	Size     *int64 `json:"size,omitempty" doc:"Its size." returned:"success"`
	Sent     bool   `json:"sent,omitempty" doc:"The content was sent." returned:"the controller has another one"`
	File     string `json:"file,omitempty" doc:"The file that is missing." returned:"there is none"`
}

func fetch(ctx context.Context, h *modules.Host, a fetchArgs) (r modules.Result[fetchReturn], err error) {
	src := h.ExpandWord(a.Src)
	if modules.IsDir(src) {
		return r, problem(&r, a, src, "remote file is a directory, fetch cannot work on directories")
	}
	f, err := os.Open(src)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if a.FailOnMissing {
			return r, modules.Failf("the remote file does not exist, not transferring, ignored")
		}
		return r, problem(&r, a, src, "the remote file does not exist")
	case err != nil:
		return r, problem(&r, a, src, "remote file is not readable: "+modules.ErrorText(err))
	}
	defer f.Close()
	sum, err := checksum(ctx, src, "sha1")
	if err != nil {
		return r, err
	}
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	size := info.Size()
	r.Data = fetchReturn{Checksum: sum, Source: src, Size: &size}
	if sum == a.HaveSHA1 {
		return r, nil
	}
	h.MarkChanged()
	if h.Check {
		return r, nil
	}
	if h.Send == nil {
		return r, errors.New("fetch: the controller takes no content")
	}
	r.Data.Sent = true
	return r, h.Send(ctx, "content", modules.WithContext(ctx, f))
}

// problem fails, or with fail_on_missing off answers with a message.
func problem(r *modules.Result[fetchReturn], a fetchArgs, src, msg string) error {
	r.Data.File = src
	if a.FailOnMissing {
		return modules.Failf("%s", msg)
	}
	r.Msg = msg + ", not transferring, ignored"
	return nil
}
