package control

import (
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Declare[includeTasksArgs, none](modules.Spec{
		Name:     "ansible.builtin.include_tasks",
		Summary:  "Run the tasks of a file here, decided for each host while the play runs.",
		Check:    modules.Full,
		FreeForm: "free-form",
		Examples: `
- name: Tasks for this distribution
  ansible.builtin.include_tasks: "{{ ansible_distribution | lower }}.yml"
`,
	})
}

type includeTasksArgs struct {
	Raw   string      `arg:"free-form" alias:"_raw_params" doc:"The file."`
	File  string      `arg:"file" doc:"The file, as an option."`
	Apply *value.Dict `arg:"apply" doc:"Keywords (become, tags, ...) for all tasks of the file."`
}
