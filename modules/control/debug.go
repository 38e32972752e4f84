package control

import "fettle/modules"

func init() {
	modules.Declare[debugArgs, none](modules.Spec{
		Name:    "ansible.builtin.debug",
		Summary: "Print a message or the value of a variable.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.Exclusive("msg", "var")},
		Examples: `
- name: Say which host this is
  ansible.builtin.debug:
    msg: "This is {{ inventory_hostname }}"

- name: Show a variable at verbosity 2 and above
  ansible.builtin.debug:
    var: hostvars[inventory_hostname]
    verbosity: 2
`,
	})
}

type debugArgs struct {
	Msg       string `arg:"msg" default:"Hello world!" doc:"What to print."`
	Var       string `arg:"var" doc:"Name or expression to print."`
	Verbosity int64  `arg:"verbosity" default:"0" doc:"Print at this verbosity and above only."`
}
