package network

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fettle/modules"
)

func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	src, dest := filepath.Join(dir, "src"), filepath.Join(dir, "dest")
	run := func(words ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", src, "-c", "user.name=n", "-c", "user.email=n@example.org"}, words...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %s", words, out)
		}
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(src, 0o700); err != nil {
		t.Fatal(err)
	}
	run("init", "-q", "-b", "main")
	write(filepath.Join(src, "f"), "1\n")
	run("add", "f")
	run("commit", "-qm", "one")
	run("tag", "-am", "first", "v1")
	run("branch", "dev")
	write(filepath.Join(src, "f"), "2\n")
	run("commit", "-qam", "two")

	step := func(name string, check bool, args map[string]any, changed, failed bool, content string) map[string]any {
		t.Helper()
		args["repo"], args["dest"] = src, dest
		r := call(t, &modules.Host{Check: check, Diff: true}, "git", args)
		if (r["failed"] == true) != failed || (r["changed"] == true) != changed {
			t.Errorf("%s: got %v", name, r)
		}
		if b, _ := os.ReadFile(filepath.Join(dest, "f")); string(b) != content {
			t.Errorf("%s: the file is %q", name, b)
		}
		return r
	}
	step("check", true, map[string]any{}, true, false, "")
	step("clone", false, map[string]any{}, true, false, "2\n")
	step("again", false, map[string]any{}, false, false, "2\n")
	step("again, check", true, map[string]any{"version": "v1"}, true, false, "2\n")
	r := step("tag", false, map[string]any{"version": "v1"}, true, false, "1\n")
	if _, ok := r["diff"].([]any); !ok || r["remote_url_changed"] != false {
		t.Errorf("tag: got %v", r)
	}
	step("tag again", true, map[string]any{"version": "v1"}, false, false, "1\n")
	step("branch", false, map[string]any{"version": "main"}, true, false, "2\n")
	write(filepath.Join(src, "f"), "3\n")
	run("commit", "-qam", "three")
	step("news, check", true, map[string]any{}, true, false, "2\n")
	step("news", false, map[string]any{}, true, false, "3\n")
	step("no such version", false, map[string]any{"version": "nope"}, false, true, "3\n")
	write(filepath.Join(dest, "f"), "edited\n")
	step("edited", false, map[string]any{}, false, true, "edited\n")
	step("edited, force", false, map[string]any{"force": true}, true, false, "3\n")
	step("not updated", false, map[string]any{"update": false}, false, false, "3\n")
	step("dash", false, map[string]any{"version": "--upload-pack=x"}, false, true, "3\n")
}

func TestPickRef(t *testing.T) {
	refs := "aa\tHEAD\nbb\trefs/heads/v1\ncc\trefs/tags/v1\ndd\trefs/tags/v2\nee\trefs/tags/v2^{}\n"
	for v, want := range map[string]string{"HEAD": "aa", "v1": "bb", "v2": "ee", "refs/tags/v2": "dd", "none": ""} {
		if got := pickRef(refs, v); got != want {
			t.Errorf("%s: got %q", v, got)
		}
	}
}
