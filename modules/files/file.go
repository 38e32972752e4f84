package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.file",
		Summary: "Set the state, owner and mode of files, directories and links, or remove them.",
		Check:   modules.Full,
		Diff:    modules.Partial,
		Examples: `
- name: A directory with everything above it
  ansible.builtin.file:
    path: /srv/app/releases
    state: directory
    mode: "0755"

- name: A symbolic link
  ansible.builtin.file:
    src: /srv/app/releases/42
    dest: /srv/app/current
    state: link

- name: Gone, with all that is in it
  ansible.builtin.file:
    path: /srv/old
    state: absent
`,
	}, runFile)
}

type fileModuleArgs struct {
	Path    string `arg:"path,required" alias:"dest,name" type:"path" doc:"The file."`
	State   string `arg:"state" choices:"absent,directory,file,hard,link,touch" doc:"What it shall be; as it is, or file, when not given."`
	Src     string `arg:"src" type:"path" doc:"What a link leads to."`
	Recurse bool   `arg:"recurse" default:"false" doc:"Set the attributes on everything in the directory as well."`
	Force   bool   `arg:"force" default:"false" doc:"Make links that lead nowhere, and replace files by links."`
	Follow  bool   `arg:"follow" default:"true" doc:"Follow links that are there."`

	AccessTime             string `arg:"access_time" doc:"Time to set: preserve, now, or a time."`
	AccessTimeFormat       string `arg:"access_time_format" default:"%Y%m%d%H%M.%S" doc:"How access_time is written."`
	ModificationTime       string `arg:"modification_time" doc:"Time to set: preserve, now, or a time."`
	ModificationTimeFormat string `arg:"modification_time_format" default:"%Y%m%d%H%M.%S" doc:"How modification_time is written."`

	OriginalBasename string `arg:"_original_basename"`
	DiffPeek         *bool  `arg:"_diff_peek"`
	modules.FileArgs
}

type fileReturn struct {
	Path string `json:"path,omitempty" doc:"The file." returned:"state is absent, directory or file"`
	Dest string `json:"dest,omitempty" doc:"The file." returned:"state is touch, hard or link"`
	Src  string `json:"src,omitempty" doc:"What the link leads to." returned:"state is hard or link"`
	modules.PathInfo
}

// fileTask is one call of the file module.
type fileTask struct {
	ctx   context.Context
	h     *modules.Host
	a     fileModuleArgs
	prev  string // what is at the path: absent, file, directory, link, hard
	times fileTimes
	diff  *modules.Diff
	r     modules.Result[fileReturn]
}

func runFile(ctx context.Context, h *modules.Host, a fileModuleArgs) (modules.Result[fileReturn], error) {
	t := &fileTask{ctx: ctx, h: h, a: a, prev: kindOf(a.Path)}
	t.r.OneDiff = true
	err := t.run()
	if t.diff != nil && err == nil {
		t.r.Diff = []modules.Diff{*t.diff}
	}
	shown := t.r.Data.Path
	if err != nil && shown == "" && t.r.Data.Dest == "" {
		t.r.Data.Path, shown = t.a.Path, t.a.Path
	}
	if shown == "" {
		shown = t.r.Data.Dest
	}
	if info := h.PathInfo(ctx, shown); info.State != "" {
		t.r.Data.PathInfo = info
	} else if t.a.State == "absent" && !h.Check {
		t.r.Data.State = "absent"
	}
	return t.r, err
}

func (t *fileTask) run() error {
	if t.a.State == "" {
		switch {
		case t.prev != "absent":
			t.a.State = t.prev
		case t.a.Recurse:
			t.a.State = "directory"
		default:
			t.a.State = "file"
		}
	}
	if t.a.Recurse && t.a.State != "directory" {
		return modules.Failf("recurse option requires state to be 'directory'")
	}
	if t.a.Src != "" && t.a.State != "link" && t.a.State != "hard" {
		return modules.Failf("src option requires state to be 'link' or 'hard'")
	}
	if t.a.State != "link" && t.a.State != "absent" && modules.IsDir(t.a.Path) {
		if base := first(t.a.OriginalBasename, t.a.Src); base != "" {
			t.a.Path = filepath.Join(t.a.Path, filepath.Base(base))
			t.prev = kindOf(t.a.Path)
		}
	}
	var err error
	if t.times, err = timesOf(t.a); err != nil {
		return err
	}
	switch t.a.State {
	case "absent":
		return t.absent()
	case "directory":
		return t.directory()
	case "link":
		return t.link()
	case "hard":
		return t.hardLink()
	case "touch":
		return t.touch()
	}
	return t.file()
}

func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// kindOf is Ansible's word for what is at path.
func kindOf(path string) string {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "absent"
	case info.Mode()&os.ModeSymlink != 0:
		return "link"
	case info.IsDir():
		return "directory"
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return "hard"
	}
	return "file"
}

func (t *fileTask) startDiff(state string) (before, after *value.Dict) {
	before, after = value.DictOf("path", t.a.Path), value.DictOf("path", t.a.Path)
	if t.prev != state {
		before.SetString("state", t.prev)
		after.SetString("state", state)
		if state == "absent" && t.prev == "directory" {
			before.SetString("path_content", contentOf(t.a.Path))
		}
	}
	t.diff = &modules.Diff{Before: before, After: after}
	return before, after
}

