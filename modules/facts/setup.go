// Package facts gathers what is known about a host: the setup module, with Ansible's names
// and types of facts. Facts are read from /proc, /sys and netlink; programs are run only for
// what nothing else knows (LVM, ethtool, capsh, lsb_release, facter), all at the same time.
// README.md says what Python's facts mean where nothing runs Python.
package facts

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.setup",
		Summary: "Gather facts about the host.",
		Check:   modules.Full,
		Examples: `
- name: Facts about the network only
  ansible.builtin.setup:
    gather_subset: ["!all", "network"]
    filter: ["ansible_default_ipv4", "ansible_eth*"]
`,
	}, setup)
}

type setupArgs struct {
	GatherSubset  []string `arg:"gather_subset" default:"all" doc:"Groups of facts to gather; a name after ! is left out. The smallest set is added unless !min leaves it out."`
	GatherTimeout int64    `arg:"gather_timeout" default:"10" doc:"Seconds that one slow source (a hung network file system) may take."`
	Filter        []string `arg:"filter" default:"" doc:"Return only facts whose name matches one of these globs; ansible_ may be left out."`
	Python        string   `arg:"_python"`
	FactPath      string   `arg:"fact_path" default:"/etc/ansible/facts.d" type:"path" doc:"Directory of local facts: *.fact files with JSON or INI, or programs that print it."`
}

type setupReturn struct{}

// gatherer reads one host. root stands before every path, so that tests can show it other
// systems.
type gatherer struct {
	h        *modules.Host
	root     string
	timeout  time.Duration
	factPath string
	// interpreter is the inventory's Python; without a slash, it is to be discovered.
	interpreter string

	once   sync.Once
	distro *distribution
	mu     sync.Mutex
	warned []string
}

func setup(ctx context.Context, h *modules.Host, a setupArgs) (r modules.Result[setupReturn], err error) {
	g := &gatherer{h: h, timeout: time.Duration(a.GatherTimeout) * time.Second, factPath: a.FactPath, interpreter: a.Python}
	names, err := chooseSubsets(a.GatherSubset)
	if err != nil {
		return r, err
	}
	all := g.gather(ctx, names)
	subsets := value.NewList()
	for _, s := range a.GatherSubset {
		subsets.V = append(subsets.V, s)
	}
	all.SetString("gather_subset", subsets)
	all.SetString("module_setup", true)
	r.Facts = filter(all, a.Filter)
	for _, w := range g.warned {
		h.Warn("%s", w)
	}
	return r, ctx.Err()
}

// gather runs the collectors side by side and joins what they find, in the order of the
// collectors.
func (g *gatherer) gather(ctx context.Context, names map[string]bool) *value.Dict {
	found := make([]*value.Dict, len(collectors))
	var wg sync.WaitGroup
	for i, c := range collectors {
		if names[c.name] {
			wg.Go(func() { found[i] = c.collect(g, ctx) })
		}
	}
	wg.Wait()
	all := value.NewDict(128)
	for i, c := range collectors {
		for _, e := range found[i].Entries() {
			name := strings.ReplaceAll(e.Key.(string), "-", "_")
			if c.prefix != "" {
				name = c.prefix + name
			} else {
				name = "ansible_" + name
			}
			all.SetString(name, e.Value)
		}
	}
	return all
}

func (g *gatherer) warn(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.warned = append(g.warned, text)
}

// filter keeps the facts that one of the globs names.
func filter(all *value.Dict, globs []string) *value.Dict {
	globs = slices.DeleteFunc(slices.Clone(globs), func(s string) bool { return s == "" })
	if len(globs) == 0 || slices.Contains(globs, "*") {
		return all
	}
	out := value.NewDict(8)
	for _, e := range all.Entries() {
		for _, p := range globs {
			if globMatch(p, e.Key.(string)) {
				out.SetString(e.Key.(string), e.Value)
				break
			}
		}
	}
	return out
}

func globMatch(pattern, name string) bool {
	match := func(p string) bool {
		ok, err := path.Match(strings.ReplaceAll(p, "[!", "[^"), name)
		return err == nil && ok
	}
	if match(pattern) {
		return true
	}
	for _, p := range []string{"ansible_", "facter", "ohai"} {
		if strings.HasPrefix(pattern, p) {
			return false
		}
	}
	return match("ansible_" + pattern)
}
