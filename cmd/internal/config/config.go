// Package config gives the settings of ansible.cfg and of ANSIBLE_* variables, with their
// types, defaults and origins. The table of all settings is settings.txt; those that fettle
// acts on are named in supported.go, and a setting that is given but not supported gives
// one warning.
package config

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

//go:embed settings.txt
var table string

// Setting is one known setting.
type Setting struct {
	Name    string // HOST_KEY_CHECKING; ssh:control_path for a plugin's
	Type    string // bool int float str list path pathspec pathlist raw
	Default string // "-" for none
	Env     []string
	INI     []string // section.key
	Choices []string
	// Collection: it belongs to a plugin that ansible-core does not have, and does not list.
	Collection bool
}

// Plugin tells that the setting belongs to a plugin.
func (s *Setting) Plugin() bool { return strings.Contains(s.Name, ":") }

// Config is what is set. Getters panic on a name that is not in the table.
type Config struct {
	File     string // the ansible.cfg that was read, or ""
	settings []*Setting
	ini      *iniFile // nil without a file
	warned   map[string]bool
	values   map[string]item
	home     string
	cwd      string
}

type item struct {
	v      value.Value
	origin string
}

// Load reads the environment (KEY=VALUE) and the first ansible.cfg that is there: the one
// that ANSIBLE_CONFIG names, that of cwd unless everybody may write to it, that of the
// home directory, /etc/ansible/ansible.cfg. Problems of all settings are reported together.
func Load(environ []string, cwd string) (*Config, *diag.List) {
	return load(environ, cwd, "/etc/ansible/ansible.cfg")
}

func load(environ []string, cwd, global string) (*Config, *diag.List) {
	diags := &diag.List{}
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	c := &Config{settings: settings(), values: map[string]item{}, warned: map[string]bool{}, home: env["HOME"], cwd: cwd}
	if c.home == "" {
		c.home = "/"
	}
	c.File = c.find(env, global, diags)
	var file *iniFile
	if c.File != "" {
		text, err := os.ReadFile(c.File)
		if err != nil {
			diags.Add(diag.Errorf(diag.Pos{File: c.File}, "config", "cannot read it: %v", err))
		} else {
			file = parseINI(c.File, string(text), diags)
		}
	}
	c.ini = file
	home := slices.IndexFunc(c.settings, func(s *Setting) bool { return s.Name == "ANSIBLE_HOME" })
	c.set(c.settings[home], env, file, diags) // other defaults depend on it
	for i, s := range c.settings {
		if i != home {
			c.set(s, env, file, diags)
		}
	}
	c.unknown(file, diags)
	return c, diags
}

func settings() []*Setting { return append(parseSettings(table), collectionSettings()...) }

func parseSettings(table string) []*Setting {
	var out []*Setting
	list := func(s string) []string {
		if s == "-" {
			return nil
		}
		return strings.Split(s, ",")
	}
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(f) != 6 {
			continue
		}
		out = append(out, &Setting{Name: f[0], Type: f[1], Default: f[2], Env: list(f[3]), INI: list(f[4]), Choices: list(f[5])})
	}
	return out
}

// find chooses the configuration file.
func (c *Config) find(env map[string]string, global string, diags *diag.List) string {
	readable := func(p string) bool {
		f, err := os.Open(p)
		if err != nil {
			return false
		}
		_ = f.Close()
		st, err := os.Stat(p)
		return err == nil && !st.IsDir()
	}
	if p, ok := env["ANSIBLE_CONFIG"]; ok {
		p = c.path(p, c.cwd)
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			p = filepath.Join(p, "ansible.cfg")
		}
		if readable(p) {
			return p
		}
	}
	local := filepath.Join(c.cwd, "ansible.cfg")
	skipped := false
	if st, err := os.Stat(c.cwd); err == nil && st.Mode()&0o002 != 0 {
		_, err := os.Stat(local)
		skipped = err == nil
	} else if readable(local) {
		return local
	}
	if skipped {
		diags.Add(diag.Warnf(diag.Pos{}, "config", "Ansible is being run in a world writable directory (%s), ignoring it as an ansible.cfg source", c.cwd))
	}
	for _, p := range []string{filepath.Join(c.home, ".ansible.cfg"), global} {
		if readable(p) {
			return p
		}
	}
	return ""
}

