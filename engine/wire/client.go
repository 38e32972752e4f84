package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Handler takes what a call brings. Nil functions refuse what they would take.
type Handler struct {
	// Result gets each item once, in the caller's goroutine, before Call returns.
	Result func(Result)
	// Output takes live output, in the caller's goroutine.
	Output func(Output)
	// Open gives announced content that was not inline.
	Open func(item int, name string) (io.ReadCloser, error)
	// Receive takes content that the module sends; r ends with the content.
	Receive func(item int, name string, r io.Reader) error
}

// LostError says that the connection ended. Sent tells that the call may have reached
// the runner, so that its outcome is unknown.
type LostError struct {
	Err  error
	Sent bool
}

func (e *LostError) Error() string { return "connection to the runner lost: " + e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

// CallError is a call that the runner did not accept or could not finish.
type CallError struct{ Msg string }

func (e *CallError) Error() string { return e.Msg }

// Client is the controller's end of a connection. Safe for concurrent use.
type Client struct {
	w       *writer
	greeted chan struct{} // closed when hello is set
	done    chan struct{} // closed when the connection is over

	taking sync.Mutex // held while a frame is taken
	round  int        // counts the connections; taking guards it

	mu      sync.Mutex
	onLost  func(error)
	answer  chan resumed // of the runner that was asked to find another; see Resume
	hello   *Hello
	next    uint32
	calls   map[uint32]*clientCall
	in      map[uint32]*inStream
	out     map[uint32]*outStream
	err     error
	reading sync.WaitGroup
}

// NewClient starts talking over r and w. They stay the caller's, who closes them after
// Close; the reading goroutine ends with r.
func NewClient(r io.Reader, w io.Writer) *Client {
	c := &Client{greeted: make(chan struct{}), done: make(chan struct{}), next: 1,
		calls: map[uint32]*clientCall{}, in: map[uint32]*inStream{}, out: map[uint32]*outStream{}}
	c.w = newWriter(w, c.lost)
	out := c.w.current()
	c.reading.Go(func() { c.read(bufio.NewReader(r), out, 0) })
	return c
}

// Hello waits for the runner's first message.
func (c *Client) Hello(ctx context.Context) (*Hello, error) {
	select {
	case <-c.greeted:
		return c.hello, nil
	default:
	}
	select {
	case <-c.greeted:
		return c.hello, nil
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Done is closed when the connection is over; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection is over, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stats tells what went over the connection so far.
func (c *Client) Stats() Stats { return c.w.snapshot() }

// Close tells the runner to end and fails what is still open. It does not wait for the
// runner: the owner of the streams closes them and then calls Wait.
func (c *Client) Close() {
	_ = c.w.send(typeBye, 0)
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-c.w.close():
	case <-c.done:
	case <-t.C:
	}
	c.Fail(errClosed)
}

// Wait waits for the goroutines of the connection, after its streams were closed.
func (c *Client) Wait() {
	c.reading.Wait()
	<-c.w.close()
}

// Fail ends the conversation: every call and stream gets the error.
func (c *Client) Fail(err error) {
	handed := c.w.handedTo()
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	calls, in, out := c.calls, c.in, c.out
	c.calls, c.in, c.out = map[uint32]*clientCall{}, map[uint32]*inStream{}, map[uint32]*outStream{}
	close(c.done)
	c.mu.Unlock()
	c.w.stop(err)
	for _, k := range calls {
		k.put(clientEvent{done: true, err: &LostError{err, k.number <= handed}})
	}
	for _, s := range in {
		s.finish(err)
	}
	for _, s := range out {
		s.settle(err)
	}
}

// clientCall is an open call.
type clientCall struct {
	id      uint32
	number  uint64 // of its frame, or less
	items   int
	sources map[sourceKey]bool
	handler Handler
	streams sync.WaitGroup
	over    bool                 // Call has returned; Client.mu guards it
	open    map[uint32]io.Closer // its streams; Client.mu guards it

	mu     sync.Mutex
	events []clientEvent
	seen   []bool // results by item
	output int    // bytes of output not yet credited
	ready  chan struct{}
}

type sourceKey struct {
	item int
	name string
}

type clientEvent struct {
	result *Result
	output *Output
	done   bool
	err    error
}

func newClientCall(call *Call, h Handler) *clientCall {
	k := &clientCall{items: len(call.Args), handler: h, seen: make([]bool, len(call.Args)), ready: make(chan struct{}, 1)}
	for _, s := range call.Sources {
		if k.sources == nil {
			k.sources = map[sourceKey]bool{}
		}
		k.sources[sourceKey{s.Item, s.Name}] = true
	}
	return k
}

func (k *clientCall) put(e clientEvent) {
	k.mu.Lock()
	k.events = append(k.events, e)
	k.mu.Unlock()
	select {
	case k.ready <- struct{}{}:
	default:
	}
}

func (k *clientCall) take() []clientEvent {
	k.mu.Lock()
	defer k.mu.Unlock()
	events := k.events
	k.events = nil
	return events
}

// cancelGrace is how long a cancelled call is awaited: the runner ends the processes of
// the module in this time.
const cancelGrace = 5 * time.Second

// Call runs a call to its end. When ctx ends, the runner is told to end the processes of
// the call, which is awaited for a few seconds.
func (c *Client) Call(ctx context.Context, call *Call, h Handler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts, err := encodeCall(call)
	if err != nil {
		return err
	}
	k := newClientCall(call, h)
	if err := c.open(k); err != nil {
		return err
	}
	defer c.closeStreams(k)
	if err := c.w.send(typeCall, k.id, parts...); err != nil {
		c.forget(k)
		if errors.Is(err, ErrTooLarge) {
			return &CallError{fmt.Sprintf("the arguments of module %s are too large: %v", call.Module, err)}
		}
		return &LostError{err, false}
	}
	c.w.count(func(s *Stats) { s.Calls++ })
	return c.follow(ctx, k)
}

func (c *Client) open(k *clientCall) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return &LostError{c.err, false}
	}
	if len(c.calls) >= MaxCalls {
		return &CallError{fmt.Sprintf("more than %d calls at once on one runner", MaxCalls)}
	}
	k.id, k.number = c.next, c.w.number()
	c.next += 2 // calls are odd, streams even
	c.calls[k.id] = k
	return nil
}

