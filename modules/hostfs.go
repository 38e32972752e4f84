package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ReadFile reads a whole regular file; a FIFO or device, which may never end, is refused.
// A file that does not exist gives an error that is fs.ErrNotExist.
func (h *Host) ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() && path != os.DevNull {
		return nil, Failf("%s is no regular file", path)
	}
	return io.ReadAll(f)
}

// RealPath follows the links of path as far as it exists; what does not exist keeps its name.
func RealPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return abs(real)
	}
	path = abs(path)
	for range 40 {
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = filepath.Clean(target)
	}
	dir, base := filepath.Split(path)
	if dir = filepath.Clean(dir); dir == path || base == "" {
		return path
	}
	return filepath.Join(RealPath(dir), base)
}

func abs(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// Exists tells whether there is anything at path; a dangling link is something.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// IsDir tells whether path is, or leads to, a directory.
func IsDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// IsLink tells whether path is a symbolic link.
func IsLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// Draft is a file being written beside the one it will replace. Nothing shows under the
// final name until Commit; without a Commit it goes away with the call.
type Draft struct {
	host   *Host
	dir    *os.Root // the directory as it was opened: a swapped path does not lead elsewhere
	target string
	base   string
	name   string // "" while it has none
	file   *os.File
	done   bool
	// elsewhere is the folder of a draft that could not be beside its target; it overwrites.
	elsewhere string
}

// NewDraft starts the replacement of the file at path (not following it when it is a link).
// The caller closes it. Nothing of it is readable by others before Commit.
func (h *Host) NewDraft(path string) (*Draft, error) {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	d := &Draft{host: h, dir: dir, target: path, base: filepath.Base(path)}
	// Without a name nothing is left even if the runner is killed.
	if d.file, err = openUnnamed(dir); err != nil {
		err = d.openNamed()
	}
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("cannot write in %s: %w%s", filepath.Dir(path), cause(err), protected(path))
	}
	// A new file has the group of the process, but in a directory with the setgid bit that
	// of the directory, however the file system is mounted.
	if info, err := dir.Stat("."); err == nil && info.Mode()&os.ModeSetgid == 0 {
		_ = d.file.Chown(-1, os.Getegid())
	}
	return d, nil
}

// DraftFor is NewDraft for a file that may be overwritten where it cannot be replaced: its
// folder takes no new file, as an immutable one, and r or the task's environment allows
// unsafe writes. Such a draft is in the folder for temporary files.
func (h *Host) DraftFor(path string, r Replacement) (*Draft, error) {
	d, err := h.NewDraft(path)
	if err == nil || !h.unsafeWrites(r) || !cannotReplace(err) {
		return d, err
	}
	if info, statErr := os.Lstat(path); statErr != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	d = &Draft{host: h, target: path, base: filepath.Base(path), elsewhere: os.TempDir()}
	if d.dir, err = os.OpenRoot(d.elsewhere); err != nil {
		return nil, err
	}
	if err = d.openNamed(); err != nil {
		_ = d.dir.Close()
		return nil, fmt.Errorf("cannot write in %s: %w", d.elsewhere, cause(err))
	}
	h.temps = append(h.temps, filepath.Join(d.elsewhere, d.name))
	return d, nil
}

// unsafeWrites tells whether overwriting is allowed: by the task, or by the environment when
// the task does not say.
func (h *Host) unsafeWrites(r Replacement) bool { return r.UnsafeWrites || h.unsafeDefault }

func cannotReplace(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EXDEV)
}

