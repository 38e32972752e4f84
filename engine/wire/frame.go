package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type says what a frame is.
type Type uint8

// The frames; PROTOCOL.md tells what each holds and who may send it.
const (
	typeHello  Type = 1
	typeCall   Type = 2
	typeResult Type = 3
	typeDone   Type = 4
	typeOutput Type = 5
	typePull   Type = 6
	typeSend   Type = 7
	typeData   Type = 8
	typeEnd    Type = 9
	typeCredit Type = 10
	typeCancel Type = 11
	typeBye    Type = 12
	// The frames below belong to the connection: they have no number and are not sent again.
	typeAck     Type = 13
	typeResume  Type = 14
	typeResumed Type = 15
)

// numbered tells whether frames of a type are counted and confirmed.
func numbered(t Type) bool { return t < typeAck }

const (
	headerSize = 9 // length, type, id
	// MaxFrame bounds the payload of one frame.
	MaxFrame = 64 << 20
	// MaxData bounds the payload of a frame of content or output.
	MaxData = 32 << 10
	// Window is how many bytes of a stream may be under way without credit.
	Window = 512 << 10
	// MaxInline is the size up to which content best travels in the call itself.
	MaxInline = 256 << 10
	// MaxCalls bounds the calls that may be open at once on a connection.
	MaxCalls = 1024
	// MaxStreams bounds the content streams that may be open at once on a connection.
	MaxStreams = 1024
)

// frame is one unit on the connection.
type frame struct {
	Type    Type
	ID      uint32
	Payload []byte
}

// ProtocolError is a violation of the protocol by the other side; it ends the connection.
type ProtocolError struct{ Msg string }

func (e *ProtocolError) Error() string { return "protocol violation: " + e.Msg }

func violation(format string, a ...any) error { return &ProtocolError{fmt.Sprintf(format, a...)} }

func isViolation(err error) bool {
	var v *ProtocolError
	return errors.As(err, &v)
}

// ErrTooLarge says that a message is larger than MaxFrame.
var ErrTooLarge = errors.New("message too large")

// appendFrame encodes a frame; its payload is the concatenation of parts.
func appendFrame(b []byte, t Type, id uint32, parts ...[]byte) ([]byte, error) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n > MaxFrame {
		return b, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, byte(t))
	b = binary.BigEndian.AppendUint32(b, id)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b, nil
}

// readFrame reads one frame. The payload is the caller's. A hostile length costs no more
// memory than bytes that really arrive.
func readFrame(r io.Reader) (frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:4])
	f := frame{Type: Type(h[4]), ID: binary.BigEndian.Uint32(h[5:])}
	limit := uint32(MaxFrame)
	if f.Type == typeData || f.Type == typeOutput {
		limit = MaxData + 16
	}
	if n > limit {
		return f, violation("a frame of type %d with %d bytes", f.Type, n)
	}
	var err error
	f.Payload, err = readPayload(r, int(n))
	return f, err
}

const readStep = 1 << 20

func readPayload(r io.Reader, n int) ([]byte, error) {
	p := make([]byte, min(n, readStep))
	for at := 0; ; {
		if _, err := io.ReadFull(r, p[at:]); err != nil {
			return nil, unexpected(err)
		}
		if at = len(p); at == n {
			return p, nil
		}
		grown := make([]byte, min(n, 2*at))
		copy(grown, p)
		p = grown
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
