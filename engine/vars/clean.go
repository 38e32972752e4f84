package vars

import "strings"

// connections and methods name the plugins whose variables say how fettle reaches a host and
// what it runs there; a host must not set them for itself, or for those it stands in for.
var connections = []string{"ssh", "openssh", "local", "docker", "podman", "kubectl", "oc", "chroot", "nspawn", "paramiko", "paramiko_ssh",
	"winrm", "psrp", "jail", "iocage", "lxc", "lxd", "incus", "qubes", "zone", "buildah", "funcd", "saltstack", "aws_ssm", "libvirt_lxc", "libvirt_qemu",
	"network_cli", "httpapi", "netconf", "persistent",
	"sudo", "su", "doas", "runas", "runuser", "machinectl", "pbrun", "pfexec", "pmrun", "dzdo", "ksu", "sesu", "enable", "run0", "sudosu"}

// steering are further variables of that kind, and names of the engine's own.
var steering = map[string]bool{
	"ansible_connection": true, "ansible_host": true, "ansible_port": true, "ansible_user": true, "ansible_password": true,
	"ansible_remote_addr": true, "ansible_remote_port": true, "ansible_remote_user": true, "ansible_private_key_file": true,
	"ansible_private_key": true, "ansible_private_key_passphrase": true,
	"ansible_timeout": true, "ansible_pipelining": true, "ansible_host_key_checking": true, "ansible_remote_tmp": true, "ansible_async_dir": true,
	"ansible_common_remote_group": true, "ansible_system_tmpdirs": true, "ansible_module_lang": true, "ansible_admin_users": true,
	"ansible_rsync_path": true, "ansible_facts": true, "ansible_delegated_vars": true, "ansible_become": true,
}

// steers tells whether a top-level variable of this name would change how fettle works with
// a host, so that what a host returns as facts must not set it.
func steers(name string) bool {
	if steering[name] || strings.HasSuffix(name, "_interpreter") || strings.HasPrefix(name, "discovered_interpreter_") {
		return true
	}
	rest, ok := strings.CutPrefix(name, "ansible_")
	if !ok || strings.HasPrefix(rest, "ssh_host_key_") && rest != "ssh_host_key_checking" {
		return false
	}
	if strings.HasPrefix(rest, "become_") || strings.HasPrefix(rest, "shell_") || strings.HasPrefix(rest, "sftp_") || strings.HasPrefix(rest, "scp_") {
		return true
	}
	for _, c := range connections {
		if len(rest) > len(c) && rest[len(c)] == '_' && strings.HasPrefix(rest, c) {
			return true
		}
	}
	return false
}
