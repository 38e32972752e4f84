package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

// rpmRepository builds small packages into a repository and returns a configuration of dnf
// that knows it, as local and, disabled, as off.
func rpmRepository(t *testing.T) (conf, dir string) {
	t.Helper()
	for _, p := range []string{"dnf", "rpm", "rpmbuild", "createrepo_c"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	top := t.TempDir()
	dir = filepath.Join(top, "repo")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o755))
	for _, p := range []struct{ name, version, more string }{
		{"fettle-alpha", "1.0", ""}, {"fettle-alpha", "1.1", ""}, {"fettle-beta", "1.0", "Requires: fettle-alpha"},
		{"fettle-gamma", "1.0", "Provides: fettle-virtual"}, {"fettle-broken", "1.0", "Requires: fettle-nowhere"},
	} {
		spec := filepath.Join(top, "spec")
		must(os.WriteFile(spec, fmt.Appendf(nil, "Name: %s\nVersion: %s\nRelease: 1\nSummary: test\nLicense: MIT\nBuildArch: noarch\n%s\n%%description\ntest\n%%files\n",
			p.name, p.version, p.more), 0o644))
		out, err := exec.Command("rpmbuild", "-bb", "--define", "_topdir "+top+"/build", "--define", "_rpmdir "+dir, spec).CombinedOutput()
		if err != nil {
			t.Fatalf("rpmbuild: %v: %s", err, out)
		}
	}
	if out, err := exec.Command("createrepo_c", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("createrepo_c: %v: %s", err, out)
	}
	conf = filepath.Join(top, "dnf.conf")
	must(os.WriteFile(conf, fmt.Appendf(nil, "[main]\nreposdir=%[1]s/none\ncachedir=%[1]s/cache\nlogdir=%[1]s/log\npersistdir=%[1]s/lib\n"+
		"[local]\nname=local\nbaseurl=file://%[2]s\ngpgcheck=0\n[off]\nname=off\nbaseurl=file://%[2]s\ngpgcheck=0\nenabled=0\n", top, dir), 0o644))
	return conf, dir
}

// TestDNF goes through a package's life below a root of its own. What is wanted is what
// Ansible's module returned for the same arguments.
func TestDNF(t *testing.T) {
	conf, dir := rpmRepository(t)
	root := t.TempDir()
	type d = map[string]any
	for _, c := range []struct {
		name    string
		args    d
		check   bool
		changed bool
		msg     string
		results []string
	}{
		{"predicted", d{"name": "fettle-alpha-1.0"}, true, true, "Check mode: No changes made, but would have if not in check mode", []string{"Installed: fettle-alpha-1.0-1.noarch"}},
		{"a version", d{"name": "fettle-alpha-1.0"}, false, true, "", []string{"Installed: fettle-alpha-1.0-1.noarch"}},
		{"again", d{"name": "fettle-alpha-1.0"}, false, false, "Nothing to do", nil},
		{"any version", d{"name": "fettle-alpha"}, false, false, "Nothing to do", nil},
		{"latest", d{"name": "fettle-alpha", "state": "latest"}, false, true, "", []string{"Installed: fettle-alpha-1.1-1.noarch", "Removed: fettle-alpha-1.0-1.noarch"}},
		{"latest again", d{"name": "fettle-alpha", "state": "latest"}, false, false, "Nothing to do", nil},
		{"older", d{"name": "fettle-alpha-1.0"}, false, false, "Nothing to do", nil},
		{"older, allowed", d{"name": "fettle-alpha-1.0", "allow_downgrade": true}, false, true, "", []string{"Installed: fettle-alpha-1.0-1.noarch", "Removed: fettle-alpha-1.1-1.noarch"}},
		{"everything", d{"name": "*", "state": "latest"}, false, true, "", []string{"Installed: fettle-alpha-1.1-1.noarch", "Removed: fettle-alpha-1.0-1.noarch"}},
		{"several", d{"name": "fettle-beta,fettle-gamma"}, false, true, "", []string{"Installed: fettle-beta-1.0-1.noarch", "Installed: fettle-gamma-1.0-1.noarch"}},
		{"provided", d{"name": "fettle-virtual"}, false, false, "Nothing to do", nil},
		{"a range", d{"name": "fettle-alpha >= 1.1"}, false, false, "Nothing to do", nil},
		{"removed", d{"name": []any{"fettle-alpha", "fettle-nope"}, "state": "absent"}, false, true, "",
			[]string{"No match for argument: fettle-nope", "Removed: fettle-alpha-1.1-1.noarch", "Removed: fettle-beta-1.0-1.noarch"}},
		{"removed again", d{"name": "fettle-alpha", "state": "absent"}, false, false, "Nothing to do", []string{"No match for argument: fettle-alpha"}},
		{"missing", d{"name": "fettle-nope"}, false, false, someFailed, nil},
		{"broken", d{"name": "fettle-broken", "skip_broken": true}, false, false, "Nothing to do", nil},
		{"missing, skipped", d{"name": "fettle-nope", "skip_broken": true}, false, false, "Nothing to do", []string{"No package fettle-nope available."}},
		{"repository off", d{"name": "fettle-alpha", "disablerepo": "*"}, false, false, someFailed, nil},
		{"repository on", d{"name": "fettle-alpha", "disablerepo": "*", "enablerepo": "off"}, false, true, "", []string{"Installed: fettle-alpha-1.1-1.noarch"}},
		{"no upgrade", d{"name": "fettle-beta", "state": "latest", "update_only": true}, false, false, "Nothing to do",
			[]string{"Packages providing fettle-beta not installed due to update_only specified"}},
		{"a file", d{"name": dir + "/noarch/fettle-beta-1.0-1.noarch.rpm", "disable_gpg_check": true}, false, true, "",
			[]string{"Installed " + dir + "/noarch/fettle-beta-1.0-1.noarch.rpm", "Installed: fettle-beta-1.0-1.noarch"}},
		{"a file again", d{"name": dir + "/noarch/fettle-beta-1.0-1.noarch.rpm", "disable_gpg_check": true}, false, false, "Nothing to do",
			[]string{"Installed " + dir + "/noarch/fettle-beta-1.0-1.noarch.rpm"}},
		{"a pattern", d{"name": "fettle-*", "state": "absent"}, false, true, "",
			[]string{"Removed: fettle-alpha-1.1-1.noarch", "Removed: fettle-beta-1.0-1.noarch", "Removed: fettle-gamma-1.0-1.noarch"}},
		{"only the lists", d{"update_cache": true}, false, false, "Cache updated", nil},
		{"download", d{"name": "fettle-gamma", "download_only": true, "download_dir": root + "/get"}, false, true, "", []string{"Downloaded: fettle-gamma-1.0-1.noarch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := value.DictOf("conf_file", conf, "installroot", root, "releasever", "1")
			for k, v := range c.args {
				if l, ok := v.([]any); ok {
					v = value.NewList(l...)
				}
				args.SetString(k, v)
			}
			out := modules.Call(context.Background(), &modules.Host{Check: c.check}, "ansible.builtin.dnf", args, false)
			var got struct {
				Changed bool
				Msg     string
				Results []string
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if got.Changed != c.changed || got.Msg != c.msg || !slices.Equal(got.Results, c.results) && len(c.results)+len(got.Results) > 0 {
				t.Errorf("got %s", out)
			}
		})
	}
	if found, _ := filepath.Glob(root + "/get/*.rpm"); len(found) != 1 {
		t.Errorf("downloaded: %s", strings.Join(found, " "))
	}
}
