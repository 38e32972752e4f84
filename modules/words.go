package modules

import (
	"errors"
	"os"
	"strings"
)

// SplitWords splits s into words as a POSIX shell does: quotes and backslashes, and
// nothing else (no expansion, no comments).
func SplitWords(s string) ([]string, error) {
	var words []string
	var word []byte
	inWord := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n':
			if inWord {
				words, word, inWord = append(words, string(word)), nil, false
			}
		case '\'':
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				return nil, errors.New("No closing quotation")
			}
			word, inWord = append(word, s[i+1:i+1+end]...), true
			i += end + 1
		case '"':
			text, n, err := doubleQuoted(s[i+1:])
			if err != nil {
				return nil, err
			}
			word, inWord = append(word, text...), true
			i += n
		case '\\':
			if i+1 >= len(s) {
				return nil, errors.New("No escaped character")
			}
			i++
			word, inWord = append(word, s[i]), true
		default:
			word, inWord = append(word, c), true
		}
	}
	if inWord {
		words = append(words, string(word))
	}
	return words, nil
}

// doubleQuoted reads up to the closing quote and returns the text and how many bytes of s
// were used, the quote included.
func doubleQuoted(s string) (text []byte, n int, err error) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return text, i + 1, nil
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			text = append(text, s[i])
		default:
			text = append(text, s[i])
		}
	}
	return nil, 0, errors.New("No closing quotation")
}

// Getenv is a variable of the environment commands run in: the task's, or the process's.
func (h *Host) Getenv(name string) (string, bool) {
	for i := len(h.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(h.Env[i], "="); ok && k == name {
			return v, true
		}
	}
	return os.LookupEnv(name)
}

// ExpandWord expands $NAME, ${NAME} and a leading ~ or ~user in s; names that are not set
// stay as they are.
func (h *Host) ExpandWord(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		name, n := variableAt(s[i:])
		if n == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		if v, ok := h.Getenv(name); ok {
			b.WriteString(v)
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	s = b.String()
	if !strings.HasPrefix(s, "~") {
		return s
	}
	user, rest, _ := strings.Cut(s[1:], "/")
	home := ""
	if user == "" {
		home, _ = h.Getenv("HOME")
	}
	if home == "" {
		home = homeOf(user)
	}
	if home == "" {
		return s
	}
	if len(s) == len(user)+1 {
		return home
	}
	return strings.TrimRight(home, "/") + "/" + rest
}

// variableAt reads a $NAME or ${NAME} at the start of s; n is 0 when there is none.
func variableAt(s string) (name string, n int) {
	if len(s) < 2 || s[0] != '$' {
		return "", 0
	}
	if s[1] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", 0
		}
		return s[2:end], end + 1
	}
	for n = 1; n < len(s); n++ {
		c := s[n]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
	}
	if n == 1 {
		return "", 0
	}
	return s[1:n], n
}
