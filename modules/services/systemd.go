// Package services holds the modules that start, stop and enable services: systemd,
// sysvinit, service, which picks the right one, and service_facts.
package services

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.systemd_service",
		Aliases: []string{"ansible.builtin.systemd"},
		Summary: "Keep a systemd unit started or stopped, enabled or disabled, masked or not.",
		Check:   modules.Full,
		Rules: modules.Rules{
			modules.OneOf("state", "enabled", "masked", "daemon_reload", "daemon_reexec"),
			modules.RequiredBy("state", "name"), modules.RequiredBy("enabled", "name"), modules.RequiredBy("masked", "name"),
		},
		Examples: `
- name: The web server runs, now and after a restart
  ansible.builtin.systemd_service:
    name: nginx
    state: started
    enabled: true

- name: systemd reads its files again
  ansible.builtin.systemd_service:
    daemon_reload: true
`,
	}, systemd)
}

type systemdArgs struct {
	Name         string `arg:"name" alias:"service,unit" doc:"The unit; .service may be left out."`
	State        string `arg:"state" choices:"reloaded,restarted,started,stopped" doc:"What it should be; reloaded and restarted act each time."`
	Enabled      *bool  `arg:"enabled" doc:"Start it at boot?"`
	Force        *bool  `arg:"force" doc:"Replace links that are in the way."`
	Masked       *bool  `arg:"masked" doc:"Make it impossible to start?"`
	DaemonReload bool   `arg:"daemon_reload" alias:"daemon-reload" default:"false" doc:"Have systemd read its files again first."`
	DaemonReexec bool   `arg:"daemon_reexec" alias:"daemon-reexec" default:"false" doc:"Have systemd start itself anew first."`
	Scope        string `arg:"scope" default:"system" choices:"system,user,global" doc:"Whose systemd: the machine's, the user's, or that of all users."`
	NoBlock      bool   `arg:"no_block" default:"false" doc:"Do not wait until it is done."`
}

// unit is one call: what systemd says of the unit, and what is done about it.
type unit struct {
	h      *modules.Host
	a      systemdArgs
	status *value.Dict
	initd  bool
	out    *value.Dict
}

func systemd(ctx context.Context, h *modules.Host, a systemdArgs) (r modules.Result[*value.Dict], err error) {
	for _, c := range []string{"*", "?", "["} {
		if strings.Contains(a.Name, c) {
			return r, modules.Failf("This module does not currently support using glob patterns, found '%s' in service name: %s", c, a.Name)
		}
	}
	if strings.HasPrefix(a.Name, "-") {
		return r, modules.Failf("invalid service name %q", a.Name)
	}
	u := &unit{h: h, a: a, out: value.DictOf("name", nil, "status", value.NewDict(0))}
	r.Data = u.out
	if err := u.daemon(ctx); err != nil || a.Name == "" {
		return r, err
	}
	u.out.SetString("name", a.Name)
	if err := u.converge(ctx); err != nil {
		r.Data = nil
		return r, err
	}
	return r, nil
}

// ctl calls systemctl for the scope that was asked for.
func (u *unit) ctl(ctx context.Context, words ...string) (modules.ToolResult, error) {
	argv := []string{"systemctl"}
	var env []string
	switch u.a.Scope {
	case "user":
		argv = append(argv, "--user")
		if v, ok := u.h.Getenv("XDG_RUNTIME_DIR"); !ok || v == "" {
			env = []string{"XDG_RUNTIME_DIR=/run/user/" + strconv.Itoa(os.Geteuid())}
		}
	case "global":
		argv = append(argv, "--global")
	}
	if u.a.NoBlock {
		argv = append(argv, "--no-block")
	}
	if u.a.Force != nil && *u.a.Force {
		argv = append(argv, "--force")
	}
	return u.h.ToolWith(ctx, modules.Command{Argv: append(argv, words...), Env: env})
}

func (u *unit) daemon(ctx context.Context) error {
	for _, d := range []struct {
		on   bool
		verb string
	}{{u.a.DaemonReload, "daemon-reload"}, {u.a.DaemonReexec, "daemon-reexec"}} {
		if !d.on || u.h.Check {
			continue
		}
		out, err := u.ctl(ctx, d.verb)
		if err != nil {
			return err
		}
		if out.RC != 0 && !inChroot(out.Stderr) {
			return modules.Failf("failure %d during %s: %s", out.RC, d.verb, out.Stderr)
		}
	}
	return nil
}

func inChroot(stderr string) bool {
	return strings.Contains(stderr, "Running in chroot, ignoring")
}

func (u *unit) converge(ctx context.Context) error {
	out, err := u.ctl(ctx, "show", "--", u.a.Name)
	if err != nil {
		return err
	}
	if out.RC != 0 && u.a.Scope == "user" {
		return modules.Failf("%s", strings.TrimSpace(out.Stderr))
	}
	u.status = parseShow(out.Stdout)
	u.out.SetString("status", u.status)
	u.initd = u.a.Scope == "system" && hasInitScript(u.a.Name)
	masked := u.get("LoadState") == "masked"
	if e, ok := u.status.GetString("LoadError"); ok && !masked && u.get("LoadState") == "error" {
		return modules.Failf("Error loading unit file '%s': %s", u.a.Name, value.Str(e))
	}
	if want := u.a.Masked; want != nil && *want != masked {
		if err := u.do(ctx, map[bool]string{true: "mask", false: "unmask"}[*want]); err != nil {
			return u.missing(err)
		}
	}
	if u.a.Enabled != nil {
		if err := u.enable(ctx); err != nil {
			return err
		}
	}
	if u.a.State != "" {
		return u.start(ctx)
	}
	return nil
}

