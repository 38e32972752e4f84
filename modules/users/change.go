package users

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fettle/modules"
)

// run calls a tool that changes something; its output becomes part of the result.
func (t *userTask) run(ctx context.Context, argv []string) error {
	return t.feed(ctx, "", argv)
}

func (t *userTask) feed(ctx context.Context, stdin string, argv []string) error {
	return t.h.Act(func() error {
		out, err := t.h.ToolInput(ctx, stdin, argv...)
		if err != nil {
			return err
		}
		if out.RC != 0 {
			t.out.Name, t.out.Rc = t.a.Name, &out.RC
			return modules.Failf("%s", out.Stderr)
		}
		t.out.Stdout += out.Stdout
		t.out.Stderr += out.Stderr
		return nil
	})
}

// groups are the wanted supplementary groups by name, checked to exist, without the
// primary one; nil when groups was not given.
func (t *userTask) groups(ctx context.Context) ([]string, error) {
	if t.a.Group != "" {
		g, err := findGroup(ctx, t.h, t.a.Group, t.a.Local)
		if err != nil {
			return nil, err
		}
		if g == nil {
			return nil, modules.Failf("Group %s does not exist", t.a.Group)
		}
	}
	if t.a.Groups == nil {
		return nil, nil
	}
	names := []string{}
	for _, name := range t.a.Groups {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		g, err := findGroup(ctx, t.h, name, t.a.Local)
		if err != nil {
			return nil, err
		}
		if g == nil {
			return nil, modules.Failf("Group %s does not exist", name)
		}
		if t.now != nil && g.GID == t.now.GID || slices.Contains(names, g.Name) {
			continue
		}
		names = append(names, g.Name)
	}
	return names, nil
}

func joinGroups(groups []string) string { return strings.Join(groups, ",") }

func (t *userTask) create(ctx context.Context, groups []string) error {
	own, err := findGroupNamed(ctx, t.h, t.a.Name, t.a.Local)
	if err != nil {
		return err
	}
	if err := t.run(ctx, createCommand(&t.a, groups, own != nil)); err != nil {
		return err
	}
	if hash := t.a.hash(shadowEntry{}); hash != nil {
		if err := t.setHash(ctx, *hash); err != nil {
			return err
		}
	}
	if argv := ageCommand(&t.a, nil); argv != nil {
		return t.run(ctx, argv)
	}
	return nil
}

// createCommand is the useradd call for a new account. The password is set afterwards,
// through a pipe.
func createCommand(a *userArgs, groups []string, ownGroup bool) []string {
	argv := []string{"useradd"}
	add := func(flag, v string) {
		if v != "" {
			argv = append(argv, flag, v)
		}
	}
	if a.UID != nil {
		add("-u", strconv.FormatInt(*a.UID, 10))
		if a.NonUnique {
			argv = append(argv, "-o")
		}
	}
	add("-Z", a.SEUser)
	if a.Group != "" {
		add("-g", a.Group)
	} else if ownGroup {
		argv = append(argv, "-N")
	}
	add("-G", strings.Join(groups, ","))
	if a.Comment != nil {
		argv = append(argv, "-c", *a.Comment)
	}
	add("-d", a.Home)
	add("-s", a.Shell)
	if a.Expires != nil {
		argv = append(argv, "-e", expiryDate(*a.Expires))
	}
	if a.CreateHome {
		argv = append(argv, "-m")
		add("-k", a.Skeleton)
		if a.Umask != "" {
			add("-K", "UMASK="+a.Umask)
		}
	} else {
		argv = append(argv, "-M")
	}
	if a.System {
		argv = append(argv, "-r")
	}
	argv = append(argv, limit("UID_MIN", a.UIDMin)...)
	argv = append(argv, limit("UID_MAX", a.UIDMax)...)
	return append(argv, a.Name)
}

// expiryDate is the day of a time; "" is never.
func expiryDate(seconds float64) string {
	if seconds < 0 {
		return ""
	}
	return time.Unix(int64(seconds), 0).UTC().Format(time.DateOnly)
}

func (t *userTask) modify(ctx context.Context, groups []string) error {
	have, err := memberships(ctx, t.h, t.a.Name, t.a.Local)
	if err != nil {
		return err
	}
	shadow, known := findShadow(t.a.Name)
	gid := t.now.GID
	if t.a.Group != "" {
		g, err := findGroup(ctx, t.h, t.a.Group, t.a.Local)
		if err != nil {
			return err
		}
		gid = g.GID
	}
	if argv := modifyCommand(&t.a, t.now, have, groups, gid, shadow); argv != nil {
		if err := t.run(ctx, argv); err != nil {
			return err
		}
	}
	if t.a.UpdatePassword == "always" {
		if hash := t.a.hash(shadow); hash != nil {
			if err := t.setHash(ctx, *hash); err != nil {
				return err
			}
		}
	}
	if !known {
		return nil
	}
	if argv := ageCommand(&t.a, &shadow); argv != nil {
		return t.run(ctx, argv)
	}
	return nil
}

