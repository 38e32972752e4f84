package network

import (
	"context"
	"path/filepath"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.subversion",
		Extra:   true,
		Summary: "Keep a checkout of a Subversion repository at a revision.",
		Check:   modules.Full,
		Notes:   []string{"The password is given to svn on its input."},
		Examples: `
- name: The documentation
  ansible.builtin.subversion:
    repo: svn+ssh://svn.example.org/doc
    dest: /srv/doc
`,
	}, subversion)
}

type subversionArgs struct {
	Repo          string `arg:"repo,required" alias:"name,repository" doc:"Address of the repository."`
	Dest          string `arg:"dest" type:"path" doc:"Where the checkout is."`
	Revision      string `arg:"revision" alias:"rev,version" default:"HEAD" doc:"The revision."`
	Force         bool   `arg:"force" default:"false" doc:"Throw local changes away."`
	InPlace       bool   `arg:"in_place" default:"false" doc:"Check out into a folder that exists already."`
	Username      string `arg:"username" doc:"User name."`
	Password      string `arg:"password" no_log:"true" doc:"Password."`
	Executable    string `arg:"executable" type:"path" doc:"The svn program."`
	Checkout      bool   `arg:"checkout" default:"true" doc:"Check out when there is no checkout."`
	Update        bool   `arg:"update" default:"true" doc:"Fetch newer revisions."`
	Export        bool   `arg:"export" default:"false" doc:"Write the files without their history."`
	Switch        bool   `arg:"switch" default:"true" doc:"Go over to repo when the checkout is of another address."`
	ValidateCerts bool   `arg:"validate_certs" default:"false" doc:"Check the server's certificate."`
}

type subversionReturn struct {
	Before []string `json:"before,omitempty" doc:"Revision and address before." returned:"a checkout existed"`
	After  []string `json:"after,omitempty" doc:"Revision and address after." returned:"changed or checked"`
}

// working is one call.
type working struct {
	h *modules.Host
	a *subversionArgs
}

func subversion(ctx context.Context, h *modules.Host, a subversionArgs) (r modules.Result[subversionReturn], err error) {
	if a.Dest == "" && (a.Checkout || a.Update || a.Export) {
		return r, modules.Failf("the destination directory must be specified unless checkout=no, update=no, and export=no")
	}
	for name, v := range map[string]string{"repo": a.Repo, "revision": a.Revision} {
		if strings.HasPrefix(v, "-") {
			return r, modules.Failf("%s must not begin with a dash: %q", name, v)
		}
	}
	w := &working{h, &a}
	exists := modules.Exists(filepath.Join(a.Dest, ".svn"))
	switch {
	case a.Export || a.Dest == "" || !exists && (!modules.Exists(a.Dest) || a.InPlace):
		return r, w.fresh(ctx, &r.Data)
	case !exists:
		return r, modules.Failf("ERROR: %s folder already exists, but its not a subversion repository.", a.Dest)
	case !a.Update:
		return r, nil
	}
	return r, w.update(ctx, &r.Data)
}

func (w *working) svn(ctx context.Context, words ...string) (string, error) {
	program := w.a.Executable
	if program == "" {
		program = "svn"
	}
	argv := []string{program, "--non-interactive", "--no-auth-cache"}
	if !w.a.ValidateCerts {
		argv = append(argv, "--trust-server-cert")
	}
	input := ""
	if w.a.Username != "" {
		argv = append(argv, "--username", w.a.Username)
	}
	if w.a.Password != "" {
		argv = append(argv, "--password-from-stdin")
		input = w.a.Password
	}
	out, err := w.h.ToolInput(ctx, input, append(argv, words...)...)
	if err == nil && out.RC != 0 {
		err = modules.Failf("svn: %s", strings.TrimSpace(out.Stderr+out.Stdout))
	}
	return out.Stdout, err
}

// fresh exports, checks out, or only asks.
func (w *working) fresh(ctx context.Context, out *subversionReturn) error {
	a := w.a
	if !a.Export && !a.Checkout {
		text, err := w.svn(ctx, "info", "-r", a.Revision, "--", a.Repo)
		out.After = svnInfo(text)
		return err
	}
	argv := []string{"checkout", "-r", a.Revision}
	if a.Export {
		argv[0] = "export"
	}
	if a.Force || a.InPlace {
		argv = append(argv, "--force")
	}
	if err := w.h.Act(func() error {
		_, err := w.svn(ctx, append(argv, "--", a.Repo, a.Dest)...)
		return err
	}); err != nil || w.h.Check || a.Export {
		return err
	}
	text, err := w.svn(ctx, "info", "--", a.Dest)
	out.After = svnInfo(text)
	return err
}

func (w *working) update(ctx context.Context, out *subversionReturn) error {
	a := w.a
	text, err := w.svn(ctx, "info", "--", a.Dest)
	if err != nil {
		return err
	}
	out.Before = svnInfo(text)
	status, err := w.svn(ctx, "status", "--quiet", "--ignore-externals", "--", a.Dest)
	if err != nil {
		return err
	}
	if svnEdited(status) {
		if !a.Force {
			return modules.Failf("ERROR: modified files exist in the repository.")
		}
		if err := w.h.Act(func() error { _, err := w.svn(ctx, "revert", "-R", "--", a.Dest); return err }); err != nil {
			return err
		}
	}
	remote, err := w.svn(ctx, "info", "-r", a.Revision, "--", a.Repo)
	if err != nil {
		return err
	}
	now, then := strings.Join(out.Before, "\n"), strings.Join(svnInfo(remote), "\n")
	if now == then {
		out.After = out.Before
		return nil
	}
	moved := len(out.Before) == 2 && !strings.HasSuffix(then, out.Before[1]) && a.Switch
	return w.h.Act(func() error {
		argv := []string{"update", "-r", a.Revision, "--", a.Dest}
		if moved {
			argv = []string{"switch", "--ignore-ancestry", "-r", a.Revision, "--", a.Repo, a.Dest}
		}
		if _, err := w.svn(ctx, argv...); err != nil {
			return err
		}
		text, err := w.svn(ctx, "info", "--", a.Dest)
		out.After = svnInfo(text)
		return err
	})
}

// svnInfo takes the lines with revision and address out of svn info.
func svnInfo(text string) []string {
	var revision, address string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Revision:") {
			revision = line
		}
		if strings.HasPrefix(line, "URL:") {
			address = line
		}
	}
	if revision == "" {
		return nil
	}
	return []string{revision, address}
}

// svnEdited tells whether svn status shows changed files.
func svnEdited(status string) bool {
	for line := range strings.Lines(status) {
		if line[0] != ' ' && line[0] != '?' && line[0] != 'X' && strings.TrimSpace(line) != "" {
			return true
		}
	}
	return false
}
