package factcache

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/engine/value"
)

func facts() *value.Dict {
	return value.DictOf("ansible_distribution", "Debian", "ansible_nested", value.DictOf("a", value.NewList(int64(1), 2.5, nil, true, "{{ x }}\nü")), "number", "007")
}

func text(t *testing.T, v value.Value) string {
	t.Helper()
	b, err := value.ToJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	for _, plugin := range []string{"jsonfile", "community.general.yaml"} {
		t.Run(plugin, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			now := time.Now()
			open := func(timeout time.Duration) *Files {
				f, err := Open(Options{Plugin: plugin, Folder: dir, Prefix: "p_", Timeout: timeout, Now: func() time.Time { return now }})
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			f := open(time.Hour)
			if got, err := f.Get("h1"); got != nil || err != nil {
				t.Fatalf("before anything was kept: %v %v", got, err)
			}
			in := facts()
			in.SetString("password", &value.Secret{V: "canary-1"})
			in.SetString("inside", value.NewList(&value.Secret{V: "canary-2"}))
			if err := f.Put("h1", in); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(dir, "p_s1_h1"))
			if err != nil || strings.Contains(string(raw), "canary") {
				t.Fatalf("%v %s", err, raw)
			}
			if info, _ := os.Stat(filepath.Join(dir, "p_s1_h1")); info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			got, err := f.Get("h1")
			if err != nil || text(t, got) != text(t, facts()) {
				t.Fatalf("%v\ngot  %s\nwant %s", err, text(t, got), text(t, facts()))
			}
			now = now.Add(2 * time.Hour)
			if got, err := f.Get("h1"); got != nil || err != nil {
				t.Errorf("old facts: %v %v", got, err)
			}
			if got, _ := open(0).Get("h1"); got == nil {
				t.Error("without a time-out facts stay")
			}
			if err := f.Drop("h1"); err != nil {
				t.Fatal(err)
			}
			if err := f.Drop("h1"); err != nil {
				t.Errorf("again: %v", err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			for _, evil := range []string{"../h", "a/b", "x\x00"} {
				if err := f.Put(evil, facts()); err == nil {
					t.Errorf("%q was written", evil)
				}
			}
		})
	}
}

// What ansible-core 2.19 and 2.14 write is read.
func TestReadAnsible(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(Options{Plugin: "jsonfile", Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, want, err string }{
		"2.19":    {`{"__payload__": "{\"a\": {\"__ansible_type\": \"_AnsibleTaggedStr\", \"value\": \"x\", \"tags\": []}, \"b\": [1]}"}`, `{"a":"x","b":[1]}`, ""},
		"2.14":    {`{"a": "x"}`, `{"a":"x"}`, ""},
		"garbage": {`{"a": `, "", "s1_garbage"},
		"a list":  {`[1]`, "", "holds no mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "s1_"+name), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := f.Get(name)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatal(err)
				}
				return
			}
			if err != nil || text(t, got) != tt.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, text(t, got), tt.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	for _, name := range []string{"", "memory", "ansible.builtin.memory"} {
		if f, err := Open(Options{Plugin: name}); f != nil || err != nil {
			t.Errorf("%s: %v %v", name, f, err)
		}
	}
	for _, o := range []Options{{Plugin: "redis", Folder: t.TempDir()}, {Plugin: "jsonfile"}, {Plugin: "yaml", Folder: "/proc/nowhere"}} {
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was opened", o)
		}
	}
}
