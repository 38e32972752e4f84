package packages

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

// dnfTransaction is what dnf does, or would do.
type dnfTransaction struct {
	installed, removed []string // as NAME-VERSION-RELEASE.ARCH
	groups             int      // packages that come with groups
	unmatched          []string
}

func (t *dnfTransaction) empty() bool { return len(t.installed)+len(t.removed) == 0 }

// parseDNF reads the table of packages that dnf prints before it begins. A row may be
// broken after any of its columns. db gives the versions that are replaced.
func parseDNF(text string, db *rpmDB) *dnfTransaction {
	t := &dnfTransaction{}
	section, row := "", []string(nil)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if name, ok := unmatched(line); ok {
			t.unmatched = append(t.unmatched, name)
		}
		switch {
		case strings.HasPrefix(line, "Transaction Summary"):
			return t
		case line != "" && line[0] != ' ' && strings.HasSuffix(line, ":"):
			section, row = strings.TrimSuffix(line, ":"), nil
		case section == "" || line == "" || line[0] != ' ':
			row = nil
		default:
			if row = append(row, strings.Fields(line)...); t.row(section, row, db) {
				row = nil
			}
		}
	}
	return t
}

// row takes one row of the table; false when more of it follows.
func (t *dnfTransaction) row(section string, f []string, db *rpmDB) bool {
	if f[0] == "replacing" {
		if len(f) < 3 {
			return false
		}
		if len(f) == 3 { // dnf 4: replacing NAME.ARCH VERSION
			i := strings.LastIndexByte(f[1], '.')
			t.removed = append(t.removed, f[1][:max(i, 0)]+"-"+f[2]+f[1][max(i, 0):])
		} else if section == "Installing" || strings.HasPrefix(section, "Installing ") {
			t.removed = append(t.removed, f[1]+"-"+withoutEpoch(f[3])+"."+f[2])
		}
		return true
	}
	if len(f) < 4 {
		return strings.HasPrefix(section, "Installing G") || strings.Contains(section, "module")
	}
	full := f[0] + "-" + withoutEpoch(f[2]) + "." + f[1]
	switch first, _, _ := strings.Cut(section, " "); first {
	case "Installing", "Upgrading", "Downgrading", "Reinstalling":
		t.installed = append(t.installed, full)
		if strings.Contains(section, "group") {
			t.groups++
		}
		if old, ok := db.old(f[0], f[1]); ok && first != "Installing" {
			t.removed = append(t.removed, old.full())
		}
	case "Removing":
		t.removed = append(t.removed, full)
	}
	return true
}

func withoutEpoch(evr string) string { return strings.TrimPrefix(evr, "0:") }

func unmatched(line string) (string, bool) {
	_, name, ok := strings.Cut(line, "No match for argument: ")
	return strings.TrimSpace(name), ok
}

// dnfProblem is why a call of dnf failed, in the words of Ansible's module.
type dnfProblem struct {
	msg      string
	failures []string // specs that cannot be had
}

const someFailed = "Failed to install some of the specified packages"

func dnfProblemOf(out modules.ToolResult) dnfProblem {
	text := out.Stdout + out.Stderr
	var p dnfProblem
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := unmatched(line); ok {
			p.failures = append(p.failures, "No package "+name+" available.")
		}
		if _, name, ok := strings.Cut(line, "All matches were filtered out by exclude filtering for argument: "); ok {
			p.failures = append(p.failures, name+" "+line)
		}
		if rest, ok := strings.CutPrefix(line, "Module or Group '"); ok {
			name, _, _ := strings.Cut(rest, "'")
			return dnfProblem{msg: "No group " + name + " available."}
		}
		if rest, ok := strings.CutPrefix(line, "Package "); ok && strings.HasSuffix(line, " is not signed") {
			name, _, _ := strings.Cut(rest, ".rpm ")
			return dnfProblem{msg: "Failed to validate GPG signature for " + name + ": " + line}
		}
		if strings.HasPrefix(line, "Could not open: ") {
			return dnfProblem{msg: "Error occurred attempting remote rpm operation: " + line}
		}
	}
	if len(p.failures) > 0 {
		p.msg = someFailed
		return p
	}
	return dnfProblem{msg: dnfError(out)}
}

// dnfError turns what dnf says after "Error:" into a message.
func dnfError(out modules.ToolResult) string {
	_, said, ok := strings.Cut(out.Stderr, "Error: ")
	if !ok {
		if _, said, ok = strings.Cut(out.Stderr, "Failed to resolve the transaction:"); ok {
			said = " " + said // dnf 5
		} else {
			said = strings.TrimSpace(withoutRelease(out.Stderr))
		}
	}
	if said == "" {
		said = fmt.Sprintf("dnf ended with %d and said nothing", out.RC)
	}
	said = strings.TrimRight(said, "\n ")
	switch {
	case strings.Contains(said, "Problem"):
		return "Depsolve Error occurred: " + said
	case strings.HasPrefix(said, "Failed to download metadata"):
		return said
	case strings.HasPrefix(said, "Error downloading packages:"):
		return "Failed to download packages: " + strings.TrimSpace(strings.TrimPrefix(said, "Error downloading packages:"))
	}
	return "Unknown Error occurred: " + said
}

// withoutRelease takes the warning away that dnf begins with where no release is known.
func withoutRelease(text string) string {
	if strings.HasPrefix(text, noRelease) {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

const noRelease = "Unable to detect release version"

const dnfListFormat = `%{name}|%{epoch}|%{version}|%{release}|%{arch}|%{repoid}\n`

// dnfPackages reads the answer to a query in dnfListFormat; the packages of a repository
// come together.
func dnfPackages(text, state string) []value.Value {
	var rows [][]string
	order := map[string]int{}
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimSpace(line), "|"); len(f) == 6 {
			rows = append(rows, f)
			if _, seen := order[f[5]]; !seen {
				order[f[5]] = len(order)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return order[a[5]] - order[b[5]] })
	var out []value.Value
	for _, f := range rows {
		if state == "installed" {
			f[5] = "@System"
		}
		envra := f[1] + ":" + f[0] + "-" + f[2] + "-" + f[3] + "." + f[4]
		out = append(out, value.DictOf("name", f[0], "arch", f[4], "epoch", f[1], "release", f[3], "version", f[2], "repo", f[5],
			"envra", envra, "nevra", envra, "yumstate", state))
	}
	return out
}

// dnfRepos reads dnf repolist.
func dnfRepos(text string) []value.Value {
	var out []value.Value
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(line, "repo id") {
			out = append(out, value.DictOf("repoid", f[0], "state", "enabled"))
		}
	}
	return out
}
