//go:build integration

package differential

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	record = flag.Bool("record", false, "write testdata/golden from the real Ansible")
	engine = flag.String("engine", os.Getenv("FETTLE_BIN"), "program to test; empty: build fettle")
	oracle = flag.String("oracle", os.Getenv("FETTLE_ORACLE"), "directory to chroot to for the real Ansible; empty: the one in PATH")
	only   = flag.String("only", "", "only cases whose name contains this")
)

const goldenDir = "testdata/golden"

func goldenPath(c Case) string {
	return filepath.Join(goldenDir, strings.ReplaceAll(c.Name, "/", "_")+".json")
}

func loadCases(t *testing.T) []Case {
	t.Helper()
	all, err := LoadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for _, c := range all {
		if strings.Contains(c.Name, *only) {
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	return cases
}

// ansible is the real one, or the test is skipped.
func ansible(t *testing.T) Engine {
	t.Helper()
	e := Engine{Name: "ansible", Command: []string{"ansible-playbook"}, Root: *oracle}
	if e.Root != "" && os.Geteuid() != 0 {
		t.Skip("needs root to chroot to " + e.Root)
	}
	if _, err := exec.LookPath("ansible-playbook"); err != nil && e.Root == "" {
		t.Skip("needs ansible-playbook")
	}
	return e
}

// fettle is the program under test, called as ansible-playbook.
func fettle(t *testing.T) Engine {
	t.Helper()
	if *engine != "" {
		return Engine{Name: filepath.Base(*engine), Command: []string{*engine}}
	}
	bin := filepath.Join(t.TempDir(), "ansible-playbook")
	if out, err := exec.Command("go", "build", "-o", bin, "fettle/cmd/fettle").CombinedOutput(); err != nil {
		t.Fatalf("cannot build fettle: %v\n%s", err, out)
	}
	return Engine{Name: "fettle", Command: []string{bin}}
}

// TestRecord writes the golden outcomes.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("only with -record")
	}
	e := ansible(t)
	version, err := e.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(goldenDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			o, err := e.Play(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			o.Version = version
			for _, d := range Unsaid(c, o) {
				t.Error(d)
			}
			b, err := json.MarshalIndent(o, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(goldenPath(c), append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, r := range o.Runs {
				if r.Exit != 0 && testing.Verbose() {
					t.Logf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
				}
			}
		})
	}
}

// TestGolden runs every case under fettle and compares with what Ansible did.
func TestGolden(t *testing.T) {
	if *record {
		t.Skip("recording")
	}
	e := fettle(t)
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(goldenPath(c))
			if err != nil {
				t.Fatalf("%v: record it with -record", err)
			}
			var want Outcome
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			got, err := e.Play(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if c.Known != "" {
				checkKnown(t, c, Compare(c, want, got))
				for _, d := range Unsaid(c, got) {
					t.Error(d)
				}
				return
			}
			report(t, c, want, got)
		})
	}
}

// checkKnown wants an intended difference to be there, and to be described.
func checkKnown(t *testing.T, c Case, diffs []string) {
	t.Helper()
	b, err := os.ReadFile("../../playbooks/COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), c.Known) {
		t.Errorf("COMPATIBILITY.md does not describe %q", c.Known)
	}
	if len(diffs) == 0 {
		t.Errorf("there is no difference: remove the mark %q", c.Known)
	}
}

// TestGoldenIsCurrent records again in memory: a golden file must not be stale,
// and no case may differ from itself.
func TestGoldenIsCurrent(t *testing.T) {
	if *record || *oracle == "" {
		t.Skip("only with -oracle and without -record")
	}
	e := ansible(t)
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(goldenPath(c))
			if err != nil {
				t.Fatal(err)
			}
			var want Outcome
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			got, err := e.Play(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			report(t, c, want, got)
		})
	}
}

func report(t *testing.T, c Case, want, got Outcome) {
	t.Helper()
	diffs := append(Compare(c, want, got), Unsaid(c, got)...)
	for _, d := range diffs {
		t.Error(d)
	}
	if len(diffs) > 0 && len(got.Runs) > 0 {
		last := got.Runs[len(got.Runs)-1]
		t.Logf("stdout of the last run:\n%s\nstderr:\n%s", tail(last.Stdout), tail(last.Stderr))
	}
}

func tail(s string) string {
	if len(s) > 1500 {
		return "…" + s[len(s)-1500:]
	}
	return s
}

// TestNoStrayGolden fails when a golden file has lost its case.
func TestNoStrayGolden(t *testing.T) {
	if *only != "" {
		t.Skip("only some cases")
	}
	known := map[string]bool{}
	for _, c := range loadCases(t) {
		known[goldenPath(c)] = true
	}
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[f] {
			t.Errorf("%s belongs to no case", f)
		}
	}
}
