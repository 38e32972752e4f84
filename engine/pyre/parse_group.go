package pyre

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const unterminated = "missing ), unterminated subpattern"

// group parses what follows an opening parenthesis.
func (p *parser) group(first, empty bool) (*node, error) {
	start := p.pos - 1
	if !p.accept('?') {
		return p.capture(start, "")
	}
	c, err := p.next()
	if err != nil {
		return nil, err
	}
	switch c {
	case "":
		return nil, p.errAt(p.pos, "unexpected end of pattern")
	case "P":
		return p.groupP(start)
	case ":":
		return p.body(start, &node{op: nPlain}, p.flags)
	case "#":
		return nil, p.comment(start)
	case "=", "!", "<":
		return p.look(start, c)
	case "(":
		return p.conditional(start)
	case ">":
		return p.body(start, &node{op: nAtomic}, p.flags)
	}
	if c == "-" || flagOf(c) != 0 {
		return p.inlineFlags(start, c, first, empty)
	}
	return nil, p.errBack(utf8.RuneCountInString(c)+1, "unknown extension ?%s", c)
}

// body parses a parenthesised pattern into n under the given flags.
func (p *parser) body(start int, n *node, flags Flags) (*node, error) {
	saved := p.flags
	p.flags = flags
	sub, err := p.alternatives(false)
	p.flags = saved
	if err != nil {
		return nil, err
	}
	if !p.accept(')') {
		return nil, p.errAt(start, unterminated)
	}
	n.subs = []*node{sub}
	return n, nil
}

func (p *parser) capture(start int, name string) (*node, error) {
	g := p.groups
	p.groups++
	p.widths = append(p.widths, nil)
	if name != "" {
		if old, ok := p.names[name]; ok {
			return nil, p.errBack(utf8.RuneCountInString(name)+1,
				"redefinition of group name %s as group %d; was group %d", pyRepr(name), g, old)
		}
		p.names[name] = g
	}
	n, err := p.body(start, &node{op: nGroup, group: g}, p.flags)
	if err != nil {
		return nil, err
	}
	w := p.width(n.subs[0])
	p.widths[g] = &w
	return n, nil
}

func (p *parser) groupP(start int) (*node, error) {
	if p.accept('<') {
		name, err := p.until('>', "group name")
		if err != nil {
			return nil, err
		}
		if !isIdentifier(name) {
			return nil, p.errBack(utf8.RuneCountInString(name)+1, "bad character in group name %s", pyRepr(name))
		}
		return p.capture(start, name)
	}
	if p.accept('=') {
		return p.namedRef()
	}
	c, err := p.next()
	if err != nil {
		return nil, err
	}
	if c == "" {
		return nil, p.errAt(p.pos, "unexpected end of pattern")
	}
	return nil, p.errBack(utf8.RuneCountInString(c)+2, "unknown extension ?P%s", c)
}

func (p *parser) namedRef() (*node, error) {
	name, err := p.until(')', "group name")
	if err != nil {
		return nil, err
	}
	back := utf8.RuneCountInString(name) + 1
	if !isIdentifier(name) {
		return nil, p.errBack(back, "bad character in group name %s", pyRepr(name))
	}
	g, ok := p.names[name]
	if !ok {
		return nil, p.errBack(back, "unknown group name %s", pyRepr(name))
	}
	if p.widths[g] == nil {
		return nil, p.errBack(back, "cannot refer to an open group")
	}
	if err := p.checkBehind(g); err != nil {
		return nil, err
	}
	return p.backref(g), nil
}

func (p *parser) backref(g int) *node {
	return &node{op: nBackref, group: g, fold: p.flags&IgnoreCase != 0, asc: p.flags&ASCII != 0}
}

// checkBehind refuses a reference from a lookbehind to a group defined inside it.
func (p *parser) checkBehind(g int) error {
	if len(p.behind) == 0 {
		return nil
	}
	if p.groupOpen(g) {
		return p.errBack(0, "cannot refer to an open group")
	}
	if g >= p.behind[0] {
		return p.errBack(0, "cannot refer to group defined in the same lookbehind subpattern")
	}
	return nil
}

func (p *parser) groupOpen(g int) bool { return g < p.groups && p.widths[g] == nil }

func (p *parser) comment(start int) error {
	for {
		c, err := p.next()
		if err != nil {
			return err
		}
		switch c {
		case "":
			return p.errAt(start, "missing ), unterminated comment")
		case ")":
			return nil
		}
	}
}

func (p *parser) look(start int, c string) (*node, error) {
	n := &node{op: nLook}
	if c == "<" {
		n.behind = true
		var err error
		if c, err = p.next(); err != nil {
			return nil, err
		}
		if c == "" {
			return nil, p.errAt(p.pos, "unexpected end of pattern")
		}
		if c != "=" && c != "!" {
			return nil, p.errBack(utf8.RuneCountInString(c)+2, "unknown extension ?<%s", c)
		}
		p.behind = append(p.behind, p.groups)
		defer func() { p.behind = p.behind[:len(p.behind)-1] }()
	}
	n.not = c == "!"
	if _, err := p.body(start, n, p.flags); err != nil {
		return nil, err
	}
	if n.not && n.subs[0].op == nCat && len(n.subs[0].subs) == 0 {
		return &node{op: nFail}, nil
	}
	if !n.behind {
		return n, nil
	}
	w := p.width(n.subs[0])
	n.min = w.lo
	p.loose = p.loose || w.lo != w.hi
	return n, nil
}

