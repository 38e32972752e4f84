package packages

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.pip",
		Summary: "Keep Python packages installed, or not, with pip.",
		Check:   modules.Full,
		Rules: modules.Rules{
			modules.Exclusive("name", "requirements"), modules.Exclusive("executable", "virtualenv"), modules.OneOf("name", "requirements"),
		},
		Examples: `
- name: What the application needs, apart from the system's Python
  ansible.builtin.pip:
    requirements: /srv/app/requirements.txt
    virtualenv: /srv/app/venv
    virtualenv_command: python3 -m venv
`,
	}, pip)
}

type pipArgs struct {
	Name          []string    `arg:"name" elements:"str" doc:"Packages, with versions as pip writes them, or addresses."`
	Version       string      `arg:"version" doc:"Version, when there is one package."`
	Requirements  string      `arg:"requirements" doc:"Path of a requirements file."`
	Virtualenv    string      `arg:"virtualenv" type:"path" doc:"Virtual environment to use; it is made when it is missing."`
	SitePackages  bool        `arg:"virtualenv_site_packages" default:"false" doc:"Let a new environment see the system's packages."`
	VenvCommand   string      `arg:"virtualenv_command" type:"path" default:"virtualenv" doc:"Command that makes the environment."`
	VenvPython    string      `arg:"virtualenv_python" doc:"Python for the environment."`
	State         string      `arg:"state" default:"present" choices:"absent,forcereinstall,latest,present" doc:"What should be true of them."`
	ExtraArgs     string      `arg:"extra_args" doc:"More arguments for pip."`
	Editable      bool        `arg:"editable" default:"false" doc:"Install addresses as editable."`
	Chdir         string      `arg:"chdir" type:"path" doc:"Folder to run in."`
	Executable    string      `arg:"executable" type:"path" doc:"The pip program."`
	Umask         value.Value `arg:"umask" type:"raw" doc:"Umask for the files."`
	BreakPackages bool        `arg:"break_system_packages" default:"false" doc:"Change a Python that the system's package manager looks after."`
}

type pipReturn struct {
	Cmd          []string `json:"cmd,omitempty" doc:"The command." returned:"success"`
	Name         []string `json:"name" doc:"The packages." returned:"success"`
	Requirements *string  `json:"requirements" doc:"The requirements file." returned:"success"`
	Version      *string  `json:"version" doc:"The version." returned:"success"`
	State        string   `json:"state" doc:"The state that was asked for." returned:"success"`
	Virtualenv   *string  `json:"virtualenv" doc:"The environment." returned:"success"`
	Stdout       string   `json:"stdout" doc:"Output of pip." returned:"success"`
	Stderr       string   `json:"stderr" doc:"Error output of pip." returned:"success"`
}

// pipTask is one call.
type pipTask struct {
	h     *modules.Host
	a     *pipArgs
	argv  []string // the pip program
	umask *int
	out   *pipReturn
}

