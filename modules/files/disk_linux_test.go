package files

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fettle/modules"
	"fettle/modules/moduletest"
)

// A disk without room leaves the old content and nothing else.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small tmpfs needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 1<<20)
	for name, run := range map[string]func() answer{
		"copy":        func() answer { return call(t, offering("src", []byte(big)), "copy", "dest", path) },
		"lineinfile":  func() answer { return call(t, &modules.Host{}, "lineinfile", "path", path, "line", big) },
		"blockinfile": func() answer { return call(t, &modules.Host{}, "blockinfile", "path", path, "block", big) },
	} {
		a := run()
		if a["failed"] != true || a["changed"] != false || !strings.Contains(a.msg(), "No space left on device") {
			t.Errorf("%s: %v", name, a)
		}
		tree, err := moduletest.ReadTree(dir)
		if want := "f 0640 \"f\" \"old\\n\"\n"; err != nil || tree.String() != want {
			t.Errorf("%s: left %s %v", name, tree, err)
		}
	}
}
