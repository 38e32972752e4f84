package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"
)

// errClosed is what senders get after the connection was closed on this side.
var errClosed = errors.New("connection closed")

const (
	// lazyDelay is how long a frame that is in no hurry waits for company.
	lazyDelay = 2 * time.Millisecond
	// ackDelay is how long the other side's frames may stay unconfirmed when nothing
	// else is to be sent.
	ackDelay = 200 * time.Millisecond
	// ackBytes is how much of the other side's frames may stay unconfirmed.
	ackBytes = 128 << 10
	// keepBuffer is the largest buffer that is kept for later frames.
	keepBuffer = 64 << 10
)

// writer sends frames. Senders never block: frames gather in a buffer that one goroutine
// writes out, so that whatever came together leaves in one write. What may gather is
// bounded by credit and by the number of open calls.
//
// Frames stay in the buffer until the other side has confirmed them, so that they can be
// sent again over another connection when this one breaks.
type writer struct {
	lost func(*outlet, error) // told once for each connection that cannot be written to

	mu        sync.Mutex
	log       []byte // frames that are not confirmed; those from sent on are not sent
	base      []byte // the memory of log, to be used again
	sent      int
	confirmed uint64  // number of the last frame the other side has confirmed
	queued    uint64  // number of the last frame in log
	handed    uint64  // number of the last frame that any connection was given
	out       *outlet // nil while there is no connection
	writing   bool
	err       error
	closing   bool
	timer     *time.Timer
	waiting   bool // timer runs
	received  uint64
	told      uint64 // of received, what the other side knows
	unconfirm int    // bytes received since then
	ack       *time.Timer
	acking    bool   // ack runs
	marked    uint64 // received when it was started
	stats     Stats
}

// outlet is one connection of a writer, with its goroutine.
type outlet struct {
	to   io.Writer
	wake chan struct{}
	done chan struct{} // closed when its goroutine has ended
}

// Stats count what a side has sent and received.
type Stats struct {
	FramesSent, FramesReceived int64
	BytesSent, BytesReceived   int64
	// Writes is the number of separate writes on the connection.
	Writes int64
	// Calls, Pulls and Sends: each is one round trip.
	Calls, Pulls, Sends int64
	// Resumed is how often the conversation went on over another connection.
	Resumed int64
}

// RoundTrips is how often one side had to wait for the other.
func (s Stats) RoundTrips() int64 { return s.Calls + s.Pulls + s.Sends }

func newWriter(to io.Writer, lost func(*outlet, error)) *writer {
	w := &writer{lost: lost}
	w.connect(to)
	return w
}

// connect gives the writer a connection; w.mu is held, or nobody else knows w yet.
func (w *writer) connect(to io.Writer) {
	w.out = &outlet{to: to, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.sent = 0
	go w.run(w.out)
	w.out.flush()
}

// send queues a frame to leave at once.
func (w *writer) send(t Type, id uint32, parts ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.queue(t, id, parts...)
	w.flush()
	return err
}

// sendLazy queues a frame that may wait a little for others.
func (w *writer) sendLazy(t Type, id uint32, parts ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.queue(t, id, parts...); err != nil {
		return err
	}
	if w.waiting {
		return nil
	}
	w.waiting = true
	if w.timer == nil {
		w.timer = time.AfterFunc(lazyDelay, func() { w.mu.Lock(); defer w.mu.Unlock(); w.flush() })
	} else {
		w.timer.Reset(lazyDelay)
	}
	return nil
}

// queue appends a frame, and takes the confirmation along that is due; w.mu is held.
func (w *writer) queue(t Type, id uint32, parts ...[]byte) error {
	if w.err != nil {
		return w.err
	}
	if w.closing {
		return errClosed
	}
	if len(w.log) == 0 && !w.writing {
		w.log = w.base[:0]
	}
	if w.told < w.received {
		var n [binary.MaxVarintLen64]byte
		w.log, _ = appendFrame(w.log, typeAck, 0, n[:binary.PutUvarint(n[:], w.received)])
		w.told, w.unconfirm = w.received, 0
	}
	if t == typeAck {
		return nil
	}
	b, err := appendFrame(w.log, t, id, parts...)
	if err != nil {
		return err
	}
	w.log = b
	w.stats.FramesSent++
	if numbered(t) {
		w.queued++
	}
	return nil
}

// got notes that a frame of n bytes was received, which is to be confirmed: with the next
// frame, or soon.
func (w *writer) got(n int, counts bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.FramesReceived++
	w.stats.BytesReceived += int64(n)
	if !counts {
		return
	}
	w.received++
	w.unconfirm += n
	if w.unconfirm >= ackBytes {
		_ = w.queue(typeAck, 0)
		w.flush()
		return
	}
	if w.acking || w.closing || w.err != nil {
		return
	}
	w.acking, w.marked = true, w.received
	if w.ack == nil {
		w.ack = time.AfterFunc(ackDelay, w.confirmNow)
	} else {
		w.ack.Reset(ackDelay)
	}
}

func (w *writer) confirmNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acking = false
	switch {
	case w.told == w.received || w.closing || w.err != nil:
	case w.marked < w.received: // more may be on its way
		w.acking, w.marked = true, w.received
		w.ack.Reset(ackDelay)
	case w.queue(typeAck, 0) == nil:
		w.flush()
	}
}

