package compile

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/plan"
	_ "fettle/engine/template/ansible"
	"fettle/engine/value"
	_ "fettle/modules/all"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// compiled is what Compile gives.
type compiled struct {
	plan  *plan.Plan
	grow  plan.Expander
	diags *diag.List
}

var update = flag.Bool("update", false, "write the golden files anew")

// dump writes a plan as text, without the directory it was compiled in.
func dump(p *plan.Plan, dir string) string {
	var b strings.Builder
	for _, play := range p.Plays {
		fmt.Fprintf(&b, "play %s hosts=%s%s\n", text(play.Name), text(play.Hosts), tags(fmt.Sprint(play.Tags...)))
		for _, r := range play.Roles {
			fmt.Fprintf(&b, "  role %s\n", r.Name)
		}
		dumpGraph(&b, play.Graph, "  ")
		for _, h := range play.Handlers {
			fmt.Fprintf(&b, "  handler %s\n", taskText(h.Task))
		}
	}
	return strings.ReplaceAll(b.String(), dir+"/", "")
}

func tags(s string) string {
	if s == "" {
		return ""
	}
	return " tags=" + s
}

func text(a plan.Attr) string {
	if !a.Set {
		return "-"
	}
	return raw(a.Value)
}

func raw(v value.Value) string {
	switch x := v.(type) {
	case *value.Template:
		return "`" + x.Src + "`"
	case *value.List:
		var parts []string
		for _, e := range x.V {
			parts = append(parts, raw(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *value.Dict:
		var parts []string
		for _, e := range x.Entries() {
			parts = append(parts, raw(e.Key)+": "+raw(e.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case string:
		return fmt.Sprintf("%q", x)
	}
	return value.Repr(v)
}

func dumpGraph(b *strings.Builder, g *plan.Graph, indent string) {
	index := func(v *plan.Vertex) string {
		if v == nil {
			return "end"
		}
		return fmt.Sprint(v.Index)
	}
	seen := map[*plan.Block]bool{}
	for _, v := range g.Vertices {
		for bl := v.Block; bl != nil && !seen[bl]; bl = bl.Parent {
			seen[bl] = true
			fmt.Fprintf(b, "%sblock %d %s body=%s rescue=%s always=%s end=%s\n", indent, bl.ID, text(bl.Name), index(bl.Body), index(bl.Rescue), index(bl.Always), index(bl.End))
		}
		where := ""
		if v.Block != nil {
			where = fmt.Sprintf(" in %d/%s", v.Block.ID, v.Section)
		}
		if v.Kind == plan.VertexBlockEnd {
			fmt.Fprintf(b, "%s%d end of %d%s -> %s\n", indent, v.Index, v.Ends.ID, where, index(v.Next))
			continue
		}
		fmt.Fprintf(b, "%s%d%s -> %s: %s\n", indent, v.Index, where, index(v.Next), taskText(v.Task))
	}
}

func taskText(t *plan.Task) string {
	var b strings.Builder
	if t.Role != nil {
		b.WriteString(t.Role.Name + " : ")
	}
	b.WriteString(text(t.Name) + " " + strings.TrimPrefix(t.Module, "ansible.builtin.") + " " + raw(t.Args))
	add := func(name string, a plan.Attr) {
		if a.Set {
			b.WriteString(" " + name + "=" + raw(a.Value))
		}
	}
	cond := func(name string, cs []plan.Cond) {
		for _, c := range cs {
			b.WriteString(" " + name + "=" + raw(c.Value))
		}
	}
	cond("when", t.When)
	cond("until", t.Until)
	cond("changed_when", t.ChangedWhen)
	cond("failed_when", t.FailedWhen)
	if t.Loop != nil {
		b.WriteString(" loop:" + t.Loop.Lookup + "=" + raw(t.Loop.Expr))
	}
	if t.ArgsExpr != nil {
		b.WriteString(" args=" + raw(t.ArgsExpr))
	}
	if t.Register != "" {
		b.WriteString(" register=" + t.Register)
	}
	for _, a := range t.Notify {
		add("notify", a)
	}
	for _, a := range t.Listen {
		add("listen", a)
	}
	for _, a := range t.Environment {
		add("env", a)
	}
	add("become", t.Become)
	add("become_user", t.BecomeUser)
	add("delegate_to", t.DelegateTo)
	add("ignore_errors", t.IgnoreErrors)
	add("run_once", t.RunOnce)
	add("connection", t.Connection)
	b.WriteString(tags(strings.Join(t.Tags, ",")))
	for _, set := range t.Vars {
		b.WriteString(fmt.Sprintf(" vars%d={", set.Kind))
		for n, v := range set.Vars.All() {
			b.WriteString(n + "=" + raw(v.Value) + ";")
		}
		b.WriteString("}")
	}
	if t.Broken != nil {
		b.WriteString(" BROKEN: " + t.Broken.Summary)
	}
	return b.String()
}

func problems(l *diag.List, dir string) string {
	var b strings.Builder
	for _, d := range l.Sorted() {
		b.WriteString(d.Severity.String() + " " + d.Error() + "\n")
	}
	return strings.ReplaceAll(b.String(), dir+"/", "")
}

func TestPlans(t *testing.T) {
	files, err := filepath.Glob("../testdata/plan/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no plan goldens", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want := ""
			var kept []txtar.File
			for _, f := range ar.Files {
				if f.Name == "plan" {
					want = string(f.Data)
					continue
				}
				kept = append(kept, f)
				path := filepath.Join(dir, f.Name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, f.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p, _, ds := Compile(Options{Playbooks: []string{filepath.Join(dir, "site.yml")}, RolesPath: []string{}, CollectionsPath: []string{filepath.Join(dir, "collections")}})
			got := dump(p, dir)
			if ds.Len() > 0 {
				got += "problems:\n" + problems(ds, dir)
			}
			if *update {
				ar.Files = append(kept, txtar.File{Name: "plan", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
