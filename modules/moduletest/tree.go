package moduletest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Tree is a directory's content, written one entry a line:
//
//	d 0755 sub
//	f 0644 sub/plain "its content\n"
//	f 0644 sub/long               (content in a section of its own)
//	l sub/link -> ../target       ($ROOT stands for the directory)
//	h sub/hard = sub/plain
//	p 0644 fifo
//
// Names that need it are quoted as in Go.
type Tree []entry

type entry struct {
	kind    byte
	mode    uint32
	name    string
	content string // of a file; target of a link; other name of a hard link
}

func parseTree(text string, section func(string) (string, bool)) (Tree, error) {
	var t Tree
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			continue
		}
		e, err := parseEntry(line, section)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		t = append(t, e)
	}
	return t, nil
}

func parseEntry(line string, section func(string) (string, bool)) (e entry, err error) {
	e.kind = line[0]
	rest := strings.TrimSpace(line[1:])
	if e.kind == 'd' || e.kind == 'f' || e.kind == 'p' {
		mode, more, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			return e, err
		}
		e.mode, rest = uint32(n), more
	}
	if e.name, rest, err = word(rest); err != nil {
		return e, err
	}
	switch e.kind {
	case 'l', 'h':
		_, to, _ := strings.Cut(rest, " ")
		e.content, _, err = word(to)
	case 'f':
		if rest != "" {
			e.content, _, err = word(rest)
		} else if s, ok := section(e.name); ok {
			e.content = s
		}
	}
	return e, err
}

// word takes a quoted or plain word off s.
func word(s string) (w, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", err
		}
		w, err = strconv.Unquote(q)
		return w, strings.TrimSpace(s[len(q):]), err
	}
	w, rest, _ = strings.Cut(s, " ")
	return w, strings.TrimSpace(rest), nil
}

// Build makes the tree below root.
func (t Tree) Build(root string) error {
	for _, e := range t {
		at := filepath.Join(root, e.name)
		to := strings.ReplaceAll(e.content, "$ROOT", root)
		var err error
		switch e.kind {
		case 'd':
			err = os.Mkdir(at, 0o755)
		case 'f':
			err = os.WriteFile(at, []byte(e.content), 0o600)
		case 'l':
			err = os.Symlink(to, at)
		case 'h':
			err = os.Link(filepath.Join(root, e.content), at)
		case 'p':
			err = syscall.Mkfifo(at, 0o600)
		default:
			err = fmt.Errorf("unknown kind %c", e.kind)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range slices.Backward(t) {
		if e.mode != 0 {
			if err := syscall.Chmod(filepath.Join(root, e.name), e.mode); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadTree reads what is below root.
func ReadTree(root string) (Tree, error) {
	var t Tree
	inodes := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		st := info.Sys().(*syscall.Stat_t)
		e := entry{kind: 'f', name: rel, mode: uint32(st.Mode) & 0o7777}
		switch {
		case info.IsDir():
			e.kind = 'd'
		case info.Mode()&fs.ModeSymlink != 0:
			e.kind, e.mode = 'l', 0
			e.content, err = os.Readlink(path)
			e.content = strings.ReplaceAll(e.content, root, "$ROOT")
		case info.Mode()&fs.ModeNamedPipe != 0:
			e.kind = 'p'
		case st.Nlink > 1 && inodes[st.Ino] != "":
			e.kind, e.mode, e.content = 'h', 0, inodes[st.Ino]
		default:
			inodes[st.Ino] = rel
			var b []byte
			b, err = os.ReadFile(path)
			e.content = string(b)
		}
		t = append(t, e)
		return err
	})
	return t, err
}

// String writes the tree with all contents in their lines, sorted, for comparing.
func (t Tree) String() string {
	var lines []string
	for _, e := range t {
		name := backupName.ReplaceAllString(e.name, ".BACKUP~")
		switch e.kind {
		case 'l':
			lines = append(lines, fmt.Sprintf("l %q -> %q", name, e.content))
		case 'h':
			lines = append(lines, fmt.Sprintf("h %q = %q", name, e.content))
		case 'f':
			lines = append(lines, fmt.Sprintf("f %04o %q %q", e.mode, name, e.content))
		default:
			lines = append(lines, fmt.Sprintf("%c %04o %q", e.kind, e.mode, name))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
