// Package redhat holds modules for Fedora and its relatives besides their package manager.
package redhat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.yum_repository",
		Extra:   true,
		Summary: "Keep a repository of packages for dnf and yum.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules: modules.Rules{
			modules.RequiredIfAny("state", "present", "baseurl", "mirrorlist", "metalink"),
			modules.RequiredIf("state", "present", "description"),
		},
		Notes: []string{"The file is written anew when it changes: comments in it are lost."},
		Examples: `
- name: A repository
  ansible.builtin.yum_repository:
    name: epel
    description: Extra packages
    baseurl: https://download.example.org/epel/$releasever/$basearch/
    gpgkey: https://download.example.org/key.asc
`,
	}, yumRepository)
}

type yumRepositoryArgs struct {
	Name        string  `arg:"name,required" doc:"Id of the repository."`
	State       string  `arg:"state" default:"present" choices:"absent,present" doc:"Should it be there?"`
	File        string  `arg:"file" doc:"Name of its file, without .repo; the id when not given."`
	Reposdir    string  `arg:"reposdir" type:"path" default:"/etc/yum.repos.d" doc:"Directory of the file."`
	Description *string `arg:"description" doc:"What it is called for people; written as name."`
	yumOptions
	modules.FileArgs
}

type yumRepositoryReturn struct {
	Repo  string `json:"repo,omitempty" doc:"Id of the repository." returned:"success"`
	State string `json:"state,omitempty" doc:"Its state." returned:"success"`
}

// yumOptions are the options that go into the file under their own names.
type yumOptions struct {
	Async                      *bool    `arg:"async" doc:"Fetch in parallel; gone from current systems."`
	Bandwidth                  *string  `arg:"bandwidth" doc:"Bytes a second that throttle counts from."`
	Baseurl                    []string `arg:"baseurl" elements:"str" doc:"Addresses of the directory that holds repodata."`
	Cost                       *string  `arg:"cost" doc:"Cost of the repository, 1000 being usual; cheap ones come first."`
	Countme                    *bool    `arg:"countme" doc:"Be counted by mirrors."`
	DeltarpmMetadataPercentage *string  `arg:"deltarpm_metadata_percentage" doc:"Largest delta metadata, in per cent of the packages."`
	DeltarpmPercentage         *string  `arg:"deltarpm_percentage" doc:"Largest delta, in per cent of the package."`
	Enabled                    *bool    `arg:"enabled" doc:"Use the repository?"`
	Enablegroups               *bool    `arg:"enablegroups" doc:"Use its groups?"`
	Exclude                    []string `arg:"exclude" alias:"excludepkgs" elements:"str" doc:"Packages not to take from it."`
	Failovermethod             *string  `arg:"failovermethod" choices:"roundrobin,priority" doc:"How to go from one address to the next."`
	Gpgcakey                   *string  `arg:"gpgcakey" doc:"Address of the CA key."`
	Gpgcheck                   *bool    `arg:"gpgcheck" doc:"Check signatures of packages."`
	Gpgkey                     []string `arg:"gpgkey" elements:"str" doc:"Addresses of the keys."`
	HttpCaching                *string  `arg:"http_caching" choices:"all,packages,none" doc:"What HTTP caches on the way may answer."`
	Include                    *string  `arg:"include" doc:"A further configuration file."`
	Includepkgs                []string `arg:"includepkgs" elements:"str" doc:"The only packages to take from it."`
	IpResolve                  *string  `arg:"ip_resolve" choices:"4,6,IPv4,IPv6,whatever" doc:"Which addresses names resolve to."`
	Keepalive                  *bool    `arg:"keepalive" doc:"Keep HTTP connections open."`
	Keepcache                  *string  `arg:"keepcache" choices:"0,1" doc:"Keep what was downloaded."`
	MetadataExpire             *string  `arg:"metadata_expire" doc:"Seconds after which metadata is old."`
	MetadataExpireFilter       *string  `arg:"metadata_expire_filter" choices:"never,read-only:past,read-only:present,read-only:future" doc:"For which commands it gets old."`
	Metalink                   *string  `arg:"metalink" doc:"Address of a metalink file."`
	Mirrorlist                 *string  `arg:"mirrorlist" doc:"Address of a list of addresses."`
	MirrorlistExpire           *string  `arg:"mirrorlist_expire" doc:"Seconds after which that list is old."`
	ModuleHotfixes             *bool    `arg:"module_hotfixes" doc:"Take packages that modules would hide."`
	Password                   *string  `arg:"password" no_log:"true" doc:"Password for the server."`
	Priority                   *string  `arg:"priority" doc:"Its priority, 1 being first, 99 usual."`
	Protect                    *bool    `arg:"protect" doc:"Protect its packages from others."`
	Proxy                      *string  `arg:"proxy" doc:"Address of the proxy, or _none_."`
	ProxyPassword              *string  `arg:"proxy_password" no_log:"true" doc:"Password for the proxy."`
	ProxyUsername              *string  `arg:"proxy_username" doc:"User for the proxy."`
	RepoGpgcheck               *bool    `arg:"repo_gpgcheck" doc:"Check the signature of its metadata."`
	Retries                    *string  `arg:"retries" doc:"How often to try."`
	S3Enabled                  *bool    `arg:"s3_enabled" doc:"It is in S3."`
	SkipIfUnavailable          *bool    `arg:"skip_if_unavailable" doc:"Go on when it cannot be reached."`
	SslCheckCertPermissions    *bool    `arg:"ssl_check_cert_permissions" doc:"Check permissions of certificates."`
	Sslcacert                  *string  `arg:"sslcacert" alias:"ca_cert" doc:"Certificates of authorities."`
	Sslclientcert              *string  `arg:"sslclientcert" alias:"client_cert" doc:"Certificate of this client."`
	Sslclientkey               *string  `arg:"sslclientkey" alias:"client_key" doc:"Key of this client."`
	Sslverify                  *bool    `arg:"sslverify" alias:"validate_certs" doc:"Check the server's certificate."`
	Throttle                   *string  `arg:"throttle" doc:"Limit of the bandwidth."`
	Timeout                    *string  `arg:"timeout" doc:"Seconds to wait for a connection."`
	UiRepoidVars               *string  `arg:"ui_repoid_vars" doc:"Variables to show with its id."`
	Username                   *string  `arg:"username" doc:"User for the server."`
}

