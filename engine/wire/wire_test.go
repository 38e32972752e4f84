package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair connects a client with a server that handles calls with handle.
func pair(t *testing.T, handle func(context.Context, *Session) error) *Client {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- Serve(context.Background(), far, far, Hello{Version: Version, User: "u"}, handle)
		_ = far.Close()
	}()
	c := NewClient(near, near)
	t.Cleanup(func() {
		c.Close()
		_ = near.Close()
		c.Wait()
		<-served
	})
	if h, err := c.Hello(t.Context()); err != nil || h.User != "u" {
		t.Fatalf("hello %+v, err %v", h, err)
	}
	return c
}

func echo(_ context.Context, s *Session) error {
	for i, a := range s.Call.Args {
		if err := s.Result(i, a); err != nil {
			return err
		}
	}
	return nil
}

func TestCall(t *testing.T) {
	c := pair(t, echo)
	var got []string
	call := &Call{Module: "m", Args: []json.RawMessage{json.RawMessage(`{"a":1}`), json.RawMessage(`{"b":2}`)},
		Sources: []Source{{Name: "x", HasInline: true, Inline: []byte{0, 255}, Size: 2}}}
	err := c.Call(t.Context(), call, Handler{Result: func(r Result) { got = append(got, fmt.Sprintf("%d%s", r.Item, r.Data)) }})
	if err != nil || strings.Join(got, " ") != `0{"a":1} 1{"b":2}` {
		t.Fatalf("got %v, err %v", got, err)
	}
}

// A call with its content in it is one write out, whatever the number of items.
func TestRoundTrips(t *testing.T) {
	c := pair(t, echo)
	args := make([]json.RawMessage, 100)
	for i := range args {
		args[i] = json.RawMessage(`{}`)
	}
	before := c.Stats()
	n := 0
	if err := c.Call(t.Context(), &Call{Args: args}, Handler{Result: func(Result) { n++ }}); err != nil || n != 100 {
		t.Fatalf("%d results, err %v", n, err)
	}
	after := c.Stats()
	if trips, writes := after.RoundTrips()-before.RoundTrips(), after.Writes-before.Writes; trips != 1 || writes != 1 {
		t.Errorf("%d round trips, %d writes", trips, writes)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	c := pair(t, echo)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			want := fmt.Sprintf(`{"n":%d}`, i)
			var got string
			err := c.Call(t.Context(), &Call{Args: []json.RawMessage{json.RawMessage(want)}}, Handler{Result: func(r Result) { got = string(r.Data) }})
			if err != nil || got != want {
				t.Errorf("call %d: %s, %v", i, got, err)
			}
		})
	}
	all.Wait()
}

func content(n int) []byte { return bytes.Repeat([]byte("0123456789abcde\n"), n/16) }

func TestPull(t *testing.T) {
	big := content(5 * Window)
	c := pair(t, func(ctx context.Context, s *Session) error {
		r, err := s.Open(ctx, 0, "src")
		if err != nil {
			return err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		return s.Result(0, fmt.Appendf(nil, "%d %v", len(b), bytes.Equal(b, big)))
	})
	call := &Call{Args: []json.RawMessage{nil}, Sources: []Source{{Name: "src", Size: int64(len(big))}}}
	for _, tt := range []struct {
		name string
		open func(int, string) (io.ReadCloser, error)
		want string
		err  string
	}{
		{"good", func(int, string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(big)), nil }, fmt.Sprintf("%d true", len(big)), ""},
		{"cannot open", func(int, string) (io.ReadCloser, error) { return nil, errors.New("no file") }, "", "reading: no file"},
		{"breaks off", func(int, string) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(big[:Window]), broken{})), nil
		}, "", "reading: disk error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			err := c.Call(t.Context(), call, Handler{Open: tt.open, Result: func(r Result) { got = string(r.Data) }})
			if got != tt.want || fmt.Sprint(err) != map[bool]string{true: "<nil>", false: tt.err}[tt.err == ""] {
				t.Errorf("got %q, err %v", got, err)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("disk error") }

func TestPullStoppedEarly(t *testing.T) {
	c := pair(t, func(ctx context.Context, s *Session) error {
		for range 3 {
			r, err := s.Open(ctx, 0, "src")
			if err != nil {
				return err
			}
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				return err
			}
			if err := r.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	call := &Call{Args: []json.RawMessage{nil}, Sources: []Source{{Name: "src"}}}
	open := func(int, string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content(4 * Window))), nil
	}
	if err := c.Call(t.Context(), call, Handler{Open: open}); err != nil {
		t.Fatal(err)
	}
}

