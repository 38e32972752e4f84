package control

import "fettle/modules"

func init() {
	modules.Declare[waitForConnectionArgs, waitForConnectionReturn](modules.Spec{
		Name:    "ansible.builtin.wait_for_connection",
		Summary: "Wait until the host can be reached and runs modules.",
		Examples: `
- name: Wait for the new machine, ten minutes at most
  ansible.builtin.wait_for_connection:
    delay: 10
`,
	})
}

type waitForConnectionArgs struct {
	ConnectTimeout int64 `arg:"connect_timeout" default:"5" doc:"Seconds for one attempt to connect."`
	Delay          int64 `arg:"delay" default:"0" doc:"Seconds before the first attempt."`
	Sleep          int64 `arg:"sleep" default:"1" doc:"Seconds between attempts."`
	Timeout        int64 `arg:"timeout" default:"600" doc:"Seconds after which to give up."`
}

type waitForConnectionReturn struct {
	Elapsed float64 `json:"elapsed" doc:"Seconds it took." returned:"always"`
}
