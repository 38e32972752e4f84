package packages

import (
	"cmp"
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

// dnfTask is the state of one call.
type dnfTask struct {
	h       *modules.Host
	a       *dnfArgs
	program string
	five    bool // dnf 5
	state   string
	db      *rpmDB
	r       *modules.Result[dnfReturn]
	done    dnfTransaction
}

func dnf(ctx context.Context, h *modules.Host, program string, a dnfArgs) (r modules.Result[dnfReturn], err error) {
	t := &dnfTask{h: h, a: &a, program: program, r: &r}
	r.Data.Results = []value.Value{}
	if err := t.prepare(); err != nil {
		return r, err
	}
	return r, t.do(ctx)
}

// prepare checks what the options say together, and finds the program.
func (t *dnfTask) prepare() error {
	a := t.a
	for _, l := range []*[]string{&a.Name, &a.EnableRepo, &a.DisableRepo, &a.Exclude} {
		*l = splitCommas(*l)
	}
	for _, n := range a.Name {
		if strings.Contains(n, " ") && !strings.ContainsAny(n, "@<>=") {
			return modules.Failf("It appears that a space separated string of packages was passed in as an argument. " +
				"To operate on several packages, pass a comma separated string of packages or a list of packages.")
		}
		if strings.HasPrefix(n, "-") {
			return modules.Failf("invalid package spec: %s", n)
		}
	}
	t.state = "present"
	switch {
	case a.State != nil && *a.State == "removed":
		t.state = "absent"
	case a.State != nil && *a.State != "installed":
		t.state = *a.State
	case a.State == nil && a.Autoremove:
		t.state = "absent"
	}
	if a.Autoremove && t.state != "absent" {
		return modules.Failf("Autoremove should be used alone or with state=absent")
	}
	if a.ConfFile != "" {
		if f, err := os.Open(a.ConfFile); err != nil {
			t.r.Data.ConfFile = a.ConfFile
			return modules.Failf("cannot read configuration file")
		} else {
			_ = f.Close()
		}
	}
	return t.find()
}

// find looks for the program. On systems that have moved to it, dnf is a link to dnf5.
func (t *dnfTask) find() error {
	names := []string{t.program}
	if t.program == "dnf" {
		names = []string{"dnf", "dnf5", "yum"}
	}
	for _, n := range names {
		if p := t.h.LookPath(n); p != "" {
			t.program = n
			t.five = filepath.Base(modules.RealPath(p)) == "dnf5"
			return nil
		}
	}
	if t.program == "dnf5" {
		return modules.Failf("Could not find a dnf module backend for dnf5.")
	}
	return modules.Failf("Could not detect which major revision of dnf is in use, which is required to determine module backend. " +
		"You should manually specify use_backend to tell the module whether to use the dnf4 or dnf5 backend")
}

// splitCommas takes texts with commas apart; those come last, as in Ansible.
func splitCommas(list []string) []string {
	var whole, parts []string
	for _, s := range list {
		if s = strings.TrimSpace(s); !strings.Contains(s, ",") {
			whole = append(whole, s)
			continue
		}
		for p := range strings.SplitSeq(s, ",") {
			parts = append(parts, strings.TrimSpace(p))
		}
	}
	if all := append(whole, parts...); len(all) != 1 || all[0] != "" {
		return all
	}
	return nil
}

func (t *dnfTask) do(ctx context.Context) (err error) {
	a := t.a
	switch {
	case a.List != "":
		return t.list(ctx)
	case a.UpdateCache:
		if err := t.refresh(ctx); err != nil || len(a.Name) == 0 {
			t.succeed("Cache updated")
			return err
		}
	}
	if !a.DownloadOnly && os.Geteuid() != 0 {
		return modules.Failf("This command has to be run under the root user.")
	}
	if t.db, err = readRPM(ctx, t.h, a.Installroot); err != nil {
		return err
	}
	switch {
	case slices.Equal(a.Name, []string{"*"}) && t.state == "latest":
		err = t.transact(ctx, "upgrade", nil)
	case t.state == "absent":
		err = t.remove(ctx)
	default:
		err = t.install(ctx)
	}
	if err != nil {
		return err
	}
	t.report()
	return nil
}

// report makes the result of what dnf did.
func (t *dnfTask) report() {
	verb := "Installed: "
	if t.a.DownloadOnly {
		verb = "Downloaded: "
	}
	for _, p := range t.done.installed {
		t.say(verb + p)
	}
	for _, p := range t.done.removed {
		t.say("Removed: " + p)
	}
	switch {
	case t.done.empty() && !t.r.Changed:
		t.succeed("Nothing to do")
	case t.h.Check:
		t.r.Changed = true
		t.succeed("Check mode: No changes made, but would have if not in check mode")
	default:
		t.r.Changed = true
		t.succeed("")
	}
}

func (t *dnfTask) say(s string) { t.r.Data.Results = append(t.r.Data.Results, s) }

func (t *dnfTask) succeed(msg string) {
	rc := 0
	t.r.Data.Msg, t.r.Data.RC = &msg, &rc
}

// fail makes a failure with Ansible's keys beside the message.
func (t *dnfTask) fail(p dnfProblem) error {
	rc := 1
	t.r.Data.RC = &rc
	if p.msg == someFailed || strings.HasPrefix(p.msg, "Depsolve") || strings.HasPrefix(p.msg, "Unknown") {
		failures := append([]string{}, p.failures...)
		t.r.Data.Failures = &failures
	}
	return modules.Failf("%s", p.msg)
}

// flags are the options of dnf common to all calls.
func (t *dnfTask) flags() []string {
	a := t.a
	flags := []string{"--setopt=install_weak_deps=" + bit(a.WeakDeps), "--setopt=clean_requirements_on_remove=" + bit(a.Autoremove)}
	add := func(on bool, words ...string) {
		if on {
			flags = append(flags, words...)
		}
	}
	each := func(option string, list []string) {
		for _, v := range list {
			flags = append(flags, option+"="+v)
		}
	}
	add(a.ConfFile != "", "--config="+a.ConfFile)
	add(a.Installroot != "/", "--installroot="+a.Installroot)
	if a.Releasever != nil {
		flags = append(flags, "--releasever="+*a.Releasever)
	}
	add(a.DisableGPGCheck, t.either("--nogpgcheck", "--no-gpgchecks"))
	add(!a.DisableGPGCheck, "--setopt=localpkg_gpgcheck=1")
	add(!a.SSLVerify, "--setopt=sslverify=0")
	add(a.CacheOnly, "--cacheonly")
	each(t.either("--disablerepo", "--disable-repo"), a.DisableRepo)
	each(t.either("--enablerepo", "--enable-repo"), a.EnableRepo)
	each("--exclude", a.Exclude)
	add(a.DisableExcludes != "", t.either("--disableexcludes=", "--setopt=disable_excludes=")+a.DisableExcludes)
	each(t.either("--disableplugin", "--disable-plugin"), a.DisablePlugin)
	each(t.either("--enableplugin", "--enable-plugin"), a.EnablePlugin)
	return flags
}

func (t *dnfTask) either(four, five string) string {
	if t.five {
		return five
	}
	return four
}

func bit(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// changeFlags are those for calls that install or upgrade.
func (t *dnfTask) changeFlags() []string {
	a := t.a
	var flags []string
	add := func(on bool, words ...string) {
		if on {
			flags = append(flags, words...)
		}
	}
	best := a.Best
	if a.NoBest != nil {
		not := !*a.NoBest
		best = &not
	}
	if best != nil {
		flags = append(flags, "--setopt=best="+bit(*best))
	}
	add(a.AllowErasing, "--allowerasing")
	add(a.SkipBroken && !t.five, "--setopt=strict=0")
	add(a.SkipBroken && t.five, "--skip-broken", "--skip-unavailable")
	add(a.Bugfix, t.either("--bugfix", "--bugfixes"))
	add(a.Security, "--security")
	add(a.DownloadOnly, "--downloadonly")
	add(a.DownloadOnly && a.DownloadDir != "", "--destdir="+a.DownloadDir)
	return flags
}

// call runs dnf.
func (t *dnfTask) call(ctx context.Context, words ...string) (modules.ToolResult, error) {
	out, err := t.h.ToolWith(ctx, modules.Command{Argv: append([]string{t.program}, words...), Live: slices.Contains(words, "-y")})
	if err == nil && strings.Contains(out.Stderr, noRelease) && len(t.r.Warnings) == 0 {
		t.r.Warnings = append(t.r.Warnings, noRelease+` (use "releasever" option to specify release version)`)
	}
	return out, err
}

// transact has dnf do something, or in check mode say what it would do.
func (t *dnfTask) transact(ctx context.Context, command string, specs []string) error {
	answer := "-y"
	if t.h.Check {
		answer = "--assumeno"
	}
	argv := append([]string{answer}, t.flags()...)
	if command == "install" || command == "upgrade" {
		argv = append(argv, t.changeFlags()...)
	}
	out, err := t.call(ctx, append(append(argv, command), specs...)...)
	if err != nil {
		return err
	}
	did := parseDNF(out.Stdout, t.db)
	refused := t.h.Check && strings.Contains(out.Stderr+out.Stdout, "Operation aborted")
	if out.RC != 0 && !refused && !(command == "remove" && did.empty() && len(did.unmatched) > 0) {
		return t.fail(t.excluded(dnfProblemOf(out), specs))
	}
	for _, name := range did.unmatched {
		if command == "remove" {
			t.say("No match for argument: " + name)
		} else {
			t.say("No package " + name + " available.")
		}
	}
	if command != "remove" {
		t.sayGroups(specs, did)
	}
	t.done.installed = append(t.done.installed, did.installed...)
	t.done.removed = append(t.done.removed, did.removed...)
	return nil
}

// excluded finds the words for packages that are missing because the task excludes them or
// leaves no repository to take them from.
func (t *dnfTask) excluded(p dnfProblem, specs []string) dnfProblem {
	if strings.Contains(p.msg, "There are no enabled repositories") {
		p = dnfProblem{msg: someFailed}
		for _, s := range specs {
			p.failures = append(p.failures, "No package "+s+" available.")
		}
	}
	for i, f := range p.failures {
		name := strings.TrimSuffix(strings.TrimPrefix(f, "No package "), " available.")
		if name != f && slices.ContainsFunc(t.a.Exclude, func(e string) bool { return fits(e, name) }) {
			p.failures[i] = name + " All matches were filtered out by exclude filtering for argument: " + name
		}
	}
	return p
}

func fits(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

func (t *dnfTask) sayGroups(specs []string, did *dnfTransaction) {
	for _, s := range specs {
		group, ok := strings.CutPrefix(s, "@")
		if !ok {
			continue
		}
		if did.groups > 0 {
			t.say("Group " + group + " installed.")
		} else {
			t.say("Group " + group + " already installed.")
		}
	}
}

func (t *dnfTask) refresh(ctx context.Context) error {
	out, err := t.call(ctx, append(t.flags(), "--refresh", "makecache")...)
	if err == nil && out.RC != 0 {
		return t.fail(dnfProblem{msg: strings.TrimPrefix(dnfError(out), "Unknown Error occurred: ")})
	}
	return err
}

// list returns packages or repositories.
func (t *dnfTask) list(ctx context.Context) error {
	flags := append(t.flags(), "-q")
	if t.a.UpdateCache {
		flags = append(flags, "--refresh")
	}
	what := t.a.List
	if what == "repos" || what == "repositories" {
		out, err := t.call(ctx, append(flags, "repolist", "--enabled")...)
		if err == nil && out.RC != 0 {
			return t.fail(dnfProblemOf(out))
		}
		t.r.Data.Results = append(t.r.Data.Results, dnfRepos(out.Stdout)...)
		t.r.Data.Msg = new(string)
		return err
	}
	queries, specs := []string{"--installed", "--available"}, []string{what}
	switch what {
	case "installed", "available":
		queries, specs = []string{"--" + what}, nil
	case "updates", "upgrades":
		queries, specs = []string{"--upgrades"}, nil
	}
	for _, q := range queries {
		out, err := t.call(ctx, append(append(slices.Clone(flags), "repoquery", q, "--qf", dnfListFormat), specs...)...)
		if err != nil {
			return err
		}
		if out.RC != 0 {
			return t.fail(dnfProblemOf(out))
		}
		state := "available"
		if q == "--installed" {
			state = "installed"
		}
		t.r.Data.Results = append(t.r.Data.Results, dnfPackages(out.Stdout, state)...)
	}
	t.r.Data.Msg = new(string)
	return nil
}

// isFile tells whether a name is the file or the address of a package.
func isFile(name string) bool {
	return strings.Contains(name, "://") || strings.HasSuffix(name, ".rpm")
}

// groupSpec is the name of a group, or of a module's stream.
func groupSpec(name string) (string, bool) {
	if strings.HasPrefix(name, "@") || strings.Contains(name, "/") && !strings.HasPrefix(name, "/") {
		return strings.TrimSpace(name[1:]), true
	}
	return "", false
}

func (t *dnfTask) remove(ctx context.Context) error {
	var specs []string
	for _, name := range t.a.Name {
		if isFile(name) {
			return modules.Failf("Cannot remove paths -- please specify package name.")
		}
		if g, ok := groupSpec(name); ok {
			specs = append(specs, "@"+g)
			continue
		}
		there := strings.ContainsAny(name, "*?[")
		if !there {
			var err error
			if there, err = t.db.installed(ctx, t.h, parseRPMSpec(name)); err != nil {
				return err
			}
		}
		if there {
			specs = append(specs, name)
		} else {
			t.say("No match for argument: " + name)
		}
	}
	if len(specs) > 0 {
		if err := t.transact(ctx, "remove", specs); err != nil {
			return err
		}
	}
	if t.a.Autoremove {
		return t.transact(ctx, "autoremove", nil)
	}
	return nil
}

// dnfPlan sorts what a task names by what dnf has to do with it.
type dnfPlan struct{ install, upgrade []string }

func (t *dnfTask) install(ctx context.Context) error {
	var plan dnfPlan
	for _, name := range t.a.Name {
		if err := t.plan(ctx, name, &plan); err != nil {
			return err
		}
	}
	if len(plan.install) > 0 {
		if err := t.transact(ctx, "install", plan.install); err != nil {
			return err
		}
	}
	if len(plan.upgrade) > 0 {
		return t.transact(ctx, "upgrade", plan.upgrade)
	}
	return nil
}

func (t *dnfTask) plan(ctx context.Context, name string, plan *dnfPlan) error {
	if isFile(name) {
		return t.planFile(ctx, name, plan)
	}
	if g, ok := groupSpec(name); ok {
		plan.install = append(plan.install, "@"+g)
		return nil
	}
	s := parseRPMSpec(name)
	there, err := t.db.installed(ctx, t.h, s)
	if err != nil {
		return err
	}
	if s.glob() && t.state == "latest" {
		there = t.db.anyOf(s)
	}
	switch {
	case t.a.UpdateOnly && !there:
		t.say("Packages providing " + name + " not installed due to update_only specified")
	case t.a.UpdateOnly, there && t.state == "latest" && !s.glob():
		plan.upgrade = append(plan.upgrade, name)
	case there && s.glob() && t.state == "latest":
		plan.upgrade = append(plan.upgrade, name)
	case there && !s.glob():
	case !t.a.AllowDowngrade && slices.ContainsFunc(t.db.all, s.older):
		// A newer one is there, which is fine when there is such an older one at all.
		out, err := t.call(ctx, append(t.flags(), "-q", "repoquery", "--available", name)...)
		if err != nil {
			return err
		}
		if strings.TrimSpace(out.Stdout) == "" {
			plan.install = append(plan.install, name)
		}
	default:
		plan.install = append(plan.install, name)
	}
	return nil
}

// planFile is plan for a package file, which is fetched first when it has an address.
func (t *dnfTask) planFile(ctx context.Context, name string, plan *dnfPlan) error {
	if strings.Contains(name, "://") {
		var err error
		if name, err = t.h.Fetch(ctx, name, t.a.ValidateCerts); err != nil {
			return err
		}
	}
	if !modules.Exists(name) {
		return t.fail(dnfProblem{msg: "Error occurred attempting remote rpm operation: Could not open: " + name})
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	file, err := rpmQuery(ctx, t.h, "", "-p", abs)
	if err != nil {
		return err
	}
	if len(file) != 1 {
		return t.fail(dnfProblem{msg: "Error occurred attempting remote rpm operation: Could not open: " + name})
	}
	now, there := t.db.old(file[0].name, file[0].arch)
	order := now.compare(cmp.Or(file[0].epoch, "0") + ":" + file[0].version + "-" + file[0].release)
	switch {
	case t.a.UpdateOnly && !there, there && order == 0, there && order > 0 && !t.a.AllowDowngrade:
	default:
		plan.install = append(plan.install, abs)
	}
	t.say("Installed " + name)
	return nil
}
