// Package packages holds the modules for package managers and their sources: apt and its
// relatives, package, package_facts, pip, alternatives.
package packages

import (
	"context"
	"os"
	"strings"

	"fettle/modules"
)

// dpkgPackage is one package that dpkg knows something about.
type dpkgPackage struct {
	Name, Arch, Version string
	Want                string // install, hold, deinstall, purge
	Status              string // installed, config-files, half-installed, ...
	Section, Source     string
	Provides            []string
}

func (p *dpkgPackage) installed() bool { return p.Status == "installed" }

// dpkgDB is what is installed, by name; the machine's own architecture comes first.
type dpkgDB struct {
	byName    map[string][]*dpkgPackage
	providers map[string]bool // virtual names that an installed package provides
}

const dpkgStatusFile = "/var/lib/dpkg/status"

// readDpkg reads dpkg's database; through dpkg-query while an unfinished dpkg left a
// journal beside it.
func readDpkg(ctx context.Context, h *modules.Host) (*dpkgDB, error) {
	if pending, err := os.ReadDir("/var/lib/dpkg/updates"); err == nil && len(pending) == 0 {
		text, err := os.ReadFile(dpkgStatusFile)
		if err != nil {
			return nil, err
		}
		return parseDpkg(string(text)), nil
	}
	out, err := h.Tool(ctx, "dpkg-query", "-W", "-f", `Package: ${Package}\nStatus: ${Status}\nArchitecture: ${Architecture}\nVersion: ${Version}\nSection: ${Section}\nSource: ${Source}\nProvides: ${Provides}\n\n`)
	if err != nil {
		return nil, err
	}
	if out.RC != 0 {
		return nil, modules.Failf("dpkg-query: %s", strings.TrimSpace(out.Stderr))
	}
	return parseDpkg(out.Stdout), nil
}

func parseDpkg(text string) *dpkgDB {
	db := &dpkgDB{byName: make(map[string][]*dpkgPackage, 1024), providers: map[string]bool{}}
	for stanza := range strings.SplitSeq(text, "\n\n") {
		if p := parseStanza(stanza); p != nil {
			db.byName[p.Name] = append(db.byName[p.Name], p)
			for _, v := range p.Provides {
				db.providers[v] = db.providers[v] || p.installed()
			}
		}
	}
	return db
}

func parseStanza(stanza string) *dpkgPackage {
	p := &dpkgPackage{}
	for line := range strings.SplitSeq(stanza, "\n") {
		key, v, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, " ") {
			continue
		}
		v = strings.TrimSpace(v)
		switch key {
		case "Package":
			p.Name = v
		case "Status":
			if f := strings.Fields(v); len(f) == 3 {
				p.Want, p.Status = f[0], f[2]
			}
		case "Architecture":
			p.Arch = v
		case "Version":
			p.Version = v
		case "Section":
			p.Section = v
		case "Source":
			p.Source, _, _ = strings.Cut(v, " ")
		case "Provides":
			for one := range strings.SplitSeq(v, ",") {
				name, _, _ := strings.Cut(strings.TrimSpace(one), " ")
				if name != "" {
					p.Provides = append(p.Provides, name)
				}
			}
		}
	}
	if p.Name == "" {
		return nil
	}
	return p
}

// find is the best match of a name, which may end in :ARCH: an installed one first.
func (db *dpkgDB) find(name string) *dpkgPackage {
	base, arch, _ := strings.Cut(name, ":")
	var found *dpkgPackage
	for _, p := range db.byName[base] {
		if arch != "" && arch != "any" && p.Arch != arch && p.Arch != "all" {
			continue
		}
		if found == nil || p.installed() && !found.installed() {
			found = p
		}
	}
	return found
}

// compareVersions orders two Debian versions: -1, 0 or 1.
func compareVersions(a, b string) int {
	ea, a := cutEpoch(a)
	eb, b := cutEpoch(b)
	if c := compareDigits(ea, eb); c != 0 {
		return c
	}
	ua, ra := cutRevision(a)
	ub, rb := cutRevision(b)
	if c := comparePart(ua, ub); c != 0 {
		return c
	}
	return comparePart(ra, rb)
}

func cutEpoch(v string) (epoch, rest string) {
	if e, r, ok := strings.Cut(v, ":"); ok {
		return e, r
	}
	return "0", v
}

func cutRevision(v string) (upstream, revision string) {
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return v[:i], v[i+1:]
	}
	return v, ""
}

// comparePart compares alternating runs of other characters and of digits. A tilde sorts
// before everything, even the end; letters before other characters.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if oa, ob := order(a), order(b); oa != ob {
				if oa < ob {
					return -1
				}
				return 1
			}
			a, b = tail(a), tail(b)
		}
		na, nb := digits(a), digits(b)
		if c := compareDigits(a[:na], b[:nb]); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func tail(s string) string {
	if s == "" {
		return s
	}
	return s[1:]
}

func order(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		if len(a) < len(b) {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}
