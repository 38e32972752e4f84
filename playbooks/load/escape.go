package load

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

var simpleEscapes = map[byte]byte{'\\': '\\', '\'': '\'', '"': '"', 'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}

// unescape decodes Python's escapes of text in key=value pairs; others stay as they are.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		text, n := escapeAt(s[i:])
		b.WriteString(text)
		i += n
	}
	return b.String()
}

// escapeAt decodes the escape at the start of s and says how long it is.
func escapeAt(s string) (string, int) {
	hex := func(digits int) (string, int) {
		if len(s) < 2+digits {
			return s[:1], 1
		}
		n, err := strconv.ParseUint(s[2:2+digits], 16, 32)
		if err != nil || n > utf8.MaxRune {
			return s[:1], 1
		}
		return string(rune(n)), 2 + digits
	}
	switch c := s[1]; {
	case c == 'x':
		return hex(2)
	case c == 'u':
		return hex(4)
	case c == 'U':
		return hex(8)
	case simpleEscapes[c] != 0:
		return string(rune(simpleEscapes[c])), 2
	}
	return s[:1], 1
}
