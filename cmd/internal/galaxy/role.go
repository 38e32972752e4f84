package galaxy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// installed is a role found on disk.
type installed struct {
	path, version, date string
}

func (c *Client) findRole(name string) *installed {
	for _, dir := range c.RolesPath {
		p := filepath.Join(dir, name)
		if isDir(p) {
			return readInstalled(p)
		}
	}
	return nil
}

func readInstalled(p string) *installed {
	r := &installed{path: p}
	b, err := os.ReadFile(filepath.Join(p, "meta", ".galaxy_install_info"))
	if err != nil {
		return r
	}
	var info map[string]any
	if yaml.Unmarshal(b, &info) == nil {
		r.version, r.date = text(info["version"]), text(info["install_date"])
	}
	return r
}

func (r Role) label() string {
	if r.Version != "" {
		return fmt.Sprintf("%s (%s)", r.Name, r.Version)
	}
	return r.Name
}

// InstallRoles installs roles and, unless told not to, what they depend on.
func (c *Client) InstallRoles(ctx context.Context, roles []Role) error {
	c.say("Starting galaxy role install process")
	queue := slices.Clone(roles)
	for i := 0; i < len(queue); i++ {
		r := queue[i]
		fresh, err := c.installUnlessThere(ctx, r, i >= len(roles))
		if err != nil {
			c.warn("- %s was NOT installed successfully: %v", r.Name, err)
			if c.IgnoreErrors {
				continue
			}
			return errors.New("- you can use --ignore-errors to skip failed roles and finish processing the list.")
		}
		if !fresh && !c.ForceDeps || c.NoDeps {
			continue
		}
		deps, err := c.dependencies(r)
		if err != nil {
			c.warn("Meta file of %s cannot be read: %v. Skipping dependencies.", r.Name, err)
			continue
		}
		queue = append(queue, c.pending(deps, queue)...)
	}
	return nil
}

// pending says what becomes of dependencies and gives those that are to be installed.
func (c *Client) pending(deps, queue []Role) []Role {
	var out []Role
	for _, d := range deps {
		there := c.findRole(d.Name)
		known := slices.ContainsFunc(append(slices.Clone(queue), out...), func(q Role) bool { return q.Name == d.Name })
		switch {
		case known:
			c.say("- dependency %s already pending installation.", d.Name)
		case there == nil:
			c.say("- adding dependency: %s", d.label())
			out = append(out, d)
		case c.ForceDeps:
			out = append(out, d)
		case there.version != d.Version && d.Version != "":
			c.warn("- dependency %s from role differs from already installed version (%s), skipping", d.label(), orNone(there.version))
		default:
			c.say("- dependency %s is already installed, skipping.", d.Name)
		}
	}
	return out
}

func orNone(s string) string { return first(s, "None") }

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (c *Client) installUnlessThere(ctx context.Context, r Role, dependency bool) (fresh bool, err error) {
	force := c.Force && !dependency || c.ForceDeps
	if there := c.findRole(r.Name); there != nil && !isOutside(r.Name) {
		switch {
		case force:
			c.say("- changing role %s from %s to %s", r.Name, orNone(there.version), first(r.Version, "unspecified"))
		case there.version != r.Version && r.Version != "":
			c.warn("- %s (%s) is already installed - use --force to change version to %s", r.Name, orNone(there.version), r.Version)
			return false, nil
		default:
			c.say("- %s is already installed, skipping.", r.label())
			return false, nil
		}
	}
	return true, c.installRole(ctx, r, force)
}

// isOutside tells that a name is a path that would leave the roles path.
func isOutside(name string) bool {
	return name == "" || name == "." || filepath.IsAbs(name) || strings.HasPrefix(filepath.Clean(name), "..")
}

// installRole fetches a role and puts it into the first roles path that takes it.
func (c *Client) installRole(ctx context.Context, r Role, force bool) error {
	name := r.Name
	if filepath.IsAbs(name) {
		name = filepath.Base(name) // a file named by its full path
	}
	if isOutside(name) {
		return fmt.Errorf("%q is no name for a role", r.Name)
	}
	var err error
	for _, dir := range c.RolesPath {
		if err = os.MkdirAll(dir, 0o755); err != nil {
			continue
		}
		return c.installRoleIn(ctx, r, filepath.Join(dir, name), force)
	}
	if err == nil {
		err = errors.New("there is no roles path")
	}
	return err
}

