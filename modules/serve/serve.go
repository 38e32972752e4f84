// Package serve is the loop a runner runs: it takes calls from the wire and answers them
// with the modules that are linked in. It knows nothing of how the runner came to the
// host; engine/runner does.
package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"fettle/engine/value"
	"fettle/engine/wire"
	"fettle/modules"
)

// Run answers calls until the controller ends the connection or ctx is over; nothing that
// a call started is left then.
func Run(ctx context.Context, r io.Reader, w io.Writer) error {
	l := &loop{}
	defer l.close()
	return wire.Serve(ctx, r, w, hello(), l.handle)
}

// loop is what the calls of one connection share.
type loop struct {
	extra extra
	lock  hostLock
}

func (l *loop) close() {
	l.extra.close()
	l.lock.release()
}

func hello() wire.Hello {
	h := wire.Hello{Version: wire.Version, Build: filepath.Base(os.Args[0]), OS: runtime.GOOS, Arch: runtime.GOARCH,
		UID: os.Geteuid(), PID: os.Getpid(), Partial: Partial(), Home: os.Getenv("HOME"), User: os.Getenv("USER")}
	if u, err := user.LookupId(strconv.Itoa(h.UID)); err == nil {
		h.User, h.Home = u.Username, u.HomeDir
	}
	if exe, err := os.Executable(); err == nil {
		h.Dir = filepath.Dir(exe)
	}
	return h
}

// handle runs the items of one call in order.
func (l *loop) handle(ctx context.Context, s *wire.Session) error {
	c := s.Call
	if c.Module == LockModule {
		return l.lock.take(s)
	}
	if c.Extra != "" && c.Binary == "" && modules.Find(c.Module) == nil {
		return l.extra.forward(ctx, s)
	}
	for i, raw := range c.Args {
		if err := s.Attached(ctx); err != nil {
			return err
		}
		run := l.runItem
		if c.Async > 0 {
			run = l.startJob
		}
		result, err := run(ctx, s, i, raw)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err() // what a cancelled module says is no outcome
		}
		if err := s.Result(i, result); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) runItem(ctx context.Context, s *wire.Session, item int, raw []byte) ([]byte, error) {
	args, err := decodeArgs(raw)
	if err != nil {
		return nil, err
	}
	if t := s.Call.Timeout; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(t)*time.Second)
		defer cancel()
	}
	h := l.host(s, item)
	result := callModule(ctx, h, s.Call, args)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return timedOut(s.Call), nil
	}
	return result, nil
}

// callModule runs a built-in module, or an executable one that came with the call.
func callModule(ctx context.Context, h *modules.Host, c *wire.Call, args *value.Dict) []byte {
	if c.Binary != "" {
		return modules.RunBinary(ctx, h, c.Binary, args)
	}
	return modules.Call(ctx, h, c.Module, args, c.Invocation)
}

func decodeArgs(raw []byte) (*value.Dict, error) {
	v, err := value.FromJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read the arguments: %w", err)
	}
	args, ok := v.(*value.Dict)
	if !ok {
		return nil, errors.New("the arguments are no JSON object")
	}
	return args, nil
}

func timedOut(c *wire.Call) []byte {
	return fmt.Appendf(nil, `{"failed":true,"changed":false,"msg":"Timed out after %d second(s).","timedout":{"period":%d}}`, c.Timeout, c.Timeout)
}

// host is the machine as one item of a call sees it.
func (l *loop) host(s *wire.Session, item int) *modules.Host {
	c := s.Call
	h := &modules.Host{Check: c.Check, Diff: c.Diff, Env: c.Env}
	for i := range c.Sources {
		if c.Sources[i].Item != item {
			continue
		}
		if h.Sources == nil {
			h.Sources = map[string]modules.Source{}
		}
		h.Sources[c.Sources[i].Name] = source(s, item, &c.Sources[i])
	}
	if c.Live {
		h.Output = func(stream string, p []byte) { _ = s.Output(item, stream, p) }
	}
	if c.Extra != "" {
		h.Elsewhere = func(ctx context.Context, module string, args *value.Dict) ([]byte, error) {
			return l.extra.call(ctx, s, module, args, c.Env)
		}
	}
	h.Send = func(ctx context.Context, name string, r io.Reader) error { return s.Send(ctx, item, name, r) }
	return h
}

func source(s *wire.Session, item int, w *wire.Source) modules.Source {
	open := func(ctx context.Context) (io.ReadCloser, error) { return s.Open(ctx, item, w.Name) }
	if w.HasInline {
		open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(w.Inline)), nil }
	}
	return modules.Source{Name: w.Name, Size: w.Size, SHA1: w.SHA1, Mode: w.Mode, Open: open}
}
