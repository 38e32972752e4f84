package ansible

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"
)

func init() {
	filter("to_yaml(a, default_flow_style=None, **kw)", toYAML, template.Plain)
	filter("to_nice_yaml(a, indent=4, default_flow_style=False, **kw)", toNiceYAML, template.Plain)
	filter("from_yaml(data)", fromYAML)
	filter("from_yaml_all(data)", fromYAMLAll)
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
			o.unicode = isTrue(k.Value)
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
	n, err := integer(v)
	*to = int(n)
	return err
}

func widthOption(v value.Value, o *yamlOptions) error {
	if f, ok := v.(float64); ok && math.IsInf(f, 1) {
		o.width = math.MaxInt32
		return nil
	}
	return intOption(v, &o.width)
}

func toYAML(c *template.Call, a []value.Value) (value.Value, error) {
	o := yamlOptions{flow: flowOf(a[1]), sortKeys: true, unicode: true}
	if err := dumpOptions(c.KW, &o); err != nil {
		return nil, err
	}
	return dumpYAML(a[0], o)
}

func toNiceYAML(c *template.Call, a []value.Value) (value.Value, error) {
	o := yamlOptions{flow: flowOf(a[2]), sortKeys: true, unicode: true}
	if err := intOption(a[1], &o.indent); err != nil {
		return nil, err
	}
	if err := dumpOptions(c.KW, &o); err != nil {
		return nil, err
	}
	return dumpYAML(a[0], o)
}

func dumpYAML(v value.Value, o yamlOptions) (value.Value, error) {
	r := &represent{o: o}
	n, err := r.node(v, 0)
	if err != nil {
		return nil, err
	}
	return emitYAML(n, o), nil
}

// ynode is a node of the tree that the emitter writes.
type ynode struct {
	kind  ykind
	tag   string // written when it is not implied
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
type represent struct{ o yamlOptions }

const maxYAMLDepth = 500

func (r *represent) node(v value.Value, depth int) (*ynode, error) {
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
	case string, value.Text:
		return r.text(text(x)), nil
	case *value.Secret:
		return r.node(x.V, depth)
	case []byte:
		return &ynode{tag: "!!binary", text: base64Lines(x)}, nil
	case *template.Time:
		return scalar(x.String()), nil
	case *value.Encrypted:
		return &ynode{tag: "!vault", text: x.Text}, nil
	case *value.Undefined:
		return nil, &value.UndefinedError{Undefined: x}
	case *value.List, value.Tuple, *value.Range:
		return r.sequence(v, depth)
	case *value.Dict:
		return r.mapping(x.Items(), depth)
	case *value.Set:
		n, err := r.mapping(x.D.Entries(), depth)
		if err == nil {
			n.tag = "!!set"
		}
		return n, err
	}
	return nil, fmt.Errorf("cannot represent an object of type %s in YAML", value.TypeName(v))
}

func scalar(s string) *ynode { return &ynode{text: s, plain: true} }

// text may stand unquoted unless it would be read back as something else.
func (r *represent) text(s string) *ynode {
	_, isText := yamlv.Scalar(s).(string)
	return &ynode{text: s, plain: isText && s != "" && s != "=" && s != "<<"}
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

func (r *represent) sequence(v value.Value, depth int) (*ynode, error) {
	vs, err := value.Iterate(v)
	if err != nil {
		return nil, err
	}
	n := &ynode{kind: ySequence}
	for _, e := range vs {
		c, err := r.node(e, depth+1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, c)
	}
	n.flow = r.inFlow(n.items)
	return n, nil
}

func (r *represent) mapping(es []value.Entry, depth int) (*ynode, error) {
	if r.o.sortKeys {
		es = sorted(es)
	}
	n := &ynode{kind: yMapping}
	for _, e := range es {
		k, err := r.node(e.Key, depth+1)
		if err != nil {
			return nil, err
		}
		v, err := r.node(e.Value, depth+1)
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

func fromYAML(_ *template.Call, a []value.Value) (value.Value, error) {
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

func fromYAMLAll(_ *template.Call, a []value.Value) (value.Value, error) {
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
