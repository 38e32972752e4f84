package files

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/pyre"
	"fettle/modules"
)

// With remote_src: false the fragments are on the controller: the action reads and joins
// them itself and offers the result as the source "src"; the host then copies it.

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.assemble",
		Summary: "Join the files of a directory to one file.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: One file from many
  ansible.builtin.assemble:
    src: /etc/app/conf.d
    dest: /etc/app/app.conf
`,
	}, assemble)
}

type assembleArgs struct {
	Src          string `arg:"src,required" type:"path" doc:"The directory."`
	Dest         string `arg:"dest,required" type:"path" doc:"The file to write."`
	Backup       bool   `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Delimiter    string `arg:"delimiter" doc:"Line between the files."`
	RemoteSrc    bool   `arg:"remote_src" default:"true" doc:"The directory is on the host."`
	Regexp       string `arg:"regexp" doc:"Only files whose names match."`
	IgnoreHidden bool   `arg:"ignore_hidden" default:"false" doc:"Leave out files whose names start with a dot."`
	Validate     string `arg:"validate" doc:"Command that checks the new file, given as %s, before it is put in place."`
	Decrypt      bool   `arg:"decrypt" default:"true" doc:"Decrypt vaulted files of the controller."`
	AfterHeader  string `arg:"_after_header"`
	modules.FileArgs
}

func assemble(ctx context.Context, h *modules.Host, a assembleArgs) (r modules.Result[copyReturn], err error) {
	if src, ok := h.Sources["src"]; ok {
		t := &copyTask{ctx: ctx, h: h, a: copyArgs{Src: a.Src, Dest: a.Dest, Backup: a.Backup, Force: true,
			Validate: a.Validate, AfterHeader: a.AfterHeader, FileArgs: a.FileArgs}}
		return t.assembled(src)
	}
	switch info, err := os.Stat(a.Src); {
	case err != nil:
		return r, modules.Failf("Source (%s) does not exist", a.Src)
	case !info.IsDir():
		return r, modules.Failf("Source (%s) is not a directory", a.Src)
	}
	text, err := joinFragments(a)
	if err != nil {
		return r, err
	}
	old, exists, err := readText(h, a.Dest)
	if err != nil {
		return r, err
	}
	e := &edit{path: a.Dest, exists: exists, old: old, new: text, attrs: a.FileArgs, backup: a.Backup, validate: a.Validate, keepLink: true}
	if err := e.apply(ctx, h); err != nil {
		return r, err
	}
	s1, m5 := sha1.Sum([]byte(text)), md5.Sum([]byte(text))
	r.Msg = "OK"
	r.Data = copyReturn{Src: a.Src, Dest: a.Dest, Checksum: hex.EncodeToString(s1[:]), MD5Sum: hex.EncodeToString(m5[:]),
		BackupFile: e.backupFile, PathInfo: h.PathInfo(ctx, a.Dest)}
	return r, nil
}

// assembled places what the controller joined; the result is that of an assembled file,
// whose diff is that of the text even when nothing changes.
func (t *copyTask) assembled(src modules.Source) (modules.Result[copyReturn], error) {
	var diff []modules.Diff
	if t.h.Diff {
		d, err := contentDiff(t.ctx, t.a.Dest, content{Source: src, header: t.a.AfterHeader})
		if err != nil {
			return t.r, err
		}
		diff = []modules.Diff{d}
	}
	if err := t.single(src); err != nil {
		return t.r, err
	}
	t.r.Diff, t.r.OneDiff, t.r.AlwaysDiff = diff, true, false
	if t.r.Data.Path != "" { // unchanged
		sum, err := checksum(t.ctx, t.a.Dest, "md5")
		if err != nil {
			return t.r, err
		}
		t.r.Data.Path, t.r.Data.MD5Sum, t.r.Data.Src = "", sum, t.a.Src
	}
	return t.r, nil
}

// joinFragments reads the files in the order of their names. A delimiter always starts on
// a line of its own.
func joinFragments(a assembleArgs) (string, error) {
	var re *pyre.Regexp
	if a.Regexp != "" {
		var err error
		if re, err = modules.Pattern("regexp", a.Regexp, 0); err != nil {
			return "", err
		}
	}
	entries, err := os.ReadDir(a.Src)
	if err != nil {
		return "", err
	}
	delimiter := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`).Replace(a.Delimiter)
	if delimiter != "" && !strings.HasSuffix(delimiter, "\n") {
		delimiter += "\n"
	}
	var b strings.Builder
	first, ended := true, true
	for _, entry := range entries {
		name := entry.Name()
		if a.IgnoreHidden && strings.HasPrefix(name, ".") {
			continue
		}
		if re != nil {
			if ok, err := re.Matched(name); !ok || err != nil {
				if err != nil {
					return "", err
				}
				continue
			}
		}
		path := filepath.Join(a.Src, name)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if !first && !ended {
			b.WriteByte('\n')
		}
		if !first {
			b.WriteString(delimiter)
		}
		b.Write(text)
		first, ended = false, strings.HasSuffix(string(text), "\n")
	}
	return b.String(), nil
}
