package ansible

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	register("file", "lstrip rstrip", lookupFile)
	register("unvault", "", func(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
		return eachFile(c, terms, func(v value.Value) value.Value { return v })
	})
	register("template", "convert_data variable_start_string variable_end_string jinja2_native template_vars comment_start_string comment_end_string trim_blocks", lookupTemplate)
	register("fileglob", "", lookupFileglob)
	register("first_found", "files paths skip _subdir", lookupFirstFound)
	register("csvfile", "col default delimiter file encoding keycol", lookupCSV)
}

func eachFile(c *template.Context, terms []value.Value, f func(value.Value) value.Value) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		name, err := needText(t, "file name")
		if err != nil {
			return nil, err
		}
		v, err := readText(c, "files", name)
		if err != nil {
			return nil, err
		}
		out = append(out, f(v))
	}
	return out, nil
}

func lookupFile(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	return eachFile(c, terms, func(v value.Value) value.Value {
		return mapText(v, func(s string) value.Value {
			if o.bool("lstrip", false) {
				s = strings.TrimLeftFunc(s, value.IsSpace)
			}
			if o.bool("rstrip", true) {
				s = strings.TrimRightFunc(s, value.IsSpace)
			}
			return s
		})
	})
}

func lookupTemplate(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	syntax := template.DefaultSyntax()
	for name, field := range map[string]*string{
		"variable_start_string": &syntax.VariableStart, "variable_end_string": &syntax.VariableEnd,
		"comment_start_string": &syntax.CommentStart, "comment_end_string": &syntax.CommentEnd,
	} {
		*field = o.text(name, *field)
	}
	syntax.TrimBlocks = o.bool("trim_blocks", syntax.TrimBlocks)
	out := []value.Value{}
	for _, t := range terms {
		v, err := renderTemplate(c, text(t), syntax, o)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func renderTemplate(c *template.Context, name string, syntax template.Syntax, o options) (value.Value, error) {
	p, err := findFile(c, "templates", name)
	if err != nil {
		return nil, fmt.Errorf("the template file %s could not be found for the lookup", name)
	}
	src, err := readText(c, "templates", p)
	if err != nil {
		return nil, err
	}
	vars := map[string]value.Value{"template_path": p, "template_fullpath": absPath(p)}
	if d, ok := o.all["template_vars"].(*value.Dict); ok {
		for _, e := range d.Items() {
			vars[text(e.Key)] = e.Value
		}
	}
	_, hidden := src.(*value.Secret)
	body := mapText(src, func(s string) value.Value { return s })
	if s, ok := body.(*value.Secret); ok {
		body = s.V
	}
	out, secret, err := c.RenderFile(p, text(body), template.FileOptions{Syntax: &syntax, Vars: vars})
	if err != nil {
		return nil, err
	}
	if c.Compat() == template.V216 && o.bool("convert_data", true) {
		if v, ok := template.Literal(out); ok && strings.HasPrefix(out, "[") || strings.HasPrefix(out, "{") && ok {
			return value.Mark(v, secret || hidden), nil
		}
	}
	return value.Mark(out, secret || hidden), nil
}

func lookupFileglob(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		name, err := needText(t, "pattern")
		if err != nil {
			return nil, err
		}
		dir, base := filepath.Dir(name), filepath.Base(name)
		if dir == "." && !strings.HasPrefix(name, ".") {
			dir = ""
		}
		for _, d := range globDirs(c, dir) {
			found := false
			for _, m := range glob(filepath.Join(d, base)) {
				if st, err := os.Stat(m); err == nil && st.Mode().IsRegular() {
					out = append(out, m)
					found = true
				}
			}
			if found {
				break
			}
		}
	}
	return out, nil
}

// globDirs lists the directories a pattern's own directory may stand for.
func globDirs(c *template.Context, dir string) []string {
	if filepath.IsAbs(dir) {
		return []string{dir}
	}
	var out []string
	for _, p := range candidates(c, "files", dir) {
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			out = append(out, p)
		}
	}
	return out
}

