package ansible

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"fettle/engine/template"
)

// TestCoverage prints which plugins of testdata/plugins.json are missing. Those of
// ansible.builtin must all be there.
func TestCoverage(t *testing.T) {
	raw, err := os.ReadFile("testdata/plugins.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	has := map[string]func(string) bool{"filter": template.HasFilter, "test": template.HasTest, "lookup": template.HasLookup}
	for _, kind := range []string{"filter", "test", "lookup"} {
		var missing []string
		for _, name := range want[kind] {
			if has[kind](name) {
				continue
			}
			missing = append(missing, name)
			if strings.HasPrefix(name, "ansible.builtin.") {
				t.Errorf("%s %s is missing", kind, name)
			}
		}
		slices.Sort(missing)
		t.Logf("%ss: %d of %d; missing: %s", kind, len(want[kind])-len(missing), len(want[kind]), strings.Join(missing, " "))
	}
}
