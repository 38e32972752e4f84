package compile

import (
	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/playbooks/ast"
)

// graph builds a plan.Graph in program order. open are the places that wait for the vertex
// that comes next.
type graph struct {
	*plan.Graph
	open    []**plan.Vertex
	block   *plan.Block
	section plan.Section
}

func newGraph() *graph {
	g := &graph{Graph: &plan.Graph{}}
	g.open = []**plan.Vertex{&g.Entry}
	return g
}

func (g *graph) add(v *plan.Vertex) *plan.Vertex {
	v.Index, v.Block, v.Section = len(g.Vertices), g.block, g.section
	g.Vertices = append(g.Vertices, v)
	for _, p := range g.open {
		*p = v
	}
	g.open = append(g.open[:0:0], &v.Next)
	return v
}

func (g *graph) task(t *plan.Task) { g.add(&plan.Vertex{Kind: plan.VertexTask, Task: t}) }

// region builds a block: body, rescue and always fill its sections.
func (g *graph) region(b *plan.Block, body, rescue, always func()) {
	outer, outerSection := g.block, g.section
	b.Parent, b.ParentSection = outer, outerSection
	g.block = b
	section := func(s plan.Section, entry **plan.Vertex, fill func()) {
		g.section = s
		n := len(g.Vertices)
		g.open = append(g.open, entry)
		fill()
		if len(g.Vertices) == n {
			g.open = g.open[:len(g.open)-1]
		}
	}
	section(plan.InBody, &b.Body, body)
	after := g.open
	g.open = nil
	section(plan.InRescue, &b.Rescue, rescue)
	g.open = append(after, g.open...)
	section(plan.InAlways, &b.Always, always)
	g.block, g.section = outer, outerSection
	b.End = g.add(&plan.Vertex{Kind: plan.VertexBlockEnd, Ends: b})
}

// items compiles a list of tasks and blocks.
func (s *scope) items(g *graph, items []ast.Item) {
	for _, it := range items {
		switch it := it.(type) {
		case *ast.Block:
			s.astBlock(g, it)
		case *ast.Task:
			s.task(g, it)
		}
	}
}

func varSet(kind plan.VarKind, where string, v *value.Vars) *plan.VarSet {
	if v.Len() == 0 {
		return nil
	}
	return &plan.VarSet{Kind: kind, Where: where, Vars: *v}
}

func (s *scope) astBlock(g *graph, b *ast.Block) {
	in := s.enter(b.Attrs, varSet(plan.BlockVars, "vars of a block", b.Vars))
	s.c.blocks++
	pb := &plan.Block{ID: s.c.blocks, Name: b.Attrs.Get("name"), Pos: b.Pos, Role: s.role}
	body := *in
	body.caught = body.caught || len(b.Rescue) > 0
	rescue := *in
	rescue.caught = true
	g.region(pb,
		func() { body.items(g, b.Body) },
		func() { rescue.items(g, b.Rescue) },
		func() { in.items(g, b.Always) })
}

// handlerItems compiles the entries of handlers: each task, also an imported one, is a
// handler. So is each task of a block, which cannot be notified itself; its rescue and
// always never run.
func (s *scope) handlerItems(items []ast.Item) []*plan.Handler {
	var out []*plan.Handler
	s.c.handlerLists++
	list := s.c.handlerLists
	for _, it := range items {
		if b, ok := it.(*ast.Block); ok {
			if len(b.Rescue)+len(b.Always) > 0 {
				s.c.diags.Add(diag.Warnf(b.Pos, "keyword", "rescue and always of a block of handlers never run"))
			}
			in := s.enter(b.Attrs, varSet(plan.BlockVars, "vars of a block", b.Vars))
			out = append(out, in.handlerItems(b.Body)...)
			s.c.handlerLists++
			list = s.c.handlerLists
			continue
		}
		t := it.(*ast.Task)
		g := newGraph()
		s.task(g, t)
		for _, v := range g.Vertices {
			if v.Kind != plan.VertexTask {
				continue
			}
			if v.Block != nil {
				s.c.diags.Add(diag.Errorf(v.Block.Pos, "keyword", "Using a block as a handler is not supported."))
				continue
			}
			one := &plan.Vertex{Kind: plan.VertexTask, Task: v.Task}
			out = append(out, &plan.Handler{List: list, Task: v.Task, Graph: &plan.Graph{Vertices: []*plan.Vertex{one}, Entry: one}})
		}
	}
	return out
}
