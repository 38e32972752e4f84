// Package access holds modules for what users may do: access lists of files, limits.
package access

import (
	"context"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.posix.acl",
		Extra:   true,
		Summary: "Keep entries of a file's access list, with getfacl and setfacl.",
		Check:   modules.Full,
		Notes:   []string{"use_nfsv4_acls is refused: the programs for Linux do not have it."},
		Examples: `
- name: A reader
  ansible.posix.acl:
    path: /var/log/app
    entity: collector
    etype: user
    permissions: rx
    state: present
`,
	}, acl)
}

type aclArgs struct {
	Path            string `arg:"path,required" alias:"name" type:"path" doc:"The file or directory."`
	State           string `arg:"state" default:"query" choices:"absent,present,query" doc:"Should the entry be there? query only returns the list."`
	Entry           string `arg:"entry" doc:"The entry as one text: [default:]TYPE:ENTITY[:PERMISSIONS]."`
	EType           string `arg:"etype" choices:"group,mask,other,user" doc:"Whom the entry is for."`
	Entity          string `arg:"entity" default:"" doc:"Name of the user or group."`
	Permissions     string `arg:"permissions" doc:"Permissions, like rwx or rX."`
	Default         bool   `arg:"default" default:"false" doc:"What new files in the directory get."`
	Follow          bool   `arg:"follow" default:"true" doc:"Follow a link."`
	Recursive       bool   `arg:"recursive" alias:"recurse" default:"false" doc:"For everything below, too."`
	RecalculateMask string `arg:"recalculate_mask" default:"default" choices:"default,mask,no_mask" doc:"Recompute the mask always, or never."`
	NFSv4           bool   `arg:"use_nfsv4_acls" default:"false" doc:"Not supported."`
}

type aclReturn struct {
	ACL []string `json:"acl,omitempty" doc:"The list." returned:"success"`
}

func acl(ctx context.Context, h *modules.Host, a aclArgs) (r modules.Result[aclReturn], err error) {
	if err := a.check(); err != nil {
		return r, err
	}
	if a.Entry != "" {
		a.split()
	}
	entry := a.EType + ":" + a.Entity
	if a.State == "present" && a.Permissions != "" {
		entry += ":" + a.Permissions
	}
	r.Msg = "current acl"
	if a.State != "query" {
		r.Msg = entry + " is " + a.State
		if err := a.change(ctx, h, entry); err != nil {
			return r, err
		}
	}
	out, err := a.run(ctx, h, append([]string{"getfacl"}, a.flags("--omit-header", "--absolute-names")...)...)
	r.Data.ACL = aclLines(out)
	return r, err
}

func (a *aclArgs) change(ctx context.Context, h *modules.Host, entry string) error {
	action := "-m"
	if a.State == "absent" {
		action = "-x"
	}
	words := a.flags(action, entry)
	switch at := len(words) - 1; a.RecalculateMask {
	case "mask":
		words = slices.Insert(words, at, "--mask")
	case "no_mask":
		words = slices.Insert(words, at, "--no-mask")
	}
	out, err := a.run(ctx, h, append([]string{"setfacl", "--test"}, words...)...)
	if err != nil || !slices.ContainsFunc(aclLines(out), func(l string) bool { return !strings.HasSuffix(l, "*,*") }) {
		return err
	}
	return h.Act(func() error {
		_, err := a.run(ctx, h, append([]string{"setfacl"}, words...)...)
		return err
	})
}

// flags are the words common to both programs, around those of one.
func (a *aclArgs) flags(own ...string) []string {
	var words []string
	if a.Default {
		words = append(words, "-d")
	}
	words = append(words, own...)
	if a.Recursive {
		words = append(words, "--recursive")
	}
	if !a.Follow {
		words = append(words, "--physical")
	}
	return append(words, a.Path)
}

func (a *aclArgs) run(ctx context.Context, h *modules.Host, argv ...string) (string, error) {
	out, err := h.Tool(ctx, argv...)
	if err == nil && out.RC != 0 {
		err = modules.Failf("%s", strings.TrimRight(out.Stderr, "\n "))
	}
	return out.Stdout, err
}

// aclLines are the lines of an answer without comments and without an empty one at the end.
func aclLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if n := len(lines); n > 0 && lines[n-1] == "" {
		lines = lines[:n-1]
	}
	return lines
}

// check says which options do not go together.
func (a *aclArgs) check() error {
	colons := strings.Count(a.Entry, ":")
	recompute := a.RecalculateMask != "default"
	for _, p := range []struct {
		wrong bool
		msg   string
	}{
		{a.NFSv4, "option use_nfsv4_acls is not supported"},
		{!modules.Exists(a.Path), "Path not found or not accessible."},
		{a.State == "query" && a.Recursive, "'recursive' MUST NOT be set when 'state=query'."},
		{a.State == "query" && recompute, "'recalculate_mask' MUST NOT be set to 'mask' or 'no_mask' when 'state=query'."},
		{a.Entry == "" && a.State == "absent" && a.Permissions != "", "'permissions' MUST NOT be set when 'state=absent'."},
		{a.Entry == "" && a.State == "absent" && a.Entity == "", "'entity' MUST be set when 'state=absent'."},
		{a.Entry == "" && a.State != "query" && a.EType == "", "'etype' MUST be set when 'state=" + a.State + "'."},
		{a.Entry != "" && a.EType+a.Entity+a.Permissions != "", "'entry' MUST NOT be set when 'entity', 'etype' or 'permissions' are set."},
		{a.Entry != "" && a.State == "present" && colons != 2 && colons != 3, "'entry' MUST have 3 or 4 sections divided by ':' when 'state=present'."},
		{a.Entry != "" && a.State == "absent" && colons != 1 && colons != 2, "'entry' MUST have 2 or 3 sections divided by ':' when 'state=absent'."},
		{a.Entry != "" && a.State == "query", "'entry' MUST NOT be set when 'state=query'."},
	} {
		if p.wrong {
			return modules.Failf("%s", p.msg)
		}
	}
	return nil
}

// split takes entry apart.
func (a *aclArgs) split() {
	parts := strings.Split(a.Entry, ":")
	if strings.HasPrefix(strings.ToLower(a.Entry), "d") {
		a.Default, parts = true, parts[1:]
	}
	for len(parts) < 3 {
		parts = append(parts, "")
	}
	first := strings.ToLower(parts[0])
	for _, t := range []string{"user", "group", "mask", "other"} {
		if first != "" && first[0] == t[0] {
			a.EType = t
		}
	}
	a.Entity, a.Permissions = parts[1], parts[2]
}
