package ansible

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"
)

func init() {
	filter("to_yaml(a, default_flow_style=None, **kw)", toYAML, template.Plain, template.Lazy)
	filter("to_nice_yaml(a, indent=4, default_flow_style=False, **kw)", toNiceYAML, template.Plain, template.Lazy)
	filter("from_yaml(data)", fromYAML, template.Markup)
	filter("from_yaml_all(data)", fromYAMLAll, template.Lazy)
}

// flow says when containers are written in one line.
type flow int

const (
	flowLeaves flow = iota // those that hold scalars only
	flowNever
	flowAlways
)

func flowOf(v value.Value) flow {
	switch {
	case v == nil:
		return flowLeaves
	case isTrue(v):
		return flowAlways
	}
	return flowNever
}

// yamlOptions are the keyword arguments of yaml.dump.
type yamlOptions struct {
	flow          flow
	sortKeys      bool
	indent, width int
	unicode       bool
	start, end    bool
	style         string // default_style
	literal       bool   // texts of several lines stand as blocks
	strict        bool   // markup is refused, as since 2.19
	lineBreak     string
}

func dumpOptions(kw []value.Keyword, o *yamlOptions) error {
	for _, k := range kw {
		var err error
		switch k.Name {
		case "a", "default_flow_style":
		case "indent":
			err = intOption(k.Value, &o.indent)
		case "width":
			err = widthOption(k.Value, o)
		case "sort_keys":
			o.sortKeys = isTrue(k.Value)
		case "allow_unicode":
			err = errors.New("dump() got multiple values for keyword argument 'allow_unicode'")
		case "explicit_start":
			o.start = isTrue(k.Value)
		case "explicit_end":
			o.end = isTrue(k.Value)
		case "default_style":
			if k.Value != nil {
				o.style = text(k.Value)
			}
		case "line_break":
			o.lineBreak = text(k.Value)
		case "vault_behavior", "dump_vault_tags":
		default:
			err = fmt.Errorf("dump_all() got an unexpected keyword argument '%s'", k.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func intOption(v value.Value, to *int) error {
	if v == nil {
		return nil
	}
	if f, ok := v.(float64); ok && math.Abs(f) <= math.MaxInt32 {
		v = int64(f)
	}
	n, ok := value.Int(v)
	if !ok || !value.IsNumber(v) {
		return fmt.Errorf("an integer is required, not %s", describe(v))
	}
	*to = int(n)
	return nil
}

func widthOption(v value.Value, o *yamlOptions) error {
	if f, ok := v.(float64); ok && math.IsInf(f, 1) {
		o.width = math.MaxInt32
		return nil
	}
	if i, ok := value.Int(v); ok && int64(int32(i)) != i {
		return errors.New("value too large to convert to int")
	}
	return intOption(v, &o.width)
}

func toYAML(c *template.Call, a []value.Value) (value.Value, error) {
	o := yamlOptions{flow: flowOf(a[1]), sortKeys: true, unicode: true, strict: c.Compat() == template.V219}
	if err := dumpOptions(c.KW, &o); err != nil {
		return nil, err
	}
	return dumpYAML(a[0], o)
}

func toNiceYAML(c *template.Call, a []value.Value) (value.Value, error) {
	o := yamlOptions{flow: flowOf(a[2]), sortKeys: true, unicode: true, strict: c.Compat() == template.V219}
	if err := intOption(a[1], &o.indent); err != nil {
		return nil, err
	}
	if err := dumpOptions(c.KW, &o); err != nil {
		return nil, err
	}
	return dumpYAML(a[0], o)
}

func dumpYAML(v value.Value, o yamlOptions) (value.Value, error) {
	r := &represent{o: o, made: map[value.Value]*ynode{}}
	n, err := r.node(v, 0, true)
	if err != nil {
		return nil, err
	}
	a := &anchors{seen: map[*ynode]bool{}}
	a.visit(n)
	return value.Mark(emitYAML(n, o), r.secret), nil
}

// ResultYAML is a result as the callbacks of Ansible print it with result_format yaml. When it
// may lose something (lossy), texts of several lines lose what would keep them from standing
// as blocks: tabs, blanks at the ends of lines, what cannot be printed.
func ResultYAML(d *value.Dict, indent int, lossy bool) (string, error) {
	o := yamlOptions{flow: flowNever, sortKeys: true, unicode: true, indent: indent, width: math.MaxInt32, literal: lossy}
	v := value.Value(d)
	if lossy {
		v = blockTexts(d)
	}
	out, err := dumpYAML(v, o)
	if err != nil {
		return "", err
	}
	return text(out), nil
}

func blockTexts(v value.Value) value.Value {
	switch x := v.(type) {
	case string:
		return blockText(x)
	case *value.List:
		out := value.NewList()
		for _, e := range x.V {
			out.V = append(out.V, blockTexts(e))
		}
		return out
	case *value.Dict:
		out := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			_ = out.Set(e.Key, blockTexts(e.Value))
		}
		return out
	}
	return v
}

func blockText(s string) string {
	if !strings.ContainsFunc(s, isBreak) {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(s, " \t\r\n")) {
		column := 0
		var l strings.Builder
		for _, r := range strings.TrimRight(line, "\r\n") {
			switch {
			case r == '\t':
				n := 8 - column%8
				l.WriteString(strings.Repeat(" ", n))
				column += n
			case printable(r):
				l.WriteRune(r)
				column++
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// ynode is a node of the tree that the emitter writes.
type ynode struct {
	kind  ykind
	tag   string // written when it is not implied
	loose bool   // only the unquoted form implies the tag
	name  string // anchor, when the container stands at several places
	done  bool   // the anchor has been written
	text  string
	plain bool // a scalar's text may stand unquoted
	flow  bool
	items []*ynode // of a mapping: keys and values in turn
}

type ykind uint8

const (
	yScalar ykind = iota
	ySequence
	yMapping
)

// represent turns values into nodes.
type represent struct {
	o      yamlOptions
	made   map[value.Value]*ynode // containers by identity
	secret bool
}

// anchors names the containers that stand at several places, as they are met again.
type anchors struct {
	seen  map[*ynode]bool
	count int
}

func (a *anchors) visit(n *ynode) {
	if n.kind == yScalar {
		return
	}
	if a.seen[n] {
		if n.name == "" {
			a.count++
			n.name = fmt.Sprintf("id%03d", a.count)
		}
		return
	}
	a.seen[n] = true
	for _, c := range n.items {
		a.visit(c)
	}
}

const maxYAMLDepth = 500

// node makes the node of v. Elements of a variable are objects of their own even when two
// of them were rendered from the same other variable: shared is false for those.
func (r *represent) node(v value.Value, depth int, shared bool) (*ynode, error) {
	if depth > maxYAMLDepth {
		return nil, errors.New("nested too deep for YAML")
	}
	switch x := v.(type) {
	case nil:
		return scalar("null"), nil
	case bool:
		return scalar(fmt.Sprint(x)), nil
	case int64, *big.Int:
		return scalar(text(x)), nil
	case float64:
		return scalar(yamlFloat(x)), nil
	case value.Markup:
		if r.o.strict {
			return nil, fmt.Errorf("('cannot represent an object', %s)", value.Repr(x))
		}
		return r.text(string(x)), nil
	case string, value.Text:
		return r.text(text(x)), nil
	case *value.Secret:
		r.secret = true
		return r.node(x.V, depth, shared)
	case []byte:
		return &ynode{tag: "!!binary", text: base64Lines(x)}, nil
	case *template.Time:
		return scalar(x.String()), nil
	case *value.Encrypted:
		return &ynode{tag: "!vault", text: x.Text}, nil
	case *value.Undefined:
		return nil, &value.UndefinedError{Undefined: x}
	case *value.List, *value.Dict:
		if n := r.made[x]; n != nil && shared {
			return n, nil
		}
		n, err := r.container(v, depth)
		r.made[x] = n
		return n, err
	case *value.Range:
		return nil, fmt.Errorf("('cannot represent an object', %s)", value.Repr(x))
	case value.Tuple:
		return r.sequence(v, depth, shared)
	case *value.Set:
		n, err := r.mapping(x.D.Entries(), depth, shared)
		if err == nil {
			n.tag = "!!set"
		}
		return n, err
	}
	return nil, fmt.Errorf("cannot represent an object of type %s in YAML", value.TypeName(v))
}

func (r *represent) container(v value.Value, depth int) (*ynode, error) {
	if l, ok := v.(*value.List); ok {
		return r.sequence(v, depth, l.Lazy == nil && !value.Frozen(l))
	}
	d := v.(*value.Dict)
	es, err := d.Resolved()
	if err != nil {
		return nil, err
	}
	return r.mapping(es, depth, d.Lazy == nil && !value.Frozen(d))
}

func scalar(s string) *ynode { return &ynode{text: s, plain: true, loose: true} }

var timestamp = pyre.MustCompile(`\d{4}-\d{2}-\d{2}|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?`, pyre.ASCII)

// text may stand unquoted unless it would be read back as something else.
func (r *represent) text(s string) *ynode {
	_, isText := yamlv.Scalar(s).(string)
	isTime, _ := timestamp.FullMatch(s)
	return &ynode{text: s, plain: isText && s != "" && s != "=" && s != "<<" && isTime == nil}
}

func yamlFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	s := strings.ToLower(value.FloatStr(f))
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

func (r *represent) sequence(v value.Value, depth int, shared bool) (*ynode, error) {
	vs, err := value.Iterate(v)
	if err != nil {
		return nil, err
	}
	n := &ynode{kind: ySequence}
	for _, e := range vs {
		c, err := r.node(e, depth+1, shared)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, c)
	}
	n.flow = r.inFlow(n.items)
	return n, nil
}

func (r *represent) mapping(es []value.Entry, depth int, shared bool) (*ynode, error) {
	if r.o.sortKeys {
		es = sorted(es)
	}
	n := &ynode{kind: yMapping}
	for _, e := range es {
		k, err := r.node(e.Key, depth+1, shared)
		if err != nil {
			return nil, err
		}
		v, err := r.node(e.Value, depth+1, shared)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, k, v)
	}
	n.flow = r.inFlow(n.items)
	return n, nil
}

// sorted orders entries by key; keys that cannot be compared keep their order.
func sorted(es []value.Entry) []value.Entry {
	out := slices.Clone(es)
	failed := false
	slices.SortStableFunc(out, func(a, b value.Entry) int {
		n, err := value.Compare(a.Key, b.Key)
		failed = failed || err != nil
		return n
	})
	if failed {
		return es
	}
	return out
}

func (r *represent) inFlow(items []*ynode) bool {
	switch r.o.flow {
	case flowAlways:
		return true
	case flowNever:
		return false
	}
	for _, c := range items {
		if c.kind != yScalar || r.o.style != "" || c.tag != "" {
			return false
		}
	}
	return true
}

// readYAML parses data that is no trusted text.
func readYAML(s string) ([]value.Value, error) {
	nodes, err := yamlv.Parse("", []byte(s))
	if err != nil {
		return nil, err
	}
	var out []value.Value
	for _, n := range nodes {
		var problems diag.List
		r := yamlv.NewReader("", &problems)
		r.Untrusted = true
		v := r.Value(n)
		if err := problems.Err(); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func fromYAML(c *template.Call, a []value.Value) (value.Value, error) {
	if value.IsMarkup(a[0]) && c.Compat() == template.V219 {
		return nil, errors.New("a string or stream input is required")
	}
	if a[0] == nil {
		return nil, nil
	}
	if !isText(a[0]) {
		return a[0], nil
	}
	docs, err := readYAML(text(a[0]))
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	if len(docs) > 1 {
		return nil, errors.New("expected a single document in the stream, but found another document")
	}
	return docs[0], nil
}

func fromYAMLAll(c *template.Call, a []value.Value) (value.Value, error) {
	if a[0] == nil && old(c) {
		return nil, nil
	}
	if a[0] == nil {
		return list(nil), nil
	}
	if !isText(a[0]) {
		return a[0], nil
	}
	docs, err := readYAML(text(a[0]))
	if err != nil {
		return nil, err
	}
	return list(docs), nil
}
