// Package system holds the modules for the machine itself: ping, hostname, cron, time
// zone, locales, kernel parameters and modules, file systems and mounts.
package system

import (
	"context"
	"errors"

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
	Ping string `json:"ping" doc:"The answer." returned:"success"`
}

func ping(_ context.Context, _ *modules.Host, a pingArgs) (r modules.Result[pingReturn], err error) {
	if a.Data == "crash" {
		return r, errors.New("boom")
	}
	r.Data.Ping = a.Data
	return r, nil
}
