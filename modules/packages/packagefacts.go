package packages

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.package_facts",
		Summary: "Gather what packages are installed, as the fact packages.",
		Check:   modules.Full,
		Notes:   []string{"apt, rpm and apk are supported."},
		Examples: `
- name: Which packages are there?
  ansible.builtin.package_facts:

- name: Only when the web server is installed
  ansible.builtin.debug:
    msg: nginx is there
  when: "'nginx' in ansible_facts.packages"
`,
	}, packageFacts)
}

type packageFactsArgs struct {
	Manager  []string `arg:"manager" default:"auto" elements:"str" choices:"apk,apt,auto,dnf,dnf5,openbsd_pkg,pacman,pkg,pkg5,pkg_info,pkgng,portage,rpm,yum,zypper" doc:"Package managers to ask."`
	Strategy string   `arg:"strategy" default:"first" choices:"all,first" doc:"Ask the first one found, or all."`
}

func packageFacts(ctx context.Context, h *modules.Host, a packageFactsArgs) (r modules.Result[struct{}], err error) {
	wanted := a.Manager
	if slices.Contains(wanted, "auto") {
		wanted = []string{"apt", "rpm", "apk"}
	}
	all := value.NewDict(256)
	found := 0
	for _, m := range wanted {
		list, known := map[string]func(context.Context, *modules.Host, *value.Dict) error{"apt": aptFacts, "rpm": rpmFacts, "dnf": rpmFacts,
			"dnf5": rpmFacts, "yum": rpmFacts, "zypper": rpmFacts, "apk": apkFacts}[m]
		if !known {
			return r, modules.Failf("the package manager %q is not supported", m)
		}
		if !hasManager(h, m) {
			if len(a.Manager) > 0 && !slices.Contains(a.Manager, "auto") {
				h.Warn("%s", whyNot(ctx, h, m))
			}
			continue
		}
		if err := list(ctx, h, all); err != nil {
			return r, err
		}
		if found++; a.Strategy == "first" {
			break
		}
	}
	if found == 0 {
		return r, modules.Failf("Could not detect a supported package manager from the following list: %s", value.Repr(listOf(wanted)))
	}
	r.Facts = value.DictOf("packages", all)
	return r, nil
}

// whyNot tells why a manager that was asked for is of no use.
func whyNot(ctx context.Context, h *modules.Host, m string) string {
	if m == "apk" && h.LookPath("apk") != "" {
		if out, err := h.Tool(ctx, "apk", "info", "-v"); err == nil {
			return fmt.Sprintf("Failed to retrieve packages with apk: Unable to list packages rc=%d : %s", out.RC, out.Stderr)
		}
	}
	return fmt.Sprintf("Requested package manager %s was not usable by this module: there is none", m)
}

func listOf(words []string) *value.List {
	l := &value.List{}
	for _, w := range words {
		l.V = append(l.V, w)
	}
	return l
}

func hasManager(h *modules.Host, m string) bool {
	switch m {
	case "apt":
		_, err := os.Stat(dpkgStatusFile)
		return err == nil
	case "apk":
		_, err := os.Stat("/lib/apk/db/installed")
		return err == nil
	}
	return h.LookPath("rpm") != ""
}

func addFact(all *value.Dict, name string, d *value.Dict) {
	if old, ok := all.GetString(name); ok {
		l := old.(*value.List)
		l.V = append(l.V, d)
		return
	}
	all.SetString(name, value.NewList(d))
}

func aptFacts(ctx context.Context, h *modules.Host, all *value.Dict) error {
	db, err := readDpkg(ctx, h)
	if err != nil {
		return err
	}
	var names, full []string
	for name, versions := range db.byName {
		for _, p := range versions {
			if p.installed() {
				names = append(names, name)
				full = append(full, name+":"+p.Arch)
				break
			}
		}
	}
	slices.Sort(names)
	origins := aptOrigins(ctx, h, full)
	for _, name := range names {
		for _, p := range db.byName[name] {
			if p.installed() {
				addFact(all, name, value.DictOf("name", name, "version", p.Version, "arch", p.Arch, "category", p.Section, "origin", origins[name], "source", "apt"))
			}
		}
	}
	return nil
}

