// Package modules is the contract every module is written to: one declaration of its
// options, and a function that looks, decides and acts on the host it runs on.
//
// The same declaration feeds argument checking (before the run on the controller, and
// again on the host), `fettle doc`, the playbook checker and the coverage tests. Modules
// live in family packages below this one and register themselves in init; package all
// imports the families. See README.md for how to write one.
package modules

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"fettle/engine/value"
)

// Support says how far a module supports check mode or diffs.
type Support string

// Levels of support, with Ansible's words.
const (
	Full    Support = "full"
	Partial Support = "partial"
	None    Support = "none" // check mode: the task is skipped on the host
)

// Spec declares a module. The option list is not in it: it comes from the args type.
type Spec struct {
	Name    string   // fully qualified: ansible.builtin.lineinfile
	Aliases []string // other full names: ansible.builtin.systemd_service
	Summary string   // one sentence
	Notes   []string
	Check   Support // "" means None
	Diff    Support // "" means None
	// FreeForm is the option that takes the text of a free-form task ("command: ls /tmp");
	// "" when the module has no free form.
	FreeForm string
	// ExtraArgs accepts options that are not declared (set_fact, add_host).
	ExtraArgs bool
	// Controller marks modules that never run on a host: their work is done by an action
	// of the same name in engine/action, and Run is not called.
	Controller bool
	Rules      Rules
	Examples   string // YAML tasks; a test loads and checks them
	// Extra modules are in the runner's second program (package all says which families);
	// it is placed on a host when a task first needs it.
	Extra bool
	// Fetches: it calls Host.Fetch when its arguments hold an address.
	Fetches bool
	// Becomes, when set, names the module that does the work of this one, and its arguments.
	Becomes func(h *Host, args *value.Dict) (name string, rest *value.Dict, err error)
	// Platforms the module builds and runs for, as GOOS names; empty means linux.
	Platforms []string
}

// Module is a registered module.
type Module struct {
	Spec
	Options   []*Option // of the args type, in order of declaration
	Returns   []Return  // of the result type
	described sync.Once // Options and Returns are made when somebody first asks
	describe  func()
	// invoke decodes args and runs the module.
	invoke func(ctx context.Context, h *Host, args *Args) (Outcome, error)
}

// Return documents one returned key.
type Return struct {
	Name     string
	Type     string
	Doc      string
	Returned string
}

// Outcome is a Result with its type erased.
type Outcome struct {
	Common
	Data any // the module's own keys: a struct with json tags, *value.Dict, or nil
}

// Common are the keys any module may return.
type Common struct {
	Changed bool
	Skipped bool
	Msg     string
	Diff    []Diff
	// OneDiff returns the one diff as an object, where Ansible's module returns no list.
	OneDiff bool
	// AlwaysDiff returns the key also when the task asks for no diff or there is none, as
	// some of Ansible's modules do.
	AlwaysDiff   bool
	Warnings     []string
	Deprecations []string
	// Facts become ansible_facts: a *value.Dict or a struct with json tags.
	Facts any
}

// Result is what a module returns: the common keys and its own.
type Result[R any] struct {
	Common
	Data R
}

// Diff is one before/after pair. Text diffs fill Before and After (and the headers);
// Prepared is a finished diff text that is shown as it is.
type Diff struct {
	Before       any    `json:"before,omitempty"` // string, or data shown as JSON
	After        any    `json:"after,omitempty"`
	BeforeHeader string `json:"before_header,omitempty"`
	AfterHeader  string `json:"after_header,omitempty"`
	Prepared     string `json:"prepared,omitempty"`
	// What is not shown, as in Ansible: a side that is binary (1) or larger than this size.
	SrcBinary int   `json:"src_binary,omitempty"`
	DstBinary int   `json:"dst_binary,omitempty"`
	SrcLarger int64 `json:"src_larger,omitempty"`
	DstLarger int64 `json:"dst_larger,omitempty"`
}

var (
	registry = map[string]*Module{}
	names    []string
)

