//go:build integration

package faults_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fettle/integration/fleet"
)

// subject is a task that is held in its middle until /run/go is there, or for a minute.
type subject struct {
	name, task string
	prepare    string // a shell script on the host: the old state
	state      string // a shell script on the host: prints old or new
	shielded   bool   // what it starts has a session of its own on purpose, and finishes
}

const hold = "#!/bin/sh\necho >> /run/begun\nn=0\nwhile [ ! -e /run/go ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done\nexit 0\n"

const fileState = `case $(cat /srv/f) in (old) echo old;; (new) echo new;; (*) echo mixed;; esac`

var subjects = []subject{
	{"command", `shell: "hold; echo new > /srv/f"`, "echo old > /srv/f", fileState, false},
	{"copy", `copy: {content: "new\n", dest: /srv/f, validate: "hold %s"}`, "echo old > /srv/f", fileState, false},
	{"template", `template: {src: t.j2, dest: /srv/f, validate: "hold %s"}`, "echo old > /srv/f", fileState, false},
	{"lineinfile", `lineinfile: {path: /srv/f, regexp: old, line: new, validate: "hold %s"}`, "echo old > /srv/f", fileState, false},
	{"get_url", `get_url: {url: "URL/f", dest: /srv/f, force: true}`, "echo old > /srv/f", fileState, false},
	{"unarchive", `unarchive: {src: "URL/a.tar.gz", dest: /srv/d, remote_src: true}`, "rm -rf /srv/d; mkdir /srv/d; echo old > /srv/d/f", `case $(cat /srv/d/f) in (old) echo old;; (new) echo new;; (*) echo mixed;; esac`, false},
	{"service", `service: {name: held, state: started, use: service}`, "rm -f /run/held", `[ -e /run/held ] && echo new || echo old`, false},
	{"user", `user: {name: somebody}`, "userdel -r somebody 2>/dev/null; rm -f /etc/passwd.lock; true",
		`if getent passwd somebody >/dev/null; then [ -d /home/somebody ] && echo new || echo mixed; else echo old; fi`, false},
	{"apt", `apt: {deb: /root/held.deb}`, "touch /run/go; (dpkg --configure -a; dpkg --purge held) >/dev/null 2>&1; rm -f /run/go /run/begun",
		`case $(dpkg-query -W -f '${Status}' held 2>/dev/null) in (*"ok installed") echo new;; (*) echo old;; esac`, true},
}

// provision makes the tools of the subjects on a host.
const provision = `set -e
mv /usr/sbin/useradd /usr/sbin/useradd.real
printf '#!/bin/sh\nhold\nexec useradd.real "$@"\n' > /usr/sbin/useradd; chmod 755 /usr/sbin/useradd
mkdir -p /root/deb/DEBIAN; cd /root/deb
printf 'Package: held\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: is held\n' > DEBIAN/control
printf '#!/bin/sh\n/usr/local/bin/hold\n' > DEBIAN/postinst; chmod 755 DEBIAN/postinst
cd /root; dpkg-deb -b deb held.deb >/dev/null; rm -r deb
printf '#!/bin/sh\ncase $1 in\nstart) /usr/local/bin/hold; touch /run/held;;\nstatus) [ -e /run/held ] && echo held is running || { echo held is stopped; exit 3; };;\nesac\n' > /etc/init.d/held
chmod 755 /etc/init.d/held`

// web serves what get_url and unarchive fetch, and holds the middle of it.
func (r *rig) web() *httptest.Server {
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	r.must(errors.Join(w.WriteHeader(&tar.Header{Name: "f", Mode: 0o644, Size: 4}), second(w.Write([]byte("new\n"))), w.Close(), z.Close()))
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b := []byte("new\n")
		if q.URL.Path == "/a.tar.gz" {
			b = archive.Bytes()
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		if q.Method == http.MethodHead {
			return
		}
		_, _ = w.Write(b[:2])
		_ = http.NewResponseController(w).Flush()
		f, err := os.OpenFile(r.h.Path("/run/begun"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return
		}
		_, _ = f.WriteString("\n")
		_ = f.Close()
		for range 1200 {
			if _, err := r.h.ReadFile("/run/go"); err == nil || q.Context().Err() != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		_, _ = w.Write(b[2:])
	}))
}

func withURL(task, url string) string { return strings.ReplaceAll(task, "URL", url) }

func second(_ int, err error) error { return err }

// fault is what happens while the task is held, and what must be true in the end.
type fault struct {
	name      string
	do        func(r *rig)
	flags     []string
	code      int
	states    string // those allowed
	after     bool   // the next task has run
	says      []string
	downThere bool // the host itself is gone
	freed     bool // subjects that are shielded need to be let go
}

