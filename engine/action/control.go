package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	Register("ansible.builtin.debug", Action{Run: debug, Marks: true, LazyArgs: []string{"var"}})
	Register("ansible.builtin.fail", Action{Run: fail, Marks: true})
	Register("ansible.builtin.assert", Action{Run: assert, LazyArgs: []string{"that"}})
	Register("ansible.builtin.set_fact", Action{Run: setFact, Marks: true})
	Register("ansible.builtin.add_host", Action{Run: addHost, Marks: true, Once: true, Inventory: true})
	Register("ansible.builtin.group_by", Action{Run: groupBy, Inventory: true})
	Register("ansible.builtin.set_stats", Action{Run: setStats, Marks: true})
}

// debug prints msg, or the value of the expression var.
func debug(_ context.Context, c *Call) (*value.Dict, error) {
	res := value.DictOf("changed", false, "_ansible_verbose_always", true)
	if v, ok := c.Args.GetString("verbosity"); ok {
		n, ok := value.Int(v)
		if !ok {
			parsed, isInt := value.ParseInt(value.Str(v), 10)
			if n, _ = parsed.(int64); !isInt {
				return nil, fmt.Errorf("verbosity must be a number, got %q", value.Str(v))
			}
		}
		if level := verbosity(c); level < n {
			return value.DictOf("changed", false, "skipped", true, "skipped_reason", "Verbosity threshold not met."), nil
		}
	}
	raw, has := c.Args.GetString("var")
	if !has || raw == nil {
		msg, ok := c.Args.GetString("msg")
		if !ok {
			msg = "Hello world!"
		}
		res.SetString("msg", msg)
		return res, nil
	}
	if _, ok := c.Args.GetString("msg"); ok {
		return nil, fmt.Errorf("'msg' and 'var' are incompatible options")
	}
	return debugVar(c, res, raw)
}

func debugVar(c *Call, res *value.Dict, raw value.Value) (*value.Dict, error) {
	if l, ok := raw.(*value.List); ok {
		for _, e := range l.V {
			if _, err := debugVar(c, res, e); err != nil {
				return nil, err
			}
		}
		return res, nil
	}
	expr, at := "", c.Task.Pos
	switch x := raw.(type) {
	case string:
		expr = x
	case *value.Template:
		// A template gives the name of the variable to show.
		v, err := c.T.Render(x)
		if err != nil {
			return nil, err
		}
		name, isText := v.(string)
		if !isText || !isIdentifier(name) {
			res.SetString(x.Src, v)
			return res, nil
		}
		expr, at = name, x.At
	default:
		res.SetString(value.Str(raw), raw)
		return res, nil
	}
	v, err := c.T.Render(&value.Template{Src: "{{ " + expr + " }}", At: at})
	if err != nil {
		if isUndefined(err) {
			text := "VARIABLE IS NOT DEFINED!"
			switch {
			case c.T.Compat() == template.V219:
				text = "<< error 1 - " + undefinedText(err) + " >>"
			case verbosity(c) > 0:
				text += ": " + undefinedText(err)
			}
			res.SetString(expr, text)
			return res, nil
		}
		return nil, err
	}
	res.SetString(expr, v)
	return res, nil
}

// undefinedText is what is missing, without the place.
func undefinedText(err error) string {
	var u *value.UndefinedError
	if errors.As(err, &u) {
		return u.Error()
	}
	return err.Error()
}

