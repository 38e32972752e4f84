// Package compile turns playbooks into plans: it finds files and roles, pulls in what is
// imported, applies inheritance, resolves modules and checks what can be checked without
// a connection. What a host decides at run time (include_tasks, include_role) is compiled
// by the Expander when the host gets there.
package compile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/playbooks/ast"
	"fettle/playbooks/load"
)

// Options of a compilation. Playbooks is needed.
type Options struct {
	// Playbooks are paths, or namespace.collection.name of a playbook in a collection.
	Playbooks []string
	// ExtraVars are the variables of the command line; names of imported files and tags may use them.
	ExtraVars *value.Vars
	// RolesPath and CollectionsPath are searched after the places beside the playbook;
	// nil means Ansible's defaults.
	RolesPath, CollectionsPath []string
	// LibraryPath are further folders with modules.
	LibraryPath []string
	// PluginPaths are further folders with plugins, by kind (filter, test, ...): what is in
	// Python there is recognised, and refused by name.
	PluginPaths map[string][]string
	// Rejected are short names of modules that are not to be found (plugin_filters_cfg).
	Rejected map[string]bool
	// Texts are files that are not on disk, by path: the playbook of an ad-hoc command.
	Texts map[string][]byte
	// Decrypt opens vault files.
	Decrypt func(text []byte, file string) ([]byte, error)
	// Templates renders names that must be known before the run; nil means an engine of its own.
	Templates *template.Engine
	// Selected tells whether tags select a task; problems of tasks that are not selected
	// do not stop a run. Nil means all.
	Selected func(tags []string) bool
	// Dir is the working directory for relative names; "" means the process's.
	Dir string
	// Variables are the names that the inventory sets; nil turns the search for misspelt
	// variables off.
	Variables []string
	// Duplicates says what a key given twice is: warn, error or ignore.
	Duplicates string
	// PrivateRoles: the play does not see the variables of roles (private_role_vars).
	PrivateRoles bool
	// Magic are further variables that are known before the run (inventory_dir, ...).
	Magic *value.Vars
}

// Compile compiles playbooks. The plan is nil when nothing could be read; the problems tell
// whether it may be run. The Expander goes with the plan.
func Compile(opts Options) (*plan.Plan, plan.Expander, *diag.List) {
	c := newCompiler(opts)
	p := &plan.Plan{}
	for _, name := range opts.Playbooks {
		path, err := c.findPlaybook(name)
		if err != nil {
			c.diags.Add(diag.Errorf(diag.Pos{}, "file", "%v", err))
			continue
		}
		plays := c.playbook(path, nil)
		for _, play := range plays {
			play.Playbook = name
		}
		p.Plays = append(p.Plays, plays...)
	}
	c.reservedNames()
	c.foresee()
	if opts.Variables != nil {
		c.undefined(p)
	}
	c.all = nil
	p.Files = c.loader.Files()
	return p, c, c.diags
}

// reservedNames warns of variables of the command line and the inventory that are called
// as keywords.
func (c *compiler) reservedNames() {
	for name, v := range c.opts.ExtraVars.All() {
		if ast.Reserved(name) {
			c.diags.Add(diag.Warnf(v.At, "reserved", "Found variable using reserved name: %s", name))
		}
	}
	for _, name := range c.opts.Variables {
		if ast.Reserved(name) {
			c.diags.Add(diag.Warnf(diag.Pos{}, "reserved", "Found variable using reserved name: %s (in the inventory)", name))
		}
	}
}

// compiler holds what all plays share. Its methods are called under mu once the run has begun.
type compiler struct {
	opts   Options
	loader *load.Loader
	tmpl   *template.Engine
	diags  *diag.List

	mu           sync.Mutex
	ids          int
	blocks       int
	handlerLists int
	contexts     map[*plan.Task]*scope // of include tasks: where their content will stand
	tasks        map[taskUse]*prepared
	resolved     map[moduleUse]resolution
	libraries    map[string]map[string]string
	plugins      map[string][]string // Python files of a folder
	pluginText   map[string][]byte   // of a Python file
	exps         map[expansionKey]*expansion
	roleDirs     map[roleKey]foundRole
	stats        map[string]bool
	vars         map[string]loadedVars
	templated    map[*plan.Task]templatedTask
	actions      map[actionKey]*plan.Task
	searches     map[searchKey][]string
	dynamic      bool // compiling an expansion: nothing found now stops the run
	importing    []string
	includes     []*plan.Task // dynamic includes found so far; foresee follows them
	all          []*plan.Task // every task seen before the run
	foreseeing   bool         // the run has not begun
}

