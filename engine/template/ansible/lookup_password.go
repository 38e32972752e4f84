package ansible

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	register("password", passwordOptions, lookupPassword)
	register("ini", "type file section re encoding default case_sensitive allow_no_value allow_none interpolation", lookupINI)
}

const passwordOptions = "length encrypt ident chars seed"

// charClasses are the names Python's string module gives to sets of characters.
var charClasses = map[string]string{
	"ascii_lowercase": "abcdefghijklmnopqrstuvwxyz",
	"ascii_uppercase": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
	"ascii_letters":   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
	"digits":          "0123456789",
	"hexdigits":       "0123456789abcdefABCDEF",
	"octdigits":       "01234567",
	"punctuation":     "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
	"whitespace":      " \t\n\r\v\f",
	"printable":       "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\r\v\f",
}

// passwordParams are the parameters of one password.
type passwordParams struct {
	length         int
	encrypt, ident string
	chars          string
	seed           value.Value
}

func lookupPassword(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		path, own := o.inline(text(t), passwordOptions)
		if name, ok := unknownParameter(path); ok {
			return nil, fmt.Errorf("Unrecognized parameter(s) given to password lookup: %s", name)
		}
		if chars, err := o.strings("chars"); err != nil {
			return nil, err
		} else if len(chars) > 0 && isText(o.all["chars"]) { // ",," is special inside the term only
			own.all["chars"] = texts(chars)
		}
		p, err := passwordParamsOf(own)
		if err != nil {
			return nil, err
		}
		pw, err := p.password(c, path)
		if err != nil {
			return nil, err
		}
		out = append(out, value.Mark(pw, true))
	}
	return out, nil
}

// unknownParameter is the name in front of a "=" behind the first word.
func unknownParameter(path string) (string, bool) {
	for i, w := range strings.Fields(path) {
		if name, _, ok := strings.Cut(w, "="); ok && i > 0 {
			return name, true
		}
	}
	return "", false
}

func passwordParamsOf(o options) (p passwordParams, err error) {
	n, err := o.int("length", 20)
	if err != nil || n < 0 || n > 1<<20 {
		return p, errors.Join(err, fmt.Errorf("the length of a password must be between 0 and %d", 1<<20))
	}
	p.length, p.encrypt, p.ident, p.seed = int(n), o.text("encrypt", ""), o.text("ident", ""), o.all["seed"]
	if p.seed != nil {
		p.seed = text(p.seed)
	}
	chars, err := passwordChars(o.all["chars"])
	if err != nil {
		return p, err
	}
	var b strings.Builder
	for _, class := range chars {
		if set, ok := charClasses[class]; ok {
			b.WriteString(set)
		} else {
			b.WriteString(class)
		}
	}
	p.chars = strings.NewReplacer(`"`, "", "'", "").Replace(b.String())
	return p, nil
}

// passwordChars reads the option chars: ",," stands for a comma.
func passwordChars(v value.Value) ([]string, error) {
	switch x := v.(type) {
	case nil:
		return []string{"ascii_letters", "digits", ".,:-_"}, nil
	case string, value.Text, value.Markup:
		s := text(x)
		var out []string
		if strings.Contains(s, ",,") {
			out = append(out, ",")
			s = strings.ReplaceAll(s, ",,", ",")
		}
		for part := range strings.SplitSeq(s, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
		return out, nil
	}
	return (options{all: map[string]value.Value{"chars": v}}).strings("chars")
}

func (p passwordParams) random() (string, error) {
	r, err := newRandom(p.seed)
	if err != nil {
		return "", err
	}
	set := []rune(p.chars)
	if len(set) == 0 {
		return "", errors.New("the set of characters for a password is empty")
	}
	out := make([]rune, p.length)
	for i := range out {
		out[i] = set[below(r, int64(len(set)))]
	}
	return string(out), nil
}

// password reads the password kept in a file, or makes one and keeps it there.
func (p passwordParams) password(c *template.Context, path string) (string, error) {
	keep := path != "/dev/null" && path != ""
	if keep && !filepath.IsAbs(path) {
		path = passwordPath(c, path)
	}
	var content string
	if keep {
		unlock, err := lockFile(path)
		if err != nil {
			return "", err
		}
		defer unlock()
		raw, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return "", err
		}
		content = strings.TrimRightFunc(string(raw), value.IsSpace)
	}
	plain, salt, ident := parsePasswordFile(content)
	changed := false
	if content == "" {
		var err error
		if plain, err = p.random(); err != nil {
			return "", err
		}
		changed = true
	}
	if p.encrypt != "" && salt == "" {
		salt = randomSalt(saltSizeFor(p.encrypt))
		changed = true
	}
	if p.encrypt != "" && ident == "" && p.ident != "" {
		ident, changed = p.ident, true
	}
	if keep && changed {
		if err := writePassword(path, plain, salt, ident); err != nil {
			return "", err
		}
	}
	if p.encrypt == "" {
		return plain, nil
	}
	return cryptPassword(plain, p.encrypt, salt, 0, 0, ident)
}