func (c *Client) installRoleIn(ctx context.Context, r Role, dest string, force bool) error {
	stage, err := os.MkdirTemp(filepath.Dir(dest), ".fettle-role-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(stage) }()
	if err := c.fillRole(ctx, r, dest, stage); err != nil {
		return err
	}
	if _, err := os.Stat(dest); err == nil && !force {
		return fmt.Errorf("the specified role %s appears to already exist. Use --force to replace it", r.Name)
	}
	info := fmt.Sprintf("install_date: %s\nversion: %s\n", time.Now().UTC().Format("Mon Jan _2 15:04:05 2006"), yamlText(r.Version))
	if err := os.MkdirAll(filepath.Join(stage, "meta"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(stage, "meta", ".galaxy_install_info"), []byte(info), 0o644); err != nil { //nolint:gosec // as readable as the role
		return err
	}
	if err := os.Chmod(stage, 0o755); err != nil { //nolint:gosec // a role is for everybody to read
		return err
	}
	if err := replaceDir(stage, dest); err != nil {
		return err
	}
	c.say("- %s was installed successfully", r.label())
	return nil
}

func yamlText(s string) string {
	if s == "" {
		return "null"
	}
	b, err := yaml.Marshal(s)
	if err != nil {
		return "null"
	}
	return strings.TrimSpace(string(b))
}

// fillRole puts the files of a role into stage.
func (c *Client) fillRole(ctx context.Context, r Role, dest, stage string) error {
	switch {
	case r.SCM != "":
		dir, err := c.clone(ctx, r.SCM, r.Src, r.Version)
		if err != nil {
			return err
		}
		if r.SCM == "git" && !c.KeepSCM {
			file := filepath.Join(filepath.Dir(dir), "role.tar")
			if err := run(ctx, dir, "git", "archive", "--format=tar", "--output="+file, "HEAD"); err != nil {
				return err
			}
			return c.unpackRole(r, file, dest, stage)
		}
		c.say("- extracting %s to %s", r.Name, dest)
		return copyTree(dir, stage, func(rel string) bool { return !c.KeepSCM && rel == ".hg" })
	case isFile(r.Src):
		return c.unpackRole(r, r.Src, dest, stage)
	case strings.Contains(r.Src, "://"):
		c.say("- downloading role from %s", r.Src)
		file, err := c.download(ctx, r.Src)
		if err != nil {
			c.warn("failed to download the file: %v", err)
			return fmt.Errorf("cannot download %s", r.Src)
		}
		return c.unpackRole(r, file, dest, stage)
	}
	return needsServer("the role " + r.Name)
}

// unpackRole takes the part of an archive that has a meta/main.yml, the one closest to its top.
func (c *Client) unpackRole(r Role, file, dest, stage string) error {
	prefix, found := "", false
	err := readTar(file, func(h *tar.Header, _ io.Reader) error {
		name := path.Clean(h.Name)
		for _, meta := range []string{"meta/main.yml", "meta/main.yaml"} {
			rest, ok := strings.CutSuffix("/"+name, "/"+meta)
			if !ok {
				continue
			}
			rest = strings.Trim(rest, "/")
			if !found || strings.Count(rest, "/") < strings.Count(prefix, "/") || rest == "" {
				prefix, found = rest, true
			}
		}
		return nil
	})
	if err != nil {
		return errors.New("the downloaded file does not appear to be a valid tar archive.")
	}
	if !found {
		return errors.New("this role does not appear to have a meta/main.yml file.")
	}
	c.say("- extracting %s to %s", r.Name, dest)
	return unpack(file, prefix, stage, nil)
}

// dependencies are the roles that an installed one names in meta/main.yml and
// meta/requirements.yml.
func (c *Client) dependencies(r Role) ([]Role, error) {
	there := c.findRole(filepath.Base(r.Name))
	if there == nil {
		return nil, nil
	}
	var out []Role
	b, err := readEither(there.path, "meta/main.yml", "meta/main.yaml")
	if err != nil || b == nil {
		return nil, err
	}
	var meta struct {
		Dependencies []any `yaml:"dependencies"`
	}
	if err := yaml.Unmarshal(b, &meta); err != nil {
		return nil, err
	}
	for _, d := range meta.Dependencies {
		role, err := roleOf(d)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(role.Src, ".") && !strings.Contains(role.Src, "/") && role.SCM == "" {
			continue // a role beside it; only names with a dot are of a server
		}
		out = append(out, role)
	}
	if b, err = readEither(there.path, "meta/requirements.yml", "meta/requirements.yaml"); err != nil || b == nil {
		return out, err
	}
	var list []any
	if err := yaml.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	more, err := rolesOf(list, filepath.Join(there.path, "meta"))
	return append(out, more...), err
}

// readEither reads the first file that is there; nil when none is.
func readEither(dir string, names ...string) ([]byte, error) {
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if !os.IsNotExist(err) {
			return b, err
		}
	}
	return nil, nil
}

// RemoveRoles removes installed roles.
func (c *Client) RemoveRoles(names []string) error {
	for _, n := range names {
		r := c.findRole(n)
		if r == nil || isOutside(n) {
			c.say("- %s is not installed, skipping.", n)
			continue
		}
		if meta, err := readEither(r.path, "meta/main.yml", "meta/main.yaml"); err != nil || meta == nil {
			return fmt.Errorf("failed to remove role %s: the folder %s is no role", n, r.path)
		}
		if err := os.RemoveAll(r.path); err != nil {
			return fmt.Errorf("failed to remove role %s: %w", n, err)
		}
		c.say("- successfully removed %s", n)
	}
	return nil
}

// ListRoles prints the roles of the roles path, or one of them.
func (c *Client) ListRoles(name string) error {
	var warnings []string
	found := false
	for _, dir := range c.RolesPath {
		if name != "" {
			p := filepath.Join(dir, name)
			if isRole(p) {
				c.say("# %s", dir)
				c.listed(p)
				return nil
			}
			found = found || isDir(dir)
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("- the configured path %s does not exist.", dir))
			continue
		}
		found = true
		c.say("# %s", dir)
		for _, e := range entries {
			if p := filepath.Join(dir, e.Name()); isRole(p) {
				c.listed(p)
			}
		}
	}
	if name != "" && found {
		warnings = append(warnings, fmt.Sprintf("- the role %s was not found", name))
	}
	for _, w := range warnings {
		c.warn("%s", w)
	}
	if !found {
		return usagef("- None of the provided paths were usable. Please specify a valid path with --roles-path")
	}
	return nil
}

