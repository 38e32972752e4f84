package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
)

// arguments renders the arguments of a task for the current item.
func (u *turn) arguments(j *job) error {
	if u.task.Static && len(u.task.ModuleDefaults) == 0 && u.task.ArgsExpr == nil {
		j.args, j.encoded = u.task.Args, u.task.Encoded
		return nil
	}
	out := value.NewDict(8)
	if err := u.moduleDefaults(out); err != nil {
		return err
	}
	if u.task.ArgsExpr != nil {
		v, err := u.t.Render(u.task.ArgsExpr)
		if err != nil {
			return fmt.Errorf("args: %w", err)
		}
		switch x := v.(type) {
		case *value.Dict:
			for _, e := range x.Entries() {
				_ = out.Set(e.Key, u.reveal(e.Value))
			}
		case nil, value.OmitType:
		default:
			return &taskError{what: fmt.Sprintf("Finalization of task args for '%s' failed", u.task.Module),
				err: fmt.Errorf("Task args must resolve to a 'dict' not '%s'.", value.TypeName(v))}
		}
	}
	for _, e := range u.task.Args.Entries() {
		name, _ := e.Key.(string)
		if template.IsTemplate(name) { // as for set_fact: "{{ name }}: value"
			text, err := u.t.String(template.NewTemplate(name, u.argAt(name)))
			if err != nil {
				return &placed{at: u.argAt(name), err: fmt.Errorf("the name of an option: %w", err)}
			}
			name = text
		}
		if u.act != nil && slices.Contains(u.act.LazyArgs, name) {
			out.SetString(name, e.Value)
			continue
		}
		render := u.t.Render
		if u.task.Module == "ansible.builtin.set_fact" {
			render = u.t.RenderFact
		}
		v, err := render(e.Value)
		if err != nil {
			return &taskError{what: fmt.Sprintf("Finalization of task args for '%s' failed", u.task.Module),
				err: &placed{at: u.argAt(name), err: fmt.Errorf("Error while resolving value for '%s': %w", name, err)}}
		}
		if v == value.Value(value.Omit) {
			out.Delete(name)
			continue
		}
		out.SetString(name, u.reveal(v))
	}
	j.args = out
	return u.oneCommand(out)
}

// freeText refuses text that is no key=value for a module that takes none; set_fact ignores it.
func (u *turn) freeText(args *value.Dict) error {
	const name = "_raw_params"
	if _, ok := args.GetString(name); !ok || u.mod.Option(name) != nil {
		return nil
	}
	if u.mod.ExtraArgs {
		args.Delete(name)
		return nil
	}
	return &taskError{err: fmt.Errorf("Action '%s' does not support raw params.", u.task.Module)}
}

// oneCommand refuses a command that is written both as free text and as cmd.
func (u *turn) oneCommand(args *value.Dict) error {
	_, free := args.GetString("_raw_params")
	if _, cmd := args.GetString("cmd"); !free || !cmd {
		return nil
	}
	switch u.task.Module {
	case "ansible.builtin.script":
		return errors.New("the command is given twice, as free text and as cmd")
	}
	return nil
}

// reveal unwraps secrets for a module, and has them masked from now on.
func (u *turn) reveal(v value.Value) value.Value {
	plain := u.r.Masker.Reveal(v)
	if u.act != nil && u.act.Marks {
		return v
	}
	return plain
}

func (u *turn) argAt(name string) (at diag.Pos) {
	if at, ok := u.task.ArgsAt[name]; ok {
		return at
	}
	return u.task.Pos
}

// moduleDefaults puts the defaults of module_defaults in: those of groups the module is in,
// then those of the module behind it, then its own. Of play, blocks and task the nearest that has any for it counts, as a whole.
// Defaults of other modules are not rendered.
func (u *turn) moduleDefaults(out *value.Dict) error {
	if len(u.task.ModuleDefaults) == 0 {
		return nil
	}
	found := map[string]value.Value{} // by group; "" is the module itself
	for _, a := range u.task.ModuleDefaults {
		for _, part := range asList(a.Value) {
			if t, whole := part.(*value.Template); whole {
				v, err := u.t.Render(t)
				if err != nil {
					return fmt.Errorf("module_defaults: %w", err)
				}
				part = v
			}
			if d, ok := part.(*value.Dict); ok {
				u.defaultsFor(d, found)
			}
		}
	}
	backend := u.backend(strings.TrimPrefix(u.task.Module, "ansible.builtin."))
	for _, name := range append(slices.Clone(u.task.Groups), backend, "") {
		v, err := u.t.Render(found[name])
		if err != nil {
			return fmt.Errorf("module_defaults: %w", err)
		}
		if d, ok := v.(*value.Dict); ok {
			for _, e := range d.Entries() {
				_ = out.Set(e.Key, u.reveal(e.Value))
			}
		}
	}
	return nil
}

// defaultsFor finds in d what concerns the task's module.
func (u *turn) defaultsFor(d *value.Dict, found map[string]value.Value) {
	short := strings.TrimPrefix(u.task.Module, "ansible.builtin.")
	backend := u.backend(short)
	for _, e := range d.Entries() {
		name, _ := e.Key.(string)
		plain := strings.TrimPrefix(strings.TrimPrefix(name, "ansible.builtin."), "ansible.legacy.")
		switch {
		case name == u.task.Module || plain == short:
			found[""] = e.Value
		case backend != "" && plain == backend:
			found[backend] = e.Value
		case slices.Contains(u.task.Groups, name):
			found[name] = e.Value
		}
	}
}

// backend is the module behind service and package on the host, whose defaults count too.
func (u *turn) backend(short string) string {
	fact := map[string]string{"service": "ansible_service_mgr", "package": "ansible_pkg_mgr"}[short]
	if fact == "" {
		return ""
	}
	v, ok := u.t.Scope().Lookup(fact)
	if !ok {
		return ""
	}
	name, _ := v.(string)
	return name
}

// rendered gives a keyword's value, or dflt.
func (u *turn) rendered(a plan.Attr, dflt value.Value) (value.Value, error) {
	if !a.Set {
		return dflt, nil
	}
	v, err := u.t.Render(a.Value)
	if err == nil && v == value.Value(value.Omit) && a.Outer != nil {
		return u.rendered(*a.Outer, dflt)
	}
	if err != nil || v == value.Value(value.Omit) || v == nil {
		return dflt, err
	}
	return v, nil
}
