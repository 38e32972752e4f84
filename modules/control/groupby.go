package control

import "fettle/modules"

func init() {
	modules.Declare[groupByArgs, groupByReturn](modules.Spec{
		Name:     "ansible.builtin.group_by",
		Summary:  "Put hosts into groups named by a value they have.",
		Check:    modules.Partial,
		FreeForm: "_raw_params",
		Examples: `
- name: A group for each distribution
  ansible.builtin.group_by:
    key: os_{{ ansible_distribution }}
`,
	})
}

type groupByArgs struct {
	Key     string   `arg:"key,required" doc:"Name of the group; spaces become dashes."`
	Parents []string `arg:"parents" default:"all" elements:"str" doc:"Groups that the group becomes a child of."`
	Raw     string   `arg:"_raw_params" doc:"Arguments as key=value text."`
}

type groupByReturn struct {
	AddGroup     string   `json:"add_group" doc:"The group." returned:"always"`
	ParentGroups []string `json:"parent_groups" doc:"Its parents." returned:"always"`
}
