package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"
)

// maxParallel bounds the calls that run at the same time on a runner; others wait.
const maxParallel = 64

// Server is the runner's end of a connection.
type Server struct {
	// Dial reaches the runner with that token on this host; nil when it has no way to.
	Dial func(token string) (io.ReadWriteCloser, error)
	// Keep is how long after the loss of the connection the calls go on and their outcomes
	// are kept, for a controller that comes back; 0: they end at once.
	Keep time.Duration

	hello  Hello
	handle func(ctx context.Context, s *Session) error
	w      *writer
	slots  chan struct{}
	done   chan struct{}
	ctx    context.Context // of all calls
	run    sync.WaitGroup  // the calls

	taking sync.Mutex // held while a frame is taken
	round  int        // counts the connections; taking guards it

	mu    sync.Mutex
	calls map[uint32]*Session
	in    map[uint32]*inStream
	out   map[uint32]*outStream
	next  uint32
	err   error
	there chan struct{} // closed while there is a connection
	late  *time.Timer   // runs while there is none
}

// NewServer makes a server that runs handle for every call, many at once. handle's error
// is for calls that cannot be run at all; what modules say is in their results.
func NewServer(hello Hello, handle func(ctx context.Context, s *Session) error) *Server {
	there := make(chan struct{})
	close(there)
	return &Server{hello: hello, handle: handle, slots: make(chan struct{}, maxParallel), done: make(chan struct{}), there: there,
		calls: map[uint32]*Session{}, in: map[uint32]*inStream{}, out: map[uint32]*outStream{}, next: 2}
}

// Serve is NewServer and Server.Serve.
func Serve(ctx context.Context, r io.Reader, w io.Writer, hello Hello, handle func(ctx context.Context, s *Session) error) error {
	return NewServer(hello, handle).Serve(ctx, r, w)
}

// Serve greets the controller and answers its calls until it ends the conversation, ctx is
// over, or the connection is lost and nobody comes back in time. Then the calls are
// cancelled and awaited.
func (s *Server) Serve(ctx context.Context, r io.Reader, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.ctx = ctx
	greeting, err := json.Marshal(s.hello)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.w = newWriter(w, s.lost)
	out := s.w.current()
	s.mu.Unlock()
	if err := s.w.send(typeHello, 0, greeting); err != nil {
		return err
	}
	go s.read(bufio.NewReaderSize(r, 64<<10), out, 0)
	select {
	case <-s.done:
	case <-ctx.Done():
		s.fail(ctx.Err())
	}
	cancel()
	s.run.Wait()
	return s.end()
}

// Over is closed when no more calls are taken; Serve returns when those that run have ended.
func (s *Server) Over() <-chan struct{} { return s.done }

// end says goodbye and returns why the conversation is over; nil when the controller ended it.
func (s *Server) end() error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err == io.EOF || err == errElsewhere {
		err = nil
	}
	var word []byte
	if err != nil {
		word = []byte(err.Error())
	}
	_ = s.w.send(typeBye, 0, word)
	select {
	case <-s.w.close():
	case <-time.After(time.Second): // the other side does not read
	}
	return err
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	in, out, calls := s.in, s.out, s.calls
	s.in, s.out, s.calls = map[uint32]*inStream{}, map[uint32]*outStream{}, map[uint32]*Session{}
	close(s.done)
	s.mu.Unlock()
	lost := errors.New("the controller is gone")
	for _, x := range in {
		x.finish(lost)
	}
	for _, x := range out {
		x.settle(lost)
	}
	for _, x := range calls {
		x.cancel()
		x.output.fail(lost)
	}
}

