package applications

import (
	"context"
	"encoding/json"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.composer",
		Extra:   true,
		Summary: "Run Composer, the manager of PHP libraries.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.RequiredIf("global_command", "false", "working_dir")},
		Notes:   []string{"Check mode calls it with --dry-run, and skips commands that do not have that."},
		Examples: `
- name: The libraries of an application
  community.general.composer:
    working_dir: /srv/app
    no_dev: true
`,
	}, composer)
}

type composerArgs struct {
	Command            string `arg:"command" default:"install" doc:"Composer's command."`
	Arguments          string `arg:"arguments" default:"" doc:"Arguments of the command."`
	WorkingDir         string `arg:"working_dir" type:"path" doc:"Directory of composer.json."`
	GlobalCommand      bool   `arg:"global_command" default:"false" doc:"Run the command globally."`
	Executable         string `arg:"executable" alias:"php_path" type:"path" doc:"PHP, where it is not found by itself."`
	ComposerExecutable string `arg:"composer_executable" type:"path" doc:"Composer, where it is not found by itself."`
	PreferSource       bool   `arg:"prefer_source" default:"false" doc:"Take sources."`
	PreferDist         bool   `arg:"prefer_dist" default:"false" doc:"Take archives."`
	NoDev              bool   `arg:"no_dev" default:"true" doc:"Without what only development needs."`
	NoScripts          bool   `arg:"no_scripts" default:"false" doc:"Run no scripts of packages."`
	NoPlugins          bool   `arg:"no_plugins" default:"false" doc:"Use no plugins."`
	OptimizeAutoloader bool   `arg:"optimize_autoloader" default:"true" doc:"Make the autoloader faster."`
	ClassmapAuth       bool   `arg:"classmap_authoritative" default:"false" doc:"Load classes from the class map only."`
	APCuAutoloader     bool   `arg:"apcu_autoloader" default:"false" doc:"Use APCu for what was found."`
	IgnorePlatformReqs bool   `arg:"ignore_platform_reqs" default:"false" doc:"Do not look at what packages need of the platform."`
	Force              bool   `arg:"force" default:"false" doc:"Discard changes in the sources of packages."`
}

// composerTask is the state of one call.
type composerTask struct {
	h             *modules.Host
	a             *composerArgs
	php, composer string
}

func composer(ctx context.Context, h *modules.Host, a composerArgs) (r modules.Result[*value.Dict], err error) {
	if strings.ContainsAny(a.Command, " \t\n") {
		return r, modules.Failf("Use the 'arguments' param for passing arguments with the 'command'")
	}
	t := &composerTask{h: h, a: &a}
	if t.php, err = t.program(a.Executable, "php"); err != nil {
		return r, err
	}
	if t.composer, err = t.program(a.ComposerExecutable, "composer"); err != nil {
		return r, err
	}
	known, err := t.options(ctx)
	if err != nil {
		return r, err
	}
	argv, err := t.words(known)
	if err != nil {
		return r, err
	}
	if h.Check && !known["dry-run"] {
		r.Skipped, r.Msg = true, "command '"+a.Command+"' does not support check mode, skipping"
		return r, nil
	}
	out, err := t.run(ctx, argv...)
	if err != nil {
		return r, err
	}
	if out.RC != 0 {
		r.Data = value.DictOf("stdout", out.Stderr)
		return r, modules.Failf("%s", oneLine(out.Stderr))
	}
	r.Msg = oneLine(out.Stdout + out.Stderr)
	r.Changed = !strings.Contains(r.Msg, "Nothing to install or update") && !strings.Contains(r.Msg, "Nothing to install, update or remove")
	r.Data = value.DictOf("stdout", out.Stdout+out.Stderr)
	return r, nil
}

func (t *composerTask) program(given, name string) (string, error) {
	if given != "" {
		return given, nil
	}
	if p := t.h.LookPath(name, "/usr/local/bin"); p != "" {
		return p, nil
	}
	return t.h.RequirePath(name)
}

func (t *composerTask) run(ctx context.Context, words ...string) (modules.ToolResult, error) {
	return t.h.ToolWith(ctx, modules.Command{Argv: append([]string{t.php, t.composer}, words...)})
}

// options asks which options the command has.
func (t *composerTask) options(ctx context.Context) (map[string]bool, error) {
	out, err := t.run(ctx, "help", t.a.Command, "--no-interaction", "--format=json")
	if err != nil {
		return nil, err
	}
	if out.RC != 0 {
		return nil, modules.Failf("%s", oneLine(out.Stderr))
	}
	var help struct {
		Definition struct {
			Options json.RawMessage
		}
	}
	var options map[string]json.RawMessage
	err = json.Unmarshal([]byte(out.Stdout), &help)
	if err == nil && len(help.Definition.Options) > 0 && help.Definition.Options[0] == '{' {
		err = json.Unmarshal(help.Definition.Options, &options)
	}
	if err != nil {
		return nil, modules.Failf("composer help %s: %v", t.a.Command, err)
	}
	known := map[string]bool{}
	for name := range options {
		known[name] = true
	}
	return known, nil
}

// words are the arguments of composer; options that the command does not have stay away.
func (t *composerTask) words(known map[string]bool) ([]string, error) {
	a := t.a
	var argv []string
	if a.GlobalCommand {
		argv = append(argv, "global")
	}
	argv = append(argv, a.Command)
	for _, o := range []struct {
		on   bool
		name string
	}{
		{true, "no-ansi"}, {true, "no-interaction"}, {true, "no-progress"}, {a.PreferSource, "prefer-source"}, {a.PreferDist, "prefer-dist"},
		{a.NoDev, "no-dev"}, {a.NoScripts, "no-scripts"}, {a.NoPlugins, "no-plugins"}, {a.APCuAutoloader, "apcu-autoloader"},
		{a.OptimizeAutoloader, "optimize-autoloader"}, {a.ClassmapAuth, "classmap-authoritative"},
		{a.IgnorePlatformReqs, "ignore-platform-reqs"}, {a.Force, "force"}, {t.h.Check, "dry-run"},
	} {
		if o.on && known[o.name] {
			argv = append(argv, "--"+o.name)
		}
		if o.name == "no-progress" && !a.GlobalCommand {
			argv = append(argv, "--working-dir", a.WorkingDir)
		}
	}
	more, err := modules.SplitWords(a.Arguments)
	return append(argv, more...), err
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