func (p *parser) conditional(start int) (*node, error) {
	name, err := p.until(')', "group name")
	if err != nil {
		return nil, err
	}
	g, err := p.condGroup(name)
	if err != nil {
		return nil, err
	}
	if err := p.checkBehind(g); err != nil {
		return nil, err
	}
	n := &node{op: nCond, group: g}
	for {
		sub, err := p.sequence(false)
		if err != nil {
			return nil, err
		}
		n.subs = append(n.subs, sub)
		if !p.accept('|') {
			break
		}
		if len(n.subs) == 2 {
			return nil, p.errAt(p.pos-1, "conditional backref with more than two branches")
		}
	}
	if !p.accept(')') {
		return nil, p.errAt(start, unterminated)
	}
	return n, nil
}

func (p *parser) condGroup(name string) (int, error) {
	back := utf8.RuneCountInString(name) + 1
	if isIdentifier(name) {
		g, ok := p.names[name]
		if !ok {
			return 0, p.errBack(back, "unknown group name %s", pyRepr(name))
		}
		return g, nil
	}
	g, err := strconv.Atoi(strings.TrimSpace(name))
	if err != nil || g < 0 {
		return 0, p.errBack(back, "bad character in group name %s", pyRepr(name))
	}
	if g == 0 {
		return 0, p.errBack(back, "bad group number")
	}
	if g >= maxGroups {
		return 0, p.errBack(back, "invalid group reference %d", g)
	}
	if _, ok := p.condPos[g]; !ok {
		p.condPos[g] = p.pos - back
	}
	return g, nil
}

const typeFlags = ASCII | Unicode | Locale

func flagOf(c string) Flags {
	switch c {
	case "i":
		return IgnoreCase
	case "L":
		return Locale
	case "m":
		return MultiLine
	case "s":
		return DotAll
	case "x":
		return Verbose
	case "a":
		return ASCII
	case "u":
		return Unicode
	}
	return 0
}

func (p *parser) inlineFlags(start int, c string, first, empty bool) (*node, error) {
	add, end, err := p.flagsOn(c)
	if err != nil {
		return nil, err
	}
	if end == ")" {
		return nil, p.globalFlags(start, add, first && empty)
	}
	var del Flags
	if end == "-" {
		if del, err = p.flagsOff(); err != nil {
			return nil, err
		}
	}
	if add&del != 0 {
		return nil, p.errBack(1, "bad inline flags: flag turned on and off")
	}
	flags := p.flags
	if add&typeFlags != 0 {
		flags &^= typeFlags
	}
	return p.body(start, &node{op: nPlain}, (flags|add)&^del)
}

func (p *parser) globalFlags(start int, add Flags, allowed bool) error {
	verbose := p.flags & Verbose
	p.flags |= add
	if add&Verbose != 0 && verbose == 0 {
		return errVerbose
	}
	if !allowed {
		return p.errAt(start, "global flags not at the start of the expression")
	}
	return nil
}

// flagsOn reads the flags before "-", ":" or ")" and returns that end.
func (p *parser) flagsOn(c string) (Flags, string, error) {
	var add Flags
	if c == "-" {
		return 0, c, nil
	}
	for {
		flag := flagOf(c)
		if flag == Locale {
			return 0, "", p.errBack(0, "bad inline flags: cannot use 'L' flag with a str pattern")
		}
		add |= flag
		if flag&typeFlags != 0 && add&typeFlags != flag {
			return 0, "", p.errBack(0, "bad inline flags: flags 'a', 'u' and 'L' are incompatible")
		}
		var err error
		if c, err = p.next(); err != nil {
			return 0, "", err
		}
		switch {
		case c == ")" || c == "-" || c == ":":
			return add, c, nil
		case flagOf(c) == 0:
			return 0, "", p.badFlag(c, "missing -, : or )")
		}
	}
}

// flagsOff reads the flags between "-" and ":".
func (p *parser) flagsOff() (Flags, error) {
	var del Flags
	missing := "missing flag"
	for {
		c, err := p.next()
		if err != nil {
			return 0, err
		}
		if c == ":" && del != 0 {
			return del, nil
		}
		flag := flagOf(c)
		if flag == 0 {
			return 0, p.badFlag(c, missing)
		}
		if flag&typeFlags != 0 {
			return 0, p.errBack(0, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'")
		}
		del |= flag
		missing = "missing :"
	}
}

func (p *parser) badFlag(c, missing string) error {
	r, n := utf8.DecodeRuneInString(c)
	if n == len(c) && unicode.IsLetter(r) {
		return p.errBack(1, "unknown flag")
	}
	return p.errBack(utf8.RuneCountInString(c), "%s", missing)
}

// pyRepr quotes a name as Python's repr does for printable text.
func pyRepr(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case string(r) == quote || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\x` + string("0123456789abcdef"[r>>4]) + string("0123456789abcdef"[r&15]))
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + quote
}
