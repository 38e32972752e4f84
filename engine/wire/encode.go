package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// callHeader is the part of a call that travels as JSON; arguments and inline contents
// follow it as they are, with their lengths here.
type callHeader struct {
	Call
	ArgLens    []int `json:"arg_lens"`
	InlineLens []int `json:"inline_lens,omitempty"` // of the sources that have inline content
}

func encodeCall(c *Call) ([][]byte, error) {
	h := callHeader{Call: *c}
	h.Args, h.Sources = nil, nil
	parts := make([][]byte, 2, 2+len(c.Args)+len(c.Sources))
	for _, a := range c.Args {
		h.ArgLens = append(h.ArgLens, len(a))
		parts = append(parts, a)
	}
	for _, s := range c.Sources {
		if s.HasInline {
			h.InlineLens = append(h.InlineLens, len(s.Inline))
			parts = append(parts, s.Inline)
		}
		s.Inline = nil
		h.Sources = append(h.Sources, s)
	}
	head, err := json.Marshal(&h)
	if err != nil {
		return nil, err
	}
	parts[0], parts[1] = binary.AppendUvarint(nil, uint64(len(head))), head
	return parts, nil
}

func decodeCall(p []byte) (*Call, error) {
	n, p, err := cutUvarint(p)
	if err != nil || n > uint64(len(p)) {
		return nil, violation("a call with a bad header length")
	}
	var h callHeader
	if err := json.Unmarshal(p[:n], &h); err != nil {
		return nil, violation("a call with a bad header: %v", err)
	}
	p = p[n:]
	c := h.Call
	c.Args = make([]json.RawMessage, len(h.ArgLens))
	for i, n := range h.ArgLens {
		if c.Args[i], p, err = cutBytes(p, n); err != nil {
			return nil, err
		}
	}
	return &c, decodeInline(&c, h.InlineLens, p)
}

func decodeInline(c *Call, lens []int, p []byte) (err error) {
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Item < 0 || s.Item >= len(c.Args) || s.Size < 0 {
			return violation("a source of item %d with size %d", s.Item, s.Size)
		}
		s.Inline = nil
		if !s.HasInline {
			continue
		}
		if len(lens) == 0 {
			return violation("inline content without length")
		}
		if s.Inline, p, err = cutBytes(p, lens[0]); err != nil {
			return err
		}
		lens = lens[1:]
	}
	if len(lens) > 0 || len(p) > 0 {
		return violation("a call with %d bytes too many", len(p))
	}
	return nil
}

func cutBytes(p []byte, n int) (head, rest []byte, err error) {
	if n < 0 || n > len(p) {
		return nil, nil, violation("a length of %d with %d bytes left", n, len(p))
	}
	return p[:n:n], p[n:], nil
}

func cutUvarint(p []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(p)
	if n <= 0 {
		return 0, nil, violation("a bad number")
	}
	return v, p[n:], nil
}

// cutIndex reads a number that must be below limit.
func cutIndex(p []byte, limit int) (int, []byte, error) {
	v, p, err := cutUvarint(p)
	if err == nil && v >= uint64(limit) {
		err = violation("an item of number %d where there are %d", v, limit)
	}
	return int(v), p, err
}

// streamRequest is the payload of pull and send: which content, on which stream.
type streamRequest struct {
	Stream uint32
	Item   int
	Name   string
}

const maxName = 4096

func (r streamRequest) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(r.Stream))
	b = binary.AppendUvarint(b, uint64(r.Item))
	return append(b, r.Name...)
}

func decodeStreamRequest(p []byte, items int) (r streamRequest, err error) {
	id, p, err := cutUvarint(p)
	if err != nil {
		return r, err
	}
	if id == 0 || id > 1<<32-1 || id%2 != 0 {
		return r, violation("stream number %d", id)
	}
	r.Stream = uint32(id)
	if r.Item, p, err = cutIndex(p, items); err != nil {
		return r, err
	}
	if len(p) > maxName || !utf8.Valid(p) {
		return r, violation("a bad content name")
	}
	r.Name = string(p)
	return r, nil
}

const (
	streamStdout = 1
	streamStderr = 2
)

func encodeOutput(o Output) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(o.Item))
	switch o.Stream {
	case "stdout":
		return append(b, streamStdout), nil
	case "stderr":
		return append(b, streamStderr), nil
	}
	return nil, fmt.Errorf("no such output stream: %q", o.Stream)
}

func decodeOutput(p []byte, items int) (o Output, err error) {
	if o.Item, p, err = cutIndex(p, items); err != nil {
		return o, err
	}
	if len(p) == 0 || p[0] != streamStdout && p[0] != streamStderr {
		return o, violation("output of an unknown stream")
	}
	o.Stream = map[byte]string{streamStdout: "stdout", streamStderr: "stderr"}[p[0]]
	o.Text = p[1:]
	return o, nil
}

func decodeResult(p []byte, items int) (r Result, err error) {
	if r.Item, p, err = cutIndex(p, items); err != nil {
		return r, err
	}
	r.Data = p
	return r, nil
}

func decodeCredit(p []byte) (int, error) {
	n, rest, err := cutUvarint(p)
	if err == nil && (len(rest) > 0 || n > Window) {
		err = violation("credit of %d", n)
	}
	return int(n), err
}

// text cuts a message of the other side to a sane length of valid UTF-8.
func text(p []byte) string {
	const limit = 64 << 10
	if len(p) > limit {
		p = p[:limit]
	}
	if utf8.Valid(p) {
		return string(p)
	}
	return string([]rune(string(p)))
}
