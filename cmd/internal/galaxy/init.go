package galaxy

import (
	_ "embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

var (
	//go:embed skeleton/role.txtar
	roleSkeleton string
	//go:embed skeleton/collection.txtar
	collectionSkeleton string
)

// Init are the options of role init and collection init.
type Init struct {
	Path     string // where the new folder goes
	Skeleton string // a folder to start from instead of the built-in one
	Ignore   []string
	// Render fills a template of a skeleton; vars are what it may use.
	Render func(text string, vars map[string]any) (string, error)
	Vars   map[string]any
}

// InitRole makes the folder of a new role.
func (c *Client) InitRole(name string, o Init) error {
	if isOutside(name) || strings.ContainsAny(name, "/") {
		return usagef("%q is no name for a role", name)
	}
	dir := filepath.Join(o.Path, name)
	if err := c.prepare(dir, o.Path, "however it will reset any main.yml files that may have\nbeen modified there already."); err != nil {
		return err
	}
	vars := map[string]any{"role_name": name, "author": "your name", "description": "your role description", "company": "your company (optional)",
		"license": "license (GPL-2.0-or-later, MIT, etc)", "issue_tracker_url": "http://example.com/issue/tracker", "repository_url": "http://example.com/repository",
		"documentation_url": "http://docs.example.com", "homepage_url": "http://example.com", "min_ansible_version": "2.1", "dependencies": []any{}, "role_type": "default"}
	var err error
	if o.Skeleton != "" {
		err = o.copySkeleton(dir, vars)
	} else {
		err = writeSkeleton(dir, roleSkeleton, strings.NewReplacer("NAME", name))
	}
	if err == nil {
		c.say("- Role %s was created successfully", name)
	}
	return err
}

// InitCollection makes the folder of a new collection.
func (c *Client) InitCollection(fqcn string, o Init) error {
	ns, name, _ := strings.Cut(fqcn, ".")
	if !namePattern.MatchString(ns) || !namePattern.MatchString(name) {
		return fmt.Errorf("Invalid collection name '%s', name must be in the format <namespace>.<collection>. \n"+ //nolint:staticcheck // Ansible's words
			"Please make sure namespace and collection name contains characters from [a-zA-Z0-9_] only.", fqcn)
	}
	dir := filepath.Join(o.Path, ns, name)
	if err := c.prepare(dir, o.Path, "however it will reset any main.yml files that may have\nbeen modified there already."); err != nil {
		return err
	}
	vars := map[string]any{"namespace": ns, "collection_name": name, "version": "1.0.0", "readme": "README.md", "authors": []any{"your name <example@domain.com>"},
		"description": "your collection description", "license": []any{"GPL-2.0-or-later"}, "license_file": "", "tags": []any{}, "dependencies": map[string]any{},
		"repository": "http://example.com/repository", "documentation": "http://docs.example.com", "homepage": "http://example.com",
		"issues": "http://example.com/issue/tracker", "build_ignore": []any{}}
	var err error
	if o.Skeleton != "" {
		err = o.copySkeleton(dir, vars)
	} else {
		err = writeSkeleton(dir, collectionSkeleton, strings.NewReplacer("NAMESPACE", ns, "NAME", name))
	}
	if err == nil {
		c.say("- Collection %s was created successfully", fqcn)
	}
	return err
}

// prepare checks that dir is not there yet, or may be written again.
func (c *Client) prepare(dir, given, hint string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("- the path %s already exists, but is a file - aborting", shown(dir, given))
	}
	if err == nil && !c.Force {
		return fmt.Errorf("- the directory %s already exists. You can use --force to re-initialize this directory,\n%s", shown(dir, given), hint)
	}
	return os.MkdirAll(dir, 0o755)
}

// shown is a path as Ansible says it: ./role for the working directory.
func shown(dir, given string) string {
	if given == "" || given == "." || given == "./" {
		return "./" + dir
	}
	return dir
}

func writeSkeleton(dir, archive string, names *strings.Replacer) error {
	for _, f := range txtar.Parse([]byte(archive)).Files {
		p := filepath.Join(dir, f.Name)
		if strings.HasSuffix(f.Name, "/") {
			if err := os.MkdirAll(p, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(names.Replace(string(f.Data))), 0o644); err != nil { //nolint:gosec // the user's new files
			return err
		}
	}
	return nil
}

// copySkeleton copies a folder; files that end in .j2 are filled in, but for those below
// templates, which are the role's own.
func (o *Init) copySkeleton(dir string, vars map[string]any) error {
	src := expandHome(o.Skeleton)
	if !isDir(src) {
		return fmt.Errorf("- the skeleton path '%s' does not exist, cannot init role", src)
	}
	for k, v := range o.Vars {
		vars[k] = v
	}
	var ignore []*regexp.Regexp
	for _, p := range o.Ignore {
		re, err := regexp.Compile(p)
		if err != nil {
			return fmt.Errorf("the pattern %q of files to ignore: %w", p, err)
		}
		ignore = append(ignore, re)
	}
	return filepath.Walk(src, func(p string, info os.FileInfo, err error) error {
		if err != nil || p == src {
			return err
		}
		rel, err := filepath.Rel(src, p)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(ignore, func(re *regexp.Regexp) bool { return re.MatchString(rel) }) {
			if info.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		return o.copyPart(p, filepath.Join(dir, rel), rel, info, vars)
	})
}

func (o *Init) copyPart(from, to, rel string, info os.FileInfo, vars map[string]any) error {
	own := slices.Contains(strings.Split(path.Dir(filepath.ToSlash(rel)), "/"), "templates")
	if !info.Mode().IsRegular() || !strings.HasSuffix(rel, ".j2") || own || o.Render == nil {
		_ = removeFile(to)
		return copyOne(from, to, info)
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	text, err := o.Render(string(b), vars)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(strings.TrimSuffix(to, ".j2"), []byte(text), 0o644) //nolint:gosec // the user's new files
}

// removeFile makes room for a link or file of the skeleton.
func removeFile(p string) error {
	if isDir(p) {
		return nil
	}
	return os.Remove(p)
}
