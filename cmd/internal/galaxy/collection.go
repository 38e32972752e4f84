package galaxy

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// candidate is a collection that can be installed: an artifact, or a folder of sources.
type candidate struct {
	collectionInfo
	file, dir string
	files     []fileEntry
	want      string // a version that was asked for with it
}

func (c *candidate) label() string { return c.fqcn() + ":" + c.Version }

// maxManifest bounds MANIFEST.json and FILES.json.
const maxManifest = 64 << 20

// openArtifact reads the manifests of an artifact and checks that they belong together.
func openArtifact(file string) (*candidate, error) {
	texts := map[string][]byte{}
	err := readTar(file, func(h *tar.Header, r io.Reader) error {
		name := strings.TrimPrefix(h.Name, "./")
		if name != "MANIFEST.json" && name != "FILES.json" {
			return nil
		}
		b, err := io.ReadAll(io.LimitReader(r, maxManifest))
		texts[name] = b
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("Collection artifact at '%s' is not a valid tar file.", file) //nolint:staticcheck // Ansible's words
	}
	out := &candidate{file: file}
	man, err := parseManifests(texts["MANIFEST.json"], texts["FILES.json"])
	if err != nil {
		return nil, fmt.Errorf("Collection at '%s': %w", file, err) //nolint:staticcheck // Ansible's words
	}
	out.collectionInfo, out.files = man.Info, man.list
	return out, nil
}

type described struct {
	manifest
	list []fileEntry
}

func parseManifests(man, files []byte) (*described, error) {
	if man == nil {
		return nil, errors.New("does not contain the required file MANIFEST.json.")
	}
	if files == nil {
		return nil, errors.New("does not contain the required file FILES.json.")
	}
	d := &described{}
	if err := json.Unmarshal(man, &d.manifest); err != nil {
		return nil, errors.New("Collection tar file member MANIFEST.json does not contain a valid json string.") //nolint:staticcheck // Ansible's words
	}
	if sum := hashed("", files).SHA256; d.Files.SHA256 != nil && *d.Files.SHA256 != *sum {
		return nil, errors.New("Checksum mismatch for 'FILES.json' inside collection") //nolint:staticcheck // Ansible's words
	}
	var l filesManifest
	if err := json.Unmarshal(files, &l); err != nil {
		return nil, errors.New("Collection tar file member FILES.json does not contain a valid json string.") //nolint:staticcheck // Ansible's words
	}
	if !namePattern.MatchString(d.Info.Namespace) || !namePattern.MatchString(d.Info.Name) {
		return nil, fmt.Errorf("%q is no valid name of a collection", d.Info.fqcn())
	}
	d.list = l.Files
	return d, nil
}

// openSource reads galaxy.yml of a folder.
func openSource(dir string) (*candidate, error) {
	g, err := readGalaxyFile(dir)
	if err != nil {
		return nil, err
	}
	return &candidate{collectionInfo: g.info(), dir: dir}, nil
}

// resolve finds what a requirement names; a namespace folder gives several.
func (c *Client) resolve(ctx context.Context, r Collection) ([]*candidate, error) {
	kind := r.Type
	if kind == "" {
		kind = guessType(r.Name)
	}
	one := func(x *candidate, err error) ([]*candidate, error) {
		if err != nil {
			return nil, err
		}
		return []*candidate{x}, nil
	}
	switch kind {
	case "file":
		return one(openArtifact(expandHome(r.Name)))
	case "dir":
		return one(openSource(expandHome(r.Name)))
	case "subdirs":
		return sourcesBelow(expandHome(r.Name))
	case "url":
		file, err := c.download(ctx, r.Name)
		if err != nil {
			return nil, fmt.Errorf("failed to download the collection: %w", err)
		}
		return one(openArtifact(file))
	case "git":
		return c.resolveGit(ctx, r)
	}
	return nil, nil
}

func expandHome(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return p
}

func guessType(name string) string {
	switch {
	case strings.HasPrefix(name, "git+"), strings.HasPrefix(name, "git@"):
		return "git"
	case strings.Contains(name, "://"):
		return "url"
	case isFile(expandHome(name)):
		return "file"
	case isFile(filepath.Join(expandHome(name), "galaxy.yml")):
		return "dir"
	case isDir(expandHome(name)) && strings.ContainsAny(name, "/."):
		return "subdirs"
	}
	return "galaxy"
}

func sourcesBelow(dir string) ([]*candidate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []*candidate
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if !isFile(filepath.Join(sub, "galaxy.yml")) {
			continue
		}
		x, err := openSource(sub)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	if out == nil {
		return nil, fmt.Errorf("neither %s nor a folder in it has a galaxy.yml", dir)
	}
	return out, nil
}

// resolveGit clones git+URL#folder at a version.
func (c *Client) resolveGit(ctx context.Context, r Collection) ([]*candidate, error) {
	url := strings.TrimPrefix(r.Name, "git+")
	url, version, ok := strings.Cut(url, ",")
	if !ok || r.Version != "" && r.Version != "*" {
		version = r.Version
	}
	url, sub, _ := strings.Cut(url, "#")
	dir, err := c.clone(ctx, "git", url, version)
	if err != nil {
		return nil, err
	}
	if sub = strings.Trim(sub, "/"); sub != "" {
		if isOutside(sub) {
			return nil, fmt.Errorf("%q leaves the repository", sub)
		}
		dir = filepath.Join(dir, sub)
	}
	if isFile(filepath.Join(dir, "galaxy.yml")) {
		x, err := openSource(dir)
		if err != nil {
			return nil, err
		}
		return []*candidate{x}, nil
	}
	return sourcesBelow(dir)
}

// installedCollection reads what is on disk: MANIFEST.json, or galaxy.yml beside the sources.
func installedCollection(dir string) *candidate {
	if b, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json")); err == nil {
		var m manifest
		if json.Unmarshal(b, &m) == nil {
			return &candidate{collectionInfo: m.Info, dir: dir}
		}
	}
	if g, err := readGalaxyFile(dir); err == nil {
		return &candidate{collectionInfo: g.info(), dir: dir}
	}
	return nil
}

