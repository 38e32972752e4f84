package modules

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"fettle/engine/value"
)

func TestParseMode(t *testing.T) {
	umask := Umask()
	for _, tt := range []struct {
		mode    value.Value
		current uint32
		dir     bool
		want    uint32
		err     string
	}{
		{mode: "0644", want: 0o644}, {mode: "644", want: 0o644}, {mode: "0o750", want: 0o750}, {mode: int64(420), want: 0o644},
		{mode: int64(644), want: 0o1204}, {mode: "1777", want: 0o1777}, {mode: "02775", want: 0o2775}, {mode: "0100644", want: 0o644},
		{mode: "u=rw,g=r,o=", current: 0o777, want: 0o640}, {mode: "a+x", current: 0o644, want: 0o755}, {mode: "a-x", current: 0o755, want: 0o644},
		{mode: "u=rwX,go=rX", current: 0o600, want: 0o644}, {mode: "u=rwX,go=rX", current: 0o700, want: 0o755},
		{mode: "u=rwX,go=rX", current: 0o600, dir: true, want: 0o755}, {mode: "g=u", current: 0o740, want: 0o770},
		{mode: "o=g", current: 0o750, want: 0o755}, {mode: "u+s,g+s", current: 0o755, want: 0o6755}, {mode: "+t", current: 0o777, want: 0o1777},
		{mode: "u=rwx,u-w", current: 0, want: 0o500}, {mode: "u+r-w", current: 0o200, want: 0o400}, {mode: "=", current: 0o777, want: 0},
		{mode: "u=rwxs", current: 0, want: 0o4700}, {mode: "u=rwx", current: 0o4755, want: 0o755}, {mode: "+w", current: 0o444, want: 0o444 | 0o222&^umask},
		{mode: "u=rz", err: "bad symbolic permission"}, {mode: "x", err: "bad symbolic permission"}, {mode: "0888", err: "octal or symbolic"},
		{mode: "k+r", err: "bad symbolic permission"}, {mode: "", err: "octal or symbolic"}, {mode: 1.5, err: "octal or symbolic"},
		{mode: int64(-1), err: "Invalid mode"}, {mode: int64(1 << 20), err: "Invalid mode"},
	} {
		got, err := ParseMode(tt.mode, tt.current, tt.dir)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: %v, want error %q", tt.mode, err, tt.err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%v on %04o: %04o, %v; want %04o", tt.mode, tt.current, got, err, tt.want)
		}
	}
}

// Backups never overwrite one another, and keep the mode.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	h := &Host{}
	if name, err := h.Backup(path); name != "" || err != nil {
		t.Errorf("of nothing: %q, %v", name, err)
	}
	seen := map[string]bool{}
	for _, text := range []string{"one", "two", "three"} {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		name, err := h.Backup(path)
		if err != nil || seen[name] || !strings.HasPrefix(name, path+".") || !strings.HasSuffix(name, "~") {
			t.Fatalf("%q, %v", name, err)
		}
		seen[name] = true
		info, _ := os.Stat(name)
		if b, _ := os.ReadFile(name); string(b) != text || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %q, %v", name, b, info.Mode())
		}
	}
	if name, err := (&Host{Check: true}).Backup(path); name != "" || err != nil {
		t.Errorf("in check mode: %q, %v", name, err)
	}
}

