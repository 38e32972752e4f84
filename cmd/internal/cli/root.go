// Package cli is the command line of fettle: one file a command, each with its options, a
// constructor that parses, and a run function. Streams are passed in; exit codes are
// Ansible's and are decided in one place.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/diag"

	"github.com/spf13/cobra"
)

// Streams are where a command reads and writes. Results go to Out, everything else to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal tells that Out is a terminal, Width how wide it is.
	Terminal bool
	Width    int
}

// Exit codes, as Ansible's.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitParse       = 4 // a playbook that cannot be understood
	exitOptions     = 5 // options that contradict each other
	exitInterrupted = 99
	exitCrash       = 250
)

// codedError carries an exit code; a nil err has been reported already.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e *codedError) Unwrap() error { return e.err }

func exit(code int) error {
	if code == exitOK {
		return nil
	}
	return &codedError{code: code}
}

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &codedError{code, err}
}

// shims are the names of Ansible's commands and the command of ours that each stands for.
var shims = map[string]string{
	"ansible-playbook": "playbook", "ansible": "adhoc", "ansible-inventory": "inventory", "ansible-doc": "doc",
	"ansible-vault": "vault", "ansible-config": "config", "ansible-pull": "pull", "ansible-galaxy": "galaxy", "ansible-console": "console",
}

// Main runs the program and returns its exit code. args[0] is the name it was called by.
func Main(ctx context.Context, args []string, s *Streams) (code int) {
	defer func() {
		if p := recover(); p != nil && os.Getenv("FETTLE_PANIC") == "" {
			fmt.Fprintf(s.Err, "fettle: internal error: %v\nPlease report this; FETTLE_PANIC=1 shows the stack.\n", p)
			code = exitCrash
		} else if p != nil {
			panic(p)
		}
	}()
	root := newRoot(s)
	name := filepath.Base(args[0])
	rest := args[1:]
	if verb, ok := shims[name]; ok {
		if verb == "galaxy" {
			rest = impliedRole(rest)
		}
		rest = append([]string{verb}, rest...)
		asAnsible = true
		root.SetArgs(rest)
	} else {
		root.SetArgs(rest)
	}
	return finish(s, root.ExecuteContext(ctx))
}

// asAnsible tells that the program was called by the name of an Ansible command; it is set
// once, before anything runs.
var asAnsible bool

// finish prints what an error says and finds its exit code.
func finish(s *Streams, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitError
	var coded *codedError
	if errors.As(err, &coded) {
		code = coded.code
		if coded.err == nil {
			return code
		}
		err = coded.err
	}
	var list *diag.ErrorList
	if errors.As(err, &list) {
		printDiagnostics(s.Err, list.Items)
		return code
	}
	var d *diag.Diagnostic
	if errors.As(err, &d) {
		printDiagnostics(s.Err, []*diag.Diagnostic{d})
		return code
	}
	fmt.Fprintf(s.Err, "ERROR! %v\n", err)
	return code
}

func newRoot(s *Streams) *cobra.Command {
	root := &cobra.Command{
		Use:               "fettle",
		Short:             "Run Ansible playbooks, fast and without Python",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetIn(s.In)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withCode(exitUsage, fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath()))
	})
	root.AddCommand(newPlaybook(s), newAdhoc(s), newPull(s), newInventory(s), newDoc(s), newCheck(s), newGraph(s), newFacts(s),
		newDemo(s), newVersion(s), newShims(s), newTemplate(s), newVars(s), newVault(s), newConfig(s), newGalaxy(s), newConsole(s))
	for _, c := range root.Commands() {
		if slices.Contains(slices.Collect(maps.Values(shims)), c.Name()) {
			c.Flags().Bool("version", false, "print the version")
		}
		if c.Args == nil {
			c.Args = usageArgs(cobra.ArbitraryArgs)
		} else {
			c.Args = usageArgs(c.Args)
		}
	}
	return root
}

// usageArgs gives wrong positional arguments the exit code of a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if f := c.Flags().Lookup("version"); f != nil && f.Changed {
			fmt.Fprintln(c.OutOrStdout(), ansibleVersionText())
			return &codedError{code: exitOK}
		}
		if err := check(c, args); err != nil {
			return withCode(exitUsage, fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath()))
		}
		return nil
	}
}

// printDiagnostics shows problems with their source lines.
func printDiagnostics(w io.Writer, ds []*diag.Diagnostic) {
	cache := map[string]string{}
	src := func(file string) (string, bool) {
		if text, ok := cache[file]; ok {
			return text, text != ""
		}
		b, err := os.ReadFile(file)
		text := string(b)
		if err != nil || strings.HasPrefix(text, "$ANSIBLE_VAULT") {
			text = ""
		}
		cache[file] = text
		return text, text != ""
	}
	for _, d := range ds {
		if asAnsible && d.Severity == diag.Error {
			fmt.Fprintf(w, "ERROR! %s\n", d.Summary) // what scripts around Ansible look for
		}
		fmt.Fprint(w, diag.Text(shortened(d), src))
	}
}

// shortened makes paths below the working directory relative.
func shortened(d *diag.Diagnostic) *diag.Diagnostic {
	wd, err := os.Getwd()
	if err != nil {
		return d
	}
	rel := func(p diag.Pos) diag.Pos {
		if r, err := filepath.Rel(wd, p.File); err == nil && p.File != "" && !strings.HasPrefix(r, "..") && filepath.IsAbs(p.File) {
			p.File = r
		}
		return p
	}
	c := *d
	c.At = rel(d.At)
	c.Related = nil
	for _, r := range d.Related {
		c.Related = append(c.Related, diag.Related{Text: r.Text, At: rel(r.At)})
	}
	return &c
}
