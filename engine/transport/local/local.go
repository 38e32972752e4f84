// Package local runs commands on this machine, as the current user, without SSH.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"fettle/engine/transport"
	"fettle/engine/transport/program"
)

// Dialer gives connections to this machine.
type Dialer struct{}

// Dial never fails.
func (Dialer) Dial(_ context.Context, t *transport.Target) (transport.Conn, error) {
	c := &conn{done: make(chan struct{})}
	if info, err := os.Stat(t.Dir); err == nil && info.IsDir() {
		c.dir = t.Dir
	}
	return c, nil
}

type conn struct {
	dir  string // where commands start; "" is where this program was started
	once sync.Once
	done chan struct{}
}

var errClosed = errors.New("the connection was closed")

func (c *conn) Description() string   { return "local" }
func (c *conn) Done() <-chan struct{} { return c.done }

func (c *conn) Err() error {
	select {
	case <-c.done:
		return errClosed
	default:
		return nil
	}
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

// Start runs the command line with /bin/sh, in a session of its own.
func (c *conn) Start(ctx context.Context, command string, opts transport.StartOptions) (transport.Process, error) {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Dir = c.dir
	p, err := program.Start(ctx, cmd, program.Options{Terminal: opts.PTY})
	if err != nil && ctx.Err() == nil {
		err = &transport.UnreachableError{Msg: fmt.Sprintf("cannot start a process on this machine: %v", err), Err: err}
	}
	return p, err
}

// Put writes a file beside its place and renames it.
func (c *conn) Put(ctx context.Context, path string, mode uint32, _ int64, content io.Reader) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".fettle-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = io.Copy(f, reader{ctx, content}); err != nil {
		return err
	}
	if err = f.Chmod(os.FileMode(mode & 0o777)); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Get copies a file.
func (c *conn) Get(ctx context.Context, path string, to io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(to, reader{ctx, f})
	return err
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
