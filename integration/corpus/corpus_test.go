//go:build integration

// Package corpus checks published playbooks and roles, which are not part of the repository:
// `fettle check` must find no error that Ansible would not find as well.
package corpus

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// real are the errors that Ansible reports too: what a checkout alone does not hold, and
// what its authors got wrong.
var real = regexp.MustCompile(`the (role|playbook) \S+ (was not found|could not be found)|ansible.builtin.get_url has no option "sha256sum"`)

// TestCorpus wants FETTLE_CORPUS, a folder with one checkout a folder, and FETTLE, the
// program (bin/fettle of this repository when it is not set).
func TestCorpus(t *testing.T) {
	root := os.Getenv("FETTLE_CORPUS")
	if root == "" {
		t.Skip("FETTLE_CORPUS names no folder with checkouts of public repositories")
	}
	fettle := os.Getenv("FETTLE")
	if fettle == "" {
		fettle, _ = filepath.Abs("../../bin/fettle")
	}
	repos, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, repo := range repos {
		dir := filepath.Join(root, repo.Name())
		for _, p := range playbooksOf(t, dir) {
			name, _ := filepath.Rel(root, p)
			t.Run(name, func(t *testing.T) { check(t, fettle, p) })
		}
	}
}

func check(t *testing.T, fettle, playbook string) {
	dir := filepath.Dir(playbook)
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "ansible.cfg")); err == nil {
		dir = filepath.Dir(dir)
	}
	list := exec.Command(fettle, "playbook", "-i", "h1,", "--list-tasks", playbook)
	list.Dir = dir
	listed, _ := list.Output()
	cmd := exec.Command(fettle, "check", "-i", "h1,", playbook)
	cmd.Dir = dir
	start := time.Now()
	out, _ := cmd.CombinedOutput()
	took := time.Since(start)
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, ": error: ") && !real.MatchString(line) {
			t.Errorf("%s", line)
		}
	}
	tasks := strings.Count(string(listed), "TAGS: [")
	if most := time.Second * time.Duration(1+tasks/1000); took > most {
		t.Errorf("%d tasks took %v, more than %v", tasks, took, most)
	}
	fmt.Printf("%s: %d tasks, %v\n", playbook, tasks, took.Round(time.Millisecond))
}

// playbooksOf finds the playbooks of a checkout; for roles it writes one that uses them.
func playbooksOf(t *testing.T, dir string) []string {
	var out []string
	for _, pattern := range []string{"*.yml", "playbooks/*.yml"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range files {
			if text, err := os.ReadFile(f); err == nil && regexp.MustCompile(`(?m)^- *(name:.*\n +)?hosts:`).Match(text) {
				out = append(out, f)
			}
		}
	}
	roles, _ := filepath.Glob(filepath.Join(dir, "roles", "*"))
	if _, err := os.Stat(filepath.Join(dir, "tasks", "main.yml")); err == nil {
		roles = []string{dir}
	} else if len(out) > 0 {
		return out
	}
	for _, r := range roles {
		f := filepath.Join(t.TempDir(), filepath.Base(r)+".yml")
		if err := os.WriteFile(f, []byte("- hosts: all\n  roles: ["+r+"]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}
