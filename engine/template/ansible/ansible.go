// Package ansible holds the filters, tests and lookups of ansible.builtin that are not
// Jinja2's own, and those of the collections that playbooks use most: ansible.utils,
// ansible.netcommon, community.general, community.crypto.
//
// Importing the package registers them with the template engine. Plugins run on the
// controller; what depends on the host (variables, inventory, search paths) they ask
// of the template context.
package ansible

import (
	"fmt"
	"math/big"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

// body computes a filter from its bound arguments.
type body func(c *template.Call, a []value.Value) (value.Value, error)

// check computes a test from its bound arguments.
type check func(c *template.Call, a []value.Value) (bool, error)

// filter registers a filter whose parameters are given in Python's notation.
func filter(sig string, f body, traits ...template.Traits) {
	name, _, _ := strings.Cut(sig, "(")
	filterAs([]string{name}, sig, f, traits...)
}

// filterAs registers a filter under several names.
func filterAs(names []string, sig string, f body, traits ...template.Traits) {
	s := template.NewSig(sig)
	run := func(c *template.Call) (value.Value, error) {
		a, err := c.Bind(s)
		if err != nil {
			return nil, err
		}
		return f(c, a)
	}
	for _, n := range names {
		template.RegisterFilter(n, run, traits...)
	}
}

// test registers a test under several names.
func test(names, sig string, f check, traits ...template.Traits) {
	s := template.NewSig(sig)
	for _, n := range strings.Fields(names) {
		template.RegisterTest(n, func(c *template.Call) (bool, error) {
			a, err := c.Bind(s)
			if err != nil {
				return false, err
			}
			return f(c, a)
		}, traits...)
	}
}

// text is Python's str, with bytes as the text they are.
func text(v value.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return value.Str(v)
}

// truth is Python's bool.
func truth(v value.Value) (bool, error) { return value.Truth(v) }

// isTrue is truth where an error means no.
func isTrue(v value.Value) bool {
	b, err := value.Truth(v)
	return err == nil && b
}

// integer reads an int argument that may also be text.
func integer(v value.Value) (int64, error) {
	switch x := v.(type) {
	case bool, int64:
		n, _ := value.Int(x)
		return n, nil
	case float64:
		return int64(x), nil
	case *big.Int:
		return 0, fmt.Errorf("%s is too large", x)
	}
	if n, ok := value.ParseInt(text(v), 10); ok {
		if i, ok := n.(int64); ok {
			return i, nil
		}
	}
	return 0, fmt.Errorf("invalid literal for int() with base 10: %s", value.Repr(text(v)))
}

// isText tells strings of both kinds.
func isText(v value.Value) bool {
	switch v.(type) {
	case string, value.Text, value.Markup:
		return true
	}
	return false
}

// isSequence is Ansible's notion: a list or tuple, no text.
func isSequence(v value.Value) bool {
	switch v.(type) {
	case *value.List, value.Tuple, *value.Range:
		return true
	}
	return false
}

// list makes a list value.
func list(vs []value.Value) *value.List {
	if vs == nil {
		vs = []value.Value{}
	}
	return &value.List{V: vs}
}

// texts makes a list of strings.
func texts(ss []string) *value.List {
	out := make([]value.Value, len(ss))
	for i, s := range ss {
		out[i] = s
	}
	return list(out)
}

// items are the elements of a list or tuple, or the value alone.
func items(v value.Value) ([]value.Value, error) {
	if isSequence(v) {
		return value.Iterate(v)
	}
	return []value.Value{v}, nil
}

// contains tells whether an equal element is in vs.
func contains(vs []value.Value, v value.Value) (bool, error) {
	for _, e := range vs {
		same, err := value.Equal(e, v)
		if err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// describe is a value and its type, for messages.
func describe(v value.Value) string {
	return fmt.Sprintf("%s (type %s)", value.Repr(v), value.TypeName(v))
}
