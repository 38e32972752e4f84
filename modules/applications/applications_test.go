package applications

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

// fakes puts shell scripts where programs are looked for, and returns the directory.
func fakes(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+strings.ReplaceAll(text, "$DIR", dir)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

type answer struct {
	Changed, Failed bool
	Msg, Result     string
}

func call(t *testing.T, check bool, module string, args ...value.Value) (a answer) {
	t.Helper()
	out := modules.Call(context.Background(), &modules.Host{Check: check}, module, value.DictOf(args...), false)
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return a
}

func TestNPM(t *testing.T) {
	dir := fakes(t, map[string]string{"npm": `case "$*" in
list*--global*) echo '{"dependencies":{"yarn":{"version":"1.0"}}}';;
list*) echo '{"dependencies":{"a":{"version":"1"},"b":{"missing":true}}}'; exit 1;;
outdated*) echo "yarn 1 2"; exit 1;;
*bad*) echo oops >&2; exit 3;;
*) echo "$*" >> $DIR/log;;
esac
`})
	app := filepath.Join(dir, "app")
	for _, c := range []struct {
		name    string
		check   bool
		args    []value.Value
		changed bool
		ran     string
		msg     string
	}{
		{name: "installed", args: []value.Value{"name", "yarn", "global", true}},
		{name: "that version", args: []value.Value{"name", "yarn", "version", "1.0", "global", true}},
		{name: "another version", args: []value.Value{"name", "yarn", "version", "2.0", "global", true, "registry", "http://r"}, changed: true, ran: "install --global yarn@2.0 --registry http://r\n"},
		{name: "latest", args: []value.Value{"name", "yarn", "state", "latest", "global", true}, changed: true, ran: "update --global yarn\n"},
		{name: "removed", args: []value.Value{"name", "yarn", "state", "absent", "global", true}, changed: true, ran: "uninstall --global yarn\n"},
		{name: "not there", args: []value.Value{"name", "other", "state", "absent", "global", true}},
		{name: "predicted", check: true, args: []value.Value{"name", "other", "global", true}, changed: true},
		{name: "an application", args: []value.Value{"path", app, "production", true, "no_optional", true}, changed: true, ran: "install --production --no-optional\n"},
		{name: "by the lock file", args: []value.Value{"path", app, "ci", true}, changed: true, ran: "ci\n"},
		{name: "no path", args: []value.Value{"name", "x"}, msg: "path must be specified when not using global"},
		{name: "npm fails", args: []value.Value{"name", "bad", "global", true}, msg: "oops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_ = os.Remove(filepath.Join(dir, "log"))
			got := call(t, c.check, "community.general.npm", c.args...)
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			if got.Changed != c.changed || got.Msg != c.msg || string(log) != c.ran {
				t.Errorf("%+v; ran %q", got, log)
			}
		})
	}
}

