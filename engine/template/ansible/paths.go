package ansible

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	for name, f := range map[string]func(string) string{
		"basename": func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] },
		"dirname":  dirname, "normpath": normPath, "expanduser": expandUser, "expandvars": expandVars,
		"realpath":     realPath,
		"win_basename": func(s string) string { _, tail := winSplit(s); return tail },
		"win_dirname":  func(s string) string { head, _ := winSplit(s); return head },
	} {
		filter(name+"(path)", onPath(name, f))
	}
	filter("win_splitdrive(path)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		if err := isPath(a[0]); err != nil {
			return nil, err
		}
		drive, rest := winDrive(text(a[0]))
		return value.Tuple{drive, rest}, nil
	})
	filter("splitext(path)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		if err := isPath(a[0]); err != nil {
			return nil, err
		}
		root, ext := splitExt(text(a[0]))
		return value.Tuple{root, ext}, nil
	})
	filter("relpath(path, start=None)", relPath)
	filter("path_join(paths)", pathJoin)
	filter("commonpath(paths)", commonPath)
	filter("fileglob(pathname)", globFilter)
	pathTests()
}

// onPath makes a filter of a function on paths.
func onPath(name string, f func(string) string) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		if err := isPath(a[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return f(text(a[0])), nil
	}
}

func isPath(v value.Value) error {
	if _, ok := v.([]byte); ok || isText(v) {
		return nil
	}
	return fmt.Errorf("expected str, bytes or os.PathLike object, not %s", value.TypeName(v))
}

func dirname(s string) string {
	head := s[:strings.LastIndexByte(s, '/')+1]
	if trimmed := strings.TrimRight(head, "/"); trimmed != "" {
		return trimmed
	}
	return head
}

// normPath is posixpath.normpath: two leading slashes stay two.
func normPath(s string) string {
	if s == "" {
		return "."
	}
	p := path.Clean(s)
	if strings.HasPrefix(s, "//") && !strings.HasPrefix(s, "///") {
		return "/" + p
	}
	return p
}

func absPath(s string) string {
	if !strings.HasPrefix(s, "/") {
		wd, _ := os.Getwd()
		s = wd + "/" + s
	}
	return normPath(s)
}

func expandUser(s string) string {
	if !strings.HasPrefix(s, "~") {
		return s
	}
	name, rest := s[1:], ""
	if i := strings.IndexByte(s, '/'); i >= 0 {
		name, rest = s[1:i], s[i:]
	}
	home := homeOf(name)
	if home == "" {
		return s
	}
	home = strings.TrimRight(home, "/")
	if home+rest == "" {
		return "/"
	}
	return home + rest
}

// homeOf is the home directory of a user, of the present one when name is empty.
func homeOf(name string) string {
	if name == "" {
		if home, ok := os.LookupEnv("HOME"); ok {
			return home
		}
	}
	raw, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		f := strings.Split(line, ":")
		if len(f) >= 7 && (name != "" && f[0] == name || name == "" && f[2] == fmt.Sprint(os.Getuid())) {
			return f[5]
		}
	}
	return ""
}

var variable = pyre.MustCompile(`\$(\w+|\{[^}]*\})`, pyre.ASCII)

func expandVars(s string) string {
	out, _, err := variable.SubFunc(func(m *pyre.Match) string {
		if v, ok := os.LookupEnv(strings.Trim(m.Text(1), "{}")); ok {
			return v
		}
		return m.Text(0)
	}, s, 0)
	if err != nil {
		return s
	}
	return out
}

// realPath resolves links as far as the path exists.
func realPath(s string) string {
	s = absPath(s)
	rest := ""
	for p := s; ; p = path.Dir(p) {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			return path.Join("/", r, rest)
		}
		if p == "/" {
			return s
		}
		rest = "/" + path.Base(p) + rest
	}
}

func relPath(_ *template.Call, a []value.Value) (value.Value, error) {
	if a[0] == nil || a[0] == "" {
		return nil, errors.New("no path specified")
	}
	if err := isPath(a[0]); err != nil {
		return nil, err
	}
	start := "."
	if a[1] != nil {
		start = text(a[1])
	}
	return filepath.Rel(absPath(start), absPath(text(a[0])))
}

func joinPath(parts ...string) string {
	out := ""
	for i, p := range parts {
		switch {
		case strings.HasPrefix(p, "/") || i == 0:
			out = p
		case out == "" || strings.HasSuffix(out, "/"):
			out += p
		default:
			out += "/" + p
		}
	}
	return out
}

