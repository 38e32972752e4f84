package yamlv

import (
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"

	"gopkg.in/yaml.v3"
)

// Reader turns the nodes of one file into values and collects problems. Texts with
// template syntax become *value.Template, unless the file is untrusted or the text is
// marked !unsafe. An alias gives the same value as its anchor, not a copy.
type Reader struct {
	File      string
	Untrusted bool // the text comes from a host or a computation: no templates
	Secret    bool // the text was encrypted: its texts and long numbers are secret, its keys are not
	Diags     *diag.List
	// Duplicates says what a key that is given twice is: error, ignore, or (else) a warning.
	Duplicates string

	made map[madeKey]value.Value
	open map[*yaml.Node]bool // containers being read, to find one that holds itself
}

type madeKey struct {
	n         *yaml.Node
	untrusted bool
}

// NewReader returns a Reader for the nodes of file; problems go to diags.
func NewReader(file string, diags *diag.List) *Reader { return &Reader{File: file, Diags: diags} }

// Read parses a text with one document and gives its value, nil for an empty text.
func Read(file string, text []byte, diags *diag.List) value.Value {
	n, err := ParseOne(file, text)
	if err != nil {
		diags.Add(err.(*diag.Diagnostic))
		return nil
	}
	if n == nil {
		return nil
	}
	return NewReader(file, diags).Value(n)
}

// HasTemplate tells whether a text holds template syntax.
func HasTemplate(s string) bool {
	for i := strings.IndexByte(s, '{'); i >= 0 && i+1 < len(s); {
		if c := s[i+1]; c == '{' || c == '%' || c == '#' {
			return true
		}
		next := strings.IndexByte(s[i+1:], '{')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// Text is the value of a trusted text: a *value.Template when it holds template syntax.
func Text(s string, at diag.Pos) value.Value {
	if HasTemplate(s) {
		return &value.Template{Src: s, At: at}
	}
	return s
}

// Pos is the place of a node.
func (r *Reader) Pos(n *yaml.Node) diag.Pos { return Pos(r.File, n) }

func (r *Reader) fail(n *yaml.Node, format string, a ...any) {
	if r.Diags != nil {
		r.Diags.Add(diag.Errorf(r.Pos(n), "syntax", format, a...))
	}
}

// Value reads a node. Problems are reported and give nil.
func (r *Reader) Value(n *yaml.Node) value.Value {
	if n == nil || n.Kind == 0 {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return r.Value(n.Alias)
	}
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return nil
		}
		return r.Value(n.Content[0])
	}
	if tagOf(n) == "!unsafe" && !r.Untrusted {
		defer func() { r.Untrusted = false }()
		r.Untrusted = true
	}
	if n.Kind == yaml.ScalarNode {
		return r.scalar(n)
	}
	key := madeKey{n, r.Untrusted}
	if v, ok := r.made[key]; ok {
		return v
	}
	if r.open[n] {
		r.fail(n, "anchor %q holds itself", n.Anchor)
		return nil
	}
	if r.open == nil {
		r.open, r.made = map[*yaml.Node]bool{}, map[madeKey]value.Value{}
	}
	r.open[n] = true
	v := r.container(n)
	delete(r.open, n)
	if n.Anchor != "" {
		r.made[key] = v
	}
	return v
}

func (r *Reader) container(n *yaml.Node) value.Value {
	switch t := tagOf(n); {
	case t == "!vault" || t == "!vault-encrypted":
		r.fail(n, "%s stands before a text, not before a %s", t, kindWord(n))
		return nil
	case n.Kind == yaml.SequenceNode && (t == "" || t == "!!seq" || t == "!unsafe"):
		l := &value.List{V: make([]value.Value, 0, len(n.Content))}
		for _, c := range n.Content {
			l.V = append(l.V, r.Value(c))
		}
		return l
	case n.Kind == yaml.SequenceNode && (t == "!!omap" || t == "!!pairs"):
		return r.pairsList(n)
	case n.Kind == yaml.MappingNode && t == "!!set":
		return r.set(n)
	case n.Kind == yaml.MappingNode && (t == "" || t == "!!map" || t == "!unsafe"):
		return r.dict(n)
	default:
		r.fail(n, "unknown tag %q", n.ShortTag())
		return nil
	}
}

func kindWord(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "list"
	case yaml.MappingNode:
		return "mapping"
	}
	return "text"
}

func (r *Reader) dict(n *yaml.Node) value.Value {
	pairs := r.Pairs(n)
	d := value.NewDict(len(pairs))
	for _, p := range pairs {
		v := r.Value(p.Value)
		if err := d.Set(r.Key(p.Key), v); err != nil {
			r.fail(p.Key, "a %s cannot be a key", kindWord(Resolve(p.Key)))
		}
	}
	return d
}

// Key reads the key of a mapping; keys are never templates.
func (r *Reader) Key(n *yaml.Node) value.Value {
	was, secret := r.Untrusted, r.Secret
	r.Untrusted, r.Secret = true, false
	defer func() { r.Untrusted, r.Secret = was, secret }()
	return r.Value(n)
}

func (r *Reader) set(n *yaml.Node) value.Value {
	var keys []value.Value
	for _, p := range r.Pairs(n) {
		keys = append(keys, r.Key(p.Key))
	}
	s, err := value.NewSet(keys...)
	if err != nil {
		r.fail(n, "%v", err)
		return nil
	}
	return s
}

func (r *Reader) pairsList(n *yaml.Node) value.Value {
	l := value.NewList()
	for _, c := range n.Content {
		c = Resolve(c)
		if c.Kind != yaml.MappingNode || len(c.Content) != 2 {
			r.fail(c, "expected a mapping with one key")
			continue
		}
		l.V = append(l.V, value.Tuple{r.Key(c.Content[0]), r.Value(c.Content[1])})
	}
	return l
}