func (d *Draft) openNamed() (err error) {
	for range 100 {
		d.name = ".fettle-" + randomName()
		d.file, err = d.dir.OpenFile(d.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return err
}

// show gives a draft its name that has none.
func (d *Draft) show() error {
	if d.name != "" {
		return nil
	}
	name := ".fettle-" + randomName()
	sweepDrafts(d.dir)
	if err := giveName(d.file, d.dir, name); err != nil {
		return fmt.Errorf("cannot write in %s: %w", filepath.Dir(d.target), cause(err))
	}
	d.name = name
	return nil
}

// Path is where the draft is; it gets a name by that.
func (d *Draft) Path() string {
	path, _ := d.path()
	return path
}

// path is where the draft is, for a program that validates it.
func (d *Draft) path() (string, error) {
	if d.elsewhere != "" {
		return filepath.Join(d.elsewhere, d.name), nil
	}
	err := d.show()
	return filepath.Join(filepath.Dir(d.target), d.name), err
}

// Write adds content.
func (d *Draft) Write(p []byte) (int, error) { return d.file.Write(p) }

// File is the open draft.
func (d *Draft) File() *os.File { return d.file }

// Close drops the draft unless it was committed.
func (d *Draft) Close() error {
	if !d.done {
		_ = d.file.Close()
		if d.name != "" {
			_ = d.dir.Remove(d.name)
		}
		d.done = true
	}
	return d.dir.Close()
}

// Commit gives the draft owner and mode (those of the file it replaces, or of a new file,
// changed by the plan), forces it to disk and puts it in place.
func (d *Draft) Commit(r Replacement) error {
	if d.elsewhere != "" {
		return d.overwrite(r.Plan)
	}
	plan := r.Plan
	s := fileState{uid: -1, gid: -1, mode: 0o666 &^ Umask()}
	if info, err := d.dir.Lstat(d.base); err == nil && info.Mode().IsRegular() && !r.Fresh {
		s = stateOf(info)
		copyXattrs(d.target, d.file)
	}
	kept := plan == nil || plan.uid < 0 && plan.gid < 0
	if plan != nil {
		s.adopt(plan)
	}
	context := lgetxattr(d.target, selinuxXattr)
	if err := d.finish(s, kept); err != nil {
		return err
	}
	if context != "" {
		_ = lsetxattr(filepath.Join(filepath.Dir(d.target), d.name), selinuxXattr, context)
	}
	err := d.dir.Rename(d.name, d.base)
	if d.host.unsafeWrites(r) && cannotReplace(err) {
		err = d.writeInPlace()
	}
	if err != nil {
		return fmt.Errorf("cannot replace %s: %w%s", d.target, cause(err), protected(d.target))
	}
	d.done = true
	d.syncDir()
	if plan != nil {
		return plan.applyRest(d.target)
	}
	return nil
}

func (s *fileState) adopt(p *AttrPlan) {
	if p.uid >= 0 {
		s.uid = p.uid
	}
	if p.gid >= 0 {
		s.gid = p.gid
	}
	if p.mode >= 0 {
		s.mode = uint32(p.mode)
	}
}

// finish sets owner and mode; an owner that is only kept need not be possible: who may not
// give files away replaces those of others by his own, as with Ansible.
func (d *Draft) finish(s fileState, kept bool) error {
	if info, err := d.file.Stat(); err == nil {
		if own := stateOf(info); s.uid == own.uid && s.gid == own.gid {
			s.uid, s.gid = -1, -1
		}
	}
	if s.uid >= 0 || s.gid >= 0 {
		if err := d.file.Chown(s.uid, s.gid); err != nil && !(kept && errors.Is(err, syscall.EPERM)) {
			return Failf("chown failed: %v", cause(err))
		}
	}
	if err := d.file.Chmod(goMode(s.mode)); err != nil {
		return Failf("chmod failed: %v", cause(err))
	}
	if err := d.file.Sync(); err != nil {
		return fmt.Errorf("cannot write %s: %w", d.target, cause(err))
	}
	if err := d.show(); err != nil {
		return err
	}
	return d.file.Close()
}

// writeInPlace is for a file that cannot be replaced, such as one bind-mounted into a
// container: the only way is to overwrite it, and that is not atomic.
func (d *Draft) writeInPlace() error {
	from, err := d.dir.Open(d.name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := d.dir.OpenFile(d.base, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	err = errors.Join(err, to.Sync(), to.Close())
	_ = d.dir.Remove(d.name)
	return err
}

// overwrite copies a draft that is elsewhere into the file.
func (d *Draft) overwrite(plan *AttrPlan) error {
	to, err := os.OpenFile(d.target, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", d.target, cause(err))
	}
	if _, err = d.file.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(to, d.file)
	}
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil || plan == nil {
		return err
	}
	return d.host.ApplyAttrs(d.target, plan)
}

func (d *Draft) syncDir() {
	if f, err := d.dir.Open("."); err == nil {
		_ = f.Sync() // not every file system can; the rename itself has happened
		_ = f.Close()
	}
}

// cause is the error without the path of the draft, which means nothing to anybody.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

// Replacement says how WriteFile writes.
type Replacement struct {
	Plan         *AttrPlan // owner, mode and the rest; nil: as the old file, or as any new one
	Validate     string    // command with %s for the draft; must exit with 0
	Fresh        bool      // owner and mode of the old file do not count
	Backup       bool      // keep the old file beside the new one
	UnsafeWrites bool
}

// WriteFile replaces the content of path in one step, in check mode only notes the
// change. It returns the name of the backup when one was asked for and made.
func (h *Host) WriteFile(ctx context.Context, path string, content []byte, r Replacement) (backup string, err error) {
	err = h.Act(func() error {
		d, err := h.DraftFor(path, r)
		if err != nil {
			return err
		}
		defer d.Close()
		if _, err := d.Write(content); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, cause(err))
		}
		backup, err = h.CommitDraft(ctx, d, r)
		return err
	})
	return backup, err
}

// CommitDraft validates the draft, makes the backup and puts the draft in place.
func (h *Host) CommitDraft(ctx context.Context, d *Draft, r Replacement) (backup string, err error) {
	if r.Validate != "" {
		path, err := d.path()
		if err == nil {
			err = h.Validate(ctx, path, r.Validate)
		}
		if err != nil {
			return "", err
		}
	}
	if r.Backup {
		if backup, err = h.Backup(d.target); err != nil {
			return "", err
		}
	}
	return backup, d.Commit(r)
}

// Validate runs command with the path in place of %s and fails unless it exits with 0.
func (h *Host) Validate(ctx context.Context, path, command string) error {
	if command == "" {
		return nil
	}
	if !strings.Contains(command, "%s") {
		return Failf("validate must contain %%s: %s", command)
	}
	argv, err := SplitWords(command)
	if err != nil {
		return Failf("validate: %v: %s", err, command)
	}
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "%s", path)
	}
	r, err := h.Run(ctx, Command{Argv: argv})
	if err != nil {
		return Failf("failed to validate: %v", err)
	}
	if r.RC != 0 {
		return &ValidationError{RC: r.RC, Stdout: string(r.Stdout), Stderr: string(r.Stderr)}
	}
	return nil
}