func pip(ctx context.Context, h *modules.Host, a pipArgs) (r modules.Result[pipReturn], err error) {
	if a.Version != "" && (len(a.Name) != 1 || strings.ContainsAny(a.Name[0], "<>=!~")) {
		return r, modules.Failf("'version' argument is ambiguous when installing multiple package distributions. Please specify version restrictions next to each package in 'name' argument.")
	}
	if a.State == "latest" && a.Version != "" {
		return r, modules.Failf("version is incompatible with state=latest")
	}
	r.Data = pipReturn{Name: a.Name, State: a.State, Requirements: given(a.Requirements), Version: given(a.Version), Virtualenv: given(a.Virtualenv)}
	t := &pipTask{h: h, a: &a, out: &r.Data}
	if a.Umask != nil {
		n, err := strconv.ParseUint(value.Str(a.Umask), 8, 16)
		if err != nil {
			return r, modules.Failf("umask must be an octal integer")
		}
		t.umask = new(int(n))
	}
	if a.Version != "" {
		a.Name = []string{a.Name[0] + "==" + a.Version}
	}
	made, err := t.environment(ctx)
	if err != nil {
		return r, err
	}
	if made && h.Check {
		return r, nil
	}
	if err := t.findPip(); err != nil {
		return r, err
	}
	return r, t.converge(ctx)
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (t *pipTask) run(ctx context.Context, argv ...string) (modules.ToolResult, error) {
	return t.h.ToolWith(ctx, modules.Command{Argv: argv, Dir: t.a.Chdir, Umask: t.umask})
}

// environment makes the virtual environment when it is missing.
func (t *pipTask) environment(ctx context.Context) (made bool, err error) {
	a := t.a
	if a.Virtualenv == "" || modules.Exists(filepath.Join(a.Virtualenv, "bin", "activate")) {
		return false, nil
	}
	words, err := modules.SplitWords(a.VenvCommand)
	if err != nil || len(words) == 0 {
		return false, modules.Failf("virtualenv_command: %v", err)
	}
	if a.SitePackages {
		words = append(words, "--system-site-packages")
	}
	if a.VenvPython != "" {
		words = append(words, "-p"+a.VenvPython)
	}
	return true, t.h.Act(func() error {
		out, err := t.run(ctx, append(words, a.Virtualenv)...)
		if err == nil && out.RC != 0 {
			err = modules.Failf("%s: %s%s", modules.Sh(words...), out.Stdout, out.Stderr)
		}
		t.out.Stdout, t.out.Stderr = out.Stdout, out.Stderr
		return err
	})
}

func (t *pipTask) findPip() error {
	names := []string{"pip3", "pip"}
	switch {
	case t.a.Virtualenv != "":
		for _, n := range names {
			if p := filepath.Join(t.a.Virtualenv, "bin", n); modules.Exists(p) {
				t.argv = []string{p}
				return nil
			}
		}
		return modules.Failf("no pip in the virtual environment %s", t.a.Virtualenv)
	case t.a.Executable != "":
		names = []string{t.a.Executable}
	}
	for _, n := range names {
		if strings.Contains(n, "/") {
			t.argv = []string{n}
			return nil
		}
		if p := t.h.LookPath(n); p != "" {
			t.argv = []string{p}
			return nil
		}
	}
	return modules.Failf("Unable to find any of %s to use.  pip needs to be installed.", strings.Join(names, ", "))
}

func (t *pipTask) converge(ctx context.Context) error {
	a := t.a
	argv := append(t.argv, "install")
	switch a.State {
	case "absent":
		argv = append(t.argv, "uninstall", "-y")
	case "latest":
		argv = append(argv, "-U")
	case "forcereinstall":
		argv = append(argv, "-U", "--force-reinstall")
	}
	extra, err := modules.SplitWords(a.ExtraArgs)
	if err != nil {
		return modules.Failf("extra_args: %v", err)
	}
	argv = append(argv, extra...)
	if a.BreakPackages {
		argv = append(argv, "--break-system-packages")
	}
	for _, n := range a.Name {
		if strings.HasPrefix(n, "-") {
			return modules.Failf("invalid package name %q", n)
		}
		if a.Editable && isAddress(n) {
			argv = append(argv, "-e")
		}
		argv = append(argv, n)
	}
	if a.Requirements != "" {
		argv = append(argv, "-r", a.Requirements)
	}
	t.out.Cmd = argv
	if sure, err := t.settled(ctx); err != nil || sure {
		return err
	}
	if t.h.Check {
		t.h.MarkChanged()
		return nil
	}
	changed, err := t.call(ctx, argv)
	if changed {
		t.h.MarkChanged()
	}
	return err
}

func isAddress(n string) bool {
	return strings.Contains(n, "://") || strings.HasPrefix(n, ".") || strings.HasPrefix(n, "/") || strings.HasPrefix(n, "git+")
}

// settled tells, from what is installed, whether there is nothing to do. What only pip can
// decide (latest, version ranges, addresses, requirements) is left to it, or, in check
// mode, counts as a change.
func (t *pipTask) settled(ctx context.Context) (bool, error) {
	a := t.a
	if a.State != "present" && a.State != "absent" || a.Requirements != "" && a.State == "present" {
		return false, nil
	}
	out, err := t.run(ctx, append(append([]string{}, t.argv...), "list", "--format=freeze", "--disable-pip-version-check")...)
	if err != nil {
		return false, err
	}
	if out.RC != 0 {
		return false, modules.Failf("pip list: %s", strings.TrimSpace(out.Stderr))
	}
	t.out.Stdout, t.out.Stderr = out.Stdout, out.Stderr
	installed := frozen(out.Stdout)
	for _, n := range a.Name {
		name, op, version := splitRequirement(n)
		have, ok := installed[name]
		switch {
		case a.State == "absent" && ok, a.State == "present" && (!ok || isAddress(n)), a.State == "present" && op != "" && (op != "==" || have != version):
			return false, nil
		}
	}
	return a.Requirements == "", nil
}

// frozen reads lines NAME==VERSION.
func frozen(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			found[canonicalName(name)] = version
		}
	}
	return found
}

// canonicalName writes a package name as Python compares them.
func canonicalName(n string) string {
	n = strings.ToLower(n)
	parts := strings.FieldsFunc(n, func(c rune) bool { return c == '-' || c == '_' || c == '.' })
	return strings.Join(parts, "-")
}

func splitRequirement(n string) (name, op, version string) {
	i := strings.IndexAny(n, "<>=!~ ;")
	if i < 0 {
		i = len(n)
	}
	name, rest := n[:i], strings.TrimSpace(n[i:])
	if j := strings.IndexByte(name, '['); j >= 0 {
		name = name[:j]
	}
	version = strings.TrimLeft(rest, "<>=!~")
	op = rest[:len(rest)-len(version)]
	return canonicalName(name), op, strings.TrimSpace(version)
}

// call runs pip and tells whether what is installed is different afterwards.
func (t *pipTask) call(ctx context.Context, argv []string) (changed bool, err error) {
	freeze := append(append([]string{}, t.argv...), "freeze", "--all")
	before, err := t.run(ctx, freeze...)
	if err != nil {
		return false, err
	}
	out, err := t.run(ctx, argv...)
	if err != nil {
		return false, err
	}
	t.out.Stdout, t.out.Stderr = out.Stdout, out.Stderr
	after, err := t.run(ctx, freeze...)
	changed = before.Stdout != after.Stdout || t.a.State == "forcereinstall" && out.RC == 0
	if out.RC != 0 {
		return changed, modules.Failf("stdout: %s\n:stderr: %s", out.Stdout, out.Stderr)
	}
	return changed, err
}
