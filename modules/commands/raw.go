package commands

import "fettle/modules"

func init() {
	modules.Declare[rawArgs, scriptReturn](modules.Spec{
		Name:     "ansible.builtin.raw",
		Summary:  "Run a command line over the connection, with nothing placed on the host.",
		FreeForm: "_raw_params",
		Notes:    []string{"The controller sends the line to the login shell; no runner is started."},
		Examples: `
- name: Is anybody there?
  ansible.builtin.raw: uptime
`,
	})
}

type rawArgs struct {
	Raw        string `arg:"_raw_params" alias:"free_form" doc:"The command line."`
	Executable string `arg:"executable" doc:"The shell to run it with; an absolute path."`
}
