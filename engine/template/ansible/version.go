package ansible

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	test("version version_compare", "version(value, version, operator='eq', strict=None, version_type=None)", versionTest)
}

func versionTest(_ *template.Call, a []value.Value) (bool, error) {
	if !isTrue(a[0]) {
		return false, errors.New("Input version value cannot be empty")
	}
	if !isTrue(a[1]) {
		return false, errors.New("Version parameter to compare against cannot be empty")
	}
	op, ok := operators[text(a[2])]
	if !ok {
		return false, fmt.Errorf("Invalid operator type (%s). Must be one of ==, =, eq, <, lt, <=, le, >, gt, >=, ge, !=, <>, ne", text(a[2]))
	}
	kind := "loose"
	if a[4] != nil {
		kind = text(a[4])
	}
	if a[3] != nil && a[4] != nil {
		return false, errors.New("Cannot specify both 'strict' and 'version_type'")
	}
	if isTrue(a[3]) {
		kind = "strict"
	}
	c, err := compareVersions(kind, text(a[0]), text(a[1]))
	if err != nil {
		return false, fmt.Errorf("Version comparison failed: %w", err)
	}
	return op(c), nil
}

var operators = map[string]func(int) bool{}

func init() {
	for words, f := range map[string]func(int) bool{
		"== = eq":  func(c int) bool { return c == 0 },
		"!= <> ne": func(c int) bool { return c != 0 },
		"< lt":     func(c int) bool { return c < 0 },
		"<= le":    func(c int) bool { return c <= 0 },
		"> gt":     func(c int) bool { return c > 0 },
		">= ge":    func(c int) bool { return c >= 0 },
	} {
		for _, w := range strings.Fields(words) {
			operators[w] = f
		}
	}
}

func compareVersions(kind, a, b string) (int, error) {
	switch kind {
	case "loose":
		return compareLoose(a, b)
	case "strict":
		return compareParsed(a, b, parseStrict)
	case "semver", "semantic":
		return compareParsed(a, b, parseSemver)
	case "pep440":
		return compareParsed(a, b, parsePEP440)
	}
	return 0, fmt.Errorf("Invalid version type (%s). Must be one of loose, strict, semver, semantic, pep440", kind)
}

var looseParts = pyre.MustCompile(`(\d+|[a-z]+|\.)`, 0)

// looseVersion splits into numbers and words, as distutils did.
func looseVersion(s string) ([]value.Value, error) {
	pieces, err := looseParts.Split(s, 0)
	if err != nil {
		return nil, err
	}
	var out []value.Value
	for _, p := range pieces {
		if p.Text == "" || p.Text == "." {
			continue
		}
		if n, ok := value.ParseInt(p.Text, 10); ok {
			out = append(out, n)
		} else {
			out = append(out, p.Text)
		}
	}
	return out, nil
}

func compareLoose(a, b string) (int, error) {
	x, err := looseVersion(a)
	if err != nil {
		return 0, err
	}
	y, err := looseVersion(b)
	if err != nil {
		return 0, err
	}
	return value.Compare(list(x), list(y))
}

// ordered is a version as parts that are compared in turn.
type ordered [][]part

// part is a number, or a word, which comes after numbers.
type part struct {
	n    int64
	word string
}

func comparePart(a, b part) int {
	if (a.word == "") != (b.word == "") {
		return map[bool]int{true: -1, false: 1}[a.word == ""]
	}
	return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.word, b.word))
}

