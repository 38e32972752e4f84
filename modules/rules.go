package modules

import (
	"fmt"
	"strings"

	"fettle/engine/value"
)

// Rules relate options to each other.
type Rules []Rule

// Rule is one relation; make it with Exclusive, OneOf, Together, RequiredIf, RequiredBy.
type Rule struct {
	kind    string
	options []string
	option  string
	is      string
	any     bool
}

// Exclusive: at most one of the options may be given.
func Exclusive(options ...string) Rule { return Rule{kind: "exclusive", options: options} }

// OneOf: at least one of the options must be given.
func OneOf(options ...string) Rule { return Rule{kind: "oneof", options: options} }

// Together: all or none of the options.
func Together(options ...string) Rule { return Rule{kind: "together", options: options} }

// RequiredIf: when option has the value is, all of the others must be given.
func RequiredIf(option, is string, needs ...string) Rule {
	return Rule{kind: "if", option: option, is: is, options: needs}
}

// RequiredIfAny: when option has the value is, one of the others must be given.
func RequiredIfAny(option, is string, needs ...string) Rule {
	return Rule{kind: "if", option: option, is: is, options: needs, any: true}
}

// RequiredBy: when option is given, all of the others must be.
func RequiredBy(option string, needs ...string) Rule {
	return Rule{kind: "by", option: option, options: needs}
}

func (r Rule) check(m *Module, args *value.Dict, given, open func(string) bool) *ArgError {
	var have, lack []string
	for _, n := range r.options {
		if given(n) && open(n) && (r.kind == "exclusive" || r.kind == "together") {
			continue // it may turn out to be omitted
		}
		if given(n) {
			have = append(have, n)
		} else {
			lack = append(lack, n)
		}
	}
	switch r.kind {
	case "exclusive":
		if len(have) > 1 {
			return &ArgError{Option: have[1], Msg: "parameters are mutually exclusive: " + strings.Join(r.options, "|")}
		}
	case "oneof":
		if len(have) == 0 {
			return &ArgError{Msg: "one of the following is required: " + strings.Join(r.options, ", ")}
		}
	case "together":
		if len(have) > 0 && len(lack) > 0 {
			return &ArgError{Option: have[0], Msg: "parameters are required together: " + strings.Join(r.options, ", ")}
		}
	case "by":
		if given(r.option) && !open(r.option) && len(lack) > 0 {
			return &ArgError{Option: r.option, Msg: fmt.Sprintf("missing parameter(s) required by '%s': %s", r.option, strings.Join(lack, ", "))}
		}
	case "if":
		return r.checkIf(m, args, have, lack, open)
	}
	return nil
}

func (r Rule) checkIf(m *Module, args *value.Dict, have, lack []string, open func(string) bool) *ArgError {
	o := m.Option(r.option)
	if o == nil || len(lack) == 0 || r.any && len(have) > 0 {
		return nil
	}
	for _, n := range append([]string{o.Name}, o.Aliases...) {
		if open(n) {
			return nil
		}
	}
	v, ok := lookupOption(o, args)
	current := o.Default
	if ok && v != nil {
		current = value.Str(v)
		if b, err := ToBool(v); err == nil && o.Type == "bool" {
			current = map[bool]string{true: "true", false: "false"}[b]
		}
	} else if !o.HasDef {
		return nil
	}
	if current != r.is {
		return nil
	}
	word := "all"
	if r.any {
		word = "any"
	}
	is := r.is
	if o.Type == "bool" {
		is = map[string]string{"true": "True", "false": "False"}[is]
	}
	return &ArgError{Option: r.option, Msg: fmt.Sprintf("%s is %s but %s of the following are missing: %s", r.option, is, word, strings.Join(lack, ", "))}
}
