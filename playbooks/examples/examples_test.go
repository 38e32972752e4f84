package examples

import (
	"io/fs"
	"testing"

	"fettle/playbooks/compile"

	_ "fettle/engine/template/ansible"
	_ "fettle/modules/all"
)

// TestExamples compiles every example; what they need and fettle lacks yet may only be
// modules that are named as such.
func TestExamples(t *testing.T) {
	sites, err := fs.Glob(FS, "*/site.yml")
	if err != nil || len(sites) < 3 {
		t.Fatal("examples are missing", sites, err)
	}
	for _, site := range sites {
		t.Run(site, func(t *testing.T) {
			p, _, ds := compile.Compile(compile.Options{Playbooks: []string{site}})
			for _, d := range ds.Sorted() {
				if d.Rule != "unsupported" {
					t.Error(d)
				}
			}
			if len(p.Plays) == 0 || len(p.Plays[0].Graph.Vertices) < 5 {
				t.Error("the plan is too small")
			}
		})
	}
}
