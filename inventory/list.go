package inventory

import (
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/playbooks/yamlv"
)

// Listing shows an inventory as ansible-inventory does.
type Listing struct {
	Inventory *Inventory
	Limit     *Pattern // nil shows all hosts
	PlayDir   string   // --playbook-dir: its group_vars and host_vars count as well
	Export    bool     // variables where they are defined, not flattened into hosts
	Extra     *value.Vars
}

// internalVars are never listed.
var internalVars = []string{"ansible_diff_mode", "ansible_config_file", "ansible_facts", "ansible_forks",
	"ansible_inventory_sources", "ansible_limit", "ansible_playbook_python", "ansible_run_tags",
	"ansible_skip_tags", "ansible_verbosity", "ansible_version", "inventory_dir", "inventory_file",
	"inventory_hostname", "inventory_hostname_short", "groups", "group_names", "omit", "playbook_dir"}

// HostVars is what --host prints: all variables of a host.
func (l *Listing) HostVars(h *Host) *value.Dict {
	d := value.NewDict(8)
	layers := h.Layers(l.PlayDir)
	for i := len(layers) - 1; i >= 0; i-- {
		if l.Export && layers[i].Level < LevelInlineHost {
			continue
		}
		l.put(d, layers[i].Vars)
	}
	if !l.Export {
		l.put(d, l.Extra)
	}
	return d
}

func (l *Listing) put(d *value.Dict, vars *value.Vars) {
	for n, v := range vars.All() {
		if slices.Contains(internalVars, n) {
			continue
		}
		shown := Shown(v.Value)
		if old, ok := d.GetString(n); ok && l.Inventory.opts.MergeHashes {
			shown = mergeDicts(old, shown)
		}
		d.SetString(n, shown)
	}
}

// groupVars are the variables defined for one group.
func (l *Listing) groupVars(g *Group) *value.Dict {
	d := value.NewDict(4)
	l.put(d, g.Vars)
	l.Inventory.mu.RLock()
	defer l.Inventory.mu.RUnlock()
	dirs := slices.Clone(l.Inventory.dirs)
	if p := l.Inventory.playDirs[l.PlayDir]; p != nil {
		dirs = append(dirs, p)
	}
	for _, dir := range dirs {
		l.put(d, dir.groups[g.Name])
	}
	if g.Priority != 1 {
		d.SetString("ansible_group_priority", int64(g.Priority))
	}
	return d
}

// Shown is a raw value as listings print it: templates as their text, vaulted text as it
// stands in the file.
func Shown(v value.Value) value.Value {
	switch x := v.(type) {
	case string:
		if yamlv.HasTemplate(x) { // read back, it must not become a template
			return value.DictOf("__ansible_unsafe", x)
		}
		return x
	case *value.Template:
		return x.Src
	case *value.Encrypted:
		return value.DictOf("__ansible_vault", x.Text)
	case []byte:
		return string(x)
	case *value.Set:
		l := value.NewList()
		for _, e := range x.D.Entries() {
			l.V = append(l.V, Shown(e.Key))
		}
		return l
	case value.Tuple:
		l := value.NewList()
		for _, e := range x {
			l.V = append(l.V, Shown(e))
		}
		return l
	case *value.List:
		l := value.NewList()
		for _, e := range x.V {
			l.V = append(l.V, Shown(e))
		}
		return l
	case *value.Dict:
		d := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			_ = d.Set(e.Key, Shown(e.Value))
		}
		return d
	}
	return v
}

// available are the hosts that the limit leaves.
func (l *Listing) available() ([]*Host, map[*Host]bool, error) {
	all, err := ParsePattern("all")
	if err != nil {
		return nil, nil, err
	}
	sel, err := l.Inventory.Match(all, l.Limit)
	if err != nil {
		return nil, nil, err
	}
	set := map[*Host]bool{}
	for _, h := range sel.Hosts {
		set[h] = true
	}
	return sel.Hosts, set, nil
}

func names[T any](items []T, name func(T) string) *value.List {
	l := value.NewList()
	for _, i := range items {
		l.V = append(l.V, name(i))
	}
	return l
}

func hostName(h *Host) string { return h.Name }

func within(hosts []*Host, set map[*Host]bool) []*Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h *Host) bool { return !set[h] })
}

