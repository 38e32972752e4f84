package faults_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/run"
	"fettle/engine/runner"
	"fettle/engine/template"
	_ "fettle/engine/template/ansible"
	"fettle/engine/transport"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/inventory"
	_ "fettle/modules/all"
	"fettle/playbooks/compile"
)

// site has 20 tasks, of which those with >> are not idempotent.
const site = `
- hosts: all
  gather_facts: false
  tasks:
    - {name: folders, file: {path: "{{ dir }}/{{ item }}", state: directory, mode: "0755"}, loop: [etc, srv, srv/tree]}
    - {name: once 1, shell: "echo ran >> {{ dir }}/once1"}
    - {name: content, copy: {content: "a = 1\nb = 2\n", dest: "{{ dir }}/etc/small.conf", mode: "0640"}}
    - {name: big, copy: {src: big, dest: "{{ dir }}/srv/big"}}
    - {name: template, template: {src: t.j2, dest: "{{ dir }}/etc/t.conf"}}
    - {name: line, lineinfile: {path: "{{ dir }}/etc/small.conf", line: "c = 3"}}
    - {name: once 2, command: "sh -c 'echo ran >> {{ dir }}/once2'", register: second}
    - {name: block, blockinfile: {path: "{{ dir }}/etc/small.conf", block: "d = 4\ne = 5"}}
    - {name: replace, replace: {path: "{{ dir }}/etc/small.conf", regexp: "^a = .*$", replace: "a = 7"}}
    - {name: look, stat: {path: "{{ dir }}/etc/small.conf"}, register: looked}
    - {name: link, file: {src: small.conf, dest: "{{ dir }}/etc/link", state: link}, when: looked.stat.exists}
    - {name: once 3, shell: "echo ran >> {{ dir }}/once3", loop: [1, 2, 3]}
    - {name: many, copy: {content: "{{ item }}", dest: "{{ dir }}/srv/tree/{{ item }}"}, loop: [one, two, three, four]}
    - {name: unpack, unarchive: {src: a.tar, dest: "{{ dir }}/srv"}}
    - {name: slurp, slurp: {src: "{{ dir }}/etc/t.conf"}, register: slurped}
    - {name: from slurp, copy: {content: "{{ slurped.content | b64decode }}!", dest: "{{ dir }}/srv/again"}}
    - {name: fetch, fetch: {src: "{{ dir }}/srv/big", dest: "{{ back }}/", flat: true}}
    - {name: assembled, assemble: {src: "{{ dir }}/srv/tree", dest: "{{ dir }}/srv/all", remote_src: true}}
    - {name: once 4, shell: "echo ran >> {{ dir }}/once4", args: {chdir: "{{ dir }}"}}
    - {name: creates, command: {cmd: "touch {{ dir }}/made", creates: "{{ dir }}/made"}}
`

// bench is a playbook with its files, and a host's part of the file system.
type bench struct {
	t         *testing.T
	book, dir string
	back      string
	binaries  *runner.Binaries
}