func newCompiler(opts Options) *compiler {
	c := &compiler{opts: opts, foreseeing: true, diags: &diag.List{}, tmpl: opts.Templates,
		contexts: map[*plan.Task]*scope{}, tasks: map[taskUse]*prepared{}, resolved: map[moduleUse]resolution{},
		libraries: map[string]map[string]string{}, plugins: map[string][]string{}, pluginText: map[string][]byte{}, exps: map[expansionKey]*expansion{}, roleDirs: map[roleKey]foundRole{},
		stats: map[string]bool{}, searches: map[searchKey][]string{}, templated: map[*plan.Task]templatedTask{}, actions: map[actionKey]*plan.Task{}, vars: map[string]loadedVars{}}
	if c.opts.Dir == "" {
		c.opts.Dir, _ = os.Getwd()
	}
	if c.opts.RolesPath == nil {
		c.opts.RolesPath = []string{"~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"}
	}
	if c.opts.CollectionsPath == nil {
		c.opts.CollectionsPath = []string{"~/.ansible/collections", "/usr/share/ansible/collections"}
	}
	if c.tmpl == nil {
		c.tmpl = template.New(template.Options{})
	}
	c.loader = &load.Loader{Decrypt: opts.Decrypt, Texts: opts.Texts, Duplicates: opts.Duplicates, IsModule: isModuleName}
	return c
}

func isLookup(name string) bool { return template.HasLookup(name) || knownLookup(name) }

// findPlaybook makes a playbook's name a path.
func (c *compiler) findPlaybook(name string) (string, error) {
	path := load.Abs(c.opts.Dir, name)
	if c.exists(path) {
		return path, nil
	}
	if strings.Count(name, ".") >= 2 && !strings.Contains(name, "/") {
		if p, ok := c.inCollection(name, "playbooks", c.opts.Dir); ok {
			return p, nil
		}
	}
	_, err := os.Stat(path)
	return "", &fileError{"the playbook " + name + " could not be found", err}
}

// fileError says what could not be found, in words; the cause is kept for callers.
type fileError struct {
	msg string
	err error
}

func (e *fileError) Error() string { return e.msg }
func (e *fileError) Unwrap() error { return e.err }

func (c *compiler) exists(path string) bool {
	if _, virtual := c.opts.Texts[path]; virtual {
		return true
	}
	ok, known := c.stats[path]
	if !known {
		_, err := os.Stat(path)
		ok = err == nil
		if !c.dynamic {
			c.stats[path] = ok
		}
	}
	return ok
}

// playbook compiles one playbook file; from is the import that names it.
func (c *compiler) playbook(path string, from *importing) []*plan.Play {
	if slices.Contains(c.importing, path) {
		c.diags.Add(diag.Errorf(from.at, "file", "the playbook %s imports itself", path))
		return nil
	}
	c.importing = append(c.importing, path)
	defer func() { c.importing = c.importing[:len(c.importing)-1] }()
	pb, ds, err := c.loader.Playbook(path)
	if err != nil {
		at := diag.Pos{File: path}
		if from != nil {
			at = from.at
		}
		c.diags.Add(diag.Errorf(at, "file", "cannot read the playbook: %v", err))
		return nil
	}
	c.take(ds)
	if pb == nil {
		return nil
	}
	var out []*plan.Play
	for _, e := range pb.Entries {
		switch e := e.(type) {
		case *ast.Play:
			out = append(out, c.play(path, e, from))
		case *ast.Import:
			out = append(out, c.importPlaybook(path, e, from)...)
		}
	}
	return out
}

// take adds the problems of a file.
func (c *compiler) take(ds *diag.List) {
	if ds != nil && ds.Len() > 0 {
		c.diags.Add(ds.Sorted()...)
	}
}

