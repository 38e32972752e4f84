package report

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// hostRange names hosts in short: web[01:10],db1. Runs of at least three numbers are
// written as a range, as inventories do.
func hostRange(hosts []string) string {
	type numbered struct {
		name string
		n    int
	}
	groups := map[string][]numbered{} // by prefix, suffix and width
	var keys, plain []string
	for _, h := range hosts {
		pre, num, post := splitNumber(h)
		if num == "" {
			plain = append(plain, h)
			continue
		}
		key := pre + "\x00" + post + "\x00" + strconv.Itoa(width(num))
		if _, ok := groups[key]; !ok {
			keys = append(keys, key)
		}
		n, _ := strconv.Atoi(num)
		groups[key] = append(groups[key], numbered{h, n})
	}
	var out []string
	for _, key := range keys {
		g := groups[key]
		sort.Slice(g, func(i, j int) bool { return g[i].n < g[j].n })
		parts := strings.Split(key, "\x00")
		w, _ := strconv.Atoi(parts[2])
		for i := 0; i < len(g); {
			j := i
			for j+1 < len(g) && g[j+1].n == g[j].n+1 {
				j++
			}
			if j-i < 2 {
				out = append(out, g[i].name)
				i++
				continue
			}
			out = append(out, fmt.Sprintf("%s[%0*d:%0*d]%s", parts[0], w, g[i].n, w, g[j].n, parts[1]))
			i = j + 1
		}
	}
	out = append(out, plain...)
	if len(out) > 6 {
		out = append(out[:5], "…")
	}
	return strings.Join(out, ",")
}

// width is the digits of a number that is written with leading zeros; else 0.
func width(num string) int {
	if len(num) > 1 && num[0] == '0' {
		return len(num)
	}
	if len(num) > 1 {
		return 0
	}
	return 0
}

// splitNumber cuts the last run of digits in the first label of a host name.
func splitNumber(h string) (pre, num, post string) {
	label := h
	if i := strings.IndexByte(h, '.'); i >= 0 && !isAddress(h) {
		label = h[:i]
	}
	end := len(label)
	for end > 0 && (label[end-1] < '0' || label[end-1] > '9') {
		end--
	}
	start := end
	for start > 0 && label[start-1] >= '0' && label[start-1] <= '9' {
		start--
	}
	if end-start > 9 {
		return h, "", ""
	}
	return h[:start], h[start:end], h[end:]
}

func isAddress(h string) bool {
	for _, c := range h {
		if (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return true
}
