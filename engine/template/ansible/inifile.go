package ansible

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/value"
)

// iniFile is a file as Python's configparser reads it.
type iniFile struct {
	sections    map[string]*value.Dict
	order       []string
	keepCase    bool
	interpolate bool
}

func parseINI(src string, keepCase, allowNoValue bool) (*iniFile, error) {
	f := &iniFile{sections: map[string]*value.Dict{}, keepCase: keepCase}
	var section *value.Dict
	var key string
	indent := 0
	var lines []string
	flush := func() {
		if key != "" && lines != nil {
			section.SetString(key, strings.TrimRight(strings.Join(lines, "\n"), " \t\n"))
		}
		lines = nil
	}
	for n, raw := range strings.Split(strings.ReplaceAll(src, "\r\n", "\n"), "\n") {
		line := strings.TrimSpace(raw)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if line == "" {
			if lines != nil {
				lines = append(lines, "")
			}
			continue
		}
		depth := len(raw) - len(strings.TrimLeft(raw, " \t"))
		if section != nil && key != "" && depth > indent {
			lines = append(lines, line)
			continue
		}
		indent = depth
		if section != nil {
			flush()
		}
		if name, ok := sectionName(line); ok {
			section, key = f.section(name), ""
			continue
		}
		if section == nil {
			return nil, fmt.Errorf("file contains no section headers: line %d: %q", n+1, line)
		}
		k, v, ok := cutOption(line)
		if !ok && !allowNoValue {
			return nil, fmt.Errorf("source contains parsing errors: line %d: %q", n+1, line)
		}
		key = f.fold(k)
		if _, twice := section.GetString(key); twice {
			return nil, &duplicateOption{fmt.Sprintf("option '%s' in section '%s' already exists [line %2d]", key, f.order[len(f.order)-1], n+1)}
		}
		if !ok {
			section.SetString(key, nil)
			continue
		}
		lines = []string{v}
	}
	if section != nil {
		flush()
	}
	return f, nil
}

// duplicateOption says that an option stands twice in a section.
type duplicateOption struct{ msg string }

func (e *duplicateOption) Error() string { return e.msg }

func sectionName(line string) (string, bool) {
	if !strings.HasPrefix(line, "[") {
		return "", false
	}
	i := strings.LastIndexByte(line, ']')
	return line[1:max(i, 1)], i > 1
}

func cutOption(line string) (key, val string, ok bool) {
	i := strings.IndexAny(line, "=:")
	if i < 0 {
		return line, "", false
	}
	return strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:]), true
}

func (f *iniFile) fold(key string) string {
	if f.keepCase {
		return key
	}
	return strings.ToLower(key)
}

func (f *iniFile) section(name string) *value.Dict {
	if f.sections[name] == nil {
		f.sections[name] = value.NewDict(4)
		f.order = append(f.order, name)
	}
	return f.sections[name]
}

func (f *iniFile) raw(section, key string) (value.Value, bool) {
	if v, ok := f.sections[section].GetString(f.fold(key)); ok {
		return v, true
	}
	return f.sections["DEFAULT"].GetString(f.fold(key))
}

func (f *iniFile) get(section, key string) (value.Value, bool, error) {
	v, ok := f.raw(section, key)
	s, isString := v.(string)
	if !ok || !isString || !f.interpolate {
		return v, ok, nil
	}
	out, err := f.expand(section, s, 0)
	return out, true, err
}

var reference = pyre.MustCompile(`%(?:%|\(([^)]+)\)s|)`, 0)

// expand replaces %(name)s.
func (f *iniFile) expand(section, s string, depth int) (string, error) {
	if depth > 10 {
		return "", errors.New("value interpolation too deeply recursive")
	}
	var fail error
	out, _, err := reference.SubFunc(func(m *pyre.Match) string {
		name, named := m.Group(1)
		switch {
		case m.Text(0) == "%%":
			return "%"
		case !named:
			fail = fmt.Errorf("'%%' must be followed by '%%' or '(', found: %q", s)
			return ""
		}
		v, ok := f.raw(section, name)
		if !ok {
			fail = fmt.Errorf("bad value substitution: %q is not there", name)
			return ""
		}
		inner, err := f.expand(section, text(v), depth+1)
		if err != nil {
			fail = err
		}
		return inner
	}, s, 0)
	return out, errors.Join(fail, err)
}

// matching gives the values of all options whose names match a pattern.
func (f *iniFile) matching(section, pattern string) ([]value.Value, error) {
	re, err := pyre.Cached(pattern, 0)
	if err != nil {
		return nil, err
	}
	out := []value.Value{}
	for _, e := range append(slices.Clone(f.sections["DEFAULT"].Entries()), f.sections[section].Entries()...) {
		m, err := re.Match(text(e.Key))
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		v, _, err := f.get(section, text(e.Key))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
