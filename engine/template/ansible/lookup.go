package ansible

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
)

// lookup is a plugin with its options bound.
type lookup func(c *template.Context, terms []value.Value, o options) ([]value.Value, error)

// options are a lookup's keyword arguments.
type options struct {
	c   *template.Context
	all map[string]value.Value
}

// registered are the options of all lookups.
var registered = map[string][]string{}

// register adds a lookup that takes the named options. Those behind an exclamation mark are
// refused, since they are Ansible's and not here; others are warned about, as they have no effect.
func register(name, names string, f lookup) {
	known := strings.Fields(names)
	registered[name] = known
	template.RegisterLookup(name, func(c *template.Context, terms []value.Value, kw []value.Keyword) ([]value.Value, error) {
		o := options{c: c, all: map[string]value.Value{}}
		for _, k := range kw {
			if slices.Contains(known, "!"+k.Name) && k.Value != nil {
				return nil, fmt.Errorf("the option %q is not supported", k.Name)
			}
			if !slices.Contains(known, k.Name) {
				c.Warnf(diag.Pos{}, "lookup", "lookup %s has no option %q", name, k.Name)
			}
			o.all[k.Name] = k.Value
		}
		return f(c, terms, o)
	})
}

func (o options) has(name string) bool { return o.all[name] != nil }

func (o options) text(name, dflt string) string {
	if v := o.all[name]; v != nil {
		return text(v)
	}
	return dflt
}

func (o options) bool(name string, dflt bool) bool {
	v, ok := o.all[name]
	if !ok {
		return dflt
	}
	if isText(v) {
		b, ok := yesNo(text(v))
		return ok && b
	}
	return isTrue(v)
}

func (o options) int(name string, dflt int64) (int64, error) {
	if v, ok := o.all[name]; ok && v != nil {
		n, err := integer(v)
		if err != nil {
			return 0, fmt.Errorf("option %s: %w", name, err)
		}
		return n, nil
	}
	return dflt, nil
}

// strings reads a list, or a text separated by commas.
func (o options) strings(name string) ([]string, error) {
	v, ok := o.all[name]
	if !ok || v == nil {
		return nil, nil
	}
	var out []string
	if isText(v) {
		for s := range strings.SplitSeq(text(v), ",") {
			out = append(out, strings.TrimSpace(s))
		}
		return out, nil
	}
	vs, err := value.Iterate(v)
	for _, e := range vs {
		out = append(out, text(e))
	}
	return out, err
}

// assignments splits "name=value name2='a b'" at blanks, keeping quotes together.
func assignments(s string) []string {
	var out []string
	var word strings.Builder
	quote := byte(0)
	for i := range len(s) {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
			continue
		}
		if quote != 0 && c == quote || c == '"' || c == '\'' {
			continue
		}
		word.WriteByte(c)
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// inline takes "key=value" words of a term into the options and returns the other words.
func (o options) inline(term string, names string) (rest string, own options) {
	own = options{c: o.c, all: maps.Clone(o.all)}
	known := strings.Fields(names)
	var words []string
	for _, w := range assignments(term) {
		k, v, ok := strings.Cut(w, "=")
		if ok && slices.Contains(known, k) {
			own.all[k] = v
			continue
		}
		words = append(words, w)
	}
	return strings.Join(words, " "), own
}

// quotedWords splits a term at blanks outside of quotes, which stay.
func quotedWords(s string) []string {
	var out []string
	quote, from := byte(0), -1
	for i := range len(s) {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote && s[i-1] != '\\' {
				quote = 0
			}
		case c == ' ' || c == '\t' || c == '\n':
			if from >= 0 {
				out, from = append(out, s[from:i]), -1
			}
			continue
		case (c == '"' || c == '\'') && (i == 0 || s[i-1] != '\\'):
			quote = c
		}
		if from < 0 {
			from = i
		}
	}
	if from >= 0 {
		out = append(out, s[from:])
	}
	return out
}

// strict is inline for lookups that know no other options, and whose text keeps its quotes.
func (o options) strict(term, names string) (rest string, own options, err error) {
	own = options{c: o.c, all: maps.Clone(o.all)}
	var left []string
	for _, w := range quotedWords(term) {
		k, v, ok := strings.Cut(w, "=")
		if !ok || strings.HasSuffix(k, `\`) {
			left = append(left, strings.ReplaceAll(w, `\=`, "="))
			continue
		}
		if !slices.Contains(strings.Fields(names), k) {
			return "", own, fmt.Errorf("'%s' is not a valid option", k)
		}
		if n := len(v); n > 1 && (v[0] == '"' || v[0] == '\'') && v[n-1] == v[0] {
			v = v[1 : n-1]
		}
		own.all[k] = v
	}
	return strings.Join(left, " "), own, nil
}

// searchPath lists the directories in which files of a play are looked for, best first.
func searchPath(c *template.Context) []string {
	v, err := c.Var("ansible_search_path")
	if l, ok := v.(*value.List); ok && err == nil {
		var out []string
		for _, p := range l.Items() {
			out = append(out, text(p))
		}
		return out
	}
	return c.Search()
}

// missingFile is the error of a file that is nowhere on the search path.
type missingFile struct{ name string }

func (e *missingFile) Error() string {
	return fmt.Sprintf("Unable to access the file '%s': File not found.", e.name)
}
func (e *missingFile) Is(target error) bool { return target == fs.ErrNotExist }

// findFile finds name below kind (files, templates, vars) of the search path.
func findFile(c *template.Context, kind, name string) (string, error) {
	name = expandUser(name)
	for _, p := range candidates(c, kind, name) {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", &missingFile{name}
}

func candidates(c *template.Context, kind, name string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	var out []string
	dirs := append(slices.Clone(searchPath(c)), ".")
	for _, dir := range dirs {
		if filepath.Base(dir) == "tasks" {
			out = append(out, filepath.Join(filepath.Dir(dir), kind, name))
		}
		out = append(out, filepath.Join(dir, kind, name), filepath.Join(dir, name))
	}
	return out
}

// readText reads a file of the play; a vault file is decrypted and then secret.
func readText(c *template.Context, kind, name string) (value.Value, error) {
	p, err := findFile(c, kind, name)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(raw), "$ANSIBLE_VAULT;") {
		return c.Resolve(&value.Encrypted{Text: string(raw), At: diag.Pos{File: p, Line: 1, Col: 1}})
	}
	return string(raw), nil
}

// mapText applies f to a text that may be secret.
func mapText(v value.Value, f func(string) value.Value) value.Value {
	if s, ok := v.(*value.Secret); ok {
		return value.Mark(f(text(s.V)), true)
	}
	return f(text(v))
}

// decoded reads a file's bytes in the encoding the options name.
func decoded(src value.Value, o options) (value.Value, error) {
	var fail error
	v := mapText(src, func(s string) value.Value {
		out, err := decodeText([]byte(s), o.text("encoding", "utf-8"))
		fail = err
		return out
	})
	return v, fail
}

// needText refuses terms that are no text.
func needText(v value.Value, what string) (string, error) {
	if !isText(v) {
		return "", fmt.Errorf("Invalid %s, \"%s\" is not a string, it is a %s", what, text(v), value.TypeName(v))
	}
	return text(v), nil
}
