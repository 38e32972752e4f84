package config

import "strings"

// becomePlugins are the become plugins of collections, whose settings are all made alike.
var becomePlugins = strings.Fields("doas dzdo ksu machinectl pbrun pfexec pmrun run0 sesu")

// connectionTable has the settings of the connection plugins of collections, as settings.txt.
const connectionTable = `chroot:chroot_exe	str	chroot	ANSIBLE_CHROOT_EXE	chroot_connection.exe	-
chroot:disable_root_check	bool	False	ANSIBLE_CHROOT_DISABLE_ROOT_CHECK	chroot_connection.disable_root_check	-
docker:docker_extra_args	str	""	-	docker_connection.extra_cli_args	-
docker:privileged	bool	False	ANSIBLE_DOCKER_PRIVILEGED	docker_connection.privileged	-
docker:working_dir	str	-	ANSIBLE_DOCKER_WORKING_DIR	docker_connection.working_dir	-
nsenter:nsenter_pid	int	1	ANSIBLE_NSENTER_PID	nsenter_connection.nsenter_pid	-
podman:podman_executable	str	podman	ANSIBLE_PODMAN_EXECUTABLE	defaults.podman_executable	-
podman:podman_extra_args	str	""	ANSIBLE_PODMAN_EXTRA_ARGS	defaults.podman_extra_args	-
`

// collectionSettings are settings that ansible-core does not list: of plugins that come with
// collections, and with fettle.
func collectionSettings() []*Setting {
	out := parseSettings(connectionTable)
	for _, p := range becomePlugins {
		section, env := p+"_become_plugin.", "ANSIBLE_"+strings.ToUpper(p)+"_"
		for _, x := range []struct{ name, key, general string }{{"exe", "executable", "exe"}, {"flags", "flags", "flags"}, {"user", "user", "user"}, {"pass", "password", ""}} {
			s := &Setting{Name: p + ":become_" + x.name, Type: "str", Default: "-", INI: []string{section + x.key},
				Env: []string{"ANSIBLE_BECOME_" + strings.ToUpper(x.name), env + strings.ToUpper(x.name)}, Collection: true}
			if x.general != "" {
				s.INI = append([]string{"privilege_escalation.become_" + x.general}, s.INI...)
			}
			out = append(out, s)
		}
	}
	for _, s := range out {
		s.Collection = true
	}
	return out
}
