package load

import (
	"path"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/ast"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

// galaxyName is the name of a role that is given by where to get it from.
func galaxyName(src string) string {
	name, _, _ := strings.Cut(src, ",")
	if strings.Contains(name, "/") || strings.Contains(name, "://") {
		name = path.Base(name)
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".git"), ".tar.gz")
	return name
}

func (p *parser) isModule(name string) bool {
	return p.l.IsModule != nil && p.l.IsModule(name)
}

// wholeFile is what items reads when the list is all of a file.
const wholeFile = "a list of tasks"

// items reads a list of tasks and blocks.
func (p *parser) items(n *yaml.Node, of string, handlers bool) []ast.Item {
	if p.depth++; p.depth > maxDepth {
		p.fail(n, "syntax", "blocks nest too deep")
		return nil
	}
	defer func() { p.depth-- }()
	if n = yamlv.Resolve(n); n.Kind != yaml.SequenceNode && !yamlv.IsNull(n) {
		shown := what(n)
		if n.Kind == yaml.ScalarNode {
			shown = shorten(n.Value)
		}
		if of == wholeFile {
			p.fail(n, "list", "included task files must contain a list of tasks, found %s", shown)
			return nil
		}
		p.fail(n, "syntax", "A malformed block was encountered while loading %s: %s should be a list or None", of, shown)
		return nil
	}
	list, _ := p.listOf(n, of)
	var out []ast.Item
	for _, e := range list {
		switch {
		case e.Kind != yaml.MappingNode:
			if yamlv.IsNull(e) && len(list) > 0 {
				p.fail(e, "syntax", "expected a task, found nothing")
				continue
			}
			p.fail(e, "syntax", "expected a task, found %s", what(e))
		case p.isBlock(e):
			b := p.block(e, handlers)
			if handlers && p.depth > 1 { // HND-18: ansible-core takes one level
				p.Diags.Add(diag.Errorf(b.Pos, "keyword", "Using a block as a handler is not supported."))
				continue
			}
			out = append(out, b)
		default:
			if t := p.task(e, handlers); t != nil {
				out = append(out, t)
			}
		}
	}
	return out
}

func (p *parser) isBlock(n *yaml.Node) bool {
	for _, pair := range p.Pairs(n) {
		switch yamlv.Resolve(pair.Key).Value {
		case "block", "rescue", "always":
			return true
		}
	}
	return false
}

func (p *parser) block(n *yaml.Node, handlers bool) *ast.Block {
	b := &ast.Block{Pos: p.Pos(n)}
	hasBody := false
	b.Attrs = p.keywords(n, ast.OnBlock, "a Block", func(k string, key, v *yaml.Node) {
		switch k {
		case "vars":
			b.Vars = p.vars(key, v)
		case "block":
			hasBody = true
			b.Body = p.items(v, "the list of tasks of a block", handlers)
		case "rescue":
			b.Rescue = p.items(v, "the list of tasks of a rescue section", handlers)
		case "always":
			b.Always = p.items(v, "the list of tasks of an always section", handlers)
		}
	}, nil)
	if !hasBody {
		p.fail(n, "keyword", "rescue and always need a block beside them")
	}
	return b
}

// taskParts collects what the keys of a task are.
type taskParts struct {
	t       *ast.Task
	actions []yamlv.Pair // keys that may be the module
	with    []yamlv.Pair // with_* keys
	loop    *yaml.Node
	control *yaml.Node
	args    *yaml.Node
	action  *yamlv.Pair // action or local_action
}

func (p *parser) task(n *yaml.Node, handlers bool) *ast.Task {
	on, what := ast.OnTask, "a Task"
	if handlers {
		on, what = ast.OnHandler, "a Handler"
	}
	t := &ast.Task{Pos: p.Pos(n), Args: value.NewDict(4)}
	parts := &taskParts{t: t}
	for _, pair := range p.Pairs(n) {
		key, v := yamlv.Resolve(pair.Key), yamlv.Resolve(pair.Value)
		p.taskKey(parts, on, yamlv.Pair{Key: key, Value: v})
	}
	if !p.pickAction(parts, n, on, what) {
		return nil
	}
	p.loop(parts)
	if r := t.Attrs.Find("register"); r != nil {
		if name := value.Str(r.Value); !isName(name) {
			p.Diags.Add(diag.Errorf(r.At, "keyword", "Invalid variable name in 'register' specified: '%s'", name))
		}
	}
	return t
}

func (p *parser) taskKey(parts *taskParts, on ast.Object, pair yamlv.Pair) {
	t, name := parts.t, pair.Key.Value
	k, isKeyword := ast.Find(name, on)
	switch {
	case pair.Key.Kind != yaml.ScalarNode:
		p.fail(pair.Key, "keyword", "a keyword must be text")
	case name == "action" || name == "local_action":
		if parts.action != nil {
			p.fail(pair.Key, "keyword", "action and local_action cannot be used together")
			return
		}
		parts.action, t.Local = &pair, name == "local_action"
	case name == "args":
		parts.args = pair.Value
	case name == "vars":
		t.Vars = p.vars(pair.Key, pair.Value)
	case name == "loop":
		parts.loop = pair.Value
		parts.with = append(parts.with, pair)
	case name == "loop_control":
		parts.control = pair.Value
	case isKeyword:
		t.Attrs = append(t.Attrs, p.attr(k, pair.Key, pair.Value))
	case strings.HasPrefix(name, "with_"):
		parts.with = append(parts.with, pair)
	default:
		parts.actions = append(parts.actions, pair)
	}
}

