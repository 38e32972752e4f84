package galaxy

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`)

// compareVersions orders semantic versions; a pre-release comes before its release.
func compareVersions(a, b string) int {
	x, y := semver.FindStringSubmatch(a), semver.FindStringSubmatch(b)
	if x == nil || y == nil {
		return strings.Compare(a, b)
	}
	for i := 1; i <= 3; i++ {
		m, _ := strconv.ParseUint(x[i], 10, 64)
		n, _ := strconv.ParseUint(y[i], 10, 64)
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	switch {
	case x[4] == y[4]:
		return 0
	case x[4] == "":
		return 1
	case y[4] == "":
		return -1
	}
	return comparePre(strings.Split(x[4], "."), strings.Split(y[4], "."))
}

func comparePre(a, b []string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		m, merr := strconv.ParseUint(a[i], 10, 64)
		n, nerr := strconv.ParseUint(b[i], 10, 64)
		var c int
		switch {
		case merr == nil && nerr == nil:
			c = cmp.Compare(m, n)
		case merr == nil:
			c = -1 // numbers come before words
		case nerr == nil:
			c = 1
		default:
			c = strings.Compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// satisfies tells whether a version meets a range such as ">=1.0.0,<2" or "*".
func satisfies(version, want string) (bool, error) {
	for part := range strings.SplitSeq(want, ",") {
		part = strings.TrimSpace(part)
		if part == "" || part == "*" {
			continue
		}
		op, v := "==", part
		for _, o := range []string{">=", "<=", "!=", "==", "=", ">", "<"} {
			if rest, ok := strings.CutPrefix(part, o); ok {
				op, v = o, strings.TrimSpace(rest)
				break
			}
		}
		full, ok := completeVersion(v)
		if !ok && version != v {
			return false, fmt.Errorf("%q is no version range", want)
		}
		c := compareVersions(version, full)
		good := map[string]bool{">=": c >= 0, "<=": c <= 0, "!=": c != 0, "==": c == 0, "=": c == 0, ">": c > 0, "<": c < 0}[op]
		if !good {
			return false, nil
		}
	}
	return true, nil
}

// completeVersion makes 2 and 2.1 whole versions.
func completeVersion(v string) (string, bool) {
	for range 3 {
		if semver.MatchString(v) {
			return v, true
		}
		v += ".0"
	}
	return strings.TrimSuffix(v, ".0.0.0"), false
}
