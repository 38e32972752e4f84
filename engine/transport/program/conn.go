package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"

	"fettle/engine/transport"
)

// Conn is a connection that starts a program of this machine for every command.
type Conn struct {
	Name string // for messages: "docker web1"
	Lent bool   // as in Options, for its processes
	// command makes the program that runs a command line where the connection leads to.
	command func(line string, terminal bool) *exec.Cmd

	mu   sync.Mutex
	err  error
	done chan struct{}
}

var _ transport.Conn = (*Conn)(nil)

// New makes a connection that is open.
func New(name string, command func(line string, terminal bool) *exec.Cmd) *Conn {
	return &Conn{Name: name, command: command, done: make(chan struct{})}
}

// Description is the name.
func (c *Conn) Description() string { return c.Name }

// Done is closed when the connection is lost or closed.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Fail ends the connection with the first reason.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

// Close ends it.
func (c *Conn) Close() error {
	c.Fail(errors.New("the connection was closed"))
	return nil
}

// Start runs the program.
func (c *Conn) Start(ctx context.Context, command string, opts transport.StartOptions) (transport.Process, error) {
	if err := c.Err(); err != nil {
		return nil, &transport.UnreachableError{Msg: c.Name + ": " + err.Error(), Err: err}
	}
	p, err := Start(ctx, c.command(command, opts.PTY), Options{Terminal: opts.PTY, Lent: c.Lent})
	if err != nil && ctx.Err() == nil {
		err = &transport.UnreachableError{Msg: fmt.Sprintf("%s: %v", c.Name, err), Err: err}
	}
	return p, err
}

// Put writes with the cat of the other side.
func (c *Conn) Put(ctx context.Context, path string, mode uint32, size int64, content io.Reader) error {
	return transport.PutCat(ctx, c, path, mode, size, content)
}

// Get reads with the cat of the other side.
func (c *Conn) Get(ctx context.Context, path string, to io.Writer) error {
	return transport.GetCat(ctx, c, path, to)
}

// CommandLine is the program that would run a command line.
func (c *Conn) CommandLine(line string, terminal bool) *exec.Cmd { return c.command(line, terminal) }
