package inventory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Options are the settings that loading depends on; zero values mean Ansible's defaults.
type Options struct {
	// Decrypt opens text that is a vault; nil refuses vaulted files.
	Decrypt func(file string, text []byte) ([]byte, error)
	// Render renders a text (or, in {{ }}, an expression) for plugins that compute groups
	// and variables. Without it those plugins are refused.
	Render func(src string, at diag.Pos, vars *value.Dict) (value.Value, error)

	Enabled         []string // plugins in the order they are tried (INVENTORY_ENABLED)
	IgnoreExts      []string // INVENTORY_IGNORE_EXTS
	IgnorePatterns  []string // INVENTORY_IGNORE_PATTERNS
	YAMLExts        []string // yaml_valid_extensions of the yaml plugin
	VarsExts        []string // YAML_FILENAME_EXTENSIONS
	TransformGroups string   // always, never (default), ignore or silently
	MergeHashes     bool     // hash_behaviour=merge
	AnyUnparsed     string   // "" warns about a source that no plugin can read, "error" fails
	Unparsed        string   // "" warns when no source can be read, "error" fails, "ignore"
	PatternMismatch string   // "" or warning, error, ignore

	ExtraVars *value.Vars // for plugins that are told to use them
	// Facts gives what an earlier run learned of a host, or nil: constructed inventories read it
	// behind the host's variables.
	Facts func(host string) *value.Dict
	// UseExtraVars is what plugins do that are not told (use_extra_vars).
	UseExtraVars bool
	Environ      []string        // of scripts; nil means that of this process
	Context      context.Context // for scripts; nil means Background
}

func (o *Options) defaults() {
	set := func(l *[]string, names ...string) {
		if *l == nil {
			*l = names
		}
	}
	set(&o.Enabled, "host_list", "script", "auto", "yaml", "ini", "toml")
	set(&o.IgnoreExts, ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
	set(&o.YAMLExts, ".yaml", ".yml", ".json")
	set(&o.VarsExts, ".yml", ".yaml", ".json")
	if o.Context == nil {
		o.Context = context.Background()
	}
}

// source is one thing to read: a file or a host list.
type source struct {
	inv   *Inventory
	name  string // absolute path, or the host list
	diags *diag.List
	text  []byte
	err   error
	done  bool
}

func (s *source) warn(d *diag.Diagnostic) { s.diags.Add(d) }

// read gives the content of the file, decrypted.
func (s *source) read() ([]byte, error) {
	if !s.done {
		s.done = true
		s.text, _, s.err = s.inv.readFile(s.name)
	}
	return s.text, s.err
}

// readFile gives the text of a file, and whether it was encrypted.
func (inv *Inventory) readFile(name string) (text []byte, vaulted bool, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, false, fmt.Errorf("cannot read %s: %w", name, reason(err))
	}
	if !strings.HasPrefix(string(b[:min(len(b), 14)]), "$ANSIBLE_VAULT") {
		return b, false, nil
	}
	if inv.opts.Decrypt == nil {
		return nil, true, fmt.Errorf("%s is encrypted: Attempting to decrypt but no vault secrets found", name)
	}
	text, err = inv.opts.Decrypt(name, b)
	return text, true, err
}

// reason is a file error without its path.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// plugin reads one kind of source. wants is a quick look at the name.
type plugin struct {
	name  string
	wants func(s *source) bool
	parse func(inv *Inventory, s *source) error
}

// plugins lists the built-in ones. It is a function to allow auto to look itself up.
func plugins() []plugin {
	return []plugin{
		{"host_list", wantsHostList, parseHostList},
		{"advanced_host_list", wantsHostList, parseAdvancedHostList},
		{"script", wantsScript, parseScript},

		{"auto", wantsAuto, parseAuto},
		{"yaml", wantsYAML, parseYAML},
		{"ini", wantsINI, parseINI},
		{"toml", wantsTOML, parseTOML},
		{"constructed", wantsConfig, parseConstructed},
		{"generator", wantsConfig, parseGenerator},
	}
}

// findPlugin accepts short and full names.
func findPlugin(name string) (plugin, bool) {
	short := strings.TrimPrefix(strings.TrimPrefix(name, "ansible.builtin."), "ansible.legacy.")
	for _, p := range plugins() {
		if p.name == short {
			return p, true
		}
	}
	return plugin{}, false
}

// Load reads the sources in order; later ones override earlier ones. A source that cannot
// be read is a warning with the reason, as in Ansible, unless the options say otherwise.
func Load(sources []string, opts Options) (*Inventory, *diag.List) {
	opts.defaults()
	inv := newInventory(opts)
	diags := &diag.List{}
	for _, s := range sources {
		if s == "" {
			continue
		}
		if !strings.Contains(s, ",") {
			s = expandPath(s)
		}
		inv.sources = append(inv.sources, s)
		if inv.load(s, diags) {
			inv.parsed = true
		}
	}
	if inv.parsed {
		inv.reconcile()
	} else {
		inv.noSource(diags)
	}
	inv.order()
	inv.checkNames(diags)
	inv.findDirs(diags)
	return inv, diags
}

func expandPath(s string) string {
	if s == "~" || strings.HasPrefix(s, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			s = home + s[1:]
		}
	}
	s = os.ExpandEnv(s)
	if abs, err := filepath.Abs(s); err == nil {
		return abs
	}
	return s
}

func (inv *Inventory) noSource(diags *diag.List) {
	switch inv.opts.Unparsed {
	case "error":
		diags.Add(diag.Errorf(diag.Pos{}, "inventory", "no inventory was parsed, please check your configuration and options"))
	case "ignore":
	default:
		diags.Add(diag.Warnf(diag.Pos{}, "inventory", NoneParsed))
	}
}

