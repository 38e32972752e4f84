package services

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.sysvinit",
		Summary: "Keep a service with an init script started or stopped, enabled or disabled.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.OneOf("state", "enabled")},
		Examples: `
- name: The web server is up
  ansible.builtin.sysvinit:
    name: apache2
    state: started
    enabled: true
`,
	}, sysvinit)
}

type sysvinitArgs struct {
	Name      string   `arg:"name,required" alias:"service" doc:"The service."`
	State     string   `arg:"state" choices:"started,stopped,restarted,reloaded" doc:"What it should be; reloaded and restarted act each time."`
	Enabled   *bool    `arg:"enabled" doc:"Start it at boot?"`
	Sleep     int64    `arg:"sleep" default:"1" doc:"Seconds between stop and start of a restart."`
	Pattern   string   `arg:"pattern" doc:"Text to find in the process list instead of asking for the status."`
	Runlevels []string `arg:"runlevels" elements:"str" doc:"Runlevels to enable or disable it for."`
	Arguments string   `arg:"arguments" alias:"args" doc:"More arguments for the init script."`
	Daemonize bool     `arg:"daemonize" default:"false" doc:"Start the script apart from this task; it always is here."`
}

func sysvinit(ctx context.Context, h *modules.Host, a sysvinitArgs) (r modules.Result[*value.Dict], err error) {
	if strings.Contains(a.Name, "/") || !hasInitScript(a.Name) {
		return r, modules.Failf("Could not find the requested service %s: ", a.Name)
	}
	status := value.NewDict(2)
	r.Data = value.DictOf("name", a.Name, "status", status)
	if a.Enabled != nil {
		step, err := enableScript(ctx, h, a)
		status.SetString("enabled", step)
		if err != nil {
			return r, err
		}
	}
	if a.State == "" {
		return r, nil
	}
	step, err := moveScript(ctx, h, a)
	status.SetString(a.State, step)
	return r, err
}

func stepResult(changed bool, out *modules.ToolResult) *value.Dict {
	if out == nil {
		return value.DictOf("changed", changed, "rc", nil, "stdout", nil, "stderr", nil)
	}
	return value.DictOf("changed", changed, "rc", int64(out.RC), "stdout", out.Stdout, "stderr", out.Stderr)
}

func enableScript(ctx context.Context, h *modules.Host, a sysvinitArgs) (*value.Dict, error) {
	now := initEnabled(a.Name)
	if len(a.Runlevels) > 0 {
		now = *a.Enabled
		for _, l := range a.Runlevels {
			if found, _ := filepath.Glob("/etc/rc" + l + ".d/S??" + a.Name); len(found) > 0 != *a.Enabled {
				now = !*a.Enabled
			}
		}
	}
	if now == *a.Enabled {
		return stepResult(false, nil), nil
	}
	var last modules.ToolResult
	err := h.Act(func() (err error) {
		for _, argv := range enableCommands(a, h.LookPath("update-rc.d") != "") {
			if last, err = h.Tool(ctx, argv...); err != nil {
				return err
			}
			if last.RC != 0 {
				return modules.Failf("Failed to %s service: %s\n%s", argv[len(argv)-1], a.Name, last.Stderr)
			}
		}
		return nil
	})
	return stepResult(true, &last), err
}

// enableCommands are the calls for Debian's tool, or the Red Hat one.
func enableCommands(a sysvinitArgs, debian bool) [][]string {
	verb := "disable"
	if *a.Enabled {
		verb = "enable"
	}
	if !debian {
		argv := []string{"chkconfig"}
		if len(a.Runlevels) > 0 {
			argv = append(argv, "--level", strings.Join(a.Runlevels, ""))
		}
		return [][]string{append(argv, a.Name, map[bool]string{true: "on", false: "off"}[*a.Enabled])}
	}
	commands := [][]string{}
	if *a.Enabled {
		commands = append(commands, []string{"update-rc.d", a.Name, "defaults"})
	}
	return append(commands, append([]string{"update-rc.d", a.Name, verb}, a.Runlevels...))
}

func moveScript(ctx context.Context, h *modules.Host, a sysvinitArgs) (*value.Dict, error) {
	script := func(verb string) (modules.ToolResult, error) {
		return h.Tool(ctx, append([]string{"/etc/init.d/" + a.Name, verb}, strings.Fields(a.Arguments)...)...)
	}
	running, err := scriptRuns(h, a, script)
	if err != nil {
		return stepResult(false, nil), err
	}
	verbs := map[string][]string{"started": {"start"}, "stopped": {"stop"}, "restarted": {"stop", "start"}, "reloaded": {"reload"}}[a.State]
	if a.State == "started" && running || a.State == "stopped" && !running {
		return stepResult(false, nil), nil
	}
	if (a.State == "restarted" || a.State == "reloaded") && !running {
		verbs = []string{"start"}
	}
	last := modules.ToolResult{}
	err = h.Act(func() error {
		for i, verb := range verbs {
			if i > 0 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Duration(a.Sleep) * time.Second):
				}
			}
			out, err := script(verb)
			if err != nil {
				return err
			}
			last = out
			if out.RC != 0 {
				return modules.Failf("Failed to %s service: %s\n%s", verb, a.Name, out.Stderr)
			}
		}
		return nil
	})
	return stepResult(true, &last), err
}

// scriptRuns finds out whether a service runs: by a text in the process list, or from what
// its script says.
func scriptRuns(h *modules.Host, a sysvinitArgs, script func(string) (modules.ToolResult, error)) (bool, error) {
	if a.Pattern != "" {
		return processWith(a.Pattern), nil
	}
	out, err := script("status")
	if err != nil {
		return false, err
	}
	return statusRuns(out), nil
}

// statusRuns reads the answer of a script's status: its words count when they are clear,
// else the exit code.
func statusRuns(out modules.ToolResult) bool {
	text := strings.ToLower(out.Stdout)
	switch {
	case out.RC == 1 || out.RC == 2 || out.RC == 3 || out.RC == 4:
		return false
	case strings.Contains(text, "not running"), strings.Contains(text, "stopped"), strings.Contains(text, "is dead"), strings.Contains(text, "inactive"):
		return false
	}
	return out.RC == 0
}

func processWith(text string) bool {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(strings.ReplaceAll(string(b), "\x00", " "), text) {
			return true
		}
	}
	return false
}
