package template

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Batch reads template cases, one JSON object a line, and writes one result a line, in order:
// {"id","type","repr","value"} or {"id","error","line"}. A bad case never stops the batch;
// the error is that of reading or writing.
//
// A case has "kind": "expr" (an expression in "expr"), "value" (a text of a playbook in
// "template"), "file" (a template file in "template") or "when" (a condition in "expr" or
// "template"); "vars"; "native", false for the old string mode; "opts" for files.
func Batch(ctx context.Context, r io.Reader, w io.Writer, opts Options) error {
	in := bufio.NewReaderSize(r, 1<<16)
	out := bufio.NewWriter(w)
	for {
		line, err := in.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			res := batchLine(ctx, line, opts)
			text, encErr := value.JSON{Spaces: true}.Encode(res)
			if encErr != nil {
				return encErr
			}
			if _, err := out.WriteString(text + "\n"); err != nil {
				return err
			}
			if in.Buffered() == 0 {
				if err := out.Flush(); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
	}
}

func batchLine(ctx context.Context, line []byte, opts Options) (res *value.Dict) {
	v, err := value.FromJSON(line)
	c, ok := v.(*value.Dict)
	if err != nil || !ok {
		return value.DictOf("id", nil, "error", fmt.Sprintf("not a JSON object: %v", err), "line", int64(0))
	}
	id, _ := c.GetString("id")
	// A panic is a bug of ours; the other cases deserve their results all the same.
	defer func() {
		if p := recover(); p != nil {
			res = value.DictOf("id", id, "error", fmt.Sprintf("internal error: %v", p), "line", int64(0))
		}
	}()
	r, err := runCase(ctx, c, opts)
	if err != nil {
		at := int64(0)
		var e *Error
		if errors.As(err, &e) {
			at = int64(e.At.Line)
		}
		return value.DictOf("id", id, "error", err.Error(), "line", at)
	}
	plain, err := jsonable(r)
	if err != nil {
		return value.DictOf("id", id, "error", err.Error(), "line", int64(0))
	}
	return value.DictOf("id", id, "type", value.TypeName(r), "repr", value.Repr(r), "value", plain)
}

// runCase runs one case. Native cases are those of jinja2_native before 2.19, which reads
// text back as a literal; "compat" names another behaviour.
func runCase(ctx context.Context, c *value.Dict, opts Options) (value.Value, error) {
	opts.Compat = V216Native
	if n, ok := c.GetString("native"); ok && n == false {
		opts.Compat = V216
	}
	if name, ok := c.GetString("compat"); ok {
		compat, err := ParseCompat(value.Str(name))
		if err != nil {
			return nil, err
		}
		opts.Compat = compat
	}
	vars, _ := c.GetString("vars")
	scope, ok := Trust(decodeCase(vars), diag.Pos{}).(*value.Dict)
	if !ok {
		scope = value.NewDict(0)
	}
	text := ""
	for _, k := range []string{"template", "expr"} {
		if v, ok := c.GetString(k); ok {
			text, _ = v.(string)
		}
	}
	co, _ := c.GetString("opts")
	fileOpts, files, err := caseOptions(co)
	if err != nil {
		return nil, err
	}
	if files != nil {
		opts.Files = files
	}
	tc := New(opts).NewContext(ctx, MapScope{scope})
	at := diag.Pos{Line: 1, Col: 1}
	switch kind, _ := c.GetString("kind"); kind {
	case "expr":
		return tc.Render(NewTemplate("{{ "+text+" }}", at))
	case "value":
		return tc.Render(NewTemplate(text, at))
	case "file":
		s, _, err := tc.RenderFile("template", text, fileOpts)
		return s, err
	case "when":
		return boolResult(tc.Cond(NewCond(text, at)))
	default:
		return nil, fmt.Errorf("unknown kind %q", value.Str(kind))
	}
}

// decodeCase makes dicts with keys that are no text, which JSON writes as {"__dict__": pairs}.
func decodeCase(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.List:
		for i, e := range x.V {
			x.V[i] = decodeCase(e)
		}
	case *value.Dict:
		if pairs, ok := x.GetString("__dict__"); ok && x.Len() == 1 {
			d := value.NewDict(0)
			if updateFrom(d, decodeCase(pairs)) == nil {
				return d
			}
		}
		for _, e := range x.Entries() {
			x.SetString(value.Str(e.Key), decodeCase(e.Value))
		}
	}
	return v
}

