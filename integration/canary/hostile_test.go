//go:build integration

package canary_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fettle/integration/fleet"
)

// A host that was taken over answers with templates, with facts that steer connections and
// with results of other modules; nothing of it is evaluated or obeyed.
func TestHostile(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 1, User: "root"})
	h := f.Hosts[0]
	s := newSite(t, f)
	out, code := s.run(t, "playbook", "-i", f.Inventory, "--vault-password-file", s.told+"/vaultpass", "--format", "ansible", "-v", s.told+"/hostile.yml")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if want := "where=" + h.Name + " who=root name=" + h.Name + " check=False planted=False"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
	if !strings.Contains(out, "{{ 123456789 * 9 }}") || strings.Contains(out, "1111111101") {
		t.Errorf("a template of the host was evaluated:\n%s", out)
	}
	for _, name := range []string{"/srv/said", "/srv/rendered"} {
		b, err := h.ReadFile(name)
		if text := string(b); err != nil || !strings.Contains(text, "{{ 123456789 * 9 }}") || strings.Contains(text, "1111111101") {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
	}
	for _, dir := range []string{s.work, s.told, s.home, s.tmp} {
		if _, err := os.Stat(filepath.Join(dir, "PROOF")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a command of the host ran in %s", dir)
		}
	}
}