func TestSend(t *testing.T) {
	big := content(5 * Window)
	c := pair(t, func(ctx context.Context, s *Session) error { return s.Send(ctx, 0, "f", bytes.NewReader(big)) })
	for _, tt := range []struct {
		name    string
		receive func(int, string, io.Reader) error
		err     string
	}{
		{"good", func(_ int, _ string, r io.Reader) error {
			b, err := io.ReadAll(r)
			if !bytes.Equal(b, big) {
				t.Errorf("%d bytes arrived", len(b))
			}
			return err
		}, ""},
		{"cannot store", func(_ int, _ string, r io.Reader) error { return errors.New("no space") }, "no space"},
		{"not wanted", nil, "this task takes no content"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := c.Call(t.Context(), &Call{Args: []json.RawMessage{nil}}, Handler{Receive: tt.receive})
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("err %v", err)
			}
		})
	}
}

func TestSendBreaksOff(t *testing.T) {
	c := pair(t, func(ctx context.Context, s *Session) error { return s.Send(ctx, 0, "f", broken{}) })
	var readErr error
	receive := func(_ int, _ string, r io.Reader) error { _, readErr = io.ReadAll(r); return readErr }
	err := c.Call(t.Context(), &Call{Args: []json.RawMessage{nil}}, Handler{Receive: receive})
	if err == nil || readErr == nil || readErr.Error() != "disk error" {
		t.Errorf("call %v, reading %v", err, readErr)
	}
}

// Live output arrives while the call runs, and is held up when nobody takes it.
func TestOutput(t *testing.T) {
	c := pair(t, func(ctx context.Context, s *Session) error {
		return s.Output(0, "stderr", content(4*Window))
	})
	n := 0
	err := c.Call(t.Context(), &Call{Args: []json.RawMessage{nil}}, Handler{Output: func(o Output) {
		if o.Stream != "stderr" {
			t.Errorf("stream %q", o.Stream)
		}
		n += len(o.Text)
	}})
	if err != nil || n != 4*Window {
		t.Errorf("%d bytes, err %v", n, err)
	}
}

