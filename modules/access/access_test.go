package access

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

func TestACL(t *testing.T) {
	for _, p := range []string{"getfacl", "setfacl"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("setfacl", "-m", "user:65534:r", file).Run(); err != nil {
		t.Skip("the file system has no access lists")
	}
	if err := exec.Command("setfacl", "-b", file).Run(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		check   bool
		args    []value.Value
		changed bool
		msg     string
		entry   string // in the list
	}{
		{"predicted", true, []value.Value{"etype", "user", "entity", "65534", "permissions", "rx", "state", "present"}, true, "user:65534:rx is present", "user::rw-"},
		{"added", false, []value.Value{"etype", "user", "entity", "65534", "permissions", "rx", "state", "present"}, true, "user:65534:rx is present", "mask::r-x"},
		{"again", false, []value.Value{"entry", "u:65534:rx", "state", "present"}, false, "user:65534:rx is present", "mask::r-x"},
		{"shown", false, nil, false, "current acl", "mask::r-x"},
		{"removed", false, []value.Value{"etype", "user", "entity", "65534", "state", "absent"}, true, "user:65534 is absent", "mask::r--"},
		{"gone", false, []value.Value{"etype", "user", "entity", "65534", "state", "absent"}, false, "user:65534 is absent", "mask::r--"},
		{"no type", false, []value.Value{"entity", "65534", "state", "present"}, false, "'etype' MUST be set when 'state=present'.", ""},
		{"short entry", false, []value.Value{"entry", "u:65534", "state", "present"}, false, "'entry' MUST have 3 or 4 sections divided by ':' when 'state=present'.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := modules.Call(context.Background(), &modules.Host{Check: c.check}, "ansible.posix.acl", value.DictOf(append(c.args, "path", file)...), false)
			var got struct {
				Changed bool
				Msg     string
				ACL     []string
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if got.Changed != c.changed || got.Msg != c.msg || c.entry != "" && !slices.Contains(got.ACL, c.entry) {
				t.Errorf("got %s", out)
			}
		})
	}
}

func TestACLEntry(t *testing.T) {
	for entry, want := range map[string]aclArgs{
		"default:group:ops:rwx": {EType: "group", Entity: "ops", Permissions: "rwx", Default: true},
		"u:joe:r":               {EType: "user", Entity: "joe", Permissions: "r"},
		"mask::rx":              {EType: "mask", Permissions: "rx"},
		"g:ops":                 {EType: "group", Entity: "ops"},
	} {
		a := aclArgs{Entry: entry}
		a.split()
		if want.Entry = entry; a != want {
			t.Errorf("%s: %+v", entry, a)
		}
	}
}