func isRole(p string) bool {
	return isFile(filepath.Join(p, "meta/main.yml")) || isFile(filepath.Join(p, "meta/main.yaml"))
}

func (c *Client) listed(p string) {
	c.say("- %s, %s", filepath.Base(p), first(readInstalled(p).version, "(unknown version)"))
}

// RoleInfo prints what is known of installed roles.
func (c *Client) RoleInfo(names []string) error {
	for _, n := range names {
		r := c.findRole(n)
		if r == nil {
			c.say("- the role %s was not found", n)
			continue
		}
		info := map[string]any{}
		b, err := readEither(r.path, "meta/main.yml", "meta/main.yaml")
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(b, &info); err != nil {
			return fmt.Errorf("%s: %w", r.path, err)
		}
		info["path"] = c.RolesPath
		if r.date != "" {
			info["install_date"], info["installed_version"] = r.date, orNone(r.version)
		}
		description := ""
		if g, ok := info["galaxy_info"].(map[string]any); ok {
			description = text(g["description"])
		}
		c.say("\nRole: %s\n\tdescription: %s", n, description)
		c.infoLines(info, 1)
	}
	return nil
}

func (c *Client) infoLines(m map[string]any, depth int) {
	indent := strings.Repeat("\t", depth)
	for _, k := range sortedKeys(m) {
		if depth == 1 && (k == "description" || k == "galaxy_info" && m[k] == nil) {
			continue
		}
		if sub, ok := m[k].(map[string]any); ok {
			c.say("%s%s:", indent, k)
			c.infoLines(sub, depth+1)
			continue
		}
		c.say("%s%s: %s", indent, k, pythonText(m[k]))
	}
}

// pythonText shows lists as Ansible does.
func pythonText(v any) string {
	switch x := v.(type) {
	case []string:
		return "('" + strings.Join(x, "', '") + "')"
	case []any:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = fmt.Sprintf("'%v'", e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case bool:
		if x {
			return "True"
		}
		return "False"
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

func sortedKeys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
