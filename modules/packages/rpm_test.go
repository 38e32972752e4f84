package packages

import (
	"slices"
	"testing"

	"fettle/modules"
)

func TestCompareRPM(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0.1", "2.0", 1}, {"1.10", "1.9", 1}, {"1.0", "1.0a", -1}, {"1.0.1", "1.0a", 1},
		{"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc2", -1}, {"1.0^", "1.0", 1}, {"1.0^git1", "1.0.1", -1}, {"1.0^git1~pre", "1.0^git1", -1},
		{"5.5p10", "5.5p2", 1}, {"xyz10", "xyz10.1", -1}, {"xyz.4", "8", -1}, {"10b2", "10a1", 1}, {"1_0", "1.0", 0}, {"007", "7", 0}, {"1.0.", "1.0", 0},
		{"", "1", -1}, {"a", "", 1}, {"1.0~", "1.0", -1}, {"1.0^20", "1.0~rc1", 1},
	} {
		if got := compareRPM(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: got %d", c.a, c.b, got)
		}
		if got := compareRPM(c.b, c.a); got != -c.want {
			t.Errorf("%s and %s: got %d", c.b, c.a, got)
		}
	}
}

func TestRPMSpec(t *testing.T) {
	p := rpmPackage{"mod-ssl", "1", "2.4", "3.el9", "x86_64"}
	for _, c := range []struct {
		spec           string
		matches, older bool
	}{
		{"mod-ssl", true, false}, {"mod-ssl.x86_64", true, false}, {"mod", false, false}, {"mod-ssl.i686", false, false},
		{"mod-ssl-2.4", true, false}, {"mod-ssl-2.4-3.el9", true, false}, {"mod-ssl-2.4-3.el9.x86_64", true, false}, {"mod-ssl-1:2.4-3.el9", true, false},
		{"mod-ssl-0:2.4", false, true}, {"mod-ssl-2.3", false, true}, {"mod-ssl-2.5", false, false}, {"mod-ssl-2.4-2.el9", false, true},
		{"mod-ssl >= 2.4", true, false}, {"mod-ssl>2.4", false, false}, {"mod-ssl < 1:2.4", false, true}, {"mod-ssl <= 1:2.4", true, false},
		{"mod-ssl = 1:2.4-3.el9", true, false}, {"mod-ssl = 2.3", false, true}, {"mod-ssl > 3", false, false}, {"mod-ssl-devel", false, false},
	} {
		s := parseRPMSpec(c.spec)
		if s.matches(p) != c.matches || s.older(p) != c.older {
			t.Errorf("%s: matches %v, older %v", c.spec, s.matches(p), s.older(p))
		}
	}
	if got := p.full(); got != "mod-ssl-1:2.4-3.el9.x86_64" {
		t.Errorf("full: %s", got)
	}
}

const dnfTable = `Last metadata expiration check: 0:00:03 ago.
No match for argument: nope
Dependencies resolved.
================================================================================
 Package         Arch   Version        Repository   Size
================================================================================
Installing:
 a-package-with-a-very-long-name-that-leaves-no-room
                 noarch 0:1.0-1        local       5.4 k
 beta            x86_64 2:1.0-1        local       5.4 k
     replacing  oldbeta.x86_64 0.9-1
Upgrading:
 alpha           noarch 1.1-1          local       5.4 k
Installing dependencies:
 dep             noarch 3-1            local       5.4 k
Removing dependent packages:
 gone            noarch 1-1            @local       0
Skipping packages with broken dependencies:
 broken          noarch 1.0-1          local       5.4 k

Transaction Summary
================================================================================
Install  3 Packages
Upgrade  1 Package
`

func TestParseDNF(t *testing.T) {
	db := &rpmDB{all: []rpmPackage{{"alpha", "0", "1.0", "1", "noarch"}}}
	got := parseDNF(dnfTable, db)
	want := []string{"a-package-with-a-very-long-name-that-leaves-no-room-1.0-1.noarch", "beta-2:1.0-1.x86_64", "alpha-1.1-1.noarch", "dep-3-1.noarch"}
	if !slices.Equal(got.installed, want) {
		t.Errorf("installed: %q", got.installed)
	}
	if want := []string{"oldbeta-0.9-1.x86_64", "alpha-1.0-1.noarch", "gone-1-1.noarch"}; !slices.Equal(got.removed, want) {
		t.Errorf("removed: %q", got.removed)
	}
	if !slices.Equal(got.unmatched, []string{"nope"}) {
		t.Errorf("unmatched: %q", got.unmatched)
	}
	if !parseDNF("Dependencies resolved.\nNothing to do.\nComplete!\n", db).empty() {
		t.Error("nothing to do counts as something")
	}
	five := parseDNF("Package Arch Version Repository Size\nUpgrading:\n alpha noarch 1.1-1 local 5.4 KiB\n   replacing alpha noarch 1.0-1 local 5.0 KiB\n"+
		"Installing:\n new noarch 1-1 local 1.0 KiB\n   replacing old noarch 0:0.5-1 local 1.0 KiB\n\nTransaction Summary:\n", db)
	if !slices.Equal(five.installed, []string{"alpha-1.1-1.noarch", "new-1-1.noarch"}) || !slices.Equal(five.removed, []string{"alpha-1.0-1.noarch", "old-0.5-1.noarch"}) {
		t.Errorf("dnf 5: %+v", five)
	}
}

func TestDNFProblem(t *testing.T) {
	for _, c := range []struct {
		name, stdout, stderr, msg string
		failures                  []string
	}{
		{"missing", "No match for argument: nope\n", "Error: Unable to find a match: nope\n", someFailed, []string{"No package nope available."}},
		{"conflict", "", "Error: \n Problem: conflicting requests\n  - nothing provides x\n", "Depsolve Error occurred: \n Problem: conflicting requests\n  - nothing provides x", nil},
		{"signature", "", "Package beta-1.0-1.noarch.rpm is not signed\nError: GPG check FAILED\n", "Failed to validate GPG signature for beta-1.0-1.noarch: Package beta-1.0-1.noarch.rpm is not signed", nil},
		{"group", "Module or Group 'x' is not available.\n", "Error: Nothing to do.\n", "No group x available.", nil},
		{"repository", "", "Error: Failed to download metadata for repo 'r': Cannot download\n", "Failed to download metadata for repo 'r': Cannot download", nil},
		{"other", "", "Error: This and that\n", "Unknown Error occurred: This and that", nil},
		{"dnf 5", "", "Failed to resolve the transaction:\nNo match for argument: nope\n", someFailed, []string{"No package nope available."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := dnfProblemOf(modules.ToolResult{RC: 1, Stdout: c.stdout, Stderr: c.stderr})
			if got.msg != c.msg || !slices.Equal(got.failures, c.failures) {
				t.Errorf("%q %q", got.msg, got.failures)
			}
		})
	}
}

func TestSplitCommas(t *testing.T) {
	if got := splitCommas([]string{"a,b", "c", " d "}); !slices.Equal(got, []string{"c", "d", "a", "b"}) {
		t.Errorf("%q", got)
	}
	if got := splitCommas([]string{""}); got != nil {
		t.Errorf("%q", got)
	}
}
