package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"fettle/engine/pyre"
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.find",
		Summary: "List files by name, age, size, mode or content.",
		Check:   modules.Full,
		Examples: `
- name: Logs that are older than two weeks
  ansible.builtin.find:
    paths: /var/log
    patterns: "*.gz"
    age: 2w
    recurse: true
  register: old_logs
`,
	}, find)
}

type findArgs struct {
	Paths             []string    `arg:"paths,required" alias:"name,path" elements:"path" doc:"Directories to look in."`
	Patterns          []string    `arg:"patterns" alias:"pattern" default:"" doc:"Shell patterns of names, or with use_regex regular expressions."`
	Excludes          []string    `arg:"excludes" alias:"exclude" doc:"Names to leave out."`
	UseRegex          bool        `arg:"use_regex" default:"false" doc:"patterns and excludes are regular expressions."`
	Contains          *string     `arg:"contains" doc:"Regular expression the start of a line must match."`
	ReadWholeFile     bool        `arg:"read_whole_file" default:"false" doc:"contains is searched in the whole text."`
	FileType          string      `arg:"file_type" default:"file" choices:"any,directory,file,link" doc:"What to list."`
	Recurse           bool        `arg:"recurse" default:"false" doc:"Look in the directories below as well."`
	Depth             *int64      `arg:"depth" doc:"How deep; 1 is the directory itself."`
	Hidden            bool        `arg:"hidden" default:"false" doc:"List names that start with a dot."`
	Follow            bool        `arg:"follow" default:"false" doc:"Go into directories that links lead to."`
	Age               *string     `arg:"age" doc:"At least this old; with a minus at most. Units s, m, h, d, w."`
	AgeStamp          string      `arg:"age_stamp" default:"mtime" choices:"atime,ctime,mtime" doc:"Which time counts."`
	Size              *string     `arg:"size" doc:"At least this large; with a minus at most. Units b, k, m, g, t."`
	Mode              value.Value `arg:"mode" type:"raw" doc:"Permission bits, octal or symbolic."`
	ExactMode         bool        `arg:"exact_mode" default:"true" doc:"All bits are equal; else one of them is set."`
	GetChecksum       bool        `arg:"get_checksum" default:"false" doc:"Compute a checksum of each file."`
	ChecksumAlgorithm string      `arg:"checksum_algorithm" alias:"checksum,checksum_algo" default:"sha1" choices:"md5,sha1,sha224,sha256,sha384,sha512" doc:"Which checksum."`
	Limit             *int64      `arg:"limit" doc:"Stop after so many."`
	Encoding          *string     `arg:"encoding" doc:"Encoding of the files for contains."`
}

type findReturn struct {
	Files    []*value.Dict     `json:"files" doc:"What was found, as stat describes it." returned:"success"`
	Matched  int               `json:"matched" doc:"How many." returned:"success"`
	Examined int               `json:"examined" doc:"How many were looked at." returned:"success"`
	Skipped  map[string]string `json:"skipped_paths" doc:"Paths that could not be searched, and why." returned:"success"`
	findBad
}

// findBad is the option that could not be read.
type findBad struct {
	Age  string `json:"age,omitempty" doc:"An age that is none." returned:"failure"`
	Size string `json:"size,omitempty" doc:"A size that is none." returned:"failure"`
}

func find(ctx context.Context, h *modules.Host, a findArgs) (r modules.Result[findReturn], err error) {
	f, err := newFinder(ctx, h, a)
	if err != nil {
		if f != nil {
			r.Data.findBad = f.bad
		}
		return r, err
	}
	r.Msg = "All paths examined"
	r.Data.Skipped = map[string]string{}
	for _, p := range a.Paths {
		p = h.ExpandWord(p)
		if !modules.IsDir(p) {
			why := "'" + p + "' is not a directory"
			r.Data.Skipped[p] = why
			h.Warn("Skipped '%s' path due to this access issue: %s\n", p, why)
			r.Msg = "Not all paths examined, check warnings for details"
			continue
		}
		if err := f.walk(p, 1, nil); err != nil {
			return r, err
		}
		if f.full() {
			r.Msg = "Limit of matches reached"
			break
		}
	}
	for p, why := range f.unreadable {
		r.Data.Skipped[p] = why
		h.Warn("Skipped '%s' path due to this access issue: %s\n", p, why)
		r.Msg = "Not all paths examined, check warnings for details"
	}
	r.Data.Files, r.Data.Matched, r.Data.Examined = f.found, len(f.found), f.examined
	return r, nil
}