// importing is what an import_playbook gives to the plays it brings in.
type importing struct {
	at   diag.Pos
	vars *value.Vars
	tags []plan.Attr
	when []plan.Cond
}

func (c *compiler) importPlaybook(path string, e *ast.Import, from *importing) []*plan.Play {
	if e.File == nil {
		return nil
	}
	in := &importing{at: e.At, vars: &value.Vars{}}
	if from != nil {
		copyVars(in.vars, from.vars)
		in.tags, in.when = slices.Clone(from.tags), slices.Clone(from.when)
	}
	copyVars(in.vars, e.Vars)
	if t := e.Attrs.Get("tags"); t.Set {
		in.tags = append(in.tags, t)
	}
	in.when = append(in.when, conds(e.Attrs.Get("when"))...)
	s := &scope{c: c, dir: filepath.Dir(path), file: path, imported: in.vars}
	name, ok := s.staticText(e.File, e.At, "the name of a playbook to import")
	if !ok {
		return nil
	}
	file := load.Abs(filepath.Dir(path), name)
	if !c.exists(file) && strings.Count(name, ".") >= 2 {
		if p, ok := c.inCollection(name, "playbooks", filepath.Dir(path)); ok {
			file = p
		}
	}
	if !c.exists(file) {
		c.diags.Add(diag.Errorf(e.At, "file", "the playbook %s could not be found", name))
		return nil
	}
	return c.playbook(file, in)
}

func copyVars(to, from *value.Vars) {
	for n, v := range from.All() {
		to.Set(n, v.Value, v.At)
	}
}

// ReadFile is plan.Expander's.
func (c *compiler) ReadFile(path string) ([]byte, bool, error) { return c.loader.ReadFile(path) }

// LoadVarsFile is plan.Expander's.
func (c *compiler) LoadVarsFile(path string) (*value.Vars, error) {
	v, ds, err := c.loader.Vars(path)
	if err != nil {
		return nil, err
	}
	return v, ds.Err()
}

var _ plan.Expander = (*compiler)(nil)

// constant tells that a value holds no templates and nothing to decrypt.
func constant(v value.Value) bool {
	switch x := v.(type) {
	case *value.Template, *value.Encrypted:
		return false
	case *value.List:
		return !slices.ContainsFunc(x.V, func(e value.Value) bool { return !constant(e) })
	case value.Tuple:
		return !slices.ContainsFunc([]value.Value(x), func(e value.Value) bool { return !constant(e) })
	case *value.Dict:
		for _, e := range x.Entries() {
			if !constant(e.Key) || !constant(e.Value) {
				return false
			}
		}
	case *value.Set:
		return x == nil || constant(x.D)
	}
	return true
}

// conds lists the conditions of a keyword.
func conds(a plan.Attr) []plan.Cond {
	if !a.Set {
		return nil
	}
	l, ok := a.Value.(*value.List)
	if !ok {
		return []plan.Cond{{Value: a.Value, At: a.At}}
	}
	out := make([]plan.Cond, 0, len(l.V))
	for _, v := range l.V {
		at := a.At
		if t, ok := v.(*value.Template); ok {
			at = t.At
		}
		out = append(out, plan.Cond{Value: v, At: at})
	}
	return out
}

// attrs splits a keyword that may be a list into its elements.
func attrs(a plan.Attr) []plan.Attr {
	if !a.Set {
		return nil
	}
	l, ok := a.Value.(*value.List)
	if !ok {
		if a.Value == nil {
			return nil
		}
		return []plan.Attr{a}
	}
	out := make([]plan.Attr, 0, len(l.V))
	for _, v := range l.V {
		at := a.At
		if t, ok := v.(*value.Template); ok {
			at = t.At
		}
		out = append(out, plan.Attr{Value: v, At: at, Set: true})
	}
	return out
}

func (c *compiler) nextID() int {
	c.ids++
	return c.ids
}

// dig follows keys through mappings to a text; "" when there is none.
func dig(v value.Value, keys ...string) string {
	for _, k := range keys {
		d, ok := v.(*value.Dict)
		if !ok {
			return ""
		}
		v, _ = d.GetString(k)
	}
	s, _ := v.(string)
	return s
}
