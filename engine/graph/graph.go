// Package graph is a plain directed graph with labels and groups, and its printed forms:
// DOT, Mermaid and JSON. It knows nothing of playbooks; see compile.Graph for what is in it.
package graph

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Kind says what an edge stands for.
type Kind string

// Kinds of edges.
const (
	Order   Kind = "order"   // what runs next after success
	Failure Kind = "failure" // where a failure leads: a rescue or always section
	Data    Kind = "data"    // a value that one task sets and another reads
	Notify  Kind = "notify"  // a change that starts a handler
)

// Node is one vertex.
type Node struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Kind  string `json:"kind"` // task, handler, include, meta, end
	Group string `json:"group,omitempty"`
	At    string `json:"at,omitempty"` // file:line:col
}

// Edge goes from one node to another.
type Edge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Kind  Kind   `json:"kind"`
	Label string `json:"label,omitempty"`
}

// Group is a frame around nodes and other groups.
type Group struct {
	ID     string `json:"id"`
	Label  string `json:"label"`
	Parent string `json:"parent,omitempty"`
}

// Graph is a graph in a fixed order: what goes in first comes out first.
type Graph struct {
	Groups []Group `json:"groups"`
	Nodes  []Node  `json:"nodes"`
	Edges  []Edge  `json:"edges"`
}

// JSON writes the graph as one JSON object.
func (g *Graph) JSON(w io.Writer) error {
	out := *g
	if out.Groups == nil {
		out.Groups = []Group{}
	}
	if out.Nodes == nil {
		out.Nodes = []Node{}
	}
	if out.Edges == nil {
		out.Edges = []Edge{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// printer writes lines and remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(depth int, format string, a ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, strings.Repeat("  ", depth)+format+"\n", a...)
	}
}

// nest calls open, the nodes and groups of a group, and closed, from the outside in.
func (g *Graph) nest(parent string, depth int, open func(depth int, gr Group), node func(depth int, n Node), closed func(depth int)) {
	for _, n := range g.Nodes {
		if n.Group == parent {
			node(depth, n)
		}
	}
	for _, gr := range g.Groups {
		if gr.Parent == parent && gr.ID != parent {
			open(depth, gr)
			g.nest(gr.ID, depth+1, open, node, closed)
			closed(depth)
		}
	}
}

var dotShapes = map[string]string{"task": "box", "handler": "box, style=rounded", "include": "box3d", "meta": "ellipse", "end": "point"}

var dotEdges = map[Kind]string{Order: "", Failure: "color=red", Data: "color=blue, style=dashed, constraint=false", Notify: "color=darkgreen, style=dotted, constraint=false"}

// DOT writes the graph for Graphviz.
func (g *Graph) DOT(w io.Writer) error {
	p := &printer{w: w}
	p.line(0, "digraph plan {")
	p.line(1, `node [fontname="sans-serif", fontsize=10, shape=box];`)
	p.line(1, `edge [fontname="sans-serif", fontsize=9];`)
	g.nest("", 1,
		func(depth int, gr Group) {
			p.line(depth, "subgraph %s {", dotText("cluster_"+gr.ID))
			p.line(depth+1, "label=%s;", dotText(gr.Label))
		},
		func(depth int, n Node) {
			p.line(depth, "%s [label=%s, tooltip=%s, shape=%s];", dotText(n.ID), dotText(n.Label), dotText(n.At), dotShapes[n.Kind])
		},
		func(depth int) { p.line(depth, "}") })
	for _, e := range g.Edges {
		attrs := dotEdges[e.Kind]
		if e.Label != "" {
			if attrs != "" {
				attrs += ", "
			}
			attrs += "label=" + dotText(e.Label)
		}
		if attrs != "" {
			attrs = " [" + attrs + "]"
		}
		p.line(1, "%s -> %s%s;", dotText(e.From), dotText(e.To), attrs)
	}
	p.line(0, "}")
	return p.err
}

var dotEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func dotText(s string) string { return `"` + dotEscape.Replace(s) + `"` }

var mermaidForms = map[string][2]string{"task": {"[", "]"}, "handler": {"(", ")"}, "include": {"[[", "]]"}, "meta": {"([", "])"}, "end": {"((", "))"}}

var mermaidArrows = map[Kind]string{Order: "-->", Failure: "==>", Data: "-.->", Notify: "-.->"}

// Mermaid writes the graph as a Mermaid flowchart.
func (g *Graph) Mermaid(w io.Writer) error {
	p := &printer{w: w}
	p.line(0, "flowchart TD")
	g.nest("", 1,
		func(depth int, gr Group) { p.line(depth, "subgraph %s[%s]", gr.ID, mermaidText(gr.Label)) },
		func(depth int, n Node) {
			form, ok := mermaidForms[n.Kind]
			if !ok {
				form = mermaidForms["task"]
			}
			p.line(depth, "%s%s%s%s", n.ID, form[0], mermaidText(n.Label), form[1])
		},
		func(depth int) { p.line(depth, "end") })
	for _, e := range g.Edges {
		label := e.Label
		if e.Kind == Notify && label == "" {
			label = "notify"
		}
		if label != "" {
			label = "|" + mermaidText(label) + "|"
		}
		p.line(1, "%s %s%s %s", e.From, mermaidArrows[e.Kind], label, e.To)
	}
	return p.err
}

var mermaidEscape = strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "\n", " ")

func mermaidText(s string) string { return `"` + mermaidEscape.Replace(s) + `"` }
