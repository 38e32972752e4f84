package control

import "fettle/modules"

func init() {
	modules.Declare[assertArgs, assertReturn](modules.Spec{
		Name:    "ansible.builtin.assert",
		Summary: "Fail unless all conditions hold.",
		Check:   modules.Full,
		Examples: `
- name: Only run on Debian
  ansible.builtin.assert:
    that:
      - ansible_os_family == "Debian"
    fail_msg: This role knows Debian only.
`,
	})
}

type assertArgs struct {
	That       []string `arg:"that,required" elements:"str" doc:"Conditions, written as for when."`
	FailMsg    string   `arg:"fail_msg" alias:"msg" doc:"Message when a condition is false."`
	SuccessMsg string   `arg:"success_msg" doc:"Message when all are true."`
	Quiet      bool     `arg:"quiet" default:"false" doc:"Say less."`
}

type assertReturn struct {
	Assertion   string `json:"assertion" doc:"The condition that was false." returned:"failure"`
	EvaluatedTo bool   `json:"evaluated_to" doc:"What it evaluated to." returned:"failure"`
}
