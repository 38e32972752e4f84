package action

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	Register("ansible.builtin.fetch", Action{Run: fetch, Remote: true})
	Register("ansible.builtin.script", Action{Prepare: script})
}

// fetch brings a file from the host into a folder of its own, or with flat to dest as it is.
func fetch(ctx context.Context, c *Call) (*value.Dict, error) {
	if c.Check {
		return value.DictOf("changed", false, "skipped", true, "msg", "check mode not (yet) supported for this module"), nil
	}
	for _, o := range [2][2]string{{"src", "source"}, {"dest", "dest"}} {
		switch v, _ := c.Args.GetString(o[0]); v.(type) {
		case *value.List, *value.Dict, bool:
			return nil, fmt.Errorf("Invalid type supplied for %s option, it must be a string", o[1]) //nolint:staticcheck // Ansible's words
		}
	}
	src, dest := textArg(c.Args, "src"), textArg(c.Args, "dest")
	if src == "" || dest == "" {
		return nil, fmt.Errorf("src and dest are required")
	}
	to, err := fetchTarget(c, src, dest)
	if err != nil {
		return nil, err
	}
	have, err := fileSHA1(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", to, err)
	}
	args := c.Args.Clone()
	args.SetString("_have_sha1", have)
	var got string
	receive := func(_ string, r io.Reader) error {
		var err error
		got, err = receiveFile(to, r)
		return err
	}
	res, err := c.Run.Receive(ctx, "ansible.builtin.fetch", args, receive)
	if err != nil {
		return nil, err
	}
	if isTrueKey(res, "failed") || isTrueKey(res, "skipped") {
		return res, nil
	}
	sum := textArg(res, "checksum")
	if sum == "" {
		return res, nil // missing, and that is no failure
	}
	for _, internal := range []string{"sent", "size", "source"} {
		res.Delete(internal)
	}
	res.SetString("dest", to)
	if sum == have {
		res.SetString("changed", false)
		res.SetString("file", src)
		md5sum, err := fileMD5(to)
		res.SetString("md5sum", md5sum)
		return res, err
	}
	res.SetString("changed", true)
	res.SetString("remote_checksum", sum)
	res.SetString("remote_md5sum", nil)
	if got != sum {
		_ = os.Remove(to)
		return value.DictOf("changed", false, "failed", true, "msg", "checksum mismatch", "file", src, "dest", to,
			"remote_checksum", sum, "checksum", got), nil
	}
	md5sum, err := fileMD5(to)
	res.SetString("md5sum", md5sum)
	return res, err
}

// fetchTarget is where the file goes: DEST/HOST/SRC, or dest itself with flat. Nothing a
// host says can lead out of that folder: src is the playbook's.
func fetchTarget(c *Call, src, dest string) (string, error) {
	flat, err := boolArg(c.Args, "flat", false)
	if err != nil {
		return "", err
	}
	dest = expandTilde(dest)
	if !filepath.IsAbs(dest) {
		dir, _ := c.T.Scope().Lookup("playbook_dir")
		dest = filepath.Join(value.Str(dir), dest)
	}
	trailing := strings.HasSuffix(textArg(c.Args, "dest"), "/")
	if flat {
		info, err := os.Stat(dest)
		if err == nil && info.IsDir() && !trailing {
			return "", fmt.Errorf("dest is an existing directory, use a trailing slash if you want to fetch src into that directory")
		}
		if trailing {
			return notDirectory(filepath.Join(dest, path.Base(path.Clean("/"+src))))
		}
		return dest, nil
	}
	host := c.Host
	if strings.Contains(host, "/") || host == ".." || host == "." || host == "" {
		return "", fmt.Errorf("the host name %q cannot name a directory", host)
	}
	return notDirectory(filepath.Join(dest, host, path.Clean("/"+src)))
}

func notDirectory(to string) (string, error) {
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		return "", fmt.Errorf("calculated dest '%s' is an existing directory, use another path that does not point to an existing directory", to)
	}
	return to, nil
}

// receiveFile writes what arrives beside the target and renames it into place.
func receiveFile(to string, r io.Reader) (sum string, err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".fettle-fetch-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	h := sha1.New()
	if _, err := io.Copy(io.MultiWriter(f, h), r); err != nil {
		return "", err
	}
	if err := f.Chmod(0o644); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), os.Rename(f.Name(), to)
}

// fileMD5 is the MD5 of a file of the controller, in hex; Ansible's results have it.
func fileMD5(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func expandTilde(p string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return home + p[1:]
		}
	}
	return p
}

func boolArg(args *value.Dict, name string, dflt bool) (bool, error) {
	v, ok := args.GetString(name)
	if !ok || v == nil {
		return dflt, nil
	}
	b, err := modules.ToBool(v)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

func isTrueKey(d *value.Dict, name string) bool {
	v, ok := d.GetString(name)
	if !ok {
		return false
	}
	t, err := value.Truth(v)
	return err == nil && t
}

// script sends a file of the controller with the call; the host's half runs it.
func script(_ context.Context, c *Call) (*Prepared, error) {
	line := textArg(c.Args, "_raw_params", "cmd", "free_form")
	words, err := modules.SplitWords(line)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("one of the following is required: _raw_params, cmd")
	}
	file, err := c.Run.Find("files", words[0])
	if err != nil {
		return nil, err
	}
	decrypt, err := boolArg(c.Args, "decrypt", true)
	if err != nil {
		return nil, err
	}
	src, err := fileSource(c, "script", file, decrypt)
	if err != nil {
		return nil, err
	}
	return &Prepared{Args: c.Args, Sources: []Source{src}}, nil
}
