package modules

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/value"
)

// CheckSpec checks values against an argument specification as data: that of a role's
// meta/argument_specs.yml. It returns what is wrong, in Ansible's words.
func CheckSpec(spec, values *value.Dict) []string {
	problems := checkSpec(spec, values, "")
	if unknown := unknownOptions(spec, values, ""); len(unknown) > 0 {
		var names []string
		for _, e := range spec.Entries() {
			names = append(names, value.Str(e.Key))
		}
		slices.Sort(names)
		problems = append(problems, strings.Join(unknown, ", ")+". Supported parameters include: "+strings.Join(names, ", ")+".")
	}
	return problems
}

// specOption is an option of a specification with its value after conversion.
type specOption struct {
	name  string
	spec  *value.Dict
	value value.Value
}

// checkSpec reports in Ansible's order: what is missing, what does not convert, what is no
// choice, and then the same for options inside of options.
func checkSpec(spec, values *value.Dict, where string) []string {
	var problems, missing, choices, inner []string
	var given []specOption
	for _, e := range spec.Entries() {
		name := value.Str(e.Key)
		o, _ := e.Value.(*value.Dict)
		v, has := specValue(o, name, values)
		required := specFlag(o, "required")
		if !has && required {
			missing = append(missing, name)
		}
		if dflt, _ := o.GetString("default"); !has || v == nil && !required && dflt == nil {
			continue
		}
		got, problem := specConverted(o, name, v, where)
		if problem != "" {
			problems = append(problems, problem)
			continue
		}
		given = append(given, specOption{name, o, got})
	}
	for _, x := range given {
		if bad := specChoice(x.spec, x.name, x.value, where); bad != "" {
			choices = append(choices, bad)
		}
		inner = append(inner, checkInside(x)...)
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		problems = append([]string{"missing required arguments: " + strings.Join(missing, ", ") + where}, problems...)
	}
	return append(append(problems, choices...), inner...)
}

// unknownOptions names what is given and not specified, as path.option, also inside of options.
func unknownOptions(spec, values *value.Dict, path string) []string {
	known := map[string]*value.Dict{}
	for _, e := range spec.Entries() {
		o, _ := e.Value.(*value.Dict)
		known[value.Str(e.Key)] = o
		for _, alias := range specList(o, "aliases") {
			known[value.Str(alias)] = o
		}
	}
	var out []string
	for _, e := range values.Entries() {
		name := value.Str(e.Key)
		o, ok := known[name]
		if !ok {
			out = append(out, path+name)
			continue
		}
		sub, _ := o.GetString("options")
		options, ok := sub.(*value.Dict)
		if !ok {
			continue
		}
		items := []value.Value{e.Value}
		if l, isList := e.Value.(*value.List); isList {
			items = l.V
		}
		for _, item := range items {
			if d, isDict := item.(*value.Dict); isDict {
				out = append(out, unknownOptions(options, d, path+name+".")...)
			}
		}
	}
	return out
}

func specList(o *value.Dict, name string) []value.Value {
	v, _ := o.GetString(name)
	if l, ok := v.(*value.List); ok {
		return l.V
	}
	return nil
}

// specValue finds an option by its name or an alias.
func specValue(o *value.Dict, name string, values *value.Dict) (value.Value, bool) {
	v, ok := values.GetString(name)
	if ok {
		return v, true
	}
	aliases, _ := o.GetString("aliases")
	if l, isList := aliases.(*value.List); isList {
		for _, a := range l.V {
			if v, ok := values.GetString(value.Str(a)); ok {
				return v, true
			}
		}
	}
	return nil, false
}

func specFlag(o *value.Dict, name string) bool {
	v, ok := o.GetString(name)
	if !ok {
		return false
	}
	b, err := ToBool(v)
	return err == nil && b
}

func specText(o *value.Dict, name, dflt string) string {
	if v, ok := o.GetString(name); ok && v != nil {
		return value.Str(v)
	}
	return dflt
}

