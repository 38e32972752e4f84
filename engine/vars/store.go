// Package vars knows what every name means for a host and a task: Ansible's 22 levels of
// precedence as layers that are looked up, never merged into a copy.
//
// A Store holds what a run learns (facts, registered results, set_fact, include_vars).
// A Scope is the view of one host in one play and task; it gives raw values, which the
// template engine renders when they are used. Where a level comes from is named in
// levels.go; `fettle vars` prints it.
package vars

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/inventory"
)

// Store is the variable state of a run. Safe for concurrent use: hosts are independent of
// each other, and readers of another host's variables take its read lock.
type Store struct {
	Extra     *value.Vars
	Inventory *inventory.Inventory
	// Magic are run-wide magic variables: playbook independent ones such as
	// ansible_check_mode, ansible_version, ansible_forks.
	Magic *value.Vars
	// Unsafe: facts are not injected as top-level variables (inject_facts_as_vars=False).
	NoInjectFacts bool
	// Settings looks up a setting of ansible.cfg or the environment.
	Settings func(name, pluginType, pluginName string) (v value.Value, origin string, ok bool)
	// Connection are the defaults of connection variables that tasks see (ansible_connection, ...).
	Connection *value.Vars
	// MergeHashes is hash_behaviour=merge.
	MergeHashes bool
	// Cache keeps facts between runs; nil keeps none. Warn hears what goes wrong there.
	Cache FactCache
	Warn  func(error)

	mu         sync.RWMutex
	hosts      map[string]*Host
	generation atomic.Uint64 // of hosts and groups (add_host, group_by)
	groups     atomic.Pointer[groupsView]
}

// FactCache keeps facts between runs, under the names that modules gave them.
type FactCache interface {
	Get(host string) (*value.Dict, error) // nil: there are none
	Put(host string, facts *value.Dict) error
	Drop(host string) error
}

// NewStore returns an empty store over an inventory.
func NewStore(inv *inventory.Inventory, extra, magic *value.Vars) *Store {
	return &Store{Inventory: inv, Extra: extra, Magic: magic, hosts: map[string]*Host{}}
}

// Host is what a run knows about one host beside the inventory.
type Host struct {
	Inv *inventory.Host

	mu         sync.RWMutex
	facts      *value.Dict // ansible_facts
	injected   *value.Dict // the same under the names the modules gave them
	set        value.Vars  // set_fact and registered results
	included   value.Vars  // include_vars
	generation atomic.Uint64
	view       atomic.Pointer[hostView]
	layers     atomic.Pointer[hostLayers]
}

type hostLayers struct {
	generation uint64
	playDir    string
	layers     []inventory.Layer // the winning one first
}