func saltSizeFor(kind string) int {
	if full, ok := schemeNames[kind]; ok {
		kind = full
	}
	if kind == "bcrypt" {
		return 22
	}
	return 8
}

// passwordPath is relative to the play's directory.
func passwordPath(c *template.Context, path string) string {
	dirs := searchPath(c)
	if len(dirs) == 0 {
		return absPath(path)
	}
	return joinPath(dirs[len(dirs)-1], path)
}

func parsePasswordFile(content string) (plain, salt, ident string) {
	plain, rest, ok := strings.Cut(content, " salt=")
	if !ok {
		return content, "", ""
	}
	salt, ident, _ = strings.Cut(rest, " ident=")
	return plain, salt, ident
}

func writePassword(path, plain, salt, ident string) error {
	line := plain
	if salt != "" {
		line += " salt=" + salt
	}
	if ident != "" {
		line += " ident=" + ident
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".password-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(line + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// lockFile keeps other processes and hosts from making the same password at once.
func lockFile(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return func() { _ = dir.Close() }, nil
}

const iniOptions = "type file section re encoding default case_sensitive allow_no_value allow_none interpolation"

func lookupINI(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		if !isText(t) {
			return nil, fmt.Errorf("the name of an option is text, not %s", value.TypeName(t))
		}
		key, own := o.inline(text(t), iniOptions)
		if name, _, bad := strings.Cut(key, "="); bad {
			return nil, fmt.Errorf("'%s' is not a valid option", name)
		}
		if key == "" && strings.Contains(text(t), "=") {
			return nil, fmt.Errorf("No key to lookup was provided as first term with in string inline options: %s", text(t)) //nolint:staticcheck // Ansible's words
		}
		src, err := readText(c, "files", own.text("file", "ansible.ini"))
		if err != nil {
			return nil, err
		}
		if src, err = decoded(src, own); err != nil {
			return nil, err
		}
		secret, hidden := src.(*value.Secret)
		if hidden {
			src = secret.V
		}
		vs, err := iniValues(text(src), key, own)
		var twice *duplicateOption
		if errors.As(err, &twice) {
			err = fmt.Errorf("Duplicate option in '%s': %w", own.text("file", "ansible.ini"), err) //nolint:staticcheck // Ansible's words
		}
		if err != nil {
			return nil, err
		}
		for _, v := range vs {
			if v != nil {
				out = append(out, value.Mark(v, hidden))
			}
		}
	}
	return out, nil
}

func iniValues(src, key string, o options) ([]value.Value, error) {
	section := o.text("section", "global")
	if o.text("type", "ini") == "properties" {
		section = "java_properties"
		src = "[java_properties]\n" + src
	}
	f, err := parseINI(src, o.bool("case_sensitive", false), o.bool("allow_none", o.bool("allow_no_value", false)))
	if err != nil {
		return nil, err
	}
	f.interpolate = o.bool("interpolation", true)
	if o.bool("re", false) {
		return f.matching(section, key)
	}
	if f.sections[section] == nil && section != "DEFAULT" {
		return nil, fmt.Errorf("No section: %s", value.Repr(section)) //nolint:staticcheck // Python's words
	}
	v, ok, err := f.get(section, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		dflt, has := o.all["default"]
		if !has {
			dflt = ""
		}
		return items(dflt)
	}
	return []value.Value{v}, nil
}
