package report

import (
	"fmt"
	"strings"
	"unicode"

	"fettle/engine/event"
	"fettle/engine/value"
)

// tame shows control characters in what hosts say instead of passing them on: they could
// repaint the terminal, and make a failure look like a success.
type tame struct{ Reporter }

// Emit implements event.Sink.
func (t tame) Emit(e event.Event) {
	switch x := e.(type) {
	case event.ItemResult:
		x.Result, x.Diff, x.Label = tameDict(x.Result), tameAll(x.Diff), tameValue(x.Label)
		e = x
	case event.HostResult:
		x.Result, x.Diff = tameDict(x.Result), tameAll(x.Diff)
		e = x
	case event.Retry:
		x.Result = tameDict(x.Result)
		e = x
	case event.Async:
		x.Job = tameText(x.Job)
		e = x
	case event.Live:
		x.Text = tameText(x.Text)
		e = x
	case event.Warning:
		x.Text = tameText(x.Text)
		e = x
	case event.Included:
		x.Label = tameValue(x.Label)
		e = x
	}
	t.Reporter.Emit(e)
}

// wild tells whether a terminal would obey a character instead of showing it: control
// characters, and those that turn the direction of writing.
func wild(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func tameText(s string) string {
	if strings.IndexFunc(s, wild) < 0 {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	for _, r := range s {
		switch {
		case !wild(r):
			b.WriteRune(r)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func tameValue(v value.Value) value.Value {
	switch x := v.(type) {
	case string:
		return tameText(x)
	case *value.List:
		return &value.List{V: tameAll(x.V)}
	case value.Tuple:
		return value.Tuple(tameAll(x))
	case *value.Dict:
		return tameDict(x)
	}
	return v
}

func tameAll(vs []value.Value) []value.Value {
	if vs == nil {
		return nil
	}
	out := make([]value.Value, len(vs))
	for i, v := range vs {
		out[i] = tameValue(v)
	}
	return out
}

func tameDict(d *value.Dict) *value.Dict {
	if d == nil {
		return nil
	}
	out := value.NewDict(d.Len())
	for _, e := range d.Entries() {
		_ = out.Set(tameValue(e.Key), tameValue(e.Value))
	}
	return out
}