// Host returns the state of a host, made on first use.
func (s *Store) Host(h *inventory.Host) *Host {
	s.mu.RLock()
	st := s.hosts[h.Name]
	s.mu.RUnlock()
	if st != nil {
		return st
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st = s.hosts[h.Name]; st == nil {
		st = &Host{Inv: h, facts: value.NewDict(0), injected: value.NewDict(0)}
		s.hosts[h.Name] = st
		s.remember(st)
	}
	return st
}

// remember takes the facts of an earlier run.
func (s *Store) remember(h *Host) {
	if s.Cache == nil {
		return
	}
	facts, err := s.Cache.Get(h.Inv.Name)
	if err != nil {
		s.warn(err)
	}
	if facts != nil {
		h.MergeFacts(facts)
	}
}

// KeepFacts puts what is known of a host into the cache.
func (s *Store) KeepFacts(h *Host) {
	if s.Cache == nil {
		return
	}
	h.mu.RLock()
	facts := h.injected
	h.mu.RUnlock()
	if err := s.Cache.Put(h.Inv.Name, facts); err != nil {
		s.warn(err)
	}
}

// ForgetFacts clears the facts of a host, also those of the cache (meta: clear_facts).
func (s *Store) ForgetFacts(h *Host) {
	h.clearFacts()
	if s.Cache == nil {
		return
	}
	if err := s.Cache.Drop(h.Inv.Name); err != nil {
		s.warn(err)
	}
}

func (s *Store) warn(err error) {
	if s.Warn != nil {
		s.Warn(fmt.Errorf("the fact cache: %w", err))
	}
}

// InventoryChanged makes groups and hostvars be computed anew after add_host or group_by.
func (s *Store) InventoryChanged() { s.generation.Add(1) }

// SetFact sets a variable at the level of set_fact and registered results.
func (h *Host) SetFact(name string, v value.Value, at diag.Pos) {
	h.mu.Lock()
	h.set.Set(name, v, at)
	h.mu.Unlock()
	h.generation.Add(1)
}

// SetIncluded sets a variable at the level of include_vars.
func (h *Host) SetIncluded(name string, v value.Value, at diag.Pos) {
	h.mu.Lock()
	h.included.Set(name, v, at)
	h.mu.Unlock()
	h.generation.Add(1)
}

// MergeFacts adds facts that a module returned. In ansible_facts a name loses its ansible_
// prefix; as a top-level variable it keeps the name the module gave it, unless such a
// variable would steer the connection: what a host says must not.
func (h *Host) MergeFacts(facts *value.Dict) {
	h.mu.Lock()
	next, injected := h.facts.Clone(), h.injected.Clone() // readers may hold the old ones
	for _, e := range facts.Entries() {
		name, _ := e.Key.(string)
		if !steers(name) {
			injected.SetString(name, e.Value)
		}
		if strings.HasPrefix(name, "ansible_") && name != "ansible_local" {
			name = name[len("ansible_"):]
		}
		next.SetString(name, e.Value)
	}
	h.facts, h.injected = next, injected
	h.mu.Unlock()
	h.generation.Add(1)
}

func (h *Host) clearFacts() {
	h.mu.Lock()
	h.facts, h.injected = value.NewDict(0), value.NewDict(0)
	h.mu.Unlock()
	h.generation.Add(1)
}

// Facts is the current ansible_facts dict, read only.
func (h *Host) Facts() *value.Dict {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.facts
}

// fact finds a fact by the name it is injected under (ansible_distribution).
func (h *Host) fact(name string) (value.Value, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.injected.GetString(name)
}

func (h *Host) setVar(name string) (value.Var, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.set.Get(name)
}

func (h *Host) includedVar(name string) (value.Var, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.included.Get(name)
}

// layersOf are what the inventory and the files beside it and the playbook say of a host.
func (s *Store) layersOf(h *Host, playDir string) []inventory.Layer {
	gen := s.generation.Load()
	if l := h.layers.Load(); l != nil && l.generation == gen && l.playDir == playDir {
		return l.layers
	}
	layers := h.Inv.Layers(playDir)
	h.layers.Store(&hostLayers{gen, playDir, layers})
	return layers
}

// Play is the part of a play's variables that all its tasks share.
type Play struct {
	Plan *plan.Play
	// Prompted are the answers to vars_prompt.
	Prompted *value.Vars
	// Roles are the roles whose vars and defaults the whole play sees; included public
	// roles join when they are reached.
	mu    sync.RWMutex
	roles []*plan.Role
	// Magic are the magic variables of the play and batch: ansible_play_hosts, ...
	Magic atomic.Pointer[value.Vars]
	// Files holds what vars_files gave, per host (their names may be templates).
	Files sync.Map // host name → []*value.Vars
}

// NewPlay starts a play's variables.
func NewPlay(p *plan.Play) *Play { return &Play{Plan: p, roles: slices.Clone(p.Roles)} }

// AddRole makes an included role's vars and defaults visible to the play (public).
func (p *Play) AddRole(r *plan.Role) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.roles, r) {
		p.roles = append(p.roles, r)
	}
}

// Roles are the roles whose variables the play sees, in order.
func (p *Play) Roles() []*plan.Role {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.roles
}
