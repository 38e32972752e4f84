package control

import "fettle/modules"

func init() {
	modules.Declare[rebootArgs, rebootReturn](modules.Spec{
		Name:    "ansible.builtin.reboot",
		Summary: "Restart the machine and wait until it is back.",
		Check:   modules.Full,
		Examples: `
- name: Boot the new kernel
  ansible.builtin.reboot:
    reboot_timeout: 900
`,
	})
}

type rebootArgs struct {
	PreRebootDelay  int64    `arg:"pre_reboot_delay" alias:"pre_reboot_delay_sec" default:"0" doc:"Seconds before the restart; the tools count minutes."`
	PostRebootDelay int64    `arg:"post_reboot_delay" alias:"post_reboot_delay_sec" default:"0" doc:"Seconds after the restart before the first attempt to connect."`
	RebootTimeout   int64    `arg:"reboot_timeout" alias:"reboot_timeout_sec" default:"600" doc:"Seconds to wait for the machine."`
	ConnectTimeout  *int64   `arg:"connect_timeout" alias:"connect_timeout_sec" doc:"Seconds for one attempt to connect."`
	TestCommand     string   `arg:"test_command" default:"whoami" doc:"Command that must work before the machine counts as back."`
	Msg             string   `arg:"msg" default:"Reboot initiated by Ansible" doc:"What logged-in users are told."`
	SearchPaths     []string `arg:"search_paths" default:"/sbin,/bin,/usr/sbin,/usr/bin,/usr/local/sbin" elements:"str" doc:"Where the shutdown command is looked for."`
	BootTimeCommand string   `arg:"boot_time_command" default:"cat /proc/sys/kernel/random/boot_id" doc:"Command whose output differs after a restart."`
	RebootCommand   string   `arg:"reboot_command" doc:"Command that restarts the machine, instead of shutdown."`
}

type rebootReturn struct {
	Rebooted bool  `json:"rebooted" doc:"Was the machine restarted?" returned:"always"`
	Elapsed  int64 `json:"elapsed" doc:"Seconds it took." returned:"always"`
}
