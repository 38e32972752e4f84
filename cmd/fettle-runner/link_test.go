package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forbidden are packages that would make the runner large, or a second engine.
var forbidden = []string{
	"golang.org/x/crypto/ssh", "gopkg.in/yaml.v3", "github.com/spf13/cobra", "github.com/charmbracelet/",
	"github.com/pkg/sftp", "github.com/klauspost/", "fettle/engine/template", "fettle/engine/vars", "fettle/engine/vault",
	"fettle/engine/run", "fettle/engine/runner", "fettle/engine/transport", "fettle/engine/action", "fettle/engine/report", "fettle/playbooks", "fettle/inventory",
	"html/template", "text/template", "testing", "go/ast",
}

// forbiddenFirst are what only the second program may link.
var forbiddenFirst = []string{"net", "net/http", "crypto/tls", "archive/tar", "archive/zip", "compress/flate", "regexp", "fettle/modules/network", "fettle/modules/archives"}

// TestLinks: the runner links the modules and the wire, and nothing of the controller.
func TestLinks(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool in the path")
	}
	deps := func(args ...string) []string {
		out, err := exec.Command(goTool, append([]string{"list", "-deps"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Fields(string(out))
		if len(all) < 20 {
			t.Fatalf("only %d packages listed", len(all))
		}
		for _, d := range all {
			for _, f := range forbidden {
				if d == f || strings.HasPrefix(d, strings.TrimSuffix(f, "/")+"/") {
					t.Errorf("%q links %s", args, d)
				}
			}
		}
		return all
	}
	deps("../fettle-extra")
	for _, d := range deps("-tags", "core", ".") {
		if slices.Contains(forbiddenFirst, d) {
			t.Errorf("the first program links %s, which belongs to the second", d)
		}
	}
}

// maxPacked is what each of a runner's programs may be on the wire.
const maxPacked = 2 << 20

func TestSize(t *testing.T) {
	packed, err := filepath.Glob("../../engine/runner/embed/fettle-*.[gx]z")
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) == 0 {
		t.Skip("no runner is built: run make build")
	}
	for _, f := range packed {
		info, err := os.Stat(f)
		if err != nil || info.Size() > maxPacked {
			t.Errorf("%s: %d bytes, more than %d; err %v", filepath.Base(f), info.Size(), maxPacked, err)
			continue
		}
		t.Logf("%s: %d bytes", filepath.Base(f), info.Size())
	}
}
