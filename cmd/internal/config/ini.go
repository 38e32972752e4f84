package config

import (
	"slices"
	"strings"

	"fettle/engine/diag"
)

// iniFile is a parsed configuration file.
type iniFile struct {
	sections map[string]map[string]entry
	order    []entry
}

type entry struct {
	section, key, text string
	at                 diag.Pos
}

func (f *iniFile) get(section, key string) (entry, bool) {
	if e, ok := f.sections[section][key]; ok {
		return e, true
	}
	if f.sections[section] == nil {
		return entry{}, false
	}
	e, ok := f.sections["DEFAULT"][key]
	return e, ok
}

// iniParser reads lines: keys without case, = or : between key and value, indented lines
// that go on, # and ; for comments, ; also behind a value after a blank.
type iniParser struct {
	file    *iniFile
	name    string
	diags   *diag.List
	section string
	key     string // that further indented lines belong to
	indent  int
}

func parseINI(name, text string, diags *diag.List) *iniFile {
	p := &iniParser{file: &iniFile{sections: map[string]map[string]entry{}}, name: name, diags: diags}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		p.line(strings.TrimRight(line, "\r"), diag.Pos{File: name, Line: n, Col: 1})
	}
	for _, e := range p.file.order {
		s := p.file.sections[e.section]
		e = s[e.key]
		e.text = strings.TrimRight(e.text, "\n")
		s[e.key] = e
	}
	return p.file
}

func (p *iniParser) line(raw string, at diag.Pos) {
	line := raw
	comment := false
	if t := strings.TrimSpace(raw); strings.HasPrefix(t, "#") || strings.HasPrefix(t, ";") {
		line, comment = "", true
	}
	for i := 0; i < len(line); i++ {
		if line[i] == ';' && i > 0 && (line[i-1] == ' ' || line[i-1] == '\t') {
			line, comment = line[:i], true
			break
		}
	}
	text := strings.TrimSpace(line)
	if text == "" {
		if !comment && p.key != "" {
			p.more("")
		}
		return
	}
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	if p.key != "" && indent > p.indent {
		p.more(text)
		return
	}
	p.indent, at.Col = indent, indent+1
	if strings.HasPrefix(text, "[") && strings.Contains(text, "]") {
		p.open(text[1:strings.Index(text, "]")], at)
		return
	}
	i := strings.IndexAny(text, "=:")
	switch {
	case p.section == "":
		p.diags.Add(diag.Errorf(at, "config", "a setting stands before the first [section]"))
	case i <= 0:
		p.diags.Add(diag.Errorf(at, "config", "expected key = value, found %q", text))
	default:
		p.put(strings.ToLower(strings.TrimSpace(text[:i])), strings.TrimSpace(text[i+1:]), at)
	}
}

func (p *iniParser) open(name string, at diag.Pos) {
	p.section, p.key = name, ""
	if p.file.sections[name] != nil && name != "DEFAULT" {
		p.diags.Add(diag.Errorf(at, "config", "section [%s] is there twice", name))
		return
	}
	p.file.sections[name] = map[string]entry{}
}

func (p *iniParser) put(key, text string, at diag.Pos) {
	p.key = key
	s := p.file.sections[p.section]
	if _, twice := s[key]; twice {
		p.diags.Add(diag.Errorf(at, "config", "%q is set twice in [%s]", key, p.section))
		return
	}
	e := entry{p.section, key, text, at}
	s[key] = e
	p.file.order = append(p.file.order, e)
}

func (p *iniParser) more(text string) {
	e := p.file.sections[p.section][p.key]
	e.text += "\n" + text
	p.file.sections[p.section][p.key] = e
}

// unknown warns about keys that no setting has, in the sections whose keys are all known.
func (c *Config) unknown(file *iniFile, diags *diag.List) {
	if file == nil {
		return
	}
	known := map[string][]string{}
	for _, s := range c.settings {
		for _, k := range s.INI {
			section, key, _ := strings.Cut(k, ".")
			known[section] = append(known[section], key)
		}
	}
	for _, e := range file.order {
		keys, ok := known[e.section]
		if !ok || e.section != "defaults" && e.section != "privilege_escalation" && e.section != "ssh_connection" && e.section != "inventory" {
			continue
		}
		if contains(keys, e.key) {
			continue
		}
		d := diag.Warnf(e.at, "config", "[%s] has no setting %q", e.section, e.key)
		d.Width, d.Hint = len(e.key), diag.DidYouMean(e.key, keys)
		diags.Add(d)
	}
}

func contains(keys []string, key string) bool {
	for _, k := range keys {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}

// UnknownKeys are the keys of the file, as section.key, that no setting has.
func (c *Config) UnknownKeys() []string {
	var out []string
	if c.ini == nil {
		return nil
	}
	for _, e := range c.ini.order {
		name := e.section + "." + e.key
		if !slices.ContainsFunc(c.settings, func(s *Setting) bool { return contains(s.INI, name) }) {
			out = append(out, name)
		}
	}
	return out
}

// KnownEnv tells whether an environment variable belongs to a setting or chooses the file.
func (c *Config) KnownEnv(name string) bool {
	return name == "ANSIBLE_CONFIG" || slices.ContainsFunc(c.settings, func(s *Setting) bool { return slices.Contains(s.Env, name) })
}