var faults = []fault{
	{name: "link cut", do: func(r *rig) { r.relay.Cut(); r.free() }, states: "new", after: true, says: []string{"connection was lost", "nothing was run twice"}},
	{name: "link stalled", do: func(r *rig) {
		r.relay.Stall()
		r.free()
		r.wait("the stall noticed", 30*time.Second, r.cutOff)
		r.relay.Resume()
	},
		states: "new", after: true, says: []string{"does not answer any more", "nothing was run twice"}},
	{name: "sshd killed and started", do: func(r *rig) { r.must(r.h.KillSSHD()); r.must(r.h.StartSSHD(r.t.Context())); r.free() }, states: "new", after: true,
		says: []string{"connection was lost"}},
	{name: "runner killed", do: func(r *rig) { r.kill("fettle-runner"); r.free() }, code: 4, states: "old new", says: []string{"outcome is unknown", "HOST", "MODULE"}},
	{name: "runner killed for long", do: func(r *rig) { time.Sleep(1200 * time.Millisecond); r.kill("fettle-runner") }, code: 4, states: "old", freed: true,
		says: []string{"outcome is unknown", "HOST", "MODULE"}},
	{name: "interrupted once", do: func(r *rig) { r.signal(syscall.SIGINT); r.free() }, code: 99, states: "new", says: []string{"still running: subject on HOST"}},
	{name: "terminated", do: func(r *rig) { r.signal(syscall.SIGTERM); r.free() }, code: 143, states: "new", says: []string{"still running: subject on HOST"}},
	{name: "interrupted twice", do: func(r *rig) { r.signal(syscall.SIGINT); r.signal(syscall.SIGINT) }, code: 99, states: "old",
		says: []string{"ended while running: subject on HOST"}},
	{name: "controller killed", do: func(r *rig) { r.signal(syscall.SIGKILL); r.free() }, code: -1, flags: []string{"--reconnect", "3"}, states: "old new"},
	{name: "controller killed for long", do: func(r *rig) { r.signal(syscall.SIGKILL) }, code: -1, flags: []string{"--reconnect", "1"}, states: "old"},
	{name: "host killed", do: func(r *rig) { r.must(r.h.Kill()) }, flags: []string{"--reconnect", "2"}, code: 4, downThere: true,
		says: []string{"outcome is unknown", "HOST", "MODULE"}},
}

// rig is a host with the way to it, and one run.
type rig struct {
	t     *testing.T
	f     *fleet.Fleet
	h     *fleet.Host
	relay *fleet.Relay
	dir   string
	cmd   *exec.Cmd
	out   safeBuffer
	ended chan error
}

// safeBuffer is written by the run and read by the test.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) sh(script string) string {
	r.t.Helper()
	out, err := r.h.Exec(r.t.Context(), "sh", "-c", script)
	if err != nil {
		r.t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(out)
}

func (r *rig) free() { r.must(r.h.WriteFile("/run/go", nil, 0o644)) }

func (r *rig) wait(what string, limit time.Duration, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: did not come; it printed:\n%s", what, r.out.String())
		}
	}
}

// cutOff tells that the program has given up the connection it had.
func (r *rig) cutOff() bool { return r.relay.Accepted() > 1 }

func (r *rig) signal(s syscall.Signal) {
	r.must(r.cmd.Process.Signal(s))
	if s == syscall.SIGINT || s == syscall.SIGTERM { // the next one is another
		r.wait("a word about the signal", 20*time.Second, func() bool { return strings.Contains(r.out.String(), "no more tasks are started") })
	}
}

// processes are those of the host whose name begins so.
func (r *rig) processes(names ...string) (found []fleet.Process) {
	list, err := r.h.Processes()
	r.must(err)
	for _, p := range list {
		for _, name := range names {
			if strings.HasPrefix(p.Name, name) || len(p.Args) > 1 && strings.HasSuffix(p.Args[1], "/"+name) {
				found = append(found, p)
			}
		}
	}
	return found
}

func (r *rig) kill(name string) {
	for _, p := range r.processes(name) {
		_ = syscall.Kill(p.Pid, syscall.SIGKILL)
	}
}

// start begins the run of a task, and of another one after it.
func (r *rig) start(bin, task string, flags ...string) {
	book := "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: subject\n      " + task + "\n    - name: after\n      command: touch /run/after\n"
	for name, text := range map[string]string{"hosts": r.inventory(), "site.yml": book} {
		writeText(r.t, filepath.Join(r.dir, name), text)
	}
	r.run(bin, append([]string{"-i", "hosts", "site.yml"}, flags...)...)
}

func (r *rig) inventory() string {
	return fmt.Sprintf("%s ansible_host=%s ansible_port=%d ansible_user=root ansible_ssh_private_key_file=%s ansible_ssh_common_args='-F none -o StrictHostKeyChecking=no "+
		"-o UserKnownHostsFile=/dev/null -o ServerAliveInterval=1 -o ServerAliveCountMax=2'\n", r.h.Name, r.relay.Addr, r.relay.Port, r.f.PrivateKey)
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) run(bin string, args ...string) {
	r.out, r.ended = safeBuffer{}, make(chan error, 1)
	r.cmd = exec.Command(bin, append([]string{"playbook"}, args...)...)
	r.cmd.Dir, r.cmd.Env = r.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "LC_ALL=C.UTF-8"}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.must(r.cmd.Start())
	go func() { r.ended <- r.cmd.Wait() }()
}

