package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testHost is a host whose runners find each other; its first connection breaks.
type testHost struct {
	t      *testing.T
	handle func(context.Context, *Session) error

	mu      sync.Mutex
	runners map[string]*Server
	started int
	keep    time.Duration
	ends    []chan error
}

// cutPipe is a connection that breaks after so many bytes in both directions together.
type cutPipe struct {
	net.Conn
	left *atomic.Int64
	cut  func()
}

func (c cutPipe) Write(p []byte) (int, error) {
	left := c.left.Add(-int64(len(p)))
	if left >= 0 {
		return c.Conn.Write(p)
	}
	if n := left + int64(len(p)); n > 0 {
		_, _ = c.Conn.Write(p[:n])
	}
	c.cut()
	return 0, errors.New("cut")
}

// start starts a runner whose connection breaks after so many bytes, and returns its client.
func (h *testHost) start(bytes int64) (c *Client, cut func()) {
	near, far := net.Pipe()
	left := &atomic.Int64{}
	left.Store(bytes)
	cut = func() { _, _ = near.Close(), far.Close() }
	h.mu.Lock()
	h.started++
	token := fmt.Sprintf("runner %d", h.started)
	s := NewServer(Hello{Version: Version, Resume: token}, h.handle)
	s.Dial, s.Keep = h.dial, h.keep
	h.runners[token] = s
	end := make(chan error, 1)
	h.ends = append(h.ends, end)
	h.mu.Unlock()
	go func() {
		end <- s.Serve(context.Background(), cutPipe{far, left, cut}, cutPipe{far, left, cut})
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.runners, token)
	}()
	c = NewClient(near, cutPipe{near, left, cut})
	if _, err := c.Hello(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return c, cut
}

func (h *testHost) dial(token string) (io.ReadWriteCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.runners[token]
	if s == nil {
		return nil, errors.New("no such runner")
	}
	near, far := net.Pipe()
	go func() { _ = s.Accept(far) }()
	return near, nil
}

// ended waits until all runners have ended.
func (h *testHost) ended() {
	for _, e := range h.ends {
		select {
		case <-e:
		case <-time.After(20 * time.Second):
			h.t.Fatal("a runner does not end")
		}
	}
}

func newTestHost(t *testing.T, handle func(context.Context, *Session) error) *testHost {
	return &testHost{t: t, handle: handle, runners: map[string]*Server{}, keep: 20 * time.Second}
}

const many = 1 << 40

// However much of a conversation has passed when its connection breaks, it goes on over the
// next one as if nothing had happened: every call runs once, every byte arrives once.
func TestResumeAnywhere(t *testing.T) {
	step := int64(173)
	if testing.Short() {
		step = 611
	}
	big := content(3 * MaxData)
	total := int64(0)
	for cutAt := int64(200); ; cutAt += step {
		ran := &atomic.Int64{}
		h := newTestHost(t, func(ctx context.Context, s *Session) error {
			ran.Add(1)
			return busy(ctx, s, big)
		})
		c, cut := h.start(cutAt)
		cuts := []func(){cut}
		var lost atomic.Int64
		c.OnLost(func(error) {
			for n := lost.Add(1); n < 5; n++ {
				next, cut := h.start(cutAt + many*min(n-1, 1)) // breaks twice
				cuts = append(cuts, cut)
				err := c.Resume(context.Background(), next)
				if err == nil {
					return
				}
				t.Logf("cut after %d bytes: %v", cutAt, err)
			}
			c.Fail(errors.New("cannot resume"))
		})
		for n := range 5 {
			if got, err := busyCall(c, big); err != nil || got != "true true out" {
				t.Fatalf("cut after %d bytes: call %d: %q, err %v", cutAt, n, got, err)
			}
		}
		if ran.Load() != 5 {
			t.Fatalf("cut after %d bytes: %d calls ran", cutAt, ran.Load())
		}
		st := c.Stats()
		total = st.BytesSent + st.BytesReceived
		c.Close()
		for _, cut := range cuts {
			cut()
		}
		c.Wait()
		h.ended()
		if lost.Load() == 0 {
			t.Logf("%d bytes, cut at every %d", total, step)
			return
		}
		if cutAt > 5000 {
			step = max(step, 6151) // inside the contents
		}
	}
}

