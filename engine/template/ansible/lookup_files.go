package ansible

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	if c.Native() { // as before 2.19: data where it is asked for, otherwise text that never is
		if v, ok := template.Literal(out); ok && o.bool("jinja2_native", false) {
			return value.Mark(v, secret || hidden), nil
		}
		return value.Mark(value.Text(out), secret || hidden), nil
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

// lookupFirstFound gives the first file that exists among names and directories. A mapping among
// the terms sets the options for itself and what follows.
// Since 2.19 only with_first_found looks in a folder of its own (_subdir), such as files.
func lookupFirstFound(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	search := &firstFound{o: o}
	if len(terms) == 0 && o.has("files") {
		if err := search.options(); err != nil {
			return nil, err
		}
	}
	if err := search.terms(terms); err != nil {
		return nil, err
	}
	folder := ""
	if c.Compat().Old() {
		folder = "files"
	}
	for _, n := range search.names {
		if p, err := findFile(c, o.text("_subdir", folder), n); err == nil {
			return []value.Value{absPath(p)}, nil
		}
	}
	if search.o.bool("skip", false) {
		return []value.Value{}, nil
	}
	return nil, errors.New("No file was found when using first_found.")
}

// firstFound collects the names to look for.
type firstFound struct {
	o     options
	names []string
}

func (f *firstFound) terms(terms []value.Value) error {
	for _, t := range terms {
		var err error
		switch x := t.(type) {
		case string, value.Text, value.Markup:
			err = f.add(splitAny(text(x), ",;"))
		case *value.List:
			err = f.terms(x.Items())
		case *value.Dict:
			f.o = options{c: f.o.c, all: map[string]value.Value{}}
			for _, e := range x.Items() {
				f.o.all[text(e.Key)] = e.Value
			}
			err = f.options()
		default:
			err = fmt.Errorf("invalid term supplied, can handle string, mapping or list of strings but got: %s", describe(t))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// options adds the option files.
func (f *firstFound) options() error {
	files, err := f.o.strings("files")
	if err != nil {
		return err
	}
	return f.add(splitAny(strings.Join(files, ","), ",;"))
}

// add puts names below the option paths.
func (f *firstFound) add(names []string) error {
	paths, err := f.o.strings("paths")
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		f.names = append(f.names, names...)
	}
	for _, p := range splitAny(strings.Join(paths, ","), ",;:") {
		for _, n := range names {
			f.names = append(f.names, joinPath(p, n))
		}
	}
	return nil
}

// splitAny splits a list of names at any of the characters.
func splitAny(s, at string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(at, r) })
}

const csvOptions = "col default delimiter file encoding keycol"

func lookupCSV(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	if len(terms) == 0 {
		terms = []value.Value{""}
	}
	for _, t := range terms {
		key, own, err := "", o, error(nil)
		if isText(t) {
			key, own, err = o.strict(text(t), csvOptions)
		}
		if err != nil {
			return nil, err
		}
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
		name := own.text("file", "ansible.csv")
		src, err := readText(c, "files", name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("csvfile: [Errno 2] No such file or directory: %s", value.Repr(name))
		}
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
	rows, err := csvReader{comma: comma[0]}.rows(text(src))
	if err != nil {
		return nil, fmt.Errorf("csvfile: %w", err)
	}
	for _, row := range rows {
		if len(row) == 0 {
			continue
		}
		k, ok := column(row, keycol)
		if !ok {
			return nil, fmt.Errorf("csvfile: the row %q has no column %d", strings.Join(row, delimiter), keycol)
		}
		if k != key {
			continue
		}
		v, ok := column(row, col)
		if !ok {
			return nil, fmt.Errorf("csvfile: the row of %q has no column %d", key, col)
		}
		return value.Mark(v, hidden), nil
	}
	return nil, nil
}

// column is a cell of a row, counted from the end when i is negative.
func column(row []string, i int) (string, bool) {
	if i < 0 {
		i += len(row)
	}
	if i < 0 || i >= len(row) {
		return "", false
	}
	return row[i], true
}
