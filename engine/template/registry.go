package template

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"fettle/engine/value"
)

// Filter computes a filter: Args[0] of the call is what stands before the bar.
type Filter func(*Call) (value.Value, error)

// Test computes a test: Args[0] of the call is what stands before "is".
type Test func(*Call) (bool, error)

// Lookup computes a lookup plugin. Terms come as they were written; a plugin that takes a
// list as its only term flattens it itself (see FlattenTerms).
type Lookup func(c *Context, terms []value.Value, kwargs []value.Keyword) ([]value.Value, error)

// Traits say what a filter or test wants to see of its arguments. The zero value is the
// convenient one: containers come fully rendered and free of secrets (the result is marked
// secret when an argument was), and an undefined argument is dealt with before the call.
type Traits uint8

const (
	// Undefined: the first argument may be undefined.
	Undefined Traits = 1 << iota
	// UndefinedArgs: the other arguments may be undefined.
	UndefinedArgs
	// Lazy: containers come as they are; elements are rendered through value's functions,
	// secrets stay wrapped.
	Lazy
	// OldUndefined: the first argument may be undefined, but since 2.19 that is an error; only
	// the strict mode follows.
	OldUndefined
	// OldUndefinedArgs: the other arguments could be undefined up to 2.18.
	OldUndefinedArgs
	// Plain: the result is text that string mode must not read back as a literal.
	Plain
	// Markup: markup stays markup, which else is handed over as the text it is.
	Markup
)

type plugin struct {
	name   string
	call   Filter
	traits Traits
	test   bool
	// touches: a filter that looks at the elements of containers.
	touches bool
	// deep: one that looks at what is in these in turn, mostly since it makes them text.
	deep bool
}

type registry struct {
	filters, tests map[string]*plugin
	lookups        map[string]Lookup
	lookupTraits   map[string]Traits
	once           sync.Once
	frozen         bool
}

var plugins = &registry{filters: map[string]*plugin{}, tests: map[string]*plugin{}, lookups: map[string]Lookup{}, lookupTraits: map[string]Traits{}}

// RegisterFilter adds a filter under its short name or, outside ansible.builtin, also under
// its full name. It is called from init functions only and panics on a duplicate.
func RegisterFilter(name string, f Filter, traits ...Traits) {
	plugins.add(plugins.filters, "filter", name, f, traits)
}

// RegisterTest adds a test; see RegisterFilter.
func RegisterTest(name string, t Test, traits ...Traits) {
	f := func(c *Call) (value.Value, error) { return boolResult(t(c)) }
	plugins.add(plugins.tests, "test", name, f, traits)
}

func boolResult(b bool, err error) (value.Value, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

// RegisterLookup adds a lookup plugin; see RegisterFilter. Only UndefinedArgs counts as a trait.
func RegisterLookup(name string, l Lookup, traits ...Traits) {
	if plugins.frozen || plugins.lookups[name] != nil {
		panic("template: lookup " + name + " is registered twice or too late")
	}
	plugins.lookups[name] = l
	for _, t := range traits {
		plugins.lookupTraits[name] |= t
	}
}

// untouching are the filters that look at their argument, not into it.
var untouching = nameSet("default d first last length count int float type_debug ternary mandatory random")

// deepTouching are the filters that look at every element at any depth.
var deepTouching = nameSet(`bool hash md5 sha1 checksum b64encode quote regex_replace regex_search regex_findall regex_escape
	basename dirname expanduser realpath comment to_uuid urldecode splitext flatten`)

func (r *registry) add(m map[string]*plugin, what, name string, f Filter, traits []Traits) {
	if r.frozen || m[name] != nil {
		panic(fmt.Sprintf("template: %s %s is registered twice or too late", what, name))
	}
	p := &plugin{name: name, call: f, test: what == "test", touches: what == "filter" && !untouching[short(name)], deep: deepTouching[name]}
	for _, t := range traits {
		p.traits |= t
	}
	m[name] = p
}

// short drops the namespaces that hold Ansible's own plugins.
func short(name string) string {
	if s, ok := strings.CutPrefix(name, "ansible.builtin."); ok {
		return s
	}
	if s, ok := strings.CutPrefix(name, "ansible.legacy."); ok {
		return s
	}
	return name
}

func (r *registry) filter(name string) *plugin { return r.filters[short(name)] }
func (r *registry) test(name string) *plugin   { return r.tests[short(name)] }

// HasFilter, HasTest and HasLookup tell whether a name is known.
func HasFilter(name string) bool { return plugins.filter(name) != nil }

// HasTest tells whether a test of that name is known.
func HasTest(name string) bool { return plugins.test(name) != nil }

// HasLookup tells whether a lookup of that name is known.
func HasLookup(name string) bool { return plugins.lookups[short(name)] != nil }

// FilterNames, TestNames and LookupNames list what is registered, sorted.
func FilterNames() []string { return names(plugins.filters) }

// TestNames lists the registered tests, sorted.
func TestNames() []string { return names(plugins.tests) }

// LookupNames lists the registered lookups, sorted.
func LookupNames() []string { return names(plugins.lookups) }

func names[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
