package action

import (
	"context"
	"fmt"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	Register("ansible.builtin.validate_argument_spec", Action{Run: validateArgumentSpec})
}

// validateArgumentSpec checks variables of the host against a specification.
func validateArgumentSpec(_ context.Context, c *Call) (*value.Dict, error) {
	raw, ok := c.Args.GetString("argument_spec")
	if !ok {
		return nil, fmt.Errorf("\"argument_spec\" arg is required in args")
	}
	spec, ok := raw.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("incorrect type for argument_spec, expected dict and got %s", value.TypeName(raw))
	}
	values := value.NewDict(spec.Len())
	for _, name := range specNames(spec) {
		v, found := c.T.Scope().Lookup(name)
		if !found {
			continue
		}
		r, err := c.T.Render(v)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		values.SetString(name, r)
	}
	if p, _ := c.Args.GetString("provided_arguments"); p != nil {
		d, isDict := p.(*value.Dict)
		if !isDict {
			return nil, fmt.Errorf("incorrect type for provided_arguments, expected dict and got %s", value.TypeName(p))
		}
		for _, e := range d.Entries() {
			_ = values.Set(e.Key, e.Value)
		}
	}
	where, ok := c.Args.GetString("validate_args_context")
	if !ok {
		where = value.NewDict(0)
	}
	problems := modules.CheckSpec(spec, values)
	if len(problems) == 0 {
		return value.DictOf("changed", false, "msg", "The arg spec validation passed", "validate_args_context", where), nil
	}
	list := value.NewList()
	for _, p := range problems {
		list.V = append(list.V, p)
	}
	return value.DictOf("changed", false, "failed", true, "msg", "Validation of arguments failed:\n"+strings.Join(problems, "\n"),
		"argument_errors", list, "argument_spec_data", spec, "validate_args_context", where), nil
}

// specNames are the options of a specification with their aliases.
func specNames(spec *value.Dict) []string {
	var out []string
	for _, e := range spec.Entries() {
		out = append(out, value.Str(e.Key))
		o, ok := e.Value.(*value.Dict)
		if !ok {
			continue
		}
		aliases, _ := o.GetString("aliases")
		if l, isList := aliases.(*value.List); isList {
			for _, a := range l.V {
				out = append(out, value.Str(a))
			}
		}
	}
	return out
}
