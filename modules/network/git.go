package network

import (
	"context"
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
		Name:    "ansible.builtin.git",
		Extra:   true,
		Summary: "Keep a checkout of a git repository at a version.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules: modules.Rules{
			modules.Exclusive("separate_git_dir", "bare"), modules.Exclusive("accept_hostkey", "accept_newhostkey"),
			modules.RequiredBy("archive_prefix", "archive"),
		},
		Examples: `
- name: The application's source
  ansible.builtin.git:
    repo: https://git.example.org/app.git
    dest: /srv/app
    version: v1.4.2
`,
	}, git)
}

type gitArgs struct {
	Repo         string      `arg:"repo,required" alias:"name" doc:"Address of the repository."`
	Dest         string      `arg:"dest,required" type:"path" doc:"Where the checkout is; with clone: no it may not exist."`
	Version      string      `arg:"version" default:"HEAD" doc:"Branch, tag or full commit hash."`
	Remote       string      `arg:"remote" default:"origin" doc:"Name of the remote."`
	Refspec      string      `arg:"refspec" doc:"More to fetch, as git fetch takes it."`
	Reference    string      `arg:"reference" doc:"Repository to borrow objects from."`
	Force        bool        `arg:"force" default:"false" doc:"Throw local changes away."`
	Depth        *int64      `arg:"depth" doc:"How many commits of history to fetch."`
	Clone        bool        `arg:"clone" default:"true" doc:"Clone when there is no checkout."`
	Update       bool        `arg:"update" default:"true" doc:"Fetch new commits."`
	Bare         bool        `arg:"bare" default:"false" doc:"Keep the repository without a checkout."`
	Recursive    bool        `arg:"recursive" default:"true" doc:"Submodules, too."`
	SingleBranch bool        `arg:"single_branch" default:"false" doc:"Clone one branch only."`
	TrackSubs    bool        `arg:"track_submodules" default:"false" doc:"Take the latest commit of each submodule's branch."`
	VerifyCommit bool        `arg:"verify_commit" default:"false" doc:"Fail unless the version is signed."`
	Allowlist    []string    `arg:"gpg_allowlist" alias:"gpg_whitelist" default:"" elements:"str" doc:"Fingerprints of keys that may sign."`
	AcceptHost   bool        `arg:"accept_hostkey" default:"false" doc:"Accept any host key of an SSH server."`
	AcceptNew    bool        `arg:"accept_newhostkey" default:"false" doc:"Accept host keys of SSH servers not known yet."`
	SSHOpts      string      `arg:"ssh_opts" doc:"Options for ssh."`
	KeyFile      string      `arg:"key_file" type:"path" doc:"Private key for ssh."`
	Executable   string      `arg:"executable" type:"path" doc:"The git program."`
	Umask        value.Value `arg:"umask" type:"raw" doc:"Umask for the files."`
	Archive      string      `arg:"archive" type:"path" doc:"Archive of the version to write; the ending says which kind."`
	Prefix       string      `arg:"archive_prefix" doc:"Folder that names in the archive begin with."`
	SeparateDir  string      `arg:"separate_git_dir" type:"path" doc:"Where the repository itself goes, apart from the checkout."`
}

type gitReturn struct {
	Before     *string `json:"before" doc:"The commit before." returned:"success"`
	After      *string `json:"after,omitempty" doc:"The commit after." returned:"success"`
	URLChanged *bool   `json:"remote_url_changed,omitempty" doc:"Did the remote's address change?" returned:"a checkout existed"`
	Submodules *bool   `json:"submodules_changed,omitempty" doc:"Did submodules change?" returned:"when they did"`
	Cmd        string  `json:"cmd,omitempty" doc:"The command that failed." returned:"failure"`
	Rc         *int    `json:"rc,omitempty" doc:"Its exit code." returned:"failure"`
	Stdout     string  `json:"stdout,omitempty" doc:"Its output." returned:"failure"`
	Stderr     string  `json:"stderr,omitempty" doc:"Its error output." returned:"failure"`
}

