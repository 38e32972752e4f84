package compile

import (
	"fmt"

	dag "fettle/engine/graph"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
)

// Graph shows a plan: what the engine walks, where failures lead, which task reads what
// another sets, and what starts handlers.
func Graph(p *plan.Plan) *dag.Graph {
	d := &drawing{Graph: &dag.Graph{}, setters: map[string][]string{}}
	for i, play := range p.Plays {
		d.play(fmt.Sprintf("p%d", i+1), play)
	}
	return d.Graph
}

type drawing struct {
	*dag.Graph
	setters map[string][]string // variable: the nodes that set it, in order
}

func (d *drawing) play(id string, p *plan.Play) {
	name := p.Title
	if name == "" {
		name = p.Pattern
	}
	d.Groups = append(d.Groups, dag.Group{ID: id, Label: "play: " + name})
	handlers := map[string][]string{}
	var nodes []dag.Node
	for i, h := range p.Handlers {
		hid := fmt.Sprintf("%sh%d", id, i)
		nodes = append(nodes, dag.Node{ID: hid, Label: label(h.Task), Kind: "handler", Group: id, At: h.Task.Pos.String()})
		for _, n := range handlerNames(h.Task) {
			handlers[n] = append(handlers[n], hid)
		}
	}
	d.blocks(id, p.Graph)
	for _, v := range p.Graph.Vertices {
		d.vertex(id, v, handlers)
	}
	d.Nodes = append(d.Nodes, nodes...)
	for i, h := range p.Handlers {
		d.data(fmt.Sprintf("%sh%d", id, i), h.Task)
	}
}

// handlerNames are the texts a notification reaches a handler by.
func handlerNames(t *plan.Task) []string {
	var out []string
	if name := attrText(t.Name); name != "" {
		out = append(out, name)
		if t.Role != nil {
			out = append(out, t.Role.Name+" : "+name)
		}
	}
	for _, a := range t.Listen {
		out = append(out, attrText(a))
	}
	return out
}

func (d *drawing) blocks(id string, g *plan.Graph) {
	for _, v := range g.Vertices {
		b := v.Ends
		if v.Kind != plan.VertexBlockEnd {
			continue
		}
		name := attrText(b.Name)
		if name == "" {
			name = "block"
		}
		parent := id
		if b.Parent != nil {
			parent = sectionID(id, b.Parent, b.ParentSection)
		}
		d.Groups = append(d.Groups, dag.Group{ID: blockID(id, b), Label: name, Parent: parent})
		for s, entry := range []*plan.Vertex{b.Body, b.Rescue, b.Always} {
			if entry != nil {
				d.Groups = append(d.Groups, dag.Group{ID: sectionID(id, b, plan.Section(s)), Label: plan.Section(s).String(), Parent: blockID(id, b)})
			}
		}
	}
}

func blockID(id string, b *plan.Block) string { return fmt.Sprintf("%sb%d", id, b.ID) }

func sectionID(id string, b *plan.Block, s plan.Section) string { return blockID(id, b) + s.String() }

func vertexID(id string, v *plan.Vertex) string { return fmt.Sprintf("%sv%d", id, v.Index) }

func (d *drawing) vertex(id string, v *plan.Vertex, handlers map[string][]string) {
	n := dag.Node{ID: vertexID(id, v), Kind: "end", Group: id}
	if v.Block != nil {
		n.Group = sectionID(id, v.Block, v.Section)
	}
	if v.Kind == plan.VertexTask {
		n.Label, n.Kind, n.At = label(v.Task), kindOf(v.Task), v.Task.Pos.String()
	}
	d.Nodes = append(d.Nodes, n)
	edge := func(to *plan.Vertex, kind dag.Kind, text string) {
		if to != nil {
			d.Edges = append(d.Edges, dag.Edge{From: n.ID, To: vertexID(id, to), Kind: kind, Label: text})
		}
	}
	edge(v.Next, dag.Order, "")
	if v.Kind != plan.VertexTask {
		return
	}
	if n.Kind != "meta" {
		to, text := failsTo(v)
		edge(to, dag.Failure, text)
	}
	for _, a := range v.Task.Notify {
		for _, h := range handlers[attrText(a)] {
			d.Edges = append(d.Edges, dag.Edge{From: n.ID, To: h, Kind: dag.Notify})
		}
	}
	d.data(n.ID, v.Task)
}

// failsTo is where a failure of a vertex leads; nil when the host is out.
func failsTo(v *plan.Vertex) (*plan.Vertex, string) {
	for b, s := v.Block, v.Section; b != nil; b, s = b.Parent, b.ParentSection {
		if s == plan.InBody && b.Rescue != nil {
			return b.Rescue, "rescue"
		}
		if s != plan.InAlways && b.Always != nil {
			return b.Always, "always"
		}
	}
	return nil, ""
}

func kindOf(t *plan.Task) string {
	switch t.Module {
	case includeTasks, includeRole:
		return "include"
	case "ansible.builtin.meta":
		return "meta"
	}
	return "task"
}

func label(t *plan.Task) string {
	if t.Module == "ansible.builtin.meta" {
		v, _ := t.Args.GetString("_raw_params")
		return "meta: " + attrText(plan.Attr{Value: v})
	}
	return listName(t)
}

// data draws an edge from every earlier task that sets a variable to the task that reads it.
func (d *drawing) data(id string, t *plan.Task) {
	seen := map[string]bool{}
	for _, name := range reads(t) {
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, from := range d.setters[name] {
			if from != id {
				d.Edges = append(d.Edges, dag.Edge{From: from, To: id, Kind: dag.Data, Label: name})
			}
		}
	}
	for _, name := range sets(t) {
		d.setters[name] = append(d.setters[name], id)
	}
}

func sets(t *plan.Task) []string {
	var out []string
	if t.Register != "" {
		out = append(out, t.Register)
	}
	if t.Module == "ansible.builtin.set_fact" {
		for _, e := range t.Args.Entries() {
			if name, ok := e.Key.(string); ok && name != "cacheable" {
				out = append(out, name)
			}
		}
	}
	return out
}

// reads lists the variables that the templates and conditions of a task read.
func reads(t *plan.Task) []string {
	var out []string
	add := func(rs []template.NameRead) {
		for _, r := range rs {
			out = append(out, r.Name)
		}
	}
	value := func(v value.Value) { add(template.Names(v)) }
	conds := func(cs []plan.Cond) {
		for _, c := range cs {
			add(template.CondNames(c.Value))
		}
	}
	for _, e := range t.Args.Entries() {
		value(e.Value)
		name, isText := e.Value.(string)
		if t.Module == "ansible.builtin.debug" && e.Key == "var" && isText {
			add(template.CondNames(asCond(name, t.Pos)))
		}
		if t.Module == "ansible.builtin.assert" && e.Key == "that" {
			add(template.CondNames(asCond(e.Value, t.Pos)))
		}
	}
	value(t.ArgsExpr)
	for _, cs := range [][]plan.Cond{t.When, t.ChangedWhen, t.FailedWhen, t.Until} {
		conds(cs)
	}
	if t.Loop != nil {
		value(t.Loop.Expr)
	}
	for _, a := range append(append([]plan.Attr{t.Name, t.DelegateTo, t.BecomeUser}, t.Environment...), t.Notify...) {
		value(a.Value)
	}
	for _, set := range t.Vars {
		for _, v := range set.Vars.All() {
			value(v.Value)
		}
	}
	return out
}
