package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/inventory"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
)

type inventoryOptions struct {
	runOptions
	list, graph     bool
	host            string
	yaml, toml      bool
	vars, export    bool
	basedir, output string
}

func newInventory(s *Streams) *cobra.Command {
	o := &inventoryOptions{}
	c := &cobra.Command{
		Use:   "inventory [GROUP]",
		Short: "Show the inventory as it is understood",
		Args:  cobra.MaximumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	f := c.Flags()
	o.inventoryFlags(f)
	f.BoolVar(&o.list, "list", false, "all hosts and groups")
	f.BoolVar(&o.graph, "graph", false, "groups and hosts as a tree")
	f.StringVar(&o.host, "host", "", "the variables of one host")
	f.BoolVarP(&o.yaml, "yaml", "y", false, "print YAML instead of JSON")
	f.BoolVar(&o.toml, "toml", false, "print TOML instead of JSON")
	f.BoolVar(&o.vars, "vars", false, "with --graph, show variables")
	f.BoolVar(&o.export, "export", false, "with --list, variables where they are defined")
	f.StringVar(&o.basedir, "playbook-dir", "", "directory whose group_vars and host_vars count as well")
	f.StringVar(&o.output, "output", "", "write to this file")
	refuseFlags(c, refused{"!list-hosts": "use --list or --graph"})
	hide(f, "list-hosts")
	return c
}

func (o *inventoryOptions) run(ctx context.Context, s *Streams, args []string) error {
	n := 0
	for _, set := range []bool{o.list, o.graph, o.host != ""} {
		if set {
			n++
		}
	}
	switch {
	case n == 0:
		return withCode(exitOptions, fmt.Errorf("No action selected, at least one of --host, --graph or --list needs to be specified.")) //nolint:staticcheck // Ansible's words
	case n > 1:
		return withCode(exitOptions, fmt.Errorf("Conflicting options used, only one of --host, --graph or --list can be used at the same time.")) //nolint:staticcheck // Ansible's words
	}
	ss, err := open(ctx, s, &o.runOptions)
	if err != nil {
		return err
	}
	defer ss.close()
	dir := first(o.basedir, ss.cfg.String("PLAYBOOK_DIR"))
	if dir != "" {
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		ss.diags.Add(ss.inv.LoadPlaybookDir(dir).Sorted()...)
	}
	if err := ss.showProblems(nil); err != nil {
		return err
	}
	l := &inventory.Listing{Inventory: ss.inv, PlayDir: dir, Export: o.export || ss.cfg.Bool("INVENTORY_EXPORT"), Extra: ss.extra}
	if o.limit != "" {
		if l.Limit, err = inventory.ParseLimit(o.limit); err != nil {
			return err
		}
	}
	text, err := o.text(ss, l, args)
	if err != nil {
		return err
	}
	if o.output != "" {
		return os.WriteFile(o.output, []byte(text), 0o644) //nolint:gosec // what the user asked to write
	}
	_, err = io.WriteString(s.Out, text)
	return err
}

func (o *inventoryOptions) text(ss *session, l *inventory.Listing, args []string) (string, error) {
	switch {
	case o.host != "":
		sel, err := ss.inv.Select([]string{o.host}, "")
		if err != nil {
			return "", err
		}
		if len(sel.Hosts) != 1 {
			return "", withCode(exitOptions, fmt.Errorf("You must pass a single valid host to --host parameter")) //nolint:staticcheck // Ansible's words
		}
		return o.encode(ss, l.HostVars(sel.Hosts[0]))
	case o.graph:
		name := "all"
		if len(args) > 0 {
			name = args[0]
		}
		g := ss.inv.Group(name)
		if g == nil {
			return "", withCode(exitOptions, fmt.Errorf("Pattern must be valid group name when using --graph")) //nolint:staticcheck // Ansible's words
		}
		text, err := l.Graph(g, o.vars)
		return text + "\n", err
	}
	var d *value.Dict
	var err error
	switch {
	case o.yaml:
		d, err = l.YAML()
	case o.toml:
		d, err = l.TOML()
	default:
		d, err = l.JSON()
	}
	if err != nil {
		return "", err
	}
	return o.encode(ss, d)
}

func (o *inventoryOptions) encode(ss *session, d *value.Dict) (string, error) {
	switch {
	case o.yaml:
		scope := template.MapScope{Dict: value.DictOf("it", d)}
		return ss.engine.NewContext(context.Background(), scope).String(&value.Template{Src: "{{ it | to_nice_yaml(indent=2) }}"})
	case o.toml:
		var b bytes.Buffer
		err := toml.NewEncoder(&b).Encode(plainGo(d))
		return b.String(), err
	}
	text, err := value.JSON{Pretty: true, Spaces: true, Indent: "    ", SortKeys: true, ASCII: false}.Encode(d)
	return text + "\n", err
}

// plainGo turns a value into what Go's encoders take.
func plainGo(v value.Value) any {
	switch x := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for _, e := range x.Entries() {
			if e.Value != nil {
				m[value.Str(e.Key)] = plainGo(e.Value)
			}
		}
		return m
	case *value.List:
		l := make([]any, 0, len(x.V))
		for _, e := range x.V {
			l = append(l, plainGo(e))
		}
		return l
	}
	return v
}
