package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// inStream is content that arrives. The sender may have Window bytes under way; what has
// been read is credited back in large steps.
type inStream struct {
	id uint32
	w  *writer

	mu     sync.Mutex
	wake   sync.Cond
	chunks [][]byte
	held   int // received and not yet credited
	read   int // read and not yet credited
	err    error
}

func newInStream(id uint32, w *writer) *inStream {
	s := &inStream{id: id, w: w}
	s.wake.L = &s.mu
	return s
}

// push takes a data frame.
func (s *inStream) push(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil // nobody wants it any more
	}
	if s.held += len(p); s.held > Window {
		return violation("more content than credit on stream %d", s.id)
	}
	s.chunks = append(s.chunks, p)
	s.wake.Signal()
	return nil
}

// finish ends the stream: what has arrived can still be read, then err comes. io.EOF is
// the good end. Any other error comes at once.
func (s *inStream) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	if s.err = err; err != io.EOF {
		s.chunks = nil
	}
	s.wake.Broadcast()
}

func (s *inStream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.chunks) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.wake.Wait()
	}
	n := copy(p, s.chunks[0])
	if n == len(s.chunks[0]) {
		s.chunks = s.chunks[1:]
	} else {
		s.chunks[0] = s.chunks[0][n:]
	}
	if s.read += n; s.read >= Window/2 && s.err == nil {
		_ = s.w.send(typeCredit, s.id, binary.AppendUvarint(nil, uint64(s.read)))
		s.held -= s.read
		s.read = 0
	}
	return n, nil
}

// credit is how many bytes may still be sent on a stream.
type credit struct {
	mu   sync.Mutex
	wake sync.Cond
	left int
	drop bool // what there is no credit for is dropped
	err  error
}

// errDropped is what a sender gets in place of credit that cannot come.
var errDropped = errors.New("there is no connection")

// dropping tells whether credit is worth waiting for.
func (c *credit) dropping(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop = on
	c.wake.Broadcast()
}

func newCredit() *credit {
	c := &credit{left: Window}
	c.wake.L = &c.mu
	return c
}

func (c *credit) add(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left += n; c.left > Window {
		return violation("more credit than was used")
	}
	c.wake.Broadcast()
	return nil
}

// take waits until something may be sent and takes at most n of it.
func (c *credit) take(n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.left == 0 && c.err == nil && !c.drop {
		c.wake.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.left == 0:
		return 0, errDropped
	}
	n = min(n, c.left)
	c.left -= n
	return n, nil
}

// fail ends the stream for the sender; the first reason counts.
func (c *credit) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.wake.Broadcast()
}

// outStream is content that leaves. It ends when the other side has told the outcome,
// which for a sender of content is what it waits for.
type outStream struct {
	id uint32
	w  *writer
	*credit
	outcome chan error // the other side's word; has room for one
}

func newOutStream(id uint32, w *writer) *outStream {
	return &outStream{id: id, w: w, credit: newCredit(), outcome: make(chan error, 1)}
}

// settle takes the other side's word on the stream, or the loss of the connection.
func (s *outStream) settle(err error) {
	select {
	case s.outcome <- err:
	default:
	}
	s.fail(errSettled)
}

var errSettled = errors.New("the other side wants no more of the content")

// copyFrom sends all of r, and then the end, with the error of reading if there was one.
func (s *outStream) copyFrom(r io.Reader) error {
	buf := make([]byte, MaxData)
	for {
		n, err := r.Read(buf)
		if stop := s.write(buf[:n]); stop != nil {
			return stop
		}
		if err == io.EOF {
			return s.w.send(typeEnd, s.id)
		}
		if err != nil {
			return errors.Join(err, s.w.send(typeEnd, s.id, []byte(err.Error())))
		}
	}
}

func (s *outStream) write(p []byte) error {
	for len(p) > 0 {
		n, err := s.take(len(p))
		if err == nil {
			err = s.w.send(typeData, s.id, p[:n])
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
