package control

import "fettle/modules"

func init() {
	modules.Declare[setFactArgs, none](modules.Spec{
		Name:      "ansible.builtin.set_fact",
		Summary:   "Set variables of the host.",
		Check:     modules.Full,
		FreeForm:  "_raw_params",
		ExtraArgs: true,
		Notes:     []string{"Every argument but cacheable is a variable to set."},
		Examples: `
- name: Remember the port
  ansible.builtin.set_fact:
    app_port: "{{ base_port | int + 1 }}"
`,
	})
}

type setFactArgs struct {
	Cacheable bool   `arg:"cacheable" default:"false" doc:"Also keep the variables as facts, in the fact cache."`
	Raw       string `arg:"_raw_params" doc:"Variables as key=value text."`
}