func isIdentifier(s string) bool {
	switch strings.ToLower(s) {
	case "none", "true", "false":
		return false
	}
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func verbosity(c *Call) int64 {
	v, _ := c.T.Scope().Lookup("ansible_verbosity")
	n, _ := value.Int(v)
	return n
}

func fail(_ context.Context, c *Call) (*value.Dict, error) {
	msg, ok := c.Args.GetString("msg")
	if !ok {
		msg = "Failed as requested from task"
	}
	return value.DictOf("changed", false, "failed", true, "msg", msg), nil
}

// assert evaluates the conditions in order and fails at the first that does not hold.
func assert(_ context.Context, c *Call) (*value.Dict, error) {
	that, ok := c.Args.GetString("that")
	if !ok {
		return nil, fmt.Errorf("conditional required in \"that\" string")
	}
	quiet := truth(c.Args, "quiet")
	conds, err := conditionsOf(c, that)
	if err != nil {
		return nil, err
	}
	for _, cond := range conds {
		ok, err := c.T.Cond(cond)
		if err != nil {
			var syntax *template.Error
			if errors.As(err, &syntax) && syntax.Syntax {
				return nil, err
			}
			return nil, fmt.Errorf("Error while evaluating conditional: %w", err)
		}
		if ok {
			continue
		}
		res := value.DictOf("changed", false, "failed", true, "evaluated_to", false, "assertion", source(cond))
		res.SetString("msg", message(c, "Assertion failed", "fail_msg", "msg"))
		if !quiet {
			res.SetString("_ansible_verbose_always", true)
		}
		return res, nil
	}
	res := value.DictOf("changed", false, "msg", message(c, "All assertions passed", "success_msg"))
	if !quiet {
		res.SetString("_ansible_verbose_always", true)
	}
	return res, nil
}

func message(c *Call, dflt string, names ...string) value.Value {
	for _, n := range names {
		if v, ok := c.Args.GetString(n); ok && v != nil {
			return v
		}
	}
	return dflt
}

// conditionsOf are the conditions in assert's that: texts of the playbook are expressions,
// anything computed is a value.
func conditionsOf(c *Call, that value.Value) ([]value.Value, error) {
	items := []value.Value{that}
	if l, ok := that.(*value.List); ok {
		items = l.V
	} else if t, ok := that.(*value.Template); ok {
		if src := strings.TrimSpace(t.Src); strings.HasPrefix(src, "{{") && strings.HasSuffix(src, "}}") {
			return computedConditions(c, t)
		}
	}
	out := make([]value.Value, 0, len(items))
	for _, e := range items {
		if s, ok := e.(string); ok {
			e = template.NewCond(s, c.Task.Pos)
		}
		out = append(out, e)
	}
	return out, nil
}

// computedConditions are those that a template gives: values, or text. Text is an expression
// only when nothing that came from a host went into it.
func computedConditions(c *Call, t *value.Template) ([]value.Value, error) {
	v, err := c.T.Render(t)
	if err != nil {
		return nil, err
	}
	out := []value.Value{v}
	if l, isList := v.(*value.List); isList {
		out = slices.Clone(l.V)
	}
	trust, _ := c.T.Scope().(template.TrustedScope)
	trusted := trust != nil && !slices.ContainsFunc(template.Names(t), func(n template.NameRead) bool { return !trust.Trusted(n.Name) })
	for i, e := range out {
		switch x := e.(type) {
		case bool:
		case string:
			if !trusted {
				return nil, fmt.Errorf("the condition %q was computed from data that is not trusted; it must be a boolean", x)
			}
			out[i] = template.NewCond(x, t.At)
		default:
			return nil, fmt.Errorf("conditionals must have a boolean result; %s is %s", value.Repr(e), value.TypeName(e))
		}
	}
	return out, nil
}

func source(cond value.Value) value.Value {
	if t, ok := cond.(*value.Template); ok {
		return t.Src
	}
	return cond
}

func truth(args *value.Dict, name string) bool {
	v, ok := args.GetString(name)
	if !ok {
		return false
	}
	b, err := modules.ToBool(v)
	return err == nil && b
}

// setFact gives its arguments as facts; cacheable says whether they go to the fact cache.
func setFact(_ context.Context, c *Call) (*value.Dict, error) {
	facts := value.NewDict(c.Args.Len())
	cacheable := truth(c.Args, "cacheable")
	for _, e := range c.Args.Entries() {
		name, _ := e.Key.(string)
		if name == "cacheable" {
			continue
		}
		if !isIdentifier(name) {
			return nil, fmt.Errorf("Invalid variable name '%s'. Variables must start with a letter or underscore character, and contain only letters, numbers and underscores.", name)
		}
		facts.SetString(name, oldTruth(c, e.Value))
	}
	if facts.Len() == 0 {
		return nil, fmt.Errorf("No key/value pairs provided, at least one is required for this action to succeed")
	}
	return value.DictOf("changed", false, "ansible_facts", facts, "_ansible_facts_cacheable", cacheable), nil
}

// oldTruth makes truth of the texts that set_fact made truth of up to 2.18 (FCT-05).
func oldTruth(c *Call, v value.Value) value.Value {
	s, ok := v.(string)
	if !ok || c.T.Compat() != template.V216 {
		return v
	}
	switch strings.ToLower(s) {
	case "yes", "true":
		return true
	case "no", "false":
		return false
	}
	return v
}

// addHost describes the host; the engine adds it.
func addHost(_ context.Context, c *Call) (*value.Dict, error) {
	name := ""
	vars := value.NewDict(4)
	groups := value.NewList()
	args := c.Args
	if raw, ok := args.GetString("_raw_params"); ok {
		d, isDict := raw.(*value.Dict)
		if !isDict {
			return nil, fmt.Errorf("Invalid raw parameters passed, requires a dictionary/mapping got a %s", value.TypeName(raw))
		}
		args = d
	}
	for _, e := range args.Entries() {
		switch key := value.Str(e.Key); key {
		case "name", "host", "hostname":
			name = value.Str(e.Value)
		case "groups", "group", "groupname":
			groups = listOf(e.Value)
		default:
			vars.SetString(key, e.Value)
		}
	}
	if name == "" {
		return nil, fmt.Errorf("name, host or hostname needs to be provided")
	}
	if host, port, ok := hostPort(name); ok {
		name = host
		vars.SetString("ansible_ssh_port", port)
	}
	return value.DictOf("changed", true, "add_host", value.DictOf("host_name", name, "groups", groups, "host_vars", vars)), nil
}

// hostPort splits "web1:2222"; an IPv6 address must be in brackets.
func hostPort(name string) (string, value.Value, bool) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Count(name, ":") > 1 && !strings.HasPrefix(name, "[") {
		return name, nil, false
	}
	port, ok := value.ParseInt(name[i+1:], 10)
	return strings.Trim(name[:i], "[]"), port, ok
}

