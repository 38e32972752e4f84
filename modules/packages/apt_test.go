package packages

import (
	"slices"
	"testing"
)

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "1.1", -1}, {"1.10", "1.9", 1}, {"1:0.1", "9.9", 1}, {"0:1", "1", 0},
		{"1.0~rc1", "1.0", -1}, {"1.0~~", "1.0~", -1}, {"1.0+b1", "1.0", 1}, {"1.0-1", "1.0-1+deb12u1", -1},
		{"1.0-1~bpo12+1", "1.0-1", -1}, {"007", "7", 0}, {"2.10-3", "2.10-2", 1}, {"1.0a", "1.0+", -1}, {"1.0", "1.0-0", 0},
		{"1.2.3-4-5", "1.2.3-4", 1},
	} {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: got %d", c.a, c.b, got)
		}
		if got := compareVersions(c.b, c.a); got != -c.want {
			t.Errorf("%s and %s: got %d", c.b, c.a, got)
		}
	}
}

const statusText = `Package: mawk
Status: install ok installed
Architecture: amd64
Source: mawk (1.3)
Version: 1.3.4-3
Provides: awk, other (= 1)
Description: line
 Package: not a field

Package: old
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
`

func TestParseDpkg(t *testing.T) {
	db := parseDpkg(statusText)
	if p := db.find("mawk"); p == nil || !p.installed() || p.Version != "1.3.4-3" || p.Source != "mawk" {
		t.Errorf("mawk: %+v", p)
	}
	if !db.providers["awk"] || !db.providers["other"] {
		t.Errorf("providers: %v", db.providers)
	}
	if p := db.find("old"); p == nil || p.installed() || p.Status != "config-files" {
		t.Errorf("old: %+v", p)
	}
	if p := db.find("libc6:i386"); p == nil || p.Arch != "i386" {
		t.Errorf("libc6:i386: %+v", p)
	}
	if p := db.find("libc6:armhf"); p != nil {
		t.Errorf("libc6:armhf: %+v", p)
	}
}

const policyText = `cron:
  Installed: 3.0pl1-162
  Candidate: 3.0pl1-162
  Version table:
 *** 3.0pl1-162 500
        500 http://deb.example.org/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
hello:
  Installed: (none)
  Candidate: 2.12-1
  Version table:
     2.12-1 990
        990 http://deb.example.org/debian trixie/main amd64 Packages
     2.10-3 500
        500 http://deb.example.org/debian bookworm/main amd64 Packages
awk:
  Installed: (none)
  Candidate: (none)
  Version table:
`

func TestChoose(t *testing.T) {
	known := parsePolicies(policyText)
	if got := known["hello"].versions; !slices.Equal(got, []string{"2.12-1", "2.10-3"}) {
		t.Fatalf("versions of hello: %q", got)
	}
	installed := func(v string) *dpkgPackage { return &dpkgPackage{Name: "x", Version: v, Status: "installed"} }
	for _, c := range []struct {
		name, spec, state string
		now               *dpkgPackage
		want, fails       string
	}{
		{name: "new", spec: "hello", want: "hello"},
		{name: "unknown", spec: "nope", fails: "No package matching 'nope' is available"},
		{name: "version", spec: "hello=2.10-3", want: "hello=2.10-3"},
		{name: "version pattern", spec: "hello=2.1*", want: "hello=2.12-1"},
		{name: "older pattern", spec: "hello=2.10*", want: "hello=2.10-3"},
		{name: "no such version", spec: "hello=9*", fails: "no available installation candidate for hello=9*"},
		{name: "at least", spec: "hello>=2.11", now: installed("2.10-3"), want: "hello=2.12-1"},
		{name: "latest is installed", spec: "hello", state: "latest", now: installed("2.12-1")},
		{name: "latest is newer", spec: "hello", state: "latest", now: installed("2.10-3"), want: "hello"},
		{name: "installed is newer than the archive", spec: "hello", state: "latest", now: installed("3.0")},
		{name: "virtual", spec: "awk", want: "awk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(parseAptSpec(c.spec), c.now, known, c.state)
			if got != c.want || c.fails == "" != (err == nil) || err != nil && err.Error() != c.fails {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestAptOutput(t *testing.T) {
	out := "Reading package lists...\nReading state information...\nThe following NEW packages will be installed:\n  hello\n" +
		"0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.\nInst hello (2.10-3)\n"
	if got := aptDiff(out); got != "The following NEW packages will be installed:\n  hello\n0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded." {
		t.Errorf("diff: %q", got)
	}
	if nothingDone(out) || !nothingDone("0 upgraded, 0 newly installed, 0 to remove and 3 not upgraded.\n") {
		t.Error("nothingDone")
	}
	if nothingDone("0 upgraded, 0 newly installed, 0 to remove and 3 not upgraded.\n1 not fully installed or removed.\n") {
		t.Error("an unfinished package counts as nothing")
	}
	if got := missingPackage("E: Unable to locate package zzf\n"); got != "zzf" {
		t.Errorf("missing: %q", got)
	}
	auto := autoInstalled("Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n")
	if !auto["a"] || auto["b"] {
		t.Errorf("automatic: %v", auto)
	}
}
