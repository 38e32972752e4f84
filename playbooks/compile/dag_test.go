package compile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compileText compiles one playbook given as text.
func compileText(t *testing.T, text string) (dir string, out *compiled) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "site.yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, x, ds := Compile(Options{Playbooks: []string{path}, RolesPath: []string{}, CollectionsPath: []string{}})
	return dir, &compiled{p, x, ds}
}

func TestGraph(t *testing.T) {
	_, c := compileText(t, `
- hosts: all
  gather_facts: no
  tasks:
    - command: ls
      register: out
      notify: again
    - block:
        - debug: {msg: "{{ out.stdout }}"}
      rescue:
        - debug: var=out
  handlers:
    - name: again
      debug: {msg: x}
`)
	var b strings.Builder
	if err := Graph(c.plan).Mermaid(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`p1v1["command"]`, "p1v1 --> p1v2", `p1v1 -.->|"out"| p1v2`, `p1v1 -.->|"out"| p1v3`, `p1v2 ==>|"rescue"| p1v3`,
		`p1v1 -.->|"notify"| p1h0`, `p1h0("again")`, "p1v2 --> p1v4", "p1v3 --> p1v4", `subgraph p1b1rescue["rescue"]`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

// TestList shows INC-11: what --list-tasks and --list-tags show, as ansible-playbook.
func TestList(t *testing.T) {
	_, c := compileText(t, `
- name: "play of {{ who }}"
  hosts: "{{ who }}"
  vars: {who: web}
  tags: [p]
  tasks:
    - {name: one, debug: {msg: x}, tags: [z, a]}
    - ping:
    - include_role: {name: r}
    - include_tasks: never.yml
    - block:
        - {name: in block, debug: {msg: x}}
      rescue:
        - {name: not listed, debug: {msg: x}}
    - meta: flush_handlers
    - {name: not selected, debug: {msg: x}, tags: [never]}
`)
	got := listText("x", List(c.plan, func(tags []string) bool { return !slices.Contains(tags, "never") }))
	want := "\nplaybook: x\n\n  play #1 (web): play of web\tTAGS: [p]\n    tasks:\n" +
		"      one\tTAGS: [a, p, z]\n      ping\tTAGS: [p]\n      include_role\tTAGS: [p]\n      include_tasks\tTAGS: [p]\n      in block\tTAGS: [p]\n      meta\tTAGS: [p]\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
	if l := List(c.plan, nil)[0]; strings.Join(l.TaskTags, " ") != "a never p z" {
		t.Error(l.TaskTags)
	}
}
