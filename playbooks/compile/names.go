package compile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"slices"
	"strings"
	"sync"

	"fettle/modules"
)

// namesData lists what Ansible and the collections of its community package call things,
// one fact a line: "r NAME TARGET" a name that stands for another ("-": removed), "m NAME"
// a module, "g GROUP MODULE..." an action group, "x GROUP GROUP..." groups a group is made
// of, "l NAME" a lookup.
//
//go:embed names.txt.gz
var namesData []byte

type nameTable struct {
	redirects map[string]string
	modules   map[string]bool
	groups    map[string][]string // of a module: the groups it belongs to
	lookups   map[string]bool
}

var names = sync.OnceValue(func() *nameTable {
	t := &nameTable{redirects: map[string]string{}, modules: map[string]bool{}, groups: map[string][]string{}, lookups: map[string]bool{}}
	z, err := gzip.NewReader(bytes.NewReader(namesData))
	if err != nil {
		panic("names.txt.gz: " + err.Error())
	}
	in := bufio.NewScanner(z)
	in.Buffer(nil, 1<<20)
	parts := map[string]string{} // group: the short group it is part of
	for in.Scan() {
		f := strings.Fields(in.Text())
		switch f[0] {
		case "r":
			t.redirects[f[1]] = f[2]
		case "m":
			t.modules[f[1]] = true
		case "l":
			t.lookups[f[1]] = true
		case "x":
			for _, g := range f[2:] {
				parts[g] = f[1]
			}
		case "g":
			for _, m := range f[2:] {
				t.groups[m] = append(t.groups[m], "group/"+f[1])
				if short := parts[f[1]]; short != "" {
					t.groups[m] = append(t.groups[m], "group/"+short)
				}
			}
		}
	}
	if in.Err() != nil {
		panic("names.txt.gz: " + in.Err().Error())
	}
	return t
})

func knownLookup(name string) bool { return names().lookups[name] }

// isModuleName tells whether a name can be that of a module anywhere.
func isModuleName(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "ansible.builtin."), "ansible.legacy.")
	if strings.Count(name, ".") >= 2 {
		return true
	}
	if modules.Find("ansible.builtin."+name) != nil {
		return true
	}
	_, redirected := names().redirects[name]
	return redirected || names().modules["ansible.builtin."+name]
}

// moduleNames are the names to suggest for a misspelt one: fully qualified ones for those
// that are written so.
func moduleNames(qualified bool) []string {
	var out []string
	for _, n := range modules.Names() {
		if qualified {
			out = append(out, n)
		} else if short, ok := strings.CutPrefix(n, "ansible.builtin."); ok {
			out = append(out, short)
		}
	}
	for n := range names().modules {
		if qualified {
			out = append(out, n)
		} else if short, ok := strings.CutPrefix(n, "ansible.builtin."); ok {
			out = append(out, short)
		}
	}
	if !qualified {
		for n, to := range names().redirects {
			if !strings.Contains(n, ".") && modules.Find(to) != nil {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
