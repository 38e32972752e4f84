package galaxy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// galaxyFile is galaxy.yml as its author writes it.
type galaxyFile struct {
	Namespace     string            `yaml:"namespace"`
	Name          string            `yaml:"name"`
	Version       string            `yaml:"version"`
	Readme        string            `yaml:"readme"`
	Authors       textList          `yaml:"authors"`
	Description   *string           `yaml:"description"`
	License       textList          `yaml:"license"`
	LicenseFile   *string           `yaml:"license_file"`
	Tags          textList          `yaml:"tags"`
	Dependencies  map[string]string `yaml:"dependencies"`
	Repository    *string           `yaml:"repository"`
	Documentation *string           `yaml:"documentation"`
	Homepage      *string           `yaml:"homepage"`
	Issues        *string           `yaml:"issues"`
	BuildIgnore   textList          `yaml:"build_ignore"`
	Manifest      *manifestKey      `yaml:"manifest"`
}

// textList is a list of texts that may be written as one text.
type textList []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *textList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = nil
		if n.Tag != "!!null" && n.Value != "" {
			*l = textList{n.Value}
		}
		return nil
	}
	var v []string
	err := n.Decode(&v)
	*l = v
	return err
}

// collectionInfo is the head of MANIFEST.json; the order of its fields is that of the file.
type collectionInfo struct {
	Namespace     string            `json:"namespace"`
	Name          string            `json:"name"`
	Version       string            `json:"version"`
	Authors       []string          `json:"authors"`
	Readme        string            `json:"readme"`
	Tags          []string          `json:"tags"`
	Description   *string           `json:"description"`
	License       []string          `json:"license"`
	LicenseFile   *string           `json:"license_file"`
	Dependencies  map[string]string `json:"dependencies"`
	Repository    *string           `json:"repository"`
	Documentation *string           `json:"documentation"`
	Homepage      *string           `json:"homepage"`
	Issues        *string           `json:"issues"`
}

func (i collectionInfo) fqcn() string { return i.Namespace + "." + i.Name }

type fileEntry struct {
	Name   string  `json:"name"`
	FType  string  `json:"ftype"`
	SumOf  *string `json:"chksum_type"`
	SHA256 *string `json:"chksum_sha256"`
	Format int     `json:"format"`
}

type manifest struct {
	Info  collectionInfo `json:"collection_info"`
	Files fileEntry      `json:"file_manifest_file"`
	Form  int            `json:"format"`
}

type filesManifest struct {
	Files  []fileEntry `json:"files"`
	Format int         `json:"format"`
}

var namePattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// readGalaxyFile reads galaxy.yml of a collection's source.
func readGalaxyFile(dir string) (*galaxyFile, error) {
	file := filepath.Join(dir, "galaxy.yml")
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("The collection galaxy.yml path '%s' does not exist.", file) //nolint:staticcheck // Ansible's words
	}
	g := &galaxyFile{}
	if err := yaml.Unmarshal(b, g); err != nil {
		return nil, fmt.Errorf("Failed to parse the galaxy.yml at '%s' with the following error:\n%w", file, err) //nolint:staticcheck // Ansible's words
	}
	var missing []string
	for _, e := range []struct {
		key string
		has bool
	}{{"authors", len(g.Authors) > 0}, {"name", g.Name != ""}, {"namespace", g.Namespace != ""}, {"readme", g.Readme != ""}, {"version", g.Version != ""}} {
		if !e.has {
			missing = append(missing, e.key)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("The collection galaxy.yml at '%s' is missing the following mandatory keys: %s", file, strings.Join(missing, ", ")) //nolint:staticcheck // Ansible's words
	}
	if !namePattern.MatchString(g.Namespace) || !namePattern.MatchString(g.Name) {
		return nil, fmt.Errorf("the collection galaxy.yml at %q: %q is no valid name", file, g.Namespace+"."+g.Name)
	}
	if !semver.MatchString(g.Version) {
		return nil, fmt.Errorf("the collection galaxy.yml at %q: %q is no semantic version", file, g.Version)
	}
	keys := map[string]yaml.Node{}
	if err := yaml.Unmarshal(b, &keys); err == nil && g.Manifest == nil {
		if _, given := keys["manifest"]; given {
			g.Manifest = &manifestKey{} // manifest: with nothing behind it
		}
	}
	if g.Manifest != nil {
		if err := g.checkManifest(); err != nil {
			return nil, fmt.Errorf("the collection galaxy.yml at %q: %w", file, err)
		}
	}
	return g, nil
}

