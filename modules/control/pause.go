package control

import "fettle/modules"

func init() {
	modules.Declare[pauseArgs, pauseReturn](modules.Spec{
		Name:    "ansible.builtin.pause",
		Summary: "Wait for a time, or for somebody to press Enter.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.Exclusive("minutes", "seconds")},
		Examples: `
- name: Let the cluster settle
  ansible.builtin.pause:
    seconds: 30
`,
	})
}

type pauseArgs struct {
	Minutes string `arg:"minutes" doc:"How many minutes."`
	Seconds string `arg:"seconds" doc:"How many seconds."`
	Prompt  string `arg:"prompt" doc:"Text to show."`
	Echo    bool   `arg:"echo" default:"true" doc:"Show what is typed."`
}

type pauseReturn struct {
	Start     string `json:"start" doc:"When it began." returned:"always"`
	Stop      string `json:"stop" doc:"When it ended." returned:"always"`
	Delta     int64  `json:"delta" doc:"Seconds between." returned:"always"`
	Stdout    string `json:"stdout" doc:"How long it was, in words." returned:"always"`
	UserInput string `json:"user_input" doc:"What was typed." returned:"without a time"`
	Echo      bool   `json:"echo" doc:"Was it shown?" returned:"always"`
	Rc        int64  `json:"rc" doc:"Always 0." returned:"always"`
}