func (r *Reader) scalar(n *yaml.Node) value.Value {
	v := r.plainScalar(n)
	if !r.Secret {
		return v
	}
	switch x := v.(type) {
	case *value.Template:
		x.Secret = true
	case string:
		return &value.Secret{V: x}
	case int64, float64:
		if len(n.Value) >= 6 {
			return &value.Secret{V: x}
		}
	}
	return v
}

func (r *Reader) plainScalar(n *yaml.Node) value.Value {
	var v value.Value
	var err error
	switch t := tagOf(n); t {
	case "!vault", "!vault-encrypted":
		return &value.Encrypted{Text: n.Value, At: r.Pos(n)}
	case "!!binary":
		v, err = binaryOf(n.Value)
	case "", "!unsafe", "!!str", "!!null", "!!bool", "!!int", "!!float", "!!timestamp":
		k := kindOf(n)
		if k == kindStr || k == kindMerge {
			if r.Untrusted {
				return n.Value
			}
			return Text(n.Value, r.Pos(n))
		}
		v, err = scalarOf(k, n.Value)
	default:
		r.fail(n, "unknown tag %q", t)
		return nil
	}
	if err != nil {
		r.fail(n, "%v", err)
		return nil
	}
	return v
}

// Pair is one item of a mapping.
type Pair struct{ Key, Value *yaml.Node }

// Pairs lists the items of a mapping in Ansible's order: what << merges first, then the
// mapping's own. A key given twice keeps its place and takes the last value, with a
// warning when both stand in the same mapping.
func (r *Reader) Pairs(n *yaml.Node) []Pair {
	n = Resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	merged, own := r.merged(n, 0)
	if len(merged) == 0 && r.unique(own) {
		return own
	}
	var out []Pair
	index := map[string]int{}
	put := func(p Pair, warn map[string]bool) {
		id := keyID(p.Key)
		i, ok := index[id]
		if !ok {
			index[id] = len(out)
			out = append(out, p)
		} else {
			out[i] = p
		}
		if warn == nil {
			return
		}
		if warn[id] && r.Diags != nil && r.Duplicates != "ignore" {
			d := diag.Warnf(r.Pos(p.Key), "duplicate-key", "found a duplicate dict key (%s); the last one counts", p.Key.Value)
			d.Width = len([]rune(p.Key.Value))
			if r.Duplicates == "error" {
				d.Severity = diag.Error
			}
			r.Diags.Add(d)
		}
		warn[id] = true
	}
	for _, p := range merged {
		put(p, nil)
	}
	seen := map[string]bool{}
	for _, p := range own {
		put(p, seen)
	}
	return out
}

func (r *Reader) unique(pairs []Pair) bool {
	if len(pairs) < 8 {
		for i := range pairs {
			for j := range i {
				if pairs[i].Key.Value == pairs[j].Key.Value || pairs[i].Key.Kind == yaml.AliasNode {
					return false
				}
			}
		}
		return true
	}
	seen := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		id := keyID(p.Key)
		if seen[id] {
			return false
		}
		seen[id] = true
	}
	return true
}

// keyID is equal for keys that are equal as values.
func keyID(n *yaml.Node) string {
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode {
		return "\x00" + Pos("", n).String()
	}
	k := kindOf(n)
	if k == kindStr || k == kindMerge {
		return "s" + n.Value
	}
	v, err := scalarOf(k, n.Value)
	if err != nil {
		return "e" + n.Value
	}
	return "v" + value.Repr(v)
}

const maxMergeDepth = 100

// merged splits a mapping into what its << keys bring and its own items.
func (r *Reader) merged(n *yaml.Node, depth int) (merged, own []Pair) {
	if depth > maxMergeDepth {
		r.fail(n, "merge keys nest too deep")
		return nil, nil
	}
	own = make([]Pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || tagOf(k) != "" && tagOf(k) != "!!merge" || k.Style&quoted != 0 || k.Value != "<<" {
			own = append(own, Pair{k, v})
			continue
		}
		merged = append(merged, r.mergeFrom(Resolve(v), depth)...)
	}
	return merged, own
}

func (r *Reader) mergeFrom(v *yaml.Node, depth int) []Pair {
	from := func(m *yaml.Node) []Pair {
		merged, own := r.merged(m, depth+1)
		return append(merged, own...)
	}
	switch {
	case v.Kind == yaml.MappingNode:
		return from(v)
	case v.Kind == yaml.SequenceNode:
		var out []Pair
		for i := len(v.Content) - 1; i >= 0; i-- { // the first one wins, so it comes last
			m := Resolve(v.Content[i])
			if m.Kind != yaml.MappingNode {
				r.fail(v.Content[i], "expected a mapping to merge, found a %s", kindWord(m))
				continue
			}
			out = append(out, from(m)...)
		}
		return out
	}
	r.fail(v, "expected a mapping or a list of mappings to merge, found a %s", kindWord(v))
	return nil
}

// Vars reads a mapping as variables, each with the place of its name. Names that are not
// text are reported.
func (r *Reader) Vars(n *yaml.Node) *value.Vars {
	vars := &value.Vars{}
	n = Resolve(n)
	if IsNull(n) {
		return vars
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, "expected a mapping of variables, found a %s", kindWord(n))
		return vars
	}
	for _, p := range r.Pairs(n) {
		v := r.Value(p.Value)
		switch k := r.Key(p.Key).(type) {
		case string:
			vars.Set(k, v, r.Pos(p.Key))
		case nil, *value.List, *value.Dict:
			r.fail(p.Key, "a variable name must be text")
		default:
			vars.Set(value.Str(k), v, r.Pos(p.Key))
		}
	}
	return vars
}
