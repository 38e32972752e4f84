package wire

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// idleKeep is how long a runner waits that has nothing to tell: a call may have got lost on
// its way, and who comes back shall learn that it did not run.
const idleKeep = 10 * time.Second

// lost is told that the connection is broken: the server waits for the controller to come
// back.
func (s *Server) lost(o *outlet, err error) {
	if !s.w.detach(o) {
		return // the other direction was first, or there is a new connection
	}
	s.mu.Lock()
	if s.err != nil || s.Keep <= 0 || s.hello.Resume == "" {
		s.mu.Unlock()
		s.fail(err)
		return
	}
	defer s.mu.Unlock()
	keep := s.Keep
	if len(s.calls) == 0 && !s.w.unconfirmed() {
		keep = min(keep, idleKeep)
	}
	s.there = make(chan struct{})
	there := s.there
	s.late = time.AfterFunc(keep, func() { s.giveUp(there) })
	for _, k := range s.calls {
		k.output.dropping(true)
	}
}

var errNobody = errors.New("the connection was lost and the controller did not come back")

func (s *Server) giveUp(there chan struct{}) {
	s.mu.Lock()
	same := s.there == there
	s.mu.Unlock()
	select {
	case <-there:
	default:
		if same {
			s.fail(errNobody)
		}
	}
}

// Attached waits until there is a connection: without one, nothing new is to be begun.
func (k *Session) Attached(ctx context.Context) error {
	s := k.server
	s.mu.Lock()
	there := s.there
	s.mu.Unlock()
	select {
	case <-there:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resumeWait is how long a runner waits for the other's word.
const resumeWait = 10 * time.Second

// Accept takes a connection from another runner on this host, whose owner was checked, and
// goes on over it when it brings the token.
func (s *Server) Accept(conn io.ReadWriteCloser) error {
	late := time.AfterFunc(resumeWait, func() { _ = conn.Close() })
	r := bufio.NewReaderSize(conn, 64<<10)
	f, err := readFrame(r)
	if !late.Stop() || err != nil {
		_ = conn.Close()
		return errors.Join(err, errors.New("no request came in time"))
	}
	received, token, err := cutUvarint(f.Payload)
	if err != nil || f.Type != typeResume || subtle.ConstantTimeCompare(token, []byte(s.hello.Resume)) != 1 {
		_ = conn.Close()
		return violation("a bad request to resume")
	}
	if err = s.resume(conn, r, received); err != nil {
		b, _ := appendFrame(nil, typeResumed, 0, []byte{0}, []byte(err.Error()))
		_, _ = conn.Write(b)
		_ = conn.Close()
	}
	return err
}

func (s *Server) resume(conn io.ReadWriteCloser, r *bufio.Reader, received uint64) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.w == nil {
		return errors.New("it has not begun")
	}
	answer, err := appendFrame(nil, typeResumed, 0, binary.AppendUvarint(nil, s.w.seen()))
	if err != nil {
		return err
	}
	out, err := s.w.attach(conn, received, answer)
	if err != nil {
		return err
	}
	s.round++
	if s.late != nil {
		s.late.Stop()
	}
	select {
	case <-s.there:
	default:
		close(s.there)
	}
	for _, k := range s.calls {
		k.output.dropping(false)
	}
	go func(round int) {
		s.read(r, out, round)
		_ = conn.Close()
	}(s.round)
	return nil
}

// pass handles the request to find another runner: when it is there, this one only passes
// bytes on between it and the controller.
func (s *Server) pass(f frame, r *bufio.Reader) error {
	s.mu.Lock()
	fresh := s.next == 2 && len(s.calls) == 0
	s.mu.Unlock()
	_, token, err := cutUvarint(f.Payload)
	if err != nil || !fresh || len(token) > maxName {
		return violation("a bad request to resume")
	}
	conn, first, err := s.reach(string(token), f)
	if err != nil {
		return s.w.send(typeResumed, 0, []byte{0}, []byte(err.Error()))
	}
	out := s.w.current()
	if out == nil {
		_ = conn.Close()
		return errElsewhere
	}
	<-s.w.close() // nothing of this server's own follows
	go func() {
		_, _ = io.Copy(conn, r)
		_ = conn.Close()
		s.fail(errElsewhere)
	}()
	if _, err := out.to.Write(first); err == nil {
		_, _ = io.Copy(out.to, conn)
	}
	_ = conn.Close()
	return errElsewhere
}

// reach asks the other runner, and returns its answer as a frame.
func (s *Server) reach(token string, request frame) (conn io.ReadWriteCloser, first []byte, err error) {
	if s.Dial == nil {
		return nil, nil, errors.New("there is no way to it on this platform")
	}
	if conn, err = s.Dial(token); err != nil {
		return nil, nil, err
	}
	late := time.AfterFunc(resumeWait, func() { _ = conn.Close() })
	b, _ := appendFrame(nil, request.Type, 0, request.Payload)
	var f frame
	if _, err = conn.Write(b); err == nil {
		f, err = readFrame(conn)
	}
	_, word, bad := cutUvarint(f.Payload)
	switch {
	case !late.Stop():
		err = errors.New("it does not answer")
	case err != nil:
	case f.Type != typeResumed || bad != nil:
		err = errors.New("it answers something else")
	case len(word) > 0:
		err = errors.New(text(word))
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	first, err = appendFrame(nil, f.Type, 0, f.Payload)
	return conn, first, err
}
