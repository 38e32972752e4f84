package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const patternHosts = `[web]
web1
web2
web3
[db]
db01
db02
[dc]
web2
db01
[both:children]
db
web
`

// PAT-01 to PAT-09; all recorded from Ansible.
func TestPatterns(t *testing.T) {
	inv := load(t, tree(t, "hosts", patternHosts)+"/hosts")
	for _, c := range []struct{ pattern, want string }{
		{"all", "web2 db01 db02 web1 web3"},
		{"*", "web2 db01 db02 web1 web3"},
		{"web[0]", "web1"},
		{"web[-1]", "web3"},
		{"web[0:1]", "web1 web2"},
		{"web[1:]", "web2 web3"},
		{"web[0-1]", "web1 web2"},
		{"web[:1]", "web1"},
		{"web*", "web1 web2 web3"},
		{"web*[2]", "web3"},
		{"web*[3]", "web1"},
		{"~web[12]", "web1 web2"},
		{"~^w.*[13]$", "web1 web3"},
		{"~(?!web|both|all|dc)", "db01 db02"},
		{"web:db", "web1 web2 web3 db01 db02"},
		{"web,db", "web1 web2 web3 db01 db02"},
		{"web:!web1", "web2 web3"},
		{"!web1", "web2 db01 db02 web3"},
		{"all:!db:&dc", "web2"},
		{"web:&web1", "web1"},
		{"&web", "web2 web1 web3"},
		{"db01,web[2]", "db01 web3"},
		{"web[!1]", "web2 web3"},
		{"web1[0]", "web1"},
		{"web[9]", "ERR"},
		{"web[-4]", "ERR"},
		{"web[1:9]", "web2 web3"},
		{"web[1:0]", "web2"},
		{"nope", ""},
		{"localhost", "localhost"},
		{"ungrouped", ""},
		{"web1:80", ""},
		{"web?", "web1 web2 web3"},
		{"db0[12]", ""},
		{"WEB", ""},
		{"d*:w*", "db01 db02 web2 web1 web3"},
		{"!", "ERR"},
		{"~(", "ERR"},
		{"", "web2 db01 db02 web1 web3"},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			sel, err := inv.Select([]string{c.pattern}, "")
			got := "ERR"
			if err == nil {
				got = hostNames(sel.Hosts)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// PAT-11, PAT-12.
func TestLimit(t *testing.T) {
	dir := tree(t, "hosts", patternHosts, "retry", "web1\n\ndb02\n")
	inv := load(t, dir+"/hosts")
	for _, c := range []struct {
		patterns    []string
		limit, want string
	}{
		{[]string{"all"}, "web:!web1", "web2 web3"},
		{[]string{"web", "db:!db01"}, "", "web1 web2 web3 db02"},
		{[]string{"all"}, "@" + filepath.Join(dir, "retry"), "db02 web1"},
		{[]string{"all"}, "web2,@" + filepath.Join(dir, "retry"), "web2 db02 web1"},
	} {
		sel, err := inv.Select(c.patterns, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := hostNames(sel.Hosts); got != c.want {
			t.Errorf("%v limited to %s: got %s, want %s", c.patterns, c.limit, got, c.want)
		}
	}
	if _, err := inv.Select([]string{"all"}, "@"+dir+"/none"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing limit file: %v", err)
	}
}

func TestUnmatched(t *testing.T) {
	inv := load(t, tree(t, "hosts", patternHosts)+"/hosts")
	sel, err := inv.Select([]string{"webb:db"}, "")
	if err != nil || len(sel.Unmatched) != 1 || sel.Warnings[0] != `Could not match supplied host pattern, ignoring: webb (did you mean "web"?)` {
		t.Errorf("%+v %v", sel, err)
	}
	inv.opts.PatternMismatch = "error"
	if _, err := inv.Select([]string{"nope"}, ""); err == nil {
		t.Error("no error")
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"all:!x", "web[0:2]", "~a+", "[a-z]*", "a,b,&c", "[fe80::1]:22", "x[!a]"} {
		f.Add(s)
	}
	inv, _ := Load([]string{"a,b,web1"}, Options{})
	f.Fuzz(func(_ *testing.T, s string) { _, _ = inv.Select([]string{s}, "") })
}

func FuzzINI(f *testing.F) {
	for _, s := range []string{patternHosts, "a[1:3] x='[1, {2: 3}]'\n[g:vars]\nq=(1,)\n", "[a:children]\nb\n[b]\n"} {
		f.Add(s)
	}
	file := filepath.Join(f.TempDir(), "hosts")
	f.Fuzz(func(t *testing.T, s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		inv, _ := Load([]string{file}, Options{Enabled: []string{"ini"}})
		if _, err := (&Listing{Inventory: inv, Export: true}).JSON(); err != nil {
			t.Fatal(err)
		}
	})
}