func (inv *Inventory) checkNames(diags *diag.List) {
	for _, g := range inv.groupList {
		if inv.hosts[g.Name] != nil {
			diags.Add(diag.Warnf(g.At, "inventory", "Found both group and host with same name: %s", g.Name))
		}
	}
}

var alwaysIgnored = regexp.MustCompile(`^\.|^(?:host_vars|group_vars|vars_plugins)$`)

func (inv *Inventory) ignored(name string) bool {
	if alwaysIgnored.MatchString(name) || slices.ContainsFunc(inv.opts.IgnoreExts, func(e string) bool { return strings.HasSuffix(name, e) }) {
		return true
	}
	for _, p := range inv.opts.IgnorePatterns {
		if re, err := regexp.Compile(p); err == nil && re.MatchString(name) {
			return true
		}
	}
	return false
}

func (inv *Inventory) load(name string, diags *diag.List) bool {
	st, err := os.Stat(name)
	if err == nil && st.IsDir() {
		entries, err := os.ReadDir(name)
		if err != nil {
			diags.Add(diag.Warnf(diag.Pos{File: name}, "inventory", "cannot read the directory: %v", reason(err)))
			return false
		}
		parsed := false
		for _, e := range entries { // sorted by name
			if !inv.ignored(e.Name()) {
				parsed = inv.load(filepath.Join(name, e.Name()), diags) || parsed
			}
		}
		return parsed
	}
	return inv.loadOne(&source{inv: inv, name: name, diags: diags})
}

const unsupportedPlugin = "inventory-plugin"

// failure is why a plugin could not read a source.
type failure struct {
	plugin string
	err    error
}

// loadOne tries the enabled plugins until one can read the source.
func (inv *Inventory) loadOne(s *source) bool {
	var failures []failure
	for _, name := range inv.opts.Enabled {
		p, ok := findPlugin(name)
		if !ok {
			s.warn(diag.Warnf(diag.Pos{}, "inventory", "there is no inventory plugin %q", name))
			continue
		}
		if !p.wants(s) {
			continue
		}
		err := p.parse(inv, s)
		if err == nil {
			return true
		}
		failures = append(failures, failure{p.name, err})
	}
	inv.unreadable(s, failures)
	return false
}

// unreadable reports a source that no plugin could read, with the reasons.
func (inv *Inventory) unreadable(s *source, failures []failure) {
	_, statErr := os.Stat(s.name)
	if statErr != nil && s.name == "/etc/ansible/hosts" {
		return // the default, which need not be there
	}
	severity := diag.Warning
	if inv.opts.AnyUnparsed == "error" {
		severity = diag.Error
	}
	if i := slices.IndexFunc(failures, func(f failure) bool { return f.plugin == "auto" || f.plugin == "yaml" }); i >= 0 && filepath.Ext(s.name) != "" {
		failures = failures[i : i+1] // what reading YAML as INI says helps nobody
	}
	for _, f := range failures {
		var d *diag.Diagnostic
		if !errors.As(f.err, &d) {
			d = diag.Warnf(diag.Pos{File: s.name}, "inventory", "%v", f.err)
		}
		c := *d
		c.Severity, c.Summary = severity, "Failed to parse "+s.name+" with "+f.plugin+" plugin: "+c.Summary
		if c.Rule == unsupportedPlugin { // not the user's mistake: Ansible could read it
			c.Severity, c.Summary = diag.Error, d.Summary
		}
		s.warn(&c)
	}
	d := diag.Warnf(diag.Pos{}, "inventory", "Unable to parse %s as an inventory source", s.name)
	if d.Severity = severity; severity == diag.Error {
		d.Summary = "Completely failed to parse inventory source " + s.name
	}
	if statErr != nil && !isHostList(s.name) {
		d.Hint = reason(statErr).Error()
	}
	s.warn(d)
}

func wantsINI(s *source) bool { return filepath.Ext(s.name) != ".toml" && isFile(s) }

func isFile(s *source) bool {
	f, err := os.Open(s.name)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

func hasExt(name string, exts []string) bool { return slices.Contains(exts, filepath.Ext(name)) }

func isHostList(name string) bool {
	if !strings.Contains(name, ",") {
		return false
	}
	_, err := os.Stat(name)
	return err != nil
}

func wantsHostList(s *source) bool { return isHostList(s.name) }

// parseHostList takes the names as they are.
func parseHostList(inv *Inventory, s *source) error {
	for name := range strings.SplitSeq(s.name, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		host, port := splitPort(name)
		if inv.hosts[host] == nil {
			inv.addHost(host, inv.groups["ungrouped"], port, s.name)
		}
	}
	return nil
}

// parseAdvancedHostList takes ranges as well.
func parseAdvancedHostList(inv *Inventory, s *source) error {
	for pattern := range strings.SplitSeq(s.name, ",") {
		pattern = strings.TrimSpace(pattern)
		if pattern == "" {
			continue
		}
		names, port, err := expandHosts(pattern)
		if errors.Is(err, errNoEnd) { // Ansible takes it as a name
			s.warn(diag.Warnf(diag.Pos{}, "inventory", "Unable to parse address from hostname, leaving unchanged: host range must specify end value in %q", pattern))
			names, err = []string{pattern}, nil
		}
		if err != nil {
			return err
		}
		for _, n := range names {
			if inv.hosts[n] == nil {
				inv.addHost(n, inv.groups["ungrouped"], port, s.name)
			}
		}
	}
	return nil
}

// NoneParsed is the warning that there is no inventory.
const NoneParsed = "No inventory was parsed, only implicit localhost is available"
