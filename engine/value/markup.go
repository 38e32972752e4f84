package value

import (
	"strings"
)

// Markup is a str that is safe to stand in HTML: what Jinja2's escape, safe and tojson give. Text
// that is added to it or formatted into it is escaped first; everything else treats it as the
// string it is, and in final results it is one.
type Markup string

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

// EscapeHTML replaces the characters that mean something in HTML.
func EscapeHTML(s string) string { return htmlEscaper.Replace(s) }

// Escape is the text of v as markup: what is markup already stays as it is.
func Escape(v Value) Markup {
	switch x := v.(type) {
	case Markup:
		return x
	case *Secret:
		return Escape(x.V)
	}
	return Markup(EscapeHTML(Str(v)))
}

// AsMarkup makes text markup; other values stay as they are.
func AsMarkup(v Value) Value {
	switch x := v.(type) {
	case string:
		return Markup(x)
	case *Secret:
		return Mark(AsMarkup(x.V), true)
	case *List:
		out := make([]Value, len(x.V))
		for i, e := range x.V {
			out[i] = AsMarkup(e)
		}
		return &List{V: out}
	case Tuple:
		out := make(Tuple, len(x))
		for i, e := range x {
			out[i] = AsMarkup(e)
		}
		return out
	}
	return v
}

// IsMarkup tells that v is markup.
func IsMarkup(v Value) bool {
	switch x := v.(type) {
	case Markup:
		return true
	case *Secret:
		return IsMarkup(x.V)
	}
	return false
}

// markupOperands are the operands of an operation that gives markup, as text that is escaped.
func markupOperands(op string, a, b Value) (x, y Value, ok bool) {
	left, right := IsMarkup(a), IsMarkup(b)
	switch op {
	case "*":
		return plainMarkup(a), plainMarkup(b), left || right
	case "%":
		return plainMarkup(a), EscapedArgs(b), left
	case "+":
		return escapedText(a), escapedText(b), isText(a) && isText(b)
	}
	return nil, nil, false
}

func isText(v Value) bool {
	switch x := v.(type) {
	case string, Text, Markup:
		return true
	case *Secret:
		return isText(x.V)
	}
	return false
}

func plainMarkup(v Value) Value {
	if IsMarkup(v) {
		return escapedText(v)
	}
	return v
}

func escapedText(v Value) Value {
	_, secret := v.(*Secret)
	return Mark(string(Escape(v)), secret)
}

// EscapedArgs are the arguments of a format that is markup.
func EscapedArgs(v Value) Value {
	switch x := v.(type) {
	case Tuple:
		out := make(Tuple, len(x))
		for i, e := range x {
			out[i] = escapedArg(e)
		}
		return out
	case *Dict:
		out := NewDict(x.Len())
		for _, e := range x.Entries() {
			_ = out.Set(e.Key, escapedArg(e.Value))
		}
		return out
	}
	return escapedArg(v)
}

func escapedArg(v Value) Value {
	switch x := v.(type) {
	case string, Text, Markup, []byte, *List, *Dict, Tuple, *Set:
		return escapedText(x)
	case *Secret:
		return Mark(escapedArg(x.V), true)
	}
	return v
}
