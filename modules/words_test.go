package modules

import (
	"slices"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		fails    bool
	}{
		{name: "plain", in: "ls  -l\t/tmp\n", want: []string{"ls", "-l", "/tmp"}},
		{name: "quotes", in: `a "b c" 'd "e"' f"g"h`, want: []string{"a", "b c", `d "e"`, "fgh"}},
		{name: "escapes", in: `a\ b "c\"d\n" '\'`, want: []string{"a b", `c"d\n`, `\`}},
		{name: "empty word", in: `a "" b`, want: []string{"a", "", "b"}},
		{name: "hash is no comment", in: "echo # hi", want: []string{"echo", "#", "hi"}},
		{name: "nothing", in: "  "},
		{name: "open quote", in: `echo "hi`, fails: true},
		{name: "open single quote", in: `echo 'hi`, fails: true},
		{name: "lone backslash", in: `echo \`, fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := SplitWords(c.in)
			if (err != nil) != c.fails || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestExpandWord(t *testing.T) {
	h := &Host{Env: []string{"HOME=/home/a", "A=1", "A=2"}}
	for in, want := range map[string]string{
		"$A":          "2",
		"x${A}y":      "x2y",
		"$NOPE_ZZF":   "$NOPE_ZZF",
		"${NOPE_ZZF}": "${NOPE_ZZF}",
		"${A":         "${A",
		"$":           "$",
		"$$ $1":       "$$ $1",
		"~":           "/home/a",
		"~/x":         "/home/a/x",
		"a~":          "a~",
		"~nouserzzf":  "~nouserzzf",
	} {
		if got := h.ExpandWord(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
