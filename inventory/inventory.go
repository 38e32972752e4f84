// Package inventory knows the hosts and groups of a run: it reads inventory sources (INI,
// YAML, TOML, scripts, plugin configurations, host lists, directories of them), the
// group_vars and host_vars beside them and beside playbooks, and answers host patterns.
//
// Values are kept raw, each with its place; nothing is rendered here. An Inventory may
// grow while it is used (add_host, group_by): all methods are safe for concurrent use.
package inventory

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Inventory is all hosts and groups.
type Inventory struct {
	opts Options

	mu        sync.RWMutex
	hosts     map[string]*Host
	hostList  []*Host // in order of definition
	groups    map[string]*Group
	groupList []*Group
	sources   []string   // as given, made absolute
	dirs      []*varsDir // group_vars and host_vars beside the sources, in order
	playDirs  map[string]*varsDir
	localhost *Host    // the first host that is called like this machine, or the implicit one
	added     []func() // what the run added, to be added again by Refresh
	parsed    bool
	ordered   bool // depths are up to date
}

// Host is a machine of the inventory.
type Host struct {
	Name string
	// Vars are the host's own variables from inventory sources. Use Layers while a run may
	// add hosts.
	Vars     *value.Vars
	Implicit bool // localhost that no source names

	inv    *Inventory
	groups []*Group // direct
}

// Group is a named set of hosts and groups.
type Group struct {
	Name string
	// Vars are the group's variables from inventory sources.
	Vars     *value.Vars
	Priority int
	At       diag.Pos // where it is first named

	inv      *Inventory
	depth    int
	hosts    []*Host // direct, in order
	children []*Group
	parents  []*Group
}

// localNames are the names that stand for the controller when no source defines them.
var localNames = []string{"127.0.0.1", "localhost", "::1"}

func newInventory(opts Options) *Inventory {
	inv := &Inventory{opts: opts, hosts: map[string]*Host{}, groups: map[string]*Group{},
		playDirs: map[string]*varsDir{}}
	all := inv.addGroup("all", diag.Pos{})
	_ = inv.addChild(all, inv.addGroup("ungrouped", diag.Pos{}))
	return inv
}

