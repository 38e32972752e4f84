package files

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/engine/value"
	"fettle/modules"
	"fettle/modules/moduletest"
)

func TestFixtures(t *testing.T) { moduletest.Run(t, "testdata") }

func TestImmutable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("setting flags needs root")
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if a := call(t, &modules.Host{}, "file", "path", path, "attributes", "+i"); a["failed"] == true {
		t.Skipf("no flags on this file system: %v", a)
	}
	t.Cleanup(func() { _ = call(t, &modules.Host{}, "file", "path", path, "attributes", "-i") })
	if a := call(t, &modules.Host{}, "file", "path", path, "attributes", "+i"); a["changed"] != false {
		t.Errorf("again: %v", a)
	}
	a := call(t, offering("src", []byte("new\n")), "copy", "dest", path)
	if a["failed"] != true || !strings.Contains(a.msg(), "immutable") {
		t.Errorf("copy: %v", a)
	}
	if b, _ := os.ReadFile(path); string(b) != "old\n" {
		t.Errorf("content %q", b)
	}
	if a := call(t, &modules.Host{}, "stat", "path", path, "get_mime", false); !strings.Contains(a["stat"].(map[string]any)["attr_flags"].(string), "i") {
		t.Errorf("stat: %v", a)
	}
	if a := call(t, &modules.Host{}, "file", "path", path, "attributes", "-i"); a["changed"] != true {
		t.Errorf("removing the flag: %v", a)
	}
}

// Content that breaks off, or is not what was announced, leaves the old file.
func TestCopyBrokenSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	src := moduletest.Offer("src", "new\n", "0644")
	src.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("ne")), nil }
	a := call(t, &modules.Host{Sources: map[string]modules.Source{"src": src}}, "copy", "dest", path)
	if a["failed"] != true || a["changed"] != false || !strings.Contains(a.msg(), "announced") {
		t.Errorf("%v", a)
	}
	if b, _ := os.ReadFile(path); string(b) != "old\n" {
		t.Errorf("content %q", b)
	}
}

func TestFetch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("data\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte("data\n"))
	have := hex.EncodeToString(sum[:])
	var got string
	h := &modules.Host{Send: func(_ context.Context, name string, r io.Reader) error {
		b, err := io.ReadAll(r)
		got = name + ":" + string(b)
		return err
	}}
	if a := call(t, h, "fetch", "src", path, "dest", "x"); a["changed"] != true || a["checksum"] != have || got != "content:data\n" {
		t.Errorf("%v, sent %q", a, got)
	}
	got = ""
	if a := call(t, h, "fetch", "src", path, "dest", "x", "_have_sha1", have); a["changed"] != false || got != "" {
		t.Errorf("%v, sent %q", a, got)
	}
	if a := call(t, h, "fetch", "src", path+"x", "dest", "x"); a["failed"] != true || a.msg() != "the remote file does not exist, not transferring, ignored" {
		t.Errorf("missing: %v", a)
	}
	if a := call(t, h, "fetch", "src", path+"x", "dest", "x", "fail_on_missing", false); a["failed"] == true || a.msg() != "the remote file does not exist, not transferring, ignored" {
		t.Errorf("missing allowed: %v", a)
	}
}

func TestTempfile(t *testing.T) {
	dir := t.TempDir()
	for _, state := range []string{"file", "directory"} {
		a := call(t, &modules.Host{}, "tempfile", "path", dir, "prefix", "p.", "suffix", ".s", "state", state)
		name := filepath.Base(a["path"].(string))
		if a["changed"] != true || a["state"] != state || !strings.HasPrefix(name, "p.") || !strings.HasSuffix(name, ".s") {
			t.Errorf("%v", a)
		}
		if want := map[string]string{"file": "0600", "directory": "0700"}[state]; a["mode"] != want {
			t.Errorf("mode %v, want %s", a["mode"], want)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, tt := range []struct{ text, format, want string }{
		{"202001020304.05", "%Y%m%d%H%M.%S", "2020-01-02 03:04:05"},
		{"2020-060", "%Y-%j", "2020-02-29 00:00:00"},
		{"99/12/31", "%y/%m/%d", "1999-12-31 00:00:00"},
		{"20200231", "%Y%m%d", ""},
		{"2020", "%Y%m", ""},
		{"2020x", "%Y", ""},
		{"Jan", "%b", ""},
	} {
		got, err := parseTime(tt.text, tt.format)
		if s := got.Format(time.DateTime); tt.want != "" && (err != nil || s != tt.want) || tt.want == "" && err == nil {
			t.Errorf("%s as %s: %s, %v", tt.text, tt.format, s, err)
		}
	}
}

func TestShellPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.log", "a.log", true}, {"*.log", "a.logx", false}, {"a?c", "abc", true}, {"[ab]*", "bx", true}, {"[!ab]*", "bx", false},
		{"[]]", "]", true}, {"[a", "[a", true}, {"a.b", "axb", false}, {"ä*", "äx", true}, {"*", "x\ny", true}, {"[^a]", "^", true},
	} {
		re, err := modules.NamePatterns("p", []string{tt.pattern}, false)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		m, err := re[0].Match(tt.name)
		if err != nil || (m != nil) != tt.want {
			t.Errorf("%s on %q: %v, %v", tt.pattern, tt.name, m != nil, err)
		}
	}
}

func TestKnownHosts(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHQpSdC9aSAGyz+4ihWfJbcjdqIfrpgJbHTcYEZVhnv"
	path := filepath.Join(t.TempDir(), "sub", "known_hosts")
	args := func(more ...value.Value) []value.Value {
		return append([]value.Value{"name", "h1", "path", path}, more...)
	}
	hashed := args("key", "h1 "+key, "hash_host", true)
	if a := call(t, &modules.Host{}, "known_hosts", hashed...); a["changed"] != true {
		t.Fatal(a)
	}
	if b, _ := os.ReadFile(path); !strings.HasPrefix(string(b), "|1|") || strings.Contains(string(b), "h1") {
		t.Errorf("not hashed: %s", b)
	}
	if a := call(t, &modules.Host{}, "known_hosts", hashed...); a["changed"] != false {
		t.Errorf("again: %v", a)
	}
	if a := call(t, &modules.Host{}, "known_hosts", args("state", "absent")...); a["changed"] != true {
		t.Errorf("absent: %v", a)
	}
	if b, _ := os.ReadFile(path); len(b) != 0 {
		t.Errorf("left %s", b)
	}
}

// find compares sizes of all kinds but directories and links asked for by themselves.
func TestFindAnySize(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"small": "x", "large": "0123456789"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"any", "file"} {
		if r := call(t, &modules.Host{}, "find", "paths", dir, "size", "-5", "file_type", kind); r["matched"] != 1.0 {
			t.Errorf("%s: %v", kind, r)
		}
	}
}
