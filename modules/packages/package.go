package packages

import (
	"context"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.package",
		Summary: "Keep packages present or absent with whatever the machine uses for packages.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Notes:   []string{"The options of the package manager's own module can be used as well.", "apt is supported."},
		Examples: `
- name: Time keeping
  ansible.builtin.package:
    name: chrony
    state: present
`,
	}, anyPackage)
}

type packageArgs struct {
	Use string `arg:"use" default:"auto" doc:"The package manager, instead of the machine's."`
	aptArgs
}

func anyPackage(ctx context.Context, h *modules.Host, a packageArgs) (r modules.Result[aptReturn], err error) {
	use := strings.TrimPrefix(strings.TrimPrefix(a.Use, "ansible.builtin."), "ansible.legacy.")
	if use == "auto" {
		use = packageManager(h)
	}
	switch use {
	case "apt":
		return apt(ctx, h, a.aptArgs)
	case "":
		return r, modules.Failf("Could not find a module for package manager auto.")
	}
	return r, modules.Failf("Could not find a matching action for the %q package manager.", use)
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
