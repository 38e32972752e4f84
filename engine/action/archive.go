package action

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/value"
)

func init() {
	Register("ansible.builtin.unarchive", Action{Prepare: unarchive})
	Register("ansible.builtin.assemble", Action{Prepare: assemble})
}

// unarchive offers an archive of the controller; with remote_src, copy: false or a URL it
// is the host's.
func unarchive(_ context.Context, c *Call) (*Prepared, error) {
	src := textArg(c.Args, "src")
	if src == "" || textArg(c.Args, "dest") == "" {
		return nil, fmt.Errorf("src (or content) and dest are required")
	}
	remote, err := boolArg(c.Args, "remote_src", false)
	if err != nil {
		return nil, err
	}
	local, err := boolArg(c.Args, "copy", true)
	if err != nil {
		return nil, err
	}
	if remote || !local {
		return &Prepared{Args: c.Args}, nil
	}
	if strings.Contains(src, "://") {
		return nil, fmt.Errorf("src is a URL: that needs remote_src: true")
	}
	path, err := c.Run.Find("files", src)
	if err != nil {
		return nil, err
	}
	decrypt, err := boolArg(c.Args, "decrypt", true)
	if err != nil {
		return nil, err
	}
	s, err := fileSource(c, "src", path, decrypt)
	if err != nil {
		return nil, err
	}
	args := c.Args.Clone()
	args.SetString("src", path)
	return &Prepared{Args: args, Sources: []Source{s}}, nil
}

// assemble joins fragments of the controller; with remote_src, the default, they are the
// host's.
func assemble(_ context.Context, c *Call) (*Prepared, error) {
	remote, err := boolArg(c.Args, "remote_src", true)
	if err != nil {
		return nil, err
	}
	src := textArg(c.Args, "src")
	if src == "" || textArg(c.Args, "dest") == "" {
		return nil, fmt.Errorf("src and dest are required")
	}
	if remote {
		return &Prepared{Args: c.Args}, nil
	}
	dir, err := c.Run.Find("files", src)
	if err != nil {
		return nil, err
	}
	text, err := joinFragments(c, dir)
	if err != nil {
		return nil, err
	}
	args := c.Args.Clone()
	args.SetString("src", dir)
	return &Prepared{Args: args, Sources: []Source{contentSource("src", text)}}, nil
}

// joinFragments reads the files of a directory in the order of their names.
func joinFragments(c *Call, dir string) ([]byte, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("source (%s) is not a directory", dir)
	}
	var match *pyre.Regexp
	if p := textArg(c.Args, "regexp"); p != "" {
		if match, err = pyre.Compile(p, 0); err != nil {
			return nil, fmt.Errorf("invalid regexp %q: %w", p, err)
		}
	}
	hidden, err := boolArg(c.Args, "ignore_hidden", false)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	delimiter, hasDelimiter := c.Args.GetString("delimiter")
	var out bytes.Buffer
	for _, e := range entries {
		if hidden && strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if match != nil {
			if m, err := match.Search(e.Name()); err != nil || m == nil {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		path := filepath.Join(dir, e.Name())
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
			continue
		}
		text, _, err := c.Run.ReadFile(path)
		if err != nil {
			return nil, err
		}
		appendFragment(&out, text, delimiter, hasDelimiter && delimiter != nil)
	}
	return out.Bytes(), nil
}

// appendFragment puts the delimiter, its \n unescaped, between fragments, each on lines of
// its own.
func appendFragment(out *bytes.Buffer, text []byte, delimiter value.Value, hasDelimiter bool) {
	if out.Len() > 0 {
		if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
		if hasDelimiter {
			d := strings.ReplaceAll(value.Str(delimiter), `\n`, "\n")
			out.WriteString(d)
			if !strings.HasSuffix(d, "\n") {
				out.WriteByte('\n')
			}
		}
	}
	out.Write(text)
}
