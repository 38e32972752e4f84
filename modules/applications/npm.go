package applications

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.npm",
		Extra:   true,
		Summary: "Keep packages of Node.js installed, with npm.",
		Check:   modules.Full,
		Examples: `
- name: A tool for everybody
  community.general.npm:
    name: yarn
    global: true

- name: What an application needs
  community.general.npm:
    path: /srv/app
    production: true
`,
	}, npm)
}

type npmArgs struct {
	Name          string `arg:"name" doc:"The package; what package.json asks for when not given."`
	Version       string `arg:"version" doc:"Its version."`
	Path          string `arg:"path" type:"path" doc:"Directory of the application."`
	Global        bool   `arg:"global" default:"false" doc:"For everybody, not for an application."`
	State         string `arg:"state" default:"present" choices:"present,absent,latest" doc:"What should be true of it."`
	CI            bool   `arg:"ci" default:"false" doc:"Install exactly what the lock file says; always a change."`
	Production    bool   `arg:"production" default:"false" doc:"Without what only development needs."`
	IgnoreScripts bool   `arg:"ignore_scripts" default:"false" doc:"Run no scripts of packages."`
	UnsafePerm    bool   `arg:"unsafe_perm" default:"false" doc:"Run scripts as root."`
	NoOptional    bool   `arg:"no_optional" default:"false" doc:"Without optional packages."`
	NoBinLinks    bool   `arg:"no_bin_links" default:"false" doc:"Make no links to programs."`
	Force         bool   `arg:"force" default:"false" doc:"Have npm fetch and overwrite what is there."`
	Registry      string `arg:"registry" doc:"Registry to use."`
	Executable    string `arg:"executable" type:"path" doc:"The program, instead of npm; may have arguments."`
}

// npmTask is the state of one call.
type npmTask struct {
	h    *modules.Host
	a    *npmArgs
	spec string // name@version
	keys *value.Dict
}

func npm(ctx context.Context, h *modules.Host, a npmArgs) (r modules.Result[*value.Dict], err error) {
	if a.Path == "" && !a.Global {
		return r, modules.Failf("path must be specified when not using global")
	}
	if a.State == "absent" && a.Name == "" {
		return r, modules.Failf("uninstalling a package is only available for named packages")
	}
	t := &npmTask{h: h, a: &a, spec: a.Name}
	if a.Version != "" && a.State != "absent" {
		t.spec = a.Name + "@" + a.Version
	}
	err = t.do(ctx)
	r.Data = t.keys
	return r, err
}

func (t *npmTask) do(ctx context.Context) error {
	a := t.a
	if a.CI {
		return t.change(ctx, "ci")
	}
	installed, missing, err := t.list(ctx)
	if err != nil {
		return err
	}
	if a.State == "absent" {
		if slices.Contains(installed, a.Name) {
			err = t.change(ctx, "uninstall")
		}
		return err
	}
	outdated := false
	if a.State == "latest" {
		out, err := t.run(ctx, false, "outdated")
		if err != nil {
			return err
		}
		outdated = strings.TrimSpace(out) != ""
	}
	if missing {
		if err := t.change(ctx, "install"); err != nil {
			return err
		}
	}
	if outdated {
		err = t.change(ctx, "update")
	}
	return err
}

func (t *npmTask) change(ctx context.Context, command string) error {
	return t.h.Act(func() error {
		_, err := t.run(ctx, true, command)
		return err
	})
}

// run calls npm with the flags of the task; must tells that it has to succeed.
func (t *npmTask) run(ctx context.Context, must bool, words ...string) (string, error) {
	if t.a.Path != "" && !modules.Exists(t.a.Path) {
		if t.h.Check {
			return "", nil
		}
		if err := os.MkdirAll(t.a.Path, 0o755); err != nil {
			return "", err
		}
	}
	if t.a.Path != "" && !modules.IsDir(t.a.Path) {
		return "", modules.Failf("path %s is not a directory", t.a.Path)
	}
	out, err := t.h.ToolWith(ctx, modules.Command{Argv: t.argv(words), Dir: t.a.Path, Live: must})
	if err == nil && must && out.RC != 0 {
		t.keys = failed(t.argv(words), out)
		err = modules.Failf("%s", strings.TrimRight(out.Stderr, "\n "))
	}
	return out.Stdout, err
}

func (t *npmTask) argv(words []string) []string {
	a := t.a
	argv := []string{"npm"}
	if a.Executable != "" {
		argv = strings.Fields(a.Executable)
	}
	argv = append(argv, words...)
	add := func(on bool, flag ...string) {
		if on {
			argv = append(argv, flag...)
		}
	}
	add(a.Global, "--global")
	add(a.Production && slices.Contains([]string{"install", "update", "ci"}, words[0]), "--production")
	add(a.IgnoreScripts, "--ignore-scripts")
	add(a.UnsafePerm, "--unsafe-perm")
	add(a.Force, "--force")
	add(t.spec != "" && words[0] != "list", t.spec)
	add(a.Registry != "", "--registry", a.Registry)
	add(a.NoOptional, "--no-optional")
	add(a.NoBinLinks, "--no-bin-links")
	return argv
}

// list tells what is installed, with and without versions, and whether something wanted is
// missing.
func (t *npmTask) list(ctx context.Context) (installed []string, missing bool, err error) {
	out, err := t.run(ctx, false, "list", "--json", "--long")
	if err != nil {
		return nil, false, err
	}
	return t.parse(out)
}

func (t *npmTask) parse(out string) (installed []string, missing bool, err error) {
	var tree struct {
		Dependencies map[string]struct {
			Version string
			Missing json.RawMessage
			Invalid json.RawMessage
		}
	}
	if strings.TrimSpace(out) != "" {
		if err := json.Unmarshal([]byte(out), &tree); err != nil {
			return nil, false, modules.Failf("Failed to parse NPM output with error %s", err)
		}
	}
	if tree.Dependencies == nil {
		return nil, true, nil
	}
	for name, d := range tree.Dependencies {
		if isTrue(d.Missing) || isTrue(d.Invalid) {
			missing = true
			continue
		}
		installed = append(installed, name)
		if d.Version != "" {
			installed = append(installed, name+"@"+d.Version)
		}
	}
	return installed, missing || t.spec != "" && !slices.Contains(installed, t.spec), nil
}

// isTrue tells whether a value that may be of any type says yes.
func isTrue(raw json.RawMessage) bool {
	return !slices.Contains([]string{"", "false", "null", `""`, "[]", "{}", "0"}, string(raw))
}
