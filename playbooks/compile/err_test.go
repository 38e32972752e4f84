package compile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var expectation = regexp.MustCompile(`# (ERROR|WARNING): (.*)$`)

// TestErrors compiles broken playbooks: each problem must be reported on the line whose
// comment announces it, and nothing else. Several on one line are separated by "; ".
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("../testdata/err/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			path, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, _, ds := Compile(Options{Playbooks: []string{path}, RolesPath: []string{}, CollectionsPath: []string{}, Variables: []string{"inventory_variable"}})
			got := map[int][]string{}
			for _, d := range ds.Sorted() {
				msg := strings.ToUpper(d.Severity.String()) + ": " + d.Summary
				if d.Hint != "" {
					msg += " (" + d.Hint + ")"
				}
				got[d.At.Line] = append(got[d.At.Line], msg)
			}
			for i, line := range strings.Split(string(text), "\n") {
				m := expectation.FindStringSubmatch(line)
				var want []string
				if m != nil {
					want = strings.Split(m[2], "; ")
				}
				have := got[i+1]
				if len(want) != len(have) {
					t.Errorf("%s:%d: %s\n\twant %q\n\tgot  %q", file, i+1, strings.TrimSpace(line), want, have)
					continue
				}
				for j, w := range want {
					found := false
					for _, h := range have {
						found = found || strings.HasPrefix(h, m[1]+": ") && strings.Contains(h, strings.TrimSpace(w))
					}
					if !found {
						t.Errorf("%s:%d: want %q (%d)\n\tgot  %q", file, i+1, w, j, have)
					}
				}
			}
			for _, h := range got[0] {
				t.Errorf("without a line: %s", h)
			}
		})
	}
}