func (r *rig) end() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(60 * time.Second):
		_ = r.cmd.Process.Kill()
		r.t.Fatalf("the program does not end; it printed:\n%s", r.out.String())
	}
	return r.cmd.ProcessState.ExitCode()
}

// leftovers is what a run may not leave on a host.
func (r *rig) leftovers() string {
	var left []string
	for _, p := range r.processes("fettle-runner", "hold") {
		left = append(left, fmt.Sprintf("process %s %q", p.Name, p.Args))
	}
	out, _ := r.h.Exec(r.t.Context(), "find", "/", "-xdev", "-name", ".fettle*", "!", "-path", "/root/.fettle")
	tmp, _ := r.h.Exec(r.t.Context(), "find", "/tmp", "/var/tmp", "/run/lock", "-mindepth", "1")
	return strings.Join(append(left, strings.Fields(out+tmp)...), "\n")
}

func program(t *testing.T) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	bin := filepath.Join(filepath.Dir(here), "../../bin/fettle")
	if _, err := os.Stat(bin); err != nil {
		t.Skip("no bin/fettle: run make build")
	}
	return bin
}

func newRig(t *testing.T, f *fleet.Fleet, h *fleet.Host) *rig {
	r := &rig{t: t, f: f, h: h, dir: t.TempDir()}
	r.must(os.WriteFile(r.dir+"/t.j2", []byte("new\n"), 0o600))
	return r
}

// Each fault strikes in the middle of each task.
func TestFaults(t *testing.T) {
	t.Parallel()
	bin := program(t)
	f := fleet.Up(t, fleet.Light(len(subjects)))
	for i, s := range subjects {
		h := f.Hosts[i]
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, f, h)
			r.must(h.WriteFile("/usr/local/bin/hold", []byte(hold), 0o755))
			r.sh(provision)
			for _, x := range faults {
				t.Run(x.name, func(t *testing.T) {
					r.t = t
					r.strike(bin, s, x)
				})
			}
		})
	}
}

func (r *rig) strike(bin string, s subject, x fault) {
	r.sh("rm -rf /run/go /run/begun /run/after; " + s.prepare)
	relay, err := r.f.Relay(r.h, 0)
	r.must(err)
	defer relay.Close()
	r.relay = relay
	server := r.web()
	defer server.Close()
	s.task = withURL(s.task, server.URL)
	r.start(bin, s.task, x.flags...)
	r.wait("the task", 30*time.Second, func() bool { _, err := r.h.ReadFile("/run/begun"); return err == nil })
	x.do(r)
	if s.shielded && x.freed {
		r.free()
	}
	code := r.end()
	for _, text := range x.says {
		text = strings.NewReplacer("HOST", r.h.Name, "MODULE", "ansible.builtin."+strings.SplitN(s.task, ":", 2)[0]).Replace(text)
		if !strings.Contains(r.out.String(), text) {
			r.t.Errorf("it does not say %q", text)
		}
	}
	if code != x.code {
		r.t.Errorf("exit code %d, want %d", code, x.code)
	}
	if !x.downThere {
		r.examine(s, x)
	}
	if r.t.Failed() {
		r.t.Logf("it printed:\n%s", r.out.String())
	}
}

// examine looks at the host after the fault.
func (r *rig) examine(s subject, x fault) {
	left, limit := "?", 20*time.Second
	if strings.HasPrefix(x.name, "runner killed") {
		limit = 2 * time.Second // nobody cleans up for it
	}
	for end := time.Now().Add(limit); left != "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		left = r.leftovers()
	}
	if state := r.sh(s.state); !strings.Contains(x.states, state) && !(s.shielded && x.freed && state == "new") {
		r.t.Errorf("the state is %s, want %s", state, x.states)
	}
	if begun := r.sh("wc -l < /run/begun 2>/dev/null || echo 0"); begun != "1" {
		r.t.Errorf("it began %s times", begun)
	}
	if _, err := r.h.ReadFile("/run/after"); (err == nil) != x.after {
		r.t.Errorf("the next task: %v, want it to have run: %v", err, x.after)
	}
	if strings.HasPrefix(x.name, "runner killed") && left != "" { // but the next run
		r.sh("rm -f /run/after /run/begun; touch /run/go; find / -xdev -name '.fettle-*' -exec touch -d '1 hour ago' {} + ; " + s.prepare + "; touch /run/go")
		r.start(program(r.t), s.task)
		r.end()
		left = r.leftovers()
	}
	if left != "" {
		r.t.Errorf("left on the host:\n%s", left)
	}
}
