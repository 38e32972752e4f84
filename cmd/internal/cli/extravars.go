package cli

import (
	"fmt"
	"os"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/playbooks/yamlv"
)

// extraVars reads the values of -e in order; later ones win. Each is @FILE, YAML or JSON
// text, or key=value words.
// merge is hash_behaviour=merge: dictionaries of several -e are merged at every level.
func extraVars(args []string, merge bool, decrypt func(file string, text []byte) ([]byte, error)) (*value.Vars, error) {
	out := &value.Vars{}
	for _, a := range args {
		one := &value.Vars{}
		if err := addExtra(one, strings.TrimSpace(a), decrypt); err != nil {
			return nil, err
		}
		for name, v := range one.All() {
			if old, ok := out.Get(name); ok && merge {
				v.Value = vars.MergeDicts(old.Value, v.Value)
			}
			out.Set(name, v.Value, v.At)
		}
	}
	return out, nil
}

func addExtra(out *value.Vars, a string, decrypt func(string, []byte) ([]byte, error)) error {
	switch {
	case a == "":
		return nil
	case strings.HasPrefix(a, "@"):
		file := expandHome(a[1:])
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("cannot read the variables file %q: %w", a[1:], err)
		}
		vaulted := false
		if decrypt != nil && strings.HasPrefix(string(text), "$ANSIBLE_VAULT") {
			if text, err = decrypt(file, text); err != nil {
				return err
			}
			vaulted = true
		}
		return addYAML(out, file, text, vaulted)
	case a[0] == '{' || a[0] == '[' || a[0] == '/' || a[0] == '.':
		if a[0] == '/' || a[0] == '.' {
			return withCode(exitOptions, fmt.Errorf("please prepend extra vars filename %q with '@'", a))
		}
		return addYAML(out, "command line", []byte(a), false)
	}
	for _, word := range splitWords(a) {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			continue // as in Ansible, silently
		}
		out.Set(k, yamlv.Text(unquote(v), diag.Pos{File: "command line"}), diag.Pos{File: "command line"})
	}
	return nil
}

func addYAML(out *value.Vars, file string, text []byte, vaulted bool) error {
	diags := &diag.List{}
	n, err := yamlv.ParseOne(file, text)
	if err != nil && vaulted {
		return fmt.Errorf("cannot read the decrypted text of %s as YAML", file)
	}
	if err != nil || n == nil {
		return err
	}
	r := yamlv.NewReader(file, diags)
	r.Secret = vaulted
	v := r.Value(n)
	if err := diags.Err(); err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	d, ok := v.(*value.Dict)
	if !ok && vaulted {
		return fmt.Errorf("%s holds no dictionary of variables", file)
	}
	if !ok {
		return withCode(exitOptions, fmt.Errorf("invalid extra vars data supplied: %s could not be made into a dictionary", quoteShort(string(text))))
	}
	for _, e := range d.Entries() {
		out.Set(value.Str(e.Key), e.Value, diag.Pos{File: file})
	}
	return nil
}

func quoteShort(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// splitWords splits at blanks outside quotes and template braces; quotes stay.
func splitWords(s string) []string {
	var out []string
	var word strings.Builder
	quote, depth := byte(0), 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote && s[i-1] != '\\' {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.HasPrefix(s[i:], "{{"):
			depth++
		case strings.HasPrefix(s[i:], "}}") && depth > 0:
			depth--
		case (c == ' ' || c == '\t' || c == '\n') && depth == 0:
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteByte(c)
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return strings.ReplaceAll(s[1:len(s)-1], `\`+string(s[0]), string(s[0]))
	}
	return s
}

// expandHome expands a leading ~.
func expandHome(p string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return home + p[1:]
		}
	}
	return p
}
