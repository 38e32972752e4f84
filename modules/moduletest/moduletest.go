// Package moduletest runs module fixtures: txtar files that say which arguments a module
// gets, which files are there before, what it answers and which files are there after.
//
// Each fixture runs in check mode (the answer is predicted, nothing is touched), for real,
// and again (nothing left to do). The sections of a fixture are
//
//	args.json     the arguments
//	sources.json  optional: content the controller offers, [{"name", "content", "mode"}]
//	before        the tree, one entry a line (see Tree)
//	before/PATH   content of a file of the tree that is not given in its line
//	result.json   the answer; check.json and again.json where those differ from it
//	              (again.json is required: a second run rarely answers the same)
//	after         the tree afterwards, and after/PATH
//	again         optional: the tree after the second run, and again/PATH
//
// The comment before the first section describes the case; a line "needs: root" or
// "needs: PROGRAM" skips it where that is missing, a line "more: diff" allows a diff where
// the answer that was recorded from Ansible has none. In answers $ROOT stands for the
// directory of the tree, $USER, $GROUP, $UID and $GID for the one who runs the test, $ANY
// for any value, and BACKUP for the part of a backup's name that changes.
package moduletest

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"fettle/engine/value"
	"fettle/modules"
)

func init() { syscall.Umask(0o022) } // what the fixtures were recorded with

// Run runs all fixtures below dir, which has a folder for each module, named by its full
// name or, for ansible.builtin, its last part.
func Run(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s (%v)", dir, err)
	}
	for _, file := range files {
		module := filepath.Base(filepath.Dir(file))
		name := module + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
		if !strings.Contains(module, ".") {
			module = "ansible.builtin." + module
		}
		t.Run(name, func(t *testing.T) {
			f, err := parse(file)
			if err != nil {
				t.Fatal(err)
			}
			f.module = module
			f.run(t)
		})
	}
}

type fixture struct {
	module   string
	comment  string
	sections map[string]string
	sources  []source
}

type source struct {
	Name    string `json:"name"`
	Content string `json:"content"`
	Mode    string `json:"mode"`
}

func parse(file string) (*fixture, error) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	f := &fixture{comment: string(a.Comment), sections: map[string]string{}}
	for _, s := range a.Files {
		f.sections[s.Name] = string(s.Data)
	}
	if text := f.sections["sources.json"]; text != "" {
		err = json.Unmarshal([]byte(text), &f.sources)
	}
	return f, err
}

func (f *fixture) run(t *testing.T) {
	f.needs(t)
	root := t.TempDir()
	if err := f.tree("before").Build(root); err != nil {
		t.Fatal(err)
	}
	before := f.tree("before").String()
	check := f.section("check.json", "result.json")
	f.compare(t, "in check mode", check, f.call(t, root, true), root)
	f.compareTree(t, "in check mode", before, root)
	f.compare(t, "for real", f.section("result.json"), f.call(t, root, false), root)
	f.compareTree(t, "for real", f.tree("after").String(), root)
	f.compare(t, "again", f.section("again.json"), f.call(t, root, false), root)
	after := "after"
	if _, ok := f.sections["again"]; ok {
		after = "again"
	}
	f.compareTree(t, "again", f.tree(after).String(), root)
}

func (f *fixture) needs(t *testing.T) {
	for line := range strings.Lines(f.comment) {
		what, ok := strings.CutPrefix(strings.TrimSpace(line), "needs: ")
		switch {
		case !ok:
		case what == "root":
			if os.Geteuid() != 0 {
				t.Skip("needs root")
			}
		default:
			if _, err := exec.LookPath(what); err != nil {
				t.Skipf("needs %s: %v", what, err)
			}
		}
	}
}

// section is the first of the named sections that is there.
func (f *fixture) section(names ...string) string {
	for _, n := range names {
		if s, ok := f.sections[n]; ok {
			return s
		}
	}
	return "{}"
}

func (f *fixture) tree(name string) Tree {
	tr, err := parseTree(f.sections[name], func(path string) (string, bool) {
		s, ok := f.sections[name+"/"+path]
		return s, ok
	})
	if err != nil {
		panic(err)
	}
	return tr
}

