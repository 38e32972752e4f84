package runner

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/engine/transport"
	"fettle/engine/transport/sshsim"
	"fettle/engine/wire"
)

func extraPool(t *testing.T) *Runners {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("no xz to pack the second program with")
	}
	b, err := bothBinaries()
	if err != nil {
		t.Skipf("cannot build the runner's programs: %v", err)
	}
	p := New(Options{Dialers: dialers(t), Binaries: b})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// Modules of the second program work as any other: it comes once, is kept, is checked, and
// takes contents, answers items, and runs jobs.
func TestExtra(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(web.Close)
	home := t.TempDir()
	_, a := simTarget(t, sshsim.Options{Dir: home})
	get := func(p *Runners, dest string) {
		t.Helper()
		out := call(t, p, a, &wire.Call{Module: "ansible.builtin.get_url", Args: args(fmt.Sprintf(`{"url":%q,"dest":%q}`, web.URL, dest))})
		if got, err := os.ReadFile(dest); err != nil || string(got) != "hello" {
			t.Fatalf("%s: %q %v", out, got, err)
		}
	}
	first := extraPool(t)
	must(t, ping(t, first, a))
	if n := len(placed(t, home)); n != 1 {
		t.Fatalf("%d programs are there before one is needed", n)
	}
	get(first, home+"/1")
	get(first, home+"/2")
	if st := first.Stats(); st.Pulls != 1 {
		t.Errorf("the second program was fetched %d times", st.Pulls)
	}
	_ = first.Close()
	files := placed(t, home)
	if len(files) != 2 {
		t.Fatalf("left %q", files)
	}
	warm := extraPool(t)
	get(warm, home+"/3")
	if st := warm.Stats(); st.Pulls != 0 {
		t.Errorf("it was fetched again, %d times", st.Pulls)
	}
	out := call(t, warm, a, &wire.Call{Module: "ansible.builtin.get_url", Async: 60, Args: args(fmt.Sprintf(`{"url":%q,"dest":%q}`, web.URL, home+"/4"))})
	if !strings.Contains(out[0], `"started":true`) {
		t.Errorf("async: %s", out[0])
	}
	_ = warm.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got, err := os.ReadFile(home + "/4"); err == nil && string(got) == "hello" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the job left %q %v", got, err)
		}
	}
	for _, f := range files {
		if strings.Contains(f, "extra") {
			must(t, os.Remove(f))
			must(t, os.WriteFile(f, []byte("#!/bin/sh\ntouch \"$HOME/evil\"\n"), 0o700))
		}
	}
	get(extraPool(t), home+"/5")
	if _, err := os.Stat(home + "/evil"); err == nil {
		t.Error("a damaged program was run")
	}
}

// A module of the first program gets what it needs from the second, also as a job.
func TestExtraFetches(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("apt_key needs gpg")
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(web.Close)
	home := t.TempDir()
	_, a := simTarget(t, sshsim.Options{Dir: home})
	p := extraPool(t)
	c := &wire.Call{Module: "ansible.builtin.apt_key", Check: true, Args: args(fmt.Sprintf(`{"url":"%s/key"}`, web.URL))}
	if out := call(t, p, a, c); !strings.Contains(out[0], "418") {
		t.Errorf("%s", out[0])
	}
}

// A platform that has no second program loses its modules only.
func TestNoExtra(t *testing.T) {
	home := t.TempDir()
	_, a := simTarget(t, sshsim.Options{Dir: home})
	p := extraPool(t)
	some := *p.opts.Binaries
	some.extra = nil
	p.opts.Binaries = &some
	must(t, ping(t, p, a))
	err := p.Call(t.Context(), a, &wire.Call{Module: "ansible.builtin.uri", Args: args(`{"url":"http://127.0.0.1:1/"}`)}, nil, func(wire.Result) {})
	if err == nil || transport.IsUnreachable(err) || !strings.Contains(err.Error(), "there is no fettle-extra-") {
		t.Errorf("err %v", err)
	}
}

// Platforms that nothing is built in for are taken from the directory beside fettle.
func TestRunnersBeside(t *testing.T) {
	dir := t.TempDir()
	sum := strings.Repeat("a", 64)
	must(t, os.WriteFile(filepath.Join(dir, "fettle-runner-linux-riscv64.sum"), []byte(sum+" 3\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "fettle-runner-linux-riscv64.gz"), []byte("abc"), 0o600))
	b := &Binaries{dir: dir}
	if msg := b.unsupported("Linux riscv64"); !strings.Contains(msg, "RUNNERS=linux-riscv64") || !strings.Contains(msg, dir) {
		t.Error(msg)
	}
	if msg := b.unsupported("FreeBSD amd64"); strings.Contains(msg, "make runners") {
		t.Errorf("%s: it does not build for that", msg)
	}
	must(t, b.add(os.DirFS(dir)))
	x := b.forUname("Linux riscv64")
	if x == nil || x.SHA256 != sum || len(b.extra) != 0 {
		t.Fatalf("%+v", b)
	}
	if p, err := x.content(true); err != nil || string(p) != "abc" {
		t.Errorf("%q %v", p, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "fettle-runner-linux-s390x.sum"), []byte("bad"), 0o600))
	if err := b.add(os.DirFS(dir)); err == nil {
		t.Error("a bad checksum file is accepted")
	}
}