// Host returns the host called name, or nil. The names of this machine always exist: when
// no source defines them they are implicit, and Host makes them.
func (inv *Inventory) Host(name string) *Host {
	inv.mu.RLock()
	h := inv.hosts[name]
	inv.mu.RUnlock()
	if h != nil || !slices.Contains(localNames, name) {
		return h
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	return inv.implicitHost(name)
}

// Implicit is the localhost that no source names, once a run has used it; nil before.
func (inv *Inventory) Implicit() *Host {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if inv.localhost == nil || !inv.localhost.Implicit {
		return nil
	}
	return inv.localhost
}

// implicitHost needs the lock.
func (inv *Inventory) implicitHost(name string) *Host {
	if inv.localhost != nil {
		return inv.localhost
	}
	h := &Host{Name: name, Vars: &value.Vars{}, Implicit: true, inv: inv}
	h.Vars.Set("ansible_python_interpreter", "/usr/bin/python3", diag.Pos{})
	h.Vars.Set("ansible_connection", "local", diag.Pos{})
	inv.localhost = h
	return h
}

// Hosts lists the hosts in order of definition, without implicit ones.
func (inv *Inventory) Hosts() []*Host {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return slices.Clone(inv.hostList)
}

// Group returns a group, or nil.
func (inv *Inventory) Group(name string) *Group {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return inv.groups[name]
}

// Groups lists the groups in order of definition; all and ungrouped come first.
func (inv *Inventory) Groups() []*Group {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return slices.Clone(inv.groupList)
}

// Sources lists the sources as given, files as absolute paths (ansible_inventory_sources).
func (inv *Inventory) Sources() []string { return slices.Clone(inv.sources) }

// Parsed tells that at least one source could be read.
func (inv *Inventory) Parsed() bool { return inv.parsed }

// addGroup returns the group called name and makes it when it is new.
func (inv *Inventory) addGroup(name string, at diag.Pos) *Group {
	if g := inv.groups[name]; g != nil {
		return g
	}
	g := &Group{Name: name, Vars: &value.Vars{}, Priority: 1, At: at, inv: inv}
	inv.groups[name] = g
	inv.groupList = append(inv.groupList, g)
	inv.ordered = false
	return g
}

// addChild puts child under parent; it refuses a loop.
func (inv *Inventory) addChild(parent, child *Group) error {
	if parent == child {
		return fmt.Errorf("group %q cannot be its own child", parent.Name)
	}
	if slices.Contains(parent.children, child) {
		return nil
	}
	if path := child.pathTo(parent, map[*Group]bool{}); path != nil {
		return fmt.Errorf("group %q as a child of %q makes a loop: %s", child.Name, parent.Name, strings.Join(append([]string{parent.Name}, path...), " > "))
	}
	parent.children = append(parent.children, child)
	child.parents = append(child.parents, parent)
	inv.ordered = false
	return nil
}

// pathTo names the groups from g down to target, or nil.
func (g *Group) pathTo(target *Group, seen map[*Group]bool) []string {
	if g == target {
		return []string{g.Name}
	}
	if seen[g] {
		return nil
	}
	seen[g] = true
	for _, c := range g.children {
		if p := c.pathTo(target, seen); p != nil {
			return append([]string{g.Name}, p...)
		}
	}
	return nil
}

// addHost returns the host called name, made when it is new, and puts it into group.
func (inv *Inventory) addHost(name string, group *Group, port int, from string) *Host {
	h := inv.hosts[name]
	if h == nil {
		h = &Host{Name: name, Vars: &value.Vars{}, inv: inv}
		if port > 0 {
			h.Vars.Set("ansible_port", int64(port), diag.Pos{})
		}
		h.setSource(from)
		inv.hosts[name] = h
		inv.hostList = append(inv.hostList, h)
		if inv.localhost == nil && slices.Contains(localNames, name) {
			inv.localhost = h
		}
	}
	if group != nil {
		group.add(h)
	}
	return h
}

func (g *Group) add(h *Host) {
	if !slices.Contains(h.groups, g) {
		g.hosts = append(g.hosts, h)
		h.groups = append(h.groups, g)
	}
}

func (g *Group) remove(h *Host) {
	if !slices.Contains(h.groups, g) {
		return
	}
	g.hosts = slices.DeleteFunc(g.hosts, func(o *Host) bool { return o == h })
	h.groups = slices.DeleteFunc(h.groups, func(o *Group) bool { return o == g })
}

// reconcile puts groups without a parent under all, and hosts into or out of ungrouped.
func (inv *Inventory) reconcile() {
	all, ungrouped := inv.groups["all"], inv.groups["ungrouped"]
	for _, g := range inv.groupList {
		if g != all && len(g.parents) == 0 {
			_ = inv.addChild(all, g)
		}
	}
	for _, h := range inv.hostList {
		inv.settle(h, all, ungrouped)
	}
}

func (inv *Inventory) settle(h *Host, all, ungrouped *Group) {
	real := slices.ContainsFunc(h.groups, func(g *Group) bool { return g != all && g != ungrouped })
	switch {
	case real:
		ungrouped.remove(h)
	default:
		ungrouped.add(h)
	}
}

// order computes depths: a group is one deeper than its deepest parent. Needs the write lock
// or exclusive use.
func (inv *Inventory) order() {
	if inv.ordered {
		return
	}
	done := map[*Group]bool{}
	var depth func(g *Group) int
	depth = func(g *Group) int {
		if done[g] {
			return g.depth
		}
		done[g] = true
		g.depth = 0
		for _, p := range g.parents {
			g.depth = max(g.depth, depth(p)+1)
		}
		return g.depth
	}
	for _, g := range inv.groupList {
		depth(g)
	}
	inv.ordered = true
}

// Depth is the longest way from the group all.
func (g *Group) Depth() int {
	g.inv.mu.RLock()
	defer g.inv.mu.RUnlock()
	return g.depth
}

// Children are the direct child groups in order.
func (g *Group) Children() []*Group {
	g.inv.mu.RLock()
	defer g.inv.mu.RUnlock()
	return slices.Clone(g.children)
}

// Parents are the groups it is a direct child of.
func (g *Group) Parents() []*Group {
	g.inv.mu.RLock()
	defer g.inv.mu.RUnlock()
	return slices.Clone(g.parents)
}

// Hosts are the hosts directly in the group, in order.
func (g *Group) Hosts() []*Host {
	g.inv.mu.RLock()
	defer g.inv.mu.RUnlock()
	return slices.Clone(g.hosts)
}

// AllHosts are the hosts of the group and the groups below it, breadth first, each once.
func (g *Group) AllHosts() []*Host {
	g.inv.mu.RLock()
	defer g.inv.mu.RUnlock()
	return g.allHosts()
}

func (g *Group) allHosts() []*Host {
	var out []*Host
	seen := map[*Host]bool{}
	for _, d := range g.descendants() {
		for _, h := range d.hosts {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
	}
	return out
}

// descendants is the group and all below it, breadth first.
func (g *Group) descendants() []*Group {
	out, seen := []*Group{g}, map[*Group]bool{g: true}
	for i := 0; i < len(out); i++ {
		for _, c := range out[i].children {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

// Groups are the groups the host is directly in.
func (h *Host) Groups() []*Group {
	h.inv.mu.RLock()
	defer h.inv.mu.RUnlock()
	return slices.Clone(h.groups)
}

// GroupsInOrder are all groups of the host with their ancestors in the order their variables
// merge: by depth, priority and name, the winning one last. An implicit host has only all.
func (h *Host) GroupsInOrder() []*Group {
	h.inv.mu.RLock()
	defer h.inv.mu.RUnlock()
	return h.groupsInOrder()
}

func (h *Host) groupsInOrder() []*Group {
	if h.Implicit {
		return []*Group{h.inv.groups["all"]}
	}
	seen := map[*Group]bool{}
	var out []*Group
	var up func(g *Group)
	up = func(g *Group) {
		if seen[g] {
			return
		}
		seen[g] = true
		out = append(out, g)
		for _, p := range g.parents {
			up(p)
		}
	}
	for _, g := range h.groups {
		up(g)
	}
	if all := h.inv.groups["all"]; !seen[all] {
		out = append(out, all)
	}
	slices.SortFunc(out, compareGroups)
	return out
}

func compareGroups(a, b *Group) int {
	if a.depth != b.depth {
		return a.depth - b.depth
	}
	if a.Priority != b.Priority {
		return a.Priority - b.Priority
	}
	return strings.Compare(a.Name, b.Name)
}
