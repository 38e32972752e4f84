package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/cmd/internal/config"
	"fettle/engine/template"
	"fettle/engine/value"

	"github.com/spf13/cobra"
)

type configOptions struct {
	file, format, kind string
	changed, disabled  bool
}

// configKinds are what -t takes; the settings of plugins are shown for those that are known.
var configKinds = []string{"all", "base", "become", "cache", "callback", "cliconf", "connection", "httpapi", "inventory", "lookup", "netconf", "shell", "vars"}

// pluginKinds tells what kind of plugin the settings of settings.txt are of.
var pluginKinds = map[string]string{
	"constructed": "inventory", "script": "inventory", "default": "callback", "junit": "callback", "minimal": "callback", "tree": "callback",
	"host_group_vars": "vars", "jsonfile": "cache", "local": "connection", "ssh": "connection", "sh": "shell", "su": "become", "sudo": "become", "yaml": "inventory",
}

func newConfig(s *Streams) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show the settings that ansible.cfg and the environment give", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitUsage, fmt.Errorf("an action is needed: dump, list, view, init or validate"))
		}}
	verboseParent(s, c)
	for _, a := range []struct {
		name, short string
		formats     []string
		run         func(s *Streams, o *configOptions, cfg *config.Config, args []string) error
	}{
		{"dump", "Print all settings with their origin", []string{"display", "json", "yaml"}, configDump},
		{"list", "Print what settings there are", []string{"yaml", "json"}, configList},
		{"view", "Print the configuration file in use", nil, configView},
		{"init", "Print a configuration file to start from", []string{"ini", "env"}, configInit},
		{"validate", "Check the configuration file, or the environment", []string{"ini", "env"}, configValidate},
	} {
		o := &configOptions{}
		sub := &cobra.Command{Use: a.name, Short: a.short, RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(configKinds, o.kind) {
				return withCode(exitUsage, fmt.Errorf("--type %q is not one of %s", o.kind, strings.Join(configKinds, ", ")))
			}
			if a.formats != nil && !slices.Contains(a.formats, o.format) {
				return withCode(exitUsage, fmt.Errorf("--format %q is not supported: it is one of %s", o.format, strings.Join(a.formats, ", ")))
			}
			cfg, err := o.load(s)
			if err != nil {
				return err
			}
			return a.run(s, o, cfg, args)
		}}
		f := sub.Flags()
		f.StringVarP(&o.file, "config", "c", "", "this configuration file instead of the one that is found")
		f.StringVarP(&o.kind, "type", "t", "base", "whose settings: base, all, or a kind of plugin")
		if a.formats != nil {
			f.StringVarP(&o.format, "format", "f", a.formats[0], strings.Join(a.formats, ", "))
		}
		switch a.name {
		case "dump":
			f.BoolVar(&o.changed, "only-changed", false, "only those that are not the default")
			f.BoolVar(&o.changed, "changed-only", false, "same as --only-changed")
			hide(f, "changed-only")
		case "init":
			f.BoolVar(&o.disabled, "disabled", false, "put each setting into a comment")
		}
		c.AddCommand(sub)
	}
	return c
}

// load reads the configuration, from --config if it is given.
func (o *configOptions) load(s *Streams) (*config.Config, error) {
	environ := os.Environ()
	if o.file != "" {
		file, err := filepath.Abs(expandHome(o.file))
		if err == nil {
			_, err = os.Stat(file)
		}
		if err != nil {
			return nil, withCode(exitOptions, fmt.Errorf("The provided configuration file is missing or not accessible: %s", o.file)) //nolint:staticcheck // Ansible's words
		}
		environ = append(environ, "ANSIBLE_CONFIG="+file)
	}
	return loadConfigFrom(s, environ)
}

// wanted tells whether -t asks for a setting, args narrowing it to plugins of these names.
func (o *configOptions) wanted(st *config.Setting, args []string) bool {
	plugin, _, isPlugin := strings.Cut(st.Name, ":")
	if !isPlugin {
		return o.kind == "base" || o.kind == "all"
	}
	if len(args) > 0 && !slices.Contains(args, plugin) {
		return false
	}
	return o.kind == "all" || o.kind == pluginKinds[plugin]
}

