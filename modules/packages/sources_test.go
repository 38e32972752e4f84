package packages

import (
	"testing"

	"fettle/engine/value"
)

func TestEditSources(t *testing.T) {
	main := sourceFile{"/etc/apt/sources.list", "# top\ndeb http://d/debian bookworm main\n#deb http://d/debian   sid main # off\n"}
	extra := sourceFile{"/etc/apt/sources.list.d/x.list", "deb http://x/ ./\n"}
	for _, c := range []struct {
		name, repo, state, filename string
		path, after                 string // "" is no edit
	}{
		{name: "there already", repo: "deb http://d/debian  bookworm main"},
		{name: "new", repo: "deb http://n.org/debian sid main", path: "/etc/apt/sources.list.d/n_org_debian.list", after: "deb http://n.org/debian sid main\n"},
		{name: "named", repo: "deb [arch=amd64] http://n/ sid main", filename: "x", path: "/etc/apt/sources.list.d/x.list", after: "deb http://x/ ./\ndeb [arch=amd64] http://n/ sid main\n"},
		{name: "switched on", repo: "deb http://d/debian sid main", path: "/etc/apt/sources.list", after: "# top\ndeb http://d/debian bookworm main\ndeb http://d/debian sid main # off\n"},
		{name: "removed with its list", repo: "deb http://x/ ./", state: "absent", path: "/etc/apt/sources.list.d/x.list", after: ""},
		{name: "removed from a list", repo: "deb http://d/debian bookworm main", state: "absent", path: "/etc/apt/sources.list", after: "# top\n#deb http://d/debian   sid main # off\n"},
		{name: "absent already", repo: "deb http://q/ ./", state: "absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, ok := parseSource(c.repo)
			if !ok {
				t.Fatal("not a source")
			}
			edits := editSources([]sourceFile{main, extra}, want, aptRepositoryArgs{Repo: c.repo, State: c.state, Filename: c.filename})
			switch {
			case c.path == "" && len(edits) > 0, c.path != "" && len(edits) != 1:
				t.Errorf("got %+v", edits)
			case c.path != "" && (edits[0].path != c.path || edits[0].after != c.after):
				t.Errorf("got %+v", edits[0])
			}
		})
	}
}

func TestParseSource(t *testing.T) {
	for line, want := range map[string]bool{"deb http://x y z": true, "deb-src file:/x y z": true, "bad line": false, "deb x y z": false, "deb http://x": false, "# just words here": false} {
		if _, ok := parseSource(line); ok != want {
			t.Errorf("%q: got %v", line, ok)
		}
	}
	s, _ := parseSource("deb [trusted=yes] http://user:pw@h.example.org:80/x/y ./")
	if got := sourcePath(s, ""); got != "/etc/apt/sources.list.d/h_example_org_80_x_y.list" {
		t.Errorf("path: %s", got)
	}
}

func TestDeb822Text(t *testing.T) {
	a := &deb822Args{Name: "Zz", Types: []string{"deb", "deb-src"}, URIs: []string{"http://x/"}, Suites: []string{"sid"}, Components: []string{"main"}, Enabled: new(false), ByHash: new(true)}
	want := "By-Hash: yes\nComponents: main\nEnabled: no\nX-Repolib-Name: Zz\nSigned-By:\n    -----BEGIN\n    .\n    x\nSuites: sid\nTypes: deb deb-src\nURIs: http://x/\n"
	if got := deb822Text(a, "-----BEGIN\n\nx\n"); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := slugOf("My Repo_1 (x)/.."); got != "my-repo-1-x" {
		t.Errorf("slug: %q", got)
	}
}

func TestDebconf(t *testing.T) {
	d := parseDebconf("* locales/a: en_GB.UTF-8 UTF-8, de\n  locales/b:\n")
	if got := value.Repr(d); got != "{'locales/a': 'en_GB.UTF-8 UTF-8, de', 'locales/b': ''}" {
		t.Errorf("got %s", got)
	}
	for _, c := range []struct {
		kind string
		v    value.Value
		want string
	}{{"boolean", "yes", "true"}, {"boolean", false, "false"}, {"multiselect", value.NewList("a", "b"), "a, b"}, {"string", int64(5), "5"}} {
		if got := debconfValue(c.kind, c.v); got != c.want {
			t.Errorf("%s %v: got %q", c.kind, c.v, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	releases := releaseOrigins("Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n 500 http://d/debian bookworm/main amd64 Packages\n     release v=12,o=Debian,a=stable\n     origin d\nPinned packages:\n")
	got := originsOf("cron:\n  Installed: 3\n  Candidate: 3\n  Version table:\n *** 3 500\n        500 http://d/debian bookworm/main amd64 Packages\n        100 /var/lib/dpkg/status\nmine:\n  Installed: 1\n  Version table:\n     2 500\n        500 http://d/debian bookworm/main amd64 Packages\n *** 1 100\n        100 /var/lib/dpkg/status\n", releases)
	if got["cron"] != "Debian" || got["mine"] != "" {
		t.Errorf("got %v", got)
	}
}

func TestColonKeys(t *testing.T) {
	text := "pub:-:4096:1:6ED0E7B82643E131:1:2::-:::scSC:\nfpr:::::::::X:\nsub:-:4096:1:0E98404D386FA1D9:1:2:::::s:\n"
	if got := colonKeys(text, true); len(got) != 2 || got[1] != "0E98404D386FA1D9" {
		t.Errorf("got %q", got)
	}
	if got := colonKeys(text, false); len(got) != 1 {
		t.Errorf("without subkeys: got %q", got)
	}
}