// contentOf lists what is below a directory, top down.
func contentOf(dir string) *value.Dict {
	var dirs, files []value.Value
	var list func(string)
	list = func(d string) {
		entries, _ := os.ReadDir(d)
		var sub []string
		for _, e := range entries {
			p := filepath.Join(d, e.Name())
			if modules.IsDir(p) {
				dirs = append(dirs, p)
				if e.IsDir() {
					sub = append(sub, p)
				}
			} else {
				files = append(files, p)
			}
		}
		for _, s := range sub {
			list(s)
		}
	}
	list(dir)
	return value.DictOf("directories", value.NewList(dirs...), "files", value.NewList(files...))
}

func (t *fileTask) absent() error {
	t.r.Data.Path = t.a.Path
	if t.prev == "absent" {
		t.r.Data.State = "absent"
		return nil
	}
	t.startDiff("absent")
	return t.h.Act(func() error {
		if t.prev == "directory" {
			if err := removeTree(t.a.Path); err != nil {
				return modules.Failf("rmtree failed: %v", err)
			}
			return nil
		}
		if err := os.Remove(t.a.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return modules.Failf("unlinking failed: %v", err)
		}
		return nil
	})
}

// removeTree removes a directory with all it holds; os.RemoveAll works with directory
// handles, so that a link put in the place of a directory meanwhile is not followed.
func removeTree(path string) error { return os.RemoveAll(path) }

func (t *fileTask) file() error {
	if t.a.Follow && t.prev == "link" {
		t.a.Path = modules.RealPath(t.a.Path)
		t.prev = kindOf(t.a.Path)
	}
	t.r.Data.Path = t.a.Path
	if t.prev != "file" && t.prev != "hard" {
		t.r.Data.State = t.prev
		return modules.Failf("file (%s) is %s, cannot continue", t.a.Path, t.prev)
	}
	t.startDiff(t.prev)
	return t.attributes(t.a.Path)
}

// attributes brings owner, mode, flags and times of path to what the task says and adds
// what differs to the diff.
func (t *fileTask) attributes(path string) error {
	plan, err := t.h.PlanAttrs(t.ctx, path, t.a.FileArgs)
	if err != nil {
		return err
	}
	if t.diff != nil {
		merge(t.diff.Before.(*value.Dict), plan.Before)
		merge(t.diff.After.(*value.Dict), plan.After)
	}
	if err := t.h.ApplyAttrs(path, plan); err != nil {
		return err
	}
	return t.times.apply(t.h, path, t.diff)
}

func merge(into, from *value.Dict) {
	for _, e := range from.Entries() {
		into.SetString(value.Str(e.Key), e.Value)
	}
}

func (t *fileTask) directory() error {
	if t.a.Follow && t.prev == "link" {
		t.a.Path = modules.RealPath(t.a.Path)
		t.prev = kindOf(t.a.Path)
	}
	t.r.Data.Path = t.a.Path
	switch t.prev {
	case "absent":
		t.startDiff("directory")
		if err := t.h.Act(func() error { return t.makeDirs(t.a.Path) }); err != nil || t.h.Check {
			return err
		}
	case "directory":
		t.startDiff("directory")
		if err := t.attributes(t.a.Path); err != nil {
			return err
		}
	default:
		return modules.Failf("%s already exists as a %s", t.a.Path, t.prev)
	}
	if t.a.Recurse {
		return t.recurse(t.a.Path)
	}
	return nil
}

// makeDirs makes path and what is missing above it, each with the attributes of the task.
func (t *fileTask) makeDirs(path string) error {
	var missing []string
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || filepath.Dir(p) == p {
			break
		}
		missing = append(missing, p)
	}
	for _, p := range slices.Backward(missing) {
		if err := os.Mkdir(p, 0o777); err != nil && !(errors.Is(err, fs.ErrExist) && modules.IsDir(p)) {
			return modules.Failf("There was an issue creating %s as requested: %v", p, err)
		}
		t.h.MarkChanged()
		if err := t.attributes(p); err != nil {
			return err
		}
	}
	return nil
}

// recurse sets the attributes of everything in dir. A link gets them itself; with follow
// what it leads to gets them too.
func (t *fileTask) recurse(dir string) error {
	diff := t.diff
	t.diff = nil // the diff is that of the directory itself
	defer func() { t.diff = diff }()
	return t.recurseInto(dir, map[string]bool{})
}

func (t *fileTask) recurseInto(dir string, seen map[string]bool) error {
	real := modules.RealPath(dir)
	if seen[real] {
		return nil // links that lead round in a circle
	}
	seen[real] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, e.Name())
		if err := t.attributes(path); err != nil {
			return err
		}
		if e.Type()&os.ModeSymlink != 0 {
			if !t.a.Follow {
				continue
			}
			path = modules.RealPath(path)
			if !modules.Exists(path) {
				continue
			}
			if err := t.attributes(path); err != nil {
				return err
			}
		}
		if kindOf(path) == "directory" {
			if err := t.recurseInto(path, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *fileTask) touch() error {
	t.r.Data.Dest = t.a.Path
	if t.prev == "absent" {
		if t.h.Check {
			t.h.MarkChanged()
			return nil
		}
		if err := t.h.Act(func() error { return createFile(t.a.Path) }); err != nil {
			t.r.Data.Dest = ""
			return modules.Failf("Error, could not touch target: %v", err)
		}
	}
	t.startDiff("touch")
	path := t.a.Path
	if t.a.Follow && t.prev == "link" {
		path = modules.RealPath(path)
	}
	return t.attributes(path)
}

func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	return f.Close()
}
