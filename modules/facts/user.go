package facts

import (
	"context"
	"os"
	"strconv"
	"strings"

	"fettle/engine/value"
)

type passwdEntry struct {
	name               string
	uid, gid           int64
	gecos, home, shell string
}

func parsePasswd(line string) (passwdEntry, bool) {
	f := strings.Split(strings.TrimRight(line, "\n"), ":")
	if len(f) != 7 {
		return passwdEntry{}, false
	}
	uid, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return passwdEntry{}, false
	}
	gid, err := strconv.ParseInt(f[3], 10, 64)
	return passwdEntry{f[0], uid, gid, f[4], f[5], f[6]}, err == nil
}

// account looks up a user in /etc/passwd, or else with getent, which asks directories.
func (g *gatherer) account(ctx context.Context, match func(passwdEntry) bool, key string) (passwdEntry, bool) {
	for _, line := range g.lines("/etc/passwd") {
		if e, ok := parsePasswd(line); ok && match(e) {
			return e, true
		}
	}
	if out, ok := g.run(ctx, "getent", "passwd", key); ok {
		return parsePasswd(out)
	}
	return passwdEntry{}, false
}

func (g *gatherer) user(ctx context.Context) *value.Dict {
	uid := int64(os.Getuid())
	byID := func() (passwdEntry, bool) {
		return g.account(ctx, func(e passwdEntry) bool { return e.uid == uid }, strconv.FormatInt(uid, 10))
	}
	name := ""
	for _, v := range []string{"LOGNAME", "USER", "LNAME", "USERNAME"} {
		if name = os.Getenv(v); name != "" {
			break
		}
	}
	var e passwdEntry
	ok := false
	if name != "" {
		e, ok = g.account(ctx, func(e passwdEntry) bool { return e.name == name }, name)
	}
	if !ok {
		if e, ok = byID(); name == "" {
			name = e.name
		}
	}
	d := value.DictOf("user_id", name)
	if ok {
		for _, kv := range []struct {
			k string
			v value.Value
		}{{"user_uid", e.uid}, {"user_gid", e.gid}, {"user_gecos", e.gecos}, {"user_dir", e.home}, {"user_shell", e.shell}} {
			d.SetString(kv.k, kv.v)
		}
	}
	d.SetString("real_user_id", uid)
	d.SetString("effective_user_id", int64(os.Geteuid()))
	d.SetString("real_group_id", int64(os.Getgid()))
	d.SetString("effective_group_id", int64(os.Getegid()))
	return d
}