// aptOrigins asks apt where installed packages come from. Without apt they come from
// nowhere.
func aptOrigins(ctx context.Context, h *modules.Host, names []string) map[string]string {
	if h.LookPath("apt-cache") == "" || len(names) == 0 {
		return nil
	}
	sources, err := h.Tool(ctx, "apt-cache", "policy")
	if err != nil || sources.RC != 0 {
		return nil
	}
	slices.Sort(names)
	policy, err := h.Tool(ctx, append([]string{"apt-cache", "policy", "--"}, names...)...)
	if err != nil || policy.RC != 0 {
		return nil
	}
	return originsOf(policy.Stdout, releaseOrigins(sources.Stdout))
}

// releaseOrigins reads apt-cache policy without packages: a source line, then its release.
func releaseOrigins(text string) map[string]string {
	found := map[string]string{}
	source := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && strings.Trim(f[0], "-0123456789") == "":
			source = strings.Join(f[1:], " ")
		case len(f) > 1 && f[0] == "release":
			for part := range strings.SplitSeq(strings.Join(f[1:], " "), ",") {
				if o, ok := strings.CutPrefix(part, "o="); ok {
					found[source] = o
				}
			}
		}
	}
	return found
}

// originsOf reads the version tables: the first source below the installed version.
func originsOf(text string, releases map[string]string) map[string]string {
	found := map[string]string{}
	name, installed := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line != "" && line[0] != ' ':
			name, installed = strings.TrimSuffix(line, ":"), false
			name, _, _ = strings.Cut(name, ":")
		case strings.HasPrefix(line, " *** "):
			installed = true
		case installed && strings.HasPrefix(line, "        "):
			_, source, _ := strings.Cut(strings.TrimSpace(line), " ")
			found[name] = releases[strings.TrimSpace(source)]
			installed = false
		case strings.HasPrefix(line, "     "):
			installed = false
		}
	}
	return found
}

func rpmFacts(ctx context.Context, h *modules.Host, all *value.Dict) error {
	out, err := h.Tool(ctx, "rpm", "-qa", "--qf", `%{NAME}\t%{VERSION}\t%{RELEASE}\t%{EPOCH}\t%{ARCH}\n`)
	if err != nil {
		return err
	}
	if out.RC != 0 {
		return modules.Failf("rpm: %s", strings.TrimSpace(out.Stderr))
	}
	for line := range strings.Lines(out.Stdout) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 {
			continue
		}
		var epoch, arch value.Value
		if f[3] != "(none)" {
			epoch = toInt(f[3])
		}
		if f[4] != "(none)" {
			arch = f[4]
		}
		addFact(all, f[0], value.DictOf("name", f[0], "version", f[1], "release", f[2], "epoch", epoch, "arch", arch, "source", "rpm"))
	}
	return nil
}

func toInt(s string) value.Value {
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			return s
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

func apkFacts(_ context.Context, _ *modules.Host, all *value.Dict) error {
	b, err := os.ReadFile("/lib/apk/db/installed")
	if err != nil {
		return err
	}
	for stanza := range strings.SplitSeq(string(b), "\n\n") {
		name, full := "", ""
		for line := range strings.SplitSeq(stanza, "\n") {
			if v, ok := strings.CutPrefix(line, "P:"); ok {
				name = v
			}
			if v, ok := strings.CutPrefix(line, "V:"); ok {
				full = v
			}
		}
		if name == "" {
			continue
		}
		version, release, _ := strings.Cut(full, "-")
		addFact(all, name, value.DictOf("name", name, "version", version, "release", release, "source", "apk"))
	}
	return nil
}
