package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// tree writes files below a new directory: alternating names and contents.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(files[i+1], "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(name, []byte(files[i+1]), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t *testing.T, sources ...string) *Inventory {
	t.Helper()
	inv, diags := Load(sources, Options{})
	for _, d := range diags.Sorted() {
		t.Log(d)
	}
	return inv
}

func hostNames(hosts []*Host) string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

func lookup(h *Host, name string) string {
	for _, l := range h.Layers("") {
		if v, ok := l.Vars.Get(name); ok {
			return value.Repr(v.Value)
		}
	}
	return "-"
}

// INI-03 and INI-04.
func TestINIValues(t *testing.T) {
	dir := tree(t, "hosts", `[h]
a str="5" str2='"5"' bool=True yes=yes lst=[1,2] lst2="[1, 2]" dct="{'a': 1}" sp="a b" hash=a#b rest=1
b empty= oct=0644 oct2=0o644 none=None t2=1,2 esc=a\ b eq="a=b" num=1_000 flt=1e3 neg=-3 hex=0x1F raw="r'\n'" tpl="{{ x }}" nest="[{'a': (1, 2)}]"
[h:vars]
v_int=5
v_str="5"
v_flt=1.5
v_bool=True
v_bool2=true
v_lst=[1, 2]
v_sp=a b c
v_hash=a #b
v_comment=5 # five
v_quo="a b"
v_json={"a": true}
v_none=None
v_empty=
v_oct=0644
v_oct2=0o644
v_neg=-3
v_tup=(1,2)
v_set={1, 2}
v_cat='a' 'b'
v_big=123456789012345678901234567890
v_bytes=b'x'
v_bad=[1,,2]
v_dd=--3
v a = b
`)
	inv := load(t, dir+"/hosts")
	for _, c := range []struct{ host, name, want string }{
		{"a", "str", "5"}, {"a", "str2", "'5'"}, {"a", "bool", "True"}, {"a", "yes", "'yes'"}, {"a", "lst", "[1, 2]"},
		{"a", "lst2", "[1, 2]"}, {"a", "dct", "{'a': 1}"}, {"a", "sp", "'a b'"}, {"a", "hash", "'a'"}, {"a", "rest", "-"},
		{"b", "empty", "''"}, {"b", "oct", "'0644'"}, {"b", "oct2", "420"}, {"b", "none", "None"}, {"b", "t2", "[1, 2]"},
		{"b", "esc", "'a b'"}, {"b", "eq", "'a=b'"}, {"b", "num", "1000"}, {"b", "flt", "1000.0"}, {"b", "neg", "-3"}, {"b", "hex", "31"},
		{"b", "raw", `'\\n'`}, {"b", "nest", "[{'a': [1, 2]}]"},
		{"a", "v_int", "5"}, {"a", "v_str", "'5'"}, {"a", "v_flt", "1.5"}, {"a", "v_bool", "True"}, {"a", "v_bool2", "'true'"},
		{"a", "v_lst", "[1, 2]"}, {"a", "v_sp", "'a b c'"}, {"a", "v_hash", "'a #b'"}, {"a", "v_comment", "5"}, {"a", "v_quo", "'a b'"},
		{"a", "v_json", `'{"a": true}'`}, {"a", "v_none", "None"}, {"a", "v_empty", "''"}, {"a", "v_oct", "'0644'"}, {"a", "v_oct2", "420"},
		{"a", "v_neg", "-3"}, {"a", "v_tup", "[1, 2]"}, {"a", "v_set", "[1, 2]"}, {"a", "v_cat", "'ab'"},
		{"a", "v_big", "123456789012345678901234567890"}, {"a", "v_bytes", "'x'"}, {"a", "v_bad", "'[1,,2]'"}, {"a", "v_dd", "'--3'"}, {"a", "v a", "'b'"},
	} {
		if got := lookup(inv.Host(c.host), c.name); got != c.want {
			t.Errorf("%s of %s is %s, want %s", c.name, c.host, got, c.want)
		}
	}
	v, _ := inv.Host("b").Vars.Get("tpl")
	if tpl, ok := v.Value.(*value.Template); !ok || tpl.Src != "{{ x }}" || tpl.At.Line != 3 {
		t.Errorf("tpl is %#v", v.Value) // INI-10
	}
}