func pathJoin(_ *template.Call, a []value.Value) (value.Value, error) {
	if isText(a[0]) {
		return text(a[0]), nil
	}
	if !isSequence(a[0]) {
		return nil, fmt.Errorf("|path_join expects string or sequence, got %s instead", value.TypeName(a[0]))
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, v := range vs {
		if !isText(v) {
			return nil, fmt.Errorf("join() argument must be str, bytes, or os.PathLike object, not '%s'", value.TypeName(v))
		}
		parts = append(parts, text(v))
	}
	if len(parts) == 0 {
		return nil, errors.New("join() missing 1 required positional argument: 'a'")
	}
	return joinPath(parts...), nil
}

func commonPath(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isSequence(a[0]) {
		return nil, fmt.Errorf("|commonpath expects sequence, got %s instead", value.TypeName(a[0]))
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	var common []string
	absolute := false
	for i, v := range vs {
		if err := isPath(v); err != nil {
			return nil, err
		}
		s := text(v)
		parts := slices.DeleteFunc(strings.Split(s, "/"), func(p string) bool { return p == "" || p == "." })
		if i == 0 {
			common, absolute = parts, strings.HasPrefix(s, "/")
			continue
		}
		if absolute != strings.HasPrefix(s, "/") {
			return nil, errors.New("Can't mix absolute and relative paths")
		}
		n := 0
		for n < len(common) && n < len(parts) && common[n] == parts[n] {
			n++
		}
		common = common[:n]
	}
	if len(vs) == 0 {
		return nil, errors.New("commonpath() arg is an empty sequence")
	}
	if absolute {
		return "/" + strings.Join(common, "/"), nil
	}
	return strings.Join(common, "/"), nil
}

func splitExt(s string) (root, ext string) {
	name := strings.LastIndexByte(s, '/') + 1
	dot := strings.LastIndexByte(s, '.')
	if dot < name || strings.Trim(s[name:dot], ".") == "" {
		return s, ""
	}
	return s[:dot], s[dot:]
}

// winDrive splits "C:" or "\\host\share" off a Windows path.
func winDrive(s string) (drive, rest string) {
	n := strings.ReplaceAll(s, "/", `\`)
	if !strings.HasPrefix(n, `\\`) {
		if len(s) > 1 && s[1] == ':' {
			return s[:2], s[2:]
		}
		return "", s
	}
	start := 2
	if strings.HasPrefix(strings.ToUpper(n), `\\?\UNC\`) {
		start = 8
	}
	i := strings.IndexByte(n[start:], '\\')
	if i < 0 {
		return s, ""
	}
	i += start + 1
	j := strings.IndexByte(n[i:], '\\')
	if j < 0 {
		return s, ""
	}
	return s[:i+j], s[i+j:]
}

func winSplit(s string) (head, tail string) {
	drive, rest := winDrive(s)
	if rest != "" && strings.IndexByte(`/\`, rest[0]) >= 0 {
		drive, rest = drive+rest[:1], rest[1:]
	}
	i := strings.LastIndexAny(rest, `/\`) + 1
	return drive + strings.TrimRight(rest[:i], `/\`), rest[i:]
}

// glob lists the paths that match a shell pattern; hidden names only when asked for.
func glob(pattern string) []string {
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	base := path.Base(pattern)
	if strings.ContainsAny(base, "*?[") && !strings.HasPrefix(base, ".") {
		matches = slices.DeleteFunc(matches, func(m string) bool { return strings.HasPrefix(path.Base(m), ".") })
	}
	return matches
}

func globFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	out := []string{}
	if err := isPath(a[0]); err != nil {
		return nil, err
	}
	for _, m := range glob(text(a[0])) {
		if st, err := os.Stat(m); err == nil && st.Mode().IsRegular() {
			out = append(out, m)
		}
	}
	return texts(out), nil
}

func pathTests() {
	stat := func(names string, f func(os.FileInfo) bool) {
		test(names, "path(path)", func(_ *template.Call, a []value.Value) (bool, error) {
			name, err := statName(a[0])
			if err != nil {
				return false, err
			}
			st, err := os.Stat(name)
			return err == nil && f(st), nil
		})
	}
	stat("directory is_dir", os.FileInfo.IsDir)
	stat("file is_file", func(st os.FileInfo) bool { return st.Mode().IsRegular() })
	stat("exists", func(os.FileInfo) bool { return true })
	lstat := func(names string, f func(os.FileInfo) bool) {
		test(names, "path(path)", func(_ *template.Call, a []value.Value) (bool, error) {
			if err := isPath(a[0]); err != nil {
				return false, err
			}
			st, err := os.Lstat(text(a[0]))
			return err == nil && f(st), nil
		})
	}
	lstat("link is_link", func(st os.FileInfo) bool { return st.Mode()&os.ModeSymlink != 0 })
	lstat("link_exists", func(os.FileInfo) bool { return true })
	// abs is also a filter of Jinja2; as a test it looks at a path.
	test("abs is_abs", "path(path)", func(_ *template.Call, a []value.Value) (bool, error) {
		return strings.HasPrefix(text(a[0]), "/"), isPath(a[0])
	})
	test("same_file is_same_file", "path(a, b)", func(_ *template.Call, a []value.Value) (bool, error) {
		x, err := os.Stat(text(a[0]))
		if err != nil {
			return false, err
		}
		y, err := os.Stat(text(a[1]))
		return err == nil && os.SameFile(x, y), err
	})
	test("mount is_mount", "path(path)", func(_ *template.Call, a []value.Value) (bool, error) { return isMount(text(a[0])), isPath(a[0]) })
}

// statName is the path that a test looks at: Python takes numbers for open files.
func statName(v value.Value) (string, error) {
	switch x := v.(type) {
	case bool:
		return statName(map[bool]int64{true: 1}[x])
	case int64:
		if x > 2 { // what else fettle has open is not the template's business
			x = -1
		}
		return fmt.Sprintf("/proc/self/fd/%d", x), nil
	}
	if isPath(v) != nil {
		return "", fmt.Errorf("stat: path should be string, bytes, os.PathLike or integer, not %s", value.TypeName(v))
	}
	return text(v), nil
}

// isMount tells a directory on another device than its parent.
func isMount(p string) bool {
	st, err := os.Lstat(p)
	if err != nil || st.Mode()&os.ModeSymlink != 0 {
		return false
	}
	up, err := os.Lstat(realPath(p + "/.."))
	if err != nil {
		return false
	}
	a, ok1 := st.Sys().(*syscall.Stat_t)
	b, ok2 := up.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && (a.Dev != b.Dev || a.Ino == b.Ino)
}
