package compile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/modules"
	"fettle/playbooks/ast"
	"fettle/playbooks/load"
)

// roleKey is a search for a role.
type roleKey struct{ name, collections, dir, parent string }

type foundRole struct {
	path   string
	fq     string // namespace.collection.name, "" for others
	tried  []string
	absent bool
}

// roleParts says which files of a role are wanted; "" is main.
type roleParts struct {
	tasks, vars, defaults, handlers string
	unchecked                       bool // the arguments are not validated
}

// roleUse is a role where it is used: its dependencies, variables and tasks.
type roleUse struct {
	s     *scope // inside the role
	role  *plan.Role
	deps  []*roleUse
	parts roleParts
	at    diag.Pos
	meta  *ast.RoleMeta
}

const maxRoleDepth = 60

// roleUse finds the role of an entry and loads its variables and dependencies.
func (s *scope) roleUse(r *ast.RoleUse, parts *roleParts) *roleUse {
	name, ok := s.staticText(r.Name, r.At, "the name of a role")
	if !ok {
		return nil
	}
	return s.useRole(name, r, parts, nil)
}

// useRole makes the use of a named role. over replaces the role's own allow_duplicates.
func (s *scope) useRole(name string, r *ast.RoleUse, parts *roleParts, over *bool) *roleUse {
	found := s.findRole(name)
	if found.absent {
		d := diag.Errorf(r.At, "role", "the role '%s' was not found in %s", name, strings.Join(found.tried, ":"))
		d.Width = len([]rune(name))
		d.Hint = diag.DidYouMean(name, rolesIn(found.tried))
		s.c.diags.Add(d)
		return nil
	}
	role := &plan.Role{Name: name, FQName: found.fq, Path: found.path, Pos: r.Pos, Public: !s.c.opts.PrivateRoles, Included: parts != nil}
	if strings.ContainsRune(name, '/') && !strings.HasSuffix(found.path, "/"+name) {
		role.Name = filepath.Base(name)
	}
	if s.role != nil {
		role.Parents = append([]*plan.Role{s.role}, s.role.Parents...)
	}
	if len(role.Parents) > maxRoleDepth {
		s.c.diags.Add(diag.Errorf(r.At, "role", "role %q depends on itself", name))
		return nil
	}
	u := &roleUse{role: role, at: r.At}
	if parts != nil {
		u.parts = *parts
	}
	if r.Params.Len() > 0 {
		role.Params = &plan.VarSet{Kind: plan.RoleParams, Where: "parameters of role " + name, Vars: *r.Params}
	}
	role.Key = useKey(role, r, parts)
	in := s.enter(r.Attrs, nil)
	in.role = role
	in.includes++
	u.s = in
	u.load(r, over)
	return u
}

// useKey tells uses of a role apart by what Ansible tells them apart by: all that is
// written where it is used, and whether a task brings it in.
func useKey(role *plan.Role, r *ast.RoleUse, parts *roleParts) string {
	var b strings.Builder
	b.WriteString(role.Path)
	if parts != nil {
		fmt.Fprintf(&b, "\nincluded %q %q %q %q", parts.tasks, parts.vars, parts.defaults, parts.handlers)
	}
	for _, name := range []string{"when", "tags"} {
		if a := r.Attrs.Get(name); a.Set {
			fmt.Fprintf(&b, "\n%s %s", name, value.Repr(a.Value))
		}
	}
	return b.String() + varsKey(r.Params) + varsKey(r.Vars)
}

// varsKey is the part of a role's key for variables that are given to it.
func varsKey(vars *value.Vars) string {
	var b strings.Builder
	b.WriteByte('\n')
	for name, v := range vars.All() {
		fmt.Fprintf(&b, "%q=%s,", name, value.Repr(v.Value))
	}
	return b.String()
}