// INI-01, INI-02, INI-05, INI-06, INI-11.
func TestINIHosts(t *testing.T) {
	inv := load(t, tree(t, "hosts", `# comment
; comment
solo
web[01:03].ex.com:2222
x[a:c]-[1:3:2]
[fe80::1]:22
2001:db8::1
10.0.0.[1:2]
[g]   # group
web01.ex.com
again:2200
again:2300
[p:children]
g
later
[later]
l1
`)+"/hosts")
	want := "solo web01.ex.com web02.ex.com web03.ex.com xa-1 xa-3 xb-1 xb-3 xc-1 xc-3 fe80::1 2001:db8::1 10.0.0.1 10.0.0.2 again l1"
	if got := hostNames(inv.Hosts()); got != want {
		t.Errorf("hosts are %s\nwant      %s", got, want)
	}
	for host, port := range map[string]string{"web02.ex.com": "2222", "fe80::1": "22", "again": "2200", "2001:db8::1": "-"} {
		if got := lookup(inv.Host(host), "ansible_port"); got != port {
			t.Errorf("port of %s is %s, want %s", host, got, port)
		}
	}
	if got := hostNames(inv.Group("p").AllHosts()); got != "web01.ex.com again l1" {
		t.Errorf("p holds %s", got)
	}
	if got := hostNames(inv.Group("ungrouped").Hosts()); strings.Contains(got, "web01") || !strings.Contains(got, "solo") {
		t.Errorf("ungrouped holds %s", got) // INV-09
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"no key=value", "hosts", "[a]\nh1\nh2 x\n", `hosts:3:4: Failed to parse hosts with ini plugin: expected a variable as key=value, found "x"`},
		{"unknown section", "hosts", "[a:var]\n", `hosts:1:4: Failed to parse hosts with ini plugin: section [a:var] has the unknown type "var" (did you mean "vars"?)`},
		{"undeclared child", "hosts", "[a:children]\nwebs\n[web]\nh\n", `hosts:2:1: Failed to parse hosts with ini plugin: section [a:children] names the group "webs", which is not declared (did you mean "web"?)`},
		{"undeclared vars", "hosts", "[a:vars]\nx=1\n", `hosts:1:1: Failed to parse hosts with ini plugin: section [a:vars] sets variables of a group that is not declared`},
		{"blank in section", "hosts", "[a b]\n", `hosts:1:1: Failed to parse hosts with ini plugin: [a b] is no section: its name may hold no blanks, colons or brackets`},
		{"open quote", "hosts", "h a='x\n", `hosts:1:1: Failed to parse hosts with ini plugin: cannot read the host line: no closing quotation`},
		{"colon at end", "h.ini", "h:\n", `h.ini:1:1: Failed to parse h.ini with ini plugin: "h:" is no host: a colon at the end is kept for a port`},
		{"range", "hosts", "h[5:a]\n", `hosts:1:1: Failed to parse hosts with ini plugin: "a" cannot end a host range in "h[5:a]"`},
		{"huge range", "hosts", "h[0:99999999]\n", `hosts:1:1: Failed to parse hosts with ini plugin: the range stands for more than 1048576 hosts in "h[0:99999999]"`},
		{"padding", "hosts", "h[01:100]\n", `hosts:1:1: Failed to parse hosts with ini plugin: begin and end of a zero-padded host range must have the same length in "h[01:100]"`},
		{"loop", "hosts", "[a:children]\nb\n[b:children]\na\n", `hosts:4:1: Failed to parse hosts with ini plugin: group "a" as a child of "b" makes a loop: b > a > b`},
		{"priority", "hosts", "[a]\nh\n[a:vars]\nansible_group_priority=x\n", `hosts:4:1: Failed to parse hosts with ini plugin: ansible_group_priority of group "a" must be a whole number, not "x"`},
		{"yaml list", "h.yml", "- a\n", `h.yml:1:1: Failed to parse h.yml with yaml plugin: expected a mapping of groups, found a list`},
		{"yaml host number", "h.yml", "all:\n  hosts:\n    5:\n", `h.yml:3:5: Failed to parse h.yml with yaml plugin: Host pattern 5 must be a string: put it into quotes`},
		{"yaml key", "h.yml", "all:\n  host:\n    a:\n", `h.yml:2:3: the key "host" of group "all" is skipped: only vars, children and hosts have a meaning (did you mean "hosts"?)`},
		{"yaml hosts list", "h.yml", "all:\n  hosts: [a]\n", `h.yml:2:10: Failed to parse h.yml with yaml plugin: hosts of group "all" must be a mapping, not a list`},
		{"yaml loop", "h.yml", "a: {children: {b: }}\nb: {children: {a: }}\n", `h.yml:2:16: Failed to parse h.yml with yaml plugin: group "a" as a child of "b" makes a loop: b > a > b`},
		{"yaml syntax", "h.yml", "a: b: c\n", `h.yml:1:5: Failed to parse h.yml with yaml plugin: cannot read YAML: mapping values are not allowed in this context`},
		{"toml", "h.toml", "[all\n", `h.toml:2:1: Failed to parse h.toml with toml plugin: cannot read TOML: `},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t, c.file, c.text)
			_, diags := Load([]string{filepath.Join(dir, c.file)}, Options{})
			var all []string
			for _, d := range diags.Sorted() {
				got := strings.ReplaceAll(d.Error(), dir+"/", "")
				if strings.HasPrefix(got, c.want) {
					return
				}
				all = append(all, got)
			}
			t.Errorf("want %s\ngot  %s", c.want, strings.Join(all, "\n     "))
		})
	}
}

