package action

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/value"
)

func init() {
	Register("ansible.builtin.include_vars", Action{Run: includeVars})
}

var varsExtensions = []string{"yaml", "yml", "json"}

// includeVars reads variables from a file, or from the files of a directory.
func includeVars(_ context.Context, c *Call) (*value.Dict, error) {
	file := strings.TrimRight(textArg(c.Args, "file", "_raw_params"), "\n")
	dir := textArg(c.Args, "dir")
	_, named := c.Args.GetString("file")
	if file == "" && dir == "" && !named {
		return nil, fmt.Errorf("include_vars needs file, dir or a free-form file name")
	}
	facts := value.NewDict(8)
	included := value.NewList()
	var err error
	if dir != "" {
		err = varsFromDir(c, dir, facts, included)
	} else {
		err = varsFromFile(c, file, facts, included)
	}
	if err != nil {
		return value.DictOf("changed", false, "failed", true, "msg", err.Error(), "message", err.Error(), "ansible_facts", value.NewDict(0), "ansible_included_var_files", included), nil
	}
	if name := textArg(c.Args, "name"); name != "" {
		facts = value.DictOf(name, facts)
	}
	if textArg(c.Args, "hash_behaviour") == "merge" {
		for _, e := range facts.Entries() {
			if old, ok := c.T.Scope().Lookup(value.Str(e.Key)); ok {
				_ = facts.Set(e.Key, merged(old, e.Value))
			}
		}
	}
	out := value.DictOf("changed", false, "ansible_facts", facts, "ansible_included_var_files", included)
	if anyVaulted(c, included) {
		out.SetString("_ansible_no_log", true)
	}
	return out, nil
}

// anyVaulted tells that one of the files is a vault file as a whole: then nothing of them is shown.
func anyVaulted(c *Call, files *value.List) bool {
	for _, f := range files.V {
		if _, vaulted, err := c.Run.ReadFile(value.Str(f)); err == nil && vaulted {
			return true
		}
	}
	return false
}

// merged combines dicts, also inside of dicts; anything else is replaced.
func merged(low, high value.Value) value.Value {
	a, aok := low.(*value.Dict)
	b, bok := high.(*value.Dict)
	if !aok || !bok {
		return high
	}
	out := a.Clone()
	for _, e := range b.Entries() {
		v := e.Value
		if old, ok := out.Get(e.Key); ok {
			v = merged(old, v)
		}
		_ = out.Set(e.Key, v)
	}
	return out
}

func textArg(args *value.Dict, names ...string) string {
	for _, n := range names {
		if v, ok := args.GetString(n); ok && v != nil {
			return value.Str(v)
		}
	}
	return ""
}

func varsFromFile(c *Call, file string, facts *value.Dict, included *value.List) error {
	path, err := c.Run.Find("vars", file)
	if err != nil {
		return err
	}
	return readVars(c, path, facts, included)
}

func readVars(c *Call, path string, facts *value.Dict, included *value.List) error {
	set, err := c.Run.LoadVars(path)
	if err != nil {
		return err
	}
	for n, v := range set.All() {
		facts.SetString(n, v.Value)
	}
	included.V = append(included.V, path)
	return nil
}

func varsFromDir(c *Call, dir string, facts *value.Dict, included *value.List) error {
	root, err := c.Run.Find("vars", dir)
	if err != nil {
		return fmt.Errorf("%s directory does not exist: %w", dir, err)
	}
	depth := int64(0)
	if v, ok := c.Args.GetString("depth"); ok {
		depth, _ = value.Int(v)
	}
	extensions := varsExtensions
	if v, ok := c.Args.GetString("extensions"); ok {
		extensions = nil
		for _, e := range listOf(v).V {
			extensions = append(extensions, value.Str(e))
		}
	}
	var match *pyre.Regexp
	if p := textArg(c.Args, "files_matching"); p != "" {
		if match, err = pyre.Compile(p, 0); err != nil {
			return fmt.Errorf("files_matching: %w", err)
		}
	}
	files, err := filesBelow(root, int(depth))
	if err != nil {
		return err
	}
	for _, f := range files {
		if ok, err := wantedVars(c, f, extensions, match); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		if err := readVars(c, f, facts, included); err != nil {
			return err
		}
	}
	return nil
}

func wantedVars(c *Call, file string, extensions []string, match *pyre.Regexp) (bool, error) {
	base := filepath.Base(file)
	ext := strings.TrimPrefix(filepath.Ext(base), ".")
	if match != nil {
		m, err := match.Search(base)
		if err != nil || m == nil {
			return false, err
		}
	}
	if v, ok := c.Args.GetString("ignore_files"); ok {
		for _, e := range listOf(v).V {
			if value.Str(e) == base {
				return false, nil
			}
		}
	}
	if slices.Contains(extensions, ext) {
		return true, nil
	}
	if truth(c.Args, "ignore_unknown_extensions") {
		return false, nil
	}
	return false, fmt.Errorf("%s does not have a valid extension: %s", file, strings.Join(extensions, ", "))
}

// filesBelow lists the files of a directory tree, sorted, to a depth (0: all).
func filesBelow(root string, depth int) ([]string, error) {
	var out []string
	var walk func(dir string, level int) error
	walk = func(dir string, level int) error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			p := filepath.Join(dir, e.Name())
			info, err := os.Stat(p)
			if err != nil {
				return err
			}
			switch {
			case !info.IsDir():
				out = append(out, p)
			case depth == 0 || level < depth:
				if err := walk(p, level+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := walk(root, 1)
	slices.Sort(out)
	return out, err
}
