package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
)

// When a connection breaks, the conversation can go on over another one. The runner keeps
// its calls running; the controller connects again, starts a second runner and asks it, in
// its first frame, for the runner with the token of Hello.Resume. When that one is still
// there, the second runner only passes bytes on from then on. Both sides tell how many
// frames they have, and send the rest again: nothing is lost, nothing comes twice.

// GoneError says that the runner which had the calls is no more.
type GoneError struct{ Msg string }

func (e *GoneError) Error() string { return e.Msg }

// errElsewhere ends a reader whose connection is another conversation's from now on.
var errElsewhere = errors.New("the connection serves another conversation")

// resumed is the answer to a request to resume.
type resumed struct {
	r        *bufio.Reader
	received uint64
	err      error
}

// OnLost lets f decide what happens when the connection is lost: it calls Resume or Fail. It
// is called in a goroutine of its own, once for each loss. Without it, or with a runner that
// cannot be found again, the loss ends the conversation.
func (c *Client) OnLost(f func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hello != nil && c.hello.Resume != "" && len(c.hello.Resume) <= maxName {
		c.onLost = f
	}
}

// Busy tells whether calls are open.
func (c *Client) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) > 0
}

// lost is told that a connection is broken.
func (c *Client) lost(o *outlet, err error) {
	if err == io.EOF {
		err = ErrEnded
	}
	if !c.w.detach(o) {
		return // the other direction was first, or there is a new one
	}
	c.mu.Lock()
	f := c.onLost
	if c.err != nil {
		f = func(error) {}
	}
	c.mu.Unlock()
	if f == nil {
		c.Fail(err)
		return
	}
	go f(err)
}

// Resume goes on over the connection of next, a client of a runner that has just been
// started on the same host and has got no call. A *GoneError means that the former runner
// cannot be found; next can then be used as it is.
func (c *Client) Resume(ctx context.Context, next *Client) error {
	c.taking.Lock()
	c.round++ // what still comes over the old connection does not count
	round, received := c.round, c.w.seen()
	c.taking.Unlock()
	answer := make(chan resumed, 1)
	next.mu.Lock()
	next.answer = answer
	next.mu.Unlock()
	payload := append(binary.AppendUvarint(nil, received), c.hello.Resume...)
	if err := next.w.send(typeResume, 0, payload); err != nil {
		return err
	}
	select {
	case a := <-answer:
		if a.err != nil {
			return a.err
		}
		return c.continueOver(next, a, round)
	case <-next.done:
		return next.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) continueOver(next *Client, a resumed, round int) error {
	to := next.w.current()
	<-next.w.close()
	if to == nil {
		return errors.New("connection lost")
	}
	next.Fail(errElsewhere)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		bye, _ := appendFrame(nil, typeBye, 0)
		_, _ = to.to.Write(bye)
		return c.err
	}
	out, err := c.w.attach(to.to, a.received, nil)
	if err != nil {
		return err
	}
	c.reading.Go(func() { c.read(a.r, out, round) })
	return nil
}

// onResumed takes the answer of a runner that was asked to find another.
func (c *Client) onResumed(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answer == nil {
		return violation("an answer to a question that was not asked")
	}
	_, word, err := cutUvarint(f.Payload)
	if err != nil {
		return err
	}
	if len(word) == 0 {
		return errElsewhere
	}
	c.answer <- resumed{err: &GoneError{text(word)}}
	c.answer = nil
	return nil
}

// handOver gives the connection to the conversation that goes on over it.
func (c *Client) handOver(f frame, r *bufio.Reader) {
	received, _, _ := cutUvarint(f.Payload)
	c.mu.Lock()
	answer := c.answer
	c.answer = nil
	c.mu.Unlock()
	answer <- resumed{r: r, received: received}
}
