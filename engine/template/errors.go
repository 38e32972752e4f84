package template

import (
	"errors"
	"fmt"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Error is what goes wrong while a template is rendered (or compiled). It has two places when
// a template came from a variable or an included file: At, and where that was used.
type Error struct {
	Msg    string
	At     diag.Pos
	Used   []diag.Related
	Syntax bool
	Expr   bool   // of an expression without braces
	Hint   string // did you mean ...
	Err    error
}

func (e *Error) Error() string {
	if p := e.At.String(); p != "" {
		return p + ": " + e.Msg
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// Text is the message in the words of Ansible 2.19, without the place.
func (e *Error) Text() string {
	var refused *pluginError
	var none *noLookup
	switch {
	case e.Syntax && e.Expr:
		return "Syntax error in expression: " + e.Msg
	case e.Syntax:
		return "Syntax error in template: " + e.Msg
	case e.Err == nil || e.Err == errRecursive || IsUndefined(e.Err) || errors.As(e.Err, &refused) || errors.As(e.Err, &none):
		return e.Msg
	}
	return "Error rendering template: " + e.Msg
}

// pluginError is the error of a filter, test or lookup.
type pluginError struct {
	kind, name string
	err        error
}

func (e *pluginError) Error() string {
	return fmt.Sprintf("The %s plugin '%s' failed: %v", e.kind, e.name, e.err)
}
func (e *pluginError) Unwrap() error { return e.err }

// refused names the filter or test that ends with err. What has a place has a name as well.
func refused(kind, name string, v value.Value, err error) (value.Value, error) {
	if err == nil {
		return v, nil
	}
	var placed *Error
	var limit *limitError
	if IsUndefined(err) || errors.As(err, &placed) || errors.As(err, &limit) {
		return v, err
	}
	if !strings.Contains(name, ".") {
		name = "ansible.builtin." + name
	}
	return v, &pluginError{kind, name, err}
}

// Diagnostic is the error as a diagnostic.
func (e *Error) Diagnostic() *diag.Diagnostic {
	rule := "template"
	var u *value.UndefinedError
	switch {
	case e.Syntax:
		rule = "syntax"
	case errors.As(e.Err, &u):
		rule = "undefined"
	}
	return &diag.Diagnostic{Severity: diag.Error, Rule: rule, Summary: e.Msg, Hint: e.Hint, At: e.At, Related: e.Used}
}

// IsUndefined tells that err comes from using an undefined value.
func IsUndefined(err error) bool {
	var u *value.UndefinedError
	return errors.As(err, &u) && (u.Undefined.Err == nil || IsUndefined(u.Undefined.Err))
}

// NotFoundError is the error of a template file that does not exist.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("could not find or access %q", e.Name) }

// limitError ends a rendering that takes too much; nothing may hide it.
type limitError struct{ msg string }

func (e *limitError) Error() string { return e.msg }

var errBreak, errContinue = errors.New("break outside a loop"), errors.New("continue outside a loop")

// place gives err the place p in unit u unless it has one.
func (u *unit) place(p pos, err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		return err
	case *value.UndefinedError:
		if e.Undefined.Err != nil {
			return u.place(p, e.Undefined.Err)
		}
	}
	if err == errBreak || err == errContinue {
		return err
	}
	return &Error{Msg: err.Error(), At: u.pos(p), Err: err}
}

// used adds the place from which the failing template was used.
func (u *unit) used(p pos, text string, err error) error {
	e, ok := err.(*Error)
	if !ok {
		return u.place(p, err)
	}
	at := u.pos(p)
	if at == e.At || len(e.Used) >= 8 {
		return err
	}
	c := *e
	c.Used = append(append([]diag.Related(nil), e.Used...), diag.Related{Text: text, At: at})
	return &c
}

// pos is where a place of the unit's text is in its file.
func (u *unit) pos(p pos) diag.Pos {
	at := u.at
	if at.Line == 0 {
		if at.File == "" && u.name != "" {
			at.File = u.name
		}
		return diag.Pos{File: at.File, Line: p.line, Col: p.col}
	}
	if p.line <= 1 {
		at.Col += max(p.col-1, 0)
	} else {
		at.Line += p.line - 1
		at.Col = p.col
	}
	return at
}