// checkout is one call.
type checkout struct {
	h     *modules.Host
	a     *gitArgs
	r     *modules.Result[gitReturn]
	env   []string
	umask *int
}

func git(ctx context.Context, h *modules.Host, a gitArgs) (r modules.Result[gitReturn], err error) {
	c := &checkout{h: h, a: &a, r: &r}
	for name, s := range map[string]string{"repo": a.Repo, "version": a.Version, "remote": a.Remote, "refspec": a.Refspec} {
		if strings.HasPrefix(s, "-") {
			return r, modules.Failf("%s must not begin with a dash: %q", name, s)
		}
	}
	if c.env, err = c.environment(); err != nil {
		return r, err
	}
	if a.Umask != nil {
		n, err := strconv.ParseUint(value.Str(a.Umask), 8, 16)
		if err != nil {
			return r, modules.Failf("umask must be an octal integer")
		}
		c.umask = new(int(n))
	}
	err = c.converge(ctx)
	return r, err
}

// environment has git use ssh as the options say, and never ask for anything.
func (c *checkout) environment() ([]string, error) {
	env := []string{"GIT_TERMINAL_PROMPT=0"}
	words, _ := c.h.Getenv("GIT_SSH_COMMAND")
	if words == "" {
		words = "ssh"
	}
	words += " -o BatchMode=yes"
	if c.a.SSHOpts != "" {
		if _, err := modules.SplitWords(c.a.SSHOpts); err != nil {
			return nil, modules.Failf("ssh_opts: %v", err)
		}
		words += " " + c.a.SSHOpts
	}
	if c.a.AcceptHost && !strings.Contains(c.a.SSHOpts, "StrictHostKeyChecking") {
		words += " -o StrictHostKeyChecking=no"
	}
	if c.a.AcceptNew && !strings.Contains(c.a.SSHOpts, "StrictHostKeyChecking") {
		words += " -o StrictHostKeyChecking=accept-new"
	}
	if c.a.KeyFile != "" {
		words += " -i " + modules.Sh(c.a.KeyFile) + " -o IdentitiesOnly=yes"
	}
	return append(env, "GIT_SSH_COMMAND="+words), nil
}

func (c *checkout) git(ctx context.Context, dir string, words ...string) (modules.ToolResult, error) {
	name := "git"
	if c.a.Executable != "" {
		name = c.a.Executable
	}
	return c.h.ToolWith(ctx, modules.Command{Argv: append([]string{name}, words...), Dir: dir, Env: c.env, Umask: c.umask})
}

// must calls git and fails with what, or with git's own words, when git does.
func (c *checkout) must(ctx context.Context, what, dir string, words ...string) (string, error) {
	out, err := c.git(ctx, dir, words...)
	if err != nil {
		return "", err
	}
	if out.RC == 0 {
		return strings.TrimSpace(out.Stdout), nil
	}
	if what == "" {
		what = strings.TrimSpace(out.Stderr)
	}
	d := &c.r.Data
	d.Cmd, d.Rc, d.Stdout, d.Stderr = modules.Sh(append([]string{"git"}, words...)...), &out.RC, out.Stdout, out.Stderr
	return "", modules.Failf("%s", what)
}

func (c *checkout) exists() bool {
	config := filepath.Join(c.a.Dest, ".git")
	if c.a.Bare {
		config = filepath.Join(c.a.Dest, "config")
	}
	return modules.Exists(config)
}

func (c *checkout) head(ctx context.Context) *string {
	out, err := c.git(ctx, c.a.Dest, "rev-parse", "HEAD")
	if err != nil || out.RC != 0 {
		return nil
	}
	return new(strings.TrimSpace(out.Stdout))
}

