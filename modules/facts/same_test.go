package facts

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

func callSetup(t testing.TB, args ...value.Value) map[string]any {
	t.Helper()
	out := modules.Call(context.Background(), &modules.Host{}, "ansible.builtin.setup", value.DictOf(args...), false)
	var r struct {
		Facts map[string]any `json:"ansible_facts"`
		Msg   string
	}
	if err := json.Unmarshal(out, &r); err != nil || r.Facts == nil {
		t.Fatalf("%v %.300s", err, out)
	}
	return r.Facts
}

// changing are facts that differ from one moment to the next, or with the process.
var changing = regexp.MustCompile(`^ansible_(date_time|env|memfree_mb|memory_mb|loadavg|uptime_seconds|swapfree_mb|devices\.zram.*)$`)

// newer are facts that Ansible before 2.19 does not have.
var newer = []string{"ansible_flags", "ansible_systemd", "ansible_locally_reachable_ips"}

// TestSameAsAnsible compares every fact of this machine with what Ansible's setup finds.
// Both look one after the other, and the machine moves meanwhile (interfaces, mounts of other programs):
// a difference is one that each of three comparisons shows.
func TestSameAsAnsible(t *testing.T) {
	tool, err := exec.LookPath("ansible")
	if err != nil {
		t.Skip("ansible is not installed")
	}
	diffs := diffFacts(theirSetup(t, tool), callSetup(t, "_python", "/usr/bin/python3"))
	for range 2 {
		if len(diffs) == 0 {
			break
		}
		again := diffFacts(theirSetup(t, tool), callSetup(t, "_python", "/usr/bin/python3"))
		maps.DeleteFunc(diffs, func(fact, _ string) bool { return again[fact] == "" })
	}
	for _, fact := range slices.Sorted(maps.Keys(diffs)) {
		t.Errorf("%s %s", fact, diffs[fact])
	}
}

func theirSetup(t *testing.T, tool string) map[string]any {
	t.Helper()
	cmd := exec.Command(tool, "localhost", "-c", "local", "-m", "setup")
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "HOME="+t.TempDir(), "ANSIBLE_REMOTE_TMP="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(out), "=>")
	var theirs struct {
		Facts map[string]any `json:"ansible_facts"`
	}
	if err := json.Unmarshal([]byte(text), &theirs); err != nil {
		t.Fatal(err)
	}
	return theirs.Facts
}

// diffFacts says for each fact that differs how it does.
func diffFacts(theirs, ours map[string]any) map[string]string {
	diffs := map[string]string{}
	for k, b := range ours {
		a, inTheirs := theirs[k]
		switch {
		case slices.Contains(newer, k) && !inTheirs:
		case !inTheirs:
			diffs[k] = "should not be there: " + show(b)
		case changing.MatchString(k):
			if reflect.TypeOf(a) != reflect.TypeOf(b) {
				diffs[k] = fmt.Sprintf("has type %T, want %T", b, a)
			}
		default:
			if x, y := normal(a), normal(b); !reflect.DeepEqual(x, y) {
				diffs[k] = fmt.Sprintf("is %v\nwant %v", show(y), show(x))
			}
		}
	}
	for k, a := range theirs {
		if _, ok := ours[k]; !ok {
			diffs[k] = "is missing, want " + show(a)
		}
	}
	return diffs
}

func show(v any) string {
	b, _ := json.Marshal(v)
	if len(b) > 1500 {
		b = b[:1500]
	}
	return string(b)
}

// normal sorts lists of texts, makes numbers of numeric sectors, which became numbers in
// 2.19, and drops what mounts got then and what changes all the time.
func normal(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			if n, ok := e.(float64); ok && (k == "sectors") {
				e = show(n)
			}
			switch k {
			case "dump", "passno", "size_available", "block_available", "block_used", "inode_available", "inode_used":
				continue
			case "sectors":
				e = strings.Trim(show(e), `"`)
			}
			out[k] = normal(e)
		}
		return out
	case []any:
		out := slices.Clone(x)
		for i := range out {
			out[i] = normal(out[i])
		}
		sort.Slice(out, func(i, j int) bool { return show(out[i]) < show(out[j]) })
		return out
	}
	return v
}

func BenchmarkSetup(b *testing.B) {
	for b.Loop() {
		callSetup(b)
	}
}
