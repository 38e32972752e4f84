// Package applications holds modules for single applications and their tools: Apache, npm,
// make, git's configuration.
package applications

import (
	"context"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.apache2_module",
		Extra:   true,
		Summary: "Keep a module of Apache enabled or disabled, with a2enmod and a2dismod.",
		Check:   modules.Full,
		Examples: `
- name: Rewriting of addresses
  community.general.apache2_module:
    name: rewrite
    state: present
`,
	}, apache2Module)
}

type apache2ModuleArgs struct {
	Name              string `arg:"name,required" doc:"Name of the module, as a2enmod takes it."`
	State             string `arg:"state" default:"present" choices:"present,absent" doc:"Shall it be enabled?"`
	Identifier        string `arg:"identifier" doc:"Its name in the list of apache2ctl -M, where that cannot be guessed."`
	Force             bool   `arg:"force" default:"false" doc:"Disable what Debian needs, too."`
	IgnoreConfigcheck bool   `arg:"ignore_configcheck" default:"false" doc:"Go on when the configuration is not valid."`
	WarnMPMAbsent     bool   `arg:"warn_mpm_absent" default:"true" doc:"Warn when no module for processing is loaded."`
}

type apache2ModuleReturn struct {
	Result string  `json:"result,omitempty" doc:"What is true now." returned:"success"`
	RC     *int    `json:"rc,omitempty" doc:"Exit code." returned:"failure"`
	Stdout *string `json:"stdout,omitempty" doc:"Output." returned:"failure"`
	Stderr *string `json:"stderr,omitempty" doc:"Error output." returned:"failure"`
}

func apache2Module(ctx context.Context, h *modules.Host, a apache2ModuleArgs) (r modules.Result[apache2ModuleReturn], err error) {
	control := "apache2ctl"
	if h.LookPath(control) == "" {
		if control = "apachectl"; h.LookPath(control) == "" {
			return r, modules.Failf("Neither of apache2ctl nor apachctl found. At least one apache control binary is necessary.")
		}
	}
	if a.Name == "cgi" {
		out, err := h.Tool(ctx, control, "-V")
		if err != nil {
			return r, err
		}
		if threaded(out.Stdout) {
			return r, modules.Failf("Your MPM seems to be threaded. No automatic actions on module cgi possible.")
		}
	}
	if a.Identifier == "" {
		a.Identifier = apacheIdentifier(a.Name)
	}
	want := a.State == "present"
	word, program := "enabled", "a2enmod"
	if !want {
		word, program = "disabled", "a2dismod"
	}
	r.Data.Result = "Module " + a.Name + " " + word
	now, err := a.enabled(ctx, h, control)
	if err != nil || now == want {
		return r, err
	}
	if h.LookPath(program) == "" {
		if h.Check {
			h.MarkChanged()
			return r, nil
		}
		return r, modules.Failf("%[1]s not found. Perhaps this system does not use %[1]s to manage apache", program)
	}
	return r, h.Act(func() error { return a.change(ctx, h, control, program, word, &r.Data) })
}

func (a *apache2ModuleArgs) change(ctx context.Context, h *modules.Host, control, program, word string, data *apache2ModuleReturn) error {
	argv := []string{program}
	if a.Force && a.State == "absent" {
		argv = append(argv, "-f")
	}
	out, err := h.Tool(ctx, append(argv, a.Name)...)
	if err != nil {
		return err
	}
	now, err := a.enabled(ctx, h, control)
	if err != nil || now == (a.State == "present") {
		return err
	}
	*data = apache2ModuleReturn{RC: &out.RC, Stdout: &out.Stdout, Stderr: &out.Stderr}
	return modules.Failf("Failed to set module %s to %s:\n%s\nMaybe the module identifier (%s) was guessed incorrectly.Consider setting the \"identifier\" option.",
		a.Name, word, out.Stdout, a.Identifier)
}

// enabled asks Apache what it loads.
func (a *apache2ModuleArgs) enabled(ctx context.Context, h *modules.Host, control string) (bool, error) {
	out, err := h.Tool(ctx, control, "-M")
	if err != nil {
		return false, err
	}
	if out.RC == 0 {
		return strings.Contains(out.Stdout, " "+a.Identifier), nil
	}
	problem := "Error executing " + h.LookPath(control) + ": " + out.Stderr
	switch {
	case !a.IgnoreConfigcheck:
		return false, modules.Failf("%s", problem)
	case !strings.Contains(out.Stderr, "AH00534") || !strings.Contains(a.Name, "mpm_"):
		h.Warn("%s", problem)
	case a.WarnMPMAbsent:
		h.Warn("No MPM module loaded! apache2 reload AND other module actions will fail if no MPM module is loaded immediately.")
	}
	return false, nil
}

func threaded(version string) bool {
	_, after, ok := strings.Cut(version, "threaded:")
	return ok && strings.HasPrefix(strings.TrimLeft(after, " "), "yes")
}

// apacheIdentifier guesses what a module is called in the list of loaded ones.
func apacheIdentifier(name string) string {
	switch {
	case strings.Contains(name, "shib"):
		return "mod_shib"
	case strings.Contains(name, "evasive"):
		return "evasive20_module"
	case len(name) > 4 && strings.HasPrefix(name, "php") && name[3] >= '0' && name[3] <= '9' && name[4] == '.':
		return name[:4] + "_module"
	}
	return name + "_module"
}
