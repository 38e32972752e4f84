package packages

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.apt_repository",
		Summary: "Keep a source of packages in apt's one-line lists.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Notes:   []string{"ppa: addresses are refused."},
		Examples: `
- name: The backports
  ansible.builtin.apt_repository:
    repo: deb http://mirror.example.org/debian bookworm-backports main
    filename: backports
`,
	}, aptRepository)
}

type aptRepositoryArgs struct {
	Repo          string      `arg:"repo,required" doc:"The line, as it stands in the list."`
	State         string      `arg:"state" default:"present" choices:"absent,present" doc:"Should it be there?"`
	Mode          value.Value `arg:"mode" type:"raw" doc:"Mode of a new list; 0644 when not given."`
	UpdateCache   bool        `arg:"update_cache" alias:"update-cache" default:"true" doc:"Fetch the package lists after a change."`
	UpdateRetries int64       `arg:"update_cache_retries" default:"5" doc:"How often to try to fetch the lists."`
	UpdateDelay   int64       `arg:"update_cache_retry_max_delay" default:"12" doc:"Longest wait between tries, in seconds."`
	ValidateCerts bool        `arg:"validate_certs" default:"true" doc:"Only of use with ppa."`
	Filename      string      `arg:"filename" doc:"Name of the list, without .list; made from the address when not given."`
	Codename      string      `arg:"codename" doc:"Only of use with ppa."`
	InstallPython bool        `arg:"install_python_apt" default:"true" doc:"Has no effect: no Python is needed."`
}

type aptRepositoryReturn struct {
	Repo    string   `json:"repo" doc:"The line." returned:"always"`
	State   string   `json:"state" doc:"The state that was asked for." returned:"always"`
	Added   []string `json:"sources_added" doc:"Lists that were made." returned:"success"`
	Removed []string `json:"sources_removed" doc:"Lists that were deleted." returned:"success"`
}

const sourcesDir = "/etc/apt/sources.list.d"

// sourceEdit is a list to be written, or to be deleted when it becomes empty.
type sourceEdit struct{ path, before, after string }

func aptRepository(ctx context.Context, h *modules.Host, a aptRepositoryArgs) (r modules.Result[aptRepositoryReturn], err error) {
	r.Data = aptRepositoryReturn{Repo: a.Repo, State: a.State, Added: []string{}, Removed: []string{}}
	if strings.HasPrefix(a.Repo, "ppa:") {
		return r, modules.Failf("ppa: repositories are not supported: use deb822_repository with the archive's address and key")
	}
	source, ok := parseSource(a.Repo)
	if !ok || !source.enabled {
		return r, modules.Failf("Invalid repository string: %s", a.Repo)
	}
	files, err := readSources()
	if err != nil {
		return r, err
	}
	r.AlwaysDiff = true
	edits := editSources(files, source, a)
	if len(edits) == 0 {
		return r, nil
	}
	undo, err := a.apply(ctx, h, edits, &r)
	if err != nil || h.Check || !a.UpdateCache {
		return r, err
	}
	if err := fetchLists(ctx, h, 60, a.UpdateRetries, a.UpdateDelay, false); err != nil {
		undo()
		return r, err
	}
	return r, nil
}

func (a *aptRepositoryArgs) apply(ctx context.Context, h *modules.Host, edits []sourceEdit, r *modules.Result[aptRepositoryReturn]) (undo func(), err error) {
	mode := a.Mode
	if mode == nil {
		mode = "0644"
	}
	var done []sourceEdit
	undo = func() {
		for _, e := range done {
			if e.before == "" {
				_ = os.Remove(e.path)
			} else if _, err := h.WriteFile(ctx, e.path, []byte(e.before), modules.Replacement{}); err != nil {
				h.Warn("cannot restore %s: %v", e.path, err)
			}
		}
	}
	for _, e := range edits {
		from, to := e.path, e.path
		if e.before == "" {
			from = "/dev/null"
			r.Data.Added = append(r.Data.Added, e.path)
		}
		if e.after == "" {
			to = "/dev/null"
			r.Data.Removed = append(r.Data.Removed, e.path)
		}
		r.Diff = append(r.Diff, modules.Diff{Before: e.before, After: e.after, BeforeHeader: from, AfterHeader: to})
		if e.after == "" {
			err = h.Act(func() error { return os.Remove(e.path) })
		} else {
			var plan *modules.AttrPlan
			if e.before == "" {
				if plan, err = h.PlanAttrs(ctx, e.path, modules.FileArgs{Mode: mode}); err != nil {
					return undo, err
				}
			}
			_, err = h.WriteFile(ctx, e.path, []byte(e.after), modules.Replacement{Plan: plan})
		}
		if err != nil {
			undo()
			return undo, err
		}
		done = append(done, e)
	}
	return undo, nil
}

