package archives

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/pyre"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.archive",
		Extra:   true,
		Summary: "Pack files and directories of the host into an archive.",
		Notes:   []string{"The formats bz2, xz and zstd need the program of that name on the host."},
		Check:   modules.Full,
		Examples: `
- name: A directory as a tar.gz
  community.general.archive:
    path: /srv/app
    dest: /var/backups/app.tgz
    exclusion_patterns:
      - "*.log"
`,
	}, archive)
}

type archiveArgs struct {
	Path              []string `arg:"path,required" elements:"path" doc:"What to pack; may be shell patterns."`
	Dest              string   `arg:"dest" type:"path" doc:"The archive; for a single file its name with the format's ending when not given."`
	Format            string   `arg:"format" default:"gz" choices:"bz2,gz,tar,xz,zip,zstd" doc:"How to pack; the compressed ones are tar archives, or for a single file just that."`
	ExcludePath       []string `arg:"exclude_path" elements:"path" default:"" doc:"Of what path gives, leave these out."`
	ExclusionPatterns []string `arg:"exclusion_patterns" elements:"path" doc:"Leave out files and directories that match."`
	ForceArchive      bool     `arg:"force_archive" default:"false" doc:"Make an archive also of a single file."`
	Remove            bool     `arg:"remove" default:"false" doc:"Remove what was packed."`
	modules.FileArgs
}

type archiveReturn struct {
	Archived             []string `json:"archived" doc:"What is in the archive." returned:"success"`
	Dest                 string   `json:"dest,omitempty" doc:"The archive." returned:"success"`
	DestState            string   `json:"dest_state,omitempty" doc:"absent, archive, compress (a single file) or incomplete." returned:"success"`
	Arcroot              string   `json:"arcroot,omitempty" doc:"The directory the names start from." returned:"success"`
	Missing              []string `json:"missing" doc:"Paths that are not there." returned:"success"`
	ExpandedPaths        []string `json:"expanded_paths" doc:"Paths after patterns." returned:"success"`
	ExpandedExcludePaths []string `json:"expanded_exclude_paths" doc:"Excluded paths after patterns." returned:"success"`
	modules.PathInfo
}

// archiver packs; it decides on its members before it writes.
type archiver struct {
	ctx      context.Context
	h        *modules.Host
	a        archiveArgs
	root     string // with a slash at the end
	exclude  []*pyre.Regexp
	single   bool // one file, compressed without an archive
	found    []string
	members  []packItem
	archived []string
}

// packItem is one file to be packed.
type packItem struct {
	path, name string
	info       fs.FileInfo
	link       string
}

func archive(ctx context.Context, h *modules.Host, a archiveArgs) (r modules.Result[archiveReturn], err error) {
	p := &archiver{ctx: ctx, h: h, a: a}
	if p.exclude, err = modules.NamePatterns("exclusion_patterns", a.ExclusionPatterns, false); err != nil {
		return r, err
	}
	d := &r.Data
	d.Archived, d.Missing = []string{}, []string{}
	if d.ExpandedPaths, err = expandGlobs(a.Path); err != nil {
		return r, err
	}
	if d.ExpandedExcludePaths, err = expandGlobs(a.ExcludePath); err != nil {
		return r, err
	}
	if err := p.choose(d); err != nil {
		return r, err
	}
	d.Dest, d.Arcroot = p.a.Dest, p.root
	exists := modules.Exists(p.a.Dest)
	if len(p.found) > 0 {
		if err := p.collect(); err != nil {
			return r, err
		}
		if err := p.pack(exists); err != nil {
			return r, err
		}
		if !h.Check {
			d.Archived = p.archived
		}
	}
	if err := p.attributes(); err != nil {
		return r, err
	}
	if a.Remove && len(p.found) > 0 {
		if err := p.remove(); err != nil {
			return r, err
		}
	}
	d.PathInfo, d.DestState = h.PathInfo(ctx, p.a.Dest), p.state(len(d.Missing) > 0)
	return r, nil
}

