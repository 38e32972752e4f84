package moduletest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	sections := map[string]string{"long": "a\nb\n"}
	tree, err := parseTree(`d 0750 d
f 0600 d/f "a\n\x00"
f 0644 long
f 4755 "odd name\n" ""
l link -> $ROOT/d
h hard = long
p 0644 pipe
`, func(p string) (string, bool) { s, ok := sections[p]; return s, ok })
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := tree.Build(root); err != nil {
		t.Fatal(err)
	}
	if to, _ := os.Readlink(root + "/link"); to != root+"/d" {
		t.Errorf("link to %s", to)
	}
	got, err := ReadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	// Which name of a hard link comes first is a matter of order.
	want := strings.NewReplacer(`h "hard" = "long"`, `f 0644 "hard" "a\nb\n"`, `f 0644 "long" "a\nb\n"`, `h "long" = "hard"`).Replace(tree.String())
	if sortLines(got.String()) != sortLines(want) {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	if err := os.Chmod(root+"/d/f", 0o640); err != nil {
		t.Fatal(err)
	}
	if changed, _ := ReadTree(root); changed.String() == got.String() {
		t.Error("a changed mode is not seen")
	}
}

func sortLines(s string) string {
	l := strings.Split(s, "\n")
	slices.Sort(l)
	return strings.Join(l, "\n")
}

func TestTreeErrors(t *testing.T) {
	for _, bad := range []string{"f 9999 x", `f 0644 "x`, "z what"} {
		tree, err := parseTree(bad, func(string) (string, bool) { return "", false })
		if err == nil {
			err = tree.Build(t.TempDir())
		}
		if err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What an answer may leave open, and what not.
func TestForgive(t *testing.T) {
	for _, tt := range []struct {
		name, want, got string
		same            bool
	}{
		{"equal", `{"changed":true}`, `{"changed":true}`, true},
		{"any", `{"size":"$ANY","stat":{"inode":"$ANY"}}`, `{"size":3,"stat":{"inode":9}}`, true},
		{"other value", `{"changed":true}`, `{"changed":false}`, false},
		{"missing key", `{"changed":true,"dest":"x"}`, `{"changed":true}`, false},
		{"more keys", `{"changed":true}`, `{"changed":true,"dest":"x"}`, false},
		{"null left out", `{"src":null}`, `{}`, true},
		{"more detail", `{"failed":true,"msg":"no: [Errno 2] gone"}`, `{"failed":true,"msg":"no: really"}`, true},
		{"other message", `{"failed":true,"msg":"no"}`, `{"failed":true,"msg":"yes"}`, false},
		{"one diff", `{"diff":[{"before":"a"}]}`, `{"diff":{"before":"a"}}`, true},
		{"backup", `{"f":"x.BACKUP~"}`, `{"f":"x.12.2024-01-02@03:04:05~"}`, true},
	} {
		if d := difference(&fixture{}, tt.want, []byte(tt.got), "/root"); (d == "") != tt.same {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}