// set finds the value of one setting: default, then file, then environment.
func (c *Config) set(s *Setting, env map[string]string, file *iniFile, diags *diag.List) {
	text, origin, at, base := s.Default, "default", diag.Pos{}, c.cwd
	given := false
	if file != nil {
		for _, key := range s.INI {
			section, name, _ := strings.Cut(key, ".")
			if e, ok := file.get(section, name); ok {
				text, origin, at, base, given = unquote(e.text), c.File, e.at, filepath.Dir(c.File), true
			}
		}
	}
	for _, name := range s.Env {
		if v, ok := env[name]; ok {
			text, origin, at, base, given = v, "env: "+name, diag.Pos{}, c.cwd, true
		}
	}
	if strings.TrimSpace(text) == "" && (s.Type == "int" || s.Type == "float") {
		text, origin, given = s.Default, "default", false
	}
	if !given {
		if text == "-" {
			c.values[s.Name] = item{nil, origin}
			return
		}
		text = c.fill(text)
	}
	v, err := c.convert(s, text, base)
	if err == nil {
		err = checkChoice(s, v)
	}
	if err != nil {
		diags.Add(diag.Errorf(at, "config", "Invalid type for configuration option setting: %s (from %s): %v", s.Name, origin, err))
		c.values[s.Name] = item{nil, origin}
		return
	}
	c.values[s.Name] = item{v, origin}
	if given && !s.Collection && !supported(s.Name) {
		c.warnUnsupported(s, origin, at, diags)
	}
}

func (c *Config) warnUnsupported(s *Setting, origin string, at diag.Pos, diags *diag.List) {
	for _, o := range c.settings { // one key may feed several settings; one that is supported is enough
		if o != s && (supported(o.Name) || c.warned[o.Name]) && c.fedBy(o, s, origin, at) {
			return
		}
	}
	c.warned[s.Name] = true
	if at.IsZero() && !strings.HasPrefix(origin, "env: ") {
		at.File = origin
	}
	diags.Add(diag.Warnf(at, "config", "the setting %s (%s) is not supported and has no effect", s.Name, origin))
}

// fedBy tells that what gave s its value gives o one as well.
func (c *Config) fedBy(o, s *Setting, origin string, at diag.Pos) bool {
	if name, ok := strings.CutPrefix(origin, "env: "); ok {
		return slices.Contains(o.Env, name)
	}
	for _, key := range s.INI {
		section, name, _ := strings.Cut(key, ".")
		if e, ok := c.ini.get(section, name); ok && e.at == at && slices.Contains(o.INI, key) {
			return true
		}
	}
	return false
}

// fill completes a default.
func (c *Config) fill(text string) string {
	if strings.HasPrefix(text, `"`) {
		if s, err := strconv.Unquote(text); err == nil {
			text = s
		}
	}
	home := ""
	if it, ok := c.values["ANSIBLE_HOME"]; ok {
		home = value.Str(it.v)
	}
	return strings.ReplaceAll(text, "$ANSIBLE_HOME", home)
}

func checkChoice(s *Setting, v value.Value) error {
	check := []value.Value{v}
	if l, ok := v.(*value.List); ok {
		check = l.V
	}
	for _, v := range check {
		if text := value.Str(v); len(s.Choices) > 0 && v != nil && !slices.Contains(s.Choices, text) {
			hint := diag.DidYouMean(text, s.Choices)
			if hint != "" {
				hint = "; " + hint
			}
			return fmt.Errorf("%q is not one of %s%s", text, strings.Join(s.Choices, ", "), hint)
		}
	}
	return nil
}

// unquote takes one pair of quotes off, as values in the file may have them.
func unquote(s string) string {
	if len(s) > 1 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'') && s[len(s)-2] != '\\' {
		return s[1 : len(s)-1]
	}
	return s
}

