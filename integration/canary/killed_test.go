//go:build integration

package canary_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fettle/integration/fleet"
)

const mortal = `- hosts: all
  gather_facts: false
  vars_files: [secrets.yml]
  tasks:
    - name: a job that goes on
      shell: cat > /dev/null; sleep 8
      args: {stdin: "{{ vaulted }} {{ scalar }}"}
      async: 30
      poll: 0
    - set_fact: {kept: "{{ vaulted }}"}
    - copy: {content: "{{ vaulted }}", dest: /srv/told/copied}
    - fail: {msg: "{{ vaulted }}"}
      when: fails | default(false)
    - name: what is interrupted
      shell: cat > /dev/null; touch /srv/told/reached; sleep 60
      args: {stdin: "{{ vaulted }} {{ kept | b64encode }}"}
`

// A run that is killed in the middle leaves no secret behind: not in the files of its jobs,
// not in temporary files, and not in what the dying program prints. Nor does a retry file.
func TestKilled(t *testing.T) {
	f := fleet.Up(t, fleet.Light(1))
	h := f.Hosts[0]
	s := newSite(t, f)
	write(t, s.told+"/mortal.yml", mortal)
	if err := f.WriteInventory(s.inventory, f.Hosts, "ansible_ssh_common_args=-F none -o UserKnownHostsFile="+f.KnownHosts, "ansible_ssh_private_key_file="+f.PrivateKey); err != nil {
		t.Fatal(err)
	}
	args := []string{"playbook", "-i", s.inventory, "--vault-password-file", s.told + "/vaultpass", "--diff", "-vvv", "--reconnect", "1", s.told + "/mortal.yml"}
	look := func(t *testing.T, out string) {
		t.Helper()
		for line := range strings.SplitSeq(out, "\n") {
			if text := sings([]byte(line)); text != "" {
				t.Errorf("printed: %q", text)
			}
		}
		search(t, h.Path("/"), paths(h, "tmp", "var", "dev/shm", "run", "home", "root", "srv", "opt", "etc"), func(path string) bool { return strings.HasPrefix(strings.TrimPrefix(path, "/"), "srv/told/") })
		search(t, "", []string{s.work, s.home, s.tmp, "/dev/shm"}, func(string) bool { return false })
	}
	prepare := func(t *testing.T) {
		t.Helper()
		if _, err := h.Exec(t.Context(), "sh", "-c", "rm -rf /srv/told && mkdir -p /srv/told"); err != nil {
			t.Fatal(err)
		}
	}
	for name, signal := range map[string]os.Signal{"at once": syscall.SIGKILL, "with a dump": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			cmd := exec.CommandContext(t.Context(), s.fettle, args...)
			cmd.Dir = s.work
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "TMPDIR=" + s.tmp, "GOTRACEBACK=all"}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			found := watch(t.Context())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 600 {
				if _, err := h.ReadFile("/srv/told/reached"); err == nil {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			_ = cmd.Process.Signal(signal)
			_ = cmd.Wait()
			for _, what := range found() {
				t.Error("seen in " + what)
			}
			if _, err := h.ReadFile("/srv/told/reached"); err != nil {
				t.Fatalf("the run did not come that far\n%s", out.String())
			}
			if signal == syscall.SIGQUIT && !strings.Contains(out.String(), "goroutine ") {
				t.Errorf("no dump in %q", out.String())
			}
			if jobs, _ := filepath.Glob(h.Path("/root/.ansible_async/*")); len(jobs) == 0 {
				t.Error("no file of a job was there to look at")
			}
			look(t, out.String())
		})
	}
	t.Run("retry file", func(t *testing.T) {
		prepare(t)
		s.env = []string{"ANSIBLE_RETRY_FILES_ENABLED=1", "ANSIBLE_RETRY_FILES_SAVE_PATH=" + s.work}
		out, code := s.run(t, append(args, "-e", "fails=true")...)
		if code != 2 {
			t.Errorf("exit code %d\n%s", code, out)
		}
		b, err := os.ReadFile(s.work + "/mortal.retry")
		if err != nil || string(b) != h.Name+"\n" {
			t.Errorf("the retry file holds %q, %v", b, err)
		}
		look(t, out)
	})
}
