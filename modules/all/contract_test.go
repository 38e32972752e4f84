package all

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"fettle/engine/value"
	"fettle/modules"
)

// documented is a module as its documentation declares it (ansible-doc -j, shortened).
type documented struct {
	Options []docOption `json:"options"`
	Newer   []string    `json:"newer"` // options of later releases
}

type docOption struct {
	Name       string      `json:"name"`
	Aliases    []string    `json:"aliases"`
	Type       string      `json:"type"`
	Elements   string      `json:"elements"`
	Required   bool        `json:"required"`
	Default    any         `json:"default"`
	Choices    []any       `json:"choices"`
	Suboptions []docOption `json:"suboptions"`
}

// differences are intended: MODULE or MODULE.OPTION or MODULE.OPTION:WHAT, and why.
var differences = map[string]string{
	"ansible.builtin.package": "takes the options of the package manager's module, which it becomes",
	"ansible.builtin.service": "takes the options of the service manager's module, which it becomes",

	"ansible.builtin.add_host.name:required":                         "the action says which of name and host is missing",
	"ansible.builtin.apt.update_cache:default":                       "off when not given, in the documentation's words",
	"ansible.builtin.dnf.use":                                        "the action takes it for use_backend",
	"ansible.builtin.command.executable":                             "left from the time before shell; a warning says so",
	"ansible.builtin.shell.strip_empty_ends":                         "the program has it, the documentation does not",
	"ansible.builtin.get_url.url_username:aliases":                   "user and username are taken by both get_url and uri",
	"ansible.builtin.uri.url_username:aliases":                       "user and username are taken by both get_url and uri",
	"ansible.builtin.import_role.name:aliases":                       "role is an alias in the program",
	"ansible.builtin.include_role.name:aliases":                      "role is an alias in the program",
	"ansible.builtin.include_role.apply:type":                        "undocumented; a dict of keywords",
	"ansible.builtin.include_tasks.apply:type":                       "undocumented; a dict of keywords",
	"ansible.builtin.import_playbook.free-form:aliases":              "the free form may be given as file",
	"ansible.builtin.set_fact.key_value":                             "stands for any name in the documentation",
	"ansible.builtin.iptables.ip_version:choices":                    "both came with 2.19",
	"ansible.builtin.iptables.match_set_flags:choices":               "the choices hold commas; the module checks them",
	"ansible.builtin.pip.umask:type":                                 "a number is taken for octal as well",
	"ansible.builtin.reboot.connect_timeout:aliases":                 "the old names are aliases in the program",
	"ansible.builtin.reboot.post_reboot_delay:aliases":               "the old names are aliases in the program",
	"ansible.builtin.reboot.pre_reboot_delay:aliases":                "the old names are aliases in the program",
	"ansible.builtin.reboot.reboot_timeout:aliases":                  "the old names are aliases in the program",
	"ansible.builtin.reboot.reboot_command:default":                  "depends on the system of the host",
	"ansible.builtin.user.ssh_key_comment:default":                   "holds the name of the host",
	"ansible.builtin.validate_argument_spec.argument_spec:type":      "undocumented; a dict",
	"ansible.builtin.validate_argument_spec.provided_arguments:type": "undocumented; a dict",
	"ansible.builtin.validate_argument_spec.validate_args_context":   "given by the engine for the specs of roles",
}

func differs(keys ...string) bool {
	for _, k := range keys {
		if differences[k] != "" {
			return true
		}
	}
	return false
}

func TestOptionsAreAnsibles(t *testing.T) {
	text, err := os.ReadFile("testdata/options.json")
	if err != nil {
		t.Fatal(err)
	}
	var docs map[string]documented
	if err := json.Unmarshal(text, &docs); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range modules.Names() {
		m := modules.Find(name)
		doc, ok := docs[name]
		if !ok || m.Name != name {
			continue
		}
		compared++
		t.Run(name, func(t *testing.T) {
			if differs(name) {
				t.Skip(differences[name])
			}
			for _, p := range compareOptions(name, m.Options, doc.Options, doc.Newer, m.FreeForm) {
				t.Error(p)
			}
		})
	}
	if compared < 20 {
		t.Errorf("only %d modules were compared", compared)
	}
}

