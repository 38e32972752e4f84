package archives

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/engine/value"
	"fettle/modules"
	"fettle/modules/moduletest"
)

type entry struct {
	name, content, link string
	mode                int64
	kind                byte
}

var stamp = time.Date(2024, 5, 6, 7, 8, 10, 0, time.UTC)

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Typeflag: e.kind, Linkname: e.link, ModTime: stamp,
			Uid: os.Geteuid(), Gid: os.Getegid()}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(e.content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func zipOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Modified: stamp, Method: zip.Deflate}
		h.SetMode(os.FileMode(e.mode))
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte(e.content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// answer is what a call gave.
type answer map[string]any

func (a answer) msg() string { s, _ := a["msg"].(string); return s }

func call(t *testing.T, h *modules.Host, module string, args ...value.Value) answer {
	t.Helper()
	var a answer
	out := modules.Call(t.Context(), h, "ansible.builtin."+module, value.DictOf(args...), false)
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return a
}

func offering(name string, content []byte) *modules.Host {
	return &modules.Host{Sources: map[string]modules.Source{name: moduletest.Offer(name, string(content), "0644")}}
}

var plainEntries = []entry{
	{name: "top/", mode: 0o755, kind: tar.TypeDir}, {name: "top/a", content: "1\n", mode: 0o640, kind: tar.TypeReg},
	{name: "top/sub/b", content: "22\n", mode: 0o755, kind: tar.TypeReg}, {name: "top/l", link: "a", mode: 0o777, kind: tar.TypeSymlink},
	{name: "top/h", link: "top/a", mode: 0o640, kind: tar.TypeLink},
}

func TestUnarchive(t *testing.T) {
	plain := tarOf(t, plainEntries...)
	whole := "d 0755 \"top\"\nd 0755 \"top/sub\"\nf 0640 \"top/a\" \"1\\n\"\nf 0755 \"top/sub/b\" \"22\\n\"\nh \"top/h\" = \"top/a\"\nl \"top/l\" -> \"a\"\n"
	for _, tt := range []struct {
		name    string
		archive []byte
		args    []value.Value
		handler string
		tree    string
	}{
		{name: "tar", archive: plain, handler: "TarArchive", tree: whole},
		{name: "tar.gz", archive: gz(plain), handler: "TgzArchive", tree: whole},
		{name: "tar.xz", archive: packed(t, "xz", plain), handler: "TarXzArchive", tree: whole},
		{name: "tar.zst", archive: packed(t, "zstd", plain), handler: "TarZstdArchive", tree: whole},
		{name: "tar.bz2", archive: packed(t, "bzip2", plain), handler: "TarBzipArchive", tree: whole},
		{name: "strip", archive: gz(plain), args: []value.Value{"extra_opts", value.NewList("--strip-components=1"), "include", value.NewList("top/a")},
			handler: "TgzArchive", tree: "f 0640 \"a\" \"1\\n\"\n"},
		{name: "exclude", archive: gz(plain), args: []value.Value{"exclude", value.NewList("top/sub", "top/[lh]")},
			handler: "TgzArchive", tree: "d 0755 \"top\"\nf 0640 \"top/a\" \"1\\n\"\n"},
		{name: "mode", archive: gz(plain), args: []value.Value{"mode", "u=rwX,go=", "include", value.NewList("top/sub/*")},
			handler: "TgzArchive", tree: "d 0755 \"top\"\nd 0755 \"top/sub\"\nf 0700 \"top/sub/b\" \"22\\n\"\n"},
		{name: "zip", archive: zipOf(t, entry{name: "z/a", content: "zz\n", mode: 0o750}), handler: "ZipArchive",
			tree: "d 0755 \"z\"\nf 0750 \"z/a\" \"zz\\n\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.archive == nil {
				t.Skip("the program that packs it is not here")
			}
			dir := t.TempDir()
			args := append([]value.Value{"src", "x", "dest", dir}, tt.args...)
			h := offering("src", tt.archive)
			h.Check = true
			if a := call(t, h, "unarchive", args...); a["changed"] != true || a["failed"] == true {
				t.Fatalf("check mode: %v", a)
			}
			if got, _ := moduletest.ReadTree(dir); len(got) > 0 {
				t.Fatalf("check mode wrote %s", got)
			}
			a := call(t, offering("src", tt.archive), "unarchive", args...)
			if a["changed"] != true || a["handler"] != tt.handler || a["failed"] == true {
				t.Fatalf("for real: %v", a)
			}
			tree, err := moduletest.ReadTree(dir)
			if err != nil || tree.String() != tt.tree {
				t.Errorf("got\n%s want\n%s %v", tree, tt.tree, err)
			}
			if a := call(t, offering("src", tt.archive), "unarchive", args...); a["changed"] != false || a["failed"] == true {
				t.Errorf("again: %v", a)
			}
		})
	}
}

