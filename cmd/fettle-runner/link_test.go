package main

import (
	"os"
	"os/exec"
	"path/filepath"
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

// TestLinks: the runner links the modules and the wire, and nothing of the controller.
func TestLinks(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool in the path")
	}
	out, err := exec.Command(goTool, "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 20 {
		t.Fatalf("only %d packages listed", len(deps))
	}
	for _, d := range deps {
		for _, f := range forbidden {
			if d == f || strings.HasPrefix(d, strings.TrimSuffix(f, "/")+"/") {
				t.Errorf("the runner links %s", d)
			}
		}
	}
}

// maxPacked is what a runner may be, compressed. TLS and HTTP for get_url and uri are a
// large part of it.
const maxPacked = 4500 << 10

func TestSize(t *testing.T) {
	files, err := filepath.Glob("../../engine/runner/embed/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no runner is built: run make runners")
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > maxPacked {
			t.Errorf("%s: %d bytes, more than %d; err %v", filepath.Base(f), info.Size(), maxPacked, err)
		}
	}
}
