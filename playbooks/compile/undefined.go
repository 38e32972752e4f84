package compile

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/playbooks/load"
)

// magicNames are variables that the engine sets; those that begin with ansible_ are facts
// and settings, and are never doubted.
var magicNames = []string{"inventory_hostname", "inventory_hostname_short", "inventory_dir", "inventory_file", "group_names", "groups", "hostvars",
	"vars", "omit", "playbook_dir", "role_path", "role_name", "role_names", "role_uuid", "play_hosts", "environment", "item", "loop", "module_setup", "gather_subset"}

// undefined warns of variables that nothing sets and whose name is close to one that
// something does: typos. It is a guess, as tasks can bring variables nobody can foresee.
func (c *compiler) undefined(p *plan.Plan) {
	k := &knownNames{c: c, names: map[string]bool{}, sets: map[*plan.VarSet]bool{}, roles: map[*plan.Role]bool{}, files: map[string]bool{}}
	k.add(magicNames...)
	k.add(c.opts.Variables...)
	k.addVars(c.opts.ExtraVars)
	k.addVars(c.opts.Magic)
	for _, play := range p.Plays {
		k.addSet(play.Vars)
		for _, r := range play.Roles {
			k.addRole(r)
		}
		for _, prompt := range play.VarsPrompt {
			k.add(prompt.Name)
		}
		for _, a := range play.VarsFiles {
			k.addFile(a.Value, play.Dir, filepath.Join(play.Dir, "vars"))
		}
	}
	for _, t := range c.all {
		k.addTask(t)
	}
	valid := make([]string, 0, len(k.names))
	for n := range k.names {
		valid = append(valid, n)
	}
	for _, t := range c.all {
		for _, r := range taskReads(t) {
			if r.Guarded || k.names[r.Name] || strings.HasPrefix(r.Name, "ansible_") {
				continue
			}
			near := diag.Closest(r.Name, valid)
			if near == "" || sameButDigits(near, r.Name) {
				continue
			}
			d := diag.Warnf(r.At, "undefined", "nothing sets the variable %q", r.Name)
			d.Width, d.Hint = len(r.Name), "did you mean \""+near+"\"?"
			c.diags.Add(d)
		}
	}
}

var digits = regexp.MustCompile(`[0-9]+`)

func sameButDigits(a, b string) bool {
	return digits.ReplaceAllString(a, "0") == digits.ReplaceAllString(b, "0")
}

// knownNames collects the names of variables that something sets.
type knownNames struct {
	c     *compiler
	names map[string]bool
	sets  map[*plan.VarSet]bool
	roles map[*plan.Role]bool
	files map[string]bool
}

func (k *knownNames) add(names ...string) {
	for _, n := range names {
		k.names[n] = true
	}
}

func (k *knownNames) addVars(v *value.Vars) {
	for n := range v.All() {
		k.names[n] = true
	}
}

func (k *knownNames) addSet(set *plan.VarSet) {
	if set != nil && !k.sets[set] {
		k.sets[set] = true
		k.addVars(&set.Vars)
	}
}

func (k *knownNames) addRole(r *plan.Role) {
	if r == nil || k.roles[r] {
		return
	}
	k.roles[r] = true
	for _, set := range append(append([]*plan.VarSet{r.Params}, r.Defaults...), r.Vars...) {
		k.addSet(set)
	}
	for _, p := range r.Parents {
		k.addRole(p)
	}
}

// addFile adds the variables of a file, or of all files that a templated name can mean.
func (k *knownNames) addFile(name value.Value, dirs ...string) {
	if name == nil {
		return
	}
	s := attrText(plan.Attr{Value: name})
	pattern := templated.ReplaceAllString(s, "*")
	for _, dir := range dirs {
		path := load.Abs(dir, s)
		if pattern == s {
			if k.c.isFile(path) {
				k.loadFile(path)
				return
			}
			continue
		}
		found, _ := filepath.Glob(load.Abs(dir, pattern))
		for _, path := range found {
			k.loadFile(path)
		}
	}
}

// templated is the part of a file name that is known only in the run.
var templated = regexp.MustCompile(`\{\{.*?\}\}|\{%.*?%\}`)

func (k *knownNames) loadFile(path string) {
	if k.files[path] || !k.c.isFile(path) {
		return
	}
	k.files[path] = true
	if v, err := k.c.LoadVarsFile(path); err == nil {
		k.addVars(v)
	}
}

func (k *knownNames) addTask(t *plan.Task) {
	k.add(sets(t)...)
	k.addRole(t.Role)
	for _, set := range t.Vars {
		k.addSet(set)
	}
	if t.Loop != nil {
		for _, a := range []plan.Attr{t.Loop.Var, t.Loop.IndexVar} {
			k.add(attrText(a))
		}
	}
	var dirs []string
	for _, d := range t.Search {
		dirs = append(dirs, filepath.Join(d, "vars"), d)
	}
	switch t.Module {
	case "ansible.builtin.include_vars":
		for _, n := range []string{"file", "_raw_params"} {
			v, _ := t.Args.GetString(n)
			k.addFile(v, dirs...)
		}
		if dir, ok := t.Args.GetString("dir"); ok && value.Str(dir) != "" {
			k.addFile(filepath.Join(value.Str(dir), "{{ }}"), dirs...)
		}
		if v, ok := t.Args.GetString("name"); ok {
			k.add(attrText(plan.Attr{Value: v}))
		}
	case "ansible.builtin.add_host":
		for _, e := range t.Args.Entries() {
			k.add(value.Str(e.Key))
		}
	}
}

// taskReads lists what a task's templates and conditions read, with places.
func taskReads(t *plan.Task) []template.NameRead {
	var out []template.NameRead
	for _, e := range t.Args.Entries() {
		out = append(out, template.Names(e.Value)...)
		if t.Module == "ansible.builtin.assert" && e.Key == "that" {
			out = append(out, template.CondNames(asCond(e.Value, t.Pos))...)
		}
	}
	out = append(out, template.Names(t.ArgsExpr)...)
	for _, c := range slices.Concat(t.When, t.ChangedWhen, t.FailedWhen, t.Until) {
		out = append(out, template.CondNames(c.Value)...)
	}
	if t.Loop != nil {
		out = append(out, template.Names(t.Loop.Expr)...)
	}
	for _, set := range t.Vars {
		if set.Kind == plan.TaskVars {
			for _, v := range set.Vars.All() {
				out = append(out, template.Names(v.Value)...)
			}
		}
	}
	return out
}
