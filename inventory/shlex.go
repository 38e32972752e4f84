package inventory

import (
	"errors"
	"strings"
)

var (
	errQuote  = errors.New("no closing quotation")
	errEscape = errors.New("no character after the backslash")
)

// word is a piece of a line and the column (from 0, in characters) it starts at.
type word struct {
	text string
	col  int
}

// splitWords splits a line as a POSIX shell would, without expansions. A # outside of
// quotes starts a comment, also inside a word.
func splitWords(line string) ([]word, error) {
	s := splitter{in: []rune(line)}
	for s.i < len(s.in) {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.flush()
	return s.out, nil
}

type splitter struct {
	in    []rune
	i     int
	word  strings.Builder
	open  bool // a word has begun (it may be empty: '')
	start int
	out   []word
}

func (s *splitter) begin() {
	if !s.open {
		s.open, s.start = true, s.i
	}
}

func (s *splitter) flush() {
	if s.open {
		s.out = append(s.out, word{s.word.String(), s.start})
		s.word.Reset()
		s.open = false
	}
}

func (s *splitter) step() error {
	switch c := s.in[s.i]; c {
	case ' ', '\t', '\r', '\n':
		s.flush()
		s.i++
	case '#':
		s.i = len(s.in)
	case '\'', '"':
		s.begin()
		s.i++
		return s.quoted(c)
	case '\\':
		s.begin()
		if s.i++; s.i >= len(s.in) {
			return errEscape
		}
		s.word.WriteRune(s.in[s.i])
		s.i++
	default:
		s.begin()
		s.word.WriteRune(c)
		s.i++
	}
	return nil
}

func (s *splitter) quoted(quote rune) error {
	for ; s.i < len(s.in); s.i++ {
		c := s.in[s.i]
		switch {
		case c == quote:
			s.i++
			return nil
		case c == '\\' && quote == '"':
			if s.i++; s.i >= len(s.in) {
				return errEscape
			}
			if n := s.in[s.i]; n != quote && n != '\\' {
				s.word.WriteRune('\\')
			}
			s.word.WriteRune(s.in[s.i])
		default:
			s.word.WriteRune(c)
		}
	}
	return errQuote
}