func compareParts(a, b []part) int {
	for i := range min(len(a), len(b)) {
		if c := comparePart(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareParsed(a, b string, parse func(string) (ordered, error)) (int, error) {
	x, err := parse(a)
	if err != nil {
		return 0, err
	}
	y, err := parse(b)
	if err != nil {
		return 0, err
	}
	for i := range x {
		if c := compareParts(x[i], y[i]); c != 0 {
			return c, nil
		}
	}
	return 0, nil
}

// matchVersion matches a whole version.
func matchVersion(re *pyre.Regexp, s, what string) (*pyre.Match, error) {
	m, err := re.FullMatch(s)
	if err == nil && m == nil {
		err = fmt.Errorf("invalid %s '%s'", what, s)
	}
	return m, err
}

func number(s string) part {
	n, _ := strconv.ParseInt(s, 10, 64)
	return part{n: n}
}

var strictVersion = pyre.MustCompile(`(\d+)\.(\d+)(\.(\d+))?([ab](\d+))?`, pyre.ASCII)

func parseStrict(s string) (ordered, error) {
	m, err := matchVersion(strictVersion, s, "version number")
	if err != nil {
		return nil, err
	}
	pre := []part{{word: "~"}} // a final release comes after its prereleases
	if p, ok := m.Group(5); ok {
		pre = []part{{word: p[:1]}, number(m.Text(6))}
	}
	return ordered{{number(m.Text(1)), number(m.Text(2)), number(m.Text(4))}, pre}, nil
}

var semverPattern = pyre.MustCompile(`(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?`, pyre.ASCII)

func parseSemver(s string) (ordered, error) {
	m, err := matchVersion(semverPattern, s, "semantic version")
	if err != nil {
		return nil, err
	}
	out := ordered{{number(m.Text(1)), number(m.Text(2)), number(m.Text(3))}, {{n: 1}}, nil}
	if pre, ok := m.Group(4); ok {
		out[1] = []part{{n: 0}}
		out[2] = identifiers(pre)
	}
	return out, nil
}

func identifiers(s string) []part {
	var out []part
	for id := range strings.SplitSeq(s, ".") {
		if strings.Trim(id, "0123456789") == "" {
			out = append(out, number(id))
		} else {
			out = append(out, part{word: id})
		}
	}
	return out
}

var pep440Pattern = pyre.MustCompile(`\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d+)?)?(?:(-)(\d+)|[-_.]?(post|rev|r)[-_.]?(\d+)?)?(?:[-_.]?(dev)[-_.]?(\d+)?)?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*`, pyre.IgnoreCase)

// parsePEP440 orders as Python packages do: dev, alpha, beta, candidate, final, post, local.
func parsePEP440(s string) (ordered, error) {
	m, err := matchVersion(pep440Pattern, s, "version")
	if err != nil {
		return nil, err
	}
	var release []part
	for n := range strings.SplitSeq(m.Text(2), ".") {
		release = append(release, number(n))
	}
	for len(release) > 1 && release[len(release)-1].n == 0 {
		release = release[:len(release)-1]
	}
	_, isDash := m.Group(5)
	_, isWord := m.Group(7)
	post := []part{{n: -1}}
	if isDash || isWord {
		post = []part{number(m.Text(6) + m.Text(8))}
	}
	_, isDev := m.Group(9)
	dev := []part{{word: "~"}}
	if isDev {
		dev = []part{number(m.Text(10))}
	}
	return ordered{{number(m.Text(1))}, release, prerelease(m, isDev && post[0].n < 0), post, dev, localVersion(m)}, nil
}

func prerelease(m *pyre.Match, devOnly bool) []part {
	kind, ok := m.Group(3)
	switch {
	case !ok && devOnly:
		return []part{{n: -1}}
	case !ok:
		return []part{{word: "~"}}
	}
	rank := map[byte]int64{'a': 1, 'b': 2, 'p': 3, 'c': 3, 'r': 3}[strings.ToLower(kind)[0]]
	return []part{{n: rank}, number(m.Text(4))}
}

// localVersion ranks words below numbers.
func localVersion(m *pyre.Match) []part {
	local, ok := m.Group(11)
	if !ok {
		return nil
	}
	var out []part
	for _, id := range strings.FieldsFunc(strings.ToLower(local), func(r rune) bool { return strings.ContainsRune("-_.", r) }) {
		if strings.Trim(id, "0123456789") == "" {
			out = append(out, part{word: fmt.Sprintf("~%020s", id)})
		} else {
			out = append(out, part{word: id})
		}
	}
	return out
}