// Register adds a module; it is called from init only. A bad declaration panics, that of an
// option when the module is first looked for.
// A is a struct with arg tags (see Option), R a struct with json, doc and returned tags
// (or *value.Dict when the keys are not known before).
func Register[A, R any](spec Spec, run func(ctx context.Context, h *Host, args A) (Result[R], error)) {
	register(spec, reflect.TypeFor[A](), reflect.TypeFor[R](), reflect.ValueOf(run))
}

// register is Register for types known at run time: it is in the runner once, and not once
// for each module.
func register(spec Spec, args, result reflect.Type, run reflect.Value) {
	if strings.Count(spec.Name, ".") < 2 {
		panic(fmt.Sprintf("module %q: the name must be fully qualified", spec.Name))
	}
	m := &Module{Spec: spec}
	m.Check, m.Diff = orNone(spec.Check), orNone(spec.Diff)
	m.describe = func() {
		var err error
		if m.Options, err = optionsOf(args); err != nil {
			panic(fmt.Sprintf("module %s: %v", spec.Name, err))
		}
		m.Returns = returnsOf(result)
	}
	m.invoke = func(ctx context.Context, h *Host, given *Args) (Outcome, error) {
		a := reflect.New(args).Elem()
		if err := decode(m, given, a); err != nil {
			return Outcome{}, err
		}
		h.begin(m, given)
		if h.Check && m.Check == None {
			return Outcome{Common: Common{Skipped: true, Msg: "remote module (" + m.Name[strings.LastIndexByte(m.Name, '.')+1:] + ") does not support check mode"}}, nil
		}
		results := run.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(h), a})
		out := Outcome{Common: results[0].Field(0).Interface().(Common), Data: results[0].Field(1).Interface()}
		out.Changed = out.Changed || h.changed
		out.Warnings = append(h.warnings, out.Warnings...)
		err, _ := results[1].Interface().(error)
		return out, err
	}
	for _, n := range append([]string{spec.Name}, spec.Aliases...) {
		if registry[n] != nil {
			panic(fmt.Sprintf("module %s registered twice", n))
		}
		registry[n] = m
		names = append(names, n)
	}
}

// Declare registers a module that only has a controller half: its options and returned
// keys are declared here, an action of the same name does the work.
func Declare[A, R any](spec Spec) {
	spec.Controller = true
	Register(spec, func(context.Context, *Host, A) (Result[R], error) {
		return Result[R]{}, fmt.Errorf("module %s runs on the controller only", spec.Name)
	})
}

func orNone(s Support) Support {
	if s == "" {
		return None
	}
	return s
}

// Find returns the module of a fully qualified name, or nil.
func Find(name string) *Module {
	m := registry[name]
	if m != nil {
		m.described.Do(m.describe)
	}
	return m
}

// Names lists all registered names, sorted.
func Names() []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return out
}

// Option finds an option by name or alias, or nil.
func (m *Module) Option(name string) *Option { return findOption(m.Options, name) }

func findOption(options []*Option, name string) *Option {
	for _, o := range options {
		if o.Name == name || slices.Contains(o.Aliases, name) {
			return o
		}
	}
	return nil
}

// OptionNames lists the option names and aliases that a task may use.
func (m *Module) OptionNames() []string {
	var out []string
	for _, o := range m.Options {
		out = append(append(out, o.Name), o.Aliases...)
	}
	return out
}

func returnsOf(t reflect.Type) []Return {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var out []Return
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			out = append(out, returnsOf(f.Type)...)
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		out = append(out, Return{Name: name, Type: kindName(f.Type), Doc: f.Tag.Get("doc"), Returned: f.Tag.Get("returned")})
	}
	return out
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "int"
	case reflect.Float64:
		return "float"
	case reflect.Slice:
		return "list"
	case reflect.Pointer:
		return kindName(t.Elem())
	case reflect.Struct, reflect.Map:
		return "dict"
	}
	return "str"
}