func listOf(v value.Value) *value.List {
	switch x := v.(type) {
	case *value.List:
		return x
	case nil:
		return value.NewList()
	case string:
		l := value.NewList()
		for s := range strings.SplitSeq(x, ",") {
			if s = strings.TrimSpace(s); s != "" {
				l.V = append(l.V, s)
			}
		}
		return l
	}
	return value.NewList(v)
}

func groupBy(_ context.Context, c *Call) (*value.Dict, error) {
	key, ok := c.Args.GetString("key")
	if !ok {
		return nil, fmt.Errorf("the 'key' param is required when using group_by")
	}
	parents, ok := c.Args.GetString("parents")
	if !ok {
		parents = value.NewList("all")
	}
	names := value.NewList()
	for _, p := range listOf(parents).V {
		names.V = append(names.V, strings.ReplaceAll(value.Str(p), " ", "-"))
	}
	return value.DictOf("changed", false, "add_group", strings.ReplaceAll(value.Str(key), " ", "-"), "parent_groups", names), nil
}

// setStats describes custom statistics; the engine keeps them for the end of the run.
func setStats(_ context.Context, c *Call) (*value.Dict, error) {
	data, _ := c.Args.GetString("data")
	d, ok := data.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("The 'data' option needs to be a dictionary/hash")
	}
	for _, e := range d.Entries() {
		if name := value.Str(e.Key); !isIdentifier(name) {
			return nil, fmt.Errorf("The variable name '%s' is not valid. Variables must start with a letter or underscore character, and contain only letters, numbers and underscores.", name)
		}
	}
	stats := value.DictOf("data", d, "per_host", truth(c.Args, "per_host"), "aggregate", true)
	if v, ok := c.Args.GetString("aggregate"); ok {
		b, err := modules.ToBool(v)
		stats.SetString("aggregate", err == nil && b) // what is no boolean counts as false
	}
	return value.DictOf("changed", false, "ansible_stats", stats), nil
}

func isUndefined(err error) bool {
	return strings.Contains(err.Error(), "is undefined") || strings.Contains(err.Error(), "has no attribute")
}