// finder is one search.
type finder struct {
	ctx                context.Context
	h                  *modules.Host
	a                  findArgs
	patterns, excludes []*pyre.Regexp
	contains           *pyre.Regexp
	age                *time.Duration
	size               *int64
	mode               *uint32
	now                time.Time

	found      []*value.Dict
	examined   int
	unreadable map[string]string
	bad        findBad
}

func newFinder(ctx context.Context, h *modules.Host, a findArgs) (*finder, error) {
	f := &finder{ctx: ctx, h: h, a: a, now: time.Now(), found: []*value.Dict{}, unreadable: map[string]string{}}
	if a.Encoding != nil {
		if err := checkEncoding(*a.Encoding); err != nil && h.LookPath("iconv") == "" {
			return nil, err
		}
	}
	var err error
	if f.patterns, err = modules.NamePatterns("patterns", a.Patterns, a.UseRegex); err != nil {
		return nil, err
	}
	if f.excludes, err = modules.NamePatterns("excludes", a.Excludes, a.UseRegex); err != nil {
		return nil, err
	}
	if a.Contains != nil {
		if f.contains, err = modules.Pattern("contains", *a.Contains, 0); err != nil {
			return nil, err
		}
	}
	if a.Age != nil {
		n, ok := scaled(*a.Age, map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800})
		if !ok {
			f.bad = findBad{Age: *a.Age}
			return f, modules.Failf("failed to process age")
		}
		d := time.Duration(n) * time.Second
		f.age = &d
	}
	if a.Size != nil {
		n, ok := scaled(*a.Size, map[byte]int64{'b': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40})
		if !ok {
			f.bad = findBad{Size: *a.Size}
			return f, modules.Failf("failed to process size")
		}
		f.size = &n
	}
	if a.Mode != nil {
		m, err := modules.ParseMode(a.Mode, 0, false)
		if err != nil {
			return nil, err
		}
		f.mode = &m
	}
	return f, nil
}

// scaled reads a number with a unit.
func scaled(s string, units map[byte]int64) (int64, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	factor := int64(1)
	if s != "" {
		if f, ok := units[s[len(s)-1]]; ok {
			factor, s = f, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n * factor, err == nil
}

func (f *finder) full() bool { return f.a.Limit != nil && int64(len(f.found)) >= *f.a.Limit }

// walk looks at what is in dir, then goes into the directories. What is one level below
// the depth still counts as examined.
func (f *finder) walk(dir string, depth int64, above []fs.FileInfo) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.unreadable[dir] = osError(err)
		return nil
	}
	f.examined += len(entries)
	if f.a.Depth != nil && depth > *f.a.Depth {
		return nil
	}
	var dirs []string
	for _, e := range entries {
		if err := f.ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() || f.a.Follow && e.Type()&fs.ModeSymlink != 0 && modules.IsDir(path) {
			dirs = append(dirs, path)
		}
		if err := f.look(path, e.Name()); err != nil || f.full() {
			return err
		}
	}
	if !f.a.Recurse {
		return nil
	}
	for _, d := range dirs {
		info, err := os.Stat(d)
		if err != nil || slices.ContainsFunc(above, func(i fs.FileInfo) bool { return os.SameFile(i, info) }) {
			continue // gone, or a link that leads back up
		}
		if err := f.walk(d, depth+1, append(slices.Clone(above), info)); err != nil || f.full() {
			return err
		}
	}
	return nil
}

func (f *finder) look(path, name string) error {
	if strings.HasPrefix(name, ".") && !f.a.Hidden {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil // gone meanwhile
	}
	kind := info.Mode().Type()
	switch f.a.FileType {
	case "file":
		if kind != 0 {
			return nil
		}
	case "directory":
		if kind != fs.ModeDir {
			return nil
		}
	case "link":
		if kind != fs.ModeSymlink {
			return nil
		}
	}
	if ok, err := f.named(name); !ok || err != nil {
		return err
	}
	if ok, err := f.fits(path, info); !ok || err != nil {
		return err
	}
	d, err := f.describe(path, info)
	if err == nil {
		f.found = append(f.found, d)
	}
	return err
}