// specConverted gives an option's value the type of the specification, elements too.
func specConverted(o *value.Dict, name string, v value.Value, where string) (got value.Value, problem string) {
	kind, in := specText(o, "type", "str"), ""
	if where != "" {
		in = " found in '" + strings.TrimPrefix(where, " found in ") + "'."
	}
	got, err := specConvert(kind, v)
	if err != nil {
		return nil, fmt.Sprintf("argument '%s' is of type %s%s and we were unable to convert to %s: %v", name, value.TypeName(v), in, kind, err)
	}
	l, isList := got.(*value.List)
	kind = specText(o, "elements", "")
	if !isList || kind == "" {
		return got, ""
	}
	out := &value.List{}
	for _, item := range l.V {
		e, err := specConvert(kind, item)
		if err != nil {
			return nil, fmt.Sprintf("Elements value for option '%s' is of type %s and we were unable to convert to %s: %v", name, value.TypeName(item), kind, err)
		}
		out.V = append(out.V, e)
	}
	return out, ""
}

// checkInside checks the options inside of an option.
func checkInside(x specOption) []string {
	sub, _ := x.spec.GetString("options")
	options, ok := sub.(*value.Dict)
	if !ok {
		return nil
	}
	items := []value.Value{x.value}
	if l, isList := x.value.(*value.List); isList {
		items = l.V
	}
	var problems []string
	for _, item := range items {
		if d, isDict := item.(*value.Dict); isDict {
			problems = append(problems, checkSpec(options, d, " found in "+x.name)...)
		}
	}
	return problems
}

func specChoice(o *value.Dict, name string, v value.Value, where string) string {
	c, _ := o.GetString("choices")
	choices, ok := c.(*value.List)
	if !ok {
		return ""
	}
	in := func(item value.Value) bool {
		yes, err := value.Contains(choices, item)
		return err == nil && yes
	}
	var names []string
	for _, e := range choices.V {
		names = append(names, value.Str(e))
	}
	all := strings.Join(names, ", ")
	l, isList := v.(*value.List)
	if !isList {
		if in(v) {
			return ""
		}
		return fmt.Sprintf("value of %s must be one of: %s, got: %s%s", name, all, value.Str(v), where)
	}
	var bad []string
	for _, item := range l.V {
		if !in(item) {
			bad = append(bad, value.Str(item))
		}
	}
	if bad == nil {
		return ""
	}
	return fmt.Sprintf("value of %s must be one or more of: %s. Got no match for: %s%s", name, all, strings.Join(bad, ", "), where)
}

// specConvert converts as a module's option of that type would.
func specConvert(kind string, v value.Value) (value.Value, error) {
	switch kind {
	case "bool":
		if v == nil {
			return nil, notConvertible(v, "a bool")
		}
		return ToBool(v)
	case "int":
		return toInt(v)
	case "float":
		if v == nil {
			return nil, notConvertible(v, "a float")
		}
		return toFloat(v)
	case "list":
		switch x := v.(type) {
		case *value.List:
			return x, nil
		case string:
			l := value.NewList()
			for s := range strings.SplitSeq(x, ",") {
				l.V = append(l.V, s)
			}
			return l, nil
		case int64, float64:
			return value.NewList(value.Str(v)), nil
		}
		return nil, notConvertible(v, "a list")
	case "dict":
		switch x := v.(type) {
		case *value.Dict:
			return x, nil
		case string:
			return parseDictText(x)
		}
		return nil, notConvertible(v, "a dict")
	case "raw":
		return v, nil
	case "bytes", "bits":
		if v == nil {
			return nil, notConvertible(v, map[string]string{"bytes": "a Byte value", "bits": "a Bit value"}[kind])
		}
		return HumanToBytes(value.Str(v), kind == "bits")
	case "json", "jsonarg":
		if v == nil {
			return nil, notConvertible(v, "a json string")
		}
		return toJSONText(v)
	case "str", "path":
		return toText(v)
	}
	return nil, fmt.Errorf("the type %q is not known", kind)
}

func notConvertible(v value.Value, to string) error {
	return fmt.Errorf("<class '%s'> cannot be converted to %s", value.TypeName(v), to)
}
