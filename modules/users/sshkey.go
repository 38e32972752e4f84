package users

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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
	as := t.keeper(filepath.Dir(path))
	public, err := t.h.ToolWith(ctx, modules.Command{Argv: []string{"cat", "--", path + ".pub"}, As: as})
	if err != nil {
		return err
	}
	if public.RC != 0 {
		return nil // check mode, or somebody took it away
	}
	t.out.PublicKey = strings.TrimSpace(public.Stdout)
	out, err := t.h.ToolWith(ctx, modules.Command{Argv: []string{"ssh-keygen", "-l", "-f", path}, As: as})
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
	as := t.keeper(dir)
	steps := [][]string{{"rm", "-f", "--", path}, t.keygen(path)}
	if _, err := os.Lstat(dir); os.IsNotExist(err) {
		steps = append([][]string{{"mkdir", "-m", "0700", "--", dir}}, steps...)
	}
	for _, argv := range steps {
		out, err := t.h.ToolWith(ctx, modules.Command{Argv: argv, Dir: "/", As: as})
		if err != nil {
			return err
		}
		if out.RC != 0 {
			return modules.Failf("%s: %s", argv[0], strings.TrimSpace(out.Stderr))
		}
	}
	if as != nil {
		return nil
	}
	for _, p := range []string{path, path + ".pub"} {
		if err := os.Lchown(p, int(t.now.UID), int(t.now.GID)); err != nil {
			return err
		}
	}
	return nil
}

// keeper is who works in the folder of the key: the account itself where it or a folder on
// the way to it belongs to the account, who may have put links there that root must not
// follow. Nil is who runs the task.
func (t *userTask) keeper(dir string) *syscall.Credential {
	if os.Geteuid() != 0 || t.now.UID == 0 {
		return nil
	}
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int64(st.Uid) == t.now.UID {
			return &syscall.Credential{Uid: uint32(t.now.UID), Gid: uint32(t.now.GID)}
		}
	}
	return nil
}

func (t *userTask) keygen(path string) []string {
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
	return append(argv, "-C", comment, "-f", path, "-N", "")
}
