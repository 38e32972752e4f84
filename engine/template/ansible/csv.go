package ansible

import (
	"errors"
	"strings"
)

// csvReader reads rows as Python's csv module does: quotes in the middle of a field are text,
// and what follows a closing quote belongs to the field.
type csvReader struct {
	comma     rune
	skipBlank bool // blanks behind a comma do not count
	strict    bool // text behind a closing quote is an error
}

const (
	startField = iota
	plainField
	quotedField
	closedQuote
)

func (r csvReader) rows(src string) ([][]string, error) {
	var rows [][]string
	var row []string
	var field strings.Builder
	state, any := startField, false
	endField := func() {
		row, state, any = append(row, field.String()), startField, true
		field.Reset()
	}
	endRow := func() {
		if state != startField || any {
			endField()
		}
		rows, row, state, any = append(rows, row), nil, startField, false
	}
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	for _, c := range src {
		switch {
		case state == quotedField:
			if c == '"' {
				state = closedQuote
			} else {
				field.WriteRune(c)
			}
		case state == closedQuote && c == '"':
			field.WriteRune('"')
			state = quotedField
		case c == r.comma:
			endField()
		case c == '\n':
			endRow()
		case state == closedQuote && r.strict:
			return nil, errors.New("',' expected after '\"'")
		case state == startField && c == '"':
			state = quotedField
		case state == startField && c == ' ' && r.skipBlank:
		default:
			field.WriteRune(c)
			state = plainField
		}
	}
	if state == quotedField && r.strict {
		return nil, errors.New("unexpected end of data")
	}
	if state != startField || any {
		endRow()
	}
	return rows, nil
}
