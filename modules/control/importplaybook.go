package control

import "fettle/modules"

func init() {
	modules.Declare[importPlaybookArgs, none](modules.Spec{
		Name:     "ansible.builtin.import_playbook",
		Summary:  "Put the plays of another playbook here.",
		Check:    modules.Full,
		FreeForm: "free-form",
		Examples: `
- name: First the databases
  ansible.builtin.import_playbook: databases.yml
`,
	})
}

type importPlaybookArgs struct {
	File string `arg:"free-form" alias:"_raw_params,file" doc:"The playbook: a path, or namespace.collection.name."`
}
