//go:build integration

package reach_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fettle/engine/runner"
	"fettle/engine/transport"
	"fettle/engine/transport/container"
	"fettle/engine/transport/transporttest"
	"fettle/engine/wire"
)

// busyboxRoot makes the files of a small system, with the accounts root and bob.
func busyboxRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	box, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs /bin/busybox (package busybox-static)")
	}
	root := t.TempDir()
	for _, d := range []string{"bin", "usr/bin", "etc", "root", "home/bob", "tmp", "var/tmp", "proc", "sys", "dev", "run"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	must(t, os.WriteFile(root+"/bin/busybox", box, 0o755))
	for _, tool := range strings.Fields("sh cat mv rm wc chmod stty ls id uname mkdir head gzip sha256sum sleep kill env find test echo true su") {
		must(t, os.Symlink("busybox", root+"/bin/"+tool))
	}
	must(t, os.Symlink("../../bin/busybox", root+"/usr/bin/env"))
	must(t, os.WriteFile(root+"/etc/passwd", []byte("root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n"), 0o644))
	must(t, os.WriteFile(root+"/etc/group", []byte("root:x:0:\nbob:x:1000:\n"), 0o644))
	must(t, os.Chown(root+"/home/bob", 1000, 1000))
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ended checks that a cancelled call leaves nothing running in the container.
func ended(t *testing.T, p *runner.Runners, a *runner.Account, kind string) {
	t.Helper()
	mark := fmt.Sprintf("9876%d", len(kind))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var call sync.WaitGroup
	call.Go(func() {
		c := &wire.Call{Module: "ansible.builtin.shell", Args: []json.RawMessage{json.RawMessage(`{"_raw_params":"sleep ` + mark + ` & sleep ` + mark + `"}`)}}
		_ = p.Call(ctx, a, c, nil, func(wire.Result) {})
	})
	for range 300 {
		if running("sleep\x00"+mark) == 2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := running("sleep\x00" + mark); n != 2 {
		t.Errorf("%d of 2 processes were started", n)
	}
	cancel()
	call.Wait()
	if n := running("sleep\x00" + mark); n != 0 {
		t.Errorf("%d processes of a cancelled call are left", n)
	}
}

// running counts the processes of this machine, those of containers among them, whose
// arguments begin so.
func running(words string) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.HasPrefix(b, []byte(words)) {
			n++
		}
	}
	return n
}

// shared is a folder that is the same inside and outside, and where the suite works.
func shared(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fettle-reach-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
}

// contractAndRunner runs the contract, and a module as the given accounts.
func contractAndRunner(t *testing.T, kind, address string, users ...string) {
	t.Helper()
	target := &transport.Target{Name: kind, Connection: kind, Address: address, Timeout: 10}
	t.Run("contract", func(t *testing.T) {
		transporttest.Run(t, func(*testing.T) transporttest.Subject {
			return transporttest.Subject{Dialer: container.Dialer{Kind: kind}, Target: target, NoSignals: kind == "podman"}
		})
	})
	b, err := runner.Embedded("")
	must(t, err)
	if len(b.Platforms()) == 0 {
		t.Skip("no runner is built in: run make runners")
	}
	p := runner.New(runner.Options{Dialers: map[string]transport.Dialer{kind: container.Dialer{Kind: kind}}, Binaries: b})
	t.Cleanup(func() { _ = p.Close() })
	for _, u := range users {
		x := *target
		if x.User = u; u == "bob" && kind == "chroot" {
			continue // always root, as Ansible's
		}
		if got, err := whoami(t.Context(), p, &runner.Account{Target: &x}); err != nil || got != u {
			t.Errorf("as %s: %q, %v", u, got, err)
		}
	}
	if got, err := whoami(t.Context(), p, &runner.Account{Target: target, Become: &runner.Become{Method: "su", User: "bob"}}); err != nil || got != "bob" {
		t.Errorf("su: %q, %v", got, err)
	}
	ended(t, p, &runner.Account{Target: target}, kind)
}

func TestChroot(t *testing.T) {
	root := busyboxRoot(t)
	shared(t)
	must(t, syscall.Mount("/tmp", root+"/tmp", "", syscall.MS_BIND, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(root+"/tmp", 0)) })
	must(t, syscall.Mount("/dev", root+"/dev", "", syscall.MS_BIND|syscall.MS_REC, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(root+"/dev", syscall.MNT_DETACH)) })
	contractAndRunner(t, "chroot", root, "root")
}

func TestNspawn(t *testing.T) {
	root := busyboxRoot(t)
	shared(t)
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip("needs systemd-nspawn (package systemd-container)")
	}
	var out bytes.Buffer
	cmd := exec.Command("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--as-pid2", "-D", root, "-M", "fettle-reach", "--bind=/tmp:/tmp",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe", "/bin/sh", "-c", "echo up; exec sleep 1000")
	cmd.Stderr = &out
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
	})
	if n, _ := stdout.Read(make([]byte, 3)); n == 0 {
		t.Skipf("systemd-nspawn does not run here: %s", out.String())
	}
	contractAndRunner(t, "nspawn", "fettle-reach", "root", "bob")
}

func TestPodman(t *testing.T) {
	root := busyboxRoot(t)
	shared(t)
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("needs podman")
	}
	podman := func(args ...string) (string, error) {
		out, err := exec.Command("podman", args...).CombinedOutput()
		return string(out), err
	}
	image := "localhost/fettle-reach:1"
	tar := filepath.Join(t.TempDir(), "root.tar")
	if out, err := exec.Command("tar", "-C", root, "-cf", tar, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %s", out)
	}
	if out, err := podman("import", tar, image); err != nil {
		t.Skipf("podman does not run here: %s", out)
	}
	t.Cleanup(func() { _, _ = podman("rmi", "-f", image) })
	args := []string{"run", "-d", "--replace", "--name", "fettle-reach", "--network", "none", "-v", "/tmp:/tmp"}
	var problems string
	for _, more := range [][]string{nil, {"--runtime", "runc", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"}} {
		line := append(append([]string{}, args...), image, "/bin/sleep", "1000")
		if more != nil { // what containers of this machine may need
			line = append(append(append([]string{}, more[:2]...), args...), append(more[2:], image, "/bin/sleep", "1000")...)
		}
		out, err := podman(line...)
		if err == nil {
			if out, err = podman("exec", "fettle-reach", "true"); err == nil {
				problems = ""
				break
			}
		}
		problems += out
	}
	t.Cleanup(func() { _, _ = podman("rm", "-f", "-t", "0", "fettle-reach") })
	if problems != "" {
		t.Skipf("podman runs no containers here: %s", problems)
	}
	contractAndRunner(t, "podman", "fettle-reach", "root", "bob")
}
