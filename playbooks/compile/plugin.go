package compile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/playbooks/load"
)

// silentPlugins are plugins that act without being named, by the folder they are in beside a
// playbook or in a role, with what is missing without them.
var silentPlugins = []struct{ kind, missing string }{
	{"callback", "its output is missing"},
	{"vars", "its variables are missing"},
}

// ownContent adds a folder, of the playbook or a role, that may bring plugins and modules.
func (s *scope) ownContent(dir string) {
	if s.state == nil || slices.Contains(s.state.content, dir) {
		return
	}
	s.state.content = append(s.state.content, dir)
	for _, p := range silentPlugins {
		for _, path := range s.c.pythonFiles(filepath.Join(dir, p.kind+"_plugins")) {
			s.c.diags.Add(diag.Warnf(diag.Pos{File: path}, "unsupported", "the %s plugin %s is Python, which fettle cannot run: %s", p.kind, baseName(path), p.missing))
		}
	}
}

// unknownPlugin is how the template engine says that it has no such plugin.
var unknownPlugin = regexp.MustCompile(`^[Nn]o (filter|test) named ['"]([^'"]+)['"]`)

// explained says of an unknown filter or test that it is one in Python, where it is.
func (s *scope) explained(d diag.Diagnostic) diag.Diagnostic {
	m := unknownPlugin.FindStringSubmatch(d.Summary)
	if m == nil {
		return d
	}
	if path := s.pythonPlugin(m[1], m[2]); path != "" {
		d.Rule, d.Hint = "unsupported", ""
		d.Summary = fmt.Sprintf("%s %s is a Python plugin (%s), which fettle cannot run; a task that is reached fails", m[1], m[2], path)
	}
	return d
}

// pythonPlugin is the Python file that brings a filter, test, lookup or action; "" when
// there is none. A file of filters or tests is known by the names it quotes.
func (s *scope) pythonPlugin(kind, name string) string {
	var dirs []string
	inCollection := func(namespace, collection string) {
		for _, root := range s.c.collectionRoots(s.dir) {
			dirs = append(dirs, filepath.Join(root, namespace, collection, "plugins", kind))
		}
	}
	short := name
	if parts := strings.SplitN(name, ".", 3); len(parts) == 3 {
		short = parts[2]
		inCollection(parts[0], parts[1])
	} else {
		for _, coll := range s.kw.Collections {
			if namespace, collection, ok := strings.Cut(coll, "."); ok {
				inCollection(namespace, collection)
			}
		}
		if s.state != nil {
			for _, dir := range s.state.content {
				dirs = append(dirs, filepath.Join(dir, kind+"_plugins"))
			}
		}
		dirs = append(dirs, s.c.opts.PluginPaths[kind]...)
	}
	for _, dir := range dirs {
		for _, path := range s.c.pythonFiles(dir) {
			if baseName(path) == short || (kind == "filter" || kind == "test") && s.c.quotes(path, short) {
				return path
			}
		}
	}
	return ""
}

func baseName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".py") }

// pythonFiles lists the Python files of a folder of plugins.
func (c *compiler) pythonFiles(dir string) []string {
	if l, ok := c.plugins[dir]; ok {
		return l
	}
	found, _ := filepath.Glob(filepath.Join(load.Abs(c.opts.Dir, dir), "*.py"))
	found = slices.DeleteFunc(found, func(path string) bool { return strings.HasPrefix(filepath.Base(path), "_") })
	c.plugins[dir] = found
	return found
}

const maxPlugin = 1 << 20 // bytes of a Python file that are searched

func (c *compiler) quotes(path, name string) bool {
	text, ok := c.pluginText[path]
	if !ok {
		if i, err := os.Stat(path); err == nil && i.Mode().IsRegular() && i.Size() < maxPlugin {
			text, _ = os.ReadFile(path)
		}
		c.pluginText[path] = text
	}
	return bytes.Contains(text, []byte("'"+name+"'")) || bytes.Contains(text, []byte(`"`+name+`"`))
}