// pickAction decides which key is the module, and reads its arguments.
func (p *parser) pickAction(parts *taskParts, n *yaml.Node, on ast.Object, what string) bool {
	if parts.action != nil {
		for _, a := range parts.actions {
			p.unknown(a.Key, on, what)
		}
		return p.actionKey(parts)
	}
	act := parts.actions
	if len(act) > 1 {
		known := slices.DeleteFunc(slices.Clone(act), func(a yamlv.Pair) bool { return !p.isModule(a.Key.Value) })
		switch {
		case len(known) == 1:
			for _, a := range act {
				if a != known[0] {
					p.unknown(a.Key, on, what)
				}
			}
			act = known
		case len(known) > 1:
			d := p.fail(known[1].Key, "keyword", "conflicting modules in one task: %s and %s", known[0].Key.Value, known[1].Key.Value)
			d.Related = append(d.Related, diag.Related{Text: "the other one is at", At: p.Pos(known[0].Key)})
			return false
		default:
			// Typos of keywords first; what then remains is the module.
			rest := slices.DeleteFunc(slices.Clone(act), func(a yamlv.Pair) bool {
				return diag.Closest(a.Key.Value, ast.KeywordNames(on)) != "" || ast.Gone[a.Key.Value] != ""
			})
			if len(rest) != 1 {
				rest = act[:1]
			}
			for _, a := range act {
				if a != rest[0] {
					p.unknown(a.Key, on, what)
				}
			}
			act = rest
		}
	}
	if len(act) == 0 {
		p.fail(n, "keyword", "no module in this task").Hint = "a task needs one key that names a module"
		return false
	}
	key := act[0].Key
	if builtin(key.Value) == "include" {
		// Not of the rule of keywords: it fails an include of the file it stands in, not the run.
		p.fail(key, "file", "The 'ansible.builtin.include' action plugin has been removed. Use include_tasks or import_tasks instead.")
		return false
	}
	if _, gone := ast.Gone[key.Value]; gone {
		p.unknown(key, on, what)
		return false
	}
	parts.t.Action, parts.t.ActionAt = key.Value, p.Pos(key)
	p.arguments(parts, act[0].Value)
	return true
}

// actionKey reads action: and local_action:, text or mapping.
func (p *parser) actionKey(parts *taskParts) bool {
	t, v := parts.t, parts.action.Value
	t.ActionAt = p.Pos(v)
	switch {
	case v.Kind == yaml.ScalarNode && !yamlv.IsNull(v):
		name, rest := cutWord(v.Value)
		t.Action = name
		p.keyValues(parts, v, rest)
	case v.Kind == yaml.MappingNode:
		var others []yamlv.Pair
		for _, pair := range p.Pairs(v) {
			if k := yamlv.Resolve(pair.Key); k.Value == "module" {
				m := yamlv.Resolve(pair.Value)
				t.ActionAt = p.Pos(m)
				name, rest := cutWord(m.Value)
				t.Action = name
				if rest != "" {
					p.keyValues(parts, m, rest)
				}
				continue
			}
			others = append(others, pair)
		}
		for _, pair := range others {
			p.argument(t, yamlv.Resolve(pair.Key), pair.Value)
		}
	}
	if t.Action == "" {
		p.fail(v, "keyword", "%s needs a module, found %s", parts.action.Key.Value, what(v))
		return false
	}
	p.lowerArgs(parts)
	return true
}

// cutWord takes the first word off a text; template braces hold a word together.
func cutWord(s string) (word, rest string) {
	words, err := splitWords(s)
	if err != nil || len(words) == 0 {
		word, rest, _ = strings.Cut(strings.TrimLeft(s, " \t\n"), " ")
		return word, rest
	}
	n := len(words[0].blank) + len(words[0].text)
	return words[0].text, strings.TrimLeft(s[n:], " \t\n")
}

func (p *parser) loop(parts *taskParts) {
	t := parts.t
	for _, w := range parts.with {
		name := strings.TrimPrefix(w.Key.Value, "with_")
		if w.Key.Value == "loop" {
			name = ""
		}
		if t.Loop != nil {
			d := p.fail(w.Key, "keyword", "a task takes one loop; this is the second")
			d.Related = append(d.Related, diag.Related{Text: "the first is at", At: t.Loop.At})
			continue
		}
		if yamlv.IsNull(w.Value) {
			p.fail(w.Key, "keyword", "%s needs a value to loop over", w.Key.Value)
		}
		t.Loop = &ast.Loop{Lookup: name, Expr: p.Value(w.Value), At: p.Pos(w.Key)}
	}
	c := parts.control
	if c == nil {
		return
	}
	if c.Kind != yaml.MappingNode {
		p.fail(c, "keyword", "loop_control must be a mapping, found %s", what(c))
		return
	}
	attrs := p.keywords(c, ast.OnLoopControl, "loop_control", nil, nil)
	if t.Loop != nil {
		t.Loop.Control = attrs
	}
}