func configDump(s *Streams, o *configOptions, cfg *config.Config, args []string) error {
	list := value.NewList()
	plugins := map[string]string{} // by kind: the lines of its plugins
	heading := ""
	for _, st := range cfg.Settings() {
		if !o.wanted(st, args) || o.changed && !cfg.IsSet(st.Name) && st.Name != "CONFIG_FILE" {
			continue
		}
		plugin, name, isPlugin := strings.Cut(st.Name, ":")
		if !isPlugin {
			name = st.Name
		}
		v, origin := cfg.Value(st.Name), cfg.Origin(st.Name)
		if st.Name == "CONFIG_FILE" {
			v, origin = nil, ""
			if cfg.File != "" {
				v = cfg.File
			}
		}
		if o.format != "display" {
			list.V = append(list.V, value.DictOf("name", name, "origin", origin, "value", v))
			continue
		}
		line := fmt.Sprintf("%s(%s) = %s\n", name, origin, value.Str(v))
		if !isPlugin {
			fmt.Fprint(s.Out, line)
			continue
		}
		if plugin != heading {
			heading = plugin
			line = fmt.Sprintf("\n%s:\n%s\n", plugin, strings.Repeat("_", len(plugin))) + line
		}
		plugins[pluginKinds[plugin]] += line
	}
	servers := o.kind == "base" || o.kind == "all"
	if o.format == "display" {
		if servers {
			fmt.Fprint(s.Out, "\nGALAXY_SERVERS:\n")
		}
		dumpPlugins(s, plugins, o.kind == "all")
		return nil
	}
	if servers {
		list.V = append(list.V, value.DictOf("GALAXY_SERVERS", value.NewDict(0)))
	}
	return printValue(s, list, o.format)
}

// dumpPlugins prints the settings of plugins by their kinds, below headings where there may be several.
func dumpPlugins(s *Streams, plugins map[string]string, headings bool) {
	if headings && len(plugins) > 0 {
		fmt.Fprintln(s.Out)
	}
	for _, kind := range slices.Sorted(maps.Keys(plugins)) {
		if headings {
			fmt.Fprintf(s.Out, "\n%s:\n%s\n", strings.ToUpper(kind), strings.Repeat("=", len(kind)))
		}
		fmt.Fprint(s.Out, plugins[kind])
	}
}

// printValue prints JSON or YAML as ansible-config does.
func printValue(s *Streams, v value.Value, format string) error {
	if format == "json" {
		text, err := value.JSON{Pretty: true, Spaces: true, Indent: "    ", SortKeys: true}.Encode(v)
		fmt.Fprintln(s.Out, text)
		return err
	}
	scope := template.MapScope{Dict: value.DictOf("it", v)}
	text, err := template.New(template.Options{}).NewContext(context.Background(), scope).String(&value.Template{Src: "{{ it | to_nice_yaml(indent=2) }}"})
	fmt.Fprint(s.Out, strings.TrimSuffix(text, "\n")+"\n")
	return err
}

func configList(s *Streams, o *configOptions, cfg *config.Config, args []string) error {
	all, plugins := value.NewDict(0), value.NewDict(0)
	for _, st := range cfg.Settings() {
		if !o.wanted(st, args) {
			continue
		}
		plugin, name, isPlugin := strings.Cut(st.Name, ":")
		if !isPlugin {
			all.SetString(st.Name, describe(st))
			continue
		}
		sub(sub(plugins, pluginKinds[plugin]), plugin).SetString(name, describe(st))
	}
	if plugins.Len() > 0 {
		all.SetString("PLUGINS", plugins)
	}
	return printValue(s, all, o.format)
}

// sub is the dict of a name, made on first use.
func sub(d *value.Dict, name string) *value.Dict {
	if v, ok := d.GetString(name); ok {
		if in, ok := v.(*value.Dict); ok {
			return in
		}
	}
	in := value.NewDict(0)
	d.SetString(name, in)
	return in
}

