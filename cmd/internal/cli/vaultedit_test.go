package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An edit that is ended, or whose editor fails, leaves the file as it was and no plain text;
// what a killed one left is removed by the next.
func TestEditLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret.yml")
	if err := os.WriteFile(file, []byte("vaulted"), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := filepath.Join(dir, "seen")
	editor := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("#!/bin/sh\necho \"$1\" > "+seen+"\n"+text), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		return p
	}
	encrypt := func(b []byte) ([]byte, error) { return append([]byte("enc:"), b...), nil }
	s := &Streams{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}
	run := func(ctx context.Context, editor string) error {
		return editInto(ctx, s, &vaultCommand{editor: editor}, encrypt, file, []byte("plain"))
	}
	gone := func(what string) {
		t.Helper()
		b, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(what, err)
		}
		if _, err := os.Stat(filepath.Dir(strings.TrimSpace(string(b)))); !os.IsNotExist(err) {
			t.Errorf("%s: %s is still there", what, b)
		}
	}
	check := func(what, want string) {
		t.Helper()
		gone(what)
		if b, _ := os.ReadFile(file); string(b) != want {
			t.Errorf("%s: the file is %q, want %q", what, b, want)
		}
	}
	if err := run(t.Context(), editor("fails", "echo more >> \"$1\"; exit 3")); err == nil {
		t.Error("a failing editor is no error")
	}
	check("failing editor", "vaulted")
	if err := run(t.Context(), editor("term", fmt.Sprintf("echo more >> \"$1\"; kill -TERM %d; exec sleep 60", os.Getpid()))); err == nil {
		t.Error("being terminated is no error")
	}
	check("terminated", "vaulted")
	if err := run(t.Context(), editor("int", fmt.Sprintf("kill -INT %d; echo ' and more' >> \"$1\"; cp \"$1\" \"$1~\"", os.Getpid()))); err != nil {
		t.Error("an interrupt while the editor runs:", err)
	}
	check("interrupted", "enc:plain and more\n")

	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(dead.Process.Pid, 0) == nil {
		t.Skip("the number of an ended process was given away again")
	}
	base := t.TempDir()
	orphan, mine := filepath.Join(base, fmt.Sprintf("%s%d-1", editDir, dead.Process.Pid)), filepath.Join(base, fmt.Sprintf("%s%d-1", editDir, os.Getpid()))
	for _, d := range []string{orphan, mine} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	wipeOrphans(base)
	if _, err := os.Stat(orphan); err == nil {
		t.Error("what a killed edit left is still there")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("what a running edit uses is gone")
	}
}
