package modules

import (
	"strings"

	"fettle/engine/pyre"
)

// Pattern compiles a regular expression of an option.
func Pattern(option, text string, flags pyre.Flags) (*pyre.Regexp, error) {
	re, err := pyre.Cached(text, flags)
	if err != nil {
		return nil, Failf("%s: invalid regular expression %q: %v", option, text, err)
	}
	return re, nil
}

// NamePatterns compiles the patterns of an option for names of files: shell patterns, or
// regular expressions.
func NamePatterns(option string, texts []string, regex bool) ([]*pyre.Regexp, error) {
	var out []*pyre.Regexp
	for _, t := range texts {
		if !regex {
			t = shellPattern(t)
		}
		re, err := Pattern(option, t, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, re)
	}
	return out, nil
}

// shellPattern is a shell pattern as a regular expression.
func shellPattern(s string) string {
	var b strings.Builder
	b.WriteString("(?s:")
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			end := -1
			if i+2 < len(s) {
				skip := 1
				if s[i+1] == '!' {
					skip = 2
				}
				if n := strings.IndexByte(s[min(i+skip+1, len(s)):], ']'); n >= 0 {
					end = i + skip + 1 + n
				}
			}
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			set := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `&&`, `\&&`, `||`, `\||`, `~~`, `\~~`).Replace(s[i+1 : end])
			if strings.HasPrefix(set, "!") {
				set = "^" + set[1:]
			} else if strings.HasPrefix(set, "^") {
				set = `\` + set
			}
			b.WriteString("[" + set + "]")
			i = end
		default:
			j := i + 1
			for j < len(s) && s[j] >= 0x80 {
				j++
			}
			b.WriteString(pyre.Escape(s[i:j]))
			i = j - 1
		}
	}
	return b.String() + `)\Z`
}