func expandGlobs(patterns []string) ([]string, error) {
	out := []string{}
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*?[") {
			out = append(out, p)
			continue
		}
		found, err := filepath.Glob(p)
		if err != nil {
			return nil, modules.Failf("bad pattern %q: %v", p, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// choose finds what is there, what kind of result it makes, and where names start.
func (p *archiver) choose(d *archiveReturn) error {
	for _, path := range d.ExpandedPaths {
		switch {
		case slices.Contains(d.ExpandedExcludePaths, path):
		case modules.Exists(path):
			p.found = append(p.found, path)
		default:
			d.Missing = append(d.Missing, path)
		}
	}
	if len(d.ExpandedPaths) == 0 {
		return modules.Failf("Error, no source paths were found")
	}
	p.root = commonDir(d.ExpandedPaths)
	p.single = !p.a.ForceArchive && p.a.Format != "zip" && p.a.Format != "tar" &&
		len(d.ExpandedPaths) == 1 && !strings.ContainsAny(strings.Join(p.a.Path, ""), "*?[") && !modules.IsDir(d.ExpandedPaths[0])
	if p.a.Dest == "" {
		if len(d.ExpandedPaths) != 1 || modules.IsDir(d.ExpandedPaths[0]) || p.a.ForceArchive {
			return modules.Failf(`Error, must specify "dest" when archiving multiple files or trees`)
		}
		p.a.Dest = d.ExpandedPaths[0] + "." + p.a.Format
	}
	if p.a.Remove {
		for _, f := range p.found {
			if strings.HasPrefix(modules.RealPath(p.a.Dest), modules.RealPath(f)+"/") {
				return modules.Failf("Error, created archive can not be contained in source paths when remove=true")
			}
		}
	}
	return nil
}

// commonDir is the deepest directory all paths are in; a path with a slash at its end is one.
func commonDir(paths []string) string {
	common := ""
	for i, p := range paths {
		dir := p[:strings.LastIndexByte(p, '/')+1]
		if i == 0 {
			common = dir
		}
		for !strings.HasPrefix(dir, common) {
			common = common[:strings.LastIndexByte(strings.TrimSuffix(common, "/"), '/')+1]
		}
	}
	return common
}

func (p *archiver) excluded(path string) (bool, error) {
	for _, re := range p.exclude {
		for _, s := range []string{path, filepath.Base(path)} {
			if m, err := re.Match(s); m != nil || err != nil {
				return m != nil, err
			}
		}
	}
	return false, nil
}

// collect lists the members in a fixed order.
func (p *archiver) collect() error {
	dest := modules.RealPath(p.a.Dest)
	for _, top := range p.found {
		top = filepath.Clean(top)
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil {
				err = p.ctx.Err()
			}
			if err != nil {
				return err
			}
			if path == top && d.IsDir() || modules.RealPath(path) == dest {
				return nil
			}
			if out, err := p.excluded(path); out || err != nil {
				if out && d.IsDir() {
					return fs.SkipDir
				}
				return err
			}
			return p.add(path, d)
		})
		if err != nil {
			return modules.Failf("cannot read what is to be packed: %v", err)
		}
	}
	return nil
}

func (p *archiver) add(path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	item := packItem{path: path, name: strings.TrimPrefix(path, p.root), info: info}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if item.link, err = os.Readlink(path); err != nil {
			return err
		}
		if p.a.Format == "zip" || p.single { // these hold what the link leads to
			if item.info, err = os.Stat(path); err != nil || !item.info.Mode().IsRegular() {
				return err
			}
			item.link = ""
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		p.h.Warn("%s is neither file, directory nor link and is left out", path)
		return nil
	}
	p.members = append(p.members, item)
	p.archived = append(p.archived, path)
	return nil
}

// pack writes the archive, unless one with the same members and contents is there.
func (p *archiver) pack(exists bool) error {
	if len(p.members) == 0 {
		return nil
	}
	if exists {
		same, err := p.same()
		if err != nil || same {
			return err
		}
	}
	return p.h.Act(func() error {
		draft, err := p.h.NewDraft(p.a.Dest)
		if err != nil {
			return err
		}
		defer draft.Close()
		if err := p.write(draft); err != nil {
			return modules.Failf("Errors when writing archive at %s: %v", p.a.Dest, err)
		}
		return draft.Commit(modules.Replacement{UnsafeWrites: p.a.UnsafeWrites})
	})
}

func (p *archiver) attributes() error {
	if !modules.Exists(p.a.Dest) {
		return nil
	}
	plan, err := p.h.PlanAttrs(p.ctx, p.a.Dest, p.a.FileArgs)
	if err != nil {
		return err
	}
	return p.h.ApplyAttrs(p.a.Dest, plan)
}

func (p *archiver) remove() error {
	return p.h.Act(func() error {
		var errs []error
		for _, f := range p.found {
			if strings.HasSuffix(f, "/") || modules.RealPath(f) != modules.RealPath(p.a.Dest) {
				errs = append(errs, os.RemoveAll(strings.TrimRight(f, "/")))
			}
		}
		return errors.Join(errs...)
	})
}

func (p *archiver) state(incomplete bool) string {
	switch {
	case !modules.Exists(p.a.Dest):
		return "absent"
	case incomplete && len(p.found) > 0:
		return "incomplete"
	case p.single:
		return "compress"
	}
	return "archive"
}
