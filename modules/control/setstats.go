package control

import (
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Declare[setStatsArgs, setStatsReturn](modules.Spec{
		Name:    "ansible.builtin.set_stats",
		Summary: "Set custom values for the summary of the run.",
		Check:   modules.Full,
		Examples: `
- name: Count what was deployed
  ansible.builtin.set_stats:
    data:
      deployed: 1
    aggregate: true
`,
	})
}

type setStatsArgs struct {
	Data      *value.Dict `arg:"data,required" doc:"Names and values."`
	PerHost   bool        `arg:"per_host" default:"false" doc:"Keep them for each host instead of for all."`
	Aggregate bool        `arg:"aggregate" default:"true" doc:"Add to values that exist instead of replacing them."`
}

type setStatsReturn struct {
	Stats *value.Dict `json:"ansible_stats" doc:"What was set." returned:"always"`
}
