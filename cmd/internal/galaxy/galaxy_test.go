package galaxy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersions(t *testing.T) {
	order := []string{"0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1", "1.10.0", "2.0.0"}
	for i := range order[1:] {
		if compareVersions(order[i], order[i+1]) >= 0 || compareVersions(order[i+1], order[i]) <= 0 {
			t.Errorf("%s is not before %s", order[i], order[i+1])
		}
	}
	for _, c := range []struct {
		version, want string
		ok            bool
	}{
		{"1.2.3", "*", true}, {"1.2.3", "", true}, {"1.2.3", "1.2.3", true}, {"1.2.3", "==1.2.4", false}, {"1.2.3", ">=1.0.0,<2", true},
		{"2.0.0", ">=1.0.0,<2", false}, {"1.2.3", "!=1.2.3", false}, {"1.2.3", "> 1.2", true}, {"main", "main", true},
	} {
		if ok, err := satisfies(c.version, c.want); ok != c.ok || err != nil {
			t.Errorf("%s for %q: %v %v", c.version, c.want, ok, err)
		}
	}
	if _, err := satisfies("1.0.0", ">=one"); err == nil {
		t.Error("a range that is none was taken")
	}
}

func TestParse(t *testing.T) {
	for spec, want := range map[string]Role{
		"a.tar.gz":                             {Name: "a.tar.gz", Src: "a.tar.gz"},
		"a.tar.gz,1,b":                         {Name: "b", Src: "a.tar.gz", Version: "1"},
		"git+file:///x/ansible-role.git,v1":    {Name: "ansible-role", Src: "file:///x/ansible-role.git", SCM: "git", Version: "v1"},
		"https://github.com/me/thing":          {Name: "thing", Src: "https://github.com/me/thing", SCM: "git"},
		"https://host/thing.tar.gz":            {Name: "thing", Src: "https://host/thing.tar.gz"},
		"git@host:me/thing.git":                {Name: "thing", Src: "git@host:me/thing.git"},
		"https://github.com/me/thing.tar.gz":   {Name: "thing", Src: "https://github.com/me/thing.tar.gz"},
		"hg+https://host/me/thing,tip,mything": {Name: "mything", Src: "https://host/me/thing", SCM: "hg", Version: "tip"},
	} {
		if got := ParseRole(spec); got != want {
			t.Errorf("%s: %+v, want %+v", spec, got, want)
		}
	}
	for spec, want := range map[string]Collection{
		"git+https://h/x.git,v1": {Name: "git+https://h/x.git", Version: "v1", Type: "git"},
		"ns.name:1.2.3":          {Name: "ns.name", Version: "1.2.3"},
		"https://h/x.tar.gz":     {Name: "https://h/x.tar.gz"},
	} {
		if got := ParseCollection(spec); got != want {
			t.Errorf("%s: %+v, want %+v", spec, got, want)
		}
	}
}

