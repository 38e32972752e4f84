package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.timezone",
		Summary: "Set the machine's time zone, and what its clock keeps.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.OneOf("hwclock", "name")},
		Examples: `
- name: Vienna
  community.general.timezone:
    name: Europe/Vienna
`,
	}, timezone)
}

type timezoneArgs struct {
	Name    string `arg:"name" doc:"The zone, as Europe/Vienna."`
	HWClock string `arg:"hwclock" alias:"rtc" choices:"local,UTC" doc:"What the hardware clock keeps."`
}

const (
	localTime = "/etc/localtime"
	zoneDir   = "/usr/share/zoneinfo/"
)

func timezone(ctx context.Context, h *modules.Host, a timezoneArgs) (r modules.Result[struct{}], err error) {
	before, after := value.NewDict(2), value.NewDict(2)
	if a.Name != "" {
		if strings.Contains(a.Name, "..") || strings.HasPrefix(a.Name, "-") || !modules.Exists(zoneDir+a.Name) {
			return r, modules.Failf("the time zone %s is not known here: there is no %s", a.Name, zoneDir+a.Name)
		}
		before.SetString("name", zoneNow())
		after.SetString("name", a.Name)
	}
	if a.HWClock != "" {
		before.SetString("hwclock", clockNow())
		after.SetString("hwclock", a.HWClock)
	}
	r.Diff = []modules.Diff{{Before: before, After: after}}
	_, booted := os.Stat("/run/systemd/system")
	systemd := booted == nil && h.LookPath("timedatectl") != ""
	if was, _ := before.GetString("name"); a.Name != "" && was != a.Name {
		if err := h.Act(func() error { return setZone(ctx, h, a.Name, systemd) }); err != nil {
			return r, err
		}
	}
	if was, _ := before.GetString("hwclock"); a.HWClock != "" && was != a.HWClock {
		if err := h.Act(func() error { return setClock(ctx, h, a.HWClock, systemd) }); err != nil {
			return r, err
		}
	}
	return r, nil
}

// zoneNow is the zone that /etc/localtime leads to.
func zoneNow() string {
	target, err := os.Readlink(localTime)
	if err != nil {
		b, _ := os.ReadFile("/etc/timezone")
		return strings.TrimSpace(string(b))
	}
	if _, zone, ok := strings.Cut(target, "zoneinfo/"); ok {
		return zone
	}
	return target
}

// clockNow is what the third line of /etc/adjtime says.
func clockNow() string {
	b, _ := os.ReadFile("/etc/adjtime")
	if lines := strings.Split(string(b), "\n"); len(lines) > 2 && strings.TrimSpace(lines[2]) == "LOCAL" {
		return "local"
	}
	return "UTC"
}

func setZone(ctx context.Context, h *modules.Host, name string, systemd bool) error {
	if systemd {
		return tool(ctx, h, "timedatectl", "set-timezone", name)
	}
	temp := filepath.Join(filepath.Dir(localTime), ".localtime.fettle")
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(zoneDir+name, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, localTime); err != nil {
		_ = os.Remove(temp)
		return err
	}
	if modules.Exists("/etc/timezone") {
		_, err := h.WriteFile(ctx, "/etc/timezone", []byte(name+"\n"), modules.Replacement{})
		return err
	}
	return nil
}

func setClock(ctx context.Context, h *modules.Host, keeps string, systemd bool) error {
	if systemd {
		return tool(ctx, h, "timedatectl", "set-local-rtc", map[string]string{"local": "yes", "UTC": "no"}[keeps])
	}
	return tool(ctx, h, "hwclock", "--systohc", map[string]string{"local": "--localtime", "UTC": "--utc"}[keeps])
}

// tool calls a program that must succeed.
func tool(ctx context.Context, h *modules.Host, argv ...string) error {
	out, err := h.Tool(ctx, argv...)
	if err == nil && out.RC != 0 {
		err = modules.Failf("%s: %s", modules.Sh(argv...), strings.TrimSpace(out.Stderr+out.Stdout))
	}
	return err
}
