package packages

import (
	"context"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.apt",
		Extra:   true, // for addresses
		Summary: "Keep Debian packages present, absent or at their latest version.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules: modules.Rules{
			modules.Exclusive("deb", "name", "upgrade"),
			modules.OneOf("autoremove", "deb", "name", "update_cache", "upgrade", "autoclean", "clean", "cache_valid_time"),
		},
		Notes: []string{"The whole list of packages goes to apt-get in one call.", "Check mode asks apt-get to simulate."},
		Examples: `
- name: The web server, with fresh package lists
  ansible.builtin.apt:
    name: [nginx, openssl]
    update_cache: true
    cache_valid_time: 3600

- name: Everything to its latest version
  ansible.builtin.apt:
    upgrade: dist

- name: A version
  ansible.builtin.apt:
    name: curl=7.88.*
`,
	}, apt)
}

type aptArgs struct {
	Name           []string `arg:"name" alias:"package,pkg" elements:"str" doc:"Packages: a name, name=version, name>=version, or a pattern with * and ?."`
	State          string   `arg:"state" default:"present" choices:"absent,build-dep,latest,present,fixed" doc:"What should be true of them."`
	UpdateCache    bool     `arg:"update_cache" alias:"update-cache" default:"false" doc:"Fetch the package lists first."`
	CacheValidTime int64    `arg:"cache_valid_time" default:"0" doc:"Seconds for which the lists count as fresh; implies update_cache."`
	UpdateRetries  int64    `arg:"update_cache_retries" default:"5" doc:"How often to try to fetch the lists."`
	UpdateDelay    int64    `arg:"update_cache_retry_max_delay" default:"12" doc:"Longest wait between tries, in seconds."`
	Purge          bool     `arg:"purge" default:"false" doc:"Remove configuration files, too."`
	DefaultRelease string   `arg:"default_release" alias:"default-release" doc:"Release whose versions are preferred."`
	Recommends     *bool    `arg:"install_recommends" alias:"install-recommends" doc:"Install recommended packages; the machine's setting when not given."`
	Force          bool     `arg:"force" default:"false" doc:"Override all safeguards: allows downgrades, removal of essential and change of held packages, and packages without signature."`
	Clean          bool     `arg:"clean" default:"false" doc:"Delete all downloaded package files."`
	AllowUnauth    bool     `arg:"allow_unauthenticated" alias:"allow-unauthenticated" default:"false" doc:"Install packages whose signature cannot be checked."`
	AllowDowngrade bool     `arg:"allow_downgrade" alias:"allow-downgrade,allow-downgrades,allow_downgrades" default:"false" doc:"Allow an older version."`
	AllowHeld      bool     `arg:"allow_change_held_packages" default:"false" doc:"Change packages that are on hold."`
	Upgrade        string   `arg:"upgrade" default:"no" choices:"dist,full,no,safe,yes" doc:"Upgrade all packages: safe and yes remove nothing, full and dist may."`
	DpkgOptions    string   `arg:"dpkg_options" default:"force-confdef,force-confold" doc:"Options for dpkg, separated by commas, without dashes."`
	Deb            string   `arg:"deb" type:"path" doc:"A package file, or its URL."`
	Autoremove     bool     `arg:"autoremove" default:"false" doc:"Remove packages that were installed for others only and are needed no more."`
	Autoclean      bool     `arg:"autoclean" default:"false" doc:"Delete downloaded package files that cannot be had any more."`
	FailAutoremove bool     `arg:"fail_on_autoremove" default:"false" doc:"Fail when a package would have to be removed."`
	OnlyUpgrade    bool     `arg:"only_upgrade" default:"false" doc:"Do not install what is not installed."`
	PolicyRcD      *int64   `arg:"policy_rc_d" doc:"Exit code that policy-rc.d gives meanwhile; 101 keeps services from being started."`
	ForceAptGet    bool     `arg:"force_apt_get" default:"false" doc:"Use apt-get, not aptitude; it is always used here."`
	LockTimeout    int64    `arg:"lock_timeout" default:"60" doc:"Seconds to wait for another apt."`
	InstallDeps    bool     `arg:"auto_install_module_deps" default:"true" doc:"Has no effect: no Python is needed."`
}

type aptReturn struct {
	CacheUpdated    *bool   `json:"cache_updated,omitempty" doc:"Were the package lists fetched?" returned:"success, in some cases"`
	CacheUpdateTime *int64  `json:"cache_update_time,omitempty" doc:"When they were fetched last." returned:"success, in some cases"`
	Stdout          *string `json:"stdout,omitempty" doc:"Output of apt-get." returned:"when it was called"`
	Stderr          *string `json:"stderr,omitempty" doc:"Error output of apt-get." returned:"when it was called"`
	Rc              *int    `json:"rc,omitempty" doc:"Exit code of apt-get." returned:"failure"`
}

// aptTask is the state of one call.
type aptTask struct {
	h *modules.Host
	a aptArgs
	r *modules.Result[aptReturn]
}

func apt(ctx context.Context, h *modules.Host, a aptArgs) (r modules.Result[aptReturn], err error) {
	t := &aptTask{h: h, a: a, r: &r}
	restore, err := setPolicy(h, a.PolicyRcD)
	if err != nil {
		return r, err
	}
	defer func() {
		if e := restore(); e != nil && err == nil {
			err = e
		}
	}()
	err = t.do(ctx)
	return r, err
}

