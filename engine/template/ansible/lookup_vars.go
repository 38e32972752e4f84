package ansible

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"

	"fettle/engine/diag"
	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	template.RegisterLookup("env", lookupEnv)
	register("vars", "default", lookupVars)
	register("varnames", "", lookupVarnames)
	register("inventory_hostnames", "", lookupInventory)
	register("config", "on_missing plugin_type plugin_name show_origin", lookupConfig)
	register("pipe", "", lookupPipe)
	register("lines", "", lookupLines)
}

// Inventory is what a template.Scope may offer for lookup inventory_hostnames.
type Inventory interface {
	// MatchHosts lists the hosts a pattern selects.
	MatchHosts(pattern string) ([]string, error)
}

// Settings is what a template.Scope may offer for lookup config.
type Settings interface {
	// Setting returns a setting's value and where it comes from.
	Setting(name, pluginType, pluginName string) (v value.Value, origin string, ok bool)
}

func lookupEnv(c *template.Context, terms []value.Value, kw []value.Keyword) ([]value.Value, error) {
	var dflt value.Value = ""
	for _, k := range kw {
		if k.Name == "default" && k.Value != nil {
			dflt = k.Value
		}
	}
	out := []value.Value{}
	for _, t := range terms {
		if !isText(t) {
			return nil, fmt.Errorf("the name of an environment variable is text, not %s", value.TypeName(t))
		}
		name, _, _ := strings.Cut(strings.TrimSpace(text(t)), " ")
		v, ok := os.LookupEnv(name)
		if ok {
			out = append(out, v)
			continue
		}
		if u, is := dflt.(*value.Undefined); is {
			return nil, fmt.Errorf("the %q environment variable is not set: %s", name, u.Message())
		}
		out = append(out, dflt)
	}
	return out, nil
}

func lookupVars(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		name, err := needText(t, "setting identifier")
		if err != nil {
			return nil, err
		}
		v, err := c.Var(name)
		if err != nil {
			return nil, err
		}
		if u, missing := v.(*value.Undefined); missing {
			dflt, ok := o.all["default"]
			ok = ok && (dflt != nil || c.Compat().Old())
			if ok && !c.Compat().Old() && c.Scope() != nil {
				if _, set := c.Scope().Lookup(name); set { // the default is for names, not for values
					return nil, &value.UndefinedError{Undefined: u}
				}
			}
			switch {
			case ok:
				v = dflt
			case c.Compat().Old():
				return nil, &missingVariable{name, &value.UndefinedError{Undefined: u}}
			default: // so that default() and "is defined" see it
				v = &value.Undefined{Name: name, Hint: "No variable named '" + name + "' was found.", At: u.At}
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// missingVariable is an undefined value, in the words of the lookup.
type missingVariable struct {
	name string
	err  *value.UndefinedError
}

func (e *missingVariable) Error() string {
	return "No variable found with this name: " + e.name
}

func (e *missingVariable) Unwrap() error { return e.err }

func lookupVarnames(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	if c.Scope() == nil {
		return nil, errors.New("no variables available to search")
	}
	names := c.Scope().Names()
	out := []value.Value{}
	for _, t := range terms {
		pattern, err := needText(t, "setting identifier")
		if err != nil {
			return nil, err
		}
		re, err := pyre.Cached(pattern, 0)
		if err != nil {
			return nil, fmt.Errorf("Unable to use %q as a search parameter: %w", pattern, err)
		}
		for _, n := range names {
			ok, err := re.Matched(n)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

func lookupInventory(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	inv, ok := c.Scope().(Inventory)
	if !ok {
		return nil, errors.New("there is no inventory to match host patterns with")
	}
	out := []value.Value{}
	for _, t := range terms {
		patterns, err := items(t)
		if err != nil {
			return nil, err
		}
		var words []string
		for _, p := range patterns {
			words = append(words, text(p))
		}
		hosts, err := inv.MatchHosts(strings.Join(words, ","))
		if err != nil {
			return nil, err
		}
		out = append(out, texts(hosts).V...)
	}
	return out, nil
}

func lookupConfig(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	s, ok := c.Scope().(Settings)
	if !ok {
		return nil, errors.New("there are no settings to look into")
	}
	missing := o.text("on_missing", "error")
	if missing != "error" && missing != "warn" && missing != "skip" {
		return nil, fmt.Errorf("Invalid value %q for on_missing, valid values are: error, warn, skip", missing)
	}
	out := []value.Value{}
	for _, t := range terms {
		name, err := needText(t, "setting identifier")
		if err != nil {
			return nil, err
		}
		v, origin, ok := s.Setting(name, o.text("plugin_type", ""), o.text("plugin_name", ""))
		if ok && o.text("plugin_name", "") != "" {
			v, origin, err = pluginVariable(c, name, o.text("plugin_name", ""), v, origin)
			if err != nil {
				return nil, err
			}
		}
		switch {
		case ok && o.bool("show_origin", false):
			out = append(out, value.Tuple{v, origin})
		case ok:
			out = append(out, v)
		case missing == "error":
			return nil, fmt.Errorf("Unable to find setting %s: Invalid setting, there is no definition of it", name)
		case missing == "warn":
			c.Warnf(diag.Pos{}, "lookup", "skipping, did not find setting %s", name)
		}
	}
	return out, nil
}

// pluginVariable is the variable that wins over a plugin's option, if one is set: those of
// connections and shells are called after the option, and after plugin and option.
func pluginVariable(c *template.Context, option, plugin string, v value.Value, origin string) (value.Value, string, error) {
	short := strings.TrimPrefix(option, "ansible_")
	if option == "remote_user" {
		short = "user"
	}
	plugin = plugin[strings.LastIndexByte(plugin, '.')+1:]
	for _, name := range []string{"ansible_" + plugin + "_" + short, "ansible_" + short} {
		if _, set := c.Scope().Lookup(name); !set {
			continue
		}
		found, err := c.Var(name)
		return found, "var: " + name, err
	}
	return v, origin, nil
}

// shell runs a command line on the controller and returns what it printed.
func shell(ctx context.Context, c *template.Context, line string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	if dirs := searchPath(c); len(dirs) > 0 {
		if st, err := os.Stat(dirs[len(dirs)-1]); err == nil && st.IsDir() {
			cmd.Dir = dirs[len(dirs)-1]
		}
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("the command %q returned %d", line, exit.ExitCode())
	}
	return out.Bytes(), err
}

func lookupPipe(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		raw, err := shell(c.Ctx(), c, text(t))
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimRightFunc(string(raw), value.IsSpace))
	}
	return out, nil
}

func lookupLines(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		raw, err := shell(c.Ctx(), c, text(t))
		if err != nil {
			return nil, err
		}
		out = append(out, texts(splitLines(string(raw))).V...)
	}
	return out, nil
}

// splitLines is str.splitlines().
func splitLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var lines []string
	for s != "" {
		i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			return append(lines, s)
		}
		lines = append(lines, s[:i])
		_, w := utf8.DecodeRuneInString(s[i:])
		s = s[i+w:]
	}
	return lines
}