// JSON is what --list prints: groups with hosts and children, and _meta with the variables
// of the hosts. Keys are in no special order; ansible-inventory sorts them.
func (l *Listing) JSON() (*value.Dict, error) {
	hosts, set, err := l.available()
	if err != nil {
		return nil, err
	}
	out, seen := value.NewDict(16), map[*Group]bool{}
	var group func(g *Group)
	group = func(g *Group) {
		d := value.NewDict(3)
		if direct := within(g.Hosts(), set); g.Name != "all" && len(direct) > 0 {
			d.SetString("hosts", names(direct, hostName))
		}
		children := g.Children()
		if len(children) > 0 {
			d.SetString("children", names(children, func(c *Group) string { return c.Name }))
		}
		for _, c := range children {
			if !seen[c] {
				seen[c] = true
				group(c)
			}
		}
		if l.Export {
			if v := l.groupVars(g); v.Len() > 0 {
				d.SetString("vars", v)
			}
		}
		if d.Len() > 0 {
			out.SetString(g.Name, d)
		}
	}
	group(l.Inventory.Group("all"))
	vars := value.NewDict(len(hosts))
	for _, h := range hosts {
		if v := l.HostVars(h); v.Len() > 0 {
			vars.SetString(h.Name, v)
		}
	}
	out.SetString("_meta", value.DictOf("hostvars", vars))
	return out, nil
}

// YAML is the data of --list --yaml: an inventory that the yaml plugin reads back.
func (l *Listing) YAML() (*value.Dict, error) {
	_, set, err := l.available()
	if err != nil {
		return nil, err
	}
	seen, shown := map[*Group]bool{}, map[*Host]bool{}
	var group func(g *Group) *value.Dict
	group = func(g *Group) *value.Dict {
		d, children, hosts := value.NewDict(3), value.NewDict(4), value.NewDict(4)
		for _, c := range g.Children() {
			if seen[c] {
				children.SetString(c.Name, value.NewDict(0))
				continue
			}
			seen[c] = true
			if body := group(c); body.Len() > 0 {
				children.SetString(c.Name, body)
			}
		}
		for _, h := range within(g.Hosts(), set) {
			if g.Name == "all" {
				break
			}
			hosts.SetString(h.Name, l.once(shown, h))
		}
		put(d, "children", children)
		put(d, "hosts", hosts)
		if l.Export {
			put(d, "vars", l.groupVars(g))
		}
		return d
	}
	out := value.NewDict(1)
	put(out, "all", group(l.Inventory.Group("all")))
	return out, nil
}

// once gives the variables of a host the first time it is asked for.
func (l *Listing) once(shown map[*Host]bool, h *Host) *value.Dict {
	if shown[h] {
		return value.NewDict(0)
	}
	shown[h] = true
	return l.HostVars(h)
}

func put(d *value.Dict, key string, v *value.Dict) {
	if v.Len() > 0 {
		d.SetString(key, v)
	}
}

// TOML is the data of --list --toml: tables of groups.
func (l *Listing) TOML() (*value.Dict, error) {
	_, set, err := l.available()
	if err != nil {
		return nil, err
	}
	out, shown := value.NewDict(16), map[*Host]bool{}
	ungrouped := len(within(l.Inventory.Group("ungrouped").Hosts(), set)) > 0
	var group func(g *Group)
	group = func(g *Group) {
		d, hosts := value.NewDict(3), value.NewDict(4)
		var children []*Group
		for _, c := range g.Children() {
			if c.Name == "ungrouped" && !ungrouped {
				continue
			}
			if g.Name != "all" {
				children = append(children, c)
			}
			group(c)
		}
		if len(children) > 0 {
			d.SetString("children", names(children, func(c *Group) string { return c.Name }))
		}
		for _, h := range within(g.Hosts(), set) {
			if g.Name == "all" {
				break
			}
			hosts.SetString(h.Name, l.once(shown, h))
		}
		put(d, "hosts", hosts)
		if l.Export {
			put(d, "vars", l.groupVars(g))
		}
		put(out, g.Name, d)
	}
	group(l.Inventory.Group("all"))
	return out, nil
}

// Graph is what --graph prints for one group, without the last line end; with vars the
// variables stand below hosts and groups.
func (l *Listing) Graph(g *Group, vars bool) (string, error) {
	_, set, err := l.available()
	if err != nil {
		return "", err
	}
	var lines []string
	line := func(depth int, text string) {
		if depth > 0 {
			text = strings.Repeat("  |", depth) + "--" + text
		}
		lines = append(lines, text)
	}
	show := func(depth int, d *value.Dict) {
		var out []string
		for _, e := range d.Entries() {
			out = append(out, "{"+value.Str(e.Key)+" = "+value.Str(e.Value)+"}")
		}
		slices.Sort(out)
		for _, s := range out {
			line(depth, s)
		}
	}
	var group func(g *Group, depth int)
	group = func(g *Group, depth int) {
		line(depth, "@"+g.Name+":")
		for _, c := range g.Children() {
			group(c, depth+1)
		}
		for _, h := range g.Hosts() {
			if g.Name == "all" || l.Limit != nil && !set[h] {
				continue
			}
			line(depth+1, h.Name)
			if vars {
				show(depth+2, l.HostVars(h))
			}
		}
		if vars {
			show(depth+1, l.groupVars(g))
		}
	}
	group(g, 0)
	return strings.Join(lines, "\n"), nil
}
