package control

import "fettle/modules"

func init() {
	modules.Declare[failArgs, none](modules.Spec{
		Name:    "ansible.builtin.fail",
		Summary: "Fail with a message.",
		Check:   modules.Full,
		Examples: `
- name: Refuse old systems
  ansible.builtin.fail:
    msg: Too old.
  when: ansible_distribution_major_version | int < 12
`,
	})
}

type failArgs struct {
	Msg string `arg:"msg" default:"Failed as requested from task" doc:"The message."`
}
