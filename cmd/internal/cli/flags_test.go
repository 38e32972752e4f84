package cli

import (
	_ "embed"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:embed testdata/flags.txt
var ansibleFlags string

// TestEveryFlag: each option of Ansible's commands is known to ours, with a value or without,
// so that it is acted on or refused by name, never an unknown flag.
func TestEveryFlag(t *testing.T) {
	root := newRoot(&Streams{Out: io.Discard, Err: io.Discard})
	n := 0
	for line := range strings.Lines(ansibleFlags) {
		path, flags, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		c, rest, err := root.Find(strings.Fields(path))
		if err != nil || len(rest) > 0 {
			t.Errorf("there is no command %q", path)
			continue
		}
		if c.DisableFlagParsing {
			continue // refused as a whole
		}
		for _, word := range strings.Fields(flags) {
			n++
			checkFlag(t, c, path, word)
		}
	}
	if n < 350 {
		t.Errorf("only %d flags were looked at", n)
	}
}

func checkFlag(t *testing.T, c *cobra.Command, path, word string) {
	t.Helper()
	name, takes := strings.CutSuffix(word, "=")
	c.InitDefaultHelpFlag()
	var f *pflag.Flag
	if strings.HasPrefix(name, "--") {
		f = c.Flags().Lookup(name[2:])
	} else {
		f = c.Flags().ShorthandLookup(name[1:])
	}
	switch {
	case f == nil:
		t.Errorf("%s has no %s", path, name)
	case takes == (f.NoOptDefVal != ""):
		t.Errorf("%s %s: takes a value is %v", path, name, !takes)
	}
}
