package vars

import (
	"errors"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/inventory"
)

type groupsView struct {
	generation uint64
	dict       *value.Dict
}

// hostView is a host's variables as hostvars shows them, merged and raw.
type hostView struct {
	own, global uint64
	playDir     string
	dict        *value.Dict
}

var hostMagic = []string{"inventory_hostname", "inventory_hostname_short", "group_names", "groups", "hostvars", "vars"}

// magic finds the variables that Ansible itself sets; nothing overrides them.
func (s *Scope) magic(name string) (value.Value, bool) {
	if s.Host != nil {
		switch name {
		case "inventory_hostname":
			if v, ok := s.Store.Extra.Get(name); ok {
				return v.Value, true // the only one that -e replaces
			}
			return s.Host.Inv.Name, true
		case "inventory_hostname_short":
			return shortName(s.Host.Inv.Name), true
		case "group_names":
			return s.groupNames(), true
		case "groups":
			return s.Store.Groups(), true
		case "hostvars":
			return s.hostvars(), true
		case "vars":
			return s.everything(), true
		}
	}
	if name == "ansible_delegated_vars" && s.Delegate != nil {
		return value.DictOf(s.Delegate.Name, s.delegateVars()), true
	}
	if s.Task != nil {
		if v, ok := s.taskMagic(name); ok {
			return v, true
		}
	}
	if s.Play != nil {
		if m := s.Play.Magic.Load(); m != nil {
			if v, ok := m.Get(name); ok {
				return v.Value, true
			}
		}
	}
	if v, ok := s.Store.Magic.Get(name); ok {
		return v.Value, true
	}
	return nil, false
}

// delegateVars are the variables of the host the task is delegated to, as this task sees them there:
// but for inventory_hostname, which stays the name of the host that delegates.
func (s *Scope) delegateVars() *value.Dict {
	there := &Scope{Store: s.Store, Host: s.Store.Host(s.Delegate), Play: s.Play, Task: s.Task, Include: s.Include, PlayDir: s.PlayDir}
	d := there.merge("vars")
	if s.Host != nil {
		d.SetString("inventory_hostname", s.Host.Inv.Name)
	}
	return d
}

func (s *Scope) taskMagic(name string) (value.Value, bool) {
	if name == "ansible_search_path" {
		l := value.NewList()
		for _, dir := range s.Task.Search {
			l.V = append(l.V, dir)
		}
		return l, true
	}
	if s.Task.Role == nil {
		return nil, false
	}
	return s.Task.Role.Magic(name)
}

func shortName(host string) string { return strings.Split(host, ".")[0] }

func (s *Scope) magicNames() []string {
	var out []string
	if s.Host != nil {
		out = append(out, hostMagic...)
	}
	if s.Task != nil && s.Task.Role != nil {
		out = append(out, "role_name", "role_path", "ansible_role_name")
	}
	if s.Play != nil {
		if m := s.Play.Magic.Load(); m != nil {
			for n := range m.All() {
				out = append(out, n)
			}
		}
	}
	for n := range s.Store.Magic.All() {
		out = append(out, n)
	}
	return out
}

func (s *Scope) groupNames() value.Value {
	var names []string
	for _, g := range s.Host.Inv.GroupsInOrder() {
		if g.Name != "all" {
			names = append(names, g.Name)
		}
	}
	slices.Sort(names)
	l := value.NewList()
	for _, n := range names {
		l.V = append(l.V, n)
	}
	return l
}

// Groups is the groups variable: every group with the names of its hosts.
func (s *Store) Groups() *value.Dict {
	gen := s.generation.Load()
	if v := s.groups.Load(); v != nil && v.generation == gen {
		return v.dict
	}
	d := value.NewDict(8)
	for _, g := range s.Inventory.Groups() {
		l := value.NewList()
		for _, h := range g.AllHosts() {
			l.V = append(l.V, h.Name)
		}
		d.SetString(g.Name, l)
	}
	s.groups.Store(&groupsView{gen, d})
	return d
}

// hostvars is a dict of all hosts whose values are filled in when they are looked at. The implicit
// localhost is there without being listed.
func (s *Scope) hostvars() *value.Dict {
	if s.hvdict == nil {
		r := &hostvarsResolver{scope: s, stubs: map[*value.Dict]*inventory.Host{}, local: &value.Dict{}}
		d := value.NewDict(16)
		for _, h := range s.Store.Inventory.Hosts() {
			stub := &value.Dict{}
			r.stubs[stub] = h
			d.SetString(h.Name, stub)
		}
		s.hvdict = d.Snapshot(r)
	}
	return s.hvdict
}

type hostvarsResolver struct {
	scope *Scope
	stubs map[*value.Dict]*inventory.Host
	local *value.Dict // the stub of this machine
}

// Missing gives this machine by its names.
func (r *hostvarsResolver) Missing(name string) (value.Value, bool) {
	return r.local, name == "localhost" || name == "127.0.0.1" || name == "::1"
}

// Resolve gives a host's variables for its stub in hostvars.
func (r *hostvarsResolver) Resolve(v value.Value) (value.Value, error) {
	stub, ok := v.(*value.Dict)
	if !ok {
		return v, nil
	}
	h := r.stubs[stub]
	if stub == r.local {
		h = r.scope.Store.Inventory.Host("localhost")
	}
	if h == nil {
		return v, nil
	}
	if damage := h.Damage(r.scope.playDir()); len(damage) > 0 {
		return nil, errors.New(damage[0].Summary)
	}
	view := r.scope.Store.HostVars(h, r.scope.playDir())
	if r.scope.Resolve == nil {
		return view, nil
	}
	return view.Snapshot(r.scope.Resolve(h)), nil
}

// HostVars is what hostvars[h] holds: inventory variables, facts, set_fact and registered
// results and magic ones, but nothing of plays and roles. The values are raw; the dict is
// shared and read only.
func (s *Store) HostVars(h *inventory.Host, playDir string) *value.Dict {
	st := s.Host(h)
	own, global := st.generation.Load(), s.generation.Load()
	if v := st.view.Load(); v != nil && v.own == own && v.global == global && v.playDir == playDir {
		return v.dict
	}
	d := (&Scope{Store: s, Host: st, PlayDir: playDir}).merge("hostvars", "vars", "omit")
	st.view.Store(&hostView{own, global, playDir, d})
	return d
}

// merge makes one dict of every name in scope, raw, without those named.
func (s *Scope) merge(without ...string) *value.Dict {
	names := s.Names()
	d := value.NewDict(len(names))
	for _, n := range names {
		if slices.Contains(without, n) {
			continue
		}
		if v, ok := s.Lookup(n); ok {
			d.SetString(n, v)
		}
	}
	return d
}

func (s *Scope) everything() value.Value { return s.merge("vars") }
