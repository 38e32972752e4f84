// Package template is Jinja2 as Ansible uses it: the language of Jinja2 3.1 with Python's
// behaviour of values, and Ansible's layer on top of it (native results, conditionals, lazily
// rendered variables, omit, lookups).
//
// A source text becomes tokens (lex.go), a tree (ast.go, parse*.go) and closures
// (compile*.go); the compiled form is cached in the value.Template it came from and used by
// many goroutines. Names are resolved to slots where a template binds them; all others are
// asked of a Scope through a Context, which stands for one host and task.
//
// Only a *value.Template is ever rendered. A string is data, whatever it contains.
//
// Filters, tests and lookups live in registries that are filled in init functions; Jinja2's
// own are here, Ansible's in engine/template/ansible.
package template
