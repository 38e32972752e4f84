package users

import (
	"context"
	"strconv"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.group",
		Summary: "Keep a group present, with its number, or absent.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.RequiredIf("non_unique", "true", "gid")},
		Examples: `
- name: The group of the application
  ansible.builtin.group:
    name: app
    gid: 1750
`,
	}, group)
}

type groupArgs struct {
	Name      string `arg:"name,required" doc:"The group."`
	State     string `arg:"state" default:"present" choices:"absent,present" doc:"Should it exist?"`
	GID       *int64 `arg:"gid" doc:"Its number."`
	GIDMin    *int64 `arg:"gid_min" doc:"Lowest number to pick for a new group."`
	GIDMax    *int64 `arg:"gid_max" doc:"Highest number to pick for a new group."`
	System    bool   `arg:"system" default:"false" doc:"Make a system group."`
	Local     bool   `arg:"local" default:"false" doc:"Look at the files of the machine only, not at a directory service."`
	NonUnique bool   `arg:"non_unique" default:"false" doc:"The number may be in use already."`
	Force     bool   `arg:"force" default:"false" doc:"Delete it although it is somebody's primary group."`
}

type groupReturn struct {
	Name   string `json:"name,omitempty" doc:"The group." returned:"always"`
	State  string `json:"state,omitempty" doc:"The state that was asked for." returned:"always"`
	GID    *int64 `json:"gid,omitempty" doc:"Its number." returned:"state is present"`
	System *bool  `json:"system,omitempty" doc:"Was a system group asked for?" returned:"state is present"`
	Rc     *int   `json:"rc,omitempty" doc:"Exit code of the tool." returned:"failure"`
	Stdout string `json:"stdout,omitempty" doc:"Output of the tool." returned:"when there is some"`
	Stderr string `json:"stderr,omitempty" doc:"Error output of the tool." returned:"when there is some"`
}

func group(ctx context.Context, h *modules.Host, a groupArgs) (r modules.Result[groupReturn], err error) {
	if err := checkName("group", a.Name); err != nil {
		return r, err
	}
	if err := rangesWithLocal(a.Local, "gid", a.GIDMin, a.GIDMax); err != nil {
		return r, err
	}
	now, err := findGroupNamed(ctx, h, a.Name, a.Local)
	if err != nil {
		return r, err
	}
	argv := groupCommand(a, now)
	if h.Check && argv != nil && (now == nil || a.State == "absent") {
		h.MarkChanged()
		return r, nil
	}
	r.Data = groupReturn{Name: a.Name, State: a.State}
	if argv != nil {
		err := h.Act(func() error {
			out, err := h.Tool(ctx, argv...)
			if err != nil {
				return err
			}
			if out.RC != 0 {
				r.Data.Rc = &out.RC
				return modules.Failf("%s", out.Stderr)
			}
			r.Data.Stdout, r.Data.Stderr = out.Stdout, out.Stderr
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	if a.State == "present" {
		if now, err = findGroupNamed(ctx, h, a.Name, a.Local); err != nil || now == nil {
			return r, err
		}
		r.Data.GID, r.Data.System = &now.GID, &a.System
	}
	return r, nil
}

// rangesWithLocal refuses ranges of numbers for accounts of the machine alone.
func rangesWithLocal(local bool, what string, low, high *int64) error {
	switch {
	case local && low != nil:
		return modules.Failf("'%s_min' can not be used with 'local'", what)
	case local && high != nil:
		return modules.Failf("'%s_max' can not be used with 'local'", what)
	}
	return nil
}

func findGroupNamed(ctx context.Context, h *modules.Host, name string, local bool) (*groupEntry, error) {
	g, err := findGroup(ctx, h, name, local)
	if g != nil && g.Name != name {
		g = nil
	}
	return g, err
}

// groupCommand decides which tool to call; nil is none.
func groupCommand(a groupArgs, now *groupEntry) []string {
	number := func(argv []string) []string {
		if a.GID == nil {
			return argv
		}
		argv = append(argv, "-g", strconv.FormatInt(*a.GID, 10))
		if a.NonUnique {
			argv = append(argv, "-o")
		}
		return argv
	}
	switch {
	case a.State == "absent" && now == nil:
		return nil
	case a.State == "absent" && a.Force:
		return []string{"groupdel", "-f", a.Name}
	case a.State == "absent":
		return []string{"groupdel", a.Name}
	case now == nil:
		argv := number([]string{"groupadd"})
		if a.System {
			argv = append(argv, "-r")
		}
		argv = append(argv, limit("GID_MIN", a.GIDMin)...)
		argv = append(argv, limit("GID_MAX", a.GIDMax)...)
		return append(argv, a.Name)
	case a.GID != nil && *a.GID != now.GID:
		return append(number([]string{"groupmod"}), a.Name)
	}
	return nil
}

func limit(key string, n *int64) []string {
	if n == nil {
		return nil
	}
	return []string{"-K", key + "=" + strconv.FormatInt(*n, 10)}
}
