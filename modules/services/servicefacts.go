package services

import (
	"context"
	"os"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.service_facts",
		Summary: "Gather what services there are, and their states, as the fact services.",
		Check:   modules.Full,
		Examples: `
- name: What runs here?
  ansible.builtin.service_facts:
`,
	}, serviceFacts)
}

type serviceFactsArgs struct{}

func serviceFacts(ctx context.Context, h *modules.Host, _ serviceFactsArgs) (r modules.Result[*value.Dict], err error) {
	services := value.NewDict(128)
	if h.LookPath("service") != "" {
		out, err := h.Tool(ctx, "service", "--status-all")
		if err != nil {
			return r, err
		}
		initServices(services, out.Stdout+"\n"+out.Stderr)
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		if err := systemdServices(ctx, h, services); err != nil {
			return r, err
		}
	}
	if services.Len() == 0 {
		r.Skipped, r.Msg = true, "Failed to find any services. This can be due to privileges or some other configuration issue."
		return r, nil
	}
	r.Facts = value.DictOf("services", services)
	return r, nil
}

// initServices reads "[ + ]  name" lines; those with a question mark say nothing.
func initServices(services *value.Dict, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != "[" || f[2] != "]" || f[1] != "+" && f[1] != "-" {
			continue
		}
		state := "running"
		if f[1] == "-" {
			state = "stopped"
		}
		services.SetString(f[3], value.DictOf("name", f[3], "state", state, "source", "sysv"))
	}
}

func systemdServices(ctx context.Context, h *modules.Host, services *value.Dict) error {
	units, err := h.Tool(ctx, "systemctl", "list-units", "--no-pager", "--type", "service", "--all", "--plain", "--no-legend")
	if err != nil {
		return err
	}
	loadedUnits(services, units.Stdout)
	files, err := h.Tool(ctx, "systemctl", "list-unit-files", "--no-pager", "--type", "service", "--all", "--no-legend")
	if err != nil {
		return err
	}
	ask := unitFiles(services, files.Stdout)
	if len(ask) == 0 {
		return nil
	}
	shown, err := h.Tool(ctx, append([]string{"systemctl", "show", "--property=ActiveState", "--"}, ask...)...)
	if err != nil {
		return err
	}
	var states []string
	for line := range strings.Lines(shown.Stdout) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "ActiveState="); ok {
			states = append(states, v)
		}
	}
	if len(states) == len(ask) {
		for i, name := range ask {
			d, _ := services.GetString(name)
			d.(*value.Dict).SetString("state", states[i])
		}
	}
	return nil
}

// loadedUnits reads what list-units prints: UNIT LOAD ACTIVE SUB DESCRIPTION.
func loadedUnits(services *value.Dict, text string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(strings.TrimLeft(line, "● *"))
		if len(f) < 4 || !strings.HasSuffix(f[0], ".service") {
			continue
		}
		state, status := "stopped", f[2]
		if f[3] == "running" {
			state = "running"
		}
		for _, bad := range badStates {
			if f[1] == bad || f[2] == bad || f[3] == bad {
				status = bad
				break
			}
		}
		services.SetString(f[0], systemdEntry(f[0], state, status))
	}
}

var badStates = []string{"not-found", "masked", "failed"}

func systemdEntry(name, state, status string) *value.Dict {
	return value.DictOf("name", name, "state", state, "status", status, "source", "systemd")
}

// unitFiles adds what list-unit-files prints: FILE STATE PRESET. It returns the units that
// are not loaded and can be asked for.
func unitFiles(services *value.Dict, text string) (ask []string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasSuffix(f[0], ".service") {
			continue
		}
		name, status := f[0], f[1]
		if known, ok := services.GetString(name); ok {
			d := known.(*value.Dict)
			if now, _ := d.GetString("status"); now != "not-found" && now != "masked" && now != "failed" {
				d.SetString("status", status)
			}
			continue
		}
		services.SetString(name, systemdEntry(name, "unknown", status))
		if !strings.HasSuffix(name, "@.service") {
			ask = append(ask, name)
		}
	}
	return ask
}