func newBench(t *testing.T) *bench {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bins, err := runner.Own(self)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, book: t.TempDir(), binaries: bins}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, text := range map[string]string{"x/one": "1", "x/two": strings.Repeat("2", 5000)} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644, ModTime: time.Unix(1e9, 0)}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
	}
	_ = w.Close()
	for name, text := range map[string]string{"site.yml": site, "big": strings.Repeat("0123456789abcde\n", 20<<10),
		"t.j2": "host {{ inventory_hostname }}\nword {{ second.rc | default(0) }}\n", "a.tar": archive.String()} {
		if err := os.WriteFile(filepath.Join(b.book, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// fresh is a new, empty host.
func (b *bench) fresh() {
	b.dir, b.back = b.t.TempDir(), b.t.TempDir()
}

// play runs the playbook over a link, and returns the exit code and what was reported.
func (b *bench) play(l *link) (int, []string) {
	b.t.Helper()
	inv, diags := inventory.Load([]string{"h1,"}, inventory.Options{})
	if err := diags.Err(); err != nil {
		b.t.Fatal(err)
	}
	engine := template.New(template.Options{})
	p, x, diags := compile.Compile(compile.Options{Playbooks: []string{b.book + "/site.yml"}, Templates: engine})
	if err := diags.Err(); err != nil {
		b.t.Fatal(err)
	}
	pool := runner.New(runner.Options{Binaries: b.binaries, Dialers: map[string]transport.Dialer{"local": l}, Reconnect: 10 * time.Second})
	defer func() { _ = pool.Close() }()
	extra := &value.Vars{}
	extra.Set("dir", b.dir, diag.Pos{})
	extra.Set("back", b.back, diag.Pos{})
	s := &lines{}
	ctx := noting(b.t.Context(), l, pool)
	code, err := run.Run(ctx, b.t.Context(), run.Options{Plan: p, Expander: x, Inventory: inv, Templates: engine, Pool: pool, Sink: s,
		Store: vars.NewStore(inv, extra, &value.Vars{}), Masker: &mask.Masker{}, Defaults: run.Connection{Connection: "local"}})
	if err != nil {
		b.t.Fatal(err)
	}
	return code, s.all
}

// noting tells the link who its runners are, where it is to kill them.
func noting(ctx context.Context, l *link, pool *runner.Runners) context.Context {
	if l.kill {
		h, err := pool.Connect(ctx, &runner.Account{Target: &transport.Target{Name: "h1", Address: "h1", Connection: "local"}})
		if err == nil {
			l.mu.Lock()
			l.pids = append(l.pids, h.PID)
			l.mu.Unlock()
		}
	}
	return ctx
}

// lines are what a person would read.
type lines struct{ all []string }

// Emit implements event.Sink.
func (s *lines) Emit(e event.Event) {
	switch x := e.(type) {
	case event.HostResult:
		msg, _ := x.Result.GetString("msg")
		s.all = append(s.all, fmt.Sprintf("%s %s %s: %s", x.Host, x.Task.Name, x.Status, value.Str(msg)))
	case event.ItemResult:
		msg, _ := x.Result.GetString("msg")
		s.all = append(s.all, fmt.Sprintf("item %s %s %s: %s", x.Host, x.Task.Name, x.Status, value.Str(msg)))
	case event.Warning:
		s.all = append(s.all, "warning "+x.Text)
	}
}

// tree is the state of the host: names, modes and contents. With once, how often the tasks
// ran that are not idempotent.
func (b *bench) tree() (state string, once map[string]int) {
	var out strings.Builder
	once = map[string]int{}
	for _, root := range []string{b.dir, b.back} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(path, root)
			content := ""
			if info.Mode().IsRegular() {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if strings.HasPrefix(name, "/once") {
					once[name] = bytes.Count(text, []byte("ran\n"))
					return nil
				}
				content = fmt.Sprintf("%x", sha256.Sum256(text))[:16]
			}
			fmt.Fprintf(&out, "%s %s %s\n", name, info.Mode(), content)
			return nil
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return out.String(), once
}

var wantOnce = map[string]int{"/once1": 1, "/once2": 1, "/once3": 3, "/once4": 1}

// The link is cut at every frame of a play: the play goes on as if nothing had happened.
func TestCutAtEveryFrame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fresh()
	whole := &link{}
	if code, report := b.play(whole); code != 0 {
		t.Fatalf("undisturbed: exit code %d\n%s", code, strings.Join(report, "\n"))
	}
	want, once := b.tree()
	if fmt.Sprint(once) != fmt.Sprint(wantOnce) {
		t.Fatalf("undisturbed: %v", once)
	}
	t.Logf("%d frames", whole.frames)
	runs, cuts := 0, 0
	for n := 2; n <= whole.frames; n += step { // the first is hello: before it nothing runs
		b.fresh()
		l := &link{cutAt: n, half: n%2 == 0}
		code, report := b.play(l)
		got, once := b.tree()
		runs, cuts = runs+1, cuts+l.cuts // the last frames, of confirmations, come or not
		if code != 0 || got != want || fmt.Sprint(once) != fmt.Sprint(wantOnce) {
			t.Errorf("cut at frame %d: exit code %d, once %v\n%s\n%s", n, code, once, strings.Join(report, "\n"), got)
		}
	}
	if cuts < runs*9/10 {
		t.Errorf("%d cuts in %d runs", cuts, runs)
	}
}

// The runner dies with the link: the report says that the outcome of the task is unknown,
// nothing runs twice, no file is half written, and another run brings the rest.
func TestKilledAtEveryFrame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fresh()
	whole := &link{}
	b.play(whole)
	want, _ := b.tree()
	for n := 2; n <= whole.frames; n += killStep {
		b.fresh()
		l := &link{cutAt: n, kill: true}
		code, report := b.play(l)
		_, once := b.tree()
		for name, times := range once {
			if times > wantOnce[name] {
				t.Errorf("frame %d: %s ran %d times\n%s", n, name, times, strings.Join(report, "\n"))
			}
		}
		if code != 0 && !contains(report, "unreachable", "outcome is unknown", "ansible.builtin.") {
			t.Errorf("frame %d: exit code %d, and nobody says why\n%s", n, code, strings.Join(report, "\n"))
		}
		if code, report = b.play(&link{}); code != 0 {
			t.Errorf("frame %d: again: exit code %d\n%s", n, code, strings.Join(report, "\n"))
		}
		if got, _ := b.tree(); got != want {
			t.Errorf("frame %d: after another run:\n%s\nwant:\n%s", n, got, want)
		}
	}
}
