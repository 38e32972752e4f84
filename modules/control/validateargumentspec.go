package control

import (
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Declare[validateArgs, validateReturn](modules.Spec{
		Name:    "ansible.builtin.validate_argument_spec",
		Summary: "Check variables against an argument specification.",
		Check:   modules.Full,
		Examples: `
- name: Are the variables right?
  ansible.builtin.validate_argument_spec:
    argument_spec:
      app_port: {type: int, required: true}
`,
	})
}

type validateArgs struct {
	Spec     *value.Dict `arg:"argument_spec,required" doc:"The specification: option names with type, required, choices, ..."`
	Provided *value.Dict `arg:"provided_arguments" doc:"Arguments to check beside the variables of the host."`
	Context  *value.Dict `arg:"validate_args_context" doc:"Where the specification comes from, for the message."`
}

type validateReturn struct {
	Errors  []string    `json:"argument_errors" doc:"What is wrong." returned:"failure"`
	Data    *value.Dict `json:"argument_spec_data" doc:"The specification." returned:"failure"`
	Context *value.Dict `json:"validate_args_context" doc:"Where it comes from." returned:"always"`
}
