package compile

import (
	"context"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/playbooks/ast"
)

// scope is where an object stands: everything it inherits. A scope is never changed once
// it has been handed on; enter makes a copy with an object's own keywords on top.
type scope struct {
	c        *compiler
	play     *plan.Play
	state    *playState
	dir      string // the playbook's
	file     string // the file the object stands in
	role     *plan.Role
	kw       plan.Keywords
	when     []plan.Cond
	tags     []string
	notify   []plan.Attr
	delegate plan.Attr
	facts    plan.Attr      // delegate_facts
	vars     []*plan.VarSet // innermost first
	imported *value.Vars    // of import_playbook
	dirs     []string       // of the files that include this one, nearest first
	parent   *plan.Task     // the dynamic include it comes from
	handlers bool           // its tasks are handlers
	caught   bool           // a failure is handled: rescue, ignore_errors
	includes int            // how deep imports nest
}

// playState is what the compiler knows of a play while it compiles it.
type playState struct {
	ast       *ast.Play
	varsFiles []*value.Vars // those whose names are known
	library   []string      // folders with modules, of the playbook and of roles
	content   []string      // folders of the playbook and of roles, which may bring plugins
	loadedVF  bool
	handlers  []*plan.Handler // of imported roles: they follow the play's own
	roles     []*plan.Role    // imported by what a dynamic include brings in
}

// place maps the keywords every level shares to their fields.
var place = map[string]func(*plan.Keywords) *plan.Attr{
	"any_errors_fatal":   func(k *plan.Keywords) *plan.Attr { return &k.AnyErrorsFatal },
	"become":             func(k *plan.Keywords) *plan.Attr { return &k.Become },
	"become_exe":         func(k *plan.Keywords) *plan.Attr { return &k.BecomeExe },
	"become_flags":       func(k *plan.Keywords) *plan.Attr { return &k.BecomeFlags },
	"become_method":      func(k *plan.Keywords) *plan.Attr { return &k.BecomeMethod },
	"become_user":        func(k *plan.Keywords) *plan.Attr { return &k.BecomeUser },
	"check_mode":         func(k *plan.Keywords) *plan.Attr { return &k.CheckMode },
	"connection":         func(k *plan.Keywords) *plan.Attr { return &k.Connection },
	"debugger":           func(k *plan.Keywords) *plan.Attr { return &k.Debugger },
	"diff":               func(k *plan.Keywords) *plan.Attr { return &k.Diff },
	"ignore_errors":      func(k *plan.Keywords) *plan.Attr { return &k.IgnoreErrors },
	"ignore_unreachable": func(k *plan.Keywords) *plan.Attr { return &k.IgnoreUnreachable },
	"no_log":             func(k *plan.Keywords) *plan.Attr { return &k.NoLog },
	"port":               func(k *plan.Keywords) *plan.Attr { return &k.Port },
	"remote_user":        func(k *plan.Keywords) *plan.Attr { return &k.RemoteUser },
	"run_once":           func(k *plan.Keywords) *plan.Attr { return &k.RunOnce },
	"throttle":           func(k *plan.Keywords) *plan.Attr { return &k.Throttle },
	"timeout":            func(k *plan.Keywords) *plan.Attr { return &k.Timeout },
}

// enter gives the scope inside of an object with these keywords. Lists that are extended
// (when, tags, environment, module_defaults) grow, other keywords are replaced.
func (s *scope) enter(as ast.Attrs, vars *plan.VarSet) *scope {
	n := *s
	for i := range as {
		a := &as[i]
		at := plan.Attr{Value: a.Value, At: a.At, Set: true}
		if field := place[a.Name]; field != nil {
			if outer := *field(&n.kw); outer.Set {
				if _, computed := a.Value.(*value.Template); computed {
					at.Outer = &outer
				}
			}
			*field(&n.kw) = at
			continue
		}
		switch a.Name {
		case "when":
			n.when = append(slices.Clip(n.when), conds(at)...)
		case "tags":
			n.tags = append(slices.Clip(n.tags), s.tagsOf(at)...)
		case "environment":
			n.kw.Environment = append(slices.Clip(n.kw.Environment), at)
		case "module_defaults":
			n.kw.ModuleDefaults = append(slices.Clip(n.kw.ModuleDefaults), at)
		case "collections":
			n.kw.Collections = s.names(at)
		case "notify":
			n.notify = attrs(at)
		case "delegate_to":
			n.delegate = at
		case "delegate_facts":
			n.facts = at
		}
	}
	if ignore := as.Get("ignore_errors"); ignore.Set && ignore.Value != false {
		n.caught = true
	}
	if vars != nil && vars.Vars.Len() > 0 {
		n.vars = append([]*plan.VarSet{vars}, n.vars...)
	}
	return &n
}

// names reads a static list of names.
func (s *scope) names(a plan.Attr) []string {
	var out []string
	for _, e := range attrs(a) {
		if name, ok := e.Value.(string); ok {
			out = append(out, name)
			continue
		}
		s.c.diags.Add(diag.Errorf(e.At, "keyword", "collections are names of collections, and are not templated"))
	}
	return out
}

