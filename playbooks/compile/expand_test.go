package compile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fettle/engine/plan"

	"github.com/rogpeppe/go-internal/txtar"
)

// unpack writes the files of an archive and compiles site.yml.
func unpack(t *testing.T, archive string) (dir string, c *compiled) {
	t.Helper()
	dir = t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, x, ds := Compile(Options{Playbooks: []string{filepath.Join(dir, "site.yml")}, RolesPath: []string{}, CollectionsPath: []string{}})
	return dir, &compiled{p, x, ds}
}

// includes lists the include tasks of a play.
func (c *compiled) includes() (out []*plan.Task) {
	for _, v := range c.plan.Plays[0].Graph.Vertices {
		if v.Task != nil && strings.HasPrefix(v.Task.Module, "ansible.builtin.include_") {
			out = append(out, v.Task)
		}
	}
	return out
}

func expansionText(x *plan.Expansion, dir string) string {
	var b strings.Builder
	dumpGraph(&b, x.Graph, "")
	for _, h := range x.Handlers {
		b.WriteString("handler " + taskText(h.Task) + "\n")
	}
	return strings.ReplaceAll(b.String(), dir+"/", "")
}

// TestIncludeTasks shows INC-03, INC-04, INC-05, INC-12 and PRE-10: what children of an
// include inherit, and where files are found.
func TestIncludeTasks(t *testing.T) {
	dir, c := unpack(t, `
-- site.yml --
- hosts: all
  gather_facts: false
  tasks:
    - when: outer
      become: true
      tags: [b]
      vars: {bv: 1}
      block:
        - include_tasks: {file: sub/a.yml, apply: {tags: [applied], when: applied, become_user: u}}
          vars: {iv: 1}
          when: own
          tags: [t]
-- sub/a.yml --
- debug: msg=a
- include_tasks: b.yml
-- sub/b.yml --
- debug: msg=near
-- b.yml --
- debug: msg=far
`)
	inc := c.includes()[0]
	x, err := c.grow.IncludeTasks(context.Background(), inc, "sub/a.yml")
	if err != nil {
		t.Fatal(err)
	}
	const tail = " become=True become_user=\"u\" tags=b,applied vars7={iv=1;} vars4={bv=1;}\n"
	want := "0 -> 1: - debug {\"msg\": \"a\"} when=`outer` when=`applied`" + tail +
		"1 -> end: - include_tasks {\"_raw_params\": \"b.yml\"} when=`outer` when=`applied`" + tail
	if got := expansionText(x, dir); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if x.File != filepath.Join(dir, "sub/a.yml") {
		t.Error(x.File)
	}
	again, _ := c.grow.IncludeTasks(context.Background(), inc, "sub/a.yml")
	if again != x {
		t.Error("the same file under the same vertex is compiled again")
	}
	x, err = c.grow.IncludeTasks(context.Background(), x.Graph.Vertices[1].Task, "b.yml")
	if err != nil {
		t.Fatal(err)
	}
	if x.File != filepath.Join(dir, "sub/b.yml") {
		t.Errorf("found %s, want the file beside the including one", x.File)
	}
}

// TestIncludeRole shows ROL-07, ROL-14, INC-13: variables, handlers and files of an included role.
func TestIncludeRole(t *testing.T) {
	dir, c := unpack(t, `
-- site.yml --
- hosts: all
  gather_facts: false
  tasks:
    - include_role: {name: "{{ r }}"}
      vars: {iv: 1}
-- roles/r/tasks/main.yml --
- debug: msg=main
- include_tasks: x.yml
-- roles/r/tasks/x.yml --
- debug: msg=x
-- roles/r/handlers/main.yml --
- {name: h, debug: {msg: h}}
-- roles/r/defaults/alt.yml --
d: 1
`)
	inc := c.includes()[0]
	x, err := c.grow.IncludeRole(context.Background(), inc, plan.RoleUse{Name: "r", DefaultsFrom: "alt", Public: true, AllowDuplicates: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `0 -> 1: r : - debug {"msg": "main"} vars7={iv=1;}
1 -> 2: r : - include_tasks {"_raw_params": "x.yml"} vars7={iv=1;}
2 -> end: r : - meta {"_raw_params": "role_complete"} vars7={iv=1;}
handler r : "h" debug {"msg": "h"} vars7={iv=1;}
`
	if got := expansionText(x, dir); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if !x.Role.Public || !x.Role.AllowDuplicates || len(x.Role.Defaults) != 1 {
		t.Errorf("%+v", x.Role)
	}
	if _, err := c.grow.IncludeRole(context.Background(), inc, plan.RoleUse{Name: "rr"}); err == nil || !strings.Contains(err.Error(), `did you mean "r"`) {
		t.Error(err)
	}
	if _, err := c.grow.IncludeRole(context.Background(), inc, plan.RoleUse{Name: "r", TasksFrom: "none"}); err == nil {
		t.Error("a missing tasks_from must be an error")
	}
}

// A file that tasks write while the play runs can be included after it.
func TestIncludeWritten(t *testing.T) {
	dir, c := unpack(t, "-- site.yml --\n- hosts: all\n  tasks:\n    - include_tasks: made.yml\n    - include_tasks: changed.yml\n-- changed.yml --\n- debug: msg=old\n")
	inc := c.includes()
	if _, err := c.grow.IncludeTasks(context.Background(), inc[0], "made.yml"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, name := range []string{"made.yml", "changed.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("- debug: msg=newest\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"made.yml", "changed.yml"} {
		x, err := c.grow.IncludeTasks(context.Background(), inc[i], name)
		if err != nil {
			t.Fatal(err)
		}
		if got := expansionText(x, dir); !strings.Contains(got, "newest") {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// Hosts reach includes at the same time.
func TestIncludeConcurrently(t *testing.T) {
	_, c := unpack(t, "-- site.yml --\n- hosts: all\n  tasks:\n    - include_tasks: \"{{ f }}\"\n-- a.yml --\n- debug: msg=a\n-- b.yml --\n- import_tasks: a.yml\n")
	inc := c.includes()[0]
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := c.grow.IncludeTasks(context.Background(), inc, []string{"a.yml", "b.yml"}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A module's name may be a template, known before the run or only on a host.
func TestTemplatedAction(t *testing.T) {
	_, c := compileText(t, `
- hosts: all
  vars: {known: debug}
  tasks:
    - action: "{{ known }} msg='a b'"
    - action: "{{ of_host }}command ls chdir=/tmp"
    - {action: {module: "{{ of_host }}ping", data: x}}
`)
	if c.diags.Len() > 0 {
		t.Fatal(c.diags.Sorted())
	}
	var ts []*plan.Task
	for _, v := range c.plan.Plays[0].Graph.Vertices {
		if !v.Task.Implicit {
			ts = append(ts, v.Task)
		}
	}
	if ts[0].Module != "ansible.builtin.debug" || raw(ts[0].Args) != `{"msg": "a b"}` {
		t.Error(taskText(ts[0]))
	}
	if ts[1].ActionExpr == nil || ts[1].Module != "" {
		t.Error(taskText(ts[1]))
	}
	r := c.grow.(plan.ActionResolver)
	got, err := r.ResolveAction(ts[2], "ansible.builtin.ping")
	if err != nil || got.Module != "ansible.builtin.ping" || got.Declared == nil {
		t.Error(got, err)
	}
	if again, _ := r.ResolveAction(ts[2], "ansible.builtin.ping"); again != got {
		t.Error("resolved twice")
	}
	if _, err := r.ResolveAction(ts[2], "pong"); err == nil {
		t.Error("an unknown module must be an error")
	}
}
