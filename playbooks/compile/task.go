package compile

import (
	"fmt"
	"slices"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/playbooks/ast"
	"fettle/playbooks/yamlv"
)

// taskUse is a task in the surroundings that decide what its module is.
type taskUse struct {
	t           *ast.Task
	collections string
}

// prepared is what every use of a task of a file has in common.
type prepared struct {
	res     resolution
	static  bool
	encoded []byte
	checked bool
}

const (
	includeTasks = "ansible.builtin.include_tasks"
	includeRole  = "ansible.builtin.include_role"
	importTasks  = "ansible.builtin.import_tasks"
	importRole   = "ansible.builtin.import_role"
)

// task compiles one task into a vertex, or what it imports in its place.
func (s *scope) task(g *graph, t *ast.Task) {
	in := s.enter(t.Attrs, varSet(plan.TaskVars, "vars of the task", t.Vars))
	if yamlv.HasTemplate(t.Action) {
		name, err := in.render(&value.Template{Src: t.Action, At: t.ActionAt})
		if err != nil {
			in.templatedAction(g, t, s)
			return
		}
		known := *t
		known.Action = value.Str(name)
		t = &known
	}
	p := s.prepare(t)
	if options, ok := includeOptions[p.res.name]; ok && !s.knownOptions(t, options) {
		return
	}
	switch p.res.name {
	case includeTasks:
		if s.fileless(t) {
			return
		}
	case importTasks:
		in.importTasks(g, t)
		return
	case importRole:
		if s.handlers {
			s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "Using '%s' as a handler is not supported.", t.Action))
			return
		}
		if !s.nameless(t) {
			in.importRole(g, t)
		}
		return
	case includeRole:
		if s.handlers {
			s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "Using '%s' as a handler is not supported.", t.Action))
			return
		}
		if s.nameless(t) {
			return
		}
	case "ansible.builtin.meta":
		if where := s.endRoleOutside(t); where != "" {
			s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "Cannot execute 'end_role' from %s", where))
			return
		}
	}
	g.task(in.planTask(t, p, s))
}

// fileless refuses an include that does not say which file.
func (s *scope) fileless(t *ast.Task) bool {
	for _, n := range []string{"file", "_raw_params"} {
		if v, ok := t.Args.GetString(n); ok && v != nil {
			return false
		}
	}
	if t.ArgsExpr != nil {
		return false
	}
	s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "No file specified for %s", t.Action))
	return true
}

// nameless refuses an include or import that does not say which role.
func (s *scope) nameless(t *ast.Task) bool {
	for _, n := range []string{"name", "role", "_raw_params"} {
		if v, ok := t.Args.GetString(n); ok && v != nil {
			return false
		}
	}
	if t.Attrs.Find("args") != nil {
		return false
	}
	s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "'name' is a required field for %s", t.Action))
	return true
}

// endRoleOutside is where an end_role stands that ends no role, or "".
func (s *scope) endRoleOutside(t *ast.Task) string {
	what, _ := t.Args.GetString("_raw_params")
	switch {
	case what != "end_role":
		return ""
	case s.handlers:
		return "a handler"
	case s.role == nil:
		return "outside of a role"
	}
	return ""
}

// templatedAction compiles a task whose module only a host can tell.
func (s *scope) templatedAction(g *graph, t *ast.Task, outer *scope) {
	p := &prepared{checked: true}
	p.static, p.encoded = encode(&plan.Task{Args: t.Args, ArgsExpr: t.ArgsExpr})
	out := s.planTask(t, p, outer)
	out.ActionExpr = &value.Template{Src: t.Action, At: t.ActionAt}
	s.c.templated[out] = templatedTask{s, t, outer}
	g.task(out)
}

type templatedTask struct {
	in    *scope
	t     *ast.Task
	outer *scope
}

// ResolveAction is plan.ActionResolver's. The same name gives the same task.
func (c *compiler) ResolveAction(task *plan.Task, name string) (*plan.Task, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tt, ok := c.templated[task]
	if !ok {
		return nil, fmt.Errorf("the module of task %q is not templated", task.Action)
	}
	key := actionKey{task, name}
	if t := c.actions[key]; t != nil {
		return t, nil
	}
	diags, dynamic := c.diags, c.dynamic
	c.diags, c.dynamic = &diag.List{}, true
	defer func() { c.diags, c.dynamic = diags, dynamic }()
	known := *tt.t
	known.Action = name
	out := tt.in.planTask(&known, tt.outer.prepare(&known), tt.outer)
	out.ID = task.ID
	switch out.Module {
	case importTasks, importRole:
		return nil, fmt.Errorf("the name of %s cannot be templated", name)
	}
	if err := c.diags.Err(); err != nil {
		return nil, err
	}
	c.actions[key] = out
	return out, nil
}

type actionKey struct {
	task *plan.Task
	name string
}