func (c *checkout) converge(ctx context.Context) error {
	if !c.exists() {
		if c.h.Check || !c.a.Clone {
			head, err := c.remoteHead(ctx, "", c.a.Repo)
			c.r.Data.After = &head
			c.r.Changed = err == nil
			return err
		}
		if err := c.h.Act(func() error { return c.clone(ctx) }); err != nil {
			return err
		}
	} else {
		c.r.Data.Before = c.head(ctx)
		if !c.a.Update {
			c.r.Data.After = c.r.Data.Before
			return c.archive(ctx)
		}
		if done, err := c.refresh(ctx); done || err != nil {
			return err
		}
	}
	if !c.a.Bare {
		if err := c.switchTo(ctx); err != nil {
			return err
		}
		if err := c.submodules(ctx); err != nil {
			return err
		}
	}
	d := &c.r.Data
	d.After = c.head(ctx)
	if d.Before == nil || d.After == nil || *d.Before != *d.After {
		c.r.Changed = true
		if c.h.Diff && d.Before != nil && d.After != nil {
			out, err := c.git(ctx, c.a.Dest, "diff", *d.Before, *d.After)
			if err == nil && out.RC == 0 {
				c.r.Diff = []modules.Diff{{Prepared: out.Stdout}}
			}
		}
	}
	return c.archive(ctx)
}

// refresh fetches into a checkout that exists; done is check mode's answer.
func (c *checkout) refresh(ctx context.Context) (done bool, err error) {
	d := &c.r.Data
	if !c.a.Bare {
		status, err := c.must(ctx, "", c.a.Dest, "status", "--porcelain")
		if err != nil {
			return false, err
		}
		if localChanges(status) {
			msg := "Local modifications exist in the destination: " + c.a.Dest
			if !c.a.Force {
				return false, modules.Failf("%s (force=no).", msg)
			}
			c.r.Msg = msg
			if err := c.h.Act(func() error {
				_, err := c.must(ctx, "", c.a.Dest, "reset", "--hard", "HEAD", "--")
				return err
			}); err != nil {
				return false, err
			}
		}
	}
	now, _ := c.git(ctx, c.a.Dest, "ls-remote", "--get-url", c.a.Remote)
	changed := strings.TrimSpace(now.Stdout) != "" && strings.TrimSpace(now.Stdout) != c.a.Repo
	d.URLChanged = &changed
	if c.h.Check {
		head, err := c.remoteHead(ctx, c.a.Dest, c.a.Repo)
		if err != nil {
			return false, err
		}
		d.After = &head
		c.r.Changed = changed || d.Before == nil || *d.Before != head
		return true, nil
	}
	if changed {
		c.h.MarkChanged()
		verb := "set-url"
		if strings.TrimSpace(now.Stdout) == c.a.Remote {
			verb = "add"
		}
		if _, err := c.must(ctx, "", c.a.Dest, "remote", verb, c.a.Remote, c.a.Repo); err != nil {
			return false, err
		}
	}
	return false, c.fetch(ctx)
}

func localChanges(status string) bool {
	for line := range strings.Lines(status) {
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), "??") {
			return true
		}
	}
	return false
}

func isHash(v string) bool {
	return (len(v) == 40 || len(v) == 64) && strings.Trim(v, "0123456789abcdef") == ""
}

// remoteHead asks the remote what the version is there.
func (c *checkout) remoteHead(ctx context.Context, dir, remote string) (string, error) {
	if isHash(c.a.Version) {
		return c.a.Version, nil
	}
	out, err := c.must(ctx, "", dir, "ls-remote", "--", remote)
	if err != nil {
		return "", err
	}
	head := pickRef(out, c.a.Version)
	if head == "" {
		return "", modules.Failf("Could not determine remote revision for %s", c.a.Version)
	}
	return head, nil
}

// pickRef finds a version in what ls-remote prints: a branch, then a tag, an annotated one
// by its commit.
func pickRef(refs, version string) string {
	found := map[string]string{}
	for line := range strings.Lines(refs) {
		if f := strings.Fields(line); len(f) == 2 {
			found[f[1]] = f[0]
		}
	}
	for _, name := range []string{"refs/heads/" + version, "refs/tags/" + version + "^{}", "refs/tags/" + version, version} {
		if version == "HEAD" {
			name = "HEAD"
		}
		if h := found[name]; h != "" {
			return h
		}
	}
	return ""
}

