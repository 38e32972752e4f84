package differential

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	idPattern    = regexp.MustCompile(`\b([A-Z]{3}(?:2\d\d)?)-(\d{2,3})\b`)
	rangePattern = regexp.MustCompile(`\b([A-Z]{3})-(\d{2}) to ([A-Z]{3})-(\d{2})\b`)
)

// cited collects the ids a text names; "PAT-01 to PAT-09" names nine.
func cited(text string, ids map[string]bool) {
	for _, m := range idPattern.FindAllString(text, -1) {
		ids[m] = true
	}
	for _, m := range rangePattern.FindAllStringSubmatch(text, -1) {
		from, ferr := strconv.Atoi(m[2])
		to, terr := strconv.Atoi(m[4])
		for n := from; ferr == nil && terr == nil && m[1] == m[3] && n <= to; n++ {
			ids[fmt.Sprintf("%s-%02d", m[1], n)] = true
		}
	}
}

// shows tells that a file is a test, or the page with the differences.
func shows(path string) bool {
	name := filepath.Base(path)
	switch {
	case name == "COMPATIBILITY.md", strings.HasSuffix(name, "_test.go"):
		return true
	case name == "ids.txt" || !strings.Contains(path, "testdata"):
		return false
	}
	ext := filepath.Ext(name)
	return ext == ".yml" || ext == ".txtar" || ext == ".txt"
}

// TestEveryBehaviourIsCited: each id of the list of behaviours is named by a test that
// shows it, or by COMPATIBILITY.md. FLD are the points of what real content does (testdata/content).
func TestEveryBehaviourIsCited(t *testing.T) {
	ids := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !shows(path) {
			return nil
		}
		b, err := os.ReadFile(path)
		cited(string(b), ids)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, id := range strings.Fields(string(list)) {
		known[id] = true
		if !ids[id] {
			t.Errorf("%s is shown by no test and not in COMPATIBILITY.md", id)
		}
	}
	if len(known) < 390 {
		t.Errorf("the list has only %d ids", len(known))
	}
	cases, err := LoadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		for _, id := range c.IDs {
			if !known[id] {
				t.Errorf("%s cites %q, which is not in ids.txt", c.Name, id)
			}
		}
	}
}

func TestCited(t *testing.T) {
	ids := map[string]bool{}
	cited("shows KVP-01 to KVP-04 and CHG219-010, not UTF8-1", ids)
	for _, want := range []string{"KVP-01", "KVP-02", "KVP-03", "KVP-04", "CHG219-010"} {
		if !ids[want] {
			t.Errorf("%s is not found", want)
		}
	}
	if len(ids) != 5 {
		t.Errorf("found %v", ids)
	}
}
