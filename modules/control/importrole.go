package control

import "fettle/modules"

func init() {
	modules.Declare[importRoleArgs, none](modules.Spec{
		Name:    "ansible.builtin.import_role",
		Summary: "Put the tasks of a role here, when the playbook is loaded.",
		Check:   modules.Full,
		Examples: `
- name: The firewall part of the common role
  ansible.builtin.import_role:
    name: common
    tasks_from: firewall
`,
	})
}

type importRoleArgs struct {
	roleParts
	Public bool `arg:"public" default:"true" doc:"Show the role's defaults and vars to the rest of the play."`
}

// roleParts are the options import_role and include_role share.
type roleParts struct {
	Name             string `arg:"name,required" alias:"role" doc:"The role."`
	TasksFrom        string `arg:"tasks_from" default:"main" doc:"File of tasks/ to use."`
	VarsFrom         string `arg:"vars_from" default:"main" doc:"File of vars/ to use."`
	DefaultsFrom     string `arg:"defaults_from" default:"main" doc:"File of defaults/ to use."`
	HandlersFrom     string `arg:"handlers_from" default:"main" doc:"File of handlers/ to use."`
	AllowDuplicates  bool   `arg:"allow_duplicates" default:"true" doc:"Run the role again although it has run with the same parameters."`
	RolespecValidate bool   `arg:"rolespec_validate" default:"true" doc:"Check the arguments against the role's argument specification."`
}
