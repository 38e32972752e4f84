package modules

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
)

// accounts caches the names of users or groups for the time of one call.
type accounts struct {
	file     string // /etc/passwd or /etc/group
	database string // its name for getent
	ids      map[string]int
	names    map[int]string
	lines    map[string][]string // the fields of each name
}

func (a *accounts) load() {
	if a.ids != nil {
		return
	}
	a.ids, a.names, a.lines = map[string]int{}, map[int]string{}, map[string][]string{}
	text, _ := os.ReadFile(a.file)
	for line := range bytes.Lines(text) {
		a.add(string(line))
	}
}

func (a *accounts) add(line string) {
	f := strings.Split(strings.TrimRight(line, "\n"), ":")
	if len(f) < 3 || f[0] == "" || strings.HasPrefix(f[0], "#") {
		return
	}
	id, err := strconv.Atoi(f[2])
	if err != nil {
		return
	}
	if _, ok := a.ids[f[0]]; !ok {
		a.ids[f[0]], a.lines[f[0]] = id, f
	}
	if _, ok := a.names[id]; !ok {
		a.names[id] = f[0]
	}
}

// ask looks for a key where only the C library can: LDAP, sssd and the like.
func (a *accounts) ask(ctx context.Context, h *Host, key string) {
	if r, err := h.Run(ctx, Command{Argv: []string{"getent", "--", a.database, key}, C: true}); err == nil && r.RC == 0 {
		for line := range bytes.Lines(r.Stdout) {
			a.add(string(line))
		}
	}
}

func (a *accounts) id(ctx context.Context, h *Host, name string) (int, bool) {
	a.load()
	if id, ok := a.ids[name]; ok {
		return id, true
	}
	a.ask(ctx, h, name)
	id, ok := a.ids[name]
	return id, ok
}

func (a *accounts) name(ctx context.Context, h *Host, id int) string {
	a.load()
	if n, ok := a.names[id]; ok {
		return n
	}
	a.ask(ctx, h, strconv.Itoa(id))
	if _, ok := a.names[id]; !ok {
		a.names[id] = ""
	}
	return a.names[id]
}

func (h *Host) users() *accounts {
	if h.userNames == nil {
		h.userNames = &accounts{file: "/etc/passwd", database: "passwd"}
	}
	return h.userNames
}

func (h *Host) groups() *accounts {
	if h.groupNames == nil {
		h.groupNames = &accounts{file: "/etc/group", database: "group"}
	}
	return h.groupNames
}

// UserID is the uid of a user given by name or number.
func (h *Host) UserID(ctx context.Context, user string) (int, bool) {
	if id, err := strconv.Atoi(user); err == nil {
		return id, true
	}
	return h.users().id(ctx, h, user)
}

// GroupID is the gid of a group given by name or number.
func (h *Host) GroupID(ctx context.Context, group string) (int, bool) {
	if id, err := strconv.Atoi(group); err == nil {
		return id, true
	}
	return h.groups().id(ctx, h, group)
}

// UserName is the name of a uid, or "" when it has none.
func (h *Host) UserName(ctx context.Context, uid int) string { return h.users().name(ctx, h, uid) }

// GroupName is the name of a gid, or "" when it has none.
func (h *Host) GroupName(ctx context.Context, gid int) string { return h.groups().name(ctx, h, gid) }

// UserHome is the home directory of a user, or "".
func (h *Host) UserHome(ctx context.Context, user string) string {
	return h.userField(ctx, user, 5)
}

// UserGroup is the number of a user's primary group.
func (h *Host) UserGroup(ctx context.Context, user string) (gid string, ok bool) {
	gid = h.userField(ctx, user, 3)
	return gid, gid != ""
}

func (h *Host) userField(ctx context.Context, user string, n int) string {
	if id, err := strconv.Atoi(user); err == nil {
		user = h.UserName(ctx, id)
	}
	h.users().id(ctx, h, user)
	if f := h.users().lines[user]; len(f) > n {
		return f[n]
	}
	return ""
}