func TestBadRequirements(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no list":    {"a: 1\n", "Expecting only 'roles' and/or 'collections'"},
		"empty":      {"", "No requirements found"},
		"no name":    {"- version: 1\n", "Must specify name or src for role"},
		"type":       {"collections: [{name: a.b, type: zip}]\n", "must be one of file, galaxy, git, url, dir, or subdirs"},
		"signatures": {"collections: [{name: a.b, signatures: [x]}]\n", "signatures of collections are not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "r.yml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadRequirements(file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// archive makes a gzip tar of members.
func archive(t *testing.T, members ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range members {
		body := []byte("x")
		if h.Typeflag != tar.TypeReg {
			body = nil
		}
		h.Size, h.Mode = int64(len(body)), 0o644
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestArchivesStayInside: what a stranger's archive holds cannot be written elsewhere.
func TestArchivesStayInside(t *testing.T) {
	meta := &tar.Header{Typeflag: tar.TypeReg, Name: "r/meta/main.yml"}
	for name, bad := range map[string][]*tar.Header{
		"dots":          {{Typeflag: tar.TypeReg, Name: "r/../../outside"}},
		"absolute link": {{Typeflag: tar.TypeSymlink, Name: "r/l", Linkname: "/etc"}},
		"link out":      {{Typeflag: tar.TypeSymlink, Name: "r/l", Linkname: "../../x"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "role.tar.gz")
			if err := os.WriteFile(file, archive(t, append([]*tar.Header{meta}, bad...)...), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			c := &Client{Out: &out, Err: &out, RolesPath: []string{filepath.Join(dir, "a", "roles")}}
			if err := c.InstallRoles(context.Background(), []Role{{Name: "r", Src: file}}); err == nil {
				t.Errorf("installed: %s", out.String())
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "a", "roles", ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Lstat(filepath.Join(dir, "a", "outside")); err == nil {
				t.Error("written outside")
			}
		})
	}
}

func TestFromURL(t *testing.T) {
	body := archive(t, &tar.Header{Typeflag: tar.TypeReg, Name: "r-1/meta/main.yml"}, &tar.Header{Typeflag: tar.TypeReg, Name: "r-1/tasks/main.yml"})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/r.tar.gz" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(body)
	}))
	defer srv.Close()
	dir := t.TempDir()
	var out bytes.Buffer
	c := &Client{Out: &out, Err: &out, RolesPath: []string{dir}, HTTP: srv.Client()}
	defer func() { _ = c.Close() }()
	if err := c.InstallRoles(context.Background(), []Role{ParseRole(srv.URL + "/r.tar.gz")}); err != nil {
		t.Fatal(err, out.String())
	}
	if !isFile(filepath.Join(dir, "r", "tasks", "main.yml")) {
		t.Error("not installed: " + out.String())
	}
	c.IgnoreErrors = true
	if err := c.InstallRoles(context.Background(), []Role{ParseRole(srv.URL + "/none.tar.gz")}); err != nil {
		t.Errorf("--ignore-errors: %v", err)
	}
	if !strings.Contains(out.String(), "404 Not Found") {
		t.Error("the answer of the server is not told: " + out.String())
	}
}

// TestTamperedArtifact: a file that is not what FILES.json says is not installed.
func TestTamperedArtifact(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	for name, text := range map[string]string{"galaxy.yml": "namespace: a\nname: b\nversion: 1.0.0\nreadme: R\nauthors: [x]\n", "R": "one"} {
		if err := os.MkdirAll(src, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g, err := readGalaxyFile(src)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a-b-1.0.0.tar.gz")
	if err := writeArtifact(g, src, file); err != nil {
		t.Fatal(err)
	}
	x, err := openArtifact(file)
	if err != nil || x.label() != "a.b:1.0.0" {
		t.Fatal(x, err)
	}
	for i := range x.files {
		if x.files[i].Name == "R" {
			x.files[i] = *hashed("R", []byte("two"))
		}
	}
	stage := t.TempDir()
	if err := installArtifact(x, stage); err == nil || !strings.Contains(err.Error(), "Checksum mismatch for 'R'") {
		t.Errorf("got %v", err)
	}
}

// The key manifest selects files as Python's MANIFEST.in does.
func TestManifestDirectives(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"README.md", "GPL", "notes.txt", "galaxy.yml", "a-b-1.0.0.tar.gz", "meta/runtime.yml", "meta/deep/x.yml", "docs/a.rst", "docs/b.md", "docs/old/c.txt",
		"plugins/modules/m.py", "plugins/modules/m.yml", "plugins/modules/m.pyc", "plugins/action/m.yml", "plugins/filter/f.yml", "plugins/module_utils/u.psm1",
		"roles/r/tasks/main.yml", "roles/r/files/blob.bin", "tests/output/x", "tests/unit/.hidden", "tests/unit/t.sh", ".git/config", ".reuse/dep5"} {
		write(t, filepath.Join(dir, f), "x")
	}
	head := "namespace: a\nname: b\nversion: 1.0.0\nreadme: README.md\nauthors: [me]\n"
	for _, c := range []struct{ name, key, want string }{
		{"defaults", "license_file: GPL\nmanifest:\n", ". .reuse .reuse/dep5 GPL README.md docs docs/a.rst docs/old docs/old/c.txt meta meta/runtime.yml notes.txt " +
			"plugins plugins/filter plugins/filter/f.yml plugins/module_utils plugins/module_utils/u.psm1 plugins/modules plugins/modules/m.py plugins/modules/m.yml " +
			"roles roles/r roles/r/tasks roles/r/tasks/main.yml tests tests/unit tests/unit/t.sh"},
		{"own", "manifest: {directives: [exclude notes.txt, prune docs, 'recursive-exclude plugins **', graft roles, 'global-exclude *.sh']}\n",
			". .reuse .reuse/dep5 README.md meta meta/runtime.yml roles roles/r roles/r/files roles/r/files/blob.bin roles/r/tasks roles/r/tasks/main.yml"},
		{"only own", "manifest: {omit_default_directives: true, directives: ['include [A-N]*', 'recursive-include docs ?.rst', 'global-include *.py']}\n",
			". GPL docs docs/a.rst plugins plugins/modules plugins/modules/m.py"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, filepath.Join(dir, "galaxy.yml"), head+c.key)
			g, err := readGalaxyFile(dir)
			if err != nil {
				t.Fatal(err)
			}
			list, err := g.collect(dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range list {
				got = append(got, e.Name)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
	for key, want := range map[string]string{
		"manifest: {omit_default_directives: true}": "no directives were defined", "manifest: {}\nbuild_ignore: [x]": "mutually exclusive",
	} {
		write(t, filepath.Join(dir, "galaxy.yml"), head+key)
		if _, err := readGalaxyFile(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, d := range []string{"embrace *", "include", "recursive-include docs", "graft a b"} {
		if err := apply(d, nil, nil); err == nil {
			t.Errorf("%q is accepted", d)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