func (f *fixture) call(t *testing.T, root string, check bool) []byte {
	t.Helper()
	text := strings.ReplaceAll(f.sections["args.json"], "$ROOT", root)
	v, err := value.FromJSON([]byte(text))
	args, ok := v.(*value.Dict)
	if err != nil || !ok {
		t.Fatalf("args.json: %v", err)
	}
	h := &modules.Host{Check: check, Diff: true, Sources: map[string]modules.Source{}}
	for _, s := range f.sources {
		h.Sources[s.Name] = Offer(s.Name, s.Content, s.Mode)
	}
	sent := map[string]string{}
	h.Send = func(_ context.Context, name string, r io.Reader) error {
		b, err := io.ReadAll(r)
		sent[name] = string(b)
		return err
	}
	out := modules.Call(t.Context(), h, f.module, args, false)
	for name, content := range sent {
		if want, ok := f.sections["sent/"+name]; ok && want != content {
			t.Errorf("sent %q, want %q", content, want)
		}
	}
	return out
}

// Offer is content as the controller offers it.
func Offer(name, content, mode string) modules.Source {
	sum := sha1.Sum([]byte(content))
	bits, _ := strconv.ParseUint(mode, 8, 32)
	return modules.Source{Name: name, Size: int64(len(content)), SHA1: hex.EncodeToString(sum[:]), Mode: uint32(bits),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

var backupName = regexp.MustCompile(`\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~`)

func (f *fixture) compare(t *testing.T, when, want string, got []byte, root string) {
	t.Helper()
	if d := difference(f, want, got, root); d != "" {
		t.Errorf("%s: the answer differs (-want +got):\n%s", when, d)
	}
}

// difference compares an answer with the one that is wanted.
func difference(f *fixture, want string, got []byte, root string) string {
	w, err := decode(expand(want, root))
	if err != nil {
		return fmt.Sprintf("fixture: %v", err)
	}
	g, err := decode(backupName.ReplaceAllString(string(got), ".BACKUP~"))
	if err != nil {
		return fmt.Sprintf("answer: %v: %s", err, got)
	}
	if w["state"] == "link" && w["size"] != nil {
		w["size"] = "$ANY" // depends on where the tree is
	}
	if one, ok := g["diff"].(map[string]any); ok {
		g["diff"] = []any{one}
	}
	if _, ok := w["diff"]; !ok && strings.Contains(f.comment, "more: diff") {
		delete(g, "diff")
	}
	sortFiles(w)
	sortFiles(g)
	for k, v := range w {
		if _, ok := g[k]; v == nil && !ok {
			delete(w, k) // null and left out are the same to a playbook's default()
		}
	}
	delete(w, "details") // ours are part of the message
	forgive(w, g)
	if m, _ := w["msg"].(string); w["failed"] == true && strings.HasPrefix(str(g["msg"]), messageStart(m)) {
		w["msg"] = g["msg"] // more detail is welcome
		for _, k := range []string{"path", "checksum"} {
			if _, ok := w[k]; !ok {
				delete(g, k)
			}
		}
	}
	return cmp.Diff(w, g)
}

func expand(s, root string) string {
	uid, gid := strconv.Itoa(os.Geteuid()), strconv.Itoa(os.Getegid())
	h := &modules.Host{}
	user, group := h.UserName(context.Background(), os.Geteuid()), h.GroupName(context.Background(), os.Getegid())
	return strings.NewReplacer("$ROOT", root, `"$UID"`, uid, `"$GID"`, gid, "$USER", user, "$GROUP", group).Replace(s)
}

func decode(s string) (map[string]any, error) {
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	dec.UseNumber()
	err := dec.Decode(&m)
	return m, err
}

// forgive lets $ANY match.
func forgive(want, got map[string]any) {
	for k, v := range want {
		g, ok := got[k]
		if !ok {
			continue
		}
		if v == "$ANY" {
			want[k] = g
		}
		wm, ok1 := v.(map[string]any)
		gm, ok2 := g.(map[string]any)
		if ok1 && ok2 {
			forgive(wm, gm)
		}
		wl, ok1 := v.([]any)
		gl, ok2 := g.([]any)
		for i := range wl {
			if i < len(gl) && ok1 && ok2 {
				wm, ok1 := wl[i].(map[string]any)
				gm, ok2 := gl[i].(map[string]any)
				if ok1 && ok2 {
					forgive(wm, gm)
				}
			}
		}
	}
}

// sortFiles puts the files that find lists, in no order of their own, in order.
func sortFiles(m map[string]any) {
	list, _ := m["files"].([]any)
	path := func(v any) string {
		f, _ := v.(map[string]any)
		return str(f["path"])
	}
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(path(a), path(b)) })
}

// messageStart is an error message without what Python's exceptions add to it.
func messageStart(m string) string {
	m, _, _ = strings.Cut(m, "[Errno ")
	return strings.TrimRight(m, ".: ")
}

func str(v any) string { s, _ := v.(string); return s }

func (f *fixture) compareTree(t *testing.T, when, want, root string) {
	t.Helper()
	got, err := ReadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("%s: the files differ (-want +got):\n%s", when, d)
	}
}
