// Package commands holds the modules that run what a playbook says: command, shell, raw,
// script and expect, and async_status, which asks after a command left running.
package commands

import (
	"context"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:     "ansible.builtin.command",
		Summary:  "Run a command, without a shell.",
		Check:    modules.Partial,
		FreeForm: "_raw_params",
		Rules:    modules.Rules{modules.Exclusive("_raw_params", "cmd")},
		Notes:    []string{"In check mode the command does not run; with creates or removes the answer is a prediction, without them the task is skipped."},
		Examples: `
- name: Make the database once
  ansible.builtin.command: /usr/bin/make_database.sh db_user db_name
  args:
    creates: /path/to/database

- name: The same, as a list
  ansible.builtin.command:
    argv: [/usr/bin/make_database.sh, db_user, db_name]
    creates: /path/to/database
`,
	}, command)
}

type commandArgs struct {
	Raw            string   `arg:"_raw_params" alias:"free_form" doc:"The command with its arguments, split as a shell splits words."`
	Cmd            string   `arg:"cmd" doc:"The same as an option of its own."`
	Argv           []string `arg:"argv" elements:"str" doc:"The command as a list of words."`
	UsesShell      bool     `arg:"_uses_shell" default:"false" doc:"Set by shell."`
	ExpandVars     bool     `arg:"expand_argument_vars" default:"true" doc:"Expand $NAME and ~ in the words."`
	Executable     string   `arg:"executable" doc:"Not used without a shell."`
	StripEmptyEnds bool     `arg:"strip_empty_ends" default:"true" doc:"Drop newlines at the end of the output."`
	commandTarget
}

// commandTarget are the options command, shell and expect share.
type commandTarget struct {
	Chdir           string  `arg:"chdir" type:"path" doc:"Folder to run in."`
	Creates         string  `arg:"creates" type:"path" doc:"Path or glob; when it exists the command is not run."`
	Removes         string  `arg:"removes" type:"path" doc:"Path or glob; when it does not exist the command is not run."`
	Stdin           *string `arg:"stdin" doc:"Text for the standard input."`
	StdinAddNewline bool    `arg:"stdin_add_newline" default:"true" doc:"End the input with a newline."`
}

func command(ctx context.Context, h *modules.Host, a commandArgs) (modules.Result[commandReturn], error) {
	a.Raw += a.Cmd
	line := strings.TrimSpace(a.Raw)
	switch {
	case line != "" && len(a.Argv) > 0:
		return refuse("only command or argv can be given, not both")
	case line == "" && a.Argv == nil:
		return refuse("no command given")
	}
	if a.UsesShell {
		return runShell(ctx, h, a)
	}
	if a.Executable != "" {
		h.Warn("As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module. Not using '%s'.", a.Executable)
	}
	words := a.Argv
	if words == nil {
		var err error
		if words, err = modules.SplitWords(line); err != nil {
			return refuse("cannot split the command: " + err.Error())
		}
	}
	r := run{cmd: words, argv: words, target: a.commandTarget, strip: a.StripEmptyEnds}
	if a.ExpandVars {
		r.argv = make([]string, len(words))
		for i, w := range words {
			r.argv[i] = h.ExpandWord(w)
		}
	}
	return r.do(ctx, h)
}

func runShell(ctx context.Context, h *modules.Host, a commandArgs) (modules.Result[commandReturn], error) {
	shell := a.Executable
	if shell == "" {
		shell = "/bin/sh"
	}
	r := run{cmd: a.Raw, argv: []string{shell, "-c", a.Raw}, target: a.commandTarget, strip: a.StripEmptyEnds}
	return r.do(ctx, h)
}

func refuse(msg string) (r modules.Result[commandReturn], err error) {
	rc := 256
	r.Data = commandReturn{Rc: &rc, Message: msg, StdoutLines: []string{}, StderrLines: []string{}}
	return r, modules.Failf("%s", msg)
}
