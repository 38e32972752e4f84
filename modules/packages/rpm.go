package packages

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"fettle/modules"
)

// rpmPackage is one installed package.
type rpmPackage struct{ name, epoch, version, release, arch string }

// full is the package as dnf writes it.
func (p rpmPackage) full() string {
	epoch := ""
	if p.epoch != "0" && p.epoch != "" {
		epoch = p.epoch + ":"
	}
	return p.name + "-" + epoch + p.version + "-" + p.release + "." + p.arch
}

// compare orders the package's version and another one of the form [EPOCH:]VERSION[-RELEASE],
// by as much of it as there is.
func (p rpmPackage) compare(evr string) int {
	if e, rest, ok := strings.Cut(evr, ":"); ok {
		if c := compareRPM(cmp.Or(p.epoch, "0"), e); c != 0 {
			return c
		}
		evr = rest
	}
	v, r, hasRelease := strings.Cut(evr, "-")
	if c := compareRPM(p.version, v); c != 0 || !hasRelease {
		return c
	}
	return compareRPM(p.release, r)
}

const rpmFormat = `%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n`

// rpmQuery calls rpm -q below root and reads packages in rpmFormat.
func rpmQuery(ctx context.Context, h *modules.Host, root string, words ...string) ([]rpmPackage, error) {
	argv := []string{"rpm"}
	if root != "" && root != "/" {
		argv = append(argv, "--root", root)
	}
	out, err := h.Tool(ctx, append(append(argv, "-q", "--qf", rpmFormat), words...)...)
	if err != nil {
		return nil, err
	}
	var found []rpmPackage
	for line := range strings.Lines(out.Stdout) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 5 {
			found = append(found, rpmPackage{f[0], f[1], f[2], f[3], f[4]})
		}
	}
	return found, nil
}

// rpmSpec is what a task may write for a package: a name, name-version and longer forms,
// "name >= version", a file or another thing packages provide.
type rpmSpec struct{ text, name, op, evr string }

func parseRPMSpec(s string) rpmSpec {
	at := strings.IndexAny(s, "<>=")
	if at < 0 {
		return rpmSpec{text: s, name: s}
	}
	end := at
	for end < len(s) && strings.IndexByte("<>=", s[end]) >= 0 {
		end++
	}
	return rpmSpec{s, strings.TrimSpace(s[:at]), s[at:end], strings.TrimSpace(s[end:])}
}

func (s rpmSpec) glob() bool { return strings.ContainsAny(s.text, "*?[") }

// matches tells whether an installed package is one that the spec means.
func (s rpmSpec) matches(p rpmPackage) bool {
	if s.op != "" {
		if s.name != p.name && s.name != p.name+"."+p.arch {
			return false
		}
		c := p.compare(s.evr)
		return c < 0 && strings.Contains(s.op, "<") || c > 0 && strings.Contains(s.op, ">") || c == 0 && strings.Contains(s.op, "=")
	}
	if s.text == p.name || s.text == p.name+"."+p.arch {
		return true
	}
	evr, ok := s.after(p)
	if !ok {
		return false
	}
	if e, rest, ok := strings.Cut(evr, ":"); ok {
		if e != cmp.Or(p.epoch, "0") {
			return false
		}
		evr = rest
	}
	long := p.version + "-" + p.release
	return evr == p.version || evr == long || evr == long+"."+p.arch
}

// after is the version in NAME-VERSION when NAME is p's.
func (s rpmSpec) after(p rpmPackage) (evr string, ok bool) {
	rest, ok := strings.CutPrefix(s.text, p.name+"-")
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimSuffix(rest, "."+p.arch), ".noarch"), true
}

// older tells whether the spec means a version older than p, of the same package.
func (s rpmSpec) older(p rpmPackage) bool {
	if s.op != "" {
		return (s.name == p.name || s.name == p.name+"."+p.arch) && !strings.Contains(s.op, ">") && !s.matches(p) && p.compare(s.evr) >= 0
	}
	evr, ok := s.after(p)
	return ok && p.compare(evr) > 0
}

// rpmDB is what is installed below a root.
type rpmDB struct {
	root string
	all  []rpmPackage
}

func readRPM(ctx context.Context, h *modules.Host, root string) (*rpmDB, error) {
	all, err := rpmQuery(ctx, h, root, "-a")
	return &rpmDB{root, all}, err
}

// installed tells whether a package, or one that provides what is asked for, is there.
func (db *rpmDB) installed(ctx context.Context, h *modules.Host, s rpmSpec) (bool, error) {
	if slices.ContainsFunc(db.all, s.matches) {
		return true, nil
	}
	if s.op != "" || s.glob() {
		return false, nil
	}
	found, err := rpmQuery(ctx, h, db.root, "--whatprovides", s.text)
	return len(found) > 0, err
}

// anyOf tells whether a package whose name fits a pattern is installed.
func (db *rpmDB) anyOf(s rpmSpec) bool {
	return slices.ContainsFunc(db.all, func(p rpmPackage) bool { return fits(s.text, p.name) })
}

// old is the installed package that a new one takes the place of.
func (db *rpmDB) old(name, arch string) (rpmPackage, bool) {
	i := slices.IndexFunc(db.all, func(p rpmPackage) bool { return p.name == name && p.arch == arch })
	if i < 0 {
		i = slices.IndexFunc(db.all, func(p rpmPackage) bool { return p.name == name })
	}
	if i < 0 {
		return rpmPackage{}, false
	}
	return db.all[i], true
}

// compareRPM orders two versions as rpm does: runs of digits by value, runs of letters as
// text, digits after letters; a tilde is before everything, a caret after the end only.
func compareRPM(a, b string) int {
	for a != "" || b != "" {
		a, b = skipSeparators(a), skipSeparators(b)
		if c, found := compareMark(&a, &b, '~', -1); found {
			if c != 0 {
				return c
			}
			continue
		}
		if c, found := compareMark(&a, &b, '^', 1); found {
			if c != 0 {
				return c
			}
			continue
		}
		if a == "" || b == "" {
			break
		}
		isNumber := isDigit(a[0])
		ra, rb := run(a, isNumber), run(b, isNumber)
		if rb == 0 {
			if isNumber {
				return 1
			}
			return -1
		}
		c := strings.Compare(a[:ra], b[:rb])
		if isNumber {
			c = compareDigits(a[:ra], b[:rb])
		}
		if c != 0 {
			return c
		}
		a, b = a[ra:], b[rb:]
	}
	return cmp.Compare(min(len(a), 1), min(len(b), 1))
}

// compareMark handles a tilde (which sorts low) or a caret at the start of either text.
func compareMark(a, b *string, mark byte, sign int) (c int, found bool) {
	inA, inB := *a != "" && (*a)[0] == mark, *b != "" && (*b)[0] == mark
	switch {
	case !inA && !inB:
		return 0, false
	case inA && inB:
		*a, *b = (*a)[1:], (*b)[1:]
		return 0, true
	case mark == '^' && inA && *b != "" || mark == '~' && inA:
		return -1, true
	case mark == '^' && inB && *a != "" || mark == '~' && inB:
		return 1, true
	case inA:
		return sign, true
	}
	return -sign, true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func skipSeparators(s string) string {
	return strings.TrimLeftFunc(s, func(c rune) bool {
		return c != '~' && c != '^' && (c > 127 || !isDigit(byte(c)) && !isLetter(byte(c)))
	})
}

// run is the length of the digits or letters s begins with.
func run(s string, digits bool) int {
	n := 0
	for n < len(s) && (digits && isDigit(s[n]) || !digits && isLetter(s[n])) {
		n++
	}
	return n
}
