package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/template"
)

// placed is an error with the place in a playbook where it arose.
type placed struct {
	at  diag.Pos
	err error
}

func (e *placed) Error() string {
	if e.at.IsZero() {
		return e.err.Error()
	}
	return fmt.Sprintf("%v (%s)", e.err, e.at)
}
func (e *placed) Unwrap() error { return e.err }

// taskError says which part of a task failed.
type taskError struct {
	what string // "Error while evaluating conditional"; may be empty
	err  error
}

func (e *taskError) Error() string {
	if e.what == "" {
		return e.err.Error()
	}
	return e.what + ": " + e.err.Error()
}

func (e *taskError) Unwrap() error { return e.err }

// failure is the msg of a result for an error of the task itself, in Ansible 2.19's words, and
// the places it speaks of, the innermost first.
func failure(err error) (msg string, at []diag.Pos) {
	msg = words(err, func(p diag.Pos) {
		if !p.IsZero() && !slices.Contains(at, p) {
			at = append(at, p)
		}
	})
	var inTask *taskError
	var inTemplate *template.Error
	if errors.As(err, &inTask) || errors.As(err, &inTemplate) {
		msg = "Task failed: " + msg
	}
	return msg, at
}

// words is an error's text without the places in it, which are told one by one, inner ones first.
func words(err error, place func(diag.Pos)) string {
	switch e := err.(type) {
	case *template.Error:
		place(e.At)
		for _, u := range e.Used {
			place(u.At)
		}
		return e.Text()
	case *placed:
		text := words(e.err, place)
		place(e.at)
		return text
	case *taskError:
		var syntax *template.Error
		if text := words(e.err, place); e.what != "" && (e.what != conditional || !errors.As(e.err, &syntax) || !syntax.Syntax) {
			return e.what + ": " + text
		} else {
			return text
		}
	case *diag.Diagnostic:
		place(e.At)
		d := *e
		d.At = diag.Pos{}
		return d.Error()
	}
	text, inner := err.Error(), errors.Unwrap(err)
	if inner == nil {
		return text
	}
	return strings.Replace(text, inner.Error(), words(inner, place), 1)
}

// conditional is what a taskError says of a condition.
const conditional = "Error while evaluating conditional"

// optionError is a value that Ansible counts among the wrong options of a run.
type optionError struct{ text string }

func (e *optionError) Error() string { return e.text }

func badOption(format string, args ...any) error {
	return &optionError{fmt.Sprintf(format, args...)}
}