func (s *scope) prepare(t *ast.Task) *prepared {
	use := taskUse{t, ""}
	for _, c := range s.kw.Collections {
		use.collections += c + " "
	}
	if s.state != nil {
		for _, l := range s.state.library {
			use.collections += l + ":"
		}
	}
	if p := s.c.tasks[use]; p != nil {
		return p
	}
	p := &prepared{res: s.module(t.Action)}
	p.static, p.encoded = encode(&plan.Task{Args: t.Args, ArgsExpr: t.ArgsExpr})
	s.c.tasks[use] = p
	return p
}

// planTask makes the plan's task; in is the scope inside of it, outer the one around it.
func (s *scope) planTask(t *ast.Task, p *prepared, outer *scope) *plan.Task {
	as := t.Attrs
	out := &plan.Task{Keywords: s.kw, ID: s.c.nextID(), Name: as.Get("name"), Pos: t.Pos, Action: t.Action,
		Module: p.res.name, Declared: p.res.module, Binary: p.res.binary, Groups: p.res.groups,
		Args: t.Args, ArgsExpr: t.ArgsExpr, ArgsAt: t.ArgsAt, When: s.when, Loop: planLoop(t.Loop),
		ChangedWhen: conds(as.Get("changed_when")), FailedWhen: conds(as.Get("failed_when")), Until: conds(as.Get("until")),
		Retries: as.Get("retries"), Delay: as.Get("delay"), Notify: s.notify, Listen: attrs(as.Get("listen")),
		DelegateTo: s.delegate, DelegateFacts: s.facts, Async: as.Get("async"), Poll: as.Get("poll"),
		Tags: s.tags, Vars: s.vars, Role: s.role, Play: s.play, Handler: s.handlers, Search: s.search(), File: s.file,
		Parent: s.parent, Static: p.static, Encoded: p.encoded}
	if r := as.Find("register"); r != nil {
		out.Register = value.Str(r.Value)
	}
	if t.Local && !as.Get("delegate_to").Set {
		out.DelegateTo = plan.Attr{Value: "localhost", At: t.ActionAt, Set: true}
	}
	if out.Name.Set && (out.Name.Value == nil || out.Name.Value == "") {
		out.Name = plan.Attr{}
	}
	if s.c.foreseeing {
		s.c.all = append(s.c.all, out)
	}
	if p.res.name != "" {
		s.checkModule(out, t, p)
	}
	if out.Module == includeTasks || out.Module == includeRole {
		s.dynamicInclude(out, t, outer)
	}
	return out
}

func planLoop(l *ast.Loop) *plan.Loop {
	if l == nil {
		return nil
	}
	c := l.Control
	return &plan.Loop{Lookup: l.Lookup, Expr: l.Expr, At: l.At, Var: c.Get("loop_var"), IndexVar: c.Get("index_var"), Label: c.Get("label"),
		Pause: c.Get("pause"), Extended: c.Get("extended"), ExtendedAllItems: c.Get("extended_allitems"), BreakWhen: conds(c.Get("break_when"))}
}

// dynamicInclude remembers where the content of an include will stand.
func (s *scope) dynamicInclude(out *plan.Task, t *ast.Task, outer *scope) {
	for _, a := range t.Attrs {
		if !slices.Contains(includeKeywords, a.Name) {
			d := diag.Errorf(a.Key, "keyword", "'%s' is not a valid attribute for %s", a.Name, t.Action)
			d.Width = len(a.Name)
			d.Hint = "put it under apply, or around it with a block"
			s.c.diags.Add(d)
		}
	}
	if v, ok := t.Args.GetString("apply"); ok {
		out.ApplyAt = t.ArgsAt["apply"]
		d, isDict := v.(*value.Dict)
		if !isDict && v != nil {
			s.c.diags.Add(diag.Errorf(out.ApplyAt, "keyword", "apply must be a mapping of keywords"))
		}
		out.Apply = d
		args := value.NewDict(t.Args.Len())
		for _, e := range t.Args.Entries() {
			if e.Key != "apply" {
				_ = args.Set(e.Key, e.Value)
			}
		}
		out.Args = args
		out.Static, out.Encoded = encode(out)
	}
	inner := *outer
	inner.parent = out
	if vars := varSet(plan.IncludeParams, "vars of "+t.Action, t.Vars); vars != nil {
		inner.vars = append([]*plan.VarSet{vars}, outer.vars...)
	}
	inner.caught = true
	s.c.contexts[out] = &inner
	if s.c.foreseeing {
		s.c.includes = append(s.c.includes, out)
	}
}

// includeKeywords are those that include_tasks and include_role take.
var includeKeywords = []string{"action", "args", "collections", "debugger", "ignore_errors", "loop", "loop_control", "name", "no_log",
	"register", "run_once", "tags", "timeout", "vars", "when", "listen"}