func (c *Config) convert(s *Setting, text, base string) (value.Value, error) {
	switch s.Type {
	case "bool":
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "yes", "y", "true", "t", "on", "1":
			return true, nil
		default:
			return false, nil // Ansible takes any other text as no
		}
	case "int":
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			if f, e := strconv.ParseFloat(strings.TrimSpace(text), 64); e == nil && f == float64(int64(f)) {
				return int64(f), nil
			}
			return nil, fmt.Errorf("%q is no whole number", text)
		}
		return n, nil
	case "float":
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", text)
		}
		return f, nil
	case "list":
		return c.list(text, ",", func(s string) string { return s }), nil
	case "path":
		if text == "" {
			return nil, nil
		}
		return c.path(text, base), nil
	case "pathspec":
		return c.list(text, ":", func(s string) string { return c.path(s, base) }), nil
	case "pathlist":
		return c.list(text, ",", func(s string) string { return c.path(s, base) }), nil
	}
	return text, nil
}

func (c *Config) list(text, sep string, each func(string) string) *value.List {
	l := value.NewList()
	if text == "[]" || text == "" {
		return l
	}
	for part := range strings.SplitSeq(text, sep) {
		l.V = append(l.V, each(strings.TrimSpace(part)))
	}
	return l
}

// path expands ~, variables and {{CWD}} and makes a path absolute, seen from base.
func (c *Config) path(p, base string) string {
	p = strings.NewReplacer("{{CWD}}", c.cwd, "$CWD", c.cwd).Replace(p)
	if p == "~" || strings.HasPrefix(p, "~/") {
		p = c.home + p[1:]
	}
	p = os.ExpandEnv(p)
	if !filepath.IsAbs(p) {
		p = filepath.Join(base, p)
	}
	return filepath.Clean(p)
}

func (c *Config) get(name string) item {
	it, ok := c.values[name]
	if !ok {
		panic("config: there is no setting " + name)
	}
	return it
}

// Value is the value of a setting: bool, int64, float64, string, *value.List or nil.
func (c *Config) Value(name string) value.Value { return c.get(name).v }

// Origin tells where a value comes from: "default", "env: NAME" or the path of the file.
func (c *Config) Origin(name string) string { return c.get(name).origin }

// IsSet tells that a setting is given, in the file or in the environment.
func (c *Config) IsSet(name string) bool { return c.get(name).origin != "default" }

// Bool is a setting of type bool.
func (c *Config) Bool(name string) bool { b, _ := c.get(name).v.(bool); return b }

// Int is a setting of type int; 0 when it has no value.
func (c *Config) Int(name string) int { n, _ := c.get(name).v.(int64); return int(n) }

// Float is a setting of type float.
func (c *Config) Float(name string) float64 { f, _ := c.get(name).v.(float64); return f }

// String is a setting of type str or path; "" when it has no value.
func (c *Config) String(name string) string {
	v := c.get(name).v
	if v == nil {
		return ""
	}
	return value.Str(v)
}

// List is a setting of type list, pathspec or pathlist.
func (c *Config) List(name string) []string {
	l, _ := c.get(name).v.(*value.List)
	if l == nil {
		return nil
	}
	out := make([]string, len(l.V))
	for i, v := range l.V {
		out[i] = value.Str(v)
	}
	return out
}

// Settings lists the settings of ansible-core by name, those of plugins last.
func (c *Config) Settings() []*Setting {
	out := slices.DeleteFunc(slices.Clone(c.settings), func(s *Setting) bool { return s.Collection })
	slices.SortStableFunc(out, func(a, b *Setting) int {
		if a.Plugin() != b.Plugin() {
			if b.Plugin() {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// Dump is the text of `ansible-config dump`: one line for each core setting. onlyChanged
// leaves out those with their default.
func (c *Config) Dump(onlyChanged bool) string {
	var b strings.Builder
	for _, s := range c.Settings() {
		if s.Plugin() || onlyChanged && !c.IsSet(s.Name) && s.Name != "CONFIG_FILE" {
			continue
		}
		if s.Name == "CONFIG_FILE" {
			file := "None"
			if c.File != "" {
				file = c.File
			}
			fmt.Fprintf(&b, "CONFIG_FILE() = %s\n", file)
			continue
		}
		fmt.Fprintf(&b, "%s(%s) = %s\n", s.Name, c.Origin(s.Name), value.Str(c.Value(s.Name)))
	}
	return b.String()
}