func (c *Client) forget(k *clientCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, k.id)
}

// closeStreams ends what is still open when the call is over.
func (c *Client) closeStreams(k *clientCall) {
	c.mu.Lock()
	k.over = true
	open := slices.Collect(maps.Values(k.open))
	c.mu.Unlock()
	for _, s := range open {
		_ = s.Close()
	}
	k.streams.Wait()
}

var errCallOver = errors.New("the call is over")

// Close ends the stream for its reader.
func (s *inStream) Close() error { s.finish(errCallOver); return nil }

// Close ends the stream for its writer.
func (s *outStream) Close() error { s.settle(errCallOver); return nil }

// follow handles the events of a call until it is done.
func (c *Client) follow(ctx context.Context, k *clientCall) error {
	cancelled := ctx.Done()
	var tooLong <-chan time.Time
	for {
		select {
		case <-k.ready:
		case <-cancelled:
			cancelled = nil
			_ = c.w.send(typeCancel, k.id)
			t := time.NewTimer(cancelGrace)
			defer t.Stop()
			tooLong = t.C
		case <-tooLong:
			return ctx.Err()
		}
		for _, e := range k.take() {
			if e.done {
				return outcome(ctx, e.err)
			}
			c.deliver(k, e)
		}
	}
}

// outcome prefers the reason for the cancellation over its consequences.
func outcome(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (c *Client) deliver(k *clientCall, e clientEvent) {
	if e.result != nil && k.handler.Result != nil {
		k.handler.Result(*e.result)
	}
	if e.output == nil {
		return
	}
	if k.handler.Output != nil {
		k.handler.Output(*e.output)
	}
	k.mu.Lock()
	n := len(e.output.Text)
	k.output -= n
	k.mu.Unlock()
	_ = c.w.sendLazy(typeCredit, k.id, binary.AppendUvarint(nil, uint64(n)))
}

// read takes the frames of one connection.
func (c *Client) read(r *bufio.Reader, out *outlet, round int) {
	for {
		f, err := readFrame(r)
		switch {
		case err == nil:
			err = c.take(f, round)
			if err == errElsewhere {
				c.handOver(f, r)
				return
			}
		case !isViolation(err):
			c.lost(out, err)
			return
		}
		if err != nil {
			if err == io.EOF {
				err = ErrEnded
			}
			c.Fail(err)
			return
		}
	}
}

// ErrEnded says that the runner ended, or that nothing more comes from it.
var ErrEnded = errors.New("the runner ended")

// take handles a frame, unless the conversation goes on over another connection.
func (c *Client) take(f frame, round int) error {
	c.taking.Lock()
	defer c.taking.Unlock()
	if round != c.round {
		return nil
	}
	c.w.got(len(f.Payload)+headerSize, numbered(f.Type))
	return c.dispatch(f)
}

func (c *Client) dispatch(f frame) error {
	if f.Type == typeHello {
		return c.greet(f)
	}
	if c.hello == nil {
		return violation("a frame of type %d before hello", f.Type)
	}
	switch f.Type {
	case typeResult, typeDone, typeOutput, typePull, typeSend:
		return c.onCall(f)
	case typeData, typeEnd, typeCredit:
		return c.onStream(f)
	case typeAck:
		return confirmed(c.w, f)
	case typeResumed:
		return c.onResumed(f)
	case typeBye:
		if len(f.Payload) > 0 {
			return fmt.Errorf("the runner ended: %s", text(f.Payload))
		}
		return io.EOF
	}
	return violation("a frame of unknown type %d", f.Type)
}

// confirmed takes the word of the other side that frames have arrived.
func confirmed(w *writer, f frame) error {
	n, rest, err := cutUvarint(f.Payload)
	if err != nil || len(rest) > 0 {
		return violation("a bad confirmation")
	}
	return w.confirm(n)
}

func (c *Client) greet(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hello != nil {
		return violation("a second hello")
	}
	h := &Hello{}
	if err := json.Unmarshal(f.Payload, h); err != nil {
		return violation("a bad hello: %v", err)
	}
	if h.Version != Version {
		return violation("the runner speaks version %d, this program version %d", h.Version, Version)
	}
	c.hello = h
	close(c.greeted)
	return nil
}

func (c *Client) onCall(f frame) error {
	c.mu.Lock()
	k := c.calls[f.ID]
	if k != nil && f.Type == typeDone {
		delete(c.calls, f.ID)
	}
	c.mu.Unlock()
	if k == nil {
		return violation("a frame of type %d for call %d, which is not open", f.Type, f.ID)
	}
	switch f.Type {
	case typeResult:
		return k.onResult(f.Payload)
	case typeOutput:
		return k.onOutput(f.Payload)
	case typeDone:
		var err error
		if len(f.Payload) > 0 {
			err = &CallError{text(f.Payload)}
		}
		k.put(clientEvent{done: true, err: err})
		return nil
	case typePull:
		return c.onPull(k, f.Payload)
	}
	return c.onSend(k, f.Payload)
}

func (k *clientCall) onResult(p []byte) error {
	r, err := decodeResult(p, k.items)
	if err != nil {
		return err
	}
	if k.seen[r.Item] {
		return violation("a second result of item %d", r.Item)
	}
	k.seen[r.Item] = true
	k.put(clientEvent{result: &r})
	return nil
}

func (k *clientCall) onOutput(p []byte) error {
	o, err := decodeOutput(p, k.items)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.output += len(o.Text)
	over := k.output > Window
	k.mu.Unlock()
	if over {
		return violation("more output than credit")
	}
	k.put(clientEvent{output: &o})
	return nil
}

// onPull starts sending content that the runner asks for.
func (c *Client) onPull(k *clientCall, p []byte) error {
	req, err := decodeStreamRequest(p, k.items)
	if err != nil {
		return err
	}
	if !k.sources[sourceKey{req.Item, req.Name}] || k.handler.Open == nil {
		return violation("content %q of item %d was not offered", req.Name, req.Item)
	}
	s := newOutStream(req.Stream, c.w)
	if ok, err := c.addStream(k, s.id, s, func() { c.out[s.id] = s }); !ok {
		return err
	}
	c.w.count(func(s *Stats) { s.Pulls++ })
	go func() {
		defer k.streams.Done()
		defer c.dropStream(k, s.id)
		content, err := k.handler.Open(req.Item, req.Name)
		if err != nil {
			_ = c.w.send(typeEnd, s.id, []byte(err.Error()))
			return
		}
		_ = s.copyFrom(content)
		_ = content.Close()
	}()
	return nil
}

// onSend starts taking content from the runner.
func (c *Client) onSend(k *clientCall, p []byte) error {
	req, err := decodeStreamRequest(p, k.items)
	if err != nil {
		return err
	}
	if k.handler.Receive == nil {
		return c.w.send(typeEnd, req.Stream, []byte("this task takes no content"))
	}
	s := newInStream(req.Stream, c.w)
	if ok, err := c.addStream(k, s.id, s, func() { c.in[s.id] = s }); !ok {
		return err
	}
	c.w.count(func(s *Stats) { s.Sends++ })
	go func() {
		defer k.streams.Done()
		var word []byte
		if err := k.handler.Receive(req.Item, req.Name, s); err != nil {
			word = []byte(err.Error())
		}
		s.finish(errSettled)
		c.dropStream(k, s.id)
		_ = c.w.send(typeEnd, s.id, word)
	}()
	return nil
}

// addStream notes a new stream of a call, unless the call is over.
func (c *Client) addStream(k *clientCall, id uint32, s io.Closer, add func()) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return false, c.err
	case c.in[id] != nil || c.out[id] != nil:
		return false, violation("stream %d is already open", id)
	case len(c.in)+len(c.out) >= MaxStreams:
		return false, violation("more than %d streams", MaxStreams)
	case k.over:
		return false, c.w.send(typeEnd, id, []byte(errCallOver.Error()))
	}
	if k.open == nil {
		k.open = map[uint32]io.Closer{}
	}
	k.open[id] = s
	k.streams.Add(1) // under the lock: closeStreams waits only after it has set over
	add()
	return true, nil
}

func (c *Client) dropStream(k *clientCall, id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(k.open, id)
	delete(c.in, id)
	delete(c.out, id)
}

// onStream handles a frame of a stream; one for a stream that has ended meanwhile is late.
func (c *Client) onStream(f frame) error {
	c.mu.Lock()
	in, out := c.in[f.ID], c.out[f.ID]
	c.mu.Unlock()
	return streamFrame(f, in, out)
}

func streamFrame(f frame, in *inStream, out *outStream) error {
	switch {
	case f.Type == typeData && in != nil:
		return in.push(f.Payload)
	case f.Type == typeCredit:
		n, err := decodeCredit(f.Payload)
		if err != nil || out == nil {
			return err
		}
		return out.add(n)
	case f.Type == typeEnd && in != nil:
		if len(f.Payload) > 0 {
			in.finish(errors.New(text(f.Payload)))
		} else {
			in.finish(io.EOF)
		}
	case f.Type == typeEnd && out != nil:
		var err error
		if len(f.Payload) > 0 {
			err = errors.New(text(f.Payload))
		}
		out.settle(err)
	}
	return nil
}
