// Package value is fettle's model of the data that templates, variables, module
// arguments and results are made of: Python's values as Ansible's users see them.
//
// A Value is a plain Go value of one of these dynamic types and no other:
//
//	nil          None
//	bool         True, False
//	int64        int that fits; *big.Int for the rest (never for one that fits)
//	float64      float
//	string       str: plain text, never parsed as a template, whatever it contains (Text and
//	             Markup are strings with a property that only templates see)
//	[]byte       bytes
//	*List        list (mutable, shared by reference as in Python)
//	Tuple        tuple
//	*Dict        dict, in insertion order (mutable, shared by reference)
//	*Set         set (what union, intersect, ... give for strings and tuples in old Ansible)
//	*Range       range(a, b, step)
//	*Undefined   an undefined name or attribute, with its history
//	*Template    text of a trusted source (playbook, role, inventory, command line) that
//	             holds template syntax; rendered when it is used
//	*Encrypted   a !vault scalar, decrypted when it is used
//	*Secret      a value that must not be shown; see Secret
//	Omit         the omit placeholder (type OmitType)
//	Callable     a function, macro or bound method
//	Object       anything else that has attributes (loop, namespace, module of a template, hostvars)
//
// Trust is a matter of type: only *Template is ever rendered, and only the loaders of
// trusted sources make one. Text that comes from a host, a fact, a lookup or a
// computation is a string and stays one.
//
// The package is a leaf: it imports the standard library only, and the runner links it.
package value

import "fettle/engine/diag"

// Value is any of the dynamic types listed in the package comment.
type Value = any

// List is Python's list. Templates mutate lists, so it is always used by pointer.
// A list that several hosts or tasks can see is treated as frozen by everybody but
// the template engine, which hands out lazy copies (see Dict.Lazy).
type List struct {
	V []Value
	// Lazy, when set, renders elements that are *Template, *Encrypted or lazy
	// containers on access. Only the template engine sets it.
	Lazy  Resolver
	plain uint32 // see Plain
}

// NewList returns a list of vs; it keeps the slice.
func NewList(vs ...Value) *List { return &List{V: vs} }

// Tuple is Python's tuple.
type Tuple []Value

// OmitType is the type of Omit.
type OmitType struct{}

// Omit is Ansible's omit placeholder: a module argument (at any depth of a dict or list)
// with this value is left out.
var Omit = OmitType{}

// Completer is a Resolver of a dict that has items which are not listed.
type Completer interface {
	Resolver
	Missing(key string) (Value, bool)
}

// Resolver renders a trusted element of a container on access.
type Resolver interface {
	// Resolve returns the final value of v, which is a *Template, *Encrypted, or a
	// container holding such values; any other value is returned as it is.
	Resolve(v Value) (Value, error)
}

// Template is text from a trusted source that contains template syntax. It is made once
// per source position and shared by all hosts; compiled forms are cached in it.
type Template struct {
	Src string
	At  diag.Pos
	// Secret says that the text comes from a vault: what it renders to is secret.
	Secret bool
	// Compiled is owned by the template engine.
	Compiled Cache
}

// Encrypted is a !vault scalar as it stands in the source.
type Encrypted struct {
	Text string // the $ANSIBLE_VAULT block
	At   diag.Pos
}

// Secret wraps a value that must be masked wherever it leaves fettle: vault content,
// prompted passwords, results of the password lookup. Operations on a Secret give a
// Secret; whatever renders arguments for a module unwraps it and registers the text
// with the masker, so that sinks mask it also inside longer strings.
type Secret struct{ V Value }

// Callable is a function value.
type Callable interface {
	Call(args []Value, kwargs []Keyword) (Value, error)
}

// Keyword is a keyword argument of a call.
type Keyword struct {
	Name  string
	Value Value
}

// Object is a value with attributes that is no plain data.
type Object interface {
	// Attr returns the attribute and whether there is one.
	Attr(name string) (Value, bool, error)
	// TypeName is what Python's type(x).__name__ would say.
	TypeName() string
	// String is Python's str(x).
	String() string
}

// Undefined stands for a name, attribute or item that does not exist. It is strict on
// use and chainable on access, as Ansible's.
type Undefined struct {
	Name string // the innermost name that was missing
	Hint string // the whole message, when it is not just "'NAME' is undefined"
	// Owner is what the attribute Name was missing in (its type), when there is no Hint.
	Owner string
	// Soft is the result of an inline if without else: it prints as nothing.
	Soft bool
	At   diag.Pos
	// Err is set when it stands for the result of a call that failed: an error as soon as the
	// result is asked for anything.
	Err error
}

// Message is what an error about it says.
func (u *Undefined) Message() string {
	if u.Err != nil {
		return u.Err.Error()
	}
	if u.Hint != "" {
		return u.Hint
	}
	if u.Owner != "" {
		return "object of type '" + u.Owner + "' has no attribute " + Repr(u.Name)
	}
	return "'" + u.Name + "' is undefined"
}

// UndefinedError is the error of using an Undefined.
type UndefinedError struct{ Undefined *Undefined }

func (e *UndefinedError) Error() string { return e.Undefined.Message() }

// Unwrap is the error of a call that failed.
func (e *UndefinedError) Unwrap() error { return e.Undefined.Err }

// Set is Python's set of hashable values. Its order is insertion order; Python's is not
// defined, so nothing may depend on it.
type Set struct{ D *Dict }

// Range is Python's range object.
type Range struct{ Start, Stop, Step int64 }
