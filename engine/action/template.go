package action

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	Register("ansible.builtin.template", Action{Prepare: renderTemplate})
}

// renderTemplate renders the file here and offers the text to the host's half.
func renderTemplate(_ context.Context, c *Call) (*Prepared, error) {
	src := textArg(c.Args, "src")
	if src == "" || textArg(c.Args, "dest") == "" {
		return nil, fmt.Errorf("src and dest are required")
	}
	path, err := c.Run.Find("templates", src)
	if err != nil {
		return nil, err
	}
	raw, vaulted, err := c.Run.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("template source files must be utf-8 encoded: %s", path)
	}
	opts, err := templateOptions(c, path)
	if err != nil {
		return nil, err
	}
	t := c.T.Engine().NewContext(c.T.Ctx(), c.T.Scope(), append([]string{filepath.Dir(path)}, c.T.Search()...)...)
	text, secret, err := t.RenderFile(path, string(raw), opts)
	if err != nil {
		return nil, err
	}
	out := []byte(text)
	if enc := textArg(c.Args, "output_encoding"); enc != "" && !strings.EqualFold(enc, "utf-8") && !strings.EqualFold(enc, "utf8") {
		if out, err = encodeText(text, enc); err != nil {
			return nil, err
		}
	}
	s := contentSource("src", out)
	if info, err := os.Stat(path); err == nil {
		s.Mode = uint32(info.Mode().Perm())
	}
	args := c.Args.Clone()
	args.SetString("src", path)
	args.SetString("_original_basename", filepath.Base(src))
	args.SetString("_after_header", path)
	ready := &Prepared{Args: args, Sources: []Source{s}}
	if secret || vaulted {
		ready.Finish = hideDiff
	}
	return ready, nil
}

// hideDiff takes the difference of a file with secrets out of a result.
func hideDiff(res *value.Dict) {
	if _, ok := res.GetString("diff"); ok {
		res.SetString("diff", value.NewList(value.DictOf("prepared", "[the difference is not shown: the file holds secrets]")))
	}
}

var codePages = map[string]*charmap.Charmap{"cp1250": charmap.Windows1250, "cp1251": charmap.Windows1251, "cp1252": charmap.Windows1252,
	"iso-8859-15": charmap.ISO8859_15, "latin-9": charmap.ISO8859_15, "koi8-r": charmap.KOI8R}

func encodeText(text, encoding string) ([]byte, error) {
	switch strings.ToLower(strings.ReplaceAll(encoding, "_", "-")) {
	case "ascii", "us-ascii":
		for _, r := range text {
			if r > 127 {
				return nil, fmt.Errorf("output_encoding %s cannot hold %q", encoding, r)
			}
		}
		return []byte(text), nil
	case "latin-1", "latin1", "iso-8859-1":
		out := make([]byte, 0, len(text))
		for _, r := range text {
			if r > 255 {
				return nil, fmt.Errorf("output_encoding %s cannot hold %q", encoding, r)
			}
			out = append(out, byte(r))
		}
		return out, nil
	}
	table := codePages[strings.NewReplacer("windows-", "cp", "_", "-").Replace(strings.ToLower(encoding))]
	if table == nil {
		return nil, fmt.Errorf("unknown encoding: %s; there are utf-8, ascii, latin-1, iso-8859-15, cp1250, cp1251, cp1252 and koi8-r", encoding)
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		b, ok := table.EncodeRune(r)
		if !ok {
			return nil, fmt.Errorf("output_encoding %s cannot hold %q", encoding, r)
		}
		out = append(out, b)
	}
	return out, nil
}

// templateOptions are the delimiters and the template_* variables.
func templateOptions(c *Call, path string) (template.FileOptions, error) {
	s := template.DefaultSyntax()
	for name, dst := range map[string]*string{
		"block_start_string": &s.BlockStart, "block_end_string": &s.BlockEnd, "variable_start_string": &s.VariableStart,
		"variable_end_string": &s.VariableEnd, "comment_start_string": &s.CommentStart, "comment_end_string": &s.CommentEnd,
	} {
		if v := textArg(c.Args, name); v != "" {
			*dst = v
		}
	}
	if v := textArg(c.Args, "newline_sequence"); v != "" {
		s.NewlineSequence = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(v)
		if n := s.NewlineSequence; n != "\n" && n != "\r" && n != "\r\n" {
			return template.FileOptions{}, fmt.Errorf(`newline_sequence needs to be one of: \n, \r or \r\n`)
		}
	}
	var err error
	if s.TrimBlocks, err = boolArg(c.Args, "trim_blocks", true); err != nil {
		return template.FileOptions{}, err
	}
	if s.LstripBlocks, err = boolArg(c.Args, "lstrip_blocks", false); err != nil {
		return template.FileOptions{}, err
	}
	vars := templateVars(path, textArg(c.Args, "dest"), c.Managed)
	if _, ok := c.T.Scope().Lookup("ansible_managed"); ok {
		delete(vars, "ansible_managed") // a variable like any other
	}
	return template.FileOptions{Syntax: &s, Vars: vars}, nil
}

// templateVars are the variables that a template sees about itself.
func templateVars(path, dest, managed string) map[string]value.Value {
	host, _ := os.Hostname()
	full, err := filepath.Abs(path)
	if err != nil {
		full = path
	}
	owner, mtime := "", time.Time{}
	if info, err := os.Stat(path); err == nil {
		mtime = info.ModTime()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid := strconv.Itoa(int(st.Uid))
			owner = uid
			if u, err := user.LookupId(uid); err == nil {
				owner = u.Username
			}
		}
	}
	return map[string]value.Value{
		"ansible_managed": managedText(managed, path, host, owner, mtime), "template_host": host, "template_path": path, "template_fullpath": full,
		"template_uid": owner, "template_mtime": template.NewTime(mtime), "template_run_date": template.NewTime(time.Now()), "template_destpath": dest,
	}
}

// managedText is the value of ansible_managed: {file}, {host} and {uid} stand for what the
// template is, and what is left may hold conversions of strftime.
func managedText(managed, path, host, owner string, mtime time.Time) string {
	if managed == "" {
		return "Ansible managed"
	}
	text := strings.NewReplacer("{file}", strings.ReplaceAll(path, "%", "%%"), "{host}", host, "{uid}", owner).Replace(managed)
	if out, err := template.Strftime(mtime, text); err == nil {
		return out
	}
	return text
}