func (c *checkout) clone(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(c.a.Dest), 0o755); err != nil { //nolint:gosec // as git makes it
		return err
	}
	argv := []string{"clone"}
	if c.a.Bare {
		argv = append(argv, "--bare")
	} else {
		argv = append(argv, "--origin", c.a.Remote)
	}
	named := c.a.Version != "HEAD" && !isHash(c.a.Version) && c.a.Refspec == ""
	if named {
		refs, err := c.must(ctx, "", "", "ls-remote", "--", c.a.Repo)
		if err != nil {
			return err
		}
		named = strings.Contains(refs, "refs/heads/"+c.a.Version+"\n") || strings.HasSuffix(refs, "refs/heads/"+c.a.Version) ||
			strings.Contains(refs, "refs/tags/"+c.a.Version+"\n") || strings.HasSuffix(refs, "refs/tags/"+c.a.Version)
	}
	if c.a.Depth != nil && (named || c.a.Version == "HEAD") {
		argv = append(argv, "--depth", strconv.FormatInt(*c.a.Depth, 10))
	}
	if named && (c.a.Depth != nil || c.a.SingleBranch) {
		argv = append(argv, "--branch", c.a.Version)
	}
	if c.a.SingleBranch {
		argv = append(argv, "--single-branch")
	}
	if c.a.Reference != "" {
		argv = append(argv, "--reference", c.a.Reference)
	}
	if c.a.SeparateDir != "" {
		argv = append(argv, "--separate-git-dir="+c.a.SeparateDir)
	}
	if _, err := c.must(ctx, "", "", append(argv, "--", c.a.Repo, c.a.Dest)...); err != nil {
		return err
	}
	if c.a.Bare && c.a.Remote != "origin" {
		if _, err := c.must(ctx, "", c.a.Dest, "remote", "add", c.a.Remote, c.a.Repo); err != nil {
			return err
		}
	}
	if c.a.Refspec != "" {
		return c.fetch(ctx)
	}
	return nil
}

