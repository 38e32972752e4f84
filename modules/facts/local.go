package facts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

// local reads the facts that people put on the host: *.fact files with JSON or INI, or
// programs that print these.
func (g *gatherer) local(ctx context.Context) *value.Dict {
	facts := value.NewDict(4)
	dir := g.root + g.factPath
	for _, name := range g.entries(g.factPath) {
		base, ok := strings.CutSuffix(name, ".fact")
		if !ok || strings.HasPrefix(name, ".") || g.factPath == "" {
			continue
		}
		file := filepath.Join(dir, name)
		text, err := g.factText(ctx, file)
		if err != nil {
			g.warn(err.Error())
			facts.SetString(base, err.Error())
			continue
		}
		facts.SetString(base, g.parseFact(file, text))
	}
	return value.DictOf("local", facts)
}

func (g *gatherer) factText(ctx context.Context, file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("Could not stat fact (%s): %v", file, err)
	}
	if st.Mode()&0o100 == 0 {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read the fact file %s: %v", file, err)
		}
		return b, nil
	}
	res, err := g.h.Run(ctx, modules.Command{Argv: []string{file}})
	if err != nil {
		return nil, fmt.Errorf("Could not execute fact script (%s): %v", file, err)
	}
	if res.RC != 0 {
		return nil, fmt.Errorf("Failure executing fact script (%s), rc: %d, err: %s", file, res.RC, res.Stderr)
	}
	return res.Stdout, nil
}

func (g *gatherer) parseFact(file string, text []byte) value.Value {
	if v, err := value.FromJSON(text); err == nil {
		return v
	}
	d, err := parseFactINI(string(text))
	if err != nil {
		msg := "error loading facts as JSON or ini - please check content: " + file
		var bad *interpolationError
		if errors.As(err, &bad) {
			msg = fmt.Sprintf("error loading facts as ini - please check content: %s (%s)", file, bad.text)
		}
		g.warn(msg)
		return msg
	}
	return d
}

// parseFactINI reads sections of key = value or key: value lines; further lines of a value
// are indented; [DEFAULT] counts for all sections; %(key)s stands for another value.
func parseFactINI(text string) (*value.Dict, error) {
	p := &factParser{sections: value.NewDict(2), defaults: value.NewDict(0)}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if err := p.line(strings.TrimRight(line, "\r")); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return p.result()
}

type factParser struct {
	sections, defaults *value.Dict
	current            *value.Dict
	key                string
	indent             int
}

func (p *factParser) line(raw string) error {
	text := strings.TrimSpace(raw)
	if text == "" || text[0] == '#' || text[0] == ';' {
		return nil
	}
	indent := len(raw) - len(strings.TrimLeft(raw, " \t"))
	if p.current != nil && p.key != "" && indent > p.indent {
		old, _ := p.current.GetString(p.key)
		p.current.SetString(p.key, old.(string)+"\n"+text)
		return nil
	}
	p.indent = indent
	if end := strings.LastIndexByte(text, ']'); text[0] == '[' && end > 1 {
		return p.section(text[1:end])
	}
	i := strings.IndexAny(text, "=:")
	if p.current == nil || i <= 0 {
		return fmt.Errorf("expected [section] or key = value, found %q", text)
	}
	key := strings.ToLower(strings.TrimSpace(text[:i]))
	if _, twice := p.current.GetString(key); twice {
		return fmt.Errorf("%q is set twice", key)
	}
	p.key = key
	p.current.SetString(key, strings.TrimSpace(text[i+1:]))
	return nil
}

func (p *factParser) section(name string) error {
	p.key = ""
	if name == "DEFAULT" {
		p.current = p.defaults
		return nil
	}
	if _, twice := p.sections.GetString(name); twice {
		return fmt.Errorf("section [%s] is there twice", name)
	}
	p.current = value.NewDict(4)
	p.sections.SetString(name, p.current)
	return nil
}

func (p *factParser) result() (*value.Dict, error) {
	for _, s := range p.sections.Entries() {
		own := s.Value.(*value.Dict)
		for _, e := range p.defaults.Entries() {
			if _, has := own.GetString(e.Key.(string)); !has {
				own.SetString(e.Key.(string), e.Value)
			}
		}
		final := value.NewDict(own.Len())
		for _, e := range own.Entries() {
			v, err := interpolate(own, s.Key.(string), e.Key.(string), e.Value.(string), 0)
			if err != nil {
				return nil, err
			}
			final.SetString(e.Key.(string), v)
		}
		p.sections.SetString(s.Key.(string), final)
	}
	return p.sections, nil
}

const maxInterpolation = 10

// interpolationError is a value that cannot be completed; its text is Python's.
type interpolationError struct{ text string }

func (e *interpolationError) Error() string { return e.text }

func interpolate(section *value.Dict, name, option, s string, depth int) (string, error) {
	raw := s
	if depth > maxInterpolation {
		return "", fmt.Errorf("values refer to each other in a circle")
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i:]
		if strings.HasPrefix(s, "%%") {
			b.WriteByte('%')
			s = s[2:]
			continue
		}
		end := strings.Index(s, ")s")
		if !strings.HasPrefix(s, "%(") || end < 0 {
			if strings.HasPrefix(s, "%(") {
				return "", &interpolationError{"bad interpolation variable reference " + value.Repr(s)}
			}
			return "", &interpolationError{"'%' must be followed by '%' or '(', found: " + value.Repr(s)}
		}
		v, ok := section.GetString(strings.ToLower(s[2:end]))
		if !ok {
			return "", &interpolationError{fmt.Sprintf("Bad value substitution: option %s in section %s contains an interpolation key %s which is not a valid option name. Raw value: %s",
				value.Repr(option), value.Repr(name), value.Repr(s[2:end]), value.Repr(raw))}
		}
		text, err := interpolate(section, name, option, v.(string), depth+1)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = s[end+2:]
	}
}
