package cli

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/template"
	"fettle/engine/transport/become"
	"fettle/engine/transport/container"
	"fettle/engine/value"
)

//go:embed keywords.txt
var keywordTable string

// keywordDoc is what doc -t keyword tells.
type keywordDoc struct {
	name, template, kind, alias, text string
	applies                           []string
	priority                          int64
}

func keywordDocs() []keywordDoc {
	var out []keywordDoc
	for line := range strings.Lines(keywordTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(f) != 7 {
			continue
		}
		n, _ := strconv.ParseInt(f[2], 10, 64)
		out = append(out, keywordDoc{name: f[0], applies: strings.Split(f[1], ","), priority: n, template: f[3], kind: f[4], alias: f[5], text: f[6]})
	}
	return out
}

func (k keywordDoc) dict() *value.Dict {
	d := value.DictOf("applies_to", textList(k.applies), "description", k.text, "priority", k.priority, "template", k.template, "type", k.kind)
	if k.alias != "-" {
		d.SetString("alias", k.alias)
	}
	return d
}

// docKeywords lists keywords, or shows those that are named.
func docKeywords(s *Streams, o *docOptions, names []string) error {
	all := value.NewDict(0)
	for _, k := range keywordDocs() {
		switch {
		case o.list && o.json:
			all.SetString(k.name, k.text)
		case o.list:
			fmt.Fprintf(s.Out, "%s: %s\n", k.name, k.text)
		case slices.Contains(names, k.name):
			all.SetString(k.name, k.dict())
		}
	}
	if o.list && !o.json {
		return nil
	}
	for _, n := range names {
		if _, ok := all.GetString(n); !ok && !o.list {
			fmt.Fprintf(s.Err, "[WARNING]: Skipping invalid keyword '%s'\n", n)
		}
	}
	if o.json {
		return printValue(s, all, "json")
	}
	for _, e := range all.Entries() {
		if err := printValue(s, value.DictOf(e.Key, e.Value), "yaml"); err != nil {
			return err
		}
	}
	return nil
}

// pluginLists are the plugins of each kind, with a line about each where that is known.
func pluginLists(kind string) (map[string]string, bool) {
	named := func(names []string) map[string]string {
		out := map[string]string{}
		for _, n := range names {
			if !strings.Contains(n, ".") {
				if slices.ContainsFunc(names, func(full string) bool {
					return strings.HasSuffix(full, "."+n) && !strings.HasPrefix(full, "ansible.builtin.")
				}) {
					continue // the short name of one in a collection
				}
				n = "ansible.builtin." + n
			}
			out[n] = ""
		}
		return out
	}
	builtin := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out["ansible.builtin."+pairs[i]] = pairs[i+1]
		}
		return out
	}
	switch kind {
	case "filter":
		return named(template.FilterNames()), true
	case "test":
		return named(template.TestNames()), true
	case "lookup":
		return named(template.LookupNames()), true
	case "become":
		return inCollections(become.Methods(), map[string]string{"sudo": "ansible.builtin", "su": "ansible.builtin"}, "community.general"), true
	case "connection":
		all := builtin("ssh", "the built-in ssh client", "openssh", "the ssh program", "local", "the machine fettle runs on", "paramiko_ssh", "taken as ssh")
		maps.Copy(all, inCollections(container.Kinds(), map[string]string{"docker": "community.docker", "podman": "containers.podman",
			"kubectl": "kubernetes.core", "oc": "community.okd", "chroot": "community.general"}, ""))
		return all, true
	case "strategy":
		return builtin("linear", "all hosts finish a task before the next begins", "free", "each host goes on as fast as it can",
			"host_pinned", "as free", "debug", "as linear, with the debugger when a task fails"), true
	case "inventory":
		return builtin("host_list", "hosts on the command line", "advanced_host_list", "hosts on the command line, with ranges", "script", "programs that print an inventory",
			"auto", "files that name their plugin", "yaml", "YAML files", "ini", "INI files", "toml", "TOML files",
			"constructed", "groups and variables from expressions", "generator", "hosts from layers of names"), true
	case "cache":
		return builtin("memory", "for one run", "jsonfile", "a JSON file a host", "yaml", "a YAML file a host"), true
	case "callback":
		return builtin("default", "what happens, task by task", "minimal", "host by host, for ad-hoc commands", "oneline", "one line a host",
			"json", "one document", "jsonl", "one object an event", "yaml", "as default, with results as YAML",
			"debug", "as default, with results over several lines", "timer", "how long the run took", "profile_tasks", "how long tasks took", "profile_roles", "how long roles took"), true
	case "shell":
		return builtin("sh", "POSIX shells"), true
	case "vars":
		return builtin("host_group_vars", "group_vars and host_vars"), true
	}
	return nil, false
}

// inCollections puts before each name its collection.
func inCollections(names []string, collections map[string]string, dflt string) map[string]string {
	out := map[string]string{}
	for _, n := range names {
		coll, ok := collections[n]
		if !ok {
			coll = dflt
		}
		out[strings.TrimPrefix(coll+"."+n, ".")] = ""
	}
	return out
}

// docPlugins lists the plugins of a kind; their documentation is not built in.
func docPlugins(s *Streams, o *docOptions, names []string) error {
	all, ok := pluginLists(o.kind)
	if !ok {
		return withCode(exitOptions, fmt.Errorf("--type %s is not supported: it is one of module, keyword, filter, test, lookup, become, cache, callback, connection, inventory, shell, strategy, vars", o.kind))
	}
	if len(names) > 0 && !o.list && !o.files {
		return withCode(exitOptions, fmt.Errorf("the documentation of %s plugins is not built in; --list names those that there are", o.kind))
	}
	if o.json {
		return writeJSON(s.Out, all)
	}
	for _, n := range slices.Sorted(maps.Keys(all)) {
		text := all[n]
		if o.files {
			text = "(built in)"
		}
		fmt.Fprintf(s.Out, "%s\n", strings.TrimRight(fmt.Sprintf("%-45s %s", n, text), " "))
	}
	return nil
}
