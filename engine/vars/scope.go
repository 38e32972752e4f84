package vars

import (
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/inventory"
)

// Level names a level of precedence, low to high, as precedence.md numbers them.
type Level int

// Levels that a lookup can end at.
const (
	LevelRoleDefaults  Level = 2
	LevelGroupVars     Level = 3
	LevelHostVars      Level = 8
	LevelFacts         Level = 11
	LevelPlayVars      Level = 12
	LevelVarsPrompt    Level = 13
	LevelVarsFiles     Level = 14
	LevelRoleVars      Level = 15
	LevelBlockVars     Level = 16
	LevelTaskVars      Level = 17
	LevelIncludeVars   Level = 18
	LevelSetFact       Level = 19
	LevelRoleParams    Level = 20
	LevelIncludeParams Level = 21
	LevelExtra         Level = 22
	LevelMagic         Level = 23
	LevelLoop          Level = 24
)

// Scope is the view of one host, in a play and a task (both may be nil). Local variables
// (loop items) lie on top. A Scope is used by one goroutine.
type Scope struct {
	Store *Store
	Host  *Host
	Play  *Play
	Task  *plan.Task
	// Include are the variables of the dynamic includes the host is inside of, nearest first.
	Include []*value.Vars
	// Delegate is the host the task is delegated to: ansible_delegated_vars shows it.
	Delegate *inventory.Host
	// PlayDir stands in for the play's directory when there is no play (hostvars).
	PlayDir string
	// TrustLocals: the local variables come from trusted text (the items of a loop that is
	// written out in the playbook).
	TrustLocals bool
	// LocalReads counts look-ups that ended at a local variable.
	LocalReads int
	local      []localVar
	hvdict     *value.Dict
	Resolve    func(*inventory.Host) value.Resolver // renders another host's variables
}

type localVar struct {
	name string
	v    value.Value
}

// SetLocal sets a variable on top of everything: loop items and their like.
func (s *Scope) SetLocal(name string, v value.Value) {
	for i := range s.local {
		if s.local[i].name == name {
			s.local[i].v = v
			return
		}
	}
	s.local = append(s.local, localVar{name, v})
}

// ShareLocals gives another scope the local variables of this one (a delegated task's).
func (s *Scope) ShareLocals(from *Scope) { s.local, s.TrustLocals = from.local, from.TrustLocals }

// DropLocal takes a local variable away.
func (s *Scope) DropLocal(name string) {
	for i := range s.local {
		if s.local[i].name == name {
			s.local = append(s.local[:i], s.local[i+1:]...)
			return
		}
	}
}

// Lookup is template.Scope's.
func (s *Scope) Lookup(name string) (value.Value, bool) {
	for i := range s.local {
		if s.local[i].name == name {
			s.LocalReads++
			return s.local[i].v, true
		}
	}
	if v, ok := s.magic(name); ok {
		return v, true
	}
	found, ok := value.Var{}, false
	if !s.Store.MergeHashes {
		s.layers(name, func(v value.Var, _ Level, _ string) bool {
			found, ok = v, true
			return false
		})
		if !ok {
			return s.connection(name)
		}
		return found.Value, ok
	}
	if v, ok := s.merged(name); ok {
		return v, ok
	}
	return s.connection(name)
}

// twins are the two names of connection variables: who sets one has set the other.
var twins = map[string]string{
	"ansible_host": "ansible_ssh_host", "ansible_ssh_host": "ansible_host",
	"ansible_user": "ansible_ssh_user", "ansible_ssh_user": "ansible_user",
	"ansible_port": "ansible_ssh_port", "ansible_ssh_port": "ansible_port",
	"ansible_password": "ansible_ssh_pass", "ansible_ssh_pass": "ansible_password",
	"ansible_private_key_file": "ansible_ssh_private_key_file", "ansible_ssh_private_key_file": "ansible_private_key_file",
}

