package template

import (
	"fmt"
	"html"
	"strings"

	"fettle/engine/value"
)

// asMarkup makes a filter's text markup.
func asMarkup(f Filter) Filter {
	return func(c *Call) (value.Value, error) {
		v, err := f(c)
		return value.AsMarkup(v), err
	}
}

// keepsMarkup makes a filter's text markup when its input was.
func keepsMarkup(f Filter) Filter {
	return func(c *Call) (value.Value, error) {
		_, was := c.Args[0].(value.Markup)
		for i, a := range c.Args {
			if m, ok := a.(value.Markup); ok {
				c.Args[i] = string(m)
			}
		}
		v, err := f(c)
		if was {
			v = value.AsMarkup(v)
		}
		return v, err
	}
}

func filterEscape(c *Call) (value.Value, error) {
	if len(c.Args) != 1 {
		return nil, fmt.Errorf("filter takes 1 positional argument but %d were given", len(c.Args))
	}
	if value.IsMarkup(c.Args[0]) {
		return c.Args[0], nil
	}
	s, err := c.str(0)
	return value.Markup(value.EscapeHTML(s)), err
}

// The methods of markup that escape their arguments, and those whose text is markup again.
var (
	escapingMethods = nameSet(`capitalize title lower upper replace ljust rjust lstrip rstrip center strip translate expandtabs
		swapcase zfill casefold removeprefix removesuffix join partition rpartition`)
	markupMethods = nameSet(`capitalize title lower upper replace ljust rjust lstrip rstrip center strip translate expandtabs
		swapcase zfill casefold removeprefix removesuffix join partition rpartition split rsplit splitlines format format_map`)
)

// callMarkup calls a method of markup.
func callMarkup(m value.Markup, name string, c *Call) (value.Value, error) {
	s := string(m)
	switch name {
	case "striptags":
		return stripTags(s), nil
	case "unescape":
		return html.UnescapeString(s), nil
	case "join":
		return joinMarkup(s, c)
	}
	if escapingMethods[name] {
		for i, a := range c.Args {
			if _, secret := a.(*value.Secret); strings.HasSuffix(name, "partition") && !secret {
				c.Args[i] = string(value.Escape(a))
				continue
			}
			if t, ok := a.(string); ok {
				c.Args[i] = value.EscapeHTML(t)
			}
		}
	}
	if name == "format" || name == "format_map" {
		return formatMarkup(s, name, c)
	}
	r, err := callMethod(s, name, c)
	if err == nil && markupMethods[name] {
		r = value.AsMarkup(r)
	}
	return r, err
}

func joinMarkup(s string, c *Call) (value.Value, error) {
	if err := c.need("Markup.join", 1, 1); err != nil {
		return nil, err
	}
	vs, err := value.Iterate(c.Args[0])
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = string(value.Escape(v))
	}
	return value.Markup(strings.Join(parts, s)), nil
}

func formatMarkup(s, name string, c *Call) (value.Value, error) {
	r, err := (&formatter{escape: true}).format(s, name, c)
	return value.AsMarkup(r), err
}
