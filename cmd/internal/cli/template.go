package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/engine/vars"

	"github.com/spf13/cobra"
)

type templateOptions struct {
	runOptions
	host, vars, batch string
	json              bool
}

func newTemplate(s *Streams) *cobra.Command {
	o := &templateOptions{}
	c := &cobra.Command{
		Use:   "template [EXPRESSION|FILE]",
		Short: "Render an expression or a template file with the variables of a host",
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	f := c.Flags()
	o.inventoryFlags(f)
	f.StringVar(&o.host, "host", "", "host whose variables are seen (default localhost)")
	f.StringVar(&o.vars, "vars", "", "variables file to use instead of an inventory")
	f.StringVar(&o.batch, "batch", "", "read cases from a file of JSON lines (- is standard input), write one result a line")
	f.BoolVar(&o.json, "json", false, "print the value with its type as JSON")
	f.StringVar(&o.compat, "compat", "", "whose templates: 2.19 (strict) or 2.16; the default is 2.19 that accepts old content")
	return c
}

func (o *templateOptions) run(ctx context.Context, s *Streams, args []string) error {
	if o.batch != "" {
		return o.runBatch(ctx, s)
	}
	if len(args) != 1 {
		return withCode(exitUsage, fmt.Errorf("an expression or the path of a template file is needed"))
	}
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	if err := ss.showProblems(nil); err != nil {
		return err
	}
	scope, err := ss.scopeFor(o.host, o.vars)
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(args[0]); err == nil {
		syntax := template.DefaultSyntax()
		syntax.KeepTrailingNewline = true
		t := ss.engine.NewContext(ctx, scope, filepath.Dir(args[0]))
		out, _, err := t.RenderFile(args[0], string(text), template.FileOptions{Syntax: &syntax})
		if err != nil {
			return err
		}
		out = value.Str(ss.mask.Value(out))
		if o.json {
			return printTyped(s, out)
		}
		_, err = io.WriteString(s.Out, out)
		return err
	}
	src := args[0]
	if !template.IsTemplate(src) {
		src = "{{ " + src + " }}"
	}
	v, err := ss.engine.NewContext(ctx, scope, ".").Render(&value.Template{Src: src, At: diag.Pos{File: "command line", Line: 1, Col: 1}})
	if err != nil {
		return err
	}
	v = ss.mask.Value(v)
	if o.json {
		return printTyped(s, v)
	}
	fmt.Fprintln(s.Out, value.Str(v))
	return nil
}

func printTyped(s *Streams, v value.Value) error {
	b, err := value.ToJSON(value.DictOf("type", value.TypeName(v), "value", v, "repr", value.Repr(v)))
	if err != nil {
		return err
	}
	fmt.Fprintln(s.Out, string(b))
	return nil
}

func (o *templateOptions) runBatch(ctx context.Context, s *Streams) error {
	in := s.In
	if o.batch != "-" {
		f, err := os.Open(o.batch)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	compat, err := template.ParseCompat(o.compat)
	if err != nil {
		return withCode(exitOptions, err)
	}
	return template.Batch(ctx, in, s.Out, template.Options{Compat: compat})
}

// scopeFor are the variables of a host, or of a variables file.
func (ss *session) scopeFor(host, file string) (template.Scope, error) {
	if file != "" {
		vs, err := extraVars([]string{"@" + file}, false, ss.decryptFile)
		if err != nil {
			return nil, err
		}
		d := value.NewDict(vs.Len())
		for n, v := range vs.All() {
			d.SetString(n, v.Value)
		}
		for n, v := range ss.extra.All() {
			d.SetString(n, v.Value)
		}
		return template.MapScope{Dict: d}, nil
	}
	if host == "" {
		host = "localhost"
	}
	h := ss.inv.Host(host)
	if h == nil {
		return nil, fmt.Errorf("there is no host %q in the inventory", host)
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	ss.diags.Add(ss.inv.LoadPlaybookDir(wd).Sorted()...)
	return &vars.Scope{Store: ss.store, Host: ss.store.Host(h), PlayDir: wd}, nil
}

type varsOptions struct {
	runOptions
	origin bool
}

func newVars(s *Streams) *cobra.Command {
	o := &varsOptions{}
	c := &cobra.Command{
		Use:   "vars HOST [NAME]",
		Short: "Show a host's variables, and with --origin where each comes from and what it shadows",
		Args:  cobra.RangeArgs(1, 2),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	o.inventoryFlags(c.Flags())
	c.Flags().BoolVar(&o.origin, "origin", false, "show file, line and precedence level, and what is shadowed")
	return c
}

func (o *varsOptions) run(ctx context.Context, s *Streams, args []string) error {
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	sc, err := ss.scopeFor(args[0], "")
	if err != nil {
		return err
	}
	if err := ss.showProblems(nil); err != nil {
		return err
	}
	scope := sc.(*vars.Scope)
	names := sorted(scope.Names())
	if len(args) == 2 {
		if _, ok := scope.Lookup(args[1]); !ok {
			hint := diag.DidYouMean(args[1], names)
			return fmt.Errorf("host %q has no variable %q %s", args[0], args[1], hint)
		}
		names = []string{args[1]}
	}
	t := ss.engine.NewContext(ctx, scope, ".")
	for _, n := range names {
		if len(args) == 1 && (n == "vars" || n == "hostvars" || n == "groups") {
			continue
		}
		raw, _ := scope.Lookup(n)
		v, err := t.Render(raw)
		text := ""
		if err != nil {
			text = "<" + err.Error() + ">"
		} else if text, err = (value.JSON{Spaces: true}).Encode(ss.mask.Value(v)); err != nil {
			text = value.Repr(ss.mask.Value(v))
		}
		fmt.Fprintf(s.Out, "%s: %s\n", n, text)
		if o.origin {
			for i, f := range scope.Origins(n) {
				word := "from"
				if i > 0 {
					word = "shadows"
				}
				fmt.Fprintf(s.Out, "    %s level %d, %s %s\n", word, f.Level, f.Where, f.Var.At)
			}
		}
	}
	return nil
}
