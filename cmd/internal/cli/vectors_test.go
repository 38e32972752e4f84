package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// vectors are the lines of testdata/vectors.txt of one kind, split into fields.
func vectors(t *testing.T, kind string, fields int) [][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Split(line, "\t")
		if f[0] != kind {
			continue
		}
		if len(f) != fields+1 {
			t.Fatalf("%q has %d fields, want %d", line, len(f)-1, fields)
		}
		out = append(out, f[1:])
	}
	if len(out) == 0 {
		t.Fatalf("no vectors of %s", kind)
	}
	return out
}

// vectorDir is a directory with the files, given as name and text in turn.
func vectorDir(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// command runs fettle in this process and returns what it printed.
func command(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	t.Setenv("ANSIBLE_CONFIG", os.DevNull)
	t.Setenv("ANSIBLE_NOCOLOR", "1")
	var o, e bytes.Buffer
	code = Main(t.Context(), args, &Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	t.Logf("%s\n%s", args, e.String())
	return o.String(), code
}

var shownList = regexp.MustCompile(`(?s)"msg": (\[.*?\n    \])`)

// shownVectors runs a playbook whose only debug task shows a list, and returns that.
func shownVectors(t *testing.T, dir string, more ...string) []string {
	t.Helper()
	args := append([]string{"ansible-playbook", "-i", dir + "/hosts"}, more...)
	out, code := command(t, append(args, dir+"/site.yml")...)
	m := shownList.FindStringSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	var list []string
	if err := json.Unmarshal([]byte(m[1]), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

const shownAs = `{{ %s | type_debug }} {{ %[1]s if %[1]s is string else [%[1]s] | string | regex_replace('^.(.*).$', '\\1') }}`

func compareVectors(t *testing.T, names, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i := range got {
		if w := want[i]; got[i] != w && !(strings.TrimSpace(w) == w && !strings.Contains(w, " ") && strings.HasPrefix(got[i], w+" ")) {
			t.Errorf("%s gives %q, want %q", names[i], got[i], w)
		}
	}
}

func debugList(vars []string) string {
	b := &strings.Builder{}
	b.WriteString("    - debug:\n        msg:\n")
	for _, v := range vars {
		fmt.Fprintf(b, "          - %q\n", fmt.Sprintf(shownAs, v))
	}
	return strings.ReplaceAll(b.String(), `\\\\1`, `\\1`)
}

const vectorPlay = "- hosts: %s\n  gather_facts: false\n"

func TestVectorsYAML(t *testing.T) {
	vs := vectors(t, "yaml", 2)
	site := fmt.Sprintf(vectorPlay, "h") + "  vars:\n"
	var names, vars, want []string
	for i, v := range vs {
		name := fmt.Sprint("v", i)
		site += "    " + name + ": " + v[0] + "\n"
		names, vars, want = append(names, v[0]), append(vars, name), append(want, v[1])
	}
	dir := vectorDir(t, "hosts", "h\n", "site.yml", site+"  tasks:\n"+debugList(vars))
	compareVectors(t, names, shownVectors(t, dir), want)
}

func TestVectorsINI(t *testing.T) {
	for _, where := range []string{"host", "vars"} {
		t.Run(where, func(t *testing.T) {
			var names, vars, want []string
			var lines strings.Builder
			for i, v := range vectors(t, "ini", 3) {
				if v[0] != where {
					continue
				}
				name, rest, _ := strings.Cut(v[1], "=")
				own := fmt.Sprint("v", i)
				blank := strings.Repeat(" ", len(name)-len(strings.TrimRight(name, " ")))
				if where == "host" {
					fmt.Fprintf(&lines, "h %s%s=%s\n", own, blank, rest)
				} else {
					fmt.Fprintf(&lines, "%s%s=%s\n", own, blank, rest)
				}
				names, vars, want = append(names, v[1]), append(vars, own), append(want, v[2])
			}
			hosts := lines.String()
			if where == "vars" {
				hosts = "h\n[all:vars]\n" + hosts
			}
			dir := vectorDir(t, "hosts", hosts, "site.yml", fmt.Sprintf(vectorPlay, "h")+"  tasks:\n"+debugList(vars))
			compareVectors(t, names, shownVectors(t, dir), want)
		})
	}
}

func TestVectorsTemplates(t *testing.T) {
	for _, mode := range []struct {
		name, compat string
		want         int
	}{{"since 2.19", "2.19", 2}, {"up to 2.18", "2.16", 3}} {
		t.Run(mode.name, func(t *testing.T) {
			for _, v := range vectors(t, "template", 4) {
				tasks, vars := "", "  vars:\n"
				if v[0] != "" {
					vars += "    " + v[0] + "\n"
				}
				if strings.HasPrefix(v[1], "set_fact") {
					tasks = "    - " + v[1] + "\n"
				} else {
					vars += "    " + v[1] + "\n"
				}
				if vars == "  vars:\n" {
					vars = ""
				}
				site := fmt.Sprintf(vectorPlay, "h") + vars + "  tasks:\n" + tasks + debugList([]string{"a"})
				dir := vectorDir(t, "hosts", "h\n", "site.yml", site)
				compareVectors(t, []string{v[0] + " " + v[1]}, shownVectors(t, dir, "--compat", mode.compat), []string{v[mode.want]})
			}
		})
	}
}

func TestVectorsPatterns(t *testing.T) {
	dir := vectorDir(t, "hosts", "[web]\nweb1\nweb2\nweb3\n[db]\ndb01\ndb02\n[dc]\nweb2\ndb01\n[both:children]\ndb\nweb\n",
		"limits", "web1\ndb02\n")
	for _, v := range vectors(t, "pattern", 2) {
		t.Run(v[0], func(t *testing.T) {
			args := []string{"ansible-playbook", "-i", dir + "/hosts", "--list-hosts", dir + "/site.yml"}
			pattern := v[0]
			if strings.HasPrefix(pattern, "@") {
				args, pattern = append(args, "--limit", "@"+dir+"/"+pattern[1:]), "all"
			}
			site := fmt.Sprintf(vectorPlay, fmt.Sprintf("%q", pattern))
			if err := os.WriteFile(dir+"/site.yml", []byte(site), 0o600); err != nil {
				t.Fatal(err)
			}
			out, code := command(t, args...)
			got := "error"
			if _, list, ok := strings.Cut(out, "):\n"); ok && code == 0 {
				got = strings.Join(strings.Fields(list), " ")
			}
			if got != v[1] {
				t.Errorf("%s matches %q, want %q (exit code %d)\n%s", v[0], got, v[1], code, out)
			}
		})
	}
}