func TestUnparsed(t *testing.T) {
	dir := tree(t, "bad", "h x\n")
	_, diags := Load([]string{dir + "/bad"}, Options{AnyUnparsed: "error"})
	if diags.Errors() == 0 {
		t.Error("AnyUnparsed gives no error")
	}
	inv, diags := Load([]string{dir + "/none"}, Options{})
	if inv.Parsed() || diags.Errors() != 0 || diags.Len() != 2 {
		t.Errorf("missing file: %v", diags.Sorted())
	}
}

const layered = `all:
  vars: {a: inline-all}
  children:
    parent:
      vars: {a: inline-parent, b: inline-parent}
      children:
        child:
          vars: {a: inline-child, b: inline-child, c: inline-child}
          hosts: {h: {e: inline-host}}
    zeta: {vars: {p: zeta}, hosts: {h: }}
    alpha: {vars: {p: alpha, ansible_group_priority: 5}, hosts: {h: }}
    beta: {vars: {p: beta}, hosts: {h: }}
`

// PRE-02, PRE-03, PRE-04, PRE-05, INV-03, INV-05 to INV-08.
func TestLayers(t *testing.T) {
	dir := tree(t, "inv/hosts.yml", layered,
		"inv/group_vars/all.yml", "a: gv-all\nb: gv-all\nc: gv-all\nd: inv-all\nansible_group_priority: 7\n",
		"inv/group_vars/parent.yml", "c: gv-parent\n",
		"inv/group_vars/child/1.yml", "f: one\ng: one\n",
		"inv/group_vars/child/sub/2.yml", "f: two\n",
		"inv/group_vars/child/sub.d/3.yml", "f: three\n",
		"inv/group_vars/child/.hidden.yml", "f: hidden\n",
		"inv/group_vars/child/x.yml~", "f: backup\n",
		"inv/group_vars/child/x.txt", "f: text\n",
		"inv/group_vars/child.yml", "f: shadowed\n",
		"inv/host_vars/h", "e: inv-host\ni: inv-host\n",
		"play/group_vars/all", "d: play-all\n",
		"play/host_vars/h.json", `{"i": "play-host"}`)
	inv := load(t, dir+"/inv/hosts.yml")
	play := filepath.Join(dir, "play")
	if d := inv.LoadPlaybookDir(play); d.Len() > 0 {
		t.Fatal(d.Sorted()[0])
	}
	vars := inv.Host("h").MergedVars(play)
	for name, want := range map[string]string{"a": "gv-all", "b": "gv-all", "c": "gv-parent", "d": "play-all", "e": "inv-host",
		"f": "two", "g": "one", "i": "play-host", "p": "alpha", "ansible_group_priority": "7"} {
		v, _ := vars.Get(name)
		if got := value.Str(v.Value); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		for _, l := range inv.Host("h").Layers(play) { // the first layer that has it wins
			if v, ok := l.Vars.Get(name); ok {
				if got := value.Str(v.Value); got != want {
					t.Errorf("%s in layers is %s, want %s", name, got, want)
				}
				break
			}
		}
	}
	var order []string
	for _, g := range inv.Host("h").GroupsInOrder() {
		order = append(order, g.Name)
	}
	if got := strings.Join(order, " "); got != "all beta parent zeta alpha child" {
		t.Errorf("groups in order: %s", got)
	}
}