func (f *finder) named(name string) (bool, error) {
	hit := func(res []*pyre.Regexp) (bool, error) {
		for _, re := range res {
			if m, err := re.Match(name); m != nil || err != nil {
				return m != nil, err
			}
		}
		return false, nil
	}
	if len(f.patterns) > 0 {
		if ok, err := hit(f.patterns); !ok || err != nil {
			return false, err
		}
	}
	out, err := hit(f.excludes)
	return !out, err
}

func (f *finder) fits(path string, info fs.FileInfo) (bool, error) {
	st := info.Sys().(*syscall.Stat_t)
	if f.age != nil {
		stamp := timesOfStat(st)[map[string]int{"atime": 0, "mtime": 1, "ctime": 2}[f.a.AgeStamp]]
		old := seconds(f.now) - stamp
		if limit := f.age.Seconds(); limit >= 0 && old < limit || limit < 0 && old > -limit {
			return false, nil
		}
	}
	if f.mode != nil {
		bits := uint32(st.Mode) & 0o7777
		if f.a.ExactMode && bits != *f.mode || !f.a.ExactMode && bits&*f.mode == 0 {
			return false, nil
		}
	}
	if f.a.FileType != "file" && f.a.FileType != "any" {
		return true, nil
	}
	if f.size != nil && (*f.size >= 0 && st.Size < *f.size || *f.size < 0 && st.Size > -*f.size) {
		return false, nil
	}
	if f.a.FileType == "any" {
		return true, nil
	}
	return f.containing(path)
}

func (f *finder) containing(path string) (bool, error) {
	if f.contains == nil {
		return true, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.unreadable[path] = osError(err)
		return false, nil
	}
	if text, err = f.decode(path, text); err != nil {
		dir := filepath.Dir(path)
		f.unreadable[dir] = err.Error()
		return false, nil
	}
	if f.a.ReadWholeFile {
		return f.contains.Matched(string(text))
	}
	for line := range strings.Lines(string(text)) {
		if m, err := f.contains.Match(line); m != nil || err != nil {
			return m != nil, err
		}
	}
	return false, nil
}

// decode is the text of a file in the encoding of the task, if it names one. Encodings other
// than UTF-8 are left to iconv.
func (f *finder) decode(path string, text []byte) ([]byte, error) {
	if f.a.Encoding == nil {
		return text, nil
	}
	name := *f.a.Encoding
	wrong := modules.Failf("Failed to read the file %s due to an encoding error. current encoding: %s", path, name)
	if checkEncoding(name) == nil {
		if !utf8.Valid(text) {
			return nil, wrong
		}
		return text, nil
	}
	out, err := f.h.ToolInput(f.ctx, string(text), "iconv", "-f", name, "-t", "UTF-8")
	if err != nil {
		return nil, err
	}
	if out.RC != 0 && strings.Contains(out.Stderr, "is not supported") {
		return nil, modules.Failf("unknown encoding: %s", name)
	}
	if out.RC != 0 {
		return nil, wrong
	}
	return []byte(out.Stdout), nil
}

// osError is an error of the system in Python's words.
func osError(err error) string {
	var at *fs.PathError
	var no syscall.Errno
	if !errors.As(err, &at) || !errors.As(err, &no) {
		return err.Error()
	}
	text := no.Error()
	return fmt.Sprintf("[Errno %d] %s: %s", int(no), strings.ToUpper(text[:1])+text[1:], value.Repr(at.Path))
}

// notInFind are the keys of stat that find does not give.
var notInFind = []string{"exists", "blocks", "block_size", "device_type", "readable", "writeable", "executable"}

func (f *finder) describe(path string, info fs.FileInfo) (*value.Dict, error) {
	d := statDict(f.ctx, f.h, path, info)
	for _, k := range notInFind {
		d.Delete(k)
	}
	if f.a.GetChecksum && info.Mode().IsRegular() {
		sum, err := checksum(f.ctx, path, f.a.ChecksumAlgorithm)
		if err != nil {
			return nil, err
		}
		d.SetString("checksum", sum)
	}
	return d, nil
}
