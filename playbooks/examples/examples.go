// Package examples holds playbooks to read, to try and to test with. Each folder is one
// example with its own site.yml; demo is what `fettle demo` runs.
package examples

import "embed"

// FS holds all examples.
//
//go:embed demo webserver rolling
var FS embed.FS