func yumRepository(ctx context.Context, h *modules.Host, a yumRepositoryArgs) (r modules.Result[yumRepositoryReturn], err error) {
	r.OneDiff = true
	if !modules.IsDir(a.Reposdir) {
		return r, modules.Failf("Repo directory '%s' does not exist.", a.Reposdir)
	}
	file := a.File
	if file == "" {
		file = a.Name
	}
	path := filepath.Join(a.Reposdir, file+".repo")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	repos, err := parseRepos(string(text))
	if err != nil {
		return r, modules.Failf("%s: %v", path, err)
	}
	before := repos.dump()
	repos.remove(a.Name)
	if a.State == "present" {
		s := &repoSection{name: a.Name}
		a.fill(s)
		repos = append(repos, s)
		r.Deprecations = a.deprecated()
	}
	after := repos.dump()
	r.Diff = []modules.Diff{{Before: before, After: after, BeforeHeader: path, AfterHeader: path}}
	if err := saveRepos(ctx, h, path, repos, before != after, a.FileArgs); err != nil {
		return r, err
	}
	r.Data.Repo, r.Data.State = a.Name, a.State
	return r, nil
}

// saveRepos writes the file, or removes one that holds no repository any more.
func saveRepos(ctx context.Context, h *modules.Host, path string, repos repoFile, changed bool, attrs modules.FileArgs) error {
	if changed && len(repos) == 0 {
		return h.Act(func() error { return os.Remove(path) })
	}
	if !changed && !modules.Exists(path) {
		return nil
	}
	plan, err := h.PlanAttrs(ctx, path, attrs)
	if err != nil {
		return err
	}
	if changed {
		_, err = h.WriteFile(ctx, path, []byte(repos.String()), modules.Replacement{Plan: plan, UnsafeWrites: attrs.UnsafeWrites})
		return err
	}
	if plan.Changed {
		return h.ApplyAttrs(path, plan)
	}
	return nil
}

// fill puts the options that are given into a section, in the order of their names.
func (a *yumRepositoryArgs) fill(s *repoSection) {
	if a.Description != nil {
		s.set("name", *a.Description)
	}
	v := reflect.ValueOf(a.yumOptions)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("arg"), ",")
		switch x := v.Field(i).Interface().(type) {
		case *string:
			if x != nil {
				s.set(name, *x)
			}
		case *bool:
			if x != nil {
				s.set(name, map[bool]string{true: "1", false: "0"}[*x])
			}
		case []string:
			between := " "
			if name == "baseurl" || name == "gpgkey" {
				between = "\n"
			}
			if x != nil {
				s.set(name, strings.Join(x, between))
			}
		}
	}
	byKey(s.options)
}

