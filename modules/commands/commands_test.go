package commands

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

// call runs a module as the runner does and returns its result.
func call(t *testing.T, h *modules.Host, name, args string) map[string]any {
	t.Helper()
	v, err := value.FromJSON([]byte(args))
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(modules.Call(context.Background(), h, "ansible.builtin."+name, v.(*value.Dict), false), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "marker"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, module, args string
		check              bool
		want               map[string]any
	}{
		{name: "free form", module: "command", args: `{"_raw_params":"printf 'a b\\n\\n'"}`,
			want: map[string]any{"changed": true, "rc": 0.0, "stdout": "a b", "msg": ""}},
		{name: "ends kept", module: "command", args: `{"cmd":"echo hi","strip_empty_ends":false}`, want: map[string]any{"stdout": "hi\n"}},
		{name: "variable", module: "command", args: `{"cmd":"echo $ZZF"}`, want: map[string]any{"stdout": "fifty"}},
		{name: "variable kept", module: "command", args: `{"cmd":"echo $ZZF","expand_argument_vars":false}`, want: map[string]any{"stdout": "$ZZF"}},
		{name: "no shell", module: "command", args: `{"argv":["echo","a;b",">","c"]}`, want: map[string]any{"stdout": "a;b > c"}},
		{name: "stdin", module: "command", args: `{"cmd":"cat","stdin":"in","strip_empty_ends":false}`, want: map[string]any{"stdout": "in\n"}},
		{name: "stdin without newline", module: "command", args: `{"cmd":"cat","stdin":"in","stdin_add_newline":false,"strip_empty_ends":false}`, want: map[string]any{"stdout": "in"}},
		{name: "creates", module: "command", args: `{"cmd":"false","creates":"mark*","chdir":"DIR"}`,
			want: map[string]any{"changed": false, "rc": 0.0, "stdout": "skipped, since mark* exists", "start": nil}},
		{name: "removes", module: "command", args: `{"cmd":"false","removes":"DIR/none"}`, want: map[string]any{"changed": false, "stdout": "skipped, since DIR/none does not exist"}},
		{name: "not found", module: "command", args: `{"cmd":"/zzf/none a"}`, want: map[string]any{"failed": true, "changed": false, "rc": 2.0, "cmd": "/zzf/none a"}},
		{name: "no folder", module: "command", args: `{"cmd":"true","chdir":"/zzf/none"}`, want: map[string]any{"failed": true, "rc": nil}},
		{name: "nothing", module: "command", args: `{}`, want: map[string]any{"failed": true, "rc": 256.0, "msg": "no command given"}},
		{name: "both", module: "command", args: `{"cmd":"a","argv":["b"]}`, want: map[string]any{"failed": true, "rc": 256.0, "msg": "only command or argv can be given, not both"}},
		{name: "exit code", module: "shell", args: `{"cmd":"echo out; echo err >&2; exit 3"}`,
			want: map[string]any{"failed": true, "changed": true, "rc": 3.0, "stdout": "out", "stderr": "err", "msg": "non-zero return code"}},
		{name: "signal", module: "shell", args: `{"cmd":"kill -9 $$"}`, want: map[string]any{"rc": -9.0}},
		{name: "check", module: "shell", args: `{"cmd":"touch DIR/no"}`, check: true, want: map[string]any{"skipped": true, "changed": false}},
		{name: "check with creates", module: "shell", args: `{"cmd":"touch DIR/no","creates":"DIR/no"}`, check: true, want: map[string]any{"skipped": nil, "changed": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &modules.Host{Check: c.check, Env: []string{"ZZF=fifty"}}
			r := call(t, h, c.module, strings.ReplaceAll(c.args, "DIR", dir))
			for k, want := range c.want {
				if s, ok := want.(string); ok {
					want = strings.ReplaceAll(s, "DIR", dir)
				}
				if r[k] != want {
					t.Errorf("%s: got %#v, want %#v (%v)", k, r[k], want, r)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "no")); err == nil {
				t.Error("check mode ran the command")
			}
		})
	}
}

func TestScript(t *testing.T) {
	text := "#!/bin/sh\necho \"$@\"; basename \"$0\"; pwd; exit $1\n"
	h := &modules.Host{Sources: map[string]modules.Source{"script": {Name: "s.sh", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}}}
	r := call(t, h, "script", `{"_raw_params":"'/my dir/run me.sh' 3 \"a  b\"","chdir":"/"}`)
	if r["stdout"] != "3 a  b\nrun me.sh\n/\n" || r["rc"] != 3.0 || r["failed"] != true || r["changed"] != true {
		t.Errorf("got %v", r)
	}
	if r := call(t, h, "script", `{"_raw_params":"s.sh 0","executable":"/bin/sh -e"}`); r["rc"] != 0.0 {
		t.Errorf("with an interpreter: got %v", r)
	}
	h.Check = true
	if r := call(t, h, "script", `{"_raw_params":"s.sh 0"}`); r["skipped"] != true {
		t.Errorf("check mode: got %v", r)
	}
}

func TestDelta(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond:    "0:00:01.500000",
		26*time.Hour + time.Second: "1 day, 2:00:01.000000",
		72 * time.Hour:             "3 days, 0:00:00.000000",
	} {
		if got := Delta(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAnyMatch(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".hidden", "plain"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]bool{"pl*": true, "[!x]lain": true, "*dden": false, ".hid*": true, "plain": true, "[": false, "x*": false} {
		if got := anyMatch(dir, pattern); got != want {
			t.Errorf("%q: got %v", pattern, got)
		}
	}
}
