// Package runner is the controller's half of talking to runners: it places the binary on
// a host by its hash, starts it (as the login user, or through become), and sends calls.
//
// One runner process per (host, account) lives for the whole run, all plays share it.
package runner

import (
	"context"
	"encoding/json"
	"io"

	"fettle/engine/transport"
	"fettle/engine/wire"
)

// Account says where and as whom a task runs.
type Account struct {
	Target *transport.Target
	Become *Become // nil: as the login user
}

// Become is how to turn into another user.
type Become struct {
	Method   string // sudo, su, doas, ...
	User     string
	Password string
	Exe      string
	Flags    string
}

// Pool hands out runners; safe for concurrent use. Close ends all processes and connections.
type Pool interface {
	// Call runs c on the account's runner, connecting and placing it first when needed.
	// result is called for every item, in order of completion, before Call returns.
	// The error is an *transport.UnreachableError when the host cannot be reached or was
	// lost; Unknown in it tells that the call may have run.
	Call(ctx context.Context, a *Account, c *wire.Call, io *IO, result func(wire.Result)) error
	// Raw runs a command line through the account's login shell without a runner (the raw
	// module, and hosts where a runner cannot be placed).
	Raw(ctx context.Context, a *Account, command string) (rc int, stdout, stderr []byte, err error)
	// Connect opens the connection and starts the runner without calling anything.
	Connect(ctx context.Context, a *Account) (*wire.Hello, error)
	// Reset drops the connection and the runners of the account's host (meta: reset_connection).
	Reset(ctx context.Context, a *Account) error
	Close() error
}

// Releaser is a Pool that can end the idle runners of a become user of a host.
type Releaser interface {
	Release(ctx context.Context, t *transport.Target, user string)
}

// IO are the content streams of a call.
type IO struct {
	// Open gives the content of a source that was announced without Inline.
	Open func(item int, name string) (io.ReadCloser, error)
	// Receive takes content that a module sends (fetch).
	Receive func(item int, name string, r io.Reader) error
	// Output takes live output.
	Output func(wire.Output)
	// Notice takes a sentence about the connection that people should read: it was lost
	// during the call, and the call went on.
	Notice func(text string)
}

// Args encodes the arguments of one item.
type Args = json.RawMessage