func TestCancel(t *testing.T) {
	started := make(chan struct{})
	c := pair(t, func(ctx context.Context, s *Session) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if err := c.Call(ctx, &Call{}, Handler{}); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
}

func TestCrashEndsOneCallOnly(t *testing.T) {
	c := pair(t, func(_ context.Context, s *Session) error {
		if s.Call.Module == "bad" {
			panic("oops")
		}
		return nil
	})
	var ce *CallError
	if err := c.Call(t.Context(), &Call{Module: "bad"}, Handler{}); !errors.As(err, &ce) || !strings.Contains(err.Error(), "oops") {
		t.Errorf("err %v", err)
	}
	if err := c.Call(t.Context(), &Call{Module: "good"}, Handler{}); err != nil {
		t.Errorf("err %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	c := pair(t, echo)
	var ce *CallError
	err := c.Call(t.Context(), &Call{Module: "m", Args: []json.RawMessage{make([]byte, MaxFrame+1)}}, Handler{})
	if !errors.As(err, &ce) {
		t.Errorf("err %v", err)
	}
	if err := c.Call(t.Context(), &Call{Args: []json.RawMessage{[]byte("{}")}}, Handler{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The loss of the connection reaches open calls, and says whether they may have run.
func TestLost(t *testing.T) {
	near, far := net.Pipe()
	begun := make(chan struct{})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = Serve(context.Background(), far, far, Hello{Version: Version}, func(ctx context.Context, s *Session) error {
			close(begun)
			<-ctx.Done()
			return nil
		})
	}()
	c := NewClient(near, near)
	go func() { <-begun; _ = near.Close() }()
	var lost *LostError
	if err := c.Call(t.Context(), &Call{}, Handler{}); !errors.As(err, &lost) || !lost.Sent {
		t.Errorf("open call: %v", err)
	}
	if err := c.Call(t.Context(), &Call{}, Handler{}); !errors.As(err, &lost) || lost.Sent {
		t.Errorf("new call: %v", err)
	}
	<-served // the runner cancelled the call and ended
	c.Wait()
}

func TestHelloIsChecked(t *testing.T) {
	for name, b := range map[string][]byte{
		"other version": mustFrame(typeHello, 0, []byte(`{"version":999}`)),
		"no hello":      mustFrame(typeDone, 1, nil),
		"noise":         []byte("Welcome to host web1\n"),
		"nothing":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			c := NewClient(bytes.NewReader(b), io.Discard)
			defer c.Wait()
			if _, err := c.Hello(t.Context()); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func mustFrame(ty Type, id uint32, p []byte) []byte {
	b, err := appendFrame(nil, ty, id, p)
	if err != nil {
		panic(err)
	}
	return b
}

// What a hostile runner may try: each ends the connection, none does harm.
func TestHostileRunner(t *testing.T) {
	uv := func(n ...uint64) (b []byte) {
		for _, v := range n {
			b = binary.AppendUvarint(b, v)
		}
		return b
	}
	for name, frames := range map[string][]byte{
		"result of an unknown call":    mustFrame(typeResult, 77, uv(0)),
		"result of an unknown item":    mustFrame(typeResult, 1, uv(5)),
		"second result":                append(mustFrame(typeResult, 1, uv(0)), mustFrame(typeResult, 1, uv(0))...),
		"content that was not offered": mustFrame(typePull, 1, append(uv(2, 0), "/etc/shadow"...)),
		"odd stream":                   mustFrame(typeSend, 1, append(uv(3, 0), "x"...)),
		"credit without end":           mustFrame(typeCredit, 2, uv(1<<40)),
		"huge frame":                   {0xff, 0xff, 0xff, 0xff, byte(typeResult), 0, 0, 0, 1},
		"unknown type":                 mustFrame(99, 1, nil),
		"call from the runner":         mustFrame(typeCall, 1, nil),
		"second hello":                 mustFrame(typeHello, 0, []byte(`{"version":1}`)),
		"endless number":               mustFrame(typeResult, 1, bytes.Repeat([]byte{0xff}, 20)),
		"output without limit":         bytes.Repeat(mustFrame(typeOutput, 1, append(append(uv(0), 1), make([]byte, MaxData)...)), Window/MaxData+1),
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			c := NewClient(near, near)
			_, _ = far.Write(mustFrame(typeHello, 0, []byte(`{"version":1}`)))
			go func() {
				for c.Stats().Calls == 0 {
					time.Sleep(time.Millisecond)
				}
				_, _ = far.Write(frames)
			}()
			err := c.Call(t.Context(), &Call{Args: []json.RawMessage{nil}, Sources: []Source{{Name: "ok"}}},
				Handler{Receive: func(int, string, io.Reader) error { return nil }, Output: func(Output) { <-c.Done() }, Open: func(int, string) (io.ReadCloser, error) { t.Error("opened"); return nil, io.EOF }})
			var pe *ProtocolError
			if !errors.As(err, &pe) {
				t.Errorf("err %v", err)
			}
			_ = near.Close()
			_ = far.Close()
			c.Wait()
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(mustFrame(typeHello, 0, []byte(`{"version":1}`)))
	f.Add(append(mustFrame(typeHello, 0, []byte(`{"version":1}`)), mustFrame(typeResult, 1, []byte{0, '{', '}'})...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0})
	parts, _ := encodeCall(&Call{Module: "m", Args: []json.RawMessage{[]byte("{}")}, Sources: []Source{{Name: "n", HasInline: true, Inline: []byte("x")}}})
	f.Add(mustFrame(typeCall, 1, bytes.Join(parts, nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewClient(bytes.NewReader(b), io.Discard)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_ = c.Call(ctx, &Call{Args: []json.RawMessage{nil}, Sources: []Source{{Name: "n"}}}, Handler{
			Open:    func(int, string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil },
			Receive: func(_ int, _ string, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err },
		})
		c.Wait()
		_ = Serve(ctx, bytes.NewReader(b), io.Discard, Hello{}, func(ctx context.Context, s *Session) error {
			if len(s.Call.Args) > 0 {
				if r, err := s.Open(ctx, 0, "n"); err == nil {
					_, _ = io.Copy(io.Discard, r)
					_ = r.Close()
				}
			}
			return nil
		})
		if ctx.Err() != nil {
			t.Error("hangs")
		}
	})
}

func FuzzCall(f *testing.F) {
	parts, _ := encodeCall(&Call{Module: "m", Args: []json.RawMessage{[]byte("{}")}, Sources: []Source{{Name: "n", HasInline: true, Inline: []byte("x")}}})
	f.Add(bytes.Join(parts, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCall(b)
		if err != nil {
			return
		}
		again, err := encodeCall(c)
		if err != nil {
			t.Fatal(err)
		}
		d, err := decodeCall(bytes.Join(again, nil))
		if err != nil {
			t.Fatal(err)
		}
		x, _ := json.Marshal(c.Sources)
		y, _ := json.Marshal(d.Sources)
		if len(c.Args) != len(d.Args) || !bytes.Equal(x, y) {
			t.Errorf("%+v became %+v", c, d)
		}
	})
}

func BenchmarkCall(b *testing.B) {
	near, far := net.Pipe()
	go func() { _ = Serve(context.Background(), far, far, Hello{Version: Version}, echo) }()
	c := NewClient(near, near)
	arg := []json.RawMessage{json.RawMessage(`{"path":"/etc/motd","line":"` + strings.Repeat("x", 200) + `"}`)}
	for b.Loop() {
		if err := c.Call(b.Context(), &Call{Module: "m", Args: arg}, Handler{Result: func(Result) {}}); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	_ = near.Close()
}