func TestVaultedVars(t *testing.T) {
	dir := tree(t, "hosts", "h\n", "group_vars/all.yml", "$ANSIBLE_VAULT;1.1;AES256\n00\n")
	_, diags := Load([]string{dir + "/hosts"}, Options{})
	if diags.Errors() != 1 || !strings.Contains(diags.Err().Error(), "no vault secrets found") {
		t.Errorf("without a password: %v", diags.Err())
	}
	inv, diags := Load([]string{dir + "/hosts"}, Options{Decrypt: func(string, []byte) ([]byte, error) { return []byte("x: 1"), nil }})
	if diags.Errors() != 0 || lookup(inv.Host("h"), "x") != "1" {
		t.Errorf("x is %s, %v", lookup(inv.Host("h"), "x"), diags.Err())
	}
}

// INV-02: order, ignored names.
func TestDirectory(t *testing.T) {
	dir := tree(t, "02-b", "[g]\nb v=2\na v=2\n", "01-a.yml", "g: {hosts: {a: {v: 1}}}\n", "readme.md", "junk x\n",
		".hidden", "hid\n", "sub/x", "nested\n", "old.orig", "old\n", "group_vars/g", "w: 1\n")
	inv := load(t, dir)
	if got := hostNames(inv.Hosts()); got != "a b nested" {
		t.Errorf("hosts are %s", got)
	}
	if v, w := lookup(inv.Host("a"), "v"), lookup(inv.Host("a"), "w"); v != "2" || w != "1" {
		t.Errorf("v is %s, w is %s", v, w)
	}
}

// INV-04.
func TestHostList(t *testing.T) {
	inv := load(t, "a, b:22 ,[::1]:2200,w[1:2],")
	if got := hostNames(inv.Hosts()); got != "a b ::1 w[1:2]" {
		t.Errorf("hosts are %s", got)
	}
	if got := lookup(inv.Host("b"), "ansible_port"); got != "22" {
		t.Errorf("port is %s", got)
	}
	inv, _ = Load([]string{"w[1:2],x"}, Options{Enabled: []string{"advanced_host_list"}})
	if got := hostNames(inv.Hosts()); got != "w1 w2 x" {
		t.Errorf("advanced hosts are %s", got)
	}
}

func TestTOML(t *testing.T) {
	inv := load(t, tree(t, "h.toml", `[all.vars]
x = 1
[web]
children = ["apache", "nginx"]
vars = { port = 8080, s = "{{ x }}" }
[web.hosts]
"h[1:2]" = {}
h3 = { ansible_port = 22, l = [1, "a"] }
[nginx.hosts.n1]
deep = { b = 1.5, a = true }
`)+"/h.toml")
	if got := hostNames(inv.Hosts()); got != "h1 h2 h3 n1" {
		t.Errorf("hosts are %s", got)
	}
	if l, d, x := lookup(inv.Host("h3"), "l"), lookup(inv.Host("n1"), "deep"), lookup(inv.Host("n1"), "x"); l != "[1, 'a']" || d != "{'b': 1.5, 'a': True}" || x != "1" {
		t.Errorf("l %s, deep %s, x %s", l, d, x)
	}
}

