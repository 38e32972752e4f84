package packages

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"fettle/modules"
)

// aptSpec is one element of name.
type aptSpec struct {
	name    string
	op      string // "", "=" or ">="
	version string
}

func parseAptSpec(s string) aptSpec {
	if name, v, ok := strings.Cut(s, ">="); ok {
		return aptSpec{name, ">=", v}
	}
	if name, v, ok := strings.Cut(s, "="); ok {
		return aptSpec{name, "=", v}
	}
	return aptSpec{name: s}
}

// satisfied tells whether an installed version is one that the spec allows.
func (s aptSpec) satisfied(version string) bool {
	switch s.op {
	case "=":
		ok, err := path.Match(s.version, version)
		return s.version == version || err == nil && ok
	case ">=":
		return compareVersions(version, s.version) >= 0
	}
	return true
}

// policy is what apt knows of a package.
type policy struct {
	candidate string
	versions  []string // newest first
}

// policies asks apt about packages, all in one call.
func policies(ctx context.Context, h *modules.Host, release string, names []string) (map[string]policy, error) {
	argv := []string{"apt-cache", "policy"}
	if release != "" {
		argv = append(argv, "-t", release)
	}
	out, err := h.Tool(ctx, append(append(argv, "--"), names...)...)
	if err != nil {
		return nil, err
	}
	if out.RC != 0 {
		return nil, modules.Failf("apt-cache policy: %s", strings.TrimSpace(out.Stderr))
	}
	return parsePolicies(out.Stdout), nil
}

func parsePolicies(text string) map[string]policy {
	found := map[string]policy{}
	name, table := "", false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case line == "":
		case !strings.HasPrefix(line, " "):
			name, table = strings.TrimSuffix(trimmed, ":"), false
			found[name] = policy{}
		case strings.HasPrefix(line, "  Candidate:"):
			if c := strings.TrimSpace(strings.TrimPrefix(trimmed, "Candidate:")); c != "(none)" {
				found[name] = policy{candidate: c}
			}
		case strings.HasPrefix(line, "  Version table:"):
			table = true
		case table && len(line) > 5 && (strings.HasPrefix(line, " *** ") || strings.HasPrefix(line, "     ") && line[5] != ' '):
			p := found[name]
			v, _, _ := strings.Cut(strings.TrimPrefix(trimmed, "*** "), " ")
			p.versions = append(p.versions, v)
			found[name] = p
		}
	}
	return found
}

// best is the version to install for a spec: the candidate when it fits, else the newest
// that does.
func (p policy) best(s aptSpec) string {
	if p.candidate != "" && s.satisfied(p.candidate) {
		return p.candidate
	}
	for _, v := range p.versions {
		if s.satisfied(v) {
			return v
		}
	}
	return ""
}

// expand replaces patterns by the names of packages they match.
func expand(ctx context.Context, h *modules.Host, specs []string) ([]string, error) {
	var out []string
	for _, s := range specs {
		spec := parseAptSpec(s)
		at := strings.IndexAny(spec.name, "*?[")
		if at < 0 {
			out = append(out, s)
			continue
		}
		known, err := h.Tool(ctx, "apt-cache", "pkgnames", "--", spec.name[:at])
		if err != nil {
			return nil, err
		}
		var matches []string
		for name := range strings.FieldsSeq(known.Stdout) {
			if ok, err := path.Match(spec.name, name); err == nil && ok {
				matches = append(matches, name+strings.TrimPrefix(s, spec.name))
			}
		}
		if len(matches) == 0 {
			return nil, modules.Failf("No package(s) matching '%s' available", spec.name)
		}
		slices.Sort(matches)
		out = append(out, matches...)
	}
	return out, nil
}

