// Package transport reaches machines: it runs commands and moves bytes, and knows nothing
// of playbooks. Implementations live below (ssh, local, ...); all pass the suite in
// transporttest.
package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Conn is an open way to one account on one machine. Safe for concurrent use.
type Conn interface {
	// Start runs a command line with the login shell of the account and returns at once.
	Start(ctx context.Context, command string, opts StartOptions) (Process, error)
	// Put writes a file with exactly the given permission bits; it replaces an existing one atomically
	// where the transport can and leaves nothing behind on failure.
	Put(ctx context.Context, path string, mode uint32, size int64, content io.Reader) error
	// Get reads a file.
	Get(ctx context.Context, path string, to io.Writer) error
	// Description is for messages: "ssh admin@web1:22".
	Description() string
	// Done is closed when the connection is lost or closed; Err then says why.
	Done() <-chan struct{}
	Err() error
	Close() error
}

// StartOptions of a command.
type StartOptions struct {
	PTY bool // allocate a terminal (su, requiretty)
}

// Process is a running command.
type Process interface {
	io.Writer          // its standard input
	CloseStdin() error // end of input
	Stdout() io.Reader
	Stderr() io.Reader
	// Wait returns the exit code, after both outputs have been read to the end.
	// A process ended by a signal has code 128+signal.
	Wait() (int, error)
	// Kill ends it; the remote side is told where the protocol can.
	Kill() error
}

// Target says whom to reach, from a host's connection variables.
type Target struct {
	Name          string // inventory name, for messages
	Connection    string // ssh, local, ...
	Address       string
	Port          int
	User          string
	Password      string
	KeyFiles      []string
	KeyPassphrase string
	// HostKeyChecking as ansible's host_key_checking.
	HostKeyChecking bool
	CommonArgs      []string // ansible_ssh_common_args, extra args, split
	Timeout         int      // seconds to connect
	Retries         int
	// Vars gives other connection variables by name ("ansible_docker_extra_args").
	Vars func(name string) string
}

// Key identifies a pooled connection.
func (t *Target) Key() string {
	return fmt.Sprintf("%s|%s|%s|%d|%q|%q", t.Connection, t.User, t.Address, t.Port, t.KeyFiles, t.CommonArgs)
}

// Dialer opens connections of one kind.
type Dialer interface {
	Dial(ctx context.Context, t *Target) (Conn, error)
}

// UnreachableError is a failure to reach a host, or the loss of a connection.
type UnreachableError struct {
	Msg string
	Err error
	// Unknown: a call was under way and its outcome is not known.
	Unknown bool
}

func (e *UnreachableError) Error() string { return e.Msg }
func (e *UnreachableError) Unwrap() error { return e.Err }

// IsUnreachable tells whether err means that the host cannot be reached.
func IsUnreachable(err error) bool {
	var u *UnreachableError
	return errors.As(err, &u)
}