// ValidationError says that the command which checks a new file refused it.
type ValidationError struct {
	RC             int
	Stdout, Stderr string
}

func (e *ValidationError) Error() string {
	return fmt.Sprintf("failed to validate: rc:%d error:%s", e.RC, e.Stderr)
}

// Backup copies path beside itself, with mode, owner and times, and returns the copy's
// name; "" when there is nothing to copy. It never overwrites an earlier copy. In check
// mode it does nothing.
func (h *Host) Backup(path string) (string, error) {
	if h.Check {
		return "", nil
	}
	from, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot back up %s: %w", path, err)
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return "", err
	}
	stamp := time.Now().Format("2006-01-02@15:04:05~")
	var to *os.File
	var name string
	for n := os.Getpid(); ; n++ { // two backups of one file within a second
		name = fmt.Sprintf("%s.%d.%s", path, n, stamp)
		to, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil {
		err = copyPreserved(to, from, info)
	}
	if err != nil {
		if to != nil {
			_ = os.Remove(name)
		}
		return "", fmt.Errorf("cannot back up %s: %w", path, cause(err))
	}
	return name, nil
}

func copyPreserved(to, from *os.File, info fs.FileInfo) error {
	_, err := io.Copy(to, from)
	s := stateOf(info)
	if own, e := to.Stat(); e == nil && (stateOf(own).uid != s.uid || stateOf(own).gid != s.gid) {
		_ = to.Chown(s.uid, s.gid) // an ordinary user cannot; Ansible goes on as well
	}
	err = errors.Join(err, to.Chmod(info.Mode()), to.Sync(), to.Close())
	if err == nil {
		err = os.Chtimes(to.Name(), time.Now(), info.ModTime())
	}
	return err
}