// modifyCommand is the usermod call that brings an account to what is wanted; nil when
// there is nothing to do.
func modifyCommand(a *userArgs, now *account, have, groups []string, gid int64, shadow shadowEntry) []string {
	argv := []string{"usermod"}
	if a.UID != nil && *a.UID != now.UID {
		argv = append(argv, "-u", strconv.FormatInt(*a.UID, 10))
		if a.NonUnique {
			argv = append(argv, "-o")
		}
	}
	if gid != now.GID {
		argv = append(argv, "-g", strconv.FormatInt(gid, 10))
	}
	if groups != nil {
		argv = append(argv, groupFlags(have, groups, a.Append)...)
	}
	if a.Comment != nil && *a.Comment != now.Gecos {
		argv = append(argv, "-c", *a.Comment)
	}
	if a.Home != "" && a.Home != now.Home {
		argv = append(argv, "-d", a.Home)
		if a.MoveHome {
			argv = append(argv, "-m")
		}
	}
	if a.Shell != "" && a.Shell != now.Shell {
		argv = append(argv, "-s", a.Shell)
	}
	if a.Expires != nil && expiryDays(*a.Expires) != shadow.Expires {
		argv = append(argv, "-e", expiryDate(*a.Expires))
	}
	if a.Password == nil || a.UpdatePassword != "always" {
		argv = append(argv, lockFlags(a.PasswordLock, shadow.Hash)...)
	}
	if len(argv) == 1 {
		return nil
	}
	return append(argv, a.Name)
}

func expiryDays(seconds float64) int64 {
	if seconds < 0 {
		return -1
	}
	return int64(math.Floor(seconds / 86400))
}

func groupFlags(have, want []string, appendOnly bool) []string {
	missing, surplus := false, false
	for _, g := range want {
		missing = missing || !slices.Contains(have, g)
	}
	for _, g := range have {
		surplus = surplus || !slices.Contains(want, g)
	}
	switch {
	case appendOnly && missing:
		return []string{"-a", "-G", strings.Join(want, ",")}
	case !appendOnly && (missing || surplus):
		return []string{"-G", strings.Join(want, ",")}
	}
	return nil
}

func lockFlags(lock *bool, hash string) []string {
	locked := strings.HasPrefix(hash, "!")
	switch {
	case lock == nil, *lock == locked:
		return nil
	case *lock:
		return []string{"-L"}
	}
	return []string{"-U"}
}

// hash is what the password field must become; nil when it is right. A lock is a ! before
// the hash.
func (a *userArgs) hash(now shadowEntry) *string {
	isNew := now == shadowEntry{}
	if a.Password == nil {
		if isNew && a.PasswordLock != nil && *a.PasswordLock {
			return new("!")
		}
		return nil
	}
	want := *a.Password
	switch {
	case a.PasswordLock != nil && *a.PasswordLock && !strings.HasPrefix(want, "!"):
		want = "!" + want
	case a.PasswordLock != nil && !*a.PasswordLock:
		want = strings.TrimLeft(want, "!")
	case a.PasswordLock == nil && !isNew && strings.TrimLeft(now.Hash, "!") == strings.TrimLeft(want, "!") && now.Hash != "":
		return nil
	}
	if !isNew && want == now.Hash {
		return nil
	}
	return &want
}

// setHash gives chpasswd the hash on its input, so that it is in no process list.
func (t *userTask) setHash(ctx context.Context, hash string) error {
	if strings.ContainsAny(hash, ":\n\r") {
		t.out.Name = t.a.Name
		return modules.Failf("the password hash holds a character that cannot stand in the shadow file")
	}
	return t.feed(ctx, t.a.Name+":"+hash+"\n", []string{"chpasswd", "-e"})
}

// ageCommand is the chage call for the password's ages; nil when they are right.
func ageCommand(a *userArgs, now *shadowEntry) []string {
	argv := []string{"chage"}
	add := func(flag string, want *int64, have func(*shadowEntry) int64) {
		if want != nil && (now == nil || have(now) != *want) {
			argv = append(argv, flag, strconv.FormatInt(*want, 10))
		}
	}
	add("-m", a.ExpireMin, func(s *shadowEntry) int64 { return s.Min })
	add("-M", a.ExpireMax, func(s *shadowEntry) int64 { return s.Max })
	add("-W", a.ExpireWarn, func(s *shadowEntry) int64 { return s.Warn })
	add("-I", a.ExpireDisable, func(s *shadowEntry) int64 { return s.Inactive })
	if len(argv) == 1 {
		return nil
	}
	return append(argv, a.Name)
}

// looksHashed tells whether a password could be a hash of crypt(3), or a lock.
func looksHashed(p string) bool {
	switch p {
	case "*", "!", "*************", "!!", "!*", "":
		return true
	}
	if strings.ContainsAny(p, ":*!") {
		return false
	}
	f := strings.Split(p, "$")
	if !strings.HasPrefix(p, "$") || len(f) < 4 {
		return false
	}
	last := f[len(f)-1]
	for _, c := range last {
		if c != '.' && c != '/' && c != '=' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	size := map[string]int{"1": 22, "5": 43, "6": 86}[f[1]]
	return size == 0 || len(last) == size
}
