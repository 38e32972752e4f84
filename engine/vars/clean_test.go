package vars

import (
	"testing"

	"fettle/engine/value"
	"fettle/inventory"
)

// Facts of a host do not become variables that steer its connection.
func TestMergeFactsSteering(t *testing.T) {
	for _, tt := range []struct {
		name string
		kept bool
	}{
		{"ansible_connection", false}, {"ansible_host", false}, {"ansible_port", false}, {"ansible_user", false},
		{"ansible_password", false}, {"ansible_become", false}, {"ansible_become_exe", false}, {"ansible_become_pass", false},
		{"ansible_become_method", false}, {"ansible_ssh_common_args", false}, {"ansible_ssh_pass", false}, {"ansible_ssh_host", false},
		{"ansible_ssh_private_key_file", false}, {"ansible_ssh_host_key_checking", false}, {"ansible_host_key_checking", false},
		{"ansible_private_key_file", false}, {"ansible_sudo_exe", false}, {"ansible_su_pass", false},
		{"ansible_python_interpreter", false}, {"ansible_ruby_interpreter", false}, {"discovered_interpreter_python", false},
		{"ansible_shell_executable", false}, {"ansible_shell_type", false}, {"ansible_remote_tmp", false}, {"ansible_docker_extra_args", false},
		{"ansible_timeout", false}, {"ansible_facts", false}, {"ansible_local_x", false},
		{"ansible_distribution", true}, {"ansible_ssh_host_key_ed25519_public", true}, {"ansible_local", true}, {"ansible_user_id", true},
		{"ansible_user_dir", true}, {"ansible_docker0", true}, {"ansible_system", true}, {"ansible_python_version", true},
		{"ansible_hostname", true}, {"packages", true}, {"services", true},
	} {
		h := &Host{Inv: &inventory.Host{Name: "h"}, facts: value.NewDict(0), injected: value.NewDict(0)}
		h.MergeFacts(value.DictOf(tt.name, "x"))
		if _, kept := h.fact(tt.name); kept != tt.kept {
			t.Errorf("%s became a variable: %v, want %v", tt.name, kept, tt.kept)
		}
		if h.Facts().Len() != 1 {
			t.Errorf("%s is missing in ansible_facts", tt.name)
		}
	}
}
