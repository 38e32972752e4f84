package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/modules"

	"github.com/spf13/cobra"
)

type docOptions struct {
	list, files, json, snippet bool
	kind                       string
	verbosity                  int
}

func newDoc(s *Streams) *cobra.Command {
	o := &docOptions{}
	c := &cobra.Command{
		Use:   "doc [MODULE...]",
		Short: "Show the options and results of modules",
		RunE:  func(_ *cobra.Command, args []string) error { return runDoc(s, o, args) },
	}
	f := c.Flags()
	f.BoolVarP(&o.list, "list", "l", false, "list what there is")
	f.BoolVarP(&o.files, "list_files", "F", false, "list what there is, with where it is: all of it is built in")
	f.BoolVarP(&o.json, "json", "j", false, "print JSON in the shape of ansible-doc -j")
	f.BoolVarP(&o.snippet, "snippet", "s", false, "print a task to start from")
	f.StringVarP(&o.kind, "type", "t", "module", "module, keyword, or a kind of plugin: filter, test, lookup, connection, become, ...")
	f.CountVarP(&o.verbosity, "verbose", "v", "say more")
	only := "doc shows what is built in"
	refuseFlags(c, refused{"entry-point,e": "documentation of roles is not shown", "!metadata-dump": "use --list --json", "!no-fail-on-errors": only,
		"module-path,M": only, "playbook-dir": only, "roles-path,r": "documentation of roles is not shown"})
	return c
}

func runDoc(s *Streams, o *docOptions, args []string) error {
	switch {
	case o.kind == "keyword":
		return docKeywords(s, o, args)
	case o.kind != "module":
		return docPlugins(s, o, args)
	case o.list || o.files:
		return listModules(s, o)
	}
	if len(args) == 0 {
		return withCode(exitOptions, fmt.Errorf("incorrect options passed: name a module, or use --list"))
	}
	var mods []*modules.Module
	for _, a := range args {
		m := modules.Find(a)
		if m == nil {
			m = modules.Find("ansible.builtin." + a)
		}
		if m == nil {
			fmt.Fprintf(s.Err, "[WARNING]: module %s not found %s\n", a, diag.DidYouMean(a, shortModuleNames()))
			continue
		}
		mods = append(mods, m)
	}
	if o.json {
		return docJSON(s.Out, mods)
	}
	for _, m := range mods {
		if o.snippet {
			snippet(s.Out, m)
			continue
		}
		docText(s.Out, m)
	}
	return nil
}

func shortModuleNames() []string {
	var out []string
	for _, n := range modules.Names() {
		out = append(out, n, strings.TrimPrefix(n, "ansible.builtin."))
	}
	return out
}

func listModules(s *Streams, o *docOptions) error {
	if o.json {
		all := map[string]string{}
		for _, n := range modules.Names() {
			all[n] = modules.Find(n).Summary
		}
		return writeJSON(s.Out, all)
	}
	for _, n := range modules.Names() {
		text := modules.Find(n).Summary
		if o.files {
			text = "(built in)"
		}
		fmt.Fprintf(s.Out, "%-45s %s\n", n, text)
	}
	return nil
}

func visibleOptions(m *modules.Module) []*modules.Option {
	return slices.DeleteFunc(slices.Clone(m.Options), func(o *modules.Option) bool { return strings.HasPrefix(o.Name, "_") })
}

func docText(w io.Writer, m *modules.Module) {
	fmt.Fprintf(w, "> %s\n\n  %s\n", strings.ToUpper(m.Name), m.Summary)
	for _, n := range m.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
	fmt.Fprintf(w, "\nCHECK MODE: %s, DIFF: %s\n\nOPTIONS (= is required):\n", m.Check, m.Diff)
	optionText(w, visibleOptions(m), "")
	if strings.TrimSpace(m.Examples) != "" {
		fmt.Fprintf(w, "\nEXAMPLES:\n%s\n", strings.TrimRight(m.Examples, "\n"))
	}
	if len(m.Returns) > 0 {
		fmt.Fprint(w, "\nRETURN VALUES:\n")
		for _, r := range m.Returns {
			fmt.Fprintf(w, "- %s (%s", r.Name, r.Type)
			if r.Returned != "" {
				fmt.Fprintf(w, ", returned: %s", r.Returned)
			}
			fmt.Fprintf(w, ")\n        %s\n", r.Doc)
		}
	}
	fmt.Fprintln(w)
}

