package facts

import (
	"os"
	"path/filepath"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

func TestParsePythonVersion(t *testing.T) {
	for text, want := range map[string]pythonVersion{
		"3.13.5":    {3, 13, 5, "final", 0},
		"3.14.0rc2": {3, 14, 0, "candidate", 2},
		"3.15.0a1":  {3, 15, 0, "alpha", 1},
	} {
		if got, ok := parsePythonVersion(text); !ok || got != want || got.String() != text {
			t.Errorf("%q: got %+v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "3.13", "3.13.x", "3.13.5+", "3.13.5-1", "3.13.5rc"} {
		if got, ok := parsePythonVersion(text); ok {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestPythonFacts(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "python3.9")
	if err := os.WriteFile(path, []byte("\x7fELF\x003.9.\x003.9.7\x00"), 0o755); err != nil { //nolint:gosec // it stands for a program
		t.Fatal(err)
	}
	g := &gatherer{h: &modules.Host{}, interpreter: path}
	facts := g.python(t.Context())
	if got, _ := facts.GetString("python_version"); got != "3.9.7" {
		t.Errorf("version %v", got)
	}
	p, _ := facts.GetString("python")
	if exe, _ := p.(*value.Dict).GetString("executable"); exe != path {
		t.Errorf("executable %v", exe)
	}
	if facts := (&gatherer{h: &modules.Host{}, interpreter: dir + "/none"}).python(t.Context()); facts != nil {
		t.Errorf("without an interpreter: %v", facts)
	}
}
