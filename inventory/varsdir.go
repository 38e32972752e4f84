package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"
)

// varsDir holds what group_vars and host_vars below one directory say. It is filled for
// the groups and hosts that exist, and again for those that a run adds.
type varsDir struct {
	base         string
	groups       map[string]*value.Vars
	hosts        map[string]*value.Vars
	groupNames   map[string]bool // entries of group_vars
	hostNames    map[string]bool
	groupVarsDir string
	hostVarsDir  string
	// errors of files that cannot be read: hosts that do not have them do without.
	groupDamage, hostDamage map[string][]*diag.Diagnostic
}

// Levels of precedence of Layer, as precedence.md numbers them.
const (
	LevelInline            = 3  // variables of groups in inventory sources
	LevelInventoryAll      = 4  // group_vars/all beside the inventory
	LevelPlaybookAll       = 5  // group_vars/all beside the playbook
	LevelInventoryGroups   = 6  // group_vars/* beside the inventory
	LevelPlaybookGroups    = 7  // group_vars/* beside the playbook
	LevelInlineHost        = 8  // variables of hosts in inventory sources
	LevelInventoryHostVars = 9  // host_vars/* beside the inventory
	LevelPlaybookHostVars  = 10 // host_vars/* beside the playbook
)

// Layer is one set of variables that a host has from the inventory and the files beside it.
type Layer struct {
	Level int
	Where string // "group web", "group_vars/web beside site.yml"
	Vars  *value.Vars
}

// Layers are all sets of variables of the host, the winning one first. playDir is the
// directory of the playbook whose group_vars and host_vars count (see LoadPlaybookDir), or "".
func (h *Host) Layers(playDir string) []Layer {
	h.inv.mu.RLock()
	defer h.inv.mu.RUnlock()
	groups := h.groupsInOrder()
	slices.Reverse(groups)
	all := []*Group{h.inv.groups["all"]}
	others := slices.DeleteFunc(slices.Clone(groups), func(g *Group) bool { return g.Name == "all" })
	var play []*varsDir
	if d := h.inv.playDirs[playDir]; d != nil {
		play = []*varsDir{d}
	}
	b := &layers{}
	b.host(play, h.Name, LevelPlaybookHostVars)
	b.host(h.inv.dirs, h.Name, LevelInventoryHostVars)
	b.add(LevelInlineHost, "host "+h.Name, h.Vars)
	b.dirs(play, others, LevelPlaybookGroups)
	b.dirs(h.inv.dirs, others, LevelInventoryGroups)
	b.dirs(play, all, LevelPlaybookAll)
	b.dirs(h.inv.dirs, all, LevelInventoryAll)
	b.inline(others)
	b.inline(all)
	return b.out
}

type layers struct{ out []Layer }

func (b *layers) add(level int, where string, vars *value.Vars) {
	if vars.Len() > 0 {
		b.out = append(b.out, Layer{level, where, vars})
	}
}

func (b *layers) host(dirs []*varsDir, name string, level int) {
	for i := len(dirs) - 1; i >= 0; i-- {
		b.add(level, filepath.Join(dirs[i].hostVarsDir, name), dirs[i].hosts[name])
	}
}

func (b *layers) dirs(dirs []*varsDir, groups []*Group, level int) {
	for i := len(dirs) - 1; i >= 0; i-- {
		for _, g := range groups {
			b.add(level, filepath.Join(dirs[i].groupVarsDir, g.Name), dirs[i].groups[g.Name])
		}
	}
}

func (b *layers) inline(groups []*Group) {
	for _, g := range groups {
		b.add(LevelInline, "group "+g.Name, g.Vars)
	}
}

// findDirs loads group_vars and host_vars beside every source.
func (inv *Inventory) findDirs(diags *diag.List) {
	inv.dirs = nil // plugins may have looked already
	seen := map[string]bool{}
	for _, s := range inv.sources {
		if isHostList(s) {
			continue
		}
		if st, err := os.Stat(s); err != nil || !st.IsDir() {
			s = filepath.Dir(s)
		}
		if seen[s] {
			continue
		}
		seen[s] = true
		if d := inv.openDir(s, diags); d != nil {
			inv.dirs = append(inv.dirs, d)
		}
	}
}

// sourceDirs are the vars directories beside the sources while these are being read.
func (inv *Inventory) sourceDirs() []*varsDir {
	if inv.dirs == nil {
		inv.findDirs(&diag.List{})
	}
	return inv.dirs
}

