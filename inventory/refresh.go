package inventory

import (
	"fmt"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Refresh reads the sources again (meta: refresh_inventory). Hosts and groups that a run
// added are added again; a host that is still there keeps its identity, so that what a run knows
// of it stays.
func (inv *Inventory) Refresh() error {
	known := map[diag.Pos]bool{} // nobody here uses those
	for d := range inv.Damaged() {
		known[d.At] = true
	}
	fresh, diags := Load(inv.Sources(), inv.opts)
	if err := newErr(diags, known); err != nil {
		return fmt.Errorf("cannot read the inventory again: %w", err)
	}
	var dirs []string
	inv.mu.RLock()
	for d := range inv.playDirs {
		dirs = append(dirs, d)
	}
	inv.mu.RUnlock()
	for _, d := range dirs {
		if err := newErr(fresh.LoadPlaybookDir(d), known); err != nil {
			return fmt.Errorf("cannot read the variables beside %s again: %w", d, err)
		}
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i, h := range fresh.hostList {
		old := inv.hosts[h.Name]
		if old == nil {
			h.inv = inv
			continue
		}
		old.Vars, old.groups = h.Vars, h.groups
		fresh.replace(h, old)
		fresh.hostList[i], fresh.hosts[h.Name] = old, old
	}
	for _, g := range fresh.groupList {
		g.inv = inv
	}
	inv.hosts, inv.hostList, inv.groups, inv.groupList = fresh.hosts, fresh.hostList, fresh.groups, fresh.groupList
	inv.dirs, inv.playDirs, inv.parsed, inv.ordered = fresh.dirs, fresh.playDirs, fresh.parsed, fresh.ordered
	if inv.localhost != nil && inv.localhost.Implicit {
		inv.localhost.Vars = implicitVars()
	}
	for _, add := range inv.added {
		add()
	}
	return nil
}

// newErr is the error of those diagnostics that stand elsewhere than the known ones.
func newErr(in *diag.List, known map[diag.Pos]bool) error {
	out := &diag.List{}
	for _, d := range in.Sorted() {
		if !known[d.At] {
			out.Add(d)
		}
	}
	return out.Err()
}

// replace puts old where h stands in the groups.
func (inv *Inventory) replace(h, old *Host) {
	for _, g := range h.groups {
		for i, o := range g.hosts {
			if o == h {
				g.hosts[i] = old
			}
		}
	}
}

func implicitVars() *value.Vars {
	return (&Inventory{}).implicitHost("localhost").Vars
}