func (c *checkout) fetch(ctx context.Context) error {
	argv := []string{"fetch", "--force", "--tags"}
	var refs []string
	if c.a.Depth != nil {
		argv = append(argv, "--depth", strconv.FormatInt(*c.a.Depth, 10))
	}
	if c.a.Bare {
		refs = []string{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	} else {
		refs = []string{"+refs/heads/*:refs/remotes/" + c.a.Remote + "/*"}
	}
	if c.a.Refspec != "" {
		refs = append(refs, c.a.Refspec)
	}
	_, err := c.must(ctx, "Failed to download remote objects and refs", c.a.Dest, append(append(argv, c.a.Remote), refs...)...)
	if err != nil || c.a.Bare || c.a.Version != "HEAD" {
		return err
	}
	_, err = c.git(ctx, c.a.Dest, "remote", "set-head", c.a.Remote, "--auto")
	return err
}

// switchTo checks the version out: a branch at where its remote is, anything else as it is.
func (c *checkout) switchTo(ctx context.Context) error {
	version := c.a.Version
	if version == "HEAD" {
		ref, err := c.must(ctx, "", c.a.Dest, "symbolic-ref", "refs/remotes/"+c.a.Remote+"/HEAD")
		if err != nil {
			return err
		}
		version = strings.TrimPrefix(ref, "refs/remotes/"+c.a.Remote+"/")
	}
	remote := "refs/remotes/" + c.a.Remote + "/" + version
	isBranch, err := c.git(ctx, c.a.Dest, "show-ref", "--verify", "--quiet", remote)
	if err != nil {
		return err
	}
	if isBranch.RC == 0 {
		local, err := c.git(ctx, c.a.Dest, "show-ref", "--verify", "--quiet", "refs/heads/"+version)
		if err != nil {
			return err
		}
		argv := []string{"checkout", "--force", version}
		if local.RC != 0 {
			argv = []string{"checkout", "--force", "--track", "-b", version, c.a.Remote + "/" + version}
		}
		if _, err := c.must(ctx, "Failed to checkout "+version, c.a.Dest, append(argv, "--")...); err != nil {
			return err
		}
		if _, err := c.must(ctx, "", c.a.Dest, "reset", "--hard", c.a.Remote+"/"+version, "--"); err != nil {
			return err
		}
	} else {
		if isHash(version) {
			if known, err := c.git(ctx, c.a.Dest, "cat-file", "-e", version+"^{commit}"); err != nil {
				return err
			} else if known.RC != 0 { // outside of what was cloned
				if _, err := c.git(ctx, c.a.Dest, "fetch", "--depth", "1", c.a.Remote, version); err != nil {
					return err
				}
			}
		}
		if _, err := c.must(ctx, "Failed to checkout "+version, c.a.Dest, "checkout", "--force", version, "--"); err != nil {
			return err
		}
	}
	return c.verify(ctx)
}

// verify fails unless what is checked out is signed, by one of the allowed keys.
func (c *checkout) verify(ctx context.Context) error {
	if !c.a.VerifyCommit {
		return nil
	}
	verb := "verify-commit"
	if kind, err := c.git(ctx, c.a.Dest, "cat-file", "-t", c.a.Version); err == nil && strings.TrimSpace(kind.Stdout) == "tag" {
		verb = "verify-tag"
	}
	out, err := c.git(ctx, c.a.Dest, verb, "--raw", c.a.Version)
	if err != nil {
		return err
	}
	if out.RC != 0 {
		return modules.Failf(`Failed to verify GPG signature of commit/tag "%s"`, c.a.Version)
	}
	if len(c.a.Allowlist) == 0 {
		return nil
	}
	for line := range strings.Lines(out.Stderr) {
		f := strings.Fields(line)
		if len(f) > 2 && f[1] == "VALIDSIG" && (slices.Contains(c.a.Allowlist, f[2]) || slices.Contains(c.a.Allowlist, f[len(f)-1])) {
			return nil
		}
	}
	return modules.Failf(`The gpg_allowlist does not include the public key of commit/tag "%s"`, c.a.Version)
}

func (c *checkout) submodules(ctx context.Context) error {
	if !c.a.Recursive || !modules.Exists(filepath.Join(c.a.Dest, ".gitmodules")) {
		return nil
	}
	before, err := c.must(ctx, "", c.a.Dest, "submodule", "status", "--recursive")
	if err != nil {
		return err
	}
	if _, err := c.must(ctx, "", c.a.Dest, "submodule", "sync", "--recursive"); err != nil {
		return err
	}
	argv := []string{"submodule", "update", "--init", "--recursive"}
	if c.a.TrackSubs {
		argv = append(argv, "--remote")
	}
	if c.a.Force {
		argv = append(argv, "--force")
	}
	if _, err := c.must(ctx, "Failed to init/update submodules", c.a.Dest, argv...); err != nil {
		return err
	}
	after, err := c.must(ctx, "", c.a.Dest, "submodule", "status", "--recursive")
	if err == nil && before != after {
		c.h.MarkChanged()
		c.r.Data.Submodules = new(true)
	}
	return err
}

// archive writes the version as an archive when that differs from the one there is.
func (c *checkout) archive(ctx context.Context) error {
	if c.a.Archive == "" || c.h.Check {
		return nil
	}
	kind := ""
	for _, k := range []string{"zip", "tar", "tar.gz", "tgz"} {
		if strings.HasSuffix(c.a.Archive, "."+k) {
			kind = k
		}
	}
	if kind == "" {
		return modules.Failf("Unable to get file extension from archive file name : %s", c.a.Archive)
	}
	dir, err := c.h.TempDir()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "archive")
	argv := []string{"archive", "--format=" + kind, "--output=" + file}
	if c.a.Prefix != "" {
		argv = append(argv, "--prefix="+strings.TrimSuffix(c.a.Prefix, "/")+"/")
	}
	if _, err := c.must(ctx, "Failed to perform archive operation", c.a.Dest, append(argv, "HEAD")...); err != nil {
		return err
	}
	made, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(c.a.Archive); err == nil && string(old) == string(made) {
		return nil
	}
	_, err = c.h.WriteFile(ctx, c.a.Archive, made, modules.Replacement{})
	return err
}
