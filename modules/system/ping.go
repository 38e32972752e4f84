// Package system holds the modules for the machine itself: ping, hostname, cron, time
// zone, locales, kernel parameters and modules, file systems and mounts.
package system

import (
	"context"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.ping",
		Summary: "Answer pong when modules can run on the host.",
		Check:   modules.Full,
		Examples: `
- name: Can we run modules there?
  ansible.builtin.ping:
`,
	}, ping)
}

type pingArgs struct {
	Data string `arg:"data" default:"pong" doc:"What to answer; crash makes the module fail."`
}

type pingReturn struct {
	Ping         string  `json:"ping,omitempty" doc:"The answer." returned:"success"`
	ModuleStdout *string `json:"module_stdout,omitempty" doc:"Nothing." returned:"data is crash"`
	ModuleStderr string  `json:"module_stderr,omitempty" doc:"What a crashed module would print." returned:"data is crash"`
}

func ping(_ context.Context, _ *modules.Host, a pingArgs) (r modules.Result[pingReturn], err error) {
	if a.Data == "crash" {
		r.Data.ModuleStdout, r.Data.ModuleStderr = new(""), "Exception: boom\n"
		return r, modules.Failf("Task failed: Module failed: boom")
	}
	r.Data.Ping = a.Data
	return r, nil
}
