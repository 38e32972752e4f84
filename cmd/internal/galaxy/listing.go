package galaxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

type collectionRow struct{ name, version string }

// collectionsIn lists the collections below a root, by name.
func (c *Client) collectionsIn(root string) []collectionRow {
	var out []collectionRow
	dirs, _ := filepath.Glob(filepath.Join(root, "*", "*"))
	for _, d := range dirs {
		ns, name := filepath.Base(filepath.Dir(d)), filepath.Base(d)
		if !isDir(d) || !namePattern.MatchString(ns) || !namePattern.MatchString(name) {
			continue
		}
		version := "*"
		x := installedCollection(d)
		if x != nil {
			version = x.Version
		} else {
			c.warn("Collection at '%s' does not have a MANIFEST.json file, nor has it galaxy.yml: cannot detect version.", d)
		}
		out = append(out, collectionRow{ns + "." + name, version})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// ListCollections prints installed collections, or the copies of one, as human, json or yaml.
func (c *Client) ListCollections(name, format string) error {
	if ns, n, ok := strings.Cut(name, "."); name != "" && (!ok || !namePattern.MatchString(ns) || !namePattern.MatchString(n)) {
		return fmt.Errorf("Invalid collection name '%s', name must be in the format <namespace>.<collection>. \n"+ //nolint:staticcheck // Ansible's words
			"Please make sure namespace and collection name contains characters from [a-zA-Z0-9_] only.", name)
	}
	all := map[string]map[string]map[string]string{}
	usable := false
	for _, root := range roots(c.CollectionsPath) {
		if !isDir(root) {
			if slices.Contains(c.CollectionsPath[:1], filepath.Dir(root)) && !isDir(filepath.Dir(root)) && !slices.Contains(c.Configured, filepath.Dir(root)) {
				c.warn("- the configured path %s does not exist.", filepath.Dir(root))
			}
			continue
		}
		usable = true
		rows := c.collectionsIn(root)
		if name != "" {
			rows = slices.DeleteFunc(rows, func(r collectionRow) bool { return r.name != name })
		}
		if len(rows) == 0 {
			continue
		}
		if format == "human" {
			c.table(root, rows)
			continue
		}
		all[root] = map[string]map[string]string{}
		for _, r := range rows {
			all[root][r.name] = map[string]string{"version": r.version}
		}
	}
	if !usable {
		return usagef("- None of the provided paths were usable. Please specify a valid path with --collections-path")
	}
	return c.structured(all, format)
}

func (c *Client) structured(all map[string]map[string]map[string]string, format string) error {
	switch format {
	case "json":
		b, err := json.Marshal(all)
		c.say("%s", strings.NewReplacer(`":`, `": `, `},`, `}, `).Replace(string(b)))
		return err
	case "yaml":
		e := yaml.NewEncoder(c.Out)
		e.SetIndent(2)
		return e.Encode(all)
	}
	return nil
}

func (c *Client) table(root string, rows []collectionRow) {
	w, v := len("Collection"), len("Version")
	for _, r := range rows {
		w, v = max(w, len(r.name)), max(v, len(r.version))
	}
	c.say("\n# %s\n%-*s %-*s\n%s %s", root, w, "Collection", v, "Version", strings.Repeat("-", w), strings.Repeat("-", v))
	for _, r := range rows {
		c.say("%-*s %-*s", w, r.name, v, r.version)
	}
}

// VerifyCollections compares installed files with the manifest that came with them. Without
// --offline Ansible compares with the server's copy, which fettle does not ask for.
func (c *Client) VerifyCollections(names []string) error {
	bad := false
	for _, name := range names {
		fqcn, want, _ := strings.Cut(name, ":")
		if strings.ContainsAny(fqcn, "/") || strings.Count(fqcn, ".") != 1 {
			return usagef("'%s' is not a valid collection name. The format namespace.name is expected.", name)
		}
		x := c.findCollection(fqcn, c.CollectionsPath)
		if x == nil {
			if c.IgnoreErrors {
				c.warn("Failed to verify collection %s but skipping due to --ignore-errors being set. Error: Collection %s is not installed in any of the collection paths.", fqcn, fqcn)
				continue
			}
			return fmt.Errorf("Collection %s is not installed in any of the collection paths.", fqcn) //nolint:staticcheck // Ansible's words
		}
		if ok, err := satisfies(x.Version, want); err != nil || !ok {
			return fmt.Errorf("%s has the version '%s' but is being compared to '%s'", fqcn, x.Version, want)
		}
		good, err := c.verify(x)
		if err != nil {
			return err
		}
		bad = bad || !good
	}
	if bad {
		return ErrReported
	}
	return nil
}

func (c *Client) verify(x *candidate) (bool, error) {
	c.say("Verifying '%s'.", x.label())
	c.say("Installed collection found at '%s'", x.dir)
	man, err := os.ReadFile(filepath.Join(x.dir, "MANIFEST.json"))
	if err != nil {
		return false, fmt.Errorf("Collection %s does not appear to have a MANIFEST.json. A MANIFEST.json is expected if the collection has been built and installed via ansible-galaxy.", x.fqcn()) //nolint:staticcheck // Ansible's words
	}
	c.say("MANIFEST.json hash: %s", *hashed("", man).SHA256)
	files, err := os.ReadFile(filepath.Join(x.dir, "FILES.json"))
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	bad, err := modifiedFiles(x.dir, man, files)
	if err != nil {
		return false, err
	}
	if len(bad) > 0 {
		c.say("Collection %s contains modified content in the following files:\n    %s", x.fqcn(), strings.Join(bad, "\n    "))
		return false, nil
	}
	c.say("Successfully verified that checksums for '%s' are internally consistent with its manifest.", x.label())
	return true, nil
}

func modifiedFiles(dir string, man, files []byte) ([]string, error) {
	d, err := parseManifests(man, files)
	if err != nil {
		var m manifest
		if json.Unmarshal(man, &m) == nil {
			return []string{"FILES.json"}, nil //nolint:nilerr // that is the finding
		}
		return nil, err
	}
	var bad []string
	known := map[string]bool{"MANIFEST.json": true, "FILES.json": true}
	for _, e := range d.list {
		known[e.Name] = true
		if errors.Is(checkEntry(dir, e), errModified) {
			bad = append(bad, e.Name)
		}
	}
	g := &galaxyFile{Namespace: d.Info.Namespace, Name: d.Info.Name}
	more, err := g.collect(dir)
	for _, e := range more {
		if !known[e.Name] {
			bad = append(bad, e.Name)
		}
	}
	return bad, err
}

// DownloadCollections gathers artifacts and a requirements file for them in a folder.
func (c *Client) DownloadCollections(ctx context.Context, reqs []Collection, output string) error {
	output, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	c.say("Process download dependency map")
	all, err := c.gather(ctx, reqs, false)
	if err != nil {
		return err
	}
	c.say("Starting collection download process to '%s'", output)
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	var list strings.Builder
	list.WriteString("collections:\n")
	for _, x := range all {
		name := fmt.Sprintf("%s-%s-%s.tar.gz", x.Namespace, x.Name, x.Version)
		c.say("Downloading collection '%s' to '%s'", x.label(), output)
		if err := c.store(x, filepath.Join(output, name)); err != nil {
			return err
		}
		c.say("Collection '%s' was downloaded successfully", x.label())
		fmt.Fprintf(&list, "- name: %s\n  version: %s\n", name, x.Version)
	}
	file := filepath.Join(output, "requirements.yml")
	c.say("Writing requirements.yml file of downloaded collections to '%s'", file)
	return os.WriteFile(file, []byte(list.String()), 0o644) //nolint:gosec // for everybody to read
}

func (c *Client) store(x *candidate, dest string) error {
	if x.file == "" {
		g, err := readGalaxyFile(x.dir)
		if err != nil {
			return err
		}
		return writeArtifact(g, x.dir, dest)
	}
	b, err := os.ReadFile(x.file)
	if err != nil {
		return err
	}
	return os.WriteFile(dest, b, 0o644) //nolint:gosec // for everybody to read
}
