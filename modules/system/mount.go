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
		Name:    "ansible.posix.mount",
		Summary: "Keep a file system mounted, and in fstab, or not.",
		Check:   modules.Full,
		Rules: modules.Rules{
			modules.RequiredIf("state", "mounted", "src", "fstype"), modules.RequiredIf("state", "present", "src", "fstype"),
			modules.RequiredIf("state", "ephemeral", "src", "fstype"),
		},
		Examples: `
- name: The data disk
  ansible.posix.mount:
    path: /srv/data
    src: LABEL=data
    fstype: ext4
    opts: noatime
    state: mounted
`,
	}, mount)
}

type mountArgs struct {
	Path      string `arg:"path,required" alias:"name" type:"path" doc:"Where it is mounted."`
	Src       string `arg:"src" type:"path" doc:"What is mounted: a device, UUID=, LABEL=, an address."`
	FSType    string `arg:"fstype" doc:"Kind of file system."`
	Opts      string `arg:"opts" doc:"Mount options."`
	OptsNoLog bool   `arg:"opts_no_log" default:"false" doc:"Do not show the options."`
	Dump      string `arg:"dump" default:"0" doc:"Fifth field of fstab."`
	PassNo    string `arg:"passno" default:"0" doc:"Sixth field of fstab."`
	State     string `arg:"state,required" choices:"absent,absent_from_fstab,mounted,present,unmounted,remounted,ephemeral" doc:"mounted and unmounted are about now, present about fstab, absent about both."`
	Fstab     string `arg:"fstab" doc:"Another file than /etc/fstab."`
	Boot      bool   `arg:"boot" default:"true" doc:"Mount it at boot."`
	Backup    bool   `arg:"backup" default:"false" doc:"Keep a copy of the old fstab."`
}

type mountReturn struct {
	Name       string `json:"name" doc:"Where it is mounted." returned:"success"`
	Src        string `json:"src,omitempty" doc:"What is mounted." returned:"src given"`
	FSType     string `json:"fstype,omitempty" doc:"Kind of file system." returned:"fstype given"`
	Opts       string `json:"opts,omitempty" doc:"Options in fstab." returned:"success"`
	Dump       string `json:"dump" doc:"Fifth field." returned:"success"`
	PassNo     string `json:"passno" doc:"Sixth field." returned:"success"`
	Fstab      string `json:"fstab" doc:"The file." returned:"success"`
	Boot       string `json:"boot" doc:"Mounted at boot?" returned:"success"`
	BackupFile string `json:"backup_file" doc:"Copy of the old file." returned:"success"`
}

// mountTask is one call.
type mountTask struct {
	h       *modules.Host
	a       *mountArgs
	out     *mountReturn
	mounted bool
}

func mount(ctx context.Context, h *modules.Host, a mountArgs) (r modules.Result[mountReturn], err error) {
	if a.Path != "/" {
		a.Path = strings.TrimRight(a.Path, "/")
	}
	if a.Fstab == "" {
		a.Fstab = "/etc/fstab"
	}
	opts := a.Opts
	if opts == "" {
		opts = "defaults"
	}
	if !a.Boot && !strings.Contains(","+opts+",", ",noauto,") {
		opts += ",noauto"
	}
	a.Opts = opts
	t := &mountTask{h: h, a: &a, out: &r.Data}
	r.Data = mountReturn{Name: a.Path, Src: a.Src, FSType: a.FSType, Opts: opts, Dump: a.Dump, PassNo: a.PassNo, Fstab: a.Fstab, Boot: "yes"}
	if !a.Boot {
		r.Data.Boot = "no"
	}
	if a.OptsNoLog {
		r.Data.Opts = modules.NoLogText
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return r, err
	}
	t.mounted = isMounted(string(info), a.Path)
	return r, t.converge(ctx)
}

