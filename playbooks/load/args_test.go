package load

import (
	"fmt"
	"os"
	"testing"
)

// TestSplitKeyValues shows KVP-01, KVP-02, KVP-04, KVP-08 and KVP-10; the texts of
// commands are what ansible-playbook -vvv shows for them.
func TestSplitKeyValues(t *testing.T) {
	for _, c := range []struct {
		name, in string
		command  bool
		want     string
	}{
		{"pairs", `a=1 b="x y" c='it is'`, false, `[{a 1} {b x y} {c it is}] ""`},
		{"template", `a={{ x + 'b c' }} d={% if x %}`, false, `[{a {{ x + 'b c' }}} {d {% if x %}}] ""`},
		{"value with equals", `a=b=c`, false, `[{a b=c}] ""`},
		{"escapes", `a="b\tc" d=\x41\u00e9\1`, false, "[{a b\tc} {d Aé\\1}] \"\""},
		{"quotes inside", `a=b"c d"e`, false, `[{a b"c d"e}] ""`},
		{"free text", `ls -l`, false, `[] "ls -l"`},
		{"command", `echo  "a  b"   > x=y chdir=/tmp`, true, `[{chdir /tmp}] "echo  \"a  b\"   > x=y"`},
		{"option in the middle", `echo a chdir=/tmp  b   c`, true, `[{chdir /tmp}] "echo a b   c"`},
		{"option at the end", `echo x  creates=/nonexist   `, true, `[{creates /nonexist}] "echo x "`},
		{"folded", "echo a chdir=/tmp b\n", true, `[{chdir /tmp}] "echo a b\n"`},
		{"first", "chdir=/tmp ls", true, `[{chdir /tmp}] "ls"`},
		{"lines", "one  two\n  three \\\nfour\n", true, `[] "one  two\n  three four\n"`},
		{"escaped equals", `echo chdir\=x y=z creates\=q`, true, `[] "echo chdir=x y=z creates=q"`},
		{"leading", ` echo lead`, true, `[] "echo lead"`},
		{"empty", ``, true, `[] ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var only []string
			if c.command {
				only = commandOptions
			}
			kvs, raw, err := splitKeyValues(c.in, only)
			if err != nil {
				t.Fatal(err)
			}
			if kvs == nil {
				kvs = []keyValue{}
			}
			if got := fmt.Sprintf("%v %q", kvs, raw); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for _, bad := range []string{`a="b`, `a={{ b`, `it's`, `{% x`} {
		if _, _, err := splitKeyValues(bad, nil); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func FuzzSplitKeyValues(f *testing.F) {
	for _, s := range []string{`a=b c="d e"`, "x \\\n y={{ 1 }}", `\x4`, `=`, `\`} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		_, _, _ = splitKeyValues(s, nil)
		_, _, _ = splitKeyValues(s, commandOptions)
	})
}

// FuzzLoad feeds any text to every loader: none may panic.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{"- hosts: all\n  tasks:\n    - debug: msg=1\n", "- block: [{rescue: x}]\n", "- {hosts: a, roles: [{role: x, y: 1}]}\n",
		"dependencies: [a, {src: b}]\n", "- action: {module: a b=c}\n", "- import_playbook: x\n", "- with_x: 1\n  loop_control: 3\n", "[[{}]]", "- ? [a]\n  : b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := t.TempDir() + "/f.yml"
		if err := writeFile(path, s); err != nil {
			t.Skip(err)
		}
		l := &Loader{}
		_, _, _ = l.Playbook(path)
		_, _, _ = l.Tasks(path, false)
		_, _, _ = l.Tasks(path, true)
		_, _, _ = l.Vars(path)
		_, _, _ = l.Meta(path)
		_, _, _ = l.Data(path)
	})
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