// A draft that is not committed leaves nothing, and nobody can read it meanwhile.
func TestDraft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	h := &Host{}
	d, err := h.NewDraft(path)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); runtime.GOOS == "linux" && len(left) > 0 {
		t.Errorf("it has a name before it needs one: %v", left)
	}
	if info, err := os.Stat(d.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("draft: %v, %v", info.Mode(), err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	_, err = h.NewDraft(filepath.Join(dir, "none", "f"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// What a killed runner has left is removed by the next that writes there; what a living one
// writes is not.
func TestStaleDraft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("drafts are named from the start here")
	}
	dir := t.TempDir()
	stale, foreign := filepath.Join(dir, ".fettle-0123456789abcdef"), filepath.Join(dir, ".fettle-notes")
	for _, f := range []string{stale, foreign} {
		if err := errors.Join(os.WriteFile(f, nil, 0o600), os.Chtimes(f, time.Now(), time.Now().Add(-time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	h := &Host{}
	living, err := h.NewDraft(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	if err := os.Chtimes(living.Path(), time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteFile(t.Context(), filepath.Join(dir, "b"), []byte("text"), Replacement{}); err != nil {
		t.Fatal(err)
	}
	if Exists(stale) || !Exists(foreign) || !Exists(living.Path()) {
		left, _ := os.ReadDir(dir)
		t.Errorf("left %v", left)
	}
}

// The same for directories.
func TestStaleTempDir(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("directories are not locked here")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	stale, others := filepath.Join(dir, ".fettle-0123456789abcdef"), filepath.Join(dir, ".fettle-0123456789abcdee")
	for path, mode := range map[string]os.FileMode{stale: 0o700, others: 0o755} {
		if err := errors.Join(os.Mkdir(path, mode), os.WriteFile(path+"/args", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	living := &Host{}
	alive, err := living.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{stale, others, alive} {
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	h := &Host{}
	if _, err := h.TempDir(); err != nil {
		t.Fatal(err)
	}
	if Exists(stale) || !Exists(others) || !Exists(alive) {
		left, _ := os.ReadDir(dir)
		t.Errorf("left %v", left)
	}
	h.cleanup()
	living.cleanup()
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

// The directory is opened once: when its name leads elsewhere at the end, the file still
// goes where it was meant to go.
func TestDraftInSwappedDirectory(t *testing.T) {
	top := t.TempDir()
	dir, trap := filepath.Join(top, "dir"), filepath.Join(top, "trap")
	for _, d := range []string{dir, trap} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h := &Host{}
	d, err := h.NewDraft(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, _ = d.Write([]byte("secret"))
	if err := errors.Join(os.Rename(dir, dir+".moved"), os.Symlink(trap, dir)); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(Replacement{}); err != nil {
		t.Fatal(err)
	}
	if Exists(filepath.Join(trap, "f")) || !Exists(filepath.Join(dir+".moved", "f")) {
		t.Error("the file followed the link")
	}
}

// A link put in the place of a file that is being changed is not followed.
func TestApplyAttrsDoesNotFollow(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "f"), filepath.Join(dir, "victim")
	for _, p := range []string{path, victim} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := &Host{}
	plan, err := h.PlanAttrs(t.Context(), path, FileArgs{Mode: "0777"})
	if err != nil || !plan.Changed {
		t.Fatalf("%+v, %v", plan, err)
	}
	if err := errors.Join(os.Remove(path), os.Symlink(victim, path)); err != nil {
		t.Fatal(err)
	}
	_ = h.ApplyAttrs(path, plan)
	if info, _ := os.Stat(victim); info.Mode().Perm() != 0o600 {
		t.Errorf("the victim has mode %v", info.Mode())
	}
}

func TestRealPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Mkdir(filepath.Join(dir, "d"), 0o755)
	_ = os.Symlink("d", filepath.Join(dir, "l"))
	_ = os.Symlink("gone/x", filepath.Join(dir, "dangling"))
	_ = os.Symlink("loop", filepath.Join(dir, "loop"))
	for from, want := range map[string]string{"l": "d", "l/new": "d/new", "dangling": "gone/x", "no/such": "no/such"} {
		if got := RealPath(filepath.Join(dir, from)); got != filepath.Join(dir, want) {
			t.Errorf("%s: %s", from, got)
		}
	}
	_ = RealPath(filepath.Join(dir, "loop")) // ends
}

func TestNames(t *testing.T) {
	h := &Host{}
	if uid, ok := h.UserID(t.Context(), "root"); !ok || uid != 0 {
		t.Errorf("root: %d %v", uid, ok)
	}
	if uid, ok := h.UserID(t.Context(), "4711"); !ok || uid != 4711 {
		t.Errorf("number: %d %v", uid, ok)
	}
	if _, ok := h.UserID(t.Context(), "no-such-user-here"); ok {
		t.Error("a user that is not there was found")
	}
	if n := h.GroupName(t.Context(), 0); n == "" {
		t.Error("group 0 has no name")
	}
}

// A FIFO that nobody writes to does not hold up a task.
func TestReadFileRefusesFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := (&Host{}).ReadFile(path); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("%v", err)
	}
}

// A new file in a directory with the setgid bit belongs to the group of the directory.
func TestDraftInSetgidDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("another group needs root")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, -1, 4); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f")
	if _, err := (&Host{}).WriteFile(t.Context(), path, []byte("x"), Replacement{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Sys().(*syscall.Stat_t).Gid != 4 {
		t.Errorf("got %+v, %v", info, err)
	}
}
