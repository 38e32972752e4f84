package control

import "fettle/modules"

func init() {
	modules.Declare[addHostArgs, addHostReturn](modules.Spec{
		Name:      "ansible.builtin.add_host",
		Summary:   "Add a host, with variables and groups, to the inventory in memory.",
		Check:     modules.Partial,
		FreeForm:  "_raw_params",
		ExtraArgs: true,
		Notes:     []string{"Every other argument becomes a variable of the host.", "Runs once for all hosts of a task; a loop adds several hosts."},
		Examples: `
- name: Put a new machine into the group web
  ansible.builtin.add_host:
    name: web9.example.org
    groups: web
    http_port: 8080
`,
	})
}

type addHostArgs struct {
	Name   string   `arg:"name" alias:"host,hostname" doc:"Name or address of the host; a colon separates a port. Required."`
	Groups []string `arg:"groups" alias:"group,groupname" elements:"str" doc:"Groups to put the host into; they are made when new."`
	Raw    string   `arg:"_raw_params" doc:"Arguments as key=value text."`
}

type addHostReturn struct {
	AddHost struct{} `json:"add_host" doc:"Name, groups and variables that were added." returned:"always"`
}