// LoadPlaybookDir loads group_vars and host_vars beside a playbook. Loading a directory again
// does nothing.
func (inv *Inventory) LoadPlaybookDir(dir string) *diag.List {
	diags := &diag.List{}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if _, ok := inv.playDirs[dir]; !ok {
		inv.playDirs[dir] = inv.openDir(dir, diags)
	}
	return diags
}

// openDir loads the files for all groups and hosts; it is nil when there are none.
func (inv *Inventory) openDir(base string, diags *diag.List) *varsDir {
	d := &varsDir{base: base, groups: map[string]*value.Vars{}, hosts: map[string]*value.Vars{},
		groupVarsDir: filepath.Join(base, "group_vars"), hostVarsDir: filepath.Join(base, "host_vars"),
		groupDamage: map[string][]*diag.Diagnostic{}, hostDamage: map[string][]*diag.Diagnostic{}}
	d.groupNames = entryNames(d.groupVarsDir, diags)
	d.hostNames = entryNames(d.hostVarsDir, diags)
	if d.groupNames == nil && d.hostNames == nil {
		return nil
	}
	for _, g := range inv.groupList {
		d.loadGroup(inv, g.Name, diags)
	}
	for _, h := range inv.hostList {
		d.loadHost(inv, h.Name, diags)
	}
	for _, n := range localNames { // an implicit localhost has host_vars too
		d.loadHost(inv, n, diags)
	}
	return d
}

// entryNames lists a directory; nil when there is none.
func entryNames(dir string, diags *diag.List) map[string]bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if st, e := os.Stat(dir); e == nil && !st.IsDir() {
			diags.Add(diag.Warnf(diag.Pos{File: dir}, "inventory", "it is not a directory and is skipped"))
		} else if !os.IsNotExist(err) {
			diags.Add(diag.Errorf(diag.Pos{File: dir}, "inventory", "cannot read the directory: %v", reason(err)))
		}
		return nil
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

func (d *varsDir) loadGroup(inv *Inventory, name string, diags *diag.List) {
	if _, ok := d.groups[name]; !ok && !filepath.IsAbs(name) {
		d.groups[name] = inv.loadNoting(d.groupVarsDir, name, d.groupNames, diags, d.groupDamage)
	}
}

func (d *varsDir) loadHost(inv *Inventory, name string, diags *diag.List) {
	if _, ok := d.hosts[name]; !ok && !filepath.IsAbs(name) {
		d.hosts[name] = inv.loadNoting(d.hostVarsDir, name, d.hostNames, diags, d.hostDamage)
	}
}

// loadNoting is loadVars that also notes the errors under the name.
func (inv *Inventory) loadNoting(dir, name string, names map[string]bool, diags *diag.List, damage map[string][]*diag.Diagnostic) *value.Vars {
	var found diag.List
	vars := inv.loadVars(dir, name, names, &found)
	for _, d := range found.Sorted() {
		if d.Severity == diag.Error {
			damage[name] = append(damage[name], d)
		}
		diags.Add(d)
	}
	return vars
}

// Damage are the errors of the files of group_vars and host_vars that the host's variables would come from.
func (h *Host) Damage(playDir string) []*diag.Diagnostic {
	h.inv.mu.RLock()
	defer h.inv.mu.RUnlock()
	dirs := h.inv.dirs
	if d := h.inv.playDirs[playDir]; d != nil {
		dirs = append(slices.Clone(dirs), d)
	}
	var out []*diag.Diagnostic
	for _, d := range dirs {
		if len(d.groupDamage)+len(d.hostDamage) == 0 {
			continue
		}
		for _, g := range h.groupsInOrder() {
			out = append(out, d.groupDamage[g.Name]...)
		}
		out = append(out, d.hostDamage[h.Name]...)
	}
	return out
}

// Damaged are the errors of all files of group_vars and host_vars so far.
func (inv *Inventory) Damaged() map[*diag.Diagnostic]bool {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	out := map[*diag.Diagnostic]bool{}
	note := func(d *varsDir) {
		for _, m := range []map[string][]*diag.Diagnostic{d.groupDamage, d.hostDamage} {
			for _, found := range m {
				for _, p := range found {
					out[p] = true
				}
			}
		}
	}
	for _, d := range inv.dirs {
		note(d)
	}
	for _, d := range inv.playDirs {
		if d != nil {
			note(d)
		}
	}
	return out
}