func (t *mountTask) converge(ctx context.Context) error {
	switch t.a.State {
	case "present":
		_, err := t.fstab(ctx, false)
		return err
	case "absent_from_fstab":
		_, err := t.fstab(ctx, true)
		return err
	case "unmounted":
		if t.mounted {
			return t.act(ctx, "umount", t.a.Path)
		}
		return nil
	case "absent":
		return t.absent(ctx)
	case "remounted":
		if !t.mounted {
			return modules.Failf("Error remounting %s: it is not mounted", t.a.Path)
		}
		return t.act(ctx, "mount", "-o", "remount", t.a.Path)
	case "ephemeral":
		if t.mounted {
			return t.act(ctx, "mount", "-o", "remount,"+t.a.Opts, t.a.Path)
		}
		if err := t.mountPoint(); err != nil {
			return err
		}
		return t.act(ctx, "mount", "-t", t.a.FSType, "-o", t.a.Opts, "--", t.a.Src, t.a.Path)
	}
	return t.mountNow(ctx)
}

func (t *mountTask) absent(ctx context.Context) error {
	if _, err := t.fstab(ctx, true); err != nil {
		return err
	}
	if t.mounted {
		if err := t.act(ctx, "umount", t.a.Path); err != nil {
			return err
		}
	}
	if !modules.Exists(t.a.Path) {
		return nil
	}
	return t.h.Act(func() error {
		if err := os.Remove(t.a.Path); err != nil {
			return modules.Failf("Error rmdir %s: %v", t.a.Path, err)
		}
		return nil
	})
}

func (t *mountTask) mountNow(ctx context.Context) error {
	if !t.mounted {
		if err := t.mountPoint(); err != nil {
			return err
		}
	}
	changed, err := t.fstab(ctx, false)
	if err != nil {
		return err
	}
	argv := []string{"mount"}
	if t.a.Fstab != "/etc/fstab" {
		argv = append(argv, "-T", t.a.Fstab)
	}
	switch {
	case t.mounted && changed:
		return t.act(ctx, append(argv, "-o", "remount", t.a.Path)...)
	case !t.mounted:
		return t.act(ctx, append(argv, t.a.Path)...)
	}
	return nil
}

func (t *mountTask) mountPoint() error {
	if modules.Exists(t.a.Path) {
		return nil
	}
	return t.h.Act(func() error {
		if err := os.MkdirAll(t.a.Path, 0o755); err != nil { //nolint:gosec // as Ansible makes it
			return modules.Failf("Error making dir %s: %v", t.a.Path, err)
		}
		return nil
	})
}

func (t *mountTask) act(ctx context.Context, argv ...string) error {
	return t.h.Act(func() error {
		out, err := t.h.Tool(ctx, argv...)
		if err == nil && out.RC != 0 {
			err = modules.Failf("Error %sing %s: %s", strings.TrimSuffix(argv[0], "e"), t.a.Path, strings.TrimSpace(out.Stderr+out.Stdout))
		}
		return err
	})
}

// fstab brings the file to what is wanted and tells whether it changed.
func (t *mountTask) fstab(ctx context.Context, remove bool) (bool, error) {
	b, err := os.ReadFile(t.a.Fstab)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	text := editFstab(string(b), t.a, remove)
	if text == string(b) {
		return false, nil
	}
	t.out.BackupFile, err = t.h.WriteFile(ctx, modules.RealPath(t.a.Fstab), []byte(text), modules.Replacement{Backup: t.a.Backup})
	return true, err
}

// editFstab changes, adds or removes the lines of the mount point; for swap, of the device.
func editFstab(old string, a *mountArgs, remove bool) string {
	fields := []string{fstabField(a.Src), fstabField(a.Path), a.FSType, a.Opts, a.Dump, a.PassNo}
	want := strings.Join(fields, " ") + "\n"
	var b strings.Builder
	found := false
	for line := range strings.Lines(old) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") || f[1] != fields[1] || (f[1] == "none" || f[1] == "swap") && f[0] != fields[0] {
			b.WriteString(line)
			continue
		}
		switch {
		case remove:
		case found: // a second line for the same place stays
			b.WriteString(line)
		case len(f) >= 4 && f[0] == fields[0] && f[2] == fields[2] && f[3] == fields[3] && fieldOr(f, 4) == a.Dump && fieldOr(f, 5) == a.PassNo:
			b.WriteString(line)
		default:
			b.WriteString(want)
		}
		found = true
	}
	if found || remove {
		return b.String()
	}
	text := b.String()
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + want
}

func fieldOr(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return "0"
}

func fstabField(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`).Replace(s)
}

// isMounted looks a mount point up in /proc/self/mountinfo.
func isMounted(info, path string) bool {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	for line := range strings.Lines(info) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == fstabField(path) {
			return true
		}
	}
	return false
}