// ParseCompat reads the name of a behaviour: "2.19", "2.16", "2.16-native" or "" for the
// default.
func ParseCompat(s string) (Compat, error) {
	switch s {
	case "", "default":
		return Default, nil
	case "2.19", "2.20", "2.21":
		return V219, nil
	case "2.14", "2.15", "2.16", "2.17", "2.18":
		return V216, nil
	case "2.16-native", "2.18-native":
		return V216Native, nil
	}
	return Default, fmt.Errorf("unknown compat %q: it must be 2.19, 2.16 or 2.16-native", s)
}

// mapFiles are templates by name.
type mapFiles map[string]string

func (m mapFiles) ReadTemplate(name string, _ []string) (string, string, error) {
	if text, ok := m[name]; ok {
		return text, name, nil
	}
	return "", "", fs.ErrNotExist
}

func caseOptions(v value.Value) (FileOptions, Files, error) {
	s := DefaultSyntax()
	d, ok := v.(*value.Dict)
	if !ok {
		return FileOptions{Syntax: &s}, nil, nil
	}
	var files mapFiles
	for _, e := range d.Entries() {
		switch k := value.Str(e.Key); k {
		case "files":
			files = mapFiles{}
			if fd, ok := e.Value.(*value.Dict); ok {
				for _, f := range fd.Entries() {
					files[value.Str(f.Key)] = value.Str(f.Value)
				}
			}
		case "extensions":
			if err := s.extensions(e.Value); err != nil {
				return FileOptions{}, nil, err
			}
		default:
			if err := s.override(k, e.Value); err != nil {
				return FileOptions{}, nil, err
			}
		}
	}
	if files == nil {
		return FileOptions{Syntax: &s}, nil, nil
	}
	return FileOptions{Syntax: &s}, maps.Clone(files), nil
}

func (s *Syntax) extensions(v value.Value) error {
	names, err := value.Iterate(v)
	if err != nil {
		return err
	}
	for _, n := range names {
		switch value.Str(n) {
		case "jinja2.ext.do":
			s.Do = true
		case "jinja2.ext.loopcontrols":
			s.LoopControls = true
		case "jinja2.ext.debug":
			s.Debug = true
		default:
			return fmt.Errorf("jinja2 extension %q is not supported", value.Str(n))
		}
	}
	return nil
}

// jsonable is v in types JSON has: what it has not is written as its text.
func jsonable(v value.Value) (value.Value, error) {
	switch x := v.(type) {
	case nil, bool, int64, float64, string, *big.Int:
		return v, nil
	case value.Text:
		return string(x), nil
	case value.Markup:
		return string(x), nil
	case *value.Secret:
		return jsonable(x.V)
	case *value.List:
		return jsonItems(x.Items())
	case value.Tuple:
		return jsonItems(x)
	case *value.Dict:
		out := value.NewDict(x.Len())
		for _, e := range x.Items() {
			r, err := jsonable(e.Value)
			if err != nil {
				return nil, err
			}
			out.SetString(value.Str(e.Key), r)
		}
		return out, nil
	}
	if vs, err := value.Iterate(v); err == nil {
		return jsonItems(vs)
	}
	return value.Str(v), nil
}

func jsonItems(vs []value.Value) (value.Value, error) {
	out := &value.List{V: make([]value.Value, len(vs))}
	for i, e := range vs {
		r, err := jsonable(e)
		if err != nil {
			return nil, err
		}
		out.V[i] = r
	}
	return out, nil
}
