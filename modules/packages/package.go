package packages

import (
	"context"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:      "ansible.builtin.package",
		Summary:   "Keep packages present or absent with whatever the machine uses for packages.",
		Check:     modules.Full,
		Diff:      modules.Full,
		Fetches:   true,
		ExtraArgs: true,
		Becomes:   packageModule,
		Notes:     []string{"All options but use are those of the package manager's own module.", "apt, dnf and dnf5 are supported."},
		Examples: `
- name: Time keeping
  ansible.builtin.package:
    name: chrony
    state: present
`,
	}, func(context.Context, *modules.Host, packageArgs) (r modules.Result[struct{}], err error) {
		return r, nil
	})
}

type packageArgs struct {
	Name  value.Value `arg:"name" type:"raw" doc:"The packages."`
	State string      `arg:"state" doc:"What should be true of them: present, absent, latest and what the package manager's module has."`
	Use   string      `arg:"use" default:"auto" doc:"The package manager, instead of the machine's."`
}

// packageModule is the module that does the work.
func packageModule(h *modules.Host, args *value.Dict) (string, *value.Dict, error) {
	use := "auto"
	rest := value.NewDict(args.Len())
	for _, e := range args.Entries() {
		if e.Key == "use" {
			if s, ok := e.Value.(string); ok {
				use = s
			}
			continue
		}
		_ = rest.Set(e.Key, e.Value)
	}
	short := strings.TrimPrefix(strings.TrimPrefix(use, "ansible.builtin."), "ansible.legacy.")
	if short == "auto" {
		if short = packageManager(h); short == "" {
			return "", nil, modules.Failf("Could not detect which package manager to use. Try gathering facts or setting the \"use\" option.")
		}
		use = short
	}
	if short == "yum" {
		short = "dnf"
	}
	full := "ansible.builtin." + short
	if short != "apt" && short != "dnf" && short != "dnf5" {
		return "", nil, modules.Failf("Could not find a matching action for the \"%s\" package manager.", use)
	}
	return full, rest, nil
}

// packageManager is the one that looks after the machine's packages.
func packageManager(h *modules.Host) string {
	for _, m := range []struct{ program, name string }{{"apt-get", "apt"}, {"dnf5", "dnf5"}, {"dnf", "dnf"}, {"yum", "yum"}, {"zypper", "zypper"},
		{"apk", "apk"}, {"pacman", "pacman"}, {"emerge", "portage"}, {"xbps-install", "xbps"}} {
		if h.LookPath(m.program) != "" {
			return m.name
		}
	}
	return ""
}