func optionText(w io.Writer, options []*modules.Option, indent string) {
	for _, o := range options {
		mark := "-"
		if o.Required {
			mark = "="
		}
		fmt.Fprintf(w, "%s%s %s (%s", indent, mark, o.Name, o.Type)
		if o.Elements != "" {
			fmt.Fprintf(w, " of %s", o.Elements)
		}
		if o.HasDef {
			fmt.Fprintf(w, ", default: %s", o.Default)
		}
		fmt.Fprint(w, ")\n")
		if o.Doc != "" {
			fmt.Fprintf(w, "%s        %s\n", indent, o.Doc)
		}
		if len(o.Aliases) > 0 {
			fmt.Fprintf(w, "%s        aliases: %s\n", indent, strings.Join(o.Aliases, ", "))
		}
		if len(o.Choices) > 0 {
			fmt.Fprintf(w, "%s        choices: %s\n", indent, strings.Join(o.Choices, ", "))
		}
		optionText(w, o.Options, indent+"        ")
	}
}

func snippet(w io.Writer, m *modules.Module) {
	fmt.Fprintf(w, "- name: %s\n  %s:\n", m.Summary, m.Name)
	for _, o := range visibleOptions(m) {
		note := o.Doc
		if o.Required {
			note = "(required) " + note
		}
		fmt.Fprintf(w, "      %s:   # %s\n", o.Name, note)
	}
}

type docOption struct {
	Type        string               `json:"type"`
	Elements    string               `json:"elements,omitempty"`
	Required    bool                 `json:"required,omitempty"`
	Default     any                  `json:"default,omitempty"`
	Choices     []string             `json:"choices,omitempty"`
	Aliases     []string             `json:"aliases,omitempty"`
	Description []string             `json:"description"`
	Suboptions  map[string]docOption `json:"suboptions,omitempty"`
}

func docOptionsOf(options []*modules.Option) map[string]docOption {
	out := map[string]docOption{}
	for _, o := range options {
		d := docOption{Type: o.Type, Elements: o.Elements, Required: o.Required, Choices: o.Choices, Aliases: o.Aliases,
			Description: []string{o.Doc}}
		if o.HasDef {
			d.Default = o.Default
		}
		if len(o.Options) > 0 {
			d.Suboptions = docOptionsOf(o.Options)
		}
		out[o.Name] = d
	}
	return out
}

func docJSON(w io.Writer, mods []*modules.Module) error {
	type doc struct {
		Module           string               `json:"module"`
		Collection       string               `json:"collection"`
		ShortDescription string               `json:"short_description"`
		Notes            []string             `json:"notes,omitempty"`
		Options          map[string]docOption `json:"options"`
	}
	type entry struct {
		Doc      doc                       `json:"doc"`
		Examples string                    `json:"examples"`
		Return   map[string]modules.Return `json:"return"`
	}
	all := map[string]entry{}
	for _, m := range mods {
		parts := strings.Split(m.Name, ".")
		e := entry{Examples: m.Examples, Return: map[string]modules.Return{}, Doc: doc{Module: parts[len(parts)-1],
			Collection: strings.Join(parts[:len(parts)-1], "."), ShortDescription: m.Summary, Notes: m.Notes, Options: docOptionsOf(visibleOptions(m))}}
		for _, r := range m.Returns {
			e.Return[r.Name] = r
		}
		all[m.Name] = e
	}
	return writeJSON(w, all)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "    ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