func TestApache2Module(t *testing.T) {
	fakes(t, map[string]string{
		"apache2ctl": "case $1 in\n-V) echo '  threaded:     yes (fixed)';;\n-M) for m in $(cat $DIR/on 2>/dev/null); do echo \" ${m}_module (shared)\"; done;;\nesac\n",
		"a2enmod":    "[ $1 != nope ] || exit 1\necho $1 > $DIR/on\n",
		"a2dismod":   "[ \"$1\" = -f ] || exit 1\n: > $DIR/on\n",
	})
	const module = "community.general.apache2_module"
	for _, c := range []struct {
		name    string
		check   bool
		args    []value.Value
		changed bool
		result  string
		msg     string
	}{
		{"predicted", true, []value.Value{"name", "rewrite"}, true, "Module rewrite enabled", ""},
		{"enabled", false, []value.Value{"name", "rewrite"}, true, "Module rewrite enabled", ""},
		{"again", false, []value.Value{"name", "rewrite"}, false, "Module rewrite enabled", ""},
		{"disabled", false, []value.Value{"name", "rewrite", "state", "absent", "force", true}, true, "Module rewrite disabled", ""},
		{"cgi", false, []value.Value{"name", "cgi"}, false, "", "Your MPM seems to be threaded. No automatic actions on module cgi possible."},
		{"unknown", false, []value.Value{"name", "nope"}, false, "", "Failed to set module nope to enabled:\n\nMaybe the module identifier (nope_module) was guessed incorrectly.Consider setting the \"identifier\" option."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := call(t, c.check, module, c.args...); got.Changed != c.changed || got.Result != c.result || got.Msg != c.msg {
				t.Errorf("%+v", got)
			}
		})
	}
	for name, want := range map[string]string{"php7.4": "php7_module", "php": "php_module", "shib2": "mod_shib", "ssl": "ssl_module"} {
		if got := apacheIdentifier(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestMake(t *testing.T) {
	fakes(t, map[string]string{"gmake": "echo \"$*\"\n[ \"$1\" = -q ] || exec touch done\n[ -e done ]\n"})
	dir := t.TempDir()
	args := []value.Value{"chdir", dir, "target", "all", "jobs", int64(2), "params", value.DictOf("A", int64(1), "B", nil)}
	for i, want := range []bool{true, true, false} {
		if got := call(t, i == 0, "community.general.make", args...); got.Changed != want || got.Failed {
			t.Errorf("call %d: %+v", i, got)
		}
	}
	a := makeArgs{Make: "m", File: "F", Targets: []string{"x", "y"}}
	if got := a.argv(&modules.Host{}); !slices.Equal(got, []string{"m", "--file", "F", "x", "y"}) {
		t.Errorf("%q", got)
	}
}

func TestComposer(t *testing.T) {
	dir := fakes(t, map[string]string{"php": "exec \"$@\"\n", "composer": `case "$1" in
help) [ "$2" != nope ] || { echo "no   such command" >&2; exit 1; }
  echo '{"definition":{"options":{"no-dev":{},"no-interaction":{},"optimize-autoloader":{},"dry-run":{}}}}';;
fail) echo "  it  broke" >&2; exit 2;;
*) echo "$*" >> $DIR/log; [ "$1" = update ] && echo "Nothing to install, update or remove" || echo "  - Installing x" >&2;;
esac
`})
	for _, c := range []struct {
		name    string
		check   bool
		args    []value.Value
		changed bool
		ran     string
		msg     string
	}{
		{"install", false, []value.Value{"working_dir", "/a b"}, true, "install --no-interaction --working-dir /a b --no-dev --optimize-autoloader\n", "- Installing x"},
		{"predicted", true, []value.Value{"working_dir", "/a", "no_dev", false}, true, "install --no-interaction --working-dir /a --optimize-autoloader --dry-run\n", "- Installing x"},
		{"nothing to do", false, []value.Value{"working_dir", "/a", "command", "update", "optimize_autoloader", false}, false, "update --no-interaction --working-dir /a --no-dev\n", "Nothing to install, update or remove"},
		{"global", false, []value.Value{"global_command", true, "command", "require", "arguments", "'a b' c", "no_dev", false, "optimize_autoloader", false}, true, "global require --no-interaction a b c\n", "- Installing x"},
		{"unknown", false, []value.Value{"working_dir", "/a", "command", "nope"}, false, "", "no such command"},
		{"fails", false, []value.Value{"working_dir", "/a", "command", "fail"}, false, "", "it broke"},
		{"words", false, []value.Value{"working_dir", "/a", "command", "a b"}, false, "", "Use the 'arguments' param for passing arguments with the 'command'"},
		{"no directory", false, []value.Value{"command", "install"}, false, "", "global_command is False but all of the following are missing: working_dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_ = os.Remove(filepath.Join(dir, "log"))
			got := call(t, c.check, "community.general.composer", c.args...)
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			if got.Changed != c.changed || got.Msg != c.msg || string(log) != c.ran {
				t.Errorf("%+v; ran %q", got, log)
			}
		})
	}
}