func (t *aptTask) install(ctx context.Context, packages []string) error {
	packages, err := expand(ctx, t.h, packages)
	if err != nil {
		return err
	}
	if t.a.State == "build-dep" {
		return t.aptGet(ctx, append([]string{"build-dep", "--"}, packages...)...)
	}
	db, err := readDpkg(ctx, t.h)
	if err != nil {
		return err
	}
	words, err := t.wanted(ctx, db, packages)
	if err != nil {
		return err
	}
	if len(words) > 0 || t.a.State == "fixed" {
		argv := t.installFlags()
		if err := t.aptGet(ctx, append(append(argv, "install", "--"), words...)...); err != nil {
			return err
		}
	}
	return t.markManual(ctx, packages)
}

func (t *aptTask) installFlags() []string {
	var argv []string
	if t.a.Autoremove {
		argv = append(argv, "--auto-remove")
	}
	if t.a.OnlyUpgrade {
		argv = append(argv, "--only-upgrade")
	}
	if t.a.State == "fixed" {
		argv = append(argv, "--fix-broken")
	}
	if r := t.a.Recommends; r != nil {
		argv = append(argv, "-o", "APT::Install-Recommends="+map[bool]string{true: "yes", false: "no"}[*r])
	}
	return argv
}

// wanted are the words for apt-get install; none when all is right. apt is only asked
// about what dpkg's database does not settle.
func (t *aptTask) wanted(ctx context.Context, db *dpkgDB, packages []string) ([]string, error) {
	var open []aptSpec
	for _, s := range packages {
		spec := parseAptSpec(s)
		p := db.find(spec.name)
		switch {
		case p != nil && p.installed():
			if t.a.State == "latest" || !spec.satisfied(p.Version) {
				open = append(open, spec)
			}
		case t.a.OnlyUpgrade:
		case spec.op == "" && db.providers[spec.name]:
		default:
			open = append(open, spec)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	names := make([]string, len(open))
	for i, s := range open {
		names[i] = s.name
	}
	known, err := policies(ctx, t.h, t.a.DefaultRelease, names)
	if err != nil {
		return nil, err
	}
	var words []string
	for _, s := range open {
		word, err := choose(s, db.find(s.name), known, t.a.State)
		if err != nil {
			return nil, err
		}
		if word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words, nil
}

// choose is the word for apt-get for one package, "" when it is right as it is.
func choose(s aptSpec, now *dpkgPackage, known map[string]policy, state string) (string, error) {
	p, ok := known[s.name]
	switch {
	case !ok:
		return "", modules.Failf("No package matching '%s' is available", s.name)
	case s.op == "" && now != nil && now.installed(): // latest
		if p.candidate == "" || compareVersions(p.candidate, now.Version) <= 0 {
			return "", nil
		}
		return s.name, nil
	case s.op == "":
		return s.name, nil
	}
	v := p.best(s)
	if v == "" {
		return "", modules.Failf("no available installation candidate for %s%s%s", s.name, s.op, s.version)
	}
	if now != nil && now.installed() && (now.Version == v || state == "latest" && s.satisfied(now.Version) && compareVersions(v, now.Version) <= 0) {
		return "", nil
	}
	return s.name + "=" + v, nil
}

// markManual marks packages that were installed for others as wanted for themselves.
func (t *aptTask) markManual(ctx context.Context, packages []string) error {
	if t.h.Check || len(packages) == 0 {
		return nil
	}
	text, err := os.ReadFile("/var/lib/apt/extended_states")
	if err != nil {
		return nil
	}
	automatic := autoInstalled(string(text))
	var names []string
	for _, s := range packages {
		if name := parseAptSpec(s).name; automatic[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	_, err = t.h.Tool(ctx, append([]string{"apt-mark", "manual"}, names...)...)
	return err
}

func autoInstalled(text string) map[string]bool {
	found := map[string]bool{}
	for stanza := range strings.SplitSeq(text, "\n\n") {
		name, auto := "", false
		for line := range strings.SplitSeq(stanza, "\n") {
			if v, ok := strings.CutPrefix(line, "Package: "); ok {
				name = v
			}
			auto = auto || line == "Auto-Installed: 1"
		}
		if auto {
			found[name] = true
		}
	}
	return found
}

func (t *aptTask) remove(ctx context.Context, packages []string) error {
	packages, err := expand(ctx, t.h, packages)
	if err != nil {
		return err
	}
	db, err := readDpkg(ctx, t.h)
	if err != nil {
		return err
	}
	var words []string
	for _, s := range packages {
		name := parseAptSpec(s).name
		if p := db.find(name); p != nil && (p.Status != "not-installed" && p.Status != "config-files" || t.a.Purge && p.Status == "config-files") {
			words = append(words, name)
		}
	}
	if len(words) == 0 {
		return nil
	}
	var argv []string
	if t.a.Autoremove {
		argv = []string{"--auto-remove"}
	}
	err = t.aptGet(ctx, append(append(argv, "remove", "--"), words...)...)
	t.r.Changed = t.r.Changed || err == nil
	return err
}

func (t *aptTask) upgrade(ctx context.Context, mode string) error {
	words := []string{"upgrade", "--with-new-pkgs"}
	if mode == "dist" || mode == "full" {
		words = []string{"dist-upgrade"}
	}
	if t.a.Autoremove {
		words = append(words, "--auto-remove")
	}
	t.r.Data = aptReturn{}
	err := t.aptGet(ctx, words...)
	if err == nil {
		t.r.Msg = *t.r.Data.Stdout
	}
	return err
}

// tidy is autoremove or autoclean for the whole machine.
func (t *aptTask) tidy(ctx context.Context, what string) error {
	t.r.Data = aptReturn{}
	if err := t.aptGet(ctx, what); err != nil {
		return err
	}
	out := *t.r.Data.Stdout
	if what == "autoclean" {
		t.r.Changed = strings.Contains(out, "\nDel ")
	} else {
		t.r.Changed = strings.Contains(out, "The following packages will be REMOVED")
	}
	return nil
}

func (t *aptTask) clean(ctx context.Context, report bool) error {
	argv := []string{"apt-get", "clean"}
	if t.h.Check {
		argv = append(argv, "--simulate")
	}
	out, err := t.h.Tool(ctx, argv...)
	if err != nil {
		return err
	}
	if out.RC != 0 {
		return modules.Failf("'apt-get clean' failed: %s", out.Stderr)
	}
	if report {
		t.r.Changed, t.r.Msg = true, out.Stdout
		t.r.Data = aptReturn{Stdout: &out.Stdout, Stderr: &out.Stderr}
	}
	return nil
}

// installDeb installs a package file with what it depends on.
func (t *aptTask) installDeb(ctx context.Context) error {
	t.r.Data = aptReturn{}
	file := t.a.Deb
	if strings.Contains(file, "://") {
		var err error
		if file, err = t.h.Fetch(ctx, file, true); err != nil {
			return err
		}
	}
	if !filepath.IsAbs(file) {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	out, err := t.h.Tool(ctx, "dpkg-deb", "-f", file, "Package", "Version", "Architecture")
	if err != nil {
		return err
	}
	if out.RC != 0 {
		return modules.Failf("Unable to install package: %s", strings.TrimSpace(out.Stderr))
	}
	deb := parseStanza(out.Stdout)
	if deb == nil {
		return modules.Failf("Unable to install package: %s names no package", file)
	}
	db, err := readDpkg(ctx, t.h)
	if err != nil {
		return err
	}
	if p := db.find(deb.Name + ":" + deb.Arch); p != nil && p.installed() && !t.a.Force {
		switch c := compareVersions(deb.Version, p.Version); {
		case c == 0:
			return nil
		case c < 0 && !t.a.AllowDowngrade:
			return modules.Failf("A later version is already installed")
		}
	}
	return t.aptGet(ctx, append(t.installFlags(), "install", "--", file)...)
}
