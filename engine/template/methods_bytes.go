package template

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"fettle/engine/value"
)

// takesByte are the methods that also search for one byte, given as its number.
var takesByte = nameSet("count find rfind index rindex")

func bytesMethod(b []byte, name string, c *Call) (value.Value, error) {
	switch name {
	case "decode":
		enc := strings.ToLower(value.Str(c.Arg(0, "encoding", "utf-8")))
		if enc == "latin-1" || enc == "latin1" || enc == "iso-8859-1" {
			rs := make([]rune, len(b))
			for i, x := range b {
				rs[i] = rune(x)
			}
			return string(rs), nil
		}
		if !utf8.Valid(b) {
			return nil, fmt.Errorf("'utf-8' codec can't decode bytes: invalid start byte")
		}
		return string(b), nil
	case "hex":
		return fmt.Sprintf("%x", b), nil
	case "isalnum", "isalpha", "isdigit", "isspace":
		if bytes.ContainsFunc(b, func(r rune) bool { return r > 127 }) {
			return false, nil // only ASCII counts
		}
	}
	for i, a := range c.Args {
		var err error
		if a == value.Value("") && name == "join" {
			continue // nothing to join
		}
		if n, ok := value.Int(a); ok && i == 0 && takesByte[name] {
			if n < 0 || n > 255 {
				return nil, fmt.Errorf("byte must be in range(0, 256)")
			}
			c.Args[i] = runesOf([]byte{byte(n)})
			continue
		}
		if c.Args[i], err = ofBytesOnly(a); err != nil {
			return nil, err
		}
	}
	r, err := strMethod(runesOf(b), name, c)
	return asBytes(r), err
}

// Bytes are handled as text of one rune each; those that are not ASCII as runes that are neither
// letters nor blanks, and have no case.
const otherBytes = 0xf700

func runesOf(b []byte) string {
	var s strings.Builder
	for _, x := range b {
		if x < utf8.RuneSelf {
			s.WriteByte(x)
		} else {
			s.WriteRune(otherBytes + rune(x))
		}
	}
	return s.String()
}

func bytesOf(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

// ofBytesOnly is an argument of a bytes method with text in place of its bytes; text is refused.
func ofBytesOnly(v value.Value) (value.Value, error) {
	switch x := v.(type) {
	case []byte:
		return runesOf(x), nil
	case string, *value.Dict:
		return nil, fmt.Errorf("a bytes-like object is required, not '%s'", value.TypeName(x))
	case *value.List, value.Tuple:
		vs, err := value.Iterate(x)
		out := make(value.Tuple, len(vs))
		for i, e := range vs {
			if out[i], err = ofBytesOnly(e); err != nil {
				return nil, err
			}
		}
		return out, err
	}
	return v, nil
}

// asBytes turns the texts that a str method gave for bytes back into bytes.
func asBytes(v value.Value) value.Value {
	switch x := v.(type) {
	case string:
		return bytesOf(x)
	case *value.List:
		for i, e := range x.V {
			x.V[i] = asBytes(e)
		}
	case value.Tuple:
		for i, e := range x {
			x[i] = asBytes(e)
		}
	}
	return v
}
