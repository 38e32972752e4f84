package system

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.posix.sysctl",
		Summary: "Keep a kernel parameter in a sysctl file, and in the kernel.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.RequiredIf("state", "present", "value")},
		Examples: `
- name: Forward packets, from now on
  ansible.posix.sysctl:
    name: net.ipv4.ip_forward
    value: "1"
    sysctl_set: true
    sysctl_file: /etc/sysctl.d/60-forward.conf
`,
	}, sysctl)
}

type sysctlArgs struct {
	Name         string  `arg:"name,required" alias:"key" doc:"The parameter, with dots."`
	Value        *string `arg:"value" alias:"val" doc:"Its value."`
	State        string  `arg:"state" default:"present" choices:"present,absent" doc:"Should it be in the file?"`
	Reload       bool    `arg:"reload" default:"true" doc:"Have the file read after a change."`
	Set          bool    `arg:"sysctl_set" default:"false" doc:"Compare with the running kernel, and set it there."`
	IgnoreErrors bool    `arg:"ignoreerrors" default:"false" doc:"Pass over parameters the kernel does not know."`
	File         string  `arg:"sysctl_file" type:"path" default:"/etc/sysctl.conf" doc:"The file."`
}

type sysctlReturn struct{}

func sysctl(ctx context.Context, h *modules.Host, a sysctlArgs) (r modules.Result[sysctlReturn], err error) {
	if a.Name = strings.TrimSpace(a.Name); a.Name == "" {
		return r, modules.Failf("name cannot be blank")
	}
	if a.State == "present" {
		if *a.Value = sysctlValue(*a.Value); *a.Value == "" {
			return r, modules.Failf("value cannot be blank")
		}
	}
	old, err := os.ReadFile(a.File)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, modules.Failf("Failed to open %s: %v", a.File, err)
	}
	text, edited := editSysctl(string(old), a)
	if a.Set && a.State == "present" {
		if err := setKernel(ctx, h, a); err != nil {
			return r, err
		}
	}
	if edited {
		r.Diff = []modules.Diff{{Before: string(old), After: text, BeforeHeader: a.File, AfterHeader: a.File}}
		target := modules.RealPath(a.File)
		if _, err := h.WriteFile(ctx, target, []byte(text), modules.Replacement{}); err != nil {
			return r, err
		}
	}
	if h.Changed() && a.Reload && !h.Check {
		return r, reloadSysctl(ctx, h, a)
	}
	return r, nil
}

// sysctlValue writes yes and no as the kernel does.
func sysctlValue(v string) string {
	v = strings.TrimSpace(v)
	switch strings.ToLower(v) {
	case "y", "yes", "on", "true", "t":
		return "1"
	case "n", "no", "off", "false", "f":
		return "0"
	}
	return v
}

// sysctlPair splits a line NAME=VALUE; comments and other lines are not ok.
func sysctlPair(line string) (name, v string, ok bool) {
	t := strings.TrimSpace(line)
	if t == "" || t[0] == '#' || t[0] == ';' {
		return "", "", false
	}
	name, v, ok = strings.Cut(t, "=")
	return strings.TrimSpace(name), strings.TrimSpace(v), ok
}

// editSysctl brings the text of a sysctl file to what is wanted. A file that has to be
// changed loses repeated settings and gets all of them as NAME=VALUE.
func editSysctl(old string, a sysctlArgs) (text string, edited bool) {
	current, have := "", false
	for line := range strings.Lines(old) {
		if n, v, ok := sysctlPair(line); ok && n == a.Name {
			current, have = v, true
		}
	}
	if a.State == "absent" && !have || a.State == "present" && have && current == *a.Value {
		return old, false
	}
	var b strings.Builder
	var seen []string
	for line := range strings.Lines(old) {
		n, v, ok := sysctlPair(line)
		switch {
		case !ok:
			b.WriteString(strings.TrimRight(line, "\n") + "\n")
			continue
		case slices.Contains(seen, n), n == a.Name && a.State == "absent":
		case n == a.Name:
			b.WriteString(n + "=" + *a.Value + "\n")
		default:
			b.WriteString(n + "=" + v + "\n")
		}
		seen = append(seen, n)
	}
	if a.State == "present" && !slices.Contains(seen, a.Name) {
		b.WriteString(a.Name + "=" + *a.Value + "\n")
	}
	return b.String(), true
}

func setKernel(ctx context.Context, h *modules.Host, a sysctlArgs) error {
	now, err := h.Tool(ctx, "sysctl", "-e", "-n", "--", a.Name)
	if err != nil {
		return err
	}
	if now.RC == 0 && now.Stdout != "" && slices.Equal(strings.Fields(now.Stdout), strings.Fields(*a.Value)) {
		return nil
	}
	return h.Act(func() error {
		argv := []string{"sysctl"}
		if a.IgnoreErrors {
			argv = append(argv, "-e")
		}
		out, err := h.Tool(ctx, append(argv, "-w", a.Name+"="+*a.Value)...)
		if err == nil && (out.RC != 0 || strings.Contains(out.Stderr, "error setting key")) && !a.IgnoreErrors {
			err = modules.Failf("setting %s failed: %s%s", a.Name, out.Stdout, out.Stderr)
		}
		return err
	})
}

func reloadSysctl(ctx context.Context, h *modules.Host, a sysctlArgs) error {
	argv := []string{"sysctl"}
	if a.IgnoreErrors {
		argv = append(argv, "-e")
	}
	out, err := h.Tool(ctx, append(argv, "-p", a.File)...)
	if err == nil && (out.RC != 0 || strings.Contains(out.Stderr, "error setting key")) && !a.IgnoreErrors {
		err = modules.Failf("Failed to reload sysctl: %s%s", out.Stdout, out.Stderr)
	}
	return err
}
