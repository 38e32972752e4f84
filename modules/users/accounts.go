// Package users holds the modules for accounts: user, group and getent.
package users

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"

	"fettle/modules"
)

// account is one line of the passwd database.
type account struct {
	Name  string
	UID   int64
	GID   int64
	Gecos string
	Home  string
	Shell string
}

// groupEntry is one line of the group database.
type groupEntry struct {
	Name    string
	GID     int64
	Members []string
}

// shadowEntry is one line of /etc/shadow; the numbers are -1 when empty.
type shadowEntry struct {
	Hash                              string
	Min, Max, Warn, Inactive, Expires int64
}

func parseAccount(line string) (account, bool) {
	f := strings.Split(line, ":")
	if len(f) < 7 {
		return account{}, false
	}
	uid, err := strconv.ParseInt(f[2], 10, 64)
	gid, err2 := strconv.ParseInt(f[3], 10, 64)
	return account{f[0], uid, gid, f[4], f[5], f[6]}, err == nil && err2 == nil
}

func parseGroup(line string) (groupEntry, bool) {
	f := strings.Split(line, ":")
	if len(f) < 4 {
		return groupEntry{}, false
	}
	gid, err := strconv.ParseInt(f[2], 10, 64)
	g := groupEntry{Name: f[0], GID: gid}
	if f[3] != "" {
		g.Members = strings.Split(f[3], ",")
	}
	return g, err == nil
}

func parseShadow(line string) (name string, s shadowEntry, ok bool) {
	f := strings.Split(line, ":")
	if len(f) < 8 {
		return "", s, false
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	return f[0], shadowEntry{f[1], number(3), number(4), number(5), number(6), number(7)}, true
}

// eachLine calls f for the lines of a file until it returns false; a missing file has none.
func eachLine(path string, f func(string) bool) error {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if !f(strings.TrimSuffix(line, "\n")) {
			break
		}
	}
	return nil
}

// elsewhere tells whether nsswitch.conf names a source of the database beside the files.
func elsewhere(database string) bool {
	found := false
	_ = eachLine("/etc/nsswitch.conf", func(line string) bool {
		name, sources, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || name != database {
			return true
		}
		for s := range strings.FieldsSeq(sources) {
			if !slices.Contains([]string{"files", "compat", "systemd"}, s) && !strings.HasPrefix(s, "[") {
				found = true
			}
		}
		return false
	})
	return found
}

// lookup finds the lines of a database: in its file first, then, unless local, through
// getent when the system has other sources. key "" is all.
func lookup(ctx context.Context, h *modules.Host, database, key string, local bool, use func(line string) bool) error {
	done := false
	err := eachLine("/etc/"+database, func(line string) bool {
		done = !use(line)
		return !done
	})
	if err != nil || done || local || !elsewhere(database) {
		return err
	}
	argv := []string{"getent", database}
	if key != "" {
		argv = append(argv, "--", key)
	}
	out, err := h.Tool(ctx, argv...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out.Stdout) {
		if !use(strings.TrimSuffix(line, "\n")) {
			break
		}
	}
	return nil
}

func findAccount(ctx context.Context, h *modules.Host, name string, local bool) (found *account, err error) {
	err = lookup(ctx, h, "passwd", name, local, func(line string) bool {
		if a, ok := parseAccount(line); ok && a.Name == name {
			found = &a
		}
		return found == nil
	})
	return found, err
}

// findGroup finds a group by name, or by number.
func findGroup(ctx context.Context, h *modules.Host, name string, local bool) (found *groupEntry, err error) {
	gid, numErr := strconv.ParseInt(name, 10, 64)
	var byNumber *groupEntry
	err = lookup(ctx, h, "group", name, local, func(line string) bool {
		g, ok := parseGroup(line)
		switch {
		case !ok:
		case g.Name == name:
			found = &g
		case numErr == nil && g.GID == gid && byNumber == nil:
			byNumber = &g
		}
		return found == nil
	})
	if found == nil {
		found = byNumber
	}
	return found, err
}

// memberships are the names of the groups that list the user as a member.
func memberships(ctx context.Context, h *modules.Host, user string, local bool) (names []string, err error) {
	err = lookup(ctx, h, "group", "", local, func(line string) bool {
		if g, ok := parseGroup(line); ok && slices.Contains(g.Members, user) && !slices.Contains(names, g.Name) {
			names = append(names, g.Name)
		}
		return true
	})
	return names, err
}

// findShadow is the user's line of /etc/shadow; nothing is known without permission.
func findShadow(user string) (shadowEntry, bool) {
	s, found := shadowEntry{Min: -1, Max: -1, Warn: -1, Inactive: -1, Expires: -1}, false
	_ = eachLine("/etc/shadow", func(line string) bool {
		name, e, ok := parseShadow(line)
		if ok && name == user {
			s, found = e, true
		}
		return !found
	})
	return s, found
}

// checkName refuses names that the tools would read as options or as something else.
func checkName(kind, name string) error {
	if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, ":\n,") {
		return modules.Failf("invalid %s name %q", kind, name)
	}
	return nil
}
