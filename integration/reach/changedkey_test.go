//go:build integration

package reach_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"fettle/engine/transport/transporttest"
	"fettle/integration/fleet"
)

// A host whose key has changed is unreachable, with both fingerprints; the others carry on,
// and the exit code is that for unreachable hosts.
func TestChangedKey(t *testing.T) {
	_, here, _, _ := runtime.Caller(0)
	bin := filepath.Join(filepath.Dir(here), "../../bin/fettle")
	if _, err := os.Stat(bin); err != nil {
		t.Skip("no bin/fettle: run make build")
	}
	f := fleet.Up(t, fleet.Light(3))
	dir := t.TempDir()
	other := transporttest.WriteKey(t, dir+"/other")
	known, err := os.ReadFile(f.KnownHosts)
	must(t, err)
	changed := f.Hosts[1]
	right := strings.TrimSpace(string(gossh.MarshalAuthorizedKey(changed.Key)))
	wrong := strings.TrimSpace(string(gossh.MarshalAuthorizedKey(other)))
	if !strings.Contains(string(known), right) {
		t.Fatalf("no key of %s in known_hosts", changed.Name)
	}
	must(t, os.WriteFile(dir+"/known", []byte(strings.ReplaceAll(string(known), right, wrong)), 0o600))
	must(t, f.WriteInventory(dir+"/hosts", f.Hosts, "ansible_ssh_private_key_file="+f.PrivateKey, "ansible_ssh_common_args=-F none -o IdentityAgent=none -o UserKnownHostsFile="+dir+"/known"))
	must(t, os.WriteFile(dir+"/site.yml", []byte("- hosts: all\n  gather_facts: false\n  tasks:\n    - command: id -un\n    - command: hostname\n"), 0o600))
	for connection, want := range map[string][]string{
		"ssh":     {"has changed", gossh.FingerprintSHA256(changed.Key), gossh.FingerprintSHA256(other)},
		"openssh": {"REMOTE HOST IDENTIFICATION HAS CHANGED", gossh.FingerprintSHA256(changed.Key), gossh.FingerprintSHA256(other)},
	} {
		t.Run(connection, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, bin, "playbook", "--format", "ansible", "-i", dir+"/hosts", "-e", "ansible_connection="+connection, dir+"/site.yml")
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
			cmd.Dir = dir
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 4 {
				t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
			}
			for _, w := range append(want, "unreachable=1") {
				if !strings.Contains(string(out), w) {
					t.Errorf("no %q in\n%s", w, out)
				}
			}
			if n := strings.Count(string(out), "ok=2"); n != 2 {
				t.Errorf("%d hosts carried on:\n%s", n, out)
			}
		})
	}
}
