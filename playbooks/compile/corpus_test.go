package compile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fettle/engine/diag"
)

// TestCorpus compiles the playbooks that FETTLE_PLAYBOOKS names and prints how long it
// took and what was found: for trying content that is not part of the repository.
func TestCorpus(t *testing.T) {
	list := os.Getenv("FETTLE_PLAYBOOKS")
	if list == "" {
		t.Skip("FETTLE_PLAYBOOKS names no playbooks")
	}
	for _, path := range filepath.SplitList(list) {
		start := time.Now()
		p, _, ds := Compile(Options{Playbooks: []string{path}, Dir: filepath.Dir(path), RolesPath: filepath.SplitList(os.Getenv("FETTLE_ROLES")), Variables: []string{}})
		took := time.Since(start)
		tasks := 0
		for _, play := range p.Plays {
			tasks += len(play.Graph.Vertices) + len(play.Handlers)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Printf("# %s: %d plays, %d vertices, %v, %d MB, %d errors, %d problems\n", path, len(p.Plays), tasks, took, m.HeapInuse>>20, ds.Errors(), ds.Len())
		if os.Getenv("FETTLE_SHOW") != "" {
			for _, d := range ds.Sorted() {
				fmt.Print(diag.Text(d, nil))
			}
		}
		if os.Getenv("FETTLE_LIST") != "" {
			fmt.Print(listText(path, List(p, nil)))
		}
	}
}

// listText is what --list-tasks prints.
func listText(path string, plays []Listed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nplaybook: %s\n", path)
	for i, l := range plays {
		fmt.Fprintf(&b, "\n  play #%d (%s): %s\tTAGS: [%s]\n", i+1, l.Pattern, l.Name, strings.Join(l.Tags, ","))
		fmt.Fprintf(&b, "    tasks:\n")
		for _, t := range l.Tasks {
			fmt.Fprintf(&b, "      %s\tTAGS: [%s]\n", t.Name, strings.Join(t.Tags, ", "))
		}
	}
	return b.String()
}
