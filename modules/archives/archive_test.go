package archives

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
	"fettle/modules/moduletest"
)

func callArchive(t *testing.T, h *modules.Host, args ...value.Value) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(modules.Call(t.Context(), h, "community.general.archive", value.DictOf(args...), false), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func archiveTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"s", "s/sub"} {
		_ = os.Mkdir(filepath.Join(dir, d), 0o755)
	}
	for name, text := range map[string]string{"s/a": "one\n", "s/sub/b": "two\n", "s/x.log": "log\n", "lone": "x\n", "lone2": "y\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Symlink("a", filepath.Join(dir, "s/l"))
	return dir
}

// What archive packs, unarchive unpacks to the same tree.
func TestArchiveRoundTrip(t *testing.T) {
	for _, format := range []string{"tar", "gz", "bz2", "xz", "zstd", "zip"} {
		t.Run(format, func(t *testing.T) {
			if p := compressors[format]; p != "" {
				if _, err := exec.LookPath(p); err != nil {
					t.Skip(err)
				}
			}
			dir := archiveTree(t)
			dest := filepath.Join(dir, "out")
			args := []value.Value{"path", dir + "/s", "dest", dest, "format", format, "exclusion_patterns", "*.log"}
			if a := callArchive(t, &modules.Host{Check: true}, args...); a["changed"] != true || a["dest_state"] != "absent" || modules.Exists(dest) {
				t.Fatalf("check mode: %v", a)
			}
			a := callArchive(t, &modules.Host{}, args...)
			if a["changed"] != true || a["dest_state"] != "archive" || a["arcroot"] != dir+"/" || a["state"] != "file" {
				t.Fatalf("for real: %v", a)
			}
			if a := callArchive(t, &modules.Host{}, args...); a["changed"] != false || a["failed"] == true {
				t.Errorf("again: %v", a)
			}
			into := t.TempDir()
			if a := call(t, &modules.Host{}, "unarchive", "src", dest, "dest", into, "remote_src", true); a["failed"] == true {
				t.Fatal(a)
			}
			tree, _ := moduletest.ReadTree(into)
			link := `l "s/l" -> "a"`
			if format == "zip" {
				link = `f 0640 "s/l" "one\n"`
			}
			for _, want := range []string{`d 0755 "s/sub"`, `f 0640 "s/a" "one\n"`, `f 0640 "s/sub/b" "two\n"`, link} {
				if !strings.Contains(tree.String(), want+"\n") {
					t.Errorf("no %s in\n%s", want, tree)
				}
			}
			if strings.Contains(tree.String(), "x.log") {
				t.Error("x.log was packed")
			}
			if err := os.WriteFile(filepath.Join(dir, "s/a"), []byte("new\n"), 0o640); err != nil {
				t.Fatal(err)
			}
			if a := callArchive(t, &modules.Host{Check: true}, args...); a["changed"] != true {
				t.Errorf("after a change: %v", a)
			}
		})
	}
}

func TestArchive(t *testing.T) {
	for _, tt := range []struct {
		name  string
		args  []value.Value
		want  answer
		again bool // changed again
	}{
		{"single file", []value.Value{"path", "$D/lone"}, answer{"changed": true, "dest": "$D/lone.gz", "dest_state": "compress", "archived": []any{"$D/lone"}}, false},
		{"forced", []value.Value{"path", "$D/lone", "dest", "$D/o", "force_archive", true}, answer{"changed": true, "dest_state": "archive"}, false},
		{"pattern", []value.Value{"path", "$D/lone*", "dest", "$D/o"}, answer{"changed": true, "expanded_paths": []any{"$D/lone", "$D/lone2"}, "archived": []any{"$D/lone", "$D/lone2"}}, false},
		{"missing", []value.Value{"path", value.NewList("$D/none", "$D/lone"), "dest", "$D/o"}, answer{"changed": true, "missing": []any{"$D/none"}, "dest_state": "incomplete"}, false},
		{"all missing", []value.Value{"path", value.NewList("$D/none"), "dest", "$D/o"}, answer{"changed": false, "missing": []any{"$D/none"}, "dest_state": "absent"}, false},
		{"no dest", []value.Value{"path", "$D/s/"}, answer{"failed": true, "msg": `Error, must specify "dest" when archiving multiple files or trees`}, false},
		{"excluded path", []value.Value{"path", value.NewList("$D/s", "$D/lone"), "exclude_path", value.NewList("$D/s"), "dest", "$D/o"}, answer{"changed": true, "archived": []any{"$D/lone"}}, false},
		{"dest inside", []value.Value{"path", "$D/s", "dest", "$D/s/o", "remove", true}, answer{"failed": true}, false},
		{"mode", []value.Value{"path", "$D/lone", "mode", "0600"}, answer{"changed": true, "mode": "0600"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := archiveTree(t)
			var args []value.Value
			for _, v := range tt.args {
				switch x := v.(type) {
				case string:
					v = strings.ReplaceAll(x, "$D", dir)
				case *value.List:
					l := value.NewList()
					for _, e := range x.V {
						l.V = append(l.V, strings.ReplaceAll(e.(string), "$D", dir))
					}
					v = l
				}
				args = append(args, v)
			}
			got := callArchive(t, &modules.Host{}, args...)
			for k, want := range tt.want {
				b, _ := json.Marshal(want)
				var w any
				_ = json.Unmarshal([]byte(strings.ReplaceAll(string(b), "$D", dir)), &w)
				if !reflect.DeepEqual(got[k], w) {
					t.Errorf("%s: %v, want %v", k, got[k], w)
				}
			}
			if again := callArchive(t, &modules.Host{}, args...); again["changed"] == true {
				t.Errorf("again: %v", again)
			}
		})
	}
}

func TestArchiveRemove(t *testing.T) {
	dir := archiveTree(t)
	args := []value.Value{"path", dir + "/s", "dest", dir + "/o", "remove", true}
	if a := callArchive(t, &modules.Host{Check: true}, args...); a["changed"] != true || !modules.Exists(dir+"/s") {
		t.Fatalf("check mode: %v", a)
	}
	if a := callArchive(t, &modules.Host{}, args...); a["changed"] != true || modules.Exists(dir+"/s") || !modules.Exists(dir+"/o") {
		t.Errorf("%v", a)
	}
	if a := callArchive(t, &modules.Host{}, args...); a["changed"] != false || a["failed"] == true || !modules.Exists(dir+"/o") {
		t.Errorf("again: %v", a)
	}
}