// busy uses all that a call can: content both ways, output, results.
func busy(ctx context.Context, s *Session, big []byte) error {
	r, err := s.Open(ctx, 0, "src")
	if err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil {
		return err
	}
	if err := s.Output(0, "stdout", []byte("out")); err != nil {
		return err
	}
	if err := s.Result(0, fmt.Appendf(nil, "%v", bytes.Equal(b, big))); err != nil {
		return err
	}
	return s.Send(ctx, 0, "back", bytes.NewReader(b))
}

func busyCall(c *Client, big []byte) (string, error) {
	var got, out string
	back := make(chan bool, 1)
	call := &Call{Args: []json.RawMessage{json.RawMessage(`{}`)}, Sources: []Source{{Name: "src"}}}
	err := c.Call(context.Background(), call, Handler{
		Open:   func(int, string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(big)), nil },
		Result: func(r Result) { got += string(r.Data) },
		Output: func(o Output) { out += string(o.Text) },
		Receive: func(_ int, _ string, r io.Reader) error {
			b, err := io.ReadAll(r)
			back <- bytes.Equal(b, big)
			return err
		},
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %v %s", got, <-back, out), nil
}

// Who is not there any more cannot be resumed: the outcome is unknown, but for a call that
// never left.
func TestResumeGone(t *testing.T) {
	begun := make(chan bool, 1)
	h := newTestHost(t, func(ctx context.Context, _ *Session) error {
		begun <- true
		<-ctx.Done()
		return ctx.Err()
	})
	h.keep = 200 * time.Millisecond
	c, cut := h.start(many)
	var next *Client
	failed := make(chan error, 1)
	c.OnLost(func(error) {
		h.mu.Lock()
		clear(h.runners)
		h.mu.Unlock()
		var cutNext func()
		next, cutNext = h.start(many)
		defer cutNext()
		err := c.Resume(context.Background(), next)
		failed <- err
		c.Fail(err)
	})
	done := make(chan error, 1)
	go func() { done <- c.Call(context.Background(), &Call{Args: []json.RawMessage{nil}}, Handler{}) }()
	<-begun
	cut()
	var gone *GoneError
	if err := <-failed; !errors.As(err, &gone) || !strings.Contains(err.Error(), "no such runner") {
		t.Errorf("err %v", err)
	}
	var lost *LostError
	if err := <-done; !errors.As(err, &lost) || !lost.Sent {
		t.Errorf("err %v", err)
	}
	h.ended() // also the first, which nobody asked
}

// Without a connection nothing new begins, output is dropped, and after Keep the calls end.
func TestNobodyComesBack(t *testing.T) {
	begun, waited := make(chan bool), make(chan error, 1)
	h := newTestHost(t, func(ctx context.Context, s *Session) error {
		begun <- true
		<-begun
		_ = s.Output(0, "stdout", make([]byte, 2*Window)) // nobody takes it
		waited <- s.Attached(ctx)
		return nil
	})
	h.keep = 200 * time.Millisecond
	c, cut := h.start(many)
	go func() { _ = c.Call(context.Background(), &Call{Args: []json.RawMessage{nil}}, Handler{}) }()
	<-begun
	cut()
	begun <- true
	if err := <-waited; err == nil {
		t.Error("a new item would have begun")
	}
	h.ended()
}

// Only who knows the token is let in, and a frame that cannot be had again is no reason to
// guess.
func TestAcceptDistrusts(t *testing.T) {
	for name, b := range map[string][]byte{
		"wrong token":  frameOf(typeResume, append([]byte{1}, "runner 2"...)),
		"wrong frame":  frameOf(typeCall, append([]byte{1}, "runner 1"...)),
		"future frame": frameOf(typeResume, append([]byte{99}, "runner 1"...)),
		"nothing":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHost(t, echo)
			h.keep = 0
			c, cut := h.start(many)
			near, far := net.Pipe()
			go func() { _, _ = near.Write(b); _, _ = io.Copy(io.Discard, near) }()
			if b == nil {
				_ = near.Close()
			}
			if err := h.runners["runner 1"].Accept(far); err == nil {
				t.Error("it was let in")
			}
			if err := c.Call(context.Background(), &Call{Args: []json.RawMessage{nil}}, Handler{}); err != nil {
				t.Errorf("the conversation suffered: %v", err)
			}
			cut()
			h.ended()
		})
	}
}

func frameOf(t Type, payload []byte) []byte {
	b, _ := appendFrame(nil, t, 0, payload)
	return b
}
