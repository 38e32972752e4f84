// Package wire is the conversation between the controller and a runner: messages, frames
// and flow control over any byte stream (an SSH channel, a pipe).
//
// One connection carries many calls at once, each with its own id. Content streams go
// both ways inside a call and are flow controlled, so a slow disk or a slow link holds up
// only itself. PROTOCOL.md describes every field. Both sides treat what they read as
// hostile: lengths are bounded, ids are checked, nothing panics.
package wire

import "encoding/json"

// Version is the protocol version; both sides must have the same one. The runner is
// placed by the hash of its content, so a mismatch means a bug or an attack.
const Version = 2

// Hello is the runner's first message.
type Hello struct {
	Version int    `json:"version"`
	Build   string `json:"build"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	UID     int    `json:"uid"`
	User    string `json:"user"`
	Home    string `json:"home"`
	Dir     string `json:"dir"` // where the runner's program lies
	PID     int    `json:"pid"`
	// Partial tells that the program has no extra modules: calls of them offer it the
	// program that has (Call.Extra).
	Partial bool `json:"partial,omitempty"`
	// Resume is the token by which another runner on the same host finds this one, when
	// the connection breaks; "" when it cannot be found.
	Resume string `json:"resume,omitempty"`
}

// Call asks the runner to run one module, once per item of Args, in order.
type Call struct {
	Module string            `json:"module"`
	Args   []json.RawMessage `json:"args"` // one JSON object an item; a task without loop has one
	Check  bool              `json:"check,omitempty"`
	Diff   bool              `json:"diff,omitempty"`
	Env    []string          `json:"env,omitempty"` // KEY=VALUE, from the environment keyword
	// Timeout ends each item after so many seconds; 0 means none.
	Timeout int `json:"timeout,omitempty"`
	// Invocation asks for invocation.module_args in the results.
	Invocation bool `json:"invocation,omitempty"`
	// Live asks for the output of commands while they run.
	Live bool `json:"live,omitempty"`
	// Sources are the contents that the items may read, by index of the item.
	Sources []Source `json:"sources,omitempty"`
	// Binary is the name of an executable module to run instead of a built-in one: its
	// content is the source of that name.
	Binary string `json:"binary,omitempty"`
	// Extra is the SHA-256 of the runner's second program, in hex; a source of that name
	// offers it, packed with xz. Set when the call may need it.
	Extra string `json:"extra,omitempty"`
	// Async, when over 0, runs the item as a job that outlives the connection, for at
	// most so many seconds; the result is the job's id.
	Async int `json:"async,omitempty"`
}

// Source announces content. With Inline it is in the call; without, the runner pulls it.
type Source struct {
	Item   int    `json:"item"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA1   string `json:"sha1"`
	Mode   uint32 `json:"mode,omitempty"`
	Inline []byte `json:"inline,omitempty"`
	// HasInline tells empty inline content from none.
	HasInline bool `json:"has_inline,omitempty"`
}

// Result is the outcome of one item of a call.
type Result struct {
	Item int             `json:"item"`
	Data json.RawMessage `json:"data"` // the module's result object
}

// Output is live output of a command.
type Output struct {
	Item   int    `json:"item"`
	Stream string `json:"stream"` // stdout or stderr
	Text   []byte `json:"text"`
}
