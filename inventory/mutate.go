package inventory

import (
	"fmt"
	"path/filepath"
	"strconv"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// with returns a copy of vars with one more variable. With merge, dicts of both are
// combined (hash_behaviour=merge).
func with(vars *value.Vars, name string, v value.Value, at diag.Pos, merge bool) *value.Vars {
	out := &value.Vars{}
	for n, old := range vars.All() {
		out.Set(n, old.Value, old.At)
	}
	setVar(out, name, v, at, merge)
	return out
}

// setVar adds a variable to a set that nobody else sees yet.
func setVar(vars *value.Vars, name string, v value.Value, at diag.Pos, merge bool) {
	if old, ok := vars.Get(name); ok && merge {
		v = mergeDicts(old.Value, v)
	}
	vars.Set(name, v, at)
}

func mergeDicts(low, high value.Value) value.Value {
	a, aok := low.(*value.Dict)
	b, bok := high.(*value.Dict)
	if !aok || !bok {
		return high
	}
	out := a.Clone()
	for _, e := range b.Entries() {
		v := e.Value
		if old, ok := out.Get(e.Key); ok {
			v = mergeDicts(old, v)
		}
		_ = out.Set(e.Key, v)
	}
	return out
}

// setVar sets a variable of a group while sources are read; ansible_group_priority is no
// variable but an order.
func (g *Group) setVar(name string, v value.Value, at diag.Pos) error {
	if name == "ansible_group_priority" {
		n, err := strconv.Atoi(value.Str(v))
		if err != nil {
			return fmt.Errorf("ansible_group_priority of group %q must be a whole number, not %q", g.Name, value.Str(v))
		}
		g.Priority = n
		return nil
	}
	setVar(g.Vars, name, v, at, g.inv.opts.MergeHashes)
	return nil
}

func (h *Host) setVar(name string, v value.Value, at diag.Pos) {
	setVar(h.Vars, name, v, at, h.inv.opts.MergeHashes)
}

// setSource sets the variables that say where a host comes from; "" means a running play.
func (h *Host) setSource(source string) {
	if source == "" {
		h.Vars.Set("inventory_file", nil, diag.Pos{})
		h.Vars.Set("inventory_dir", nil, diag.Pos{})
		return
	}
	h.Vars.Set("inventory_file", source, diag.Pos{})
	h.Vars.Set("inventory_dir", dirOf(source), diag.Pos{})
}

// dirOf is the text None for a list of hosts, as Ansible has it.
func dirOf(source string) string {
	if isHostList(source) {
		return "None"
	}
	return filepath.Dir(source)
}

// AddHost adds a host while a run is going (add_host), or adds variables and groups to one
// that is there. Groups that do not exist are made. It tells whether anything changed.
func (inv *Inventory) AddHost(name string, groups []string, vars *value.Vars) (*Host, bool, error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if name == "" {
		return nil, false, fmt.Errorf("the name of a host must not be empty")
	}
	inv.added = append(inv.added, func() { _, _, _ = inv.addedHost(name, groups, vars) })
	return inv.addedHost(name, groups, vars)
}

func (inv *Inventory) addedHost(name string, groups []string, vars *value.Vars) (*Host, bool, error) {
	name, port := splitPort(name)
	_, known := inv.hosts[name]
	h := inv.addHost(name, inv.groups["all"], port, "")
	changed := !known
	for n, v := range vars.All() {
		if old, ok := h.Vars.Get(n); ok {
			if eq, err := value.Equal(old.Value, v.Value); err == nil && eq {
				continue
			}
		}
		h.Vars, changed = with(h.Vars, n, v.Value, v.At, inv.opts.MergeHashes), true
	}
	for _, n := range groups {
		if n == "" {
			continue
		}
		changed = inv.join(h, inv.addGroup(n, diag.Pos{})) || changed
	}
	inv.reconcileOne(h)
	err := inv.loadDirsFor(h)
	return h, changed, err
}

// Join puts a host into a group, made when it is new, below the named parents (group_by).
// It tells whether anything changed.
func (inv *Inventory) Join(h *Host, group string, parents []string) (bool, error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.added = append(inv.added, func() {
		if again := inv.hosts[h.Name]; again != nil {
			_, _ = inv.joined(again, group, parents)
		}
	})
	return inv.joined(h, group, parents)
}

func (inv *Inventory) joined(h *Host, group string, parents []string) (bool, error) {
	_, known := inv.groups[group]
	g := inv.addGroup(group, diag.Pos{})
	changed := !known
	for _, p := range parents {
		if _, ok := inv.groups[p]; !ok {
			changed = true
		}
		parent := inv.addGroup(p, diag.Pos{})
		before := len(parent.children)
		if err := inv.addChild(parent, g); err != nil {
			return changed, err
		}
		changed = changed || len(parent.children) != before
	}
	if !h.Implicit {
		changed = inv.join(h, g) || changed
	}
	inv.reconcileOne(h)
	return changed, inv.loadDirsFor(h)
}

func (inv *Inventory) join(h *Host, g *Group) bool {
	for _, o := range h.groups {
		if o == g {
			return false
		}
	}
	// Readers hold no lock while they walk a list they were given, so lists are replaced.
	g.hosts = append(g.hosts[:len(g.hosts):len(g.hosts)], h)
	h.groups = append(h.groups[:len(h.groups):len(h.groups)], g)
	return true
}

// reconcileOne is reconcile after a change to one host.
func (inv *Inventory) reconcileOne(h *Host) {
	all := inv.groups["all"]
	for _, g := range inv.groupList {
		if g != all && len(g.parents) == 0 {
			_ = inv.addChild(all, g)
		}
	}
	if !h.Implicit {
		inv.settle(h, all, inv.groups["ungrouped"])
	}
	inv.order()
}

// splitPort takes a port off a host name.
func splitPort(name string) (string, int) {
	if host, port, err := parseAddress(name, false); err == nil {
		return host, port
	}
	return name, 0
}
