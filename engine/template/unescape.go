package template

import (
	"fmt"
	"strconv"
	"strings"
)

// unescape follows Python's unicode-escape codec.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i >= len(s) {
			return "", fmt.Errorf("\\ at end of string")
		}
		n, err := escape(&b, s[i:])
		if err != nil {
			return "", err
		}
		i += n
	}
	return b.String(), nil
}

const simpleEscapes = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"

// escape writes what the escape sequence at the start of s stands for (the backslash is
// gone) and returns how many bytes beyond the first it took.
func escape(b *strings.Builder, s string) (int, error) {
	c := s[0]
	for i := 0; i < len(simpleEscapes); i += 2 {
		if simpleEscapes[i] == c {
			b.WriteByte(simpleEscapes[i+1])
			return 0, nil
		}
	}
	switch {
	case c == '\n':
		return 0, nil
	case c == 'x' || c == 'u' || c == 'U':
		n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		if len(s) <= n {
			return 0, fmt.Errorf("(unicode error) truncated \\%c escape", c)
		}
		v, err := strconv.ParseUint(s[1:1+n], 16, 32)
		if err != nil {
			return 0, fmt.Errorf("(unicode error) truncated \\%c escape", c)
		}
		if v > 0x10ffff {
			return 0, fmt.Errorf("(unicode error) illegal Unicode character")
		}
		b.WriteRune(rune(v))
		return n, nil
	case c >= '0' && c <= '7':
		j := 1
		for j < len(s) && j < 3 && s[j] >= '0' && s[j] <= '7' {
			j++
		}
		v, _ := strconv.ParseUint(s[:j], 8, 32)
		b.WriteRune(rune(v))
		return j - 1, nil
	}
	b.WriteByte('\\')
	b.WriteByte(c)
	return 0, nil
}
