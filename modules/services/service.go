package services

import (
	"context"
	"os"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.service",
		Summary: "Keep a service started or stopped, enabled or disabled, with whatever the machine uses for it.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.OneOf("state", "enabled", "masked", "daemon_reload", "daemon_reexec")},
		Notes:   []string{"On a machine with systemd the options of systemd_service can be used as well."},
		Examples: `
- name: The web server is up
  ansible.builtin.service:
    name: nginx
    state: started
    enabled: true
`,
	}, service)
}

type serviceArgs struct {
	Name      string `arg:"name,required" alias:"service,unit" doc:"The service."`
	State     string `arg:"state" choices:"reloaded,restarted,started,stopped" doc:"What it should be; reloaded and restarted act each time."`
	Enabled   *bool  `arg:"enabled" doc:"Start it at boot?"`
	Sleep     *int64 `arg:"sleep" doc:"Seconds between stop and start of a restart; not with systemd."`
	Pattern   string `arg:"pattern" doc:"Text to find in the process list instead of asking for the status; not with systemd."`
	Runlevel  string `arg:"runlevel" default:"default" doc:"Runlevel of OpenRC; not with systemd."`
	Arguments string `arg:"arguments" alias:"args" default:"" doc:"More arguments for the init script; not with systemd."`
	Use       string `arg:"use" default:"auto" doc:"Which manager to use: auto, systemd, sysvinit, ..."`

	Force        *bool  `arg:"force" doc:"As for systemd_service."`
	Masked       *bool  `arg:"masked" doc:"As for systemd_service."`
	DaemonReload bool   `arg:"daemon_reload" alias:"daemon-reload" default:"false" doc:"As for systemd_service."`
	DaemonReexec bool   `arg:"daemon_reexec" alias:"daemon-reexec" default:"false" doc:"As for systemd_service."`
	Scope        string `arg:"scope" default:"system" choices:"system,user,global" doc:"As for systemd_service."`
	NoBlock      bool   `arg:"no_block" default:"false" doc:"As for systemd_service."`
}

func service(ctx context.Context, h *modules.Host, a serviceArgs) (r modules.Result[*value.Dict], err error) {
	manager := strings.TrimPrefix(strings.TrimPrefix(a.Use, "ansible.builtin."), "ansible.legacy.")
	if manager == "auto" {
		manager = managerOf()
	}
	switch manager {
	case "systemd", "systemd_service":
		for name, given := range map[string]bool{"pattern": a.Pattern != "", "sleep": a.Sleep != nil, "arguments": a.Arguments != "", "runlevel": a.Runlevel != "default"} {
			if given {
				h.Warn(`Ignoring "%s" as it is not used in "systemd"`, name)
			}
		}
		return systemd(ctx, h, systemdArgs{Name: a.Name, State: a.State, Enabled: a.Enabled, Force: a.Force, Masked: a.Masked,
			DaemonReload: a.DaemonReload, DaemonReexec: a.DaemonReexec, Scope: a.Scope, NoBlock: a.NoBlock})
	case "sysvinit", "service":
		return sysvinit(ctx, h, sysvinitArgs{Name: a.Name, State: a.State, Enabled: a.Enabled, Sleep: orDefault(a.Sleep, 1), Pattern: a.Pattern, Arguments: a.Arguments})
	case "openrc":
		return openrc(ctx, h, a)
	}
	return r, modules.Failf("the service manager %q is not supported: use one of systemd, sysvinit, openrc", manager)
}

func orDefault(n *int64, d int64) int64 {
	if n == nil {
		return d
	}
	return *n
}

// managerOf is what runs the services of this machine.
func managerOf() string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "systemd"
	}
	for _, p := range []string{"/run/openrc", "/sbin/openrc-run"} {
		if _, err := os.Stat(p); err == nil {
			return "openrc"
		}
	}
	if init, err := os.Readlink("/sbin/init"); err == nil && strings.HasSuffix(init, "systemd") {
		return "systemd" // an image that is not booted
	}
	return "sysvinit"
}

// openrc keeps a service with rc-service and rc-update.
func openrc(ctx context.Context, h *modules.Host, a serviceArgs) (r modules.Result[*value.Dict], err error) {
	r.Data = value.DictOf("name", a.Name)
	known, err := h.Tool(ctx, "rc-service", "--exists", a.Name)
	if err != nil {
		return r, err
	}
	if known.RC != 0 {
		return r, modules.Failf("Could not find the requested service %s: host", a.Name)
	}
	act := func(argv ...string) error {
		return h.Act(func() error {
			out, err := h.Tool(ctx, argv...)
			if err == nil && out.RC != 0 {
				err = modules.Failf("%s: %s", strings.Join(argv, " "), strings.TrimSpace(out.Stderr+out.Stdout))
			}
			return err
		})
	}
	if a.Enabled != nil {
		listed, err := h.Tool(ctx, "rc-update", "show", a.Runlevel)
		if err != nil {
			return r, err
		}
		if now := openrcListed(listed.Stdout, a.Name); now != *a.Enabled {
			if err := act("rc-update", map[bool]string{true: "add", false: "delete"}[*a.Enabled], a.Name, a.Runlevel); err != nil {
				return r, err
			}
		}
		r.Data.SetString("enabled", *a.Enabled)
	}
	if a.State == "" {
		return r, nil
	}
	status, err := h.Tool(ctx, "rc-service", a.Name, "status")
	if err != nil {
		return r, err
	}
	active := map[bool]string{true: "active", false: "inactive"}[status.RC == 0]
	verb, state := stateVerb(a.State, active)
	r.Data.SetString("state", state)
	if verb == "" {
		return r, nil
	}
	argv := []string{"rc-service", a.Name, verb}
	return r, act(append(argv, strings.Fields(a.Arguments)...)...)
}

// openrcListed finds a service in the lines "name | runlevels" of rc-update show.
func openrcListed(text, name string) bool {
	for line := range strings.Lines(text) {
		first, _, _ := strings.Cut(line, "|")
		if slices.Contains(strings.Fields(first), name) {
			return true
		}
	}
	return false
}