// connection gives a task the connection variables that nobody sets: what the connection
// uses. Hostvars do not have them.
func (s *Scope) connection(name string) (value.Value, bool) {
	if s.Task == nil || s.Host == nil {
		return nil, false
	}
	if twin := twins[name]; twin != "" {
		var found value.Var
		ok := false
		s.layers(twin, func(v value.Var, _ Level, _ string) bool {
			found, ok = v, true
			return false
		})
		if ok {
			return found.Value, true
		}
	}
	keyword := func(a plan.Attr) (value.Value, bool) {
		if text, ok := a.Value.(string); ok && a.Set {
			return text, true
		}
		v, ok := s.Store.Connection.Get(name)
		return v.Value, ok && !a.Set
	}
	switch name {
	case "ansible_host", "ansible_ssh_host":
		return s.Host.Inv.Name, true
	case "ansible_connection":
		return keyword(s.Task.Connection)
	case "ansible_user", "ansible_ssh_user":
		return keyword(s.Task.RemoteUser)
	}
	v, ok := s.Store.Connection.Get(name)
	return v.Value, ok
}

// merged is hash_behaviour=merge: dicts of all layers are combined.
func (s *Scope) merged(name string) (value.Value, bool) {
	var all []value.Value
	s.layers(name, func(v value.Var, _ Level, _ string) bool {
		all = append(all, v.Value)
		_, isDict := v.Value.(*value.Dict)
		return isDict
	})
	if len(all) == 0 {
		return nil, false
	}
	out := all[len(all)-1]
	for i := len(all) - 2; i >= 0; i-- {
		out = MergeDicts(out, all[i])
	}
	return out, true
}

// MergeDicts is high over low, at every level.
func MergeDicts(low, high value.Value) value.Value {
	a, aok := low.(*value.Dict)
	b, bok := high.(*value.Dict)
	if !aok || !bok {
		return high
	}
	out := a.Clone()
	for _, e := range b.Entries() {
		if old, ok := out.Get(e.Key); ok {
			_ = out.Set(e.Key, MergeDicts(old, e.Value))
			continue
		}
		_ = out.Set(e.Key, e.Value)
	}
	return out
}

// Found is one layer that defines a name.
type Found struct {
	Level Level
	Where string
	Var   value.Var
}

// Origins lists every layer that defines name, the winning one first.
func (s *Scope) Origins(name string) []Found {
	var out []Found
	if v, ok := s.magic(name); ok {
		out = append(out, Found{LevelMagic, "magic variable", value.Var{Value: v}})
	}
	s.layers(name, func(v value.Var, l Level, where string) bool {
		out = append(out, Found{l, where, v})
		return true
	})
	return out
}

// layers calls use for every definition of name, highest precedence first, until it says false.
func (s *Scope) layers(name string, use func(value.Var, Level, string) bool) {
	_ = s.extra(name, use) && s.included(name, use) && s.roleParams(name, use) && s.learned(name, use) &&
		s.taskVars(name, use) && s.roleVars(name, use) && s.playVars(name, use) &&
		s.facts(name, use) && s.inventoryVars(name, use) && s.roleDefaults(name, use)
}

type visit = func(value.Var, Level, string) bool

func (s *Scope) extra(name string, use visit) bool {
	if v, ok := s.Store.Extra.Get(name); ok {
		return use(v, LevelExtra, "extra vars")
	}
	return true
}

func (s *Scope) included(name string, use visit) bool {
	for _, set := range s.Include {
		if v, ok := set.Get(name); ok && !use(v, LevelIncludeParams, "include parameters") {
			return false
		}
	}
	if s.Task != nil {
		for _, set := range s.Task.Vars {
			if set.Kind == plan.IncludeParams {
				if v, ok := set.Vars.Get(name); ok && !use(v, LevelIncludeParams, set.Where) {
					return false
				}
			}
		}
	}
	return true
}

func (s *Scope) roleParams(name string, use visit) bool {
	if s.Task == nil || s.Task.Role == nil {
		return true
	}
	r := s.Task.Role
	if r.Params != nil {
		if v, ok := r.Params.Vars.Get(name); ok && !use(v, LevelRoleParams, r.Params.Where) {
			return false
		}
	}
	for _, p := range r.Parents {
		if p.Params == nil {
			continue
		}
		if v, ok := p.Params.Vars.Get(name); ok && !use(v, LevelRoleParams, p.Params.Where) {
			return false
		}
	}
	return true
}