// deprecated are the warnings about options that do nothing nowadays.
func (a *yumRepositoryArgs) deprecated() []string {
	var out []string
	say := func(given bool, option, why, version string) {
		if given {
			out = append(out, "'"+option+"' parameter is deprecated as "+why+". This feature will be removed from module 'yum_repository' in ansible-core version "+version+".")
		}
	}
	const noEffect = "it has no effect with dnf as an underlying package manager"
	say(a.Async != nil, "async", "it has been removed on systems supported by ansible-core", "2.22")
	say(a.DeltarpmMetadataPercentage != nil, "deltarpm_metadata_percentage", noEffect, "2.22")
	say(a.Gpgcakey != nil, "gpgcakey", noEffect, "2.22")
	say(a.HttpCaching != nil, "http_caching", noEffect, "2.22")
	say(a.Keepalive != nil, "keepalive", noEffect, "2.22")
	say(a.Keepcache != nil, "keepcache", "it is only valid in the main configuration", "2.20")
	say(a.MetadataExpireFilter != nil, "metadata_expire_filter", noEffect, "2.22")
	say(a.MirrorlistExpire != nil, "mirrorlist_expire", noEffect, "2.22")
	say(a.Protect != nil, "protect", noEffect, "2.22")
	say(a.SslCheckCertPermissions != nil, "ssl_check_cert_permissions", noEffect, "2.22")
	say(a.UiRepoidVars != nil, "ui_repoid_vars", noEffect, "2.22")
	return out
}

// repoFile is a file of repositories.
type repoFile []*repoSection

type repoSection struct {
	name    string
	options []repoOption
}

type repoOption struct{ key, value string } // lines of a long value are apart by newlines

func (s *repoSection) set(key, value string) { s.options = append(s.options, repoOption{key, value}) }

func (f *repoFile) remove(name string) {
	*f = slices.DeleteFunc(*f, func(s *repoSection) bool { return s.name == name })
}

// parseRepos reads sections of KEY=VALUE or KEY: VALUE; lines that stand further in go on
// with a value.
func parseRepos(text string) (f repoFile, err error) {
	indent := -1
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		at := len(line) - len(strings.TrimLeft(line, " \t"))
		if indent >= 0 && (trimmed == "" || at > indent) {
			o := &f[len(f)-1].options
			(*o)[len(*o)-1].value += "\n" + trimmed
			continue
		}
		if trimmed == "" {
			continue
		}
		if strings.HasPrefix(trimmed, "[") && strings.HasSuffix(trimmed, "]") {
			f, indent = append(f, &repoSection{name: trimmed[1 : len(trimmed)-1]}), -1
			continue
		}
		sep := strings.IndexAny(trimmed, "=:")
		if len(f) == 0 || sep < 1 {
			return nil, fmt.Errorf("not a line of a repository: %q", trimmed)
		}
		f[len(f)-1].set(strings.ToLower(strings.TrimSpace(trimmed[:sep])), strings.TrimSpace(trimmed[sep+1:]))
		indent = at
	}
	for _, s := range f {
		for i := range s.options {
			s.options[i].value = strings.TrimRight(s.options[i].value, "\n")
		}
	}
	return f, nil
}

// String is the text of the file.
func (f repoFile) String() string {
	var b strings.Builder
	for _, s := range f {
		b.WriteString("[" + s.name + "]\n")
		for _, o := range s.options {
			b.WriteString(o.key + " = " + strings.ReplaceAll(o.value, "\n", "\n\t") + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func byKey(options []repoOption) {
	sort.Slice(options, func(i, j int) bool { return options[i].key < options[j].key })
}

// dump is the text that is compared and shown: sorted, so that order does not count.
func (f repoFile) dump() string {
	var b strings.Builder
	for _, s := range slices.SortedFunc(slices.Values(f), func(a, b *repoSection) int { return strings.Compare(a.name, b.name) }) {
		b.WriteString("[" + s.name + "]\n")
		options := slices.Clone(s.options)
		byKey(options)
		for _, o := range options {
			b.WriteString(o.key + " = " + o.value + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
