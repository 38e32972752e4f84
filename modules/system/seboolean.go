package system

import (
	"context"
	"os"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.posix.seboolean",
		Summary: "Keep a SELinux boolean on or off.",
		Check:   modules.Full,
		Examples: `
- name: The web server may connect to others
  ansible.posix.seboolean:
    name: httpd_can_network_connect
    state: true
    persistent: true
`,
	}, seboolean)
}

type sebooleanArgs struct {
	Name        string `arg:"name,required" doc:"The boolean."`
	State       bool   `arg:"state,required" doc:"On or off."`
	Persistent  bool   `arg:"persistent" default:"false" doc:"Also after a restart."`
	IgnoreState bool   `arg:"ignore_selinux_state" default:"false" doc:"Go on where SELinux is off; only with persistent."`
}

type sebooleanReturn struct {
	Name       string `json:"name" doc:"The boolean." returned:"success"`
	State      bool   `json:"state" doc:"On or off." returned:"success"`
	Persistent bool   `json:"persistent" doc:"Also after a restart?" returned:"success"`
}

func seboolean(ctx context.Context, h *modules.Host, a sebooleanArgs) (r modules.Result[sebooleanReturn], err error) {
	r.Data = sebooleanReturn{a.Name, a.State, a.Persistent}
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err != nil && !a.IgnoreState {
		return r, modules.Failf("SELinux is disabled on this host.")
	}
	if a.Name == "" || strings.ContainsAny(a.Name, "/ \n") || strings.HasPrefix(a.Name, "-") {
		return r, modules.Failf("invalid boolean name %q", a.Name)
	}
	out, err := h.Tool(ctx, "getsebool", a.Name)
	if err != nil {
		return r, err
	}
	if out.RC != 0 {
		return r, modules.Failf("SELinux boolean %s does not exist.", a.Name)
	}
	now := boolOn(out.Stdout)
	stored := now
	if a.Persistent && h.LookPath("semanage") != "" {
		list, err := h.Tool(ctx, "semanage", "boolean", "-l", "-n")
		if err != nil {
			return r, err
		}
		stored = storedBool(list.Stdout, a.Name, now)
	}
	if now == a.State && stored == a.State {
		return r, nil
	}
	argv := []string{"setsebool"}
	if a.Persistent {
		argv = append(argv, "-P")
	}
	return r, h.Act(func() error {
		return tool(ctx, h, append(argv, a.Name, map[bool]string{true: "on", false: "off"}[a.State])...)
	})
}

// boolOn reads "name --> on", maybe with what is pending.
func boolOn(text string) bool {
	_, v, _ := strings.Cut(text, "-->")
	f := strings.Fields(v)
	return len(f) > 0 && (f[0] == "on" || f[0] == "active")
}

// storedBool reads "name (on , on) description": the second word is the stored value.
func storedBool(list, name string, otherwise bool) bool {
	for line := range strings.Lines(list) {
		if f := strings.Fields(strings.NewReplacer("(", " ", ")", " ", ",", " ").Replace(line)); len(f) > 2 && f[0] == name {
			return f[2] == "on"
		}
	}
	return otherwise
}
