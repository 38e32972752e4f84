// Package control declares the modules that never touch a host: they speak, decide, wait,
// set variables or bring in more tasks. Each is a declaration only; the action of the same
// name in engine/action, or the engine itself, does the work.
package control

// none is the result type of modules that return no keys of their own.
type none struct{}