func (u *unit) get(key string) string {
	v, _ := u.status.GetString(key)
	s, _ := v.(string)
	return s
}

// missing replaces an error about a unit that does not exist by the plain statement.
func (u *unit) missing(err error) error {
	load := u.get("LoadState")
	if u.initd || load != "" && load != "not-found" {
		return err
	}
	return modules.Failf("Could not find the requested service %s: host", u.a.Name)
}

// do changes the unit.
func (u *unit) do(ctx context.Context, verb string) error {
	return u.h.Act(func() error {
		out, err := u.ctl(ctx, verb, "--", u.a.Name)
		if err != nil {
			return err
		}
		if out.RC != 0 {
			text := out.Stderr
			if verb == "enable" || verb == "disable" {
				text = out.Stdout + out.Stderr
			}
			return modules.Failf("Unable to %s service %s: %s", verb, u.a.Name, text)
		}
		return nil
	})
}

func (u *unit) enable(ctx context.Context) error {
	if err := u.missing(nil); err != nil {
		return err
	}
	out, err := u.ctl(ctx, "is-enabled", "-l", "--", u.a.Name)
	if err != nil {
		return err
	}
	now := isEnabled(out)
	if !now && out.RC == 1 && u.initd && u.a.Scope == "system" && !strings.HasSuffix(strings.TrimSpace(out.Stdout), "disabled") {
		now = initEnabled(u.a.Name)
	}
	want := *u.a.Enabled
	if now != want {
		if err := u.do(ctx, map[bool]string{true: "enable", false: "disable"}[want]); err != nil {
			return err
		}
	}
	u.out.SetString("enabled", want)
	return nil
}

// isEnabled reads the answer of is-enabled: a unit that is only an alias, or enabled
// through another one or until the next start, is not enabled itself.
func isEnabled(out modules.ToolResult) bool {
	word := strings.TrimSpace(out.Stdout)
	return out.RC == 0 && word != "enabled-runtime" && word != "indirect" && word != "alias"
}

func (u *unit) start(ctx context.Context) error {
	if err := u.missing(nil); err != nil {
		return err
	}
	active, ok := u.status.GetString("ActiveState")
	if !ok {
		if offline(u.h) {
			u.h.Warn("Target is a chroot or systemd is offline. This can lead to false positives or prevent the init system tools from working.")
			u.out.SetString("state", u.a.State)
			return nil
		}
		return modules.Failf("Service is in unknown state")
	}
	verb, state := stateVerb(u.a.State, value.Str(active))
	u.out.SetString("state", state)
	if verb == "" {
		return nil
	}
	return u.do(ctx, verb)
}

// stateVerb is what to tell systemctl, "" for nothing, and the state that is reported.
func stateVerb(want, active string) (verb, state string) {
	running := active == "active" || active == "activating"
	switch {
	case want == "started" && running, want == "stopped" && !running && active != "deactivating":
		return "", want
	case want == "started":
		return "start", want
	case want == "stopped":
		return "stop", want
	case !running:
		return "start", "started"
	}
	return strings.TrimSuffix(want, "ed"), "started"
}

func offline(h *modules.Host) bool {
	if v, _ := h.Getenv("SYSTEMD_OFFLINE"); v == "1" {
		return true
	}
	_, err := os.Stat("/run/systemd/system")
	return err != nil
}

// parseShow reads the output of systemctl show. Exec lines may span several lines, until
// their closing brace.
func parseShow(text string) *value.Dict {
	d := value.NewDict(256)
	open, held := "", ""
	for line := range strings.SplitSeq(text, "\n") {
		if open != "" {
			held += "\n" + line
			if strings.HasSuffix(strings.TrimRight(line, " "), "}") {
				d.SetString(open, strings.TrimSpace(held))
				open = ""
			}
			continue
		}
		key, v, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		if strings.HasPrefix(key, "Exec") && strings.HasPrefix(strings.TrimLeft(v, " "), "{") && !strings.HasSuffix(strings.TrimRight(v, " "), "}") {
			open, held = key, v
			continue
		}
		if v != "" {
			d.SetString(key, strings.TrimSpace(v))
		}
	}
	return d
}

func hasInitScript(name string) bool {
	if strings.Contains(name, "/") {
		return false
	}
	fi, err := os.Stat("/etc/init.d/" + strings.TrimSuffix(name, ".service"))
	return err == nil && fi.Mode()&0o111 != 0 && !fi.IsDir()
}

// initEnabled tells whether a start link exists in one of the multi-user runlevels.
func initEnabled(name string) bool {
	found, _ := filepath.Glob("/etc/rc?.d/S??" + strings.TrimSuffix(name, ".service"))
	return len(found) > 0
}