// loadDirsFor loads the files of a host, and of groups, that a run has added.
func (inv *Inventory) loadDirsFor(h *Host) error {
	var diags diag.List
	dirs := slices.Clone(inv.dirs)
	for _, d := range inv.playDirs {
		if d != nil {
			dirs = append(dirs, d)
		}
	}
	for _, d := range dirs {
		d.loadHost(inv, h.Name, &diags)
		for _, g := range h.groupsInOrder() {
			d.loadGroup(inv, g.Name, &diags)
		}
	}
	return diags.Err()
}

// loadVars merges the files for one name: the first of name, name.yml, name.yaml, name.json
// that exists; a directory stands for the files in it.
func (inv *Inventory) loadVars(dir, name string, names map[string]bool, diags *diag.List) *value.Vars {
	if names == nil {
		return nil
	}
	for _, ext := range append([]string{""}, inv.opts.VarsExts...) {
		if ext != "" && !strings.HasPrefix(ext, ".") {
			ext = "." + ext
		}
		if !strings.Contains(name, "/") && !names[name+ext] {
			continue
		}
		path := filepath.Join(dir, name+ext)
		st, err := os.Stat(path)
		if err != nil {
			if !os.IsNotExist(err) {
				diags.Add(diag.Errorf(diag.Pos{File: path}, "inventory", "cannot read it: %v", reason(err)))
			}
			continue
		}
		files := []string{path}
		if st.IsDir() {
			files = inv.varsFiles(path, diags, 0)
		}
		return inv.readVars(files, diags)
	}
	return nil
}

const maxDirDepth = 40

// varsFiles lists the files of a vars directory in the order they are merged.
func (inv *Inventory) varsFiles(dir string, diags *diag.List, depth int) []string {
	entries, err := os.ReadDir(dir)
	if err != nil || depth > maxDirDepth {
		diags.Add(diag.Errorf(diag.Pos{File: dir}, "inventory", "cannot read the directory: %v", reason(err)))
		return nil
	}
	var out []string
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, ".") || strings.HasSuffix(n, "~") {
			continue
		}
		path, ext := filepath.Join(dir, n), filepath.Ext(n)
		st, err := os.Stat(path)
		switch {
		case err != nil:
			diags.Add(diag.Warnf(diag.Pos{File: path}, "inventory", "cannot read it: %v", reason(err)))
		case st.IsDir() && ext == "":
			out = append(out, inv.varsFiles(path, diags, depth+1)...)
		case st.Mode().IsRegular() && (ext == "" || slices.Contains(inv.opts.VarsExts, ext)):
			out = append(out, path)
		}
	}
	return out
}

func (inv *Inventory) readVars(files []string, diags *diag.List) *value.Vars {
	out := &value.Vars{}
	for _, f := range files {
		vars, err := inv.VarsFile(f, diags)
		if err != nil {
			diags.Add(asDiagnostic(f, err))
			continue
		}
		for n, v := range vars.All() {
			setVar(out, n, v.Value, v.At, inv.opts.MergeHashes)
		}
	}
	return out
}

func asDiagnostic(file string, err error) *diag.Diagnostic {
	if d, ok := err.(*diag.Diagnostic); ok {
		return d
	}
	return diag.Errorf(diag.Pos{File: file}, "inventory", "%s", strings.TrimPrefix(err.Error(), "cannot read "+file+": "))
}

// VarsFile reads one file of variables (YAML, JSON, or a vault of these); warnings go to
// diags.
func (inv *Inventory) VarsFile(file string, diags *diag.List) (*value.Vars, error) {
	text, vaulted, err := inv.readFile(file)
	if err != nil {
		return nil, err
	}
	root, err := yamlv.ParseOne(file, text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return &value.Vars{}, nil
	}
	var problems diag.List
	reader := yamlv.NewReader(file, &problems)
	reader.Secret = vaulted
	vars := reader.Vars(root)
	for _, d := range problems.Sorted() {
		if d.Severity == diag.Error {
			return nil, d
		}
		diags.Add(d)
	}
	return vars, nil
}

// MergedVars is a copy of all variables of the host, raw, in order of first definition from
// the weakest layer up.
func (h *Host) MergedVars(playDir string) *value.Vars {
	out := &value.Vars{}
	ls := h.Layers(playDir)
	for i := len(ls) - 1; i >= 0; i-- {
		for n, v := range ls[i].Vars.All() {
			setVar(out, n, v.Value, v.At, h.inv.opts.MergeHashes)
		}
	}
	return out
}

func (l Layer) String() string { return fmt.Sprintf("%d %s", l.Level, l.Where) }
