package control

import "fettle/modules"

func init() {
	modules.Declare[importTasksArgs, none](modules.Spec{
		Name:     "ansible.builtin.import_tasks",
		Summary:  "Put the tasks of a file here, when the playbook is loaded.",
		Check:    modules.Full,
		FreeForm: "free-form",
		Examples: `
- name: Tasks for Debian
  ansible.builtin.import_tasks: debian.yml
`,
	})
}

type importTasksArgs struct {
	Raw  string `arg:"free-form" alias:"_raw_params" doc:"The file."`
	File string `arg:"file" doc:"The file, as an option."`
}
