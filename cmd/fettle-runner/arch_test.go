package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fettle/engine/wire"
	"fettle/modules/serve"
)

// emulators are the programs of qemu-user that run other architectures.
var emulators = map[string]string{"arm64": "aarch64", "arm": "arm", "386": "i386", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x"}

// Runners of all architectures work, big-endian and 32-bit ones among them: they are placed
// nowhere, but speak frames and run modules.
func TestArchitectures(t *testing.T) {
	if testing.Short() {
		t.Skip("building for other architectures takes a while")
	}
	if _, err := exec.LookPath("go"); err != nil || runtime.GOOS != "linux" {
		t.Skip("needs the go command, on Linux")
	}
	for arch, name := range emulators {
		t.Run(arch, func(t *testing.T) {
			words := emulator(t, arch, name)
			program := filepath.Join(t.TempDir(), "fettle-runner")
			build := exec.CommandContext(t.Context(), "go", "build", "-tags", "core", "-o", program, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch, "GOFLAGS=")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			tryRunner(t, arch, append(words, program))
		})
	}
}

// emulator gives the words before a program of the architecture.
func emulator(t *testing.T, arch, name string) []string {
	t.Helper()
	if arch == runtime.GOARCH || arch == "386" && runtime.GOARCH == "amd64" {
		return nil
	}
	for _, e := range []string{"qemu-" + name + "-static", "qemu-" + name} {
		if path, err := exec.LookPath(e); err == nil {
			return []string{path}
		}
	}
	t.Skipf("needs qemu-%s-static (package qemu-user-static)", name)
	return nil
}

// tryRunner starts a runner and lets it change and look at files, run a command and gather facts.
func tryRunner(t *testing.T, arch string, words []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], serve.Word, "once", "/", "1")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); err != nil || line != serve.Greeting+"once\n" {
		t.Fatalf("it greets with %q, %v", line, err)
	}
	c := wire.NewClient(r, in)
	defer func() { c.Close(); _ = cmd.Wait() }()
	hello, err := c.Hello(ctx)
	if err != nil || hello.Arch != arch || hello.PID == 0 || hello.UID != os.Getuid() {
		t.Fatalf("hello is %+v, %v", hello, err)
	}
	file := filepath.Join(t.TempDir(), "f")
	for _, x := range []struct{ module, args, want string }{
		{"lineinfile", fmt.Sprintf(`{"path":%q,"line":"größer 1","create":true,"mode":"0640"}`, file), `"changed":true`},
		{"lineinfile", fmt.Sprintf(`{"path":%q,"line":"größer 1","create":true,"mode":"0640"}`, file), `"changed":false`},
		{"stat", fmt.Sprintf(`{"path":%q}`, file), `"mode":"0640"`},
		{"stat", fmt.Sprintf(`{"path":%q}`, file), `"checksum":"1d790a3565fee7debd2261b47537691556b66d7d"`},
		{"command", `{"_raw_params":"wc -c ` + file + `"}`, `"stdout":"11 ` + file + `"`},
		{"setup", `{"gather_subset":["!all","min"]}`, `"ansible_system":"Linux"`},
	} {
		var got string
		call := &wire.Call{Module: "ansible.builtin." + x.module, Args: []json.RawMessage{json.RawMessage(x.args)}}
		err := c.Call(ctx, call, wire.Handler{Result: func(r wire.Result) { got = string(r.Data) }})
		if err != nil || !strings.Contains(got, x.want) {
			t.Errorf("%s: %v, no %s in %s", x.module, err, x.want, got)
		}
	}
}
