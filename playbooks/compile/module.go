package compile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/diag"
	"fettle/modules"
	"fettle/playbooks/load"
)

// moduleUse is a name where it is used: the same name can mean different modules there.
type moduleUse struct{ name, collections, library string }

// resolution is what a module's name stands for.
type resolution struct {
	name   string // fully qualified
	module *modules.Module
	binary string
	groups []string
	broken string // why it cannot run, when it is known and does not
	hint   string
	absent bool // nothing has this name
}

// module resolves the name of a module as a task writes it.
func (s *scope) module(name string) resolution {
	use := moduleUse{name, strings.Join(s.kw.Collections, " "), ""}
	if s.state != nil {
		use.library = strings.Join(s.state.library, ":")
	}
	if r, ok := s.c.resolved[use]; ok {
		return r
	}
	r := s.resolve(name)
	if r.module != nil {
		r.name = r.module.Name
	}
	if s.c.opts.Rejected[strings.TrimPrefix(r.name, "ansible.builtin.")] {
		r = resolution{name: name, absent: true}
	}
	if !strings.HasPrefix(r.name, "ansible.builtin.") {
		r.groups = names().groups[r.name]
	}
	s.c.resolved[use] = r
	return r
}

func (s *scope) resolve(name string) resolution {
	if strings.Count(name, ".") < 2 {
		return s.short(name)
	}
	if short, ok := strings.CutPrefix(name, "ansible.legacy."); ok {
		if r, ok := s.own(short); ok {
			return r
		}
		name = "ansible.builtin." + short
	}
	if r, ok := s.full(name, 0); ok {
		return r
	}
	hint := diag.DidYouMean(name, moduleNames(true))
	if strings.HasPrefix(name, "ansible.builtin.") {
		return resolution{name: name, absent: true, hint: hint}
	}
	// It may well be in a collection that is not known here.
	r := unsupported(name)
	r.hint = hint
	return r
}

// short resolves a name without a collection: modules beside the playbook and the roles,
// the collections in effect, Ansible's own.
func (s *scope) short(name string) resolution {
	for _, coll := range s.kw.Collections {
		if coll == "ansible.builtin" || coll == "ansible.legacy" {
			continue
		}
		if r, ok := s.full(coll+"."+name, 0); ok {
			return r
		}
	}
	if r, ok := s.own(name); ok {
		return r
	}
	if r, ok := s.full("ansible.builtin."+name, 0); ok {
		return r
	}
	if to, ok := names().redirects[name]; ok {
		if r, ok := s.full(to, 0); ok {
			return r
		}
		if to == "-" {
			return resolution{name: name, broken: fmt.Sprintf("module %s was removed from Ansible", name)}
		}
		return unsupported(to)
	}
	return resolution{name: name, absent: true, hint: diag.DidYouMean(name, moduleNames(false))}
}

func unsupported(name string) resolution {
	return resolution{name: name, broken: fmt.Sprintf("module %s is not supported yet", name)}
}

const maxRedirects = 20

// full resolves a fully qualified name; ok is false when nothing has it.
func (s *scope) full(name string, depth int) (resolution, bool) {
	if m := modules.Find(name); m != nil {
		return resolution{name: name, module: m}, true
	}
	to := names().redirects[name]
	if short, ok := strings.CutPrefix(name, "ansible.builtin."); ok && to == "" {
		to = names().redirects[short]
	}
	if to != "" && depth < maxRedirects {
		if to == "-" {
			return resolution{name: name, broken: fmt.Sprintf("module %s was removed from its collection", name)}, true
		}
		if r, ok := s.full(to, depth+1); ok {
			return r, true
		}
		return unsupported(to), true
	}
	parts := strings.SplitN(name, ".", 3)
	if len(parts) < 3 {
		return resolution{}, false
	}
	if to := s.c.routed(parts[0], parts[1], parts[2], s.dir); to != "" && to != name && depth < maxRedirects {
		if r, ok := s.full(to, depth+1); ok {
			return r, true
		}
	}
	for _, root := range s.c.collectionRoots(s.dir) {
		dir := filepath.Join(root, parts[0], parts[1], "plugins", "modules")
		if r, ok := s.c.moduleIn(dir, strings.ReplaceAll(parts[2], ".", "/"), name); ok {
			return r, true
		}
	}
	if names().modules[name] {
		return unsupported(name), true
	}
	return resolution{}, false
}

