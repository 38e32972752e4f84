package compile

import (
	"slices"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/playbooks/ast"
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
	p := s.prepare(t)
	in := s.enter(t.Attrs, varSet(plan.TaskVars, "vars of the task", t.Vars))
	switch p.res.name {
	case importTasks:
		in.importTasks(g, t)
		return
	case importRole:
		if s.handlers {
			s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "%s cannot be a handler", t.Action))
			return
		}
		in.importRole(g, t)
		return
	case includeRole:
		if s.handlers {
			s.c.diags.Add(diag.Errorf(t.ActionAt, "keyword", "%s cannot be a handler", t.Action))
			return
		}
	}
	g.task(in.planTask(t, p, s))
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
	s.checkModule(out, t, p)
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
			d := diag.Errorf(a.Key, "keyword", "%q is not a keyword of %s", a.Name, t.Action)
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