// read takes the frames of one connection.
func (s *Server) read(r *bufio.Reader, out *outlet, round int) {
	for {
		f, err := readFrame(r)
		switch {
		case err == nil && f.Type == typeResume:
			err = s.pass(f, r)
		case err == nil:
			err = s.take(f, round)
		case !isViolation(err):
			s.lost(out, err)
			return
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// take handles a frame, unless the conversation goes on over another connection.
func (s *Server) take(f frame, round int) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	if round != s.round {
		return nil
	}
	s.w.got(len(f.Payload)+headerSize, numbered(f.Type))
	return s.dispatch(f)
}

func (s *Server) dispatch(f frame) error {
	switch f.Type {
	case typeCall:
		return s.start(f)
	case typeCancel:
		s.mu.Lock()
		k := s.calls[f.ID]
		s.mu.Unlock()
		if k != nil {
			k.cancel()
			k.output.fail(context.Canceled)
		}
		return nil
	case typeCredit:
		if f.ID%2 != 0 {
			return s.outputCredit(f)
		}
		fallthrough
	case typeData, typeEnd:
		s.mu.Lock()
		in, out := s.in[f.ID], s.out[f.ID]
		s.mu.Unlock()
		return streamFrame(f, in, out)
	case typeAck:
		return confirmed(s.w, f)
	case typeBye:
		return io.EOF
	}
	return violation("a frame of type %d", f.Type)
}

func (s *Server) outputCredit(f frame) error {
	n, err := decodeCredit(f.Payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	k := s.calls[f.ID]
	s.mu.Unlock()
	if k == nil {
		return nil
	}
	return k.output.add(n)
}

func (s *Server) start(f frame) error {
	call, err := decodeCall(f.Payload)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	k := &Session{Call: call, id: f.ID, server: s, cancel: cancel, output: newCredit()}
	s.mu.Lock()
	switch {
	case s.err != nil:
		s.mu.Unlock()
		cancel()
		return s.err
	case f.ID%2 == 0 || s.calls[f.ID] != nil || len(s.calls) >= MaxCalls:
		s.mu.Unlock()
		cancel()
		return violation("call number %d", f.ID)
	}
	s.calls[f.ID] = k
	s.run.Add(1) // under the lock: nobody waits before fail has been called
	s.mu.Unlock()
	go func() {
		defer s.run.Done()
		s.call(ctx, k)
	}()
	return nil
}

func (s *Server) call(ctx context.Context, k *Session) {
	var err error
	select {
	case s.slots <- struct{}{}:
		err = s.protect(ctx, k)
		<-s.slots
	case <-ctx.Done():
		err = ctx.Err()
	}
	k.cancel()
	var word []byte
	if err != nil {
		word = []byte(err.Error())
	}
	s.mu.Lock()
	delete(s.calls, k.id)
	s.mu.Unlock()
	_ = s.w.send(typeDone, k.id, word)
}

// protect keeps a crash of one call from ending the others.
func (s *Server) protect(ctx context.Context, k *Session) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the runner crashed in this call: %v\n%s", p, debug.Stack())
		}
	}()
	return s.handle(ctx, k)
}

// Session is one call on the runner.
type Session struct {
	Call *Call

	id     uint32
	server *Server
	cancel context.CancelFunc
	output *credit
}

// Result sends the outcome of an item. It waits a moment for others, as the end of the
// call, which takes it along, is often next.
func (k *Session) Result(item int, data []byte) error {
	return k.server.w.sendLazy(typeResult, k.id, binary.AppendUvarint(nil, uint64(item)), data)
}

// Output sends live output and waits for credit; without a connection it drops what would
// have to wait.
func (k *Session) Output(item int, stream string, p []byte) error {
	head, err := encodeOutput(Output{Item: item, Stream: stream})
	if err != nil {
		return err
	}
	for len(p) > 0 {
		n, err := k.output.take(min(len(p), MaxData))
		if err == errDropped {
			return nil
		}
		if err != nil {
			return err
		}
		if err := k.server.w.sendLazy(typeOutput, k.id, head, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Open pulls announced content from the controller.
func (k *Session) Open(ctx context.Context, item int, name string) (io.ReadCloser, error) {
	s := k.server
	in := newInStream(0, s.w)
	if err := s.claim(func(id uint32) { in.id = id; s.in[id] = in }); err != nil {
		return nil, err
	}
	s.w.count(func(s *Stats) { s.Pulls++ })
	stop := context.AfterFunc(ctx, func() { in.finish(ctx.Err()) })
	p := &pulled{inStream: in, server: s, stop: stop}
	if err := s.w.send(typePull, k.id, streamRequest{in.id, item, name}.encode()); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// pulled is content on its way to the runner.
type pulled struct {
	*inStream
	server *Server
	stop   func() bool
}

// Close tells the controller when not everything was wanted.
func (p *pulled) Close() error {
	p.stop()
	p.server.mu.Lock()
	delete(p.server.in, p.id)
	p.server.mu.Unlock()
	p.mu.Lock()
	ended := p.err != nil
	p.mu.Unlock()
	if !ended {
		p.finish(errSettled)
		return p.server.w.send(typeEnd, p.id)
	}
	return nil
}

// Send sends content to the controller and waits until it has it.
func (k *Session) Send(ctx context.Context, item int, name string, r io.Reader) error {
	s := k.server
	out := newOutStream(0, s.w)
	if err := s.claim(func(id uint32) { out.id = id; s.out[id] = out }); err != nil {
		return err
	}
	s.w.count(func(s *Stats) { s.Sends++ })
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.out, out.id)
	}()
	defer context.AfterFunc(ctx, func() { out.settle(ctx.Err()) })()
	if err := s.w.sendLazy(typeSend, k.id, streamRequest{out.id, item, name}.encode()); err != nil {
		return err
	}
	if err := out.copyFrom(r); err != nil && !errors.Is(err, errSettled) {
		return err
	}
	err := <-out.outcome
	if ctx.Err() != nil {
		_ = s.w.send(typeEnd, out.id, []byte(ctx.Err().Error()))
	}
	return err
}

// claim gives a new stream a number that is not in use.
func (s *Server) claim(add func(id uint32)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return errors.New("the controller is gone")
	}
	if len(s.in)+len(s.out) >= MaxStreams {
		return errors.New("too many contents under way at once")
	}
	for s.next == 0 || s.in[s.next] != nil || s.out[s.next] != nil {
		s.next += 2
	}
	add(s.next)
	s.next += 2
	return nil
}
