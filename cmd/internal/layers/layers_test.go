// Package layers holds the rule that imports go down or sideways, never up, and that the
// runner stays small. The rule is a table here and nowhere else; ARCHITECTURE.md draws it.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// levels, lowest first. A package belongs to the first level whose prefix it has, the
// longest prefix winning.
var levels = [][]string{
	{"fettle/engine/diag", "fettle/engine/value", "fettle/engine/event", "fettle/engine/graph", "fettle/engine/wire", "fettle/engine/pyre", "fettle/engine/netrc", "fettle/engine/heap"},
	{"fettle/playbooks/yamlv", "fettle/inventory", "fettle/engine/template", "fettle/engine/vault", "fettle/engine/transport", "fettle/engine/mask", "fettle/modules"},
	{"fettle/engine/plan", "fettle/modules/", "fettle/playbooks/ast", "fettle/playbooks/load", "fettle/playbooks/check"},
	{"fettle/engine/vars", "fettle/engine/runner", "fettle/engine/action", "fettle/playbooks/compile", "fettle/playbooks/examples"},
	{"fettle/engine/run"},
	{"fettle/engine/report", "fettle/engine/history", "fettle/engine/policy"},
	{"fettle/cmd", "fettle/integration"},
}

func levelOf(pkg string) int {
	best, at := -1, ""
	for i, prefixes := range levels {
		for _, p := range prefixes {
			if (pkg == strings.TrimSuffix(p, "/") || strings.HasPrefix(pkg, strings.TrimSuffix(p, "/")+"/")) && len(p) > len(at) {
				best, at = i, p
			}
		}
	}
	return best
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...)
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range list(t, "./...") {
		from := levelOf(p.ImportPath)
		if from < 0 {
			t.Errorf("%s belongs to no level: add it to the table", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, "fettle/") {
				continue
			}
			if to := levelOf(i); to > from {
				t.Errorf("%s (level %d) imports %s (level %d): imports go down or sideways", p.ImportPath, from, i, to)
			}
		}
	}
}

// The runner is sent to hosts: it links modules and the wire, and almost nothing else.
func TestRunnerLinksLittle(t *testing.T) {
	forbidden := []string{"golang.org/x/crypto/ssh", "gopkg.in/yaml", "github.com/spf13/", "github.com/charmbracelet/",
		"github.com/pkg/sftp", "fettle/engine/template", "fettle/engine/run", "fettle/playbooks", "fettle/inventory", "fettle/engine/vars"}
	for _, p := range list(t, "-tags", "core", "./cmd/fettle-runner", "./cmd/fettle-extra") {
		for _, d := range p.Deps {
			for _, f := range forbidden {
				if d == f || strings.HasPrefix(d, f) && (strings.HasSuffix(f, "/") || strings.HasPrefix(d, f+"/") || strings.HasPrefix(d, f+".")) {
					t.Errorf("the runner links %s", d)
				}
			}
		}
	}
}
