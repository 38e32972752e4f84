package control

import (
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Declare[includeRoleArgs, none](modules.Spec{
		Name:    "ansible.builtin.include_role",
		Summary: "Run a role here, decided for each host while the play runs.",
		Check:   modules.Full,
		Examples: `
- name: A role for each application
  ansible.builtin.include_role:
    name: "{{ item }}"
  loop: "{{ applications }}"
`,
	})
}

type includeRoleArgs struct {
	roleParts
	Apply     *value.Dict `arg:"apply" doc:"Keywords (become, tags, ...) for all tasks of the role."`
	Public    bool        `arg:"public" default:"false" doc:"Show the role's defaults and vars to the rest of the play."`
	Rescuable bool        `arg:"rescuable" default:"true" doc:"May a failure in the role be rescued by the block around it?"`
}