func (s *Scope) learned(name string, use visit) bool {
	if s.Host == nil {
		return true
	}
	if v, ok := s.Host.setVar(name); ok && !use(v, LevelSetFact, "set_fact or register") {
		return false
	}
	if v, ok := s.Host.includedVar(name); ok && !use(v, LevelIncludeVars, "include_vars") {
		return false
	}
	return true
}

func (s *Scope) taskVars(name string, use visit) bool {
	if s.Task == nil {
		return true
	}
	for _, set := range s.Task.Vars {
		if set.Kind == plan.IncludeParams {
			continue
		}
		level := LevelTaskVars
		if set.Kind == plan.BlockVars {
			level = LevelBlockVars
		}
		if v, ok := set.Vars.Get(name); ok && !use(v, level, set.Where) {
			return false
		}
	}
	return true
}

func useSets(sets []*plan.VarSet, name string, l Level, use visit) bool {
	for i := len(sets) - 1; i >= 0; i-- {
		if v, ok := sets[i].Vars.Get(name); ok && !use(v, l, sets[i].Where) {
			return false
		}
	}
	return true
}

func (s *Scope) roleVars(name string, use visit) bool {
	if s.Task != nil && s.Task.Role != nil {
		if !useSets(s.Task.Role.Vars, name, LevelRoleVars, use) {
			return false
		}
		for _, p := range s.Task.Role.Parents {
			if p.Entry != nil && !useSets([]*plan.VarSet{p.Entry}, name, LevelRoleVars, use) || !useSets(p.Vars, name, LevelRoleVars, use) {
				return false
			}
		}
	}
	if s.Play == nil {
		return true
	}
	roles := s.Play.Roles()
	for i := len(roles) - 1; i >= 0; i-- {
		if roles[i].Public && !useSets(roles[i].Vars, name, LevelRoleVars, use) {
			return false
		}
	}
	return true
}

func (s *Scope) playVars(name string, use visit) bool {
	if s.Play == nil {
		return true
	}
	if s.Host != nil {
		if files, ok := s.Play.Files.Load(s.Host.Inv.Name); ok {
			sets := files.([]*value.Vars)
			for i := len(sets) - 1; i >= 0; i-- {
				if v, ok := sets[i].Get(name); ok && !use(v, LevelVarsFiles, "vars_files") {
					return false
				}
			}
		}
	}
	if v, ok := s.Play.Prompted.Get(name); ok && !use(v, LevelVarsPrompt, "vars_prompt") {
		return false
	}
	if set := s.Play.Plan.Vars; set != nil {
		if v, ok := set.Vars.Get(name); ok && !use(v, LevelPlayVars, set.Where) {
			return false
		}
	}
	return true
}

func (s *Scope) facts(name string, use visit) bool {
	if s.Host == nil {
		return true
	}
	if name == "ansible_facts" {
		return use(value.Var{Value: s.Host.Facts()}, LevelFacts, "facts")
	}
	if s.Store.NoInjectFacts && name != "ansible_local" {
		return true
	}
	if v, ok := s.Host.fact(name); ok {
		return use(value.Var{Value: v}, LevelFacts, "facts")
	}
	return true
}

func (s *Scope) inventoryVars(name string, use visit) bool {
	if s.Host == nil {
		return true
	}
	for _, l := range s.Store.layersOf(s.Host, s.playDir()) {
		if v, ok := l.Vars.Get(name); ok && !use(v, Level(l.Level), l.Where) {
			return false
		}
	}
	return true
}

// playDir is the directory of the playbook whose group_vars and host_vars count.
func (s *Scope) playDir() string {
	if s.Play != nil {
		return s.Play.Plan.Dir
	}
	return s.PlayDir
}

func (s *Scope) roleDefaults(name string, use visit) bool {
	if s.Task != nil && s.Task.Role != nil {
		if !useSets(s.Task.Role.Defaults, name, LevelRoleDefaults, use) {
			return false
		}
		for _, p := range s.Task.Role.Parents {
			if !useSets(p.Defaults, name, LevelRoleDefaults, use) {
				return false
			}
		}
	}
	if s.Play == nil {
		return true
	}
	roles := s.Play.Roles()
	for i := len(roles) - 1; i >= 0; i-- {
		if roles[i].Public && !useSets(roles[i].Defaults, name, LevelRoleDefaults, use) {
			return false
		}
	}
	return true
}

