//go:build integration

package templates

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

var (
	collections = flag.String("collections", "", "site-packages folder, under -oracle, that holds ansible_collections and the Python libraries they need")
	each        = flag.Int("each", 60, "how many cases of every pattern of a collection plugin are compared")
)

var hole = regexp.MustCompile(`\{[a-z0-9_]+\}`)

// TestCollections renders filters, tests and lookups of collections with Ansible and with fettle.
// A plugin that fettle does not have must be refused by name.
func TestCollections(t *testing.T) {
	if *collections == "" {
		t.Skip("no -collections folder")
	}
	t.Setenv("PYTHONPATH", *collections)
	t.Setenv("ANSIBLE_COLLECTIONS_PATH", *collections)
	o := startOracle(t, "")
	probe := o.ask(t, []map[string]any{{"id": 0, "kind": "expr", "expr": "'10.0.0.1/8'|ansible.utils.ipaddr('network')", "vars": map[string]any{}}})
	if probe[0].Error != nil {
		t.Skipf("no collections in %s: %s", *collections, probe[0])
	}
	total, refused := 0, map[string]bool{}
	for _, p := range plugins {
		if *only != "" && !strings.Contains(","+*only+",", ","+p.group+",") {
			continue
		}
		r := rand.New(rand.NewPCG(*seed, 2))
		var cases []map[string]any
		for _, pattern := range p.patterns {
			cases = append(cases, fillPattern(t, r, pattern, len(cases))...)
		}
		theirs, ours := o.ask(t, cases), render(t, cases)
		wrong := 0
		for i, c := range cases {
			total++
			switch why := collectionExplained(caseText(c), theirs[i], ours[i]); {
			case why != "" || sameCollection(theirs[i], ours[i]):
			case ours[i].Error != nil && strings.Contains(*ours[i].Error, "is not supported"):
				refused[*ours[i].Error] = true
			default:
				wrong++
				t.Errorf("%s %s\n  ansible %s\n  fettle  %s", p.group, caseText(c), theirs[i], ours[i])
			}
		}
		t.Logf("%s: %d cases, %d differ", p.group, len(cases), wrong)
	}
	t.Logf("%d cases; refused: %v", total, refused)
}

// fillPattern gives cases of one pattern, each once.
func fillPattern(t *testing.T, r *rand.Rand, pattern string, first int) []map[string]any {
	var out []map[string]any
	seen := map[string]bool{}
	for range *each {
		expr := hole.ReplaceAllStringFunc(pattern, func(h string) string {
			choices := fills[strings.Trim(h, "{}")]
			if len(choices) == 0 {
				t.Fatalf("nothing fills %s", h)
			}
			return choices[r.IntN(len(choices))]
		})
		if seen[expr] {
			continue
		}
		seen[expr] = true
		out = append(out, map[string]any{"id": first + len(out), "kind": "expr", "expr": expr, "vars": collectionVars, "compat": "2.19"})
	}
	return out
}

func sameCollection(a, b result) bool {
	if a.Error != nil || b.Error != nil {
		return a.Error != nil && b.Error != nil && !strings.HasPrefix(*b.Error, "internal error")
	}
	return a.Repr == b.Repr
}

// collectionExplained says why a case is not compared, or "".
func collectionExplained(text string, theirs, ours result) string {
	switch {
	case theirs.Error != nil && strings.Contains(*theirs.Error, "missing 1 required positional argument: 'value'"):
		return "the queries v4 and v6 do what ipv4 and ipv6 do"
	case theirs.Error == nil && ours.Error != nil && strings.Contains(*ours.Error, "is not in the subnet") && strings.Contains(text, ":"):
		return "an address and a network of different families"
	}
	return oddities[strings.TrimPrefix(text, "expr: ")]
}

// oddities are single cases of which Ansible makes something that nobody can want.
var oddities = map[string]string{
	"'::/96'|ansible.utils.ipsubnet(32, 0)":                     "an IPv6 network turns into an IPv4 one",
	"'2001:db8::1/129'|ansible.utils.previous_nth_usable(none)": "an argument that is None is refused at once",
}