// describe is one setting: default, type, and where it can be given.
func describe(st *config.Setting) *value.Dict {
	d := value.NewDict(5)
	if st.Default != "-" {
		d.SetString("default", st.Default)
	}
	d.SetString("type", st.Type)
	if len(st.Choices) > 0 {
		d.SetString("choices", textList(st.Choices))
	}
	env, ini := value.NewList(), value.NewList()
	for _, e := range st.Env {
		env.V = append(env.V, value.DictOf("name", e))
	}
	for _, k := range st.INI {
		section, key, _ := strings.Cut(k, ".")
		ini.V = append(ini.V, value.DictOf("key", key, "section", section))
	}
	if len(env.V) > 0 {
		d.SetString("env", env)
	}
	if len(ini.V) > 0 {
		d.SetString("ini", ini)
	}
	return d
}

func configView(s *Streams, _ *configOptions, cfg *config.Config, _ []string) error {
	if cfg.File == "" {
		return errors.New("Invalid or no config file was supplied") //nolint:staticcheck // Ansible's words
	}
	b, err := os.ReadFile(cfg.File)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(b)
	return err
}

// configInit prints every setting with its default, by section, or as variables.
func configInit(s *Streams, o *configOptions, cfg *config.Config, args []string) error {
	comment := ""
	if o.disabled {
		comment = map[string]string{"ini": ";", "env": "#"}[o.format]
	}
	var order []string
	sections := map[string][]string{}
	for _, st := range cfg.Settings() {
		if !o.wanted(st, args) {
			continue
		}
		dflt := st.Default
		if dflt == "-" {
			dflt = ""
		}
		if o.format == "env" {
			if len(st.Env) > 0 {
				fmt.Fprintf(s.Out, "# (%s) %s\n%s%s=%s\n\n", st.Type, st.Name, comment, st.Env[0], dflt)
			}
			continue
		}
		if len(st.INI) == 0 {
			continue
		}
		section, key, _ := strings.Cut(st.INI[len(st.INI)-1], ".")
		if sections[section] == nil {
			order = append(order, section)
		}
		if line := fmt.Sprintf("# (%s) %s\n%s%s=%s\n", st.Type, st.Name, comment, key, dflt); !hasKey(sections[section], key) {
			sections[section] = append(sections[section], line)
		}
	}
	for _, name := range order {
		fmt.Fprintf(s.Out, "[%s]\n%s\n\n", name, strings.Join(sections[name], "\n"))
	}
	return nil
}

func hasKey(lines []string, key string) bool {
	return slices.ContainsFunc(lines, func(l string) bool {
		_, last, _ := strings.Cut(l, "\n")
		return strings.HasPrefix(strings.TrimPrefix(last, ";"), key+"=")
	})
}

// configValidate looks for settings that do not exist.
func configValidate(s *Streams, o *configOptions, cfg *config.Config, _ []string) error {
	var unknown []string
	if o.format == "env" {
		for _, kv := range os.Environ() {
			if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "ANSIBLE_") && !strings.HasPrefix(name, "ANSIBLE_TEST_") && !strings.HasPrefix(name, "ANSIBLE_LINT_") && !cfg.KnownEnv(name) {
				unknown = append(unknown, fmt.Sprintf("Found unknown environment variable '%s'.", name))
			}
		}
	} else {
		for _, key := range cfg.UnknownKeys() {
			unknown = append(unknown, fmt.Sprintf("Found unknown configuration '%s' in '%s'.", key, cfg.File))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return errors.New(strings.Join(unknown, "\n"))
	}
	fmt.Fprintln(s.Out, "All configurations seem valid!")
	return nil
}

func loadConfig(s *Streams) (*config.Config, error) { return loadConfigFrom(s, os.Environ()) }

func loadConfigFrom(s *Streams, environ []string) (*config.Config, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	cfg, problems := config.Load(environ, wd)
	printDiagnostics(s.Err, problems.Sorted())
	return cfg, withCode(exitOptions, problems.Err())
}