// load reads meta, variables and defaults of the role.
func (u *roleUse) load(r *ast.RoleUse, over *bool) {
	s, role := u.s, u.role
	u.meta = &ast.RoleMeta{}
	if path := u.file("meta", "main"); path != "" {
		m, ds, err := s.c.loader.Meta(path)
		if err != nil {
			s.c.diags.Add(diag.Errorf(u.at, "file", "%v", err))
		}
		s.c.take(ds)
		if m != nil {
			u.meta = m
		}
	}
	role.AllowDuplicates = u.meta.AllowDuplicates
	if over != nil {
		role.AllowDuplicates = *over
	}
	s.kw.Collections = nil
	if parts := strings.SplitN(role.FQName, ".", 3); len(parts) == 3 {
		s.kw.Collections = []string{parts[0] + "." + parts[1]}
	}
	for _, c := range u.meta.Collections {
		if !slices.Contains(s.kw.Collections, c) {
			s.kw.Collections = append(s.kw.Collections, c)
		}
	}
	s.ownContent(role.Path)
	if lib := filepath.Join(role.Path, "library"); s.state != nil && !slices.Contains(s.state.library, lib) && s.c.exists(lib) {
		s.state.library = append(s.state.library, lib)
	}
	own := func(kind plan.VarKind, dir, from string) []*plan.VarSet { return u.vars(kind, dir, from) }
	ownDefaults := own(plan.RoleDefaults, "defaults", u.parts.defaults)
	ownVars := own(plan.RoleVars, "vars", u.parts.vars)
	role.Defaults, role.Vars = ownDefaults, ownVars
	role.Entry = varSet(plan.BlockVars, "vars of the role entry "+role.Name, r.Vars)
	for _, dep := range u.meta.Dependencies {
		if d := s.roleUse(dep, nil); d != nil {
			u.deps = append(u.deps, d)
		}
	}
	role.Defaults, role.Vars = u.inherited(ownDefaults, ownVars)
	if role.Entry != nil {
		s.vars = append(slices.Clip(s.vars), role.Entry)
	}
}

// inherited puts what dependencies bring, and the defaults of parents, below a role's own
// variables. Variables of parents are looked up in the parents themselves (vars.Scope).
func (u *roleUse) inherited(ownDefaults, ownVars []*plan.VarSet) (defaults, vars []*plan.VarSet) {
	add := func(to []*plan.VarSet, sets []*plan.VarSet) []*plan.VarSet {
		for _, v := range sets {
			if !slices.Contains(to, v) {
				to = append(to, v)
			}
		}
		return to
	}
	for _, d := range u.deps {
		defaults, vars = add(defaults, d.role.Defaults), add(vars, d.role.Vars)
	}
	for i := len(u.role.Parents) - 1; i >= 0; i-- {
		defaults = add(defaults, u.role.Parents[i].Defaults)
	}
	return append(defaults, ownDefaults...), append(vars, ownVars...)
}

// extensions that Ansible tries, in order.
var extensions = []string{".yml", ".yaml", ".json", ""}

// file finds a file of the role; name has an extension or not.
func (u *roleUse) file(dir, name string) string {
	base := filepath.Join(u.role.Path, dir, name)
	if filepath.IsAbs(name) || !within(base, filepath.Join(u.role.Path, dir)) {
		u.s.c.diags.Add(diag.Errorf(u.at, "role", "Failed to find '%s' for role '%s' as it is not inside the expected role path: '%s'", name, u.role.Name, u.role.Path))
		return ""
	}
	if ext := filepath.Ext(name); slices.Contains(extensions[:3], ext) {
		if u.s.c.isFile(base) {
			return base
		}
	}
	for _, ext := range extensions {
		if u.s.c.isFile(base + ext) {
			return base + ext
		}
	}
	return ""
}

// missing reports a file that was asked for by name. As in Ansible, that is no error when
// the role does not have the folder either.
func (u *roleUse) missing(dir, from string) {
	if from != "" && u.s.c.isDir(filepath.Join(u.role.Path, dir)) {
		u.s.c.diags.Add(diag.Errorf(u.at, "part", "Could not find specified file in role: %s/%s", dir, from))
	}
}

