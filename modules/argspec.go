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
	return checkSpec(spec, values, "")
}

func checkSpec(spec, values *value.Dict, where string) []string {
	var problems, missing []string
	for _, e := range spec.Entries() {
		name := value.Str(e.Key)
		o, _ := e.Value.(*value.Dict)
		v, given := specValue(o, name, values)
		if !given || v == nil {
			if specFlag(o, "required") {
				missing = append(missing, name)
			}
			continue
		}
		problems = append(problems, checkSpecValue(o, name, v, where)...)
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		problems = append([]string{"missing required arguments: " + strings.Join(missing, ", ") + where}, problems...)
	}
	return problems
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

func checkSpecValue(o *value.Dict, name string, v value.Value, where string) []string {
	kind := specText(o, "type", "str")
	got, err := specConvert(kind, v)
	if err != nil {
		return []string{fmt.Sprintf("argument '%s' is of type %s%s and we were unable to convert to %s: %v", name, value.TypeName(v), where, kind, err)}
	}
	if bad := specChoice(o, name, got, where); bad != "" {
		return []string{bad}
	}
	sub, _ := o.GetString("options")
	options, hasOptions := sub.(*value.Dict)
	inside := " found in " + name
	if l, isList := got.(*value.List); isList {
		var problems []string
		for _, item := range l.V {
			problems = append(problems, checkElement(o, options, name, item, inside)...)
		}
		return problems
	}
	if d, isDict := got.(*value.Dict); isDict && hasOptions {
		return checkSpec(options, d, inside)
	}
	return nil
}

func checkElement(o, options *value.Dict, name string, item value.Value, inside string) []string {
	kind := specText(o, "elements", "")
	if kind == "" {
		return nil
	}
	got, err := specConvert(kind, item)
	if err != nil {
		return []string{fmt.Sprintf("Elements value for option '%s' is of type %s and we were unable to convert to %s: %v", name, value.TypeName(item), kind, err)}
	}
	if d, isDict := got.(*value.Dict); isDict && options != nil {
		return checkSpec(options, d, inside)
	}
	return nil
}

func specChoice(o *value.Dict, name string, v value.Value, where string) string {
	c, _ := o.GetString("choices")
	choices, ok := c.(*value.List)
	if !ok {
		return ""
	}
	items := []value.Value{v}
	if l, isList := v.(*value.List); isList {
		items = l.V
	}
	for _, item := range items {
		if in, err := value.Contains(choices, item); err == nil && in {
			continue
		}
		var names []string
		for _, e := range choices.V {
			names = append(names, value.Str(e))
		}
		word := "one of"
		if len(items) > 1 || !sameValue(item, v) {
			word = "one or more of"
		}
		return fmt.Sprintf("value of %s must be %s: %s, got: %s%s", name, word, strings.Join(names, ", "), value.Str(item), where)
	}
	return ""
}

func sameValue(a, b value.Value) bool {
	eq, err := value.Equal(a, b)
	return err == nil && eq
}

// specConvert converts as a module's option of that type would.
func specConvert(kind string, v value.Value) (value.Value, error) {
	switch kind {
	case "bool":
		return ToBool(v)
	case "int":
		return toInt(v)
	case "float":
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
		return nil, fmt.Errorf("%s cannot be converted to a list", value.TypeName(v))
	case "dict":
		switch x := v.(type) {
		case *value.Dict:
			return x, nil
		case string:
			return parseDictText(x)
		}
		return nil, fmt.Errorf("%s cannot be converted to a dict", value.TypeName(v))
	case "raw":
		return v, nil
	case "bytes", "bits":
		return HumanToBytes(value.Str(v), kind == "bits")
	case "json", "jsonarg":
		return toJSONText(v)
	case "str", "path":
		return toText(v)
	}
	return nil, fmt.Errorf("the type %q is not known", kind)
}