// Names lists every name that Lookup knows.
func (s *Scope) Names() []string {
	seen := map[string]bool{}
	var out []string
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	s.everyName(add)
	return out
}

// everyName tells the names in the order of precedence, lowest first.
func (s *Scope) everyName(add func(string)) {
	addVars := func(v *value.Vars) {
		for n := range v.All() {
			add(n)
		}
	}
	addSets := func(sets ...*plan.VarSet) {
		for _, set := range sets {
			if set != nil {
				addVars(&set.Vars)
			}
		}
	}
	var roles []*plan.Role
	if s.Play != nil {
		roles = append(roles, s.Play.Roles()...)
	}
	if s.Task != nil && s.Task.Role != nil {
		roles = append(append(roles, s.Task.Role.Parents...), s.Task.Role)
	}
	for _, r := range roles {
		addSets(r.Defaults...)
	}
	s.inventoryNames(add)
	if s.Play != nil {
		addSets(s.Play.Plan.Vars)
		addVars(s.Play.Prompted)
		for _, f := range s.playFiles() {
			addVars(f)
		}
	}
	for _, r := range roles {
		addSets(r.Vars...)
		addSets(r.Entry)
	}
	if s.Task != nil {
		addSets(s.Task.Vars...)
	}
	s.learnedNames(add)
	for _, r := range roles {
		addSets(r.Params)
	}
	for _, set := range s.Include {
		addVars(set)
	}
	addVars(s.Store.Extra)
	for _, n := range s.magicNames() {
		add(n)
	}
	for _, l := range s.local {
		add(l.name)
	}
}

// playFiles are the variables of vars_files for the host.
func (s *Scope) playFiles() []*value.Vars {
	if s.Host == nil {
		return nil
	}
	files, ok := s.Play.Files.Load(s.Host.Inv.Name)
	if !ok {
		return nil
	}
	return files.([]*value.Vars)
}

// inventoryNames are the names that the inventory and facts give.
func (s *Scope) inventoryNames(add func(string)) {
	h := s.Host
	if h == nil {
		return
	}
	for _, l := range s.Store.layersOf(h, s.playDir()) {
		for n := range l.Vars.All() {
			add(n)
		}
	}
	add("ansible_facts")
	if s.Store.NoInjectFacts {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, e := range h.injected.Entries() {
		if n, ok := e.Key.(string); ok {
			add(n)
		}
	}
}

// learnedNames are those of include_vars, set_fact and register.
func (s *Scope) learnedNames(add func(string)) {
	h := s.Host
	if h == nil {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for n := range h.included.All() {
		add(n)
	}
	for n := range h.set.All() {
		add(n)
	}
}

// MatchHosts lists the hosts a pattern selects, for lookup inventory_hostnames.
func (s *Scope) MatchHosts(pattern string) ([]string, error) {
	sel, err := s.Store.Inventory.Select([]string{pattern}, "")
	if err != nil {
		return []string{}, nil //nolint:nilerr // a pattern nobody answers to selects nobody
	}
	out := make([]string, 0, len(sel.Hosts))
	for _, h := range sel.Hosts {
		out = append(out, h.Name)
	}
	return out, nil
}

// Setting is a setting of ansible.cfg or the environment, for lookup config.
func (s *Scope) Setting(name, pluginType, pluginName string) (v value.Value, origin string, ok bool) {
	if s.Store.Settings == nil {
		return nil, "", false
	}
	return s.Store.Settings(name, pluginType, pluginName)
}

// Trusted tells that a variable comes from the playbook, a role, the inventory or the
// command line: it is neither a fact nor a result of a task.
func (s *Scope) Trusted(name string) bool {
	for _, l := range s.local {
		if l.name == name {
			return s.TrustLocals
		}
	}
	if _, ok := s.magic(name); ok {
		return false
	}
	trusted := false
	s.layers(name, func(_ value.Var, l Level, _ string) bool {
		trusted = l != LevelSetFact && l != LevelFacts
		return false
	})
	return trusted
}
