package inventory_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/template"
	_ "fettle/engine/template/ansible"
	"fettle/engine/value"
	"fettle/inventory"
)

type scope struct{ d *value.Dict }

func (s scope) Lookup(name string) (value.Value, bool) { return s.d.GetString(name) }

func (s scope) Names() []string {
	var out []string
	for _, e := range s.d.Entries() {
		out = append(out, value.Str(e.Key))
	}
	return out
}

func options() inventory.Options {
	engine := template.New(template.Options{})
	return inventory.Options{Render: func(src string, at diag.Pos, vars *value.Dict) (value.Value, error) {
		return engine.NewContext(context.Background(), scope{vars}).Render(template.NewTemplate(src, at))
	}}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const hosts = `[web]
w1 os=debian ver=12 labels="['a b','c-d', '']" m="{'x': 'y', 'e': ''}"
w2 os="" ver=11
[db]
d1 ver=13
[all:vars]
fromall=1
[web:vars]
gv=webgroup
`

const constructedConfig = `plugin: constructed
compose:
  sum: "'n' ~ (ver + 1)"
  both: "inventory_hostname ~ '-' ~ (fromall | default('NOALL'))"
  broken: nope.x
  names: group_names
  gvar: gv | default('none')
groups:
  newer: ver > 11
  isweb: "'web' in group_names"
  undef: nope == 1
  "odd-name": inventory_hostname == 'd1'
keyed_groups:
  - {key: os | default(''), prefix: os, default_value: none}
  - {key: labels, prefix: tag, default_value: empty}
  - {key: m, separator: ":", parent_group: "par_{{ ver }}"}
  - {key: m, separator: "", trailing_separator: false, prefix: m}
  - {key: ver | string, separator: "", prefix: v}
  - {prefix: nokey, key: ""}
`

const generatorConfig = `plugin: generator
hosts:
  name: "{{ op }}_{{ app }}_{{ stage }}"
  parents:
    - name: "{{ op }}_{{ app }}"
      parents:
        - {name: "{{ op }}", vars: {operation: "{{ op }}"}}
        - name: "{{ app }}"
    - name: runner
layers:
  op: [build, launch]
  stage: [dev, prod]
  app: [web2, api]
`

func listing(t *testing.T, dir string) map[string]any {
	t.Helper()
	inv, diags := inventory.Load([]string{dir}, options())
	for _, d := range diags.Sorted() {
		t.Log(d)
	}
	d, err := (&inventory.Listing{Inventory: inv}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	b, err := value.ToJSON(d)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, b)
}

// decode reads a listing without the marks for untrusted text, and without the profile,
// which older versions do not print.
func decode(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v in %.200s", err, b)
	}
	delete(m["_meta"].(map[string]any), "profile")
	return plain(m).(map[string]any)
}

func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if s, ok := x["__ansible_unsafe"]; ok && len(x) == 1 {
			return s
		}
		for k, e := range x {
			x[k] = plain(e)
		}
	case []any:
		for i, e := range x {
			x[i] = plain(e)
		}
	}
	return v
}

func TestConstructedAndGenerator(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"01.ini": hosts, "02.yml": constructedConfig, "03.yml": generatorConfig})
	m := listing(t, dir)
	vars := m["_meta"].(map[string]any)["hostvars"].(map[string]any)
	w1 := vars["w1"].(map[string]any)
	if w1["sum"] != "n13" || w1["both"] != "w1-NOALL" || w1["broken"] != nil || w1["gvar"] != "webgroup" || !reflect.DeepEqual(w1["names"], []any{"web"}) {
		t.Errorf("w1 has %v", w1)
	}
	members := func(group string) string {
		g, _ := m[group].(map[string]any)
		b, _ := json.Marshal([]any{g["hosts"], g["children"]})
		return string(b)
	}
	for group, want := range map[string]string{"newer": `[["w1","d1"],null]`, "isweb": `[["w1","w2"],null]`, "odd_name": `[["d1"],null]`, "os_none": `[["w2","d1"],null]`,
		"tag_a_b": `[["w1"],null]`, "tag_empty": `[["w1"],null]`, "par_12": `[null,["_x_y","_e_"]]`, "v12": `[["w1"],null]`, "me": `[["w1"],null]`,
		"build": `[null,["build_web2","build_api"]]`, "build_api": `[["build_api_dev","build_api_prod"],null]`} {
		if got := members(group); got != want {
			t.Errorf("%s holds %s, want %s", group, got, want)
		}
	}
	if h := vars["build_api_dev"].(map[string]any); h["operation"] != "build" {
		t.Errorf("generated host has %v", h)
	}
}