// within tells whether a path lies below a folder.
func within(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

func (c *compiler) isFile(path string) bool {
	if !c.exists(path) {
		return false
	}
	st, err := os.Stat(path)
	return err == nil && !st.IsDir()
}

// vars reads a variables file of the role, or a folder of them.
func (u *roleUse) vars(kind plan.VarKind, dir, from string) []*plan.VarSet {
	name := from
	if name == "" {
		name = "main"
	}
	var paths []string
	if path := u.file(dir, name); path != "" {
		paths = []string{path}
	} else if base := filepath.Join(u.role.Path, dir, name); u.s.c.exists(base) {
		paths = varsFilesIn(base)
	} else {
		u.missing(dir, from)
	}
	var out []*plan.VarSet
	for _, path := range paths {
		if v := u.s.c.varsOf(kind, path, "role "+u.role.Name+" "+dir); v != nil {
			out = append(out, v)
		}
	}
	return out
}

type loadedVars struct {
	from *value.Vars
	set  *plan.VarSet
}

// varsOf gives the variables of a file, the same set each time.
func (c *compiler) varsOf(kind plan.VarKind, path, where string) *plan.VarSet {
	v, ds, err := c.loader.Vars(path)
	if old, ok := c.vars[path]; ok && old.from == v {
		return old.set
	}
	if err != nil {
		c.diags.Add(diag.Errorf(diag.Pos{File: path}, "file", "%v", err))
	}
	c.take(ds)
	var set *plan.VarSet
	if v.Len() > 0 {
		set = &plan.VarSet{Kind: kind, Where: where + " (" + path + ")", Vars: *v}
	}
	c.vars[path] = loadedVars{v, set}
	return set
}

// varsFilesIn lists the files of a variables folder in Ansible's order.
func varsFilesIn(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		path := filepath.Join(dir, name)
		if e.IsDir() {
			out = append(out, varsFilesIn(path)...)
		} else if slices.Contains(extensions, filepath.Ext(name)) {
			out = append(out, path)
		}
	}
	return out
}

// register makes the role and its dependencies roles of the play, dependencies first.
func (u *roleUse) register() {
	for _, d := range u.deps {
		d.register()
	}
	if u.s.c.dynamic {
		u.s.state.roles = append(u.s.state.roles, u.role)
		return
	}
	u.s.play.Roles = append(u.s.play.Roles, u.role)
}

// setPublic says whether the play sees the variables of the role and its dependencies.
func (u *roleUse) setPublic(public bool) {
	u.role.Public = public
	for _, d := range u.deps {
		d.setPublic(public)
	}
}

