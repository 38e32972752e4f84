package galaxy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// Role is a role to install. Src is a file, a URL or a repository; SCM is git or hg for a
// repository.
type Role struct {
	Name, Src, SCM, Version string
}

// Collection is a collection to install. Type is file, dir, subdirs, url, git or galaxy, or
// empty when Name tells it.
type Collection struct {
	Name, Version, Type, Source string
}

// Requirements is what a requirements file asks for.
type Requirements struct {
	Roles       []Role
	Collections []Collection
}

// ReadRequirements reads a requirements file: a list of roles, or a mapping with roles,
// collections or both. Other files of roles it includes are read too.
func ReadRequirements(file string) (*Requirements, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("The requirements file '%s' does not exist.", file) //nolint:staticcheck // Ansible's words
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the requirements file %s: %w", file, err)
	}
	out := &Requirements{}
	switch d := doc.(type) {
	case nil:
		return nil, fmt.Errorf("No requirements found in file '%s'", file) //nolint:staticcheck // Ansible's words
	case []any:
		out.Roles, err = rolesOf(d, filepath.Dir(file))
		return out, err
	case map[string]any:
		for key := range d {
			if key != "roles" && key != "collections" {
				return nil, fmt.Errorf("Expecting only 'roles' and/or 'collections' as base keys in the requirements file. Found: %s", key) //nolint:staticcheck // Ansible's words
			}
		}
		roles, _ := d["roles"].([]any)
		if out.Roles, err = rolesOf(roles, filepath.Dir(file)); err != nil {
			return nil, err
		}
		list, _ := d["collections"].([]any)
		for _, e := range list {
			c, err := collectionOf(e)
			if err != nil {
				return nil, err
			}
			out.Collections = append(out.Collections, c)
		}
		return out, nil
	}
	return nil, fmt.Errorf("the requirements file %s is neither a list nor a mapping", file)
}

func rolesOf(list []any, dir string) ([]Role, error) {
	var out []Role
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && m["include"] != nil {
			name := text(m["include"])
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			more, err := ReadRequirements(name)
			if err != nil {
				return nil, err
			}
			out = append(out, more.Roles...)
			continue
		}
		r, err := roleOf(e)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// roleOf understands an entry of a requirements file or of a role's dependencies.
func roleOf(e any) (Role, error) {
	switch v := e.(type) {
	case string:
		return ParseRole(v), nil
	case map[string]any:
		if name := text(v["role"]); name != "" {
			if strings.Contains(name, ",") {
				return Role{}, fmt.Errorf("Invalid old style role requirement: %s", name) //nolint:staticcheck // Ansible's words
			}
			r := ParseRole(name)
			if n := text(v["name"]); n != "" {
				r.Name = n
			}
			if ver := text(v["version"]); ver != "" {
				r.Version = ver
			}
			if src := text(v["src"]); src != "" {
				r.Src = src
			}
			return withSCM(r, text(v["scm"])), nil
		}
		r := Role{Name: text(v["name"]), Src: text(v["src"]), Version: text(v["version"])}
		if r.Src == "" {
			r.Src = r.Name
		}
		if r.Src == "" {
			return Role{}, fmt.Errorf("Must specify name or src for role") //nolint:staticcheck // Ansible's words
		}
		return withSCM(r, text(v["scm"])), nil
	}
	return Role{}, fmt.Errorf("a role in the requirements is neither text nor a mapping: %v", e)
}

// ParseRole understands src[,version[,name]].
func ParseRole(spec string) Role {
	words := strings.SplitN(spec, ",", 3)
	r := Role{Src: strings.TrimSpace(words[0])}
	if len(words) > 1 {
		r.Version = strings.TrimSpace(words[1])
	}
	if len(words) > 2 {
		r.Name = strings.TrimSpace(words[2])
	}
	return withSCM(r, "")
}

func withSCM(r Role, scm string) Role {
	r.SCM = scm
	if before, after, ok := strings.Cut(r.Src, "+"); ok && (before == "git" || before == "hg") {
		r.SCM, r.Src = before, after
	}
	if r.SCM == "" && strings.HasPrefix(r.Src, "http") && strings.Contains(r.Src, "github.com") && !strings.HasSuffix(r.Src, ".tar.gz") {
		r.SCM = "git"
	}
	if r.Name == "" {
		r.Name = nameFromURL(r.Src)
	}
	return r
}

// nameFromURL is the last part of a URL without its suffixes.
func nameFromURL(u string) string {
	if !strings.Contains(u, "://") && !strings.Contains(u, "@") {
		return u
	}
	u = u[strings.LastIndex(u, "/")+1:]
	u = strings.TrimSuffix(u, ".git")
	u = strings.TrimSuffix(u, ".tar.gz")
	u, _, _ = strings.Cut(u, ",")
	return u
}

func collectionOf(e any) (Collection, error) {
	switch v := e.(type) {
	case string:
		return ParseCollection(v), nil
	case map[string]any:
		c := Collection{Name: text(v["name"]), Version: text(v["version"]), Type: text(v["type"]), Source: text(v["source"])}
		switch {
		case c.Name == "" && c.Source != "":
			return c, fmt.Errorf("Neither the collection requirement entry key 'name', nor 'source' point to a concrete resolvable collection artifact. Also 'name' is not an FQCN. A valid collection name must be in the format <namespace>.<collection>. Please make sure that the namespace and the collection name contain characters from [a-zA-Z0-9_] only.") //nolint:staticcheck // Ansible's words
		case c.Source != "" && (c.Type == "" || c.Type == "galaxy") && guessType(c.Name) == "galaxy" && !strings.HasPrefix(c.Source, "http") && (strings.Contains(c.Source, "+") || strings.Contains(c.Source, "://")):
			return c, fmt.Errorf("Collections requirement 'source' entry should contain a valid Galaxy API URL but it does not: %s is not an HTTP URL.", c.Source) //nolint:staticcheck // Ansible's words
		case c.Name == "":
			return c, fmt.Errorf("Collections requirement entry should contain the key 'name' if it's requested from a Galaxy-like index server.") //nolint:staticcheck // Ansible's words
		}
		if v["signatures"] != nil {
			return c, fmt.Errorf("signatures of collections are not supported: %s has some", c.Name)
		}
		switch c.Type {
		case "", "file", "dir", "subdirs", "url", "git", "galaxy":
		default:
			return c, fmt.Errorf("The collection requirement entry key 'type' must be one of file, galaxy, git, url, dir, or subdirs.") //nolint:staticcheck // Ansible's words
		}
		return c, nil
	}
	return Collection{}, fmt.Errorf("a collection in the requirements is neither text nor a mapping: %v", e)
}

// ParseCollection understands what stands on the command line: a path, a URL, git+URL[,version]
// or name[:version].
func ParseCollection(spec string) Collection {
	if strings.HasPrefix(spec, "git+") || strings.HasPrefix(spec, "git@") {
		url, version, _ := strings.Cut(spec, ",")
		return Collection{Name: url, Version: version, Type: "git"}
	}
	if strings.Contains(spec, "://") || isFile(spec) || isDir(spec) {
		return Collection{Name: spec}
	}
	name, version, _ := strings.Cut(spec, ":")
	return Collection{Name: name, Version: version}
}