func (t *aptTask) do(ctx context.Context) error {
	packages, all, err := t.names()
	if err != nil {
		return err
	}
	upgrade := t.a.Upgrade
	if all {
		upgrade = "yes"
	}
	nothingElse := len(t.a.Name) == 0 && upgrade == "no" && t.a.Deb == ""
	if t.a.Clean {
		if err := t.clean(ctx, nothingElse); err != nil || nothingElse {
			return err
		}
	}
	if t.a.UpdateCache || t.a.CacheValidTime > 0 {
		updated, err := t.refresh(ctx)
		if err != nil || nothingElse && !t.a.Autoclean && !t.a.Autoremove {
			t.r.Changed = updated
			return err
		}
	} else {
		t.noteLists(false)
	}
	switch {
	case upgrade != "no":
		return t.upgrade(ctx, upgrade)
	case t.a.Deb != "":
		return t.installDeb(ctx)
	case len(packages) == 0 && t.a.Autoclean:
		return t.tidy(ctx, "autoclean")
	case len(packages) == 0 && t.a.Autoremove:
		return t.tidy(ctx, "autoremove")
	case t.a.State == "absent":
		t.r.Data = aptReturn{}
		return t.remove(ctx, packages)
	}
	return t.install(ctx, packages)
}

// names are the package specs; all is for "*" with state latest.
func (t *aptTask) names() (packages []string, all bool, err error) {
	for _, n := range t.a.Name {
		if n = strings.TrimSpace(n); n == "*" {
			all = true
			continue
		}
		if n == "" {
			continue
		}
		if strings.Count(n, "=") > 1 || strings.HasPrefix(n, "-") || strings.HasPrefix(n, "=") {
			return nil, false, modules.Failf("invalid package spec: %s", n)
		}
		packages = append(packages, n)
	}
	if all && t.a.State == "latest" && len(packages) > 0 {
		return nil, false, modules.Failf("unable to install additional packages when upgrading all installed packages")
	}
	return packages, all && t.a.State == "latest", nil
}

// aptGet calls apt-get for something that changes packages.
func (t *aptTask) aptGet(ctx context.Context, words ...string) error {
	argv := append([]string{"apt-get", "-y"}, t.flags()...)
	if t.h.Check {
		argv = append(argv, "--simulate")
	}
	argv = append(argv, words...)
	out, err := t.h.ToolWith(ctx, modules.Command{Argv: argv, Env: aptEnv, Live: true})
	if err != nil {
		return err
	}
	t.r.Data.Stdout, t.r.Data.Stderr = &out.Stdout, &out.Stderr
	if t.h.Diff {
		t.r.Diff = []modules.Diff{{Prepared: aptDiff(out.Stdout)}}
	}
	if out.RC != 0 {
		t.r.Data.Rc = &out.RC
		if name := missingPackage(out.Stderr); name != "" {
			return modules.Failf("No package matching '%s' is available", name)
		}
		return modules.Failf("'%s' failed: %s", modules.Sh(argv...), out.Stderr)
	}
	t.r.Changed = !nothingDone(out.Stdout)
	return nil
}

var aptEnv = []string{"DEBIAN_FRONTEND=noninteractive", "DEBIAN_PRIORITY=critical", "APT_LISTCHANGES_FRONTEND=none"}

// flags are the options common to all calls that change packages.
func (t *aptTask) flags() []string {
	a := &t.a
	flags := []string{}
	for o := range strings.SplitSeq(a.DpkgOptions, ",") {
		if o = strings.TrimSpace(o); o != "" {
			flags = append(flags, "-o", "Dpkg::Options::=--"+o)
		}
	}
	flags = append(flags, "-o", "DPkg::Lock::Timeout="+itoa(a.LockTimeout))
	for _, f := range []struct {
		on   bool
		flag string
	}{
		{a.Force || a.AllowUnauth, "--allow-unauthenticated"},
		{a.Force || a.AllowDowngrade, "--allow-downgrades"},
		{a.Force || a.AllowHeld, "--allow-change-held-packages"},
		{a.Force, "--allow-remove-essential"},
		{a.FailAutoremove, "--no-remove"},
		{a.Purge, "--purge"},
	} {
		if f.on {
			flags = append(flags, f.flag)
		}
	}
	if a.DefaultRelease != "" {
		flags = append(flags, "-t", a.DefaultRelease)
	}
	return flags
}

// aptDiff is the part of apt-get's output that says what it does.
func aptDiff(out string) string {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if i := slices.Index(lines, "Reading state information..."); i >= 0 {
		lines = lines[i+1:]
	}
	for i, l := range lines {
		if isSummary(l) {
			lines = lines[:i+1]
			break
		}
	}
	return strings.Join(lines, "\n")
}

// isSummary recognises "N upgraded, N newly installed, ...".
func isSummary(line string) bool {
	n, rest, ok := strings.Cut(line, " ")
	return ok && n != "" && strings.Trim(n, "0123456789") == "" && strings.HasPrefix(rest, "upgraded, ")
}

func nothingDone(out string) bool {
	for line := range strings.Lines(out) {
		if isSummary(line) {
			return strings.HasPrefix(line, "0 upgraded, 0 newly installed, 0 to remove") && !strings.Contains(out, "not fully installed or removed")
		}
	}
	return false
}

func missingPackage(stderr string) string {
	for line := range strings.Lines(stderr) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "E: Unable to locate package "); ok {
			return name
		}
	}
	return ""
}
