package template

import (
	"fmt"
	"strings"
	"sync"

	"fettle/engine/value"
)

// FileOptions are the template module's options.
type FileOptions struct {
	// Syntax is how the file is written; nil means DefaultSyntax.
	Syntax *Syntax
	// Vars are further variables (template_path and the like); they win over the scope's.
	Vars map[string]value.Value
}

// RenderFile renders the text of a template file: the template module and lookup. The result
// is text; secret tells that a secret went into it. As in Ansible since 2.19 the line ends at the
// end of the file are left out when the file is one expression that gives no text.
func (c *Context) RenderFile(name, text string, opts FileOptions) (result string, secret bool, err error) {
	s := DefaultSyntax()
	if opts.Syntax != nil {
		s = *opts.Syntax
	}
	u := c.e.files.get(name, text, s)
	if err := u.usable(c); err != nil {
		return "", false, err
	}
	rt := &rendering{c: c, u: u}
	if opts.Vars != nil {
		rt.locals = opts.Vars
	}
	out := &output{c: c, shared: buffers.Get().(*buffer)}
	defer out.shared.free()
	if err := rt.render(u, out); err != nil {
		return "", false, err
	}
	if c.e.opts.Compat.Old() || !out.isAlone() {
		out.shared.endLines(u.newlines)
	}
	result = out.take()
	if s.NewlineSequence != "" && s.NewlineSequence != "\n" {
		result = strings.ReplaceAll(result, "\n", s.NewlineSequence)
	}
	return result, out.secret, nil
}

// buffers are those of finished renderings.
var buffers = sync.Pool{New: func() any { return &buffer{} }}

// maxKeptBuffer is the size from which on a buffer is left to the garbage collector.
const maxKeptBuffer = 1 << 20

func (b *buffer) free() {
	if len(b.b) <= maxKeptBuffer {
		b.n, b.size = 0, 0
		buffers.Put(b)
	}
}

// endLines writes the line ends at the end of a source that its result lacks: Ansible puts them
// back.
func (b *buffer) endLines(want int) {
	have := 0
	for have < b.n && b.b[b.n-1-have] == '\n' {
		have++
	}
	b.repeat("\n", want-have)
}

func trailingNewlines(s string) int {
	return len(s) - len(strings.TrimRight(s, "\n"))
}

const headerMark = "#jinja2:"

// splitHeader takes a "#jinja2:" line off the text.
func splitHeader(src string) (header, rest string, ok bool) {
	if !strings.HasPrefix(src, headerMark) {
		return "", src, false
	}
	line, rest, _ := strings.Cut(src, "\n")
	return line[len(headerMark):], rest, true
}

// applyHeader changes the syntax as a "#jinja2: key: value, ..." line says. What it cannot
// read it leaves out; the error tells.
func applyHeader(s Syntax, header string) (Syntax, error) {
	var bad error
	for _, pair := range splitPairs(header) {
		key, val, ok := strings.Cut(pair, ":")
		if !ok {
			bad = fmt.Errorf("failed to parse jinja2 override %s: missing colon between key and value", value.Repr(strings.TrimSpace(pair)))
			continue
		}
		key = strings.TrimSpace(key)
		v, ok := Literal(strings.TrimSpace(val))
		if !ok {
			bad = fmt.Errorf("malformed value for jinja2 override %s: %s", key, strings.TrimSpace(val))
			continue
		}
		if err := s.override(key, v); err != nil {
			bad = err
		}
	}
	return s, bad
}

// splitPairs splits at commas outside of quotes.
func splitPairs(s string) []string {
	var out []string
	quote, from := byte(0), 0
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ',':
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

func (s *Syntax) override(key string, v value.Value) error {
	texts := map[string]*string{
		"block_start_string": &s.BlockStart, "block_end_string": &s.BlockEnd,
		"variable_start_string": &s.VariableStart, "variable_end_string": &s.VariableEnd,
		"comment_start_string": &s.CommentStart, "comment_end_string": &s.CommentEnd,
		"line_statement_prefix": &s.LineStatement, "line_comment_prefix": &s.LineComment,
		"newline_sequence": &s.NewlineSequence,
	}
	flags := map[string]*bool{"trim_blocks": &s.TrimBlocks, "lstrip_blocks": &s.LstripBlocks, "keep_trailing_newline": &s.KeepTrailingNewline}
	if p, ok := texts[key]; ok {
		t, ok := v.(string)
		if !ok {
			return fmt.Errorf("jinja2 override %s must be text, not %s", key, value.TypeName(v))
		}
		*p = t
		return nil
	}
	if p, ok := flags[key]; ok {
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("jinja2 override %s must be a bool, not %s", key, value.TypeName(v))
		}
		*p = b
		return nil
	}
	return fmt.Errorf("jinja2 override %s is not known", value.Repr(key))
}