func packed(t *testing.T, program string, b []byte) []byte {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		return nil
	}
	cmd := exec.Command(program, "-c")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An archive from anywhere cannot write outside of dest.
func TestUnarchiveStaysInside(t *testing.T) {
	for name, entries := range map[string][]entry{
		"dots":          {{name: "../evil", content: "x", mode: 0o644, kind: tar.TypeReg}},
		"dots inside":   {{name: "a/../../evil", content: "x", mode: 0o644, kind: tar.TypeReg}},
		"absolute":      {{name: "/tmp/fettle-evil", content: "x", mode: 0o644, kind: tar.TypeReg}},
		"through link":  {{name: "l", link: "..", mode: 0o777, kind: tar.TypeSymlink}, {name: "l/evil", content: "x", mode: 0o644, kind: tar.TypeReg}},
		"absolute link": {{name: "l", link: "/tmp", mode: 0o777, kind: tar.TypeSymlink}, {name: "l/evil", content: "x", mode: 0o644, kind: tar.TypeReg}},
		"hard link":     {{name: "h", link: "../secret", mode: 0o644, kind: tar.TypeLink}},
		"device":        {{name: "d", mode: 0o644, kind: tar.TypeChar}},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dest := filepath.Join(top, "dest")
			_ = os.Mkdir(dest, 0o755)
			_ = os.WriteFile(filepath.Join(top, "secret"), []byte("s"), 0o600)
			a := call(t, offering("src", tarOf(t, entries...)), "unarchive", "src", "x", "dest", dest)
			if a["failed"] != true {
				t.Errorf("not refused: %v", a)
			}
			for _, p := range []string{filepath.Join(top, "evil"), "/tmp/fettle-evil", "/tmp/evil"} {
				if modules.Exists(p) {
					t.Errorf("%s was written", p)
				}
			}
		})
	}
}

func TestUnarchiveRefuses(t *testing.T) {
	dir := t.TempDir()
	good := gz(tarOf(t, plainEntries...))
	for _, tt := range []struct {
		name    string
		archive []byte
		args    []value.Value
		msg     string
	}{
		{"no directory", good, []value.Value{"dest", dir + "/none"}, "must be an existing dir"},
		{"no archive", []byte("this is no archive"), []value.Value{"dest", dir}, "Failed to find handler"},
		{"cut", good[:len(good)/2], []value.Value{"dest", dir}, "unexpected EOF"},
		{"option", good, []value.Value{"dest", dir, "extra_opts", value.NewList("--to-command=sh")}, `"--to-command=sh" is not supported`},
		{"source", nil, []value.Value{"dest", dir, "remote_src", true}, "does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := offering("src", tt.archive)
			if tt.archive == nil {
				h = &modules.Host{}
			}
			a := call(t, h, "unarchive", append([]value.Value{"src", "x"}, tt.args...)...)
			if a["failed"] != true || !strings.Contains(a.msg(), tt.msg) {
				t.Errorf("%v, want %q", a, tt.msg)
			}
		})
	}
	if a := call(t, offering("src", good), "unarchive", "src", "x", "dest", dir, "creates", dir); a["changed"] != false || a.msg() != "skipped, since "+dir+" exists" {
		t.Errorf("creates: %v", a)
	}
}
