package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.modprobe",
		Summary: "Keep a kernel module loaded, or not.",
		Check:   modules.Full,
		Examples: `
- name: VLANs, also after a restart
  community.general.modprobe:
    name: 8021q
    persistent: present
`,
	}, modprobe)
}

type modprobeArgs struct {
	Name       string `arg:"name,required" doc:"The module."`
	State      string `arg:"state" default:"present" choices:"absent,present" doc:"Should it be loaded?"`
	Params     string `arg:"params" default:"" doc:"Its parameters."`
	Persistent string `arg:"persistent" default:"disabled" choices:"disabled,absent,present" doc:"Load it at boot, do not, or leave that alone."`
}

type modprobeReturn struct {
	Name   string `json:"name" doc:"The module." returned:"success"`
	Params string `json:"params" doc:"Its parameters." returned:"success"`
	State  string `json:"state" doc:"The state that was asked for." returned:"success"`
}

const (
	modulesLoadDir = "/etc/modules-load.d"
	modprobeDir    = "/etc/modprobe.d"
)

func modprobe(ctx context.Context, h *modules.Host, a modprobeArgs) (r modules.Result[modprobeReturn], err error) {
	r.Data = modprobeReturn{a.Name, a.Params, a.State}
	if a.Name == "" || strings.ContainsAny(a.Name, "/ \n") || strings.HasPrefix(a.Name, "-") {
		return r, modules.Failf("invalid module name %q", a.Name)
	}
	loaded, err := moduleLoaded(ctx, h, a.Name)
	if err != nil {
		return r, err
	}
	if loaded != (a.State == "present") {
		argv := []string{"modprobe", a.Name}
		if a.State == "absent" {
			argv = []string{"modprobe", "-r", a.Name}
		} else {
			argv = append(argv, strings.Fields(a.Params)...)
		}
		if err := h.Act(func() error {
			out, err := h.Tool(ctx, argv...)
			if err == nil && out.RC != 0 {
				err = modules.Failf("%s", strings.TrimSpace(out.Stderr))
			}
			return err
		}); err != nil {
			return r, err
		}
	}
	switch a.Persistent {
	case "present":
		err = persistModule(ctx, h, a)
	case "absent":
		err = forgetModule(ctx, h, a.Name)
	}
	return r, err
}

// moduleLoaded looks at the loaded modules, and at those that are part of the kernel.
func moduleLoaded(ctx context.Context, h *modules.Host, name string) (bool, error) {
	plain := strings.ReplaceAll(name, "-", "_")
	b, err := os.ReadFile("/proc/modules")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, plain+" ") {
			return true, nil
		}
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return false, nil //nolint:nilerr // then nothing is known to be built in
	}
	builtin, _ := os.ReadFile(filepath.Join("/lib/modules", strings.TrimSpace(string(release)), "modules.builtin"))
	return isBuiltin(string(builtin), plain), ctx.Err()
}

func isBuiltin(list, name string) bool {
	for line := range strings.Lines(list) {
		base := strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko")
		if strings.ReplaceAll(base, "-", "_") == name {
			return true
		}
	}
	return false
}

func persistModule(ctx context.Context, h *modules.Host, a modprobeArgs) error {
	files, _ := filepath.Glob(modulesLoadDir + "/*.conf")
	found := false
	for _, f := range append(files, "/etc/modules") {
		b, _ := os.ReadFile(f)
		if _, has := dropModule(string(b), a.Name); has {
			found = true
		}
	}
	if !found {
		if _, err := h.WriteFile(ctx, filepath.Join(modulesLoadDir, a.Name+".conf"), []byte(a.Name+"\n"), modules.Replacement{}); err != nil {
			return err
		}
	}
	if a.Params == "" {
		return nil
	}
	path := filepath.Join(modprobeDir, a.Name+".conf")
	want := ""
	for p := range strings.FieldsSeq(a.Params) {
		want += "options " + a.Name + " " + p + "\n"
	}
	if old, _ := os.ReadFile(path); string(old) == want {
		return nil
	}
	_, err := h.WriteFile(ctx, path, []byte(want), modules.Replacement{})
	return err
}

// forgetModule comments the module out wherever it is named.
func forgetModule(ctx context.Context, h *modules.Host, name string) error {
	load, _ := filepath.Glob(modulesLoadDir + "/*.conf")
	options, _ := filepath.Glob(modprobeDir + "/*.conf")
	for i, f := range append(append(load, "/etc/modules"), options...) {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		text, has := dropModule(string(b), name)
		if i > len(load) {
			text, has = dropOptions(string(b), name)
		}
		if !has {
			continue
		}
		if _, err := h.WriteFile(ctx, f, []byte(text), modules.Replacement{}); err != nil {
			return err
		}
	}
	return nil
}

func dropModule(text, name string) (string, bool) {
	return commentOut(text, func(f []string) bool { return f[0] == name })
}

func dropOptions(text, name string) (string, bool) {
	return commentOut(text, func(f []string) bool { return len(f) > 1 && f[0] == "options" && f[1] == name })
}

func commentOut(text string, match func([]string) bool) (out string, found bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") && match(f) {
			found = true
			b.WriteString("#")
		}
		b.WriteString(line)
	}
	return b.String(), found
}