// confirm drops the frames up to number n, which the other side has.
func (w *writer) confirm(n uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, err := w.end(n)
	if err == nil && at > w.sent {
		err = violation("frame %d is confirmed, which was not sent", n)
	}
	if err != nil || at == 0 {
		return err
	}
	w.log, w.sent, w.confirmed = w.log[at:], w.sent-at, n
	return nil
}

// end is where frame number n ends in log; 0 when it is confirmed already. w.mu is held.
func (w *writer) end(n uint64) (int, error) {
	if n > w.handed {
		return 0, violation("frame %d is confirmed, which was not sent", n)
	}
	at := 0
	for i := w.confirmed; i < n; {
		if numbered(Type(w.log[at+4])) {
			i++
		}
		at += headerSize + int(binary.BigEndian.Uint32(w.log[at:]))
	}
	return at, nil
}

// flush wakes the goroutine that writes; w.mu is held.
func (w *writer) flush() {
	if w.out != nil {
		w.out.flush()
	}
}

func (o *outlet) flush() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close sends what is queued and ends the goroutine; frames sent later are refused. The
// channel is closed when that is done.
func (w *writer) close() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	for _, t := range []*time.Timer{w.timer, w.ack} {
		if t != nil {
			t.Stop()
		}
	}
	if w.out == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	w.out.flush()
	return w.out.done
}

func (w *writer) run(o *outlet) {
	defer close(o.done)
	for range o.wake {
		b, last := w.take(o)
		if len(b) > 0 {
			if _, err := o.to.Write(b); err != nil {
				w.lost(o, err)
				return
			}
			w.written(o)
		}
		if last {
			return
		}
	}
}

func (w *writer) take(o *outlet) (b []byte, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out != o {
		return nil, true
	}
	b, w.sent = w.log[w.sent:len(w.log):len(w.log)], len(w.log)
	w.handed = w.queued
	w.waiting = false
	if len(b) > 0 {
		w.base = nil
		if cap(w.log) <= keepBuffer {
			w.base = w.log[:0] // to be used again once all of it is confirmed
		}
		w.writing = true
		w.stats.Writes++
		w.stats.BytesSent += int64(len(b))
	}
	return b, w.closing
}

// written tells that the memory of the buffer is not read any more.
func (w *writer) written(o *outlet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == o {
		w.writing = false
	}
}

// detach takes the connection away, when o is still the one; frames gather from now on.
func (w *writer) detach(o *outlet) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out != o || o == nil {
		return false
	}
	w.out, w.writing, w.base = nil, false, nil
	o.flush()
	return true
}

// attach goes on over another connection, with the frames after number received. A frame
// that shall come before them is in first.
func (w *writer) attach(to io.Writer, received uint64, first []byte) (*outlet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	if received < w.confirmed {
		return nil, violation("frame %d is wanted again, which was confirmed", received+1)
	}
	at, err := w.end(received)
	if err != nil {
		return nil, err
	}
	for at < len(w.log) && !numbered(Type(w.log[at+4])) { // of the former connection
		at += headerSize + int(binary.BigEndian.Uint32(w.log[at:]))
	}
	if old := w.out; old != nil {
		old.flush()
	}
	// The memory may still be read by a write to the old connection.
	w.log, w.confirmed = append(first, w.log[at:]...), received
	w.writing, w.base = false, nil
	w.stats.Resumed++
	w.connect(to)
	return w.out, nil
}

// stop refuses frames from now on.
func (w *writer) stop(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// unconfirmed tells whether the other side may lack a frame.
func (w *writer) unconfirmed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.confirmed < w.queued
}

// number is that of the next frame at the earliest, and handedTo that of the last frame that
// may have left.
func (w *writer) number() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued + 1
}

func (w *writer) handedTo() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handed
}

// seen is how many numbered frames were received.
func (w *writer) seen() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.received
}

// current is the connection, or nil.
func (w *writer) current() *outlet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out
}

// count changes the statistics.
func (w *writer) count(change func(*Stats)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.stats)
}

func (w *writer) snapshot() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}