func orEmpty(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

func (g *galaxyFile) info() collectionInfo {
	deps := g.Dependencies
	if deps == nil {
		deps = map[string]string{}
	}
	license := g.LicenseFile
	if license != nil && *license == "" {
		license = nil
	}
	return collectionInfo{g.Namespace, g.Name, g.Version, orEmpty(g.Authors), g.Readme, orEmpty(g.Tags), g.Description, orEmpty(g.License), license,
		deps, g.Repository, g.Documentation, g.Homepage, g.Issues}
}

// ignored are patterns of what no artifact holds.
func (g *galaxyFile) ignored(rel string, isDir bool) bool {
	base := path.Base(rel)
	if isDir && slices.Contains([]string{"CVS", ".bzr", ".hg", ".git", ".svn", "__pycache__", ".tox"}, base) {
		return true
	}
	if strings.HasPrefix(rel, "tests/output/") || rel == "tests/output" {
		return true
	}
	patterns := []string{"MANIFEST.json", "FILES.json", "galaxy.yml", "galaxy.yaml", ".git", "*.pyc", "*.retry",
		g.Namespace + "-" + g.Name + "-*.tar.gz"}
	for _, p := range append(patterns, g.BuildIgnore...) {
		if fnmatch(p, rel) {
			return true
		}
	}
	return false
}

// fnmatch is a shell pattern whose * also matches slashes.
func fnmatch(pattern, name string) bool {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for i := 0; i < len(pattern); i++ {
		switch ch := pattern[i]; ch {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			if end := strings.IndexByte(pattern[i+1:], ']'); end > 0 {
				set := pattern[i+1 : i+1+end]
				if strings.HasPrefix(set, "!") {
					set = "^" + set[1:]
				}
				b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
				i += end + 1
				continue
			}
			b.WriteString(`\[`)
		default:
			b.WriteString(regexp.QuoteMeta(string(ch)))
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	return err == nil && re.MatchString(name)
}

// collect lists the files of a collection, folders before what they hold.
func (g *galaxyFile) collect(dir string) ([]fileEntry, error) {
	if g.Manifest != nil {
		return g.chosenFiles(dir)
	}
	out := []fileEntry{{Name: ".", FType: "dir", Format: 1}}
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if g.ignored(filepath.ToSlash(rel), info.IsDir()) {
			if info.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		e, err := entryOf(dir, p, rel, info)
		if err == nil && e != nil {
			out = append(out, *e)
		}
		return err
	})
	return out, err
}

// entryOf describes one file; links that leave the collection are followed, folders behind
// them left out.
func entryOf(dir, p, rel string, info os.FileInfo) (*fileEntry, error) {
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := filepath.EvalSymlinks(p)
		if err != nil {
			return nil, err
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, err
		}
		st, err := os.Stat(target)
		if err != nil {
			return nil, err
		}
		if st.IsDir() {
			if !strings.HasPrefix(target, real+"/") {
				return nil, nil
			}
			return &fileEntry{Name: rel, FType: "dir", Format: 1}, nil
		}
		info = st
	}
	if info.IsDir() {
		return &fileEntry{Name: rel, FType: "dir", Format: 1}, nil
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	return hashed(rel, b), nil
}

func hashed(name string, b []byte) *fileEntry {
	sum := sha256.Sum256(b)
	kind, text := "sha256", hex.EncodeToString(sum[:])
	return &fileEntry{Name: name, FType: "file", SumOf: &kind, SHA256: &text, Format: 1}
}

// toJSON writes as Ansible does: one blank of indentation, no newline at the end.
func toJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// manifests are the two files that describe a collection.
func (g *galaxyFile) manifests(dir string) (man, files []byte, list []fileEntry, err error) {
	if list, err = g.collect(dir); err != nil {
		return nil, nil, nil, err
	}
	if files, err = toJSON(filesManifest{list, 1}); err != nil {
		return nil, nil, nil, err
	}
	man, err = toJSON(manifest{g.info(), *hashed("FILES.json", files), 1})
	return man, files, list, err
}

// BuildCollection makes an artifact of the collection in dir.
func (c *Client) BuildCollection(dir, output string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	g, err := readGalaxyFile(dir)
	if err != nil {
		return err
	}
	if output, err = filepath.Abs(output); err != nil {
		return err
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	file := filepath.Join(output, fmt.Sprintf("%s-%s-%s.tar.gz", g.Namespace, g.Name, g.Version))
	if isDir(file) {
		return fmt.Errorf("The output collection artifact '%s' already exists, but is a directory - aborting", file) //nolint:staticcheck // Ansible's words
	}
	if _, err := os.Stat(file); err == nil && !c.Force {
		return fmt.Errorf("The file '%s' already exists. You can use --force to re-create the collection artifact.", file) //nolint:staticcheck // Ansible's words
	}
	if err := writeArtifact(g, dir, file); err != nil {
		return err
	}
	c.say("Created collection for %s.%s at %s", g.Namespace, g.Name, file)
	return nil
}

func writeArtifact(g *galaxyFile, dir, file string) (err error) {
	man, files, list, err := g.manifests(dir)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".fettle-artifact-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	if err = addBytes(t, "MANIFEST.json", man, 0o644); err == nil {
		err = addBytes(t, "FILES.json", files, 0o644)
	}
	for _, e := range list[1:] {
		if err == nil {
			err = addEntry(t, dir, e)
		}
	}
	for _, closing := range []func() error{t.Close, z.Close, func() error { return f.Chmod(0o644) }, f.Sync, f.Close} {
		if cerr := closing(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func addBytes(t *tar.Writer, name string, b []byte, mode int64) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(b)), Mode: mode, ModTime: time.Now().Truncate(time.Second)}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := t.Write(b)
	return err
}

func addEntry(t *tar.Writer, dir string, e fileEntry) error {
	p := filepath.Join(dir, e.Name)
	info, err := os.Lstat(p)
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		link, lerr := os.Readlink(p)
		if lerr != nil {
			return lerr
		}
		if !path.IsAbs(link) && !strings.HasPrefix(path.Join(path.Dir(e.Name), link), "..") {
			return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: e.Name, Linkname: link, Mode: 0o777, ModTime: info.ModTime()})
		}
		if info, err = os.Stat(p); err != nil {
			return err
		}
	}
	if e.FType == "dir" {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: e.Name + "/", Mode: 0o755, ModTime: info.ModTime()})
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return addBytes(t, e.Name, b, mode)
}
