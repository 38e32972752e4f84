package commands

import (
	"context"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:     "ansible.builtin.shell",
		Summary:  "Run a command line with a shell.",
		Check:    modules.Partial,
		FreeForm: "_raw_params",
		Rules:    modules.Rules{modules.Exclusive("_raw_params", "cmd")},
		Notes:    []string{"In check mode the command does not run; with creates or removes the answer is a prediction, without them the task is skipped."},
		Examples: `
- name: Keep the output of a script
  ansible.builtin.shell: somescript.sh >> somelog.txt
  args:
    chdir: /srv/app
    creates: somelog.txt
`,
	}, shell)
}

type shellArgs struct {
	Raw            string `arg:"_raw_params" alias:"free_form" doc:"The command line."`
	Cmd            string `arg:"cmd" doc:"The same as an option of its own."`
	Executable     string `arg:"executable" type:"path" doc:"The shell, instead of /bin/sh."`
	StripEmptyEnds bool   `arg:"strip_empty_ends" default:"true" doc:"Drop newlines at the end of the output."`
	commandTarget
}

func shell(ctx context.Context, h *modules.Host, a shellArgs) (modules.Result[commandReturn], error) {
	a.Raw += a.Cmd
	if strings.TrimSpace(a.Raw) == "" {
		return refuse("no command given")
	}
	return runShell(ctx, h, commandArgs{Raw: a.Raw, Executable: a.Executable, StripEmptyEnds: a.StripEmptyEnds, commandTarget: a.commandTarget})
}
