package graph

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var sample = &Graph{
	Groups: []Group{{ID: "p1", Label: `play "one"`}, {ID: "b1", Label: "block", Parent: "p1"}},
	Nodes: []Node{{ID: "v0", Label: "first", Kind: "task", Group: "p1", At: "a.yml:1:1"}, {ID: "v1", Label: "a <b> \\ \"c\"", Kind: "task", Group: "b1"},
		{ID: "h0", Label: "restart", Kind: "handler", Group: "p1"}, {ID: "v2", Kind: "end", Group: "p1"}},
	Edges: []Edge{{"v0", "v1", Order, ""}, {"v0", "v1", Data, "out"}, {"v1", "h0", Notify, ""}, {"v1", "v2", Failure, ""}},
}

func TestDOT(t *testing.T) {
	var b strings.Builder
	if err := sample.DOT(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"digraph plan {\n", `  subgraph "cluster_p1" {`, `    subgraph "cluster_b1" {`, `label="play \"one\"";`,
		`"v1" [label="a <b> \\ \"c\"", tooltip="", shape=box];`, `"v0" -> "v1" [color=blue, style=dashed, constraint=false, label="out"];`,
		`"v0" -> "v1";`, `"v1" -> "v2" [color=red];`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if strings.Count(b.String(), "{") != strings.Count(b.String(), "}") {
		t.Error("braces do not match")
	}
}

func TestMermaid(t *testing.T) {
	var b strings.Builder
	if err := sample.Mermaid(&b); err != nil {
		t.Fatal(err)
	}
	want := `flowchart TD
  subgraph p1["play #quot;one#quot;"]
    v0["first"]
    h0("restart")
    v2((""))
    subgraph b1["block"]
      v1["a #lt;b#gt; \ #quot;c#quot;"]
    end
  end
  v0 --> v1
  v0 -.->|"out"| v1
  v1 -.->|"notify"| h0
  v1 ==> v2
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := sample.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Graph
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, sample) {
		t.Errorf("got %+v", back)
	}
	b.Reset()
	_ = (&Graph{}).JSON(&b)
	if !strings.Contains(b.String(), `"nodes": []`) {
		t.Error("an empty graph must have empty lists")
	}
}
