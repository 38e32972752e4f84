package ansible

import (
	"strconv"
	"strings"
)

func (e *emitter) plain(s string, fold bool) {
	if !e.whitespace && (s != "" || e.flowLevel > 0) {
		e.put(" ")
	}
	spaces := false
	rs := []rune(s)
	for i, r := range rs {
		if r == ' ' {
			if fold && !spaces && e.column > e.width && i+1 < len(rs) && rs[i+1] != ' ' {
				e.writeIndent()
			} else {
				e.put(" ")
			}
			spaces = true
			continue
		}
		e.put(string(r))
		e.indention, spaces = false, false
	}
	e.whitespace, e.indention = false, false
}

func (e *emitter) single(s string, fold bool) {
	e.indicator("'", true, false, false)
	spaces, breaks := false, false
	rs := []rune(s)
	for i, r := range rs {
		switch {
		case r == ' ':
			if fold && !spaces && e.column > e.width && i > 0 && i < len(rs)-1 && rs[i+1] != ' ' {
				e.writeIndent()
			} else {
				e.put(" ")
			}
			spaces = true
			continue
		case isBreak(r):
			if !breaks && r == '\n' {
				e.newline()
			}
			e.lineBreak(r)
			e.indention, breaks = true, true
			continue
		}
		if breaks {
			e.writeIndent()
		}
		if r == '\'' {
			e.put("'")
		}
		e.put(string(r))
		e.indention, spaces, breaks = false, false, false
	}
	if breaks {
		e.writeIndent()
	}
	e.indicator("'", false, false, false)
	e.whitespace, e.indention = false, false
}

func (e *emitter) lineBreak(r rune) {
	if r == '\n' {
		e.newline()
		return
	}
	e.b.WriteRune(r)
	e.column = 0
}

func (e *emitter) double(s string, fold bool) {
	e.indicator(`"`, true, false, false)
	spaces := false
	rs := []rune(s)
	for i, r := range rs {
		switch {
		case !printable(r) || r > 0x7e && !e.o.unicode || isBreak(r) || r == '"' || r == '\\':
			e.put(doubleEscape(r))
			spaces = false
		case r == ' ':
			if fold && !spaces && e.column > e.width && i > 0 && i < len(rs)-1 {
				e.writeIndent()
				if rs[i+1] == ' ' {
					e.put(`\`)
				}
			} else {
				e.put(" ")
			}
			spaces = true
		default:
			e.put(string(r))
			spaces = false
		}
	}
	e.indicator(`"`, false, false, false)
	e.whitespace, e.indention = false, false
}

// hints are the indentation and chomping marks of a block scalar.
func (e *emitter) hints(s string) string {
	out := ""
	if s != "" && (s[0] == ' ' || s[0] == '\n') {
		out = strconv.Itoa(e.best)
	}
	switch {
	case !strings.HasSuffix(s, "\n"):
		return out + "-"
	case s == "\n" || strings.HasSuffix(s, "\n\n"):
		e.openEnded = true
		return out + "+"
	}
	return out
}

func (e *emitter) literal(s string) {
	h := e.hints(s)
	open := e.openEnded
	e.indicator("|"+h, true, false, false)
	e.openEnded = open
	e.newline()
	breaks := true
	for _, r := range s {
		if isBreak(r) {
			e.lineBreak(r)
			e.indention, breaks = true, true
			continue
		}
		if breaks {
			e.writeIndent()
		}
		e.put(string(r))
		e.indention, breaks = false, false
	}
}

func (e *emitter) folded(s string) {
	h := e.hints(s)
	open := e.openEnded
	e.indicator(">"+h, true, false, false)
	e.openEnded = open
	e.newline()
	breaks, leading := true, true
	rs := []rune(s)
	for i, r := range rs {
		if isBreak(r) {
			if !breaks && !leading && r == '\n' {
				k := i
				for k < len(rs) && isBreak(rs[k]) {
					k++
				}
				if k < len(rs) && rs[k] != ' ' {
					e.newline()
				}
			}
			e.lineBreak(r)
			e.indention, breaks = true, true
			continue
		}
		if breaks {
			e.writeIndent()
			leading = r == ' '
		}
		if !breaks && r == ' ' && i+1 < len(rs) && rs[i+1] != ' ' && e.column > e.width {
			e.writeIndent()
		} else {
			e.put(string(r))
		}
		e.indention, breaks = false, false
	}
}