func compareOptions(where string, have []*modules.Option, want []docOption, newer []string, freeForm string) (problems []string) {
	byName := map[string]*modules.Option{}
	for _, o := range have {
		byName[o.Name] = o
	}
	alias := func(name string) bool {
		return slices.ContainsFunc(have, func(o *modules.Option) bool { return slices.Contains(o.Aliases, name) })
	}
	known := map[string]bool{}
	for _, w := range want {
		known[w.Name] = true
		o := byName[w.Name]
		switch at := where + "." + w.Name; {
		case o == nil:
			if !differs(at) && w.Name != "free_form" && w.Name != freeForm && !alias(w.Name) {
				problems = append(problems, fmt.Sprintf("option %s is missing", w.Name))
			}
		default:
			problems = append(problems, compareOption(at, o, w)...)
		}
	}
	for _, o := range have {
		if !known[o.Name] && !strings.HasPrefix(o.Name, "_") && !slices.Contains(newer, o.Name) && !differs(where+"."+o.Name) {
			problems = append(problems, fmt.Sprintf("Ansible has no option %s", o.Name))
		}
	}
	return problems
}

func compareOption(at string, o *modules.Option, w docOption) (problems []string) {
	check := func(what string, have, want any) {
		if fmt.Sprint(have) != fmt.Sprint(want) && !differs(at, at+":"+what) {
			problems = append(problems, fmt.Sprintf("option %s: %s is %v, Ansible's is %v", o.Name, what, have, want))
		}
	}
	check("aliases", sorted(o.Aliases), sorted(w.Aliases))
	if w.Type == "" {
		w.Type = "str"
	}
	check("type", o.Type, w.Type)
	if w.Elements != "" {
		check("elements", o.Elements, w.Elements)
	}
	check("required", o.Required, w.Required)
	check("choices", sorted(o.Choices), sorted(texts(w.Choices)))
	check("default", defaultText(o.Default, o.Type), defaultText(text(w.Default), o.Type))
	if len(w.Suboptions) > 0 && o.Options != nil {
		problems = append(problems, compareOptions(at, o.Options, w.Suboptions, nil, "")...)
	}
	return problems
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	s = slices.DeleteFunc(s, func(n string) bool { return strings.HasPrefix(n, "_") }) // internal
	slices.Sort(s)
	return slices.Compact(s)
}

func texts(vs []any) (out []string) {
	for _, v := range vs {
		out = append(out, text(v))
	}
	return out
}

func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []any:
		return strings.Join(texts(x), ",")
	case map[string]any:
		b, _ := json.Marshal(x)
		return strings.Trim(string(b), "{}")
	}
	return fmt.Sprint(v)
}

// defaultText makes yes, True and true one; no default of a bool is its zero value here.
func defaultText(s, kind string) string {
	if b, err := modules.ToBool(s); err == nil && kind == "bool" {
		return strconv.FormatBool(b)
	}
	return s
}

// Every option that people may use says what it is for.
func TestOptionsAreDocumented(t *testing.T) {
	for _, name := range modules.Names() {
		m := modules.Find(name)
		if m.Name != name {
			continue
		}
		if m.Summary == "" {
			t.Errorf("%s has no summary", name)
		}
		for _, o := range m.Options {
			if o.Doc == "" && !strings.HasPrefix(o.Name, "_") {
				t.Errorf("%s.%s has no doc", name, o.Name)
			}
		}
	}
}

// The examples are tasks that the module would accept.
func TestExamples(t *testing.T) {
	for _, name := range modules.Names() {
		m := modules.Find(name)
		if m.Name != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if m.Examples == "" {
				t.Fatal("there are none")
			}
			var tasks []map[string]any
			if err := yaml.Unmarshal([]byte(m.Examples), &tasks); err != nil {
				t.Fatal(err)
			}
			used := false
			for i, task := range tasks {
				args, ok := argsOf(m, task)
				if !ok {
					continue
				}
				used = true
				open := func(option string) bool {
					v, _ := args.GetString(option)
					return strings.Contains(value.Str(v), "{{")
				}
				for _, p := range m.CheckArgs(args, open) {
					t.Errorf("task %d: %v", i+1, p)
				}
			}
			if !used {
				t.Error("no example uses the module")
			}
		})
	}
}

// argsOf finds the arguments for m in a task; a free-form text becomes its option.
func argsOf(m *modules.Module, task map[string]any) (*value.Dict, bool) {
	for _, n := range append([]string{m.Name}, m.Aliases...) {
		raw, ok := task[n]
		if !ok {
			continue
		}
		b, err := json.Marshal(raw)
		if err != nil {
			return nil, false
		}
		v, err := value.FromJSON(b)
		if err != nil {
			return nil, false
		}
		args, isDict := v.(*value.Dict)
		if !isDict {
			args = value.NewDict(1)
			if v != nil && m.FreeForm != "" {
				args.SetString(m.FreeForm, v)
			}
		}
		if more, ok := task["args"].(map[string]any); ok {
			for k, v := range more {
				args.SetString(k, v)
			}
		}
		return args, true
	}
	return nil, false
}
