package inventory

import (
	"fettle/engine/diag"
	"fettle/engine/value"
)

// Outside makes a host that is not in the inventory, for delegate_to an address. It has no
// groups; localhost and its other names give the implicit host.
func (inv *Inventory) Outside(name string) *Host {
	if h := inv.Host(name); h != nil {
		return h
	}
	h := &Host{Name: name, Vars: &value.Vars{}, inv: inv}
	h.Vars.Set("ansible_host", name, diag.Pos{})
	return h
}