// tagsOf reads tags: lists, texts with commas, numbers, templates over what is known.
func (s *scope) tagsOf(a plan.Attr) []string {
	var out []string
	add := func(v value.Value) {
		for part := range strings.SplitSeq(value.Str(v), ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	for _, e := range attrs(a) {
		v := e.Value
		if !constant(v) {
			r, err := s.render(v)
			if err != nil {
				s.c.diags.Add(diag.Errorf(e.At, "tags", "tags may only use variables that are known before the run: %v", err))
				continue
			}
			v = r
		}
		switch x := v.(type) {
		case nil:
		case *value.List:
			for _, t := range x.V {
				add(t)
			}
		case *value.Dict:
			s.c.diags.Add(diag.Errorf(e.At, "tags", "tags must be texts, found a mapping"))
		default:
			add(v)
		}
	}
	return out
}

// render renders a value with the variables that are known before the run.
func (s *scope) render(v value.Value) (value.Value, error) {
	if constant(v) {
		return v, nil
	}
	return s.c.tmpl.NewContext(context.Background(), staticVars{s}, s.dir).Render(v)
}

// staticText renders a name that must be known before the run.
func (s *scope) staticText(v value.Value, at diag.Pos, what string) (string, bool) {
	r, err := s.render(v)
	if err != nil {
		d := diag.Errorf(at, "static", "%s must be known before the run: %v", what, err)
		d.Hint = "only extra vars, vars of the play and of the role count there; include_tasks and include_role decide at run time"
		s.c.diags.Add(d)
		return "", false
	}
	if r == nil {
		s.c.diags.Add(diag.Errorf(at, "static", "%s is empty", what))
		return "", false
	}
	return value.Str(r), true
}

// staticVars are the variables that are known before any host is.
type staticVars struct{ s *scope }

// Lookup follows the order of precedence, highest first.
func (v staticVars) Lookup(name string) (value.Value, bool) {
	s := v.s
	if x, ok := s.magic(name); ok {
		return x, true
	}
	for _, set := range s.staticSets() {
		if x, ok := set.Get(name); ok {
			return x.Value, true
		}
	}
	return nil, false
}

// Names implements template.Scope.
func (v staticVars) Names() []string {
	var out []string
	for _, set := range v.s.staticSets() {
		for n := range set.All() {
			out = append(out, n)
		}
	}
	return out
}

func (s *scope) magic(name string) (value.Value, bool) {
	if name == "playbook_dir" {
		return s.dir, true
	}
	if s.role != nil {
		if v, ok := s.role.Magic(name); ok {
			return v, true
		}
	}
	if v, ok := s.c.opts.Magic.Get(name); ok {
		return v.Value, true
	}
	return nil, false
}

// staticSets lists the scopes of variables, highest precedence first.
func (s *scope) staticSets() []*value.Vars {
	out := []*value.Vars{s.c.opts.ExtraVars}
	sets := func(list []*plan.VarSet) {
		for i := len(list) - 1; i >= 0; i-- {
			out = append(out, &list[i].Vars)
		}
	}
	if s.role != nil {
		for _, r := range append([]*plan.Role{s.role}, s.role.Parents...) {
			if r.Params != nil {
				out = append(out, &r.Params.Vars)
			}
		}
	}
	for _, v := range s.vars {
		out = append(out, &v.Vars)
	}
	if s.role != nil {
		sets(s.role.Vars)
	}
	if s.play != nil {
		for i := len(s.play.Roles) - 1; i >= 0; i-- {
			if r := s.play.Roles[i]; r.Public {
				sets(r.Vars)
			}
		}
		out = append(out, s.varsFiles()...)
		if s.play.Vars != nil {
			out = append(out, &s.play.Vars.Vars)
		}
	}
	out = append(out, s.imported)
	if s.role != nil {
		sets(s.role.Defaults)
	}
	if s.play != nil {
		for i := len(s.play.Roles) - 1; i >= 0; i-- {
			if r := s.play.Roles[i]; r.Public {
				sets(r.Defaults)
			}
		}
	}
	return out
}

// varsFiles reads those vars_files whose names are known before the run.
func (s *scope) varsFiles() []*value.Vars {
	st := s.state
	if st == nil || len(st.ast.VarsFiles) == 0 {
		return nil
	}
	if !st.loadedVF {
		st.loadedVF = true // first, so that their names can use the earlier ones
		for _, a := range st.ast.VarsFiles {
			if v := s.varsFile(a); v != nil {
				st.varsFiles = append([]*value.Vars{v}, st.varsFiles...)
			}
		}
	}
	return st.varsFiles
}

func (s *scope) varsFile(a plan.Attr) *value.Vars {
	for _, alt := range attrs(a) {
		name, err := s.render(alt.Value)
		if err != nil {
			return nil
		}
		path := s.searchVars(value.Str(name))
		if path == "" {
			continue
		}
		if v, err := s.c.LoadVarsFile(path); err == nil {
			return v
		}
	}
	return nil
}