// roots are the folders that hold collections: the given ones, with ansible_collections.
func roots(paths []string) []string {
	var out []string
	for _, p := range paths {
		if filepath.Base(p) != "ansible_collections" {
			p = filepath.Join(p, "ansible_collections")
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func (c *Client) findCollection(fqcn string, paths []string) *candidate {
	ns, name, ok := strings.Cut(fqcn, ".")
	if !ok {
		return nil
	}
	for _, root := range roots(paths) {
		if x := installedCollection(filepath.Join(root, ns, name)); x != nil {
			return x
		}
	}
	return nil
}

// gather resolves requirements and, unless told not to, checks that what they depend on is
// among them or installed.
func (c *Client) gather(ctx context.Context, reqs []Collection, anywhere bool) ([]*candidate, error) {
	var out []*candidate
	var names []Collection
	for _, r := range reqs {
		found, err := c.resolve(ctx, r)
		if err != nil {
			return nil, err
		}
		if found == nil {
			names = append(names, r)
			continue
		}
		for _, x := range found {
			x.want = r.Version
			out = append(out, x)
		}
	}
	var missing []string
	for _, r := range names {
		if !c.available(out, r.Name, r.Version, anywhere) {
			missing = append(missing, fmt.Sprintf("* %s:%s (direct request)", r.Name, first(r.Version, "*")))
		}
	}
	if !c.NoDeps {
		for _, x := range out {
			for dep, want := range x.Dependencies {
				if !c.available(out, dep, want, anywhere) {
					missing = append(missing, fmt.Sprintf("* %s:%s (dependency of %s)", dep, want, x.label()))
				}
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("Failed to resolve the requested dependencies map. Could not satisfy the following requirements:\n%s\n"+ //nolint:staticcheck // Ansible's words
			"Hint: fettle asks no Galaxy server: name a file, a folder, a URL or a git repository for each of them", strings.Join(missing, "\n"))
	}
	return out, nil
}

func (c *Client) available(given []*candidate, fqcn, want string, anywhere bool) bool {
	for _, x := range given {
		if ok, err := satisfies(x.Version, want); x.fqcn() == fqcn && ok && err == nil {
			return true
		}
	}
	if !anywhere {
		return false
	}
	x := c.findCollection(fqcn, c.CollectionsPath)
	if x == nil {
		return false
	}
	ok, err := satisfies(x.Version, want)
	return ok && err == nil
}

// InstallCollections installs collections into the first collections path.
func (c *Client) InstallCollections(ctx context.Context, reqs []Collection) error {
	c.say("Starting galaxy collection install process")
	c.outsidePaths()
	all, err := c.gather(ctx, reqs, !c.ForceDeps)
	if err != nil {
		c.say("Process install dependency map")
		return err
	}
	var todo []*candidate
	for _, x := range all {
		there := c.findCollection(x.fqcn(), c.CollectionsPath)
		if there == nil || c.Force || c.ForceDeps || c.Upgrade && compareVersions(there.Version, x.Version) < 0 || there.Version != x.Version {
			todo = append(todo, x)
		}
	}
	if len(todo) == 0 {
		c.say("Nothing to do. All requested collections are already installed. If you want to reinstall them, consider using `--force`.")
		return nil
	}
	c.say("Process install dependency map")
	c.say("Starting collection install process")
	root := roots(c.CollectionsPath)[0]
	for _, x := range byDependency(todo) {
		if err := c.installCollection(x, root); err != nil {
			if !c.IgnoreErrors {
				return err
			}
			c.warn("Failed to install collection %s but skipping due to --ignore-errors being set. Error: %v", x.label(), err)
		}
	}
	return nil
}

func (c *Client) outsidePaths() {
	if len(c.CollectionsPath) == 0 || len(c.Configured) == 0 || slices.Contains(roots(c.Configured), roots(c.CollectionsPath)[0]) {
		return
	}
	c.warn("The specified collections path '%s' is not part of the configured Ansible collections paths '%s'. The installed collection will not be picked up in an Ansible run, "+
		"unless within a playbook-adjacent collections directory.", c.CollectionsPath[0], strings.Join(c.Configured, ":"))
}

// byDependency puts what others need first.
func byDependency(in []*candidate) []*candidate {
	var out []*candidate
	seen := map[string]bool{}
	var visit func(x *candidate)
	visit = func(x *candidate) {
		if seen[x.fqcn()] {
			return
		}
		seen[x.fqcn()] = true
		for _, y := range in {
			if _, needed := x.Dependencies[y.fqcn()]; needed {
				visit(y)
			}
		}
		out = append(out, x)
	}
	for _, x := range in {
		visit(x)
	}
	return out
}

func (c *Client) installCollection(x *candidate, root string) error {
	dest := filepath.Join(root, x.Namespace, x.Name)
	c.say("Installing '%s' to '%s'", x.label(), dest)
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(filepath.Dir(dest), ".fettle-collection-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(stage) }()
	if x.file != "" {
		err = installArtifact(x, stage)
	} else {
		err = installSource(x.dir, stage)
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(stage, 0o755); err != nil { //nolint:gosec // a collection is for everybody to read
		return err
	}
	if err := replaceDir(stage, dest); err != nil {
		return err
	}
	if x.dir != "" {
		c.say("Created collection for %s at %s", x.label(), dest)
	}
	c.say("%s was installed successfully", x.label())
	return nil
}

// installArtifact unpacks the files that FILES.json lists and checks each.
func installArtifact(x *candidate, stage string) error {
	listed := map[string]fileEntry{"MANIFEST.json": {}, "FILES.json": {}}
	for _, e := range x.files {
		listed[e.Name] = e
	}
	if err := unpack(x.file, "", stage, func(name string) bool { _, ok := listed[name]; return ok }); err != nil {
		return err
	}
	for _, e := range x.files {
		if err := checkEntry(stage, e); err != nil {
			return fmt.Errorf("Checksum mismatch for '%s' inside collection at '%s'", e.Name, x.file) //nolint:staticcheck // Ansible's words
		}
	}
	return nil
}

var errModified = errors.New("modified")

// checkEntry compares one file with its line in FILES.json.
func checkEntry(dir string, e fileEntry) error {
	if isOutside(e.Name) && e.Name != "." {
		return errModified
	}
	p := filepath.Join(dir, e.Name)
	if e.FType == "dir" {
		if !isDir(p) {
			return errModified
		}
		return nil
	}
	b, err := os.ReadFile(p)
	if err != nil || e.SHA256 == nil || *hashed("", b).SHA256 != *e.SHA256 {
		return errModified
	}
	return nil
}

// installSource copies what a build would hold, with the manifests.
func installSource(dir, stage string) error {
	g, err := readGalaxyFile(dir)
	if err != nil {
		return err
	}
	man, files, list, err := g.manifests(dir)
	if err != nil {
		return err
	}
	for _, e := range list[1:] {
		info, err := os.Stat(filepath.Join(dir, e.Name))
		if err != nil {
			return err
		}
		if err := copyOne(filepath.Join(dir, e.Name), filepath.Join(stage, e.Name), info); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(stage, "MANIFEST.json"), man, 0o644); err != nil { //nolint:gosec // as readable as the rest
		return err
	}
	return os.WriteFile(filepath.Join(stage, "FILES.json"), files, 0o644) //nolint:gosec // as readable as the rest
}
