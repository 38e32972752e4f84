package packages

import (
	"context"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

const dnfExamples = `
- name: The web server
  ansible.builtin.dnf:
    name: [httpd, mod_ssl]
    state: present

- name: Everything to its latest version
  ansible.builtin.dnf:
    name: "*"
    state: latest

- name: From a repository that is off otherwise
  ansible.builtin.dnf:
    name: nginx
    enablerepo: epel
`

var dnfRules = modules.Rules{modules.Exclusive("name", "list"), modules.Exclusive("best", "nobest")}

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.dnf",
		Summary: "Keep packages of Fedora and its relatives present, absent or at their latest version.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Fetches: true,
		Rules:   append(slices.Clone(dnfRules), modules.Exclusive("use", "use_backend")),
		Notes: []string{"The program dnf, of either generation, does the work; its Python bindings are not needed.",
			"What rpm's database already settles is not asked of dnf.", "dnf waits for another dnf by itself, whatever lock_timeout is."},
		Examples: dnfExamples,
	}, func(ctx context.Context, h *modules.Host, a dnf4Args) (modules.Result[dnfReturn], error) {
		switch use := a.UseBackend + a.Use; use {
		case "dnf5":
			return dnf(ctx, h, "dnf5", a.dnfArgs)
		default:
			return dnf(ctx, h, "dnf", a.dnfArgs)
		}
	})
	modules.Register(modules.Spec{
		Name:     "ansible.builtin.dnf5",
		Summary:  "Keep packages present, absent or at their latest version with dnf 5.",
		Check:    modules.Full,
		Diff:     modules.Full,
		Fetches:  true,
		Rules:    dnfRules,
		Notes:    []string{"The program dnf5 does the work; its Python bindings are not needed."},
		Examples: strings.ReplaceAll(dnfExamples, ".dnf:", ".dnf5:"),
	}, func(ctx context.Context, h *modules.Host, a dnf5Args) (modules.Result[dnfReturn], error) {
		return dnf(ctx, h, "dnf5", a.dnfArgs)
	})
}

type dnf4Args struct {
	dnfArgs
	UseBackend string `arg:"use_backend" default:"auto" choices:"auto,dnf,yum,yum4,dnf4,dnf5" doc:"The program's generation."`
	Use        string `arg:"use" choices:"auto,dnf,yum,yum4,dnf4,dnf5" doc:"Another name of use_backend."`
}

type dnf5Args struct {
	dnfArgs
	InstallDeps bool `arg:"auto_install_module_deps" default:"true" doc:"Has no effect: no Python is needed."`
}

type dnfArgs struct {
	Name            []string `arg:"name" alias:"pkg" elements:"str" default:"" doc:"Packages: names, name-version, \"name >= version\", @group, files, addresses; \"*\" with state latest is all."`
	State           *string  `arg:"state" choices:"absent,present,installed,removed,latest" doc:"What should be true of them; present when not given, absent with autoremove."`
	List            string   `arg:"list" doc:"Return packages instead: installed, updates, available, repos, or those of a name."`
	UpdateCache     bool     `arg:"update_cache" alias:"expire-cache" default:"false" doc:"Fetch what repositories say about their packages first."`
	EnableRepo      []string `arg:"enablerepo" elements:"str" default:"" doc:"Repositories to use as well."`
	DisableRepo     []string `arg:"disablerepo" elements:"str" default:"" doc:"Repositories not to use; applied before enablerepo."`
	Exclude         []string `arg:"exclude" elements:"str" default:"" doc:"Packages to leave alone."`
	DisableExcludes string   `arg:"disable_excludes" doc:"Ignore the excludes of the configuration: all, main or a repository."`
	ConfFile        string   `arg:"conf_file" doc:"Configuration to use instead of the machine's."`
	Installroot     string   `arg:"installroot" default:"/" doc:"Work on the system below this directory."`
	Releasever      *string  `arg:"releasever" doc:"Release to take packages from."`
	DisableGPGCheck bool     `arg:"disable_gpg_check" default:"false" doc:"Install packages without a valid signature, too."`
	AllowDowngrade  bool     `arg:"allow_downgrade" default:"false" doc:"Allow an older version."`
	AllowErasing    bool     `arg:"allowerasing" default:"false" doc:"Remove packages that are in the way."`
	Autoremove      bool     `arg:"autoremove" default:"false" doc:"Remove packages that were installed for others only and are needed no more."`
	Best            *bool    `arg:"best" doc:"Fail rather than take another version than the latest."`
	NoBest          *bool    `arg:"nobest" doc:"The opposite of best."`
	Bugfix          bool     `arg:"bugfix" default:"false" doc:"With state latest, only updates that fix a bug."`
	Security        bool     `arg:"security" default:"false" doc:"With state latest, only updates for security."`
	CacheOnly       bool     `arg:"cacheonly" default:"false" doc:"Use what was fetched before, whatever its age."`
	DownloadOnly    bool     `arg:"download_only" default:"false" doc:"Download packages and do not install them."`
	DownloadDir     string   `arg:"download_dir" doc:"Where download_only puts them."`
	EnablePlugin    []string `arg:"enable_plugin" elements:"str" default:"" doc:"Plugins to use."`
	DisablePlugin   []string `arg:"disable_plugin" elements:"str" default:"" doc:"Plugins not to use."`
	Repoquery       bool     `arg:"install_repoquery" default:"true" doc:"Has no effect."`
	WeakDeps        bool     `arg:"install_weak_deps" default:"true" doc:"Install recommended packages, too."`
	SkipBroken      bool     `arg:"skip_broken" default:"false" doc:"Leave out what cannot be had or installed."`
	UpdateOnly      bool     `arg:"update_only" default:"false" doc:"Do not install what is not installed."`
	ValidateCerts   bool     `arg:"validate_certs" default:"true" doc:"Check certificates of servers that packages are given by address on."`
	SSLVerify       bool     `arg:"sslverify" default:"true" doc:"Check certificates of repositories' servers."`
	LockTimeout     int64    `arg:"lock_timeout" default:"30" doc:"Has no effect: dnf waits for another dnf."`
}

type dnfReturn struct {
	Msg      *string       `json:"msg,omitempty" doc:"What there was to do." returned:"success"`
	RC       *int          `json:"rc,omitempty" doc:"0, or 1 on failure." returned:"always, but for list"`
	Results  []value.Value `json:"results" doc:"What was done, or the packages of list." returned:"always"`
	Failures *[]string     `json:"failures,omitempty" doc:"What could not be installed." returned:"failure"`
	ConfFile string        `json:"conf_file,omitempty" doc:"The configuration that cannot be read." returned:"failure"`
}
