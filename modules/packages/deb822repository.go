package packages

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.deb822_repository",
		Extra:   true, // for addresses
		Summary: "Keep a source of packages in apt's deb822 format.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: A repository with its key
  ansible.builtin.deb822_repository:
    name: example
    types: deb
    uris: https://download.example.org/debian
    suites: "{{ ansible_distribution_release }}"
    components: stable
    signed_by: https://download.example.org/archive.asc
`,
	}, deb822Repository)
}

type deb822Args struct {
	Name            string      `arg:"name,required" doc:"What the source is called; its file is named for it."`
	State           string      `arg:"state" default:"present" choices:"absent,present" doc:"Should it be there?"`
	Mode            value.Value `arg:"mode" type:"raw" default:"0644" doc:"Mode of the file."`
	AllowDowngrade  *bool       `arg:"allow_downgrade_to_insecure" doc:"Go on when a signed source loses its signature."`
	AllowInsecure   *bool       `arg:"allow_insecure" doc:"Allow a source without signature."`
	AllowWeak       *bool       `arg:"allow_weak" doc:"Allow weak signatures."`
	Architectures   []string    `arg:"architectures" elements:"str" doc:"Architectures to fetch."`
	ByHash          *bool       `arg:"by_hash" doc:"Fetch lists by their hash."`
	CheckDate       *bool       `arg:"check_date" doc:"Compare dates with the machine's clock."`
	CheckValidUntil *bool       `arg:"check_valid_until" doc:"Refuse lists past their end."`
	Components      []string    `arg:"components" elements:"str" doc:"Components, like main."`
	DateMaxFuture   *int64      `arg:"date_max_future" doc:"Seconds a list may come from the future."`
	Enabled         *bool       `arg:"enabled" doc:"Use the source?"`
	Exclude         []string    `arg:"exclude" elements:"str" doc:"Packages not to take from it."`
	Include         []string    `arg:"include" elements:"str" doc:"The only packages to take from it."`
	InReleasePath   string      `arg:"inrelease_path" doc:"Path of the InRelease file."`
	Languages       []string    `arg:"languages" elements:"str" doc:"Languages of descriptions."`
	PDiffs          *bool       `arg:"pdiffs" doc:"Fetch differences of lists."`
	SignedBy        string      `arg:"signed_by" doc:"The key: its address, its text, or the path of a keyring."`
	Suites          []string    `arg:"suites" elements:"str" doc:"Suites, or a path that ends in a slash."`
	Targets         []string    `arg:"targets" elements:"str" doc:"What to fetch."`
	Trusted         *bool       `arg:"trusted" doc:"Trust or distrust it whatever its signature says."`
	Types           []string    `arg:"types" elements:"str" default:"deb" choices:"deb,deb-src" doc:"Packages, sources or both."`
	URIs            []string    `arg:"uris" elements:"str" doc:"Addresses."`
	InstallPython   bool        `arg:"install_python_debian" default:"false" doc:"Has no effect: no Python is needed."`
}

type deb822Return struct {
	Repo        *string `json:"repo" doc:"Text of the source." returned:"always"`
	Dest        string  `json:"dest" doc:"The file." returned:"always"`
	KeyFilename *string `json:"key_filename" doc:"File of the key." returned:"always"`
	modules.PathInfo
}

const keyringDir = "/etc/apt/keyrings"

func deb822Repository(ctx context.Context, h *modules.Host, a deb822Args) (r modules.Result[deb822Return], err error) {
	slug := slugOf(a.Name)
	r.Data.Dest = filepath.Join(sourcesDir, slug+".sources")
	if a.State == "absent" {
		return r, removeDeb822(h, slug, &r)
	}
	signedBy, keyFile, err := a.key(ctx, h, slug)
	if err != nil {
		return r, err
	}
	if keyFile != "" {
		r.Data.KeyFilename = &keyFile
	}
	repo := deb822Text(&a, signedBy)
	r.Data.Repo = &repo
	old, err := os.ReadFile(r.Data.Dest)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	plan, err := h.PlanAttrs(ctx, r.Data.Dest, modules.FileArgs{Mode: a.Mode})
	switch {
	case err != nil:
		return r, err
	case string(old) != repo:
		r.Diff = []modules.Diff{{Before: string(old), After: repo, BeforeHeader: r.Data.Dest, AfterHeader: r.Data.Dest}}
		_, err = h.WriteFile(ctx, r.Data.Dest, []byte(repo), modules.Replacement{Plan: plan})
	case plan.Changed:
		err = h.ApplyAttrs(r.Data.Dest, plan)
	}
	r.Data.PathInfo = h.PathInfo(ctx, r.Data.Dest)
	return r, err
}

func removeDeb822(h *modules.Host, slug string, r *modules.Result[deb822Return]) error {
	key := filepath.Join(keyringDir, slug+".gpg")
	r.Data.KeyFilename = &key // said also when there is none
	for _, path := range []string{filepath.Join(sourcesDir, slug+".sources"), filepath.Join(keyringDir, slug+".gpg"), filepath.Join(keyringDir, slug+".asc")} {
		if !modules.Exists(path) {
			continue
		}
		if err := h.Act(func() error { return os.Remove(path) }); err != nil {
			return err
		}
		if strings.HasPrefix(path, keyringDir) {
			r.Data.KeyFilename = &path
		}
	}
	return nil
}

// slugOf is a file name for a source: lower case, with dashes for blanks and underscores.
func slugOf(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(strings.TrimSpace(name)) {
		switch {
		case c == ' ' || c == '_':
			b.WriteByte('-')
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("-.", c):
			b.WriteRune(c)
		}
	}
	return strings.Trim(b.String(), ".")
}

// key is what Signed-By says; a key given by address is put into a file of its own.
func (a *deb822Args) key(ctx context.Context, h *modules.Host, slug string) (signedBy, file string, err error) {
	if a.SignedBy == "" || strings.HasPrefix(a.SignedBy, "/") {
		return a.SignedBy, "", nil
	}
	if strings.Contains(a.SignedBy, "-----BEGIN") {
		return a.SignedBy, "", nil
	}
	if !strings.Contains(a.SignedBy, "://") {
		return a.SignedBy, "", nil // a fingerprint
	}
	data, err := fetch(ctx, h, a.SignedBy, true)
	if err != nil {
		return "", "", err
	}
	ext := ".gpg"
	if bytes.Contains(data, []byte("-----BEGIN PGP")) {
		ext = ".asc"
	}
	file = filepath.Join(keyringDir, slug+ext)
	if !modules.IsDir(keyringDir) {
		if err := h.Act(func() error { return os.MkdirAll(keyringDir, 0o755) }); err != nil { //nolint:gosec // public keys
			return "", "", err
		}
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return file, file, nil
	}
	if h.Check {
		h.MarkChanged()
		return file, file, nil
	}
	plan, err := h.PlanAttrs(ctx, file, modules.FileArgs{Mode: "0644"})
	if err != nil {
		return "", "", err
	}
	_, err = h.WriteFile(ctx, file, data, modules.Replacement{Plan: plan})
	return file, file, err
}

// deb822Text writes the fields in alphabetical order of the option names.
func deb822Text(a *deb822Args, signedBy string) string {
	fields := map[string]string{"X-Repolib-Name": a.Name, "Inrelease-Path": a.InReleasePath, "Signed-By": signedBy}
	flags := map[string]*bool{"Allow-Downgrade-To-Insecure": a.AllowDowngrade, "Allow-Insecure": a.AllowInsecure, "Allow-Weak": a.AllowWeak, "By-Hash": a.ByHash,
		"Check-Date": a.CheckDate, "Check-Valid-Until": a.CheckValidUntil, "Enabled": a.Enabled, "Pdiffs": a.PDiffs, "Trusted": a.Trusted}
	for name, b := range flags {
		if b != nil {
			fields[name] = map[bool]string{true: "yes", false: "no"}[*b]
		}
	}
	lists := map[string][]string{"Architectures": a.Architectures, "Components": a.Components, "Exclude": a.Exclude, "Include": a.Include,
		"Languages": a.Languages, "Suites": a.Suites, "Targets": a.Targets, "Types": a.Types, "URIs": a.URIs}
	for name, l := range lists {
		fields[name] = strings.Join(l, " ")
	}
	if a.DateMaxFuture != nil {
		fields["Date-Max-Future"] = strconv.FormatInt(*a.DateMaxFuture, 10)
	}
	names := make([]string, 0, len(fields))
	for n, v := range fields {
		if v != "" {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(optionOf(a), optionOf(b)) })
	var b strings.Builder
	for _, n := range names {
		b.WriteString(n + ":" + deb822Value(fields[n]) + "\n")
	}
	return b.String()
}

// optionOf is the option that a field comes from.
func optionOf(field string) string {
	if field == "X-Repolib-Name" {
		return "name"
	}
	return strings.ToLower(strings.ReplaceAll(field, "-", "_"))
}

// deb822Value indents the lines of a longer value; an empty line becomes a dot.
func deb822Value(v string) string {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "\n") {
		return " " + v
	}
	var b strings.Builder
	for line := range strings.SplitSeq(v, "\n") {
		if strings.TrimSpace(line) == "" {
			line = "."
		}
		b.WriteString("\n    " + strings.TrimRight(line, " \t\r"))
	}
	return b.String()
}
