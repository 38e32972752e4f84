package action

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/value"
)

func init() {
	Register("ansible.builtin.copy", Action{Prepare: copyFiles})
}

// copyFiles offers a file, a tree or given content to the host's half, which decides by
// checksum what it needs (see modules/files/copy.go).
func copyFiles(_ context.Context, c *Call) (*Prepared, error) {
	remote, err := boolArg(c.Args, "remote_src", false)
	if err != nil {
		return nil, err
	}
	content, hasContent := c.Args.GetString("content")
	hasContent = hasContent && content != nil
	src := textArg(c.Args, "src")
	dest := textArg(c.Args, "dest")
	switch {
	case src == "" && !hasContent:
		return nil, fmt.Errorf("src (or content) is required")
	case src != "" && hasContent:
		return nil, fmt.Errorf("src and content are mutually exclusive")
	case dest == "":
		return nil, fmt.Errorf("dest is required")
	case hasContent && strings.HasSuffix(dest, "/"):
		return nil, fmt.Errorf("can not use content with a dir as dest")
	case remote:
		return &Prepared{Args: c.Args}, nil
	case hasContent:
		return copyContent(c, content)
	}
	decrypt, err := boolArg(c.Args, "decrypt", true)
	if err != nil {
		return nil, err
	}
	path, err := c.Run.Find("files", src)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return copyTree(c, src, path, decrypt)
	}
	s, err := fileSource(c, "src", path, decrypt)
	if err != nil {
		return nil, err
	}
	args := c.Args.Clone()
	args.SetString("src", path)
	args.SetString("_original_basename", filepath.Base(src))
	args.SetString("_after_header", path)
	return &Prepared{Args: args, Sources: []Source{s}}, nil
}

// copyContent offers the text of content; data is written as JSON.
func copyContent(c *Call, content value.Value) (*Prepared, error) {
	text, ok := content.(string)
	if !ok {
		switch content.(type) {
		case *value.Dict, *value.List:
			js, err := value.JSON{Spaces: true}.Encode(content)
			if err != nil {
				return nil, fmt.Errorf("content: %w", err)
			}
			text = js
		default:
			text = value.Str(content)
		}
	}
	s := contentSource("src", []byte(text))
	s.Mode = 0
	args := c.Args.Clone()
	args.Delete("content")
	return &Prepared{Args: args, Sources: []Source{s}}, nil
}

// tree walks a directory of the controller for a copy.
type tree struct {
	c       *Call
	decrypt bool
	follow  bool
	items   *value.List
	sources []Source
}

// copyTree offers a directory: its own name goes before the paths unless src ends in a slash.
func copyTree(c *Call, src, path string, decrypt bool) (*Prepared, error) {
	follow, err := boolArg(c.Args, "local_follow", true)
	if err != nil {
		return nil, err
	}
	t := &tree{c: c, decrypt: decrypt, follow: follow, items: value.NewList()}
	prefix := ""
	if !strings.HasSuffix(src, "/") {
		prefix = filepath.Base(path)
		t.add(prefix, "directory", "")
	}
	if err := t.walk(path, prefix, nil); err != nil {
		return nil, err
	}
	args := c.Args.Clone()
	args.SetString("src", src)
	args.SetString("_manifest", t.items)
	args.SetString("_after_header", strings.TrimSuffix(path, "/"+prefix))
	return &Prepared{Args: args, Sources: t.sources, Finish: func(res *value.Dict) { res.SetString("src", src) }}, nil
}

func (t *tree) add(path, kind, link string) {
	d := value.DictOf("path", path, "kind", kind)
	if link != "" {
		d.SetString("link", link)
	}
	t.items.V = append(t.items.V, d)
}

// walk adds what is in dir; above are the real paths of the directories around it, so that
// links in a circle end.
func (t *tree) walk(dir, prefix string, above []string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if slices.Contains(above, real) {
		return fmt.Errorf("%s leads back into itself", dir)
	}
	above = append(above, real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	// What is in a directory itself comes before what is below it, as with Ansible.
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int {
		switch {
		case a.IsDir() == b.IsDir():
			return 0
		case a.IsDir():
			return 1
		}
		return -1
	})
	for _, e := range entries {
		if err := t.entry(filepath.Join(dir, e.Name()), filepath.Join(prefix, e.Name()), e, above); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) entry(path, rel string, e fs.DirEntry, above []string) error {
	if e.Type()&fs.ModeSymlink != 0 && !t.follow {
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		t.add(rel, "link", link)
		return nil
	}
	info, err := os.Stat(path)
	if err != nil && e.Type()&fs.ModeSymlink != 0 {
		link, err := os.Readlink(path) // it leads nowhere, or to itself: the link is copied
		t.add(rel, "link", link)
		return err
	}
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		if real, err := filepath.EvalSymlinks(path); err == nil && slices.Contains(above, real) {
			link, err := os.Readlink(path) // a circle: the link itself is copied
			t.add(rel, "link", link)
			return err
		}
		t.add(rel, "directory", "")
		return t.walk(path, rel, above)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file, a directory nor a link", path)
	}
	s, err := fileSource(t.c, rel, path, t.decrypt)
	if err != nil {
		return err
	}
	t.add(rel, "file", "")
	t.sources = append(t.sources, s)
	return nil
}
