package system

import (
	"context"
	"errors"
	"os"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.hostname",
		Summary: "Set the machine's name, now and for the next start.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Notes:   []string{"/etc/hosts is not touched."},
		Examples: `
- name: The machine's name
  ansible.builtin.hostname:
    name: web1
`,
	}, hostname)
}

type hostnameArgs struct {
	Name string `arg:"name,required" doc:"The name."`
	Use  string `arg:"use" choices:"alpine,debian,freebsd,generic,macos,macosx,darwin,openbsd,openrc,redhat,sles,solaris,systemd" doc:"How to set it, instead of what suits the machine."`
}

type hostnameReturn struct {
	Name string `json:"name" doc:"The name." returned:"always"`
}

func hostname(ctx context.Context, h *modules.Host, a hostnameArgs) (r modules.Result[hostnameReturn], err error) {
	systemd := a.Use == "systemd"
	switch a.Use {
	case "":
		_, err := os.Stat("/run/systemd/system")
		systemd = err == nil && h.LookPath("hostnamectl") != ""
	case "freebsd", "macos", "macosx", "darwin", "openbsd", "solaris":
		return r, modules.Failf("use: %s is not for Linux", a.Use)
	}
	r.Data.Name = a.Name
	if a.Name == "" || strings.ContainsAny(a.Name, "\n\x00/ ") {
		return r, modules.Failf("invalid host name %q", a.Name)
	}
	current, err := os.Hostname()
	if err != nil {
		return r, err
	}
	permanent, err := permanentName()
	if err != nil {
		return r, err
	}
	if current != a.Name || permanent != a.Name {
		if current == a.Name {
			r.Diff = []modules.Diff{{Before: "hostname = " + permanent + "\n", After: "hostname = " + a.Name + "\n"}}
		} else {
			r.Diff = []modules.Diff{{Before: "hostname = " + current + "\n", After: "hostname = " + a.Name + "\n"}}
		}
	}
	if systemd {
		err = hostnamectl(ctx, h, a.Name, current != a.Name, permanent != a.Name)
	} else {
		err = plainHostname(ctx, h, a.Name, current != a.Name, permanent != a.Name)
	}
	if err != nil {
		return r, err
	}
	fqdn := fullName(ctx, h)
	if fqdn == "" {
		fqdn = a.Name
	}
	_, domain, _ := strings.Cut(fqdn, ".")
	short, _, _ := strings.Cut(a.Name, ".")
	r.Facts = value.DictOf("ansible_hostname", short, "ansible_nodename", a.Name, "ansible_fqdn", fqdn, "ansible_domain", domain)
	return r, nil
}

// permanentName is what /etc/hostname says.
func permanentName() (name string, err error) {
	b, err := os.ReadFile("/etc/hostname")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line, nil
		}
	}
	return "", nil
}

func hostnamectl(ctx context.Context, h *modules.Host, name string, current, permanent bool) error {
	for _, c := range []struct {
		on   bool
		flag string
	}{{current, "--transient"}, {permanent, "--static"}} {
		if !c.on {
			continue
		}
		if err := h.Act(func() error {
			if len(name) > 64 {
				return modules.Failf("name cannot be longer than 64 characters on systemd servers, try a shorter name")
			}
			out, err := h.Tool(ctx, "hostnamectl", c.flag, "set-hostname", name)
			if err == nil && out.RC != 0 {
				err = modules.Failf("Command failed rc=%d, out=%s, err=%s", out.RC, out.Stdout, out.Stderr)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func plainHostname(ctx context.Context, h *modules.Host, name string, current, permanent bool) error {
	if permanent {
		if _, err := h.WriteFile(ctx, "/etc/hostname", []byte(name+"\n"), modules.Replacement{}); err != nil {
			return err
		}
	}
	if !current {
		return nil
	}
	return h.Act(func() error {
		out, err := h.Tool(ctx, "hostname", name)
		if err == nil && out.RC != 0 {
			err = modules.Failf("Command failed rc=%d, out=%s, err=%s", out.RC, out.Stdout, out.Stderr)
		}
		return err
	})
}

func fullName(ctx context.Context, h *modules.Host) string {
	out, err := h.Tool(ctx, "hostname", "-f")
	if err != nil || out.RC != 0 {
		return ""
	}
	return strings.TrimSpace(out.Stdout)
}
