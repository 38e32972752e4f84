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
		Name:    "community.general.locale_gen",
		Summary: "Keep locales made, or not, with locale-gen.",
		Check:   modules.Full,
		Notes:   []string{"Works through /etc/locale.gen, as Debian has it."},
		Examples: `
- name: British English
  community.general.locale_gen:
    name: en_GB.UTF-8
`,
	}, localeGen)
}

type localeGenArgs struct {
	Name  []string `arg:"name,required" elements:"str" doc:"The locales."`
	State string   `arg:"state" default:"present" choices:"absent,present" doc:"Should they be there?"`
}

type localeGenReturn struct {
	Mechanism string `json:"mechanism" doc:"How it was done: glibc." returned:"success"`
}

const localeGenFile = "/etc/locale.gen"

func localeGen(ctx context.Context, h *modules.Host, a localeGenArgs) (r modules.Result[localeGenReturn], err error) {
	r.Data.Mechanism = "glibc"
	b, err := os.ReadFile(localeGenFile)
	if errors.Is(err, os.ErrNotExist) {
		return r, modules.Failf("%s does not exist: is the package locales installed?", localeGenFile)
	}
	if err != nil {
		return r, err
	}
	supported, _ := os.ReadFile("/usr/share/i18n/SUPPORTED")
	out, err := h.Tool(ctx, "locale", "-a")
	if err != nil {
		return r, err
	}
	made := strings.Fields(out.Stdout)
	want := a.State == "present"
	text, changed := string(b), false
	for _, name := range a.Name {
		if !strings.Contains("\n"+string(supported)+"\n"+text, name) {
			return r, modules.Failf("The following locales are not available on your system: %s", name)
		}
		if slices.Contains(made, localeKey(name)) != want {
			changed = true
			text = editLocaleGen(text, name, want)
		}
	}
	if !changed {
		return r, nil
	}
	if text != string(b) {
		if _, err := h.WriteFile(ctx, localeGenFile, []byte(text), modules.Replacement{}); err != nil {
			return r, err
		}
	}
	return r, h.Act(func() error {
		out, err := h.Tool(ctx, "locale-gen")
		if err == nil && out.RC != 0 {
			err = modules.Failf("locale-gen: %s", strings.TrimSpace(out.Stderr+out.Stdout))
		}
		return err
	})
}

// localeKey writes a locale as locale -a lists it: the character set small, without dashes.
func localeKey(name string) string {
	base, set, ok := strings.Cut(name, ".")
	if !ok {
		return name
	}
	set, modifier, has := strings.Cut(set, "@")
	name = base + "." + strings.ReplaceAll(strings.ToLower(set), "-", "")
	if has {
		name += "@" + modifier
	}
	return name
}

// editLocaleGen takes the comment sign off the line of a locale, or puts one there.
func editLocaleGen(text, name string, want bool) string {
	var b strings.Builder
	found := false
	for line := range strings.Lines(text) {
		f := strings.Fields(strings.TrimLeft(line, "# \t"))
		if len(f) == 2 && f[0] == name {
			found = true
			line = f[0] + " " + f[1] + "\n"
			if !want {
				line = "# " + line
			}
		}
		b.WriteString(line)
	}
	if !found && want {
		_, set, _ := strings.Cut(name, ".")
		set, _, _ = strings.Cut(set, "@")
		if set == "" {
			set = "ISO-8859-1"
		}
		b.WriteString(name + " " + set + "\n")
	}
	return b.String()
}
