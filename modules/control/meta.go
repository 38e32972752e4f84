package control

import "fettle/modules"

func init() {
	modules.Declare[metaArgs, none](modules.Spec{
		Name:     "ansible.builtin.meta",
		Summary:  "Tell the engine to do something: run handlers now, end the play, ...",
		Check:    modules.Partial,
		FreeForm: "free_form",
		Examples: `
- name: Restart what was notified, now
  ansible.builtin.meta: flush_handlers
`,
	})
}

type metaArgs struct {
	Action string `arg:"free_form,required" alias:"_raw_params" choices:"clear_facts,clear_host_errors,end_host,end_play,flush_handlers,noop,refresh_inventory,reset_connection,end_batch,end_role" doc:"What to do."`
}