// lookupFirstFound gives the first file that exists among names and directories.
func lookupFirstFound(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	var names []string
	skip := o.bool("skip", false)
	if len(terms) == 0 || o.has("files") {
		terms = append(slices.Clone(terms), value.NewDict(0))
	}
	for _, t := range terms {
		own := o
		if d, ok := t.(*value.Dict); ok {
			own = options{c: c, all: map[string]value.Value{}}
			for k, v := range o.all {
				own.all[k] = v
			}
			for _, e := range d.Items() {
				own.all[text(e.Key)] = e.Value
			}
			skip = own.bool("skip", skip)
		}
		more, err := firstFoundNames(t, own)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	for _, n := range names {
		if p, err := findFile(c, o.text("_subdir", "files"), n); err == nil {
			return []value.Value{absPath(p)}, nil
		}
	}
	if skip {
		return []value.Value{}, nil
	}
	return nil, errors.New("no file was found when using first_found")
}

func firstFoundNames(t value.Value, o options) ([]string, error) {
	switch x := t.(type) {
	case string, value.Text:
		return splitNames(text(x)), nil
	case *value.List:
		var out []string
		for _, e := range x.Items() {
			more, err := firstFoundNames(e, o)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case *value.Dict:
	default:
		return nil, fmt.Errorf("invalid term supplied, can handle string, mapping or list of strings but got: %s", describe(t))
	}
	files, err := o.strings("files")
	if err != nil {
		return nil, err
	}
	paths, err := o.strings("paths")
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return files, nil
	}
	var out []string
	for _, p := range paths {
		if len(files) == 0 {
			out = append(out, p)
		}
		for _, f := range files {
			out = append(out, joinPath(p, f))
		}
	}
	return out, nil
}

// splitNames splits old "a,b;c" lists of names.
func splitNames(s string) []string {
	var out []string
	for _, n := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }) {
		out = append(out, strings.TrimSpace(n))
	}
	return out
}

const csvOptions = "col default delimiter file encoding keycol"

func lookupCSV(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		key, own := o.inline(text(t), csvOptions)
		if key == "" {
			return nil, errors.New("Search key is required but was not found")
		}
		col, err := own.int("col", 1)
		if err != nil {
			return nil, err
		}
		keycol, err := own.int("keycol", 0)
		if err != nil {
			return nil, err
		}
		src, err := readText(c, "files", own.text("file", "ansible.csv"))
		if err != nil {
			return nil, err
		}
		if src, err = decoded(src, own); err != nil {
			return nil, err
		}
		v, err := csvCell(src, own.text("delimiter", "TAB"), key, int(keycol), int(col))
		if err != nil {
			return nil, err
		}
		if v == nil && own.has("default") {
			v = own.all["default"]
		}
		if v != nil {
			out = append(out, v)
		} else {
			out = append(out, list(nil))
		}
	}
	return out, nil
}

func csvCell(src value.Value, delimiter, key string, keycol, col int) (value.Value, error) {
	comma := []rune(delimiter)
	if delimiter == "TAB" || delimiter == `\t` {
		comma = []rune{'\t'}
	}
	if len(comma) != 1 {
		return nil, fmt.Errorf("delimiter must be a 1-character string, not %q", delimiter)
	}
	secret, hidden := src.(*value.Secret)
	if hidden {
		src = secret.V
	}
	r := csv.NewReader(strings.NewReader(text(src)))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma[0], -1, true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("csvfile: %w", err)
	}
	for _, row := range rows {
		if keycol < len(row) && row[keycol] == key {
			if col < 0 || col >= len(row) {
				return nil, fmt.Errorf("csvfile: the row of %q has no column %d", key, col)
			}
			return value.Mark(row[col], hidden), nil
		}
	}
	return nil, nil
}
