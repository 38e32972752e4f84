package run

import (
	"errors"
	"fmt"

	"fettle/engine/diag"
	"fettle/engine/value"
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
	what string // "conditional check"
	err  error
}

func (e *taskError) Error() string { return fmt.Sprintf("the %s failed: %v", e.what, e.err) }
func (e *taskError) Unwrap() error { return e.err }

// errorText is an error's text for the msg of a result.
func errorText(err error) string {
	var d *diag.Diagnostic
	if errors.As(err, &d) && error(d) == err {
		return d.Error()
	}
	return err.Error()
}

// optionError is a value that Ansible counts among the wrong options of a run.
type optionError struct{ text string }

func (e *optionError) Error() string { return e.text }

func badOption(format string, args ...any) error {
	return &optionError{fmt.Sprintf(format, args...)}
}

// conditionText is what a condition's own result says of an error in it, without the place.
func conditionText(err error) string {
	var p *placed
	if errors.As(err, &p) {
		err = p.err
	}
	var undefined *value.UndefinedError
	if errors.As(err, &undefined) {
		err = undefined
	}
	return "Error while evaluating conditional: " + err.Error()
}
