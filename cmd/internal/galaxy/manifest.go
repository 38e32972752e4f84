package galaxy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// manifestKey is the key manifest of galaxy.yml: which files an artifact holds, in the
// language of Python's MANIFEST.in.
type manifestKey struct {
	Directives   textList `yaml:"directives"`
	OmitDefaults bool     `yaml:"omit_default_directives"`
}

// documented are the kinds of plugins that may have their documentation beside them.
var documented = []string{"become", "cache", "callback", "cliconf", "connection", "filter", "httpapi", "inventory", "lookup", "netconf", "shell", "strategy", "test", "vars"}

// directives are all that apply, in order: Ansible's own around those of the author.
func (g *galaxyFile) directives() []string {
	if g.Manifest.OmitDefaults {
		return g.Manifest.Directives
	}
	text := "**.yml **.yaml"
	out := []string{"include meta/*.yml *.txt *.md *.rst *.license COPYING LICENSE", "graft .reuse", "graft LICENSES", "graft tests",
		"recursive-include docs **.rst **.j2 **.txt **.json **.license " + text,
		"recursive-include roles **.json **.j2 **.license " + text,
		"recursive-include playbooks **.json **.license " + text,
		"recursive-include changelogs **.license " + text,
		"recursive-include plugins */**.py */**.license"}
	if g.LicenseFile != nil && *g.LicenseFile != "" {
		out = append(out, "include "+*g.LicenseFile)
	}
	for _, kind := range documented {
		out = append(out, "recursive-include plugins/"+kind+" **.license "+text)
	}
	out = append(out, "recursive-include plugins/modules **.ps1 **.license "+text, "recursive-include plugins/module_utils **.ps1 **.psm1 **.cs **.license")
	out = append(out, g.Manifest.Directives...)
	return append(out, "exclude galaxy.yml galaxy.yaml MANIFEST.json FILES.json "+g.Namespace+"-"+g.Name+"-*.tar.gz",
		"prune tests/output", "global-exclude /.* /__pycache__ *.pyc *.pyo *.bak *~ *.swp")
}

func (g *galaxyFile) checkManifest() error {
	switch {
	case len(g.BuildIgnore) > 0:
		return errors.New(`"build_ignore" and "manifest" are mutually exclusive`)
	case g.Manifest.OmitDefaults && len(g.Manifest.Directives) == 0:
		return errors.New(`"manifest.omit_default_directives" was set to True, but no directives were defined in "manifest.directives". This would produce an empty collection artifact.`) //nolint:staticcheck // Ansible's words
	}
	return nil
}

// selected are the names of the files that the directives leave.
func (g *galaxyFile) selected(dir string) (map[string]bool, error) {
	var all []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		all = append(all, "/"+filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	for _, d := range g.directives() {
		if err := apply(d, all, chosen); err != nil {
			return nil, fmt.Errorf("manifest: directive %q: %w", d, err)
		}
	}
	return chosen, nil
}

// apply adds to the chosen names, or takes from them, what a directive matches.
func apply(directive string, all []string, chosen map[string]bool) error {
	words := strings.Fields(directive)
	if len(words) < 2 {
		return errors.New("it needs a pattern")
	}
	action, patterns, below := words[0], words[1:], ""
	switch action {
	case "include", "exclude", "global-include", "global-exclude":
	case "recursive-include", "recursive-exclude":
		if len(patterns) < 2 {
			return errors.New("it needs a directory and a pattern")
		}
		below, patterns = patterns[0], patterns[1:]
	case "graft", "prune":
		if len(patterns) > 1 {
			return errors.New("it takes one directory")
		}
		below, patterns = patterns[0], []string{""}
	default:
		return fmt.Errorf("there is no action %q", action)
	}
	takes := action == "prune" || strings.HasSuffix(action, "exclude")
	for _, p := range patterns {
		re, err := manifestPattern(p, below, strings.HasPrefix(action, "global-"), action == "graft" || action == "prune")
		if err != nil {
			return err
		}
		for _, name := range all {
			if !re.MatchString(name) {
				continue
			}
			if takes {
				delete(chosen, name[1:])
			} else {
				chosen[name[1:]] = true
			}
		}
	}
	return nil
}

// manifestPattern matches names that begin with a slash; * and ? match no slash.
func manifestPattern(pattern, below string, anywhere, tree bool) (*regexp.Regexp, error) {
	switch {
	case tree:
		return regexp.Compile("^/" + glob(strings.Trim(below, "/")) + "/")
	case anywhere:
		return regexp.Compile(glob(pattern) + "$")
	case below != "":
		return regexp.Compile("^/" + glob(strings.Trim(below, "/")) + "/.*" + glob(pattern) + "$")
	}
	return regexp.Compile("^/" + glob(pattern) + "$")
}

func glob(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString("[^/]*")
		case '?':
			b.WriteString("[^/]")
		case '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end < 1 {
				b.WriteString(`\[`)
				continue
			}
			set := strings.ReplaceAll(pattern[i+1:i+1+end], `\`, `\\`)
			if strings.HasPrefix(set, "!") {
				set = "^" + set[1:]
			}
			b.WriteString("[" + set + "]")
			i += end + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}

// chosenFiles lists what the manifest selects, folders before what they hold.
func (g *galaxyFile) chosenFiles(dir string) ([]fileEntry, error) {
	chosen, err := g.selected(dir)
	if err != nil {
		return nil, err
	}
	folders := map[string]bool{}
	names := make([]string, 0, len(chosen))
	for name := range chosen {
		names = append(names, name)
		for d := path.Dir(name); d != "."; d = path.Dir(d) {
			folders[d] = true
		}
	}
	for d := range folders {
		names = append(names, d)
	}
	slices.Sort(names)
	out := []fileEntry{{Name: ".", FType: "dir", Format: 1}}
	for _, name := range names {
		if folders[name] {
			out = append(out, fileEntry{Name: name, FType: "dir", Format: 1})
			continue
		}
		p := filepath.Join(dir, name)
		info, err := os.Lstat(p)
		if err != nil {
			return nil, err
		}
		e, err := entryOf(dir, p, name, info)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out = append(out, *e)
		}
	}
	return out, nil
}