// own finds a module that playbooks and roles bring themselves.
func (s *scope) own(name string) (resolution, bool) {
	if s.state == nil {
		return resolution{}, false
	}
	if path := s.pythonPlugin("action", name); path != "" {
		return resolution{name: name, broken: fmt.Sprintf("module %s has an action plugin in Python (%s), which fettle cannot run", name, path)}, true
	}
	for i := len(s.state.library) - 1; i >= 0; i-- {
		if r, ok := s.c.moduleIn(s.state.library[i], name, name); ok {
			return r, true
		}
	}
	return resolution{}, false
}

// moduleIn looks for an executable module in a folder.
func (c *compiler) moduleIn(dir, name, full string) (resolution, bool) {
	path := c.library(dir)[name]
	if path == "" {
		return resolution{}, false
	}
	if why := pythonModule(path); why != "" {
		return resolution{name: full, broken: fmt.Sprintf("module %s is %s (%s), which fettle cannot run", name, why, path)}, true
	}
	return resolution{name: full, binary: path}, true
}

// library lists the modules of a folder by name. Folders below it count as well.
func (c *compiler) library(dir string) map[string]string {
	if l, ok := c.libraries[dir]; ok {
		return l
	}
	l := map[string]string{}
	c.libraries[dir] = l
	var read func(dir, prefix string, depth int)
	read = func(dir, prefix string, depth int) {
		entries, err := os.ReadDir(dir)
		if err != nil || depth > 8 {
			return
		}
		for _, e := range entries {
			name, path := e.Name(), filepath.Join(dir, e.Name())
			if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "__") || strings.HasSuffix(name, "~") {
				continue
			}
			if e.IsDir() {
				read(path, prefix, depth+1)
				continue
			}
			ext := filepath.Ext(name)
			switch ext {
			case ".pyc", ".pyo", ".swp", ".bak", ".orig", ".rpm", ".md", ".txt", ".rst", ".yml", ".yaml", ".json", ".ini", ".ps1":
				continue
			}
			if base := strings.TrimSuffix(name, ext); l[base] == "" {
				l[base] = path
			}
		}
	}
	read(dir, "", 0)
	return l
}

// pythonModule tells what kind of Python a file is; "" when it is none.
func pythonModule(path string) string {
	head := make([]byte, 256)
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	n, _ := f.Read(head)
	first, _, _ := bytes.Cut(head[:n], []byte("\n"))
	if filepath.Ext(path) == ".py" || bytes.HasPrefix(first, []byte("#!")) && bytes.Contains(first, []byte("python")) {
		return "a Python module"
	}
	return ""
}

// collectionRoots are the ansible_collections folders that there are.
func (c *compiler) collectionRoots(dir string) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range append([]string{filepath.Join(dir, "collections")}, c.opts.CollectionsPath...) {
		p = load.Abs(c.opts.Dir, p)
		if filepath.Base(p) != "ansible_collections" {
			p = filepath.Join(p, "ansible_collections")
		}
		if !seen[p] && c.exists(p) {
			out = append(out, p)
		}
		seen[p] = true
	}
	return out
}

// inCollection finds a role or playbook of a collection by its qualified name.
func (c *compiler) inCollection(name, kind, dir string) (string, bool) {
	parts := strings.SplitN(name, ".", 3)
	if len(parts) < 3 {
		return "", false
	}
	rest := strings.ReplaceAll(parts[2], ".", "/")
	for _, root := range c.collectionRoots(dir) {
		path := filepath.Join(root, parts[0], parts[1], kind, rest)
		if kind == "roles" {
			if c.exists(path) {
				return path, true
			}
			continue
		}
		base := filepath.Join(root, parts[0], parts[1], kind, parts[2])
		for _, p := range []string{base, base + ".yml", base + ".yaml", path + ".yml", path + ".yaml"} {
			if c.exists(p) && filepath.Ext(p) != "" {
				return p, true
			}
		}
	}
	return "", false
}

// routed is where a collection on disk redirects one of its modules to.
func (c *compiler) routed(namespace, collection, module, dir string) string {
	for _, root := range c.collectionRoots(dir) {
		path := filepath.Join(root, namespace, collection, "meta", "runtime.yml")
		if !c.exists(path) {
			continue
		}
		v, _, err := c.loader.Data(path)
		if err != nil {
			return ""
		}
		for _, kind := range []string{"action", "modules"} {
			if to := dig(v, "plugin_routing", kind, module, "redirect"); to != "" {
				return to
			}
		}
	}
	return ""
}
