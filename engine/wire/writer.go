package wire

import (
	"errors"
	"io"
	"sync"
	"time"
)

// errClosed is what senders get after the connection was closed on this side.
var errClosed = errors.New("connection closed")

// lazyDelay is how long a frame that is in no hurry waits for company.
const lazyDelay = 2 * time.Millisecond

// writer sends frames. Senders never block: frames gather in a buffer that one goroutine
// writes out, so that whatever came together leaves in one write. What may gather is
// bounded by credit and by the number of open calls.
type writer struct {
	to   io.Writer
	wake chan struct{}
	done chan struct{}
	fail func(error) // told once when writing fails

	mu      sync.Mutex
	buf     []byte
	spare   []byte
	err     error
	closing bool
	timer   *time.Timer
	waiting bool // the timer runs
	stats   Stats
}

// Stats count what a side has sent and received.
type Stats struct {
	FramesSent, FramesReceived int64
	BytesSent, BytesReceived   int64
	// Writes is the number of separate writes on the connection.
	Writes int64
	// Calls, Pulls and Sends: each is one round trip.
	Calls, Pulls, Sends int64
}

// RoundTrips is how often one side had to wait for the other.
func (s Stats) RoundTrips() int64 { return s.Calls + s.Pulls + s.Sends }

func newWriter(to io.Writer, fail func(error)) *writer {
	w := &writer{to: to, wake: make(chan struct{}, 1), done: make(chan struct{}), fail: fail}
	go w.run()
	return w
}

// send queues a frame to leave at once.
func (w *writer) send(t Type, id uint32, parts ...[]byte) error {
	if err := w.queue(t, id, parts...); err != nil {
		return err
	}
	w.flush()
	return nil
}

// sendLazy queues a frame that may wait a little for others.
func (w *writer) sendLazy(t Type, id uint32, parts ...[]byte) error {
	if err := w.queue(t, id, parts...); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting {
		return nil
	}
	w.waiting = true
	if w.timer == nil {
		w.timer = time.AfterFunc(lazyDelay, w.flush)
	} else {
		w.timer.Reset(lazyDelay)
	}
	return nil
}

func (w *writer) queue(t Type, id uint32, parts ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.closing {
		return errClosed
	}
	b, err := appendFrame(w.buf, t, id, parts...)
	if err != nil {
		return err
	}
	w.buf = b
	w.stats.FramesSent++
	return nil
}

func (w *writer) flush() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close sends what is queued and ends the goroutine; frames sent later are refused.
func (w *writer) close() {
	w.mu.Lock()
	w.closing = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.flush()
}

const keepBuffer = 256 << 10

func (w *writer) run() {
	defer close(w.done)
	for range w.wake {
		b, last := w.take()
		if len(b) > 0 {
			if _, err := w.to.Write(b); err != nil {
				w.broken(err)
				return
			}
			w.recycle(b)
		}
		if last {
			return
		}
	}
}

func (w *writer) take() (b []byte, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, w.buf, w.spare = w.buf, w.spare, nil
	w.waiting = false
	if len(b) > 0 {
		w.stats.Writes++
		w.stats.BytesSent += int64(len(b))
	}
	return b, w.closing
}

func (w *writer) recycle(b []byte) {
	if cap(b) > keepBuffer {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = b[:0]
}

func (w *writer) broken(err error) {
	w.mu.Lock()
	w.err, w.buf = err, nil
	w.mu.Unlock()
	w.fail(err)
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
