// Package yamlv reads YAML and JSON texts as Ansible does: YAML 1.1 scalars (yes and on
// are booleans, 0644 is octal, 1:30 is 90), merge keys, !vault and !unsafe, every value
// with its place.
//
// Parse gives the node tree, which keeps the text as it was written; a Reader turns
// nodes into values. Loaders that want typed trees walk the nodes with Pairs and Value.
package yamlv

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"fettle/engine/diag"

	"gopkg.in/yaml.v3"
)

// Parse reads a text into the root nodes of its documents; an empty text has none.
// A JSON text is read as JSON, whose numbers and escapes differ a little.
// The error is a *diag.Diagnostic with the place.
func Parse(file string, text []byte) ([]*yaml.Node, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && (t[0] == '{' || t[0] == '[') && json.Valid(t) {
		n, err := parseJSON(text)
		if err != nil {
			return nil, diag.Errorf(diag.Pos{File: file}, "syntax", "%v", err)
		}
		return []*yaml.Node{n}, nil
	}
	docs, err := decode(text)
	if err != nil {
		d := syntaxError(file, text, err)
		if strings.HasSuffix(file, ".json") {
			d.Detail = "JSON: " + jsonError(text)
		}
		return nil, d
	}
	return docs, nil
}

// jsonError is what is wrong with a text as JSON.
func jsonError(text []byte) string {
	var v json.RawMessage
	if err := json.Unmarshal(text, &v); err != nil {
		return err.Error()
	}
	return ""
}

// ParseOne is Parse for files that hold one document. It gives nil for an empty file.
func ParseOne(file string, text []byte) (*yaml.Node, error) {
	docs, err := Parse(file, text)
	switch {
	case err != nil:
		return nil, err
	case len(docs) == 0:
		return nil, nil
	case len(docs) > 1:
		return nil, diag.Errorf(Pos(file, docs[1]), "syntax", "expected one document, found a second one")
	}
	return docs[0], nil
}

// decode parses a text. The escape \/ that other readers accept in double quotes is put
// as \x2f, as the parser does not know it.
func decode(text []byte) ([]*yaml.Node, error) {
	docs, err := decodeAll(text)
	if err != nil && strings.Contains(err.Error(), "unknown escape character") && bytes.Contains(text, []byte(`\/`)) {
		if again, err := decodeAll(bytes.ReplaceAll(text, []byte(`\/`), []byte(`\x2f`))); err == nil {
			unslash(again)
			return again, nil
		}
	}
	return docs, err
}

// unslash restores \/ where it stood outside of double quotes.
func unslash(nodes []*yaml.Node) {
	for _, n := range nodes {
		if n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle == 0 {
			n.Value = strings.ReplaceAll(n.Value, `\x2f`, `\/`)
		}
		unslash(n.Content)
	}
}

func decodeAll(text []byte) (docs []*yaml.Node, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			docs = append(docs, n.Content[0])
		}
	}
}

var errorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError finds the line of a parse error: the parser names the start of the construct
// it was in, so the shortest run of lines that fails in the same way is looked for.
func syntaxError(file string, text []byte, err error) *diag.Diagnostic {
	msg := messageOf(err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	low, high := 1, len(lines)
	for low < high {
		mid := (low + high) / 2
		_, e := decode(bytes.Join(lines[:mid], nil))
		if e != nil && messageOf(e) == msg {
			high = mid
		} else {
			low = mid + 1
		}
	}
	line := strings.TrimRight(string(lines[low-1]), "\r\n")
	if strings.TrimSpace(line) == "" && low == len(lines) && low > 1 {
		low--
		line = strings.TrimRight(string(lines[low-1]), "\r\n")
	}
	at := diag.Pos{File: file, Line: low, Col: 1 + len(line) - len(strings.TrimLeft(line, " \t"))}
	d := diag.Errorf(at, "syntax", "cannot read YAML: %s", msg)
	d.Hint = explain(msg, line, &d.At)
	return d
}

func messageOf(err error) string {
	if m := errorLine.FindStringSubmatch(err.Error()); m != nil {
		return m[2]
	}
	return err.Error()
}

// explain adds what people usually did.
func explain(msg, line string, at *diag.Pos) string {
	trimmed := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t") || strings.Contains(msg, "cannot start any token") && strings.Contains(line, "\t"):
		at.Col = 1 + len([]rune(line[:strings.IndexByte(line, '\t')]))
		return "tabs cannot indent YAML, use blanks"
	case strings.Contains(msg, "mapping values are not allowed"):
		if _, rest, ok := strings.Cut(line, ": "); ok {
			if i := strings.Index(rest, ": "); i >= 0 {
				at.Col = 1 + len([]rune(line[:len(line)-len(rest)+i]))
			}
		}
		return "quote values that hold a colon and a blank, and check the indentation"
	case strings.Contains(msg, "invalid map key") || strings.Contains(trimmed, ": {{"):
		if i := strings.Index(line, "{{"); i >= 0 {
			at.Col = 1 + len([]rune(line[:i]))
		}
		return `quote values that begin with a template: "{{ name }}"`
	}
	return ""
}