func TestScript(t *testing.T) {
	dir := tree(t, "meta", `#!/bin/sh
echo '{"g": {"hosts":["b","a"],"vars":{"x":"{{ 1+1 }}"},"children":["k"]}, "k":["c"], "_meta":{"hostvars":{"a":{"y":[1]}}}, "solo":{"z":1}}'
`, "each", `#!/bin/sh
case $1 in
--list) echo '{"g":["a","b"]}';;
--host) echo "{\"name\":\"$2\"}";;
esac
`, "fails", "#!/bin/sh\necho oops >&2\nexit 3\n")
	inv := load(t, dir+"/meta")
	if got := hostNames(inv.Hosts()); got != "b a c solo" {
		t.Errorf("hosts are %s", got)
	}
	if lookup(inv.Host("a"), "y") != "[1]" || lookup(inv.Host("solo"), "z") != "1" || hostNames(inv.Group("g").AllHosts()) != "b a c" {
		t.Error("variables or children are wrong")
	}
	if v, _ := inv.Group("g").Vars.Get("x"); value.TypeName(v.Value) != "str" {
		t.Errorf("x is %v", v)
	}
	if got := lookup(load(t, dir+"/each").Host("b"), "name"); got != "'b'" {
		t.Errorf("name is %s", got)
	}
	_, diags := Load([]string{dir + "/fails"}, Options{})
	text := fmt.Sprint(diags.Sorted())
	if !strings.Contains(text, "had an execution error: oops") {
		t.Error(text)
	}
}

func TestImplicitLocalhost(t *testing.T) {
	inv := load(t, tree(t, "hosts", "h\n[all:vars]\nx=1\n", "host_vars/localhost.yml", "y: 2\n")+"/hosts")
	sel, err := inv.Select([]string{"localhost"}, "")
	if err != nil || len(sel.Hosts) != 1 || !sel.Hosts[0].Implicit {
		t.Fatalf("%v %v", sel, err)
	}
	h := sel.Hosts[0]
	for name, want := range map[string]string{"x": "1", "y": "2", "ansible_connection": "'local'"} {
		if got := lookup(h, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if sel, _ := inv.Select([]string{"all"}, ""); hostNames(sel.Hosts) != "h" {
		t.Errorf("all is %s", hostNames(sel.Hosts))
	}
	if inv := load(t, tree(t, "h", "localhost x=1\n")+"/h"); inv.Host("127.0.0.1") != inv.Host("localhost") || inv.Host("localhost").Implicit {
		t.Error("a defined localhost does not stand for its other names")
	}
}

// INV-10, INV-11.
func TestAddAndGroup(t *testing.T) {
	inv := load(t, tree(t, "hosts", "h\n", "group_vars/new.yml", "v: file\n", "host_vars/late.yml", "w: 1\n")+"/hosts")
	var vars value.Vars
	vars.Set("x", int64(1), diag.Pos{})
	late, changed, err := inv.AddHost("late:2200", []string{"new"}, &vars)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	for name, want := range map[string]string{"x": "1", "v": "'file'", "w": "1", "ansible_port": "2200", "inventory_file": "None"} {
		if got := lookup(late, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, changed, _ = inv.AddHost("late", []string{"new"}, &vars); changed {
		t.Error("adding the same again changes something")
	}
	if changed, err := inv.Join(inv.Host("h"), "os_debian", []string{"os"}); !changed || err != nil {
		t.Error(changed, err)
	}
	if changed, _ := inv.Join(inv.Host("h"), "os_debian", []string{"os"}); changed {
		t.Error("joining again changes something")
	}
	if sel, _ := inv.Select([]string{"os"}, ""); hostNames(sel.Hosts) != "h" {
		t.Errorf("os is %s", hostNames(sel.Hosts))
	}
	if got := hostNames(inv.Group("ungrouped").Hosts()); got != "" {
		t.Errorf("ungrouped holds %s", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	inv := load(t, "a,b,c")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				h, _, err := inv.AddHost(fmt.Sprintf("h%d-%d", i, j), []string{"g"}, nil)
				if err != nil {
					t.Error(err)
				}
				_, _ = inv.Join(h, fmt.Sprint("k", j), []string{"top"})
				_, _ = inv.Select([]string{"all:!h0-*"}, "")
				h.Layers("")
			}
		})
	}
	wg.Wait()
	if n := len(inv.Group("all").AllHosts()); n != 163 {
		t.Errorf("%d hosts", n)
	}
}

func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	for g := range 100 {
		fmt.Fprintf(&text, "[g%d]\nh%d-[000:099] ansible_host=10.0.0.1 x=%d\n", g, g, g)
	}
	file := filepath.Join(b.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Load([]string{file}, Options{})
	}
}
