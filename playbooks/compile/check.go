package compile

import (
	"fmt"
	"slices"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/playbooks/ast"
)

// reached is how bad a problem is that shows when a task is reached: an error when the
// task is reached for certain and nothing handles its failure, else a warning.
func (s *scope) reached(t *plan.Task) diag.Severity {
	switch {
	case s.caught || s.handlers || s.c.dynamic || len(t.When) > 0 || t.Loop != nil || len(t.FailedWhen) > 0 || t.ArgsExpr != nil || len(t.ModuleDefaults) > 0,
		slices.Contains(t.Tags, "never"), s.c.opts.Selected != nil && !s.c.opts.Selected(t.Tags):
		return diag.Warning
	}
	return diag.Error
}

// checkModule reports what is wrong with a task's module and its arguments.
func (s *scope) checkModule(out *plan.Task, t *ast.Task, p *prepared) {
	if p.res.absent {
		d := diag.Errorf(t.ActionAt, "module", "there is no module %q", t.Action)
		d.Width, d.Hint = len([]rune(t.Action)), p.res.hint
		if hint := diag.DidYouMean(t.Action, ast.KeywordNames(ast.OnTask)); hint != "" && d.Hint == "" {
			d.Summary, d.Hint = fmt.Sprintf("%q is neither a module nor a keyword of a task", t.Action), hint
		}
		s.c.diags.Add(d)
		out.Broken = d
		return
	}
	if p.res.broken != "" {
		d := diag.Warnf(t.ActionAt, "unsupported", "%s; a task that is reached fails", p.res.broken)
		d.Width, d.Hint = len([]rune(t.Action)), p.res.hint
		s.c.diags.Add(d)
		out.Broken = &diag.Diagnostic{Severity: diag.Error, Rule: "unsupported", Summary: p.res.broken, At: t.ActionAt, Width: d.Width}
		return
	}
	severity := s.reached(out)
	if !p.checked || severity == diag.Error {
		p.checked = true
		s.checkArgs(out, t, severity)
		s.checkTemplates(out, t)
	}
}

func (s *scope) checkArgs(out *plan.Task, t *ast.Task, severity diag.Severity) {
	m := out.Declared
	if m == nil || m.ExtraArgs {
		return
	}
	args := t.Args
	if raw, ok := args.GetString("_raw_params"); ok && m.Option("_raw_params") == nil {
		s.argProblem(out, t, severity, "_raw_params", fmt.Sprintf("action %q does not support raw params, as %q", m.Name, value.Str(raw)),
			"its arguments are key=value; only command, shell, script, raw, meta and the include and import modules take free text")
		return
	}
	if len(out.ModuleDefaults) > 0 || out.ArgsExpr != nil {
		// Options may come from there, so only what is given can be judged.
		for _, e := range args.Entries() {
			if name, ok := e.Key.(string); ok && m.Option(name) == nil {
				s.argProblem(out, t, severity, name, fmt.Sprintf("module %s has no option %q", m.Name, name), diag.DidYouMean(name, m.OptionNames()))
			}
		}
		return
	}
	open := func(name string) bool {
		names := []string{name}
		if o := m.Option(name); o != nil {
			names = append(append(names, o.Name), o.Aliases...)
		}
		return slices.ContainsFunc(names, func(n string) bool { v, _ := args.GetString(n); return !constant(v) })
	}
	for _, e := range m.CheckArgs(args, open) {
		s.argProblem(out, t, severity, e.Option, e.Msg, e.Hint)
	}
}

func (s *scope) argProblem(out *plan.Task, t *ast.Task, severity diag.Severity, option, msg, hint string) {
	d := &diag.Diagnostic{Severity: severity, Rule: "args", Summary: msg, Hint: hint, At: t.ActionAt, Width: len([]rune(t.Action))}
	if at, ok := out.ArgsAt[option]; ok && option != "_raw_params" {
		d.At, d.Width = at, len([]rune(option))
	}
	if s.parent != nil {
		d.Related = append(d.Related, diag.Related{Text: "included from", At: s.parent.Pos})
	}
	s.c.diags.Add(d)
}

// checkLookup reports a with_<name> that is no lookup.
func (s *scope) checkLookup(l *ast.Loop) {
	if l.Lookup == "" || isLookup(l.Lookup) {
		return
	}
	d := diag.Errorf(l.At, "keyword", "there is no lookup %q to loop with", l.Lookup)
	if path := s.pythonPlugin("lookup", l.Lookup); path != "" {
		d = diag.Warnf(l.At, "unsupported", "lookup %s is a Python plugin (%s), which fettle cannot run; a task that is reached fails", l.Lookup, path)
	}
	s.c.diags.Add(d)
}

// checkTemplates compiles the templates of a task; what is wrong with them shows when the
// task is reached, so it is a warning.
func (s *scope) checkTemplates(out *plan.Task, t *ast.Task) {
	report := func(ds []*diag.Diagnostic) {
		for _, d := range ds {
			w := s.explained(*d)
			w.Severity = diag.Warning
			s.c.diags.Add(&w)
		}
	}
	for _, e := range t.Args.Entries() {
		if out.Module == "ansible.builtin.assert" && e.Key == "that" {
			report(template.CheckCond(asCond(e.Value, t.ActionAt)))
			continue
		}
		report(template.Check(e.Value))
	}
	report(template.Check(t.ArgsExpr))
	if t.Loop != nil {
		s.checkLookup(t.Loop)
		report(template.Check(t.Loop.Expr))
	}
	for i := range t.Attrs {
		a := &t.Attrs[i]
		if k, ok := ast.Find(a.Name, -1); ok && k.Kind == ast.Cond {
			report(template.CheckCond(a.Value))
			continue
		}
		report(template.Check(a.Value))
	}
	for _, v := range t.Vars.All() {
		report(template.Check(v.Value))
	}
}

func asCond(v value.Value, at diag.Pos) value.Value { return condValue(v, at) }

// Strict makes errors of the warnings about what Ansible meets only on reaching a task:
// for checking a playbook rather than running it.
func Strict(l *diag.List) *diag.List {
	out := &diag.List{}
	for _, d := range l.Sorted() {
		n := *d
		if n.Severity == diag.Warning && slices.Contains([]string{"args", "syntax", "template", "unsupported", "undefined", "module", "conditional"}, n.Rule) {
			n.Severity = diag.Error
		}
		out.Add(&n)
	}
	return out
}
