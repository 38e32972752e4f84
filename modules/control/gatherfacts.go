package control

import "fettle/modules"

func init() {
	modules.Declare[gatherFactsArgs, none](modules.Spec{
		Name:      "ansible.builtin.gather_facts",
		Summary:   "Gather facts with the modules that facts_modules names.",
		Check:     modules.Full,
		ExtraArgs: true,
		Notes:     []string{"Other arguments are handed to the fact modules."},
		Examples: `
- name: Gather facts again
  ansible.builtin.gather_facts:
`,
	})
}

type gatherFactsArgs struct {
	Parallel *bool `arg:"parallel" doc:"Run several fact modules at once; the default is yes when there are several."`
}
