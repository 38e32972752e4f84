package users

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/modules"
)

// sshKey makes the account's key pair when it is not there, and describes it.
func (t *userTask) sshKey(ctx context.Context) error {
	path := t.a.KeyFile
	switch {
	case path == "":
		path = filepath.Join(".ssh", "id_"+t.a.KeyType)
		fallthrough
	case !filepath.IsAbs(path):
		path = filepath.Join(t.now.Home, path)
	}
	if _, err := os.Stat(path); err != nil || t.a.Force {
		if err := t.h.Act(func() error { return t.makeKey(ctx, path) }); err != nil {
			return err
		}
	}
	t.out.KeyFile = path
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		if os.IsNotExist(err) {
			return nil // check mode, or somebody took it away
		}
		return err
	}
	t.out.PublicKey = strings.TrimSpace(string(public))
	out, err := t.h.Tool(ctx, "ssh-keygen", "-l", "-f", path)
	if err != nil {
		return err
	}
	t.out.KeyFingerprint = strings.TrimSpace(out.Stdout)
	return nil
}

func (t *userTask) makeKey(ctx context.Context, path string) error {
	if t.a.KeyPassphrase != nil && *t.a.KeyPassphrase != "" {
		return modules.Failf("ssh_key_passphrase is not supported: ssh-keygen takes it in its arguments, where others can read it")
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := os.Lchown(dir, int(t.now.UID), int(t.now.GID)); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	argv := []string{"ssh-keygen", "-q", "-t", t.a.KeyType}
	if t.a.KeyBits != nil && *t.a.KeyBits > 0 {
		argv = append(argv, "-b", strconv.FormatInt(*t.a.KeyBits, 10))
	}
	comment := ""
	if t.a.KeyComment != nil {
		comment = *t.a.KeyComment
	} else if name, err := os.Hostname(); err == nil {
		comment = "ansible-generated on " + name
	}
	argv = append(argv, "-C", comment, "-f", path, "-N", "")
	out, err := t.h.Tool(ctx, argv...)
	if err != nil {
		return err
	}
	if out.RC != 0 {
		return modules.Failf("ssh-keygen: %s", strings.TrimSpace(out.Stderr))
	}
	for _, p := range []string{path, path + ".pub"} {
		if err := os.Lchown(p, int(t.now.UID), int(t.now.GID)); err != nil {
			return err
		}
	}
	return nil
}