// handlers compiles the handlers of the role and its dependencies.
func (u *roleUse) handlers() []*plan.Handler {
	var out []*plan.Handler
	for _, d := range u.deps {
		out = append(out, d.handlers()...)
	}
	path := u.file("handlers", or(u.parts.handlers, "main"))
	if path == "" {
		u.missing("handlers", u.parts.handlers)
		return out
	}
	items, ds, err := u.s.c.loader.Tasks(path, true)
	if err != nil {
		u.s.c.diags.Add(diag.Errorf(u.at, "file", "%v", err))
	}
	u.s.c.take(ds)
	h := *u.s
	h.handlers, h.file = true, path
	return append(out, h.handlerItems(items)...)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// tasks compiles the tasks of the dependencies and then the role's.
func (u *roleUse) tasks(g *graph) {
	for _, d := range u.deps {
		d.tasks(g)
	}
	path := u.file("tasks", or(u.parts.tasks, "main"))
	if path == "" {
		u.missing("tasks", u.parts.tasks)
	}
	in := *u.s
	in.file = path
	if path == "" {
		in.file = filepath.Join(u.role.Path, "tasks", "main.yml")
	}
	in.validateArguments(g, u)
	if path != "" {
		items, ds, err := in.c.loader.Tasks(path, false)
		if err != nil {
			in.c.diags.Add(diag.Errorf(u.at, "file", "%v", err))
		}
		in.c.take(ds)
		in.items(g, items)
	}
	t := in.implicit("ansible.builtin.meta", "meta")
	t.Pos = u.at
	t.Args.SetString("_raw_params", "role_complete")
	t.Static, t.Encoded = encode(t)
	g.task(t)
}

// validateArguments adds the implicit task that checks a role's parameters.
func (s *scope) validateArguments(g *graph, u *roleUse) {
	entry := strings.TrimSuffix(strings.TrimSuffix(or(u.parts.tasks, "main"), ".yml"), ".yaml")
	if u.parts.unchecked {
		return
	}
	spec := u.argumentSpec(entry)
	if spec == nil || modules.Find("ansible.builtin.validate_argument_spec") == nil {
		return
	}
	options, _ := spec.GetString("options")
	if options == nil {
		options = value.NewDict(0)
	}
	name := fmt.Sprintf("Validating arguments against arg spec '%s'", entry)
	if d, ok := spec.GetString("short_description"); ok && d != nil {
		name += " - " + value.Str(d)
	}
	t := s.implicit("ansible.builtin.validate_argument_spec", "ansible.builtin.validate_argument_spec")
	t.Pos, t.Implicit = u.at, false
	t.When = s.when
	t.Name = plan.Attr{Value: name, At: u.at, Set: true}
	t.Tags = append(slices.Clip(s.tags), "always")
	provided := value.NewDict(4)
	if u.role.Params != nil {
		for n, v := range u.role.Params.Vars.All() {
			provided.SetString(n, v.Value)
		}
	}
	t.Args.SetString("argument_spec", options)
	t.Args.SetString("provided_arguments", provided)
	t.Args.SetString("validate_args_context", value.DictOf("type", "role", "name", u.role.Name, "argument_spec_name", entry, "path", u.role.Path))
	t.Static, t.Encoded = encode(t)
	g.task(t)
}

// argumentSpec is the specification of an entry point of the role.
func (u *roleUse) argumentSpec(entry string) *value.Dict {
	specs := u.meta.ArgumentSpecs
	for _, name := range []string{"argument_specs", "argument_spec"} {
		if path := u.file("meta", name); path != "" {
			v, ds, err := u.s.c.loader.Data(path)
			if err == nil {
				u.s.c.take(ds)
			}
			if d, ok := v.(*value.Dict); ok {
				x, _ := d.GetString("argument_specs")
				specs, _ = x.(*value.Dict)
			}
			break
		}
	}
	v, _ := specs.GetString(entry)
	d, _ := v.(*value.Dict)
	return d
}

// findRole searches a role by name.
func (s *scope) findRole(name string) foundRole {
	key := roleKey{name, strings.Join(s.kw.Collections, " "), s.dir, ""}
	if s.role != nil {
		key.parent = s.role.Path
	}
	f, ok := s.c.roleDirs[key]
	if !ok {
		if f = s.searchRole(name); !f.absent {
			s.c.roleDirs[key] = f
		}
	}
	return f
}

func (s *scope) searchRole(name string) foundRole {
	if strings.Count(name, ".") >= 2 && !strings.Contains(name, "/") {
		if path, ok := s.c.inCollection(name, "roles", s.dir); ok {
			return foundRole{path: path, fq: name}
		}
	}
	for _, coll := range s.kw.Collections {
		if path, ok := s.c.inCollection(coll+"."+name, "roles", s.dir); ok {
			return foundRole{path: path, fq: coll + "." + name}
		}
	}
	dirs := []string{filepath.Join(s.dir, "roles")}
	for _, d := range s.c.opts.RolesPath {
		dirs = append(dirs, load.Abs(s.c.opts.Dir, d))
	}
	if s.role != nil {
		dirs = append(dirs, filepath.Dir(s.role.Path))
	}
	dirs = append(dirs, s.dir)
	for _, d := range dirs {
		if path := filepath.Join(d, name); s.c.isDir(path) {
			return foundRole{path: path}
		}
	}
	if path := load.Abs(s.c.opts.Dir, name); s.c.isDir(path) {
		return foundRole{path: path}
	}
	return foundRole{absent: true, tried: dirs}
}

func (c *compiler) isDir(path string) bool {
	if !c.exists(path) {
		return false
	}
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// rolesIn lists the roles of folders, to suggest one.
func rolesIn(dirs []string) []string {
	var out []string
	for _, d := range dirs[:max(len(dirs)-1, 0)] {
		entries, _ := os.ReadDir(d)
		for _, e := range entries {
			if e.IsDir() {
				out = append(out, e.Name())
			}
		}
	}
	return out
}
