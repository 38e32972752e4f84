package compile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// maxImports bounds how deep files import each other.
const maxImports = 100

// importTasks compiles the tasks of an imported file in place. s is inside the import.
func (s *scope) importTasks(g *graph, t *ast.Task) {
	if !s.importable(t) {
		return
	}
	v, _ := t.Args.GetString("_raw_params")
	if f, ok := t.Args.GetString("file"); ok {
		v = f
	}
	if v == nil {
		s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "No file specified for %s", t.Action))
		return
	}
	at := argAt(t, "file", "_raw_params")
	name, ok := s.staticText(v, at, "the name of a file to import")
	if !ok {
		return
	}
	path, tried := s.findTasks(name, false)
	if path == "" {
		d := diag.Errorf(at, "file", "the file %q to import was not found", name)
		d.Detail = "searched: " + fmt.Sprint(tried)
		s.c.diags.Add(d)
		return
	}
	in := s.within(path)
	if in.includes > maxImports {
		s.c.diags.Add(diag.Errorf(at, "file", "imports nest too deep: does %s import itself?", path))
		return
	}
	items, ds, err := s.c.loader.Tasks(path, s.handlers)
	if err != nil {
		s.c.diags.Add(diag.Errorf(at, "file", "cannot read %s: %v", path, err))
		return
	}
	s.c.take(ds)
	if len(items) == 0 && ds.Len() == 0 {
		s.c.diags.Add(diag.Warnf(at, "empty", "the imported file %s is empty", path))
	}
	in.items(g, items)
}

// within is the scope of the tasks of a file that s brings in.
func (s *scope) within(path string) *scope {
	in := *s
	in.dirs = append([]string{filepath.Dir(s.file)}, s.dirs...)
	in.file = path
	in.includes++
	return &in
}

// importable reports what an import does not take.
func (s *scope) importable(t *ast.Task) bool {
	n := s.c.diags.Errors()
	if t.Loop != nil {
		d := diag.Errorf(t.Loop.At, "keyword", "%s cannot loop: it is expanded before the run", t.Action)
		d.Hint = "write include_tasks or include_role"
		s.c.diags.Add(d)
	}
	return s.c.diags.Errors() == n
}

// knownOptions refuses options that an include or import does not have, as Ansible does on loading.
func (s *scope) knownOptions(t *ast.Task, options []string) bool {
	known := true
	for _, e := range t.Args.Entries() {
		name, _ := e.Key.(string)
		if slices.Contains(options, name) {
			continue
		}
		known = false
		d := diag.Errorf(argAt(t, name), "keyword", "Invalid options for %s: %s", t.Action, name)
		d.Hint, d.Width = diag.DidYouMean(name, options), len([]rune(name))
		if name == "apply" {
			d.Hint = "keywords stand on the import itself"
		}
		s.c.diags.Add(d)
	}
	return known
}

func argAt(t *ast.Task, names ...string) diag.Pos {
	for _, n := range names {
		v, ok := t.Args.GetString(n)
		if tm, isTemplate := v.(*value.Template); ok && isTemplate {
			return tm.At
		}
		if at, ok := t.ArgsAt[n]; ok {
			return at
		}
	}
	return t.ActionAt
}

// includeOptions are the options of each kind of include and import.
var includeOptions = map[string][]string{
	includeTasks: {"file", "_raw_params", "apply"},
	importTasks:  {"file", "_raw_params"},
	includeRole:  append([]string{"_raw_params", "apply"}, roleOptions...),
	importRole:   append([]string{"_raw_params"}, roleOptions...),
}

var roleOptions = []string{"name", "role", "tasks_from", "vars_from", "defaults_from", "handlers_from", "allow_duplicates", "public", "rolespec_validate"}

// importRole compiles a role in place. s is inside the import.
func (s *scope) importRole(g *graph, t *ast.Task) {
	if !s.importable(t) {
		return
	}
	text := func(names ...string) string {
		for _, n := range names {
			if v, ok := t.Args.GetString(n); ok && v != nil {
				s, _ := s.staticText(v, argAt(t, n), n+" of import_role")
				return s
			}
		}
		return ""
	}
	name := text("name", "role")
	if name == "" {
		s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "import_role needs the name of a role"))
		return
	}
	duplicates := s.importFlag(t, "allow_duplicates", true)
	entry := &ast.RoleUse{Pos: t.Pos, At: argAt(t, "name", "role")}
	parts := &roleParts{text("tasks_from"), text("vars_from"), text("defaults_from"), text("handlers_from"), !s.importFlag(t, "rolespec_validate", true)}
	u := s.useRole(name, entry, parts, &duplicates)
	if u == nil {
		return
	}
	u.role.Key += varsKey(t.Vars)
	u.setPublic(s.importFlag(t, "public", !s.c.opts.PrivateRoles))
	if u.s.includes > maxImports {
		s.c.diags.Add(diag.Errorf(t.ActionAt, "role", "imports nest too deep: does role %s import itself?", name))
		return
	}
	u.s.dirs = append([]string{filepath.Dir(s.file)}, s.dirs...)
	u.register()
	if s.state != nil {
		s.state.handlers = append(s.state.handlers, u.handlers()...)
	}
	u.tasks(g)
}