// Pos is the place of a node.
func Pos(file string, n *yaml.Node) diag.Pos {
	return diag.Pos{File: file, Line: n.Line, Col: n.Column}
}

// Resolve follows aliases.
func Resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// IsNull tells that a node is missing, empty or null.
func IsNull(n *yaml.Node) bool {
	n = Resolve(n)
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && kindOf(n) == kindNull
}

// parseJSON builds nodes from a valid JSON text.
func parseJSON(text []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	j := &jsonReader{dec: dec, text: text, line: 1}
	return j.node()
}

type jsonReader struct {
	dec   *json.Decoder
	text  []byte
	at    int // offset that line and start belong to
	line  int
	start int // offset of the line's first byte
}

func (j *jsonReader) next() (json.Token, diag.Pos, error) {
	off := int(j.dec.InputOffset())
	for off < len(j.text) && strings.IndexByte(" \t\r\n,:", j.text[off]) >= 0 {
		off++
	}
	for ; j.at < off; j.at++ {
		if j.text[j.at] == '\n' {
			j.line, j.start = j.line+1, j.at+1
		}
	}
	at := diag.Pos{Line: j.line, Col: 1 + len([]rune(string(j.text[j.start:off])))}
	t, err := j.dec.Token()
	return t, at, err
}

func (j *jsonReader) node() (*yaml.Node, error) {
	t, at, err := j.next()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Line: at.Line, Column: at.Col}
	switch x := t.(type) {
	case json.Delim:
		return n, j.container(n, x)
	case string:
		n.Kind, n.Style, n.Value = yaml.ScalarNode, yaml.DoubleQuotedStyle, x
	case json.Number:
		n.Kind, n.Style, n.Tag, n.Value = yaml.ScalarNode, yaml.TaggedStyle, "!!int", x.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Kind, n.Style, n.Tag, n.Value = yaml.ScalarNode, yaml.TaggedStyle, "!!bool", strconv.FormatBool(x)
	case nil:
		n.Kind, n.Style, n.Tag, n.Value = yaml.ScalarNode, yaml.TaggedStyle, "!!null", "null"
	}
	return n, nil
}

func (j *jsonReader) container(n *yaml.Node, open json.Delim) error {
	n.Kind, n.Style = yaml.SequenceNode, yaml.FlowStyle
	if open == '{' {
		n.Kind = yaml.MappingNode
	}
	for j.dec.More() {
		c, err := j.node()
		if err != nil {
			return err
		}
		n.Content = append(n.Content, c)
	}
	if _, _, err := j.next(); err != nil {
		return err
	}
	markSpecial(n)
	return nil
}

// markSpecial turns the JSON forms of vaulted and unsafe text into what they stand for.
func markSpecial(n *yaml.Node) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[1].Kind != yaml.ScalarNode {
		return
	}
	tag := map[string]string{"__ansible_vault": "!vault", "__ansible_unsafe": "!unsafe"}[n.Content[0].Value]
	if tag != "" {
		v := n.Content[1]
		*n = yaml.Node{Kind: yaml.ScalarNode, Style: yaml.TaggedStyle | yaml.DoubleQuotedStyle, Tag: tag, Value: v.Value, Line: n.Line, Column: n.Column}
	}
}