func TestPluginProblems(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown", "plugin: amazon.aws.aws_ec2\n", `it is for the inventory plugin "amazon.aws.aws_ec2", which is not supported`},
		{"strict", "plugin: constructed\nstrict: true\ncompose: {x: nope}\n", "cannot set x of host w1"},
		{"number", "plugin: constructed\nkeyed_groups: [{key: ver}]\n", "Invalid group name format, expected a string or a list of them or dictionary, got: int"},
		{"typo", "plugin: constructed\ncompse: {}\n", `the key "compse" has no meaning for this plugin (did you mean "compose"?)`},
		{"layer", "plugin: generator\nhosts: {name: x}\nlayers: {a: 1}\n", "layer a must be a list, not a int"},
		{"no name", "plugin: generator\nhosts: {}\nlayers: {a: [1]}\n", "hosts must have a name"},
		{"both", "plugin: constructed\nkeyed_groups: [{key: os, default_value: a, trailing_separator: false}]\n", "mutually exclusive for keyed groups"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"01.ini": hosts, "02.yml": c.text})
		_, diags := inventory.Load([]string{dir}, options())
		var all []string
		for _, d := range diags.Sorted() {
			all = append(all, d.Error())
		}
		if !strings.Contains(strings.Join(all, "\n"), c.want) {
			t.Errorf("%s: want %s, got %q", c.name, c.want, all)
		}
		if c.name == "unknown" && diags.Errors() != 1 {
			t.Errorf("an unsupported plugin gives %d errors", diags.Errors())
		}
	}
}

// TestListWithAnsible compares whole listings.
func TestListWithAnsible(t *testing.T) {
	tool, err := exec.LookPath("ansible-inventory")
	if err != nil {
		t.Skip("ansible-inventory is not installed")
	}
	for name, files := range map[string]map[string]string{
		"plugins": {"01-hosts": hosts, "02.yml": constructedConfig, "03.yml": generatorConfig},
		"files": {"a.yml": "all:\n  hosts: {top: {v: 0o10, q: 010}, 'h:2022': }\n  vars: {allv: yes}\n  children:\n    web: {hosts: {'w[1:3]': {p: 1}}, vars: {inl: web, gv: x}, children: {sub: {hosts: {w1: {z: 9}}, vars: {inl: sub}}}}\n    empty:\n",
			"b": "[web]\nw4 t=1,2 s='\"5\"'\n[late:children]\nweb\n[late:vars]\ninl=late\n", "group_vars/all.yml": "gv: all\ninl: file\n",
			"group_vars/web/a.yml": "gv: dir\n", "host_vars/w1": "z: 10\n"},
		"order": {"a.yml": "all:\n  children:\n    a: {children: {b: {children: {c: {hosts: {h1: , h2: }}}}}, vars: {x: a}}\n    z: {hosts: {h2: , h0: }, vars: {x: z, ansible_group_priority: 5}}\n    k: {hosts: {h1: , h4: , h2: }, vars: {x: k}}\n    c: {vars: {x: c}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, files)
			cmd := exec.Command(tool, "-i", dir, "--list")
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			theirs, ours := decode(t, out), listing(t, dir)
			for _, m := range []map[string]any{theirs, ours} {
				for h, v := range m["_meta"].(map[string]any)["hostvars"].(map[string]any) {
					m["host "+h] = v
				}
				delete(m, "_meta")
			}
			for _, m := range []map[string]any{theirs, ours} {
				for k := range m {
					if !reflect.DeepEqual(theirs[k], ours[k]) {
						a, _ := json.Marshal(theirs[k])
						b, _ := json.Marshal(ours[k])
						t.Errorf("%s: got %s, want %s", k, b, a)
					}
				}
			}
		})
	}
}
