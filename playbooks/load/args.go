package load

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/ast"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

// commandModules take their text as it is; only commandOptions are taken out of it.
var (
	commandModules = []string{"command", "shell", "raw", "script", "win_command", "win_shell"}
	commandOptions = []string{"creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends"}
	// textModules also take text that is no key=value.
	textModules = []string{"include_vars", "include_tasks", "include_role", "import_tasks", "import_role", "add_host", "group_by", "set_fact", "meta"}
)

// builtin is the short name of a module of ansible.builtin, or the name itself.
func builtin(name string) string {
	for _, prefix := range []string{"ansible.builtin.", "ansible.legacy.", "ansible.windows."} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

// arguments reads what stands behind the module's name.
func (p *parser) arguments(parts *taskParts, v *yaml.Node) {
	t := parts.t
	switch {
	case yamlv.IsNull(v):
	case v.Kind == yaml.MappingNode:
		for _, pair := range p.Pairs(v) {
			p.argument(t, yamlv.Resolve(pair.Key), pair.Value)
		}
	case v.Kind == yaml.ScalarNode && v.Tag != "!!binary":
		p.keyValues(parts, v, v.Value)
	default:
		p.fail(v, "syntax", "the arguments of %s must be a mapping or text, found %s", t.Action, what(v))
	}
	p.lowerArgs(parts)
}

func (p *parser) argument(t *ast.Task, key, v *yaml.Node) {
	if key.Kind != yaml.ScalarNode {
		p.fail(key, "args", "the name of an option must be text")
		return
	}
	p.set(t, key.Value, p.Value(v), p.Pos(key))
}

func (p *parser) set(t *ast.Task, name string, v value.Value, at diag.Pos) {
	t.Args.SetString(name, v)
	if t.ArgsAt == nil {
		t.ArgsAt = make(map[string]diag.Pos, 4)
	}
	t.ArgsAt[name] = at
}

// lowerArgs adds the args keyword, whose options give way to those of the module's own.
func (p *parser) lowerArgs(parts *taskParts) {
	t, n := parts.t, parts.args
	switch {
	case n == nil || yamlv.IsNull(n):
	case n.Kind == yaml.MappingNode:
		for _, pair := range p.Pairs(n) {
			key := yamlv.Resolve(pair.Key)
			if _, given := t.Args.GetString(key.Value); !given {
				p.argument(t, key, pair.Value)
			}
		}
	case n.Kind == yaml.ScalarNode && yamlv.HasTemplate(n.Value):
		if t.ArgsExpr == nil {
			t.ArgsExpr = p.Value(n)
		}
	case n.Kind == yaml.ScalarNode:
		for _, kv := range p.pairsOf(n, n.Value) {
			if _, given := t.Args.GetString(kv.key); !given {
				p.set(t, kv.key, yamlv.Text(kv.value, p.Pos(n)), p.Pos(n))
			}
		}
	default:
		p.fail(n, "args", "args must be a mapping, found %s", what(n))
	}
}

type keyValue struct{ key, value string }

func (p *parser) pairsOf(n *yaml.Node, text string) []keyValue {
	kvs, raw, err := splitKeyValues(text, nil)
	if err == nil && raw != "" {
		err = fmt.Errorf("expected key=value, found %q", shorten(raw))
	}
	if err != nil {
		p.fail(n, "syntax", "%v", err)
		return nil
	}
	return kvs
}

// keyValues reads text behind a module's name: key=value pairs, or the module's free text.
func (p *parser) keyValues(parts *taskParts, n *yaml.Node, text string) {
	t, at := parts.t, p.Pos(n)
	name := builtin(t.Action)
	isCommand := slices.Contains(commandModules, name)
	only := []string(nil)
	if isCommand {
		only = commandOptions
	}
	kvs, raw, err := splitKeyValues(text, only)
	if err != nil {
		p.fail(n, "syntax", "%v", err)
		return
	}
	str := func(s string) value.Value {
		if p.Untrusted || n.Tag == "!unsafe" {
			return s
		}
		return yamlv.Text(s, at)
	}
	for _, kv := range kvs {
		p.set(t, kv.key, str(kv.value), at)
	}
	switch {
	case raw == "":
	case !isCommand && !slices.Contains(textModules, name) && yamlv.HasTemplate(raw):
		t.ArgsExpr = str(raw)
	default: // of other modules a failure of the task
		p.set(t, "_raw_params", str(raw), at)
	}
}

// splitKeyValues splits text into key=value pairs and the free text around them. With
// only, other keys are part of the text.
func splitKeyValues(text string, only []string) (kvs []keyValue, raw string, err error) {
	words, err := splitWords(text)
	if err != nil {
		return nil, "", err
	}
	var rest strings.Builder
	blank, removed := "", false // the blanks before a run of options that are taken out
	for _, w := range words {
		key, val, plain, isPair := cutPair(w.text)
		if isPair && (only == nil || slices.Contains(only, key)) {
			kvs = append(kvs, keyValue{strings.TrimSpace(key), unquote(strings.TrimSpace(val))})
			if !removed {
				blank, removed = w.blank, true
			}
			continue
		}
		if !removed {
			blank = w.blank
		}
		if rest.Len() > 0 {
			rest.WriteString(blank)
		}
		rest.WriteString(plain)
		removed = false
	}
	switch {
	case rest.Len() == 0:
	case !removed:
		rest.WriteString(trailing(text))
	case blank != "":
		rest.WriteString(blank[:len(blank)-1])
	}
	return kvs, rest.String(), nil
}

func trailing(s string) string { return s[len(strings.TrimRight(s, " \t\r\n")):] }

// cutPair splits key=value; plain is the word as free text has it, where \= stands for =.
func cutPair(w string) (key, val, plain string, ok bool) {
	if !strings.Contains(w, "=") {
		return "", "", w, false
	}
	d := unescape(w)
	for i := 1; i < len(d); i++ {
		if d[i] == '=' && d[i-1] != '\\' {
			return d[:i], d[i+1:], w, true
		}
	}
	if d[0] == '=' {
		return "", "", w, false
	}
	return "", "", strings.ReplaceAll(d, `\=`, "="), false
}

func unquote(s string) string {
	if n := len(s); n > 1 && (s[0] == '"' || s[0] == '\'') && s[0] == s[n-1] && s[n-2] != '\\' {
		return s[1 : n-1]
	}
	return s
}

// word is a word with the blanks before it.
type word struct{ blank, text string }

// splitWords splits at blanks outside of quotes and template braces. A lone backslash at
// the end of a line joins it with the next.
func splitWords(s string) ([]word, error) {
	var out []word
	var quote byte
	depth := map[byte]int{}
	blankFrom, from, carry := 0, -1, ""
	end := func(i int) {
		if from >= 0 {
			w := word{carry + s[blankFrom:from], s[from:i]}
			carry = ""
			if w.text == `\` && i < len(s) && s[i] == '\n' {
				blankFrom, from, carry = i+1, -1, w.blank
				return
			}
			out = append(out, w)
			blankFrom, from = i, -1
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		inside := quote != 0 || depth['{'] > 0 || depth['%'] > 0 || depth['#'] > 0
		if !inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			end(i)
			continue
		}
		if from < 0 {
			from = i
		}
		switch {
		case (c == '"' || c == '\'') && (i == 0 || s[i-1] != '\\'):
			if quote == 0 {
				quote = c
			} else if quote == c {
				quote = 0
			}
		case c == '{' && i+1 < len(s) && strings.IndexByte("{%#", s[i+1]) >= 0:
			depth[s[i+1]]++
			i++
		case i+1 < len(s) && s[i+1] == '}' && (c == '}' && depth['{'] > 0 || c == '%' && depth['%'] > 0 || c == '#' && depth['#'] > 0):
			if c == '}' {
				c = '{'
			}
			depth[c]--
			i++
		}
	}
	if quote != 0 || depth['{'] > 0 || depth['%'] > 0 || depth['#'] > 0 {
		return nil, fmt.Errorf("unbalanced quotes or template braces in %q", shorten(s))
	}
	end(len(s))
	return out, nil
}