// importFlag is a switch of import_role.
func (s *scope) importFlag(t *ast.Task, name string, dflt bool) bool {
	v, ok := t.Args.GetString(name)
	if !ok || v == nil {
		return dflt
	}
	b, err := modules.ToBool(v)
	if err != nil {
		s.c.diags.Add(diag.Errorf(argAt(t, name), "keyword", "%s of import_role must be a boolean that is known before the run", name))
		return dflt
	}
	return b
}

// findTasks searches a file of tasks; Ansible looks beside the including files, in the
// role and beside the playbook.
func (s *scope) findTasks(name string, dynamic bool) (path string, tried []string) {
	if filepath.IsAbs(name) || len(name) > 1 && name[:2] == "~/" {
		tried = []string{load.Abs(s.dir, name)}
	} else {
		tried = s.tasksPaths(name, dynamic)
	}
	for _, p := range tried {
		if s.c.isFile(p) {
			return p, tried
		}
	}
	return "", tried
}

func (s *scope) tasksPaths(name string, dynamic bool) []string {
	var out []string
	add := func(parts ...string) {
		if p := filepath.Join(append(parts, name)...); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	chain := append([]string{filepath.Dir(s.file)}, s.dirs...)
	if s.role == nil {
		for _, dir := range chain {
			add(dir)
			add(s.dir)
		}
		return out
	}
	sub := "tasks"
	if s.handlers {
		sub = "handlers"
	}
	if dynamic {
		add(s.role.Path, sub)
		add(s.role.Path, "tasks")
		add(s.role.Path)
	}
	for _, dir := range chain {
		add(dir, sub)
		add(dir)
	}
	add(s.role.Path, sub)
	add(s.role.Path, "tasks")
	add(s.role.Path)
	add(s.dir, sub)
	add(s.dir)
	return out
}

// expansionKey is one expansion: the same file under the same vertex is compiled once.
type expansionKey struct {
	parent *plan.Task
	file   string
	role   plan.RoleUse
}

type expansion struct {
	x   *plan.Expansion
	err error
}

// expand compiles once under the lock, and gives problems as an error.
func (c *compiler) expand(key expansionKey, do func(s *scope) (*plan.Expansion, error)) (*plan.Expansion, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.exps[key]; e != nil {
		return e.x, e.err
	}
	x, diags, err := c.compileInclude(key.parent, do)
	if err == nil {
		err = diags.Err()
	}
	if err != nil {
		x = nil
	}
	if _, missing := err.(*fileError); !missing { // the file may be made later in the run
		c.exps[key] = &expansion{x, err}
	}
	return x, err
}

// compileInclude compiles what a dynamic include brings in.
func (c *compiler) compileInclude(parent *plan.Task, do func(s *scope) (*plan.Expansion, error)) (*plan.Expansion, *diag.List, error) {
	s := c.contexts[parent]
	if s == nil {
		return nil, nil, fmt.Errorf("task %q is not an include of this plan", parent.Action)
	}
	diags, dynamic := c.diags, c.dynamic
	found := &diag.List{}
	c.diags, c.dynamic = found, true
	defer func() { c.diags, c.dynamic = diags, dynamic }()
	clear(c.stats)
	s.state.handlers, s.state.roles = nil, nil
	in, err := s.applied(parent)
	if err != nil {
		return nil, found, err
	}
	x, err := do(in)
	if x != nil {
		x.Handlers = append(x.Handlers, s.state.handlers...)
		x.Roles = s.state.roles
	}
	return x, found, err
}

// foresee compiles the dynamic includes whose names are known, to report before the run
// what is wrong in there. Nothing of it is kept: files may change until a host gets there.
func (c *compiler) foresee() {
	seen := map[string]bool{}
	planned := len(c.includes)
	defer func() {
		for _, t := range c.includes[planned:] {
			delete(c.contexts, t)
		}
		c.includes, c.foreseeing = nil, false
	}()
	for i := 0; i < len(c.includes); i++ { // it grows
		t := c.includes[i]
		if !t.Static || t.ArgsExpr != nil {
			continue
		}
		text := func(names ...string) string {
			for _, n := range names {
				if v, ok := t.Args.GetString(n); ok && v != nil {
					return value.Str(v)
				}
			}
			return ""
		}
		var diags *diag.List
		var err error
		key := ""
		if t.Module == includeTasks {
			file := text("file", "_raw_params")
			path, _ := c.contexts[t].findTasks(file, true)
			if key = path; path == "" {
				key = t.Pos.String()
			}
			if seen[key] {
				continue
			}
			_, diags, err = c.compileInclude(t, c.tasksOf(file))
		} else {
			use := plan.RoleUse{Name: text("name", "role"), TasksFrom: text("tasks_from"), VarsFrom: text("vars_from"),
				DefaultsFrom: text("defaults_from"), HandlersFrom: text("handlers_from"), AllowDuplicates: true, ValidateArgs: true}
			if key = fmt.Sprint("role ", use); seen[key] || use.Name == "" {
				continue
			}
			_, diags, err = c.compileInclude(t, c.roleOf(t, use))
		}
		seen[key] = true
		c.foreseen(t, diags, err)
	}
}

// foreseen adds the problems of an include as warnings: the include may never be reached.
func (c *compiler) foreseen(t *plan.Task, diags *diag.List, err error) {
	var d *diag.Diagnostic
	if err != nil && !errors.As(err, &d) {
		d = diag.Warnf(t.Pos, "file", "%s: %v", t.Action, err)
	}
	if d != nil {
		diags.Add(d)
	}
	for _, d := range diags.Sorted() {
		w := *d
		if w.Severity == diag.Error {
			w.Severity = diag.Warning
		}
		from := diag.Related{Text: "included from", At: t.Pos}
		if w.At.File != t.Pos.File && !slices.Contains(w.Related, from) {
			w.Related = append(slices.Clone(w.Related), from)
		}
		c.diags.Add(&w)
	}
}

// applied is the scope inside of apply.
func (s *scope) applied(parent *plan.Task) (*scope, error) {
	if parent.Apply.Len() == 0 {
		return s, nil
	}
	var as ast.Attrs
	var vars *plan.VarSet
	for _, e := range parent.Apply.Entries() {
		name, _ := e.Key.(string)
		k, ok := ast.Find(name, ast.OnBlock)
		if !ok || k.Kind == ast.Child {
			d := diag.Errorf(parent.ApplyAt, "keyword", "%q is not a keyword for apply", name)
			d.Hint = diag.DidYouMean(name, ast.KeywordNames(ast.OnBlock))
			return nil, d
		}
		if k.Kind == ast.Vars {
			d, ok := e.Value.(*value.Dict)
			if !ok {
				return nil, diag.Errorf(parent.ApplyAt, "keyword", "vars must be a mapping")
			}
			v := &value.Vars{}
			for _, e := range d.Entries() {
				v.Set(value.Str(e.Key), e.Value, parent.ApplyAt)
			}
			vars = varSet(plan.BlockVars, "vars of apply", v)
			continue
		}
		v := e.Value
		if k.Kind == ast.Cond {
			v = condValue(v, parent.ApplyAt)
		}
		as = append(as, ast.Attr{Name: name, Value: v, Key: parent.ApplyAt, At: parent.ApplyAt})
	}
	return s.enter(as, vars), nil
}

// condValue makes conditions of texts.
func condValue(v value.Value, at diag.Pos) value.Value {
	switch x := v.(type) {
	case string:
		return &value.Template{Src: x, At: at}
	case *value.List:
		l := &value.List{}
		for _, e := range x.V {
			l.V = append(l.V, condValue(e, at))
		}
		return l
	}
	return v
}

// IncludeTasks is plan.Expander's.
func (c *compiler) IncludeTasks(_ context.Context, parent *plan.Task, file string) (*plan.Expansion, error) {
	return c.expand(expansionKey{parent: parent, file: file}, c.tasksOf(file))
}

func (c *compiler) tasksOf(file string) func(s *scope) (*plan.Expansion, error) {
	return func(s *scope) (*plan.Expansion, error) {
		path, tried := s.findTasks(file, true)
		if path == "" {
			return nil, &fileError{fmt.Sprintf("Could not find or access '%s' on the Ansible Controller (searched %s)", tried[len(tried)-1], strings.Join(tried, ", ")), fs.ErrNotExist}
		}
		items, ds, err := c.loader.Tasks(path, s.handlers)
		if err != nil {
			return nil, err
		}
		c.take(ds)
		g := newGraph()
		s.within(path).items(g, items)
		return &plan.Expansion{Graph: g.Graph, File: path}, nil
	}
}

// IncludeRole is plan.Expander's.
func (c *compiler) IncludeRole(_ context.Context, parent *plan.Task, use plan.RoleUse) (*plan.Expansion, error) {
	return c.expand(expansionKey{parent: parent, role: use}, c.roleOf(parent, use))
}

func (c *compiler) roleOf(parent *plan.Task, use plan.RoleUse) func(s *scope) (*plan.Expansion, error) {
	return func(s *scope) (*plan.Expansion, error) {
		entry := &ast.RoleUse{Pos: parent.Pos, At: parent.Pos}
		u := s.useRole(use.Name, entry, &roleParts{use.TasksFrom, use.VarsFrom, use.DefaultsFrom, use.HandlersFrom, !use.ValidateArgs}, &use.AllowDuplicates)
		if u == nil {
			return nil, nil // reported
		}
		var own *value.Vars
		if i := slices.IndexFunc(parent.Vars, func(s *plan.VarSet) bool { return s.Kind == plan.TaskVars }); i >= 0 {
			own = &parent.Vars[i].Vars
		}
		u.role.Key += varsKey(own)
		u.setPublic(use.Public)
		u.s.dirs = append([]string{filepath.Dir(s.file)}, s.dirs...)
		g := newGraph()
		handlers := u.handlers()
		u.tasks(g)
		return &plan.Expansion{Graph: g.Graph, Handlers: handlers, Role: u.role, File: use.Name}, nil
	}
}