// source is a line of a list, taken apart.
type source struct {
	enabled bool
	words   string // without comment, blanks made single
	comment string
}

func parseSource(line string) (s source, ok bool) {
	line = strings.TrimSpace(line)
	s.enabled = true
	for strings.HasPrefix(line, "#") {
		s.enabled = false
		line = strings.TrimSpace(line[1:])
	}
	if i := strings.IndexByte(line, '#'); i > 0 {
		s.comment, line = strings.TrimSpace(line[i+1:]), strings.TrimSpace(line[:i])
	}
	f := strings.Fields(line)
	if len(f) < 3 || f[0] != "deb" && f[0] != "deb-src" {
		return s, false
	}
	s.words = strings.Join(f, " ")
	return s, strings.Contains(s.words, ":/") || strings.Contains(s.words, "cdrom:") || strings.Contains(s.words, "mirror+")
}

// sourceFile is one list.
type sourceFile struct{ path, text string }

func readSources() ([]sourceFile, error) {
	paths, err := filepath.Glob(filepath.Join(sourcesDir, "*.list"))
	if err != nil {
		return nil, err
	}
	var files []sourceFile
	for _, p := range append([]string{"/etc/apt/sources.list"}, paths...) {
		b, err := os.ReadFile(p)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, sourceFile{p, string(b)})
	}
	return files, nil
}

// editSources brings the lists to what is wanted.
func editSources(files []sourceFile, want source, a aptRepositoryArgs) []sourceEdit {
	var edits []sourceEdit
	found := false
	for _, f := range files {
		var lines []string
		changed := false
		for line := range strings.Lines(f.text) {
			s, ok := parseSource(line)
			switch {
			case !ok || s.words != want.words:
			case a.State == "absent":
				if s.enabled {
					changed = true
					continue
				}
			case s.enabled:
				found = true
			default:
				found, changed = true, true
				if line = s.words; s.comment != "" {
					line += " # " + s.comment
				}
				line += "\n"
			}
			lines = append(lines, line)
		}
		if changed {
			after := strings.Join(lines, "")
			if strings.TrimSpace(after) == "" && f.path != "/etc/apt/sources.list" {
				after = ""
			}
			edits = append(edits, sourceEdit{f.path, f.text, after})
		}
	}
	if a.State == "absent" || found {
		return edits
	}
	return append(edits, addSource(files, strings.TrimSpace(a.Repo), sourcePath(want, a.Filename)))
}

func addSource(files []sourceFile, line, path string) sourceEdit {
	i := slices.IndexFunc(files, func(f sourceFile) bool { return f.path == path })
	before := ""
	if i >= 0 {
		before = files[i].text
	}
	after := before
	if after != "" && !strings.HasSuffix(after, "\n") {
		after += "\n"
	}
	return sourceEdit{path, before, after + line + "\n"}
}

// sourcePath is the list a new line goes to: named for the address, without protocol,
// user and options.
func sourcePath(s source, filename string) string {
	if filename == "" {
		text := s.words
		if open, end := strings.IndexByte(text, '['), strings.IndexByte(text, ']'); open >= 0 && end > open {
			text = text[:open] + text[end+1:]
		}
		f := strings.Fields(text)
		address := f[1]
		if _, rest, ok := strings.Cut(address, "://"); ok {
			address = rest
		}
		if _, rest, ok := strings.Cut(address, "@"); ok {
			address = rest
		}
		filename = strings.Join(strings.FieldsFunc(address, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
		}), "_")
	}
	if filepath.IsAbs(filename) {
		return filename
	}
	return filepath.Join(sourcesDir, filename+".list")
}
