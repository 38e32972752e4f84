package diag

import (
	"fmt"
	"slices"
	"strings"
)

// DidYouMean is the hint for a name that is not known: the closest of the names valid at
// that place, or "" when none is within edit distance 1 (2 for names of 5 letters and more).
func DidYouMean(name string, valid []string) string {
	if s := Closest(name, valid); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	return ""
}

// Closest returns the closest valid name, or "".
func Closest(name string, valid []string) string {
	limit := 1
	if len(name) >= 5 {
		limit = 2
	}
	best, bestAt := "", limit+1
	sorted := slices.Clone(valid)
	slices.Sort(sorted)
	for _, v := range sorted {
		if v == name {
			continue
		}
		if n := distance(strings.ToLower(name), strings.ToLower(v), limit); n < bestAt {
			best, bestAt = v, n
		}
	}
	return best
}

// distance is the optimal string alignment distance (a swap of neighbours counts one),
// or limit+1 when it is larger.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > limit || -d > limit {
		return limit + 1
	}
	before, last := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(y)], limit+1)
}
