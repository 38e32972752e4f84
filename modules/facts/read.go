package facts

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

// content is the trimmed text of a file; ok is false when it cannot be read or is empty.
func (g *gatherer) content(file string) (string, bool) {
	b, err := os.ReadFile(g.root + file)
	if err != nil {
		return "", false
	}
	s := strings.TrimSpace(string(b))
	return s, s != ""
}

// text is content, or "".
func (g *gatherer) text(file string) string {
	s, _ := g.content(file)
	return s
}

// orNone is content as a value: None when there is none.
func (g *gatherer) orNone(file string) value.Value {
	if s, ok := g.content(file); ok {
		return s
	}
	return nil
}

func (g *gatherer) exists(file string) bool {
	_, err := os.Stat(g.root + file)
	return err == nil
}

func (g *gatherer) lines(file string) []string {
	s := g.text(file)
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// entries lists a directory in order of names.
func (g *gatherer) entries(dir string) []string {
	es, err := os.ReadDir(g.root + dir)
	if err != nil {
		return nil
	}
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = e.Name()
	}
	return out
}

// linkBase is the last part of where a link leads in the end.
func (g *gatherer) linkBase(file string) string {
	p, err := filepath.EvalSymlinks(g.root + file)
	if err != nil {
		return ""
	}
	return filepath.Base(p)
}

var toolDirs = []string{"/sbin", "/usr/sbin", "/usr/local/sbin", "/bin", "/usr/bin"}

// tool finds a program in PATH and the directories for system programs, or gives "".
func (g *gatherer) tool(name string, more ...string) string {
	for _, d := range append(append(filepath.SplitList(os.Getenv("PATH")), toolDirs...), more...) {
		if d == "" {
			continue
		}
		p := filepath.Join(g.root+d, name)
		if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}

// run gives the output of a program that is there and ends well.
func (g *gatherer) run(ctx context.Context, name string, args ...string) (string, bool) {
	return g.runPath(ctx, g.tool(name), args...)
}

func (g *gatherer) runPath(ctx context.Context, p string, args ...string) (string, bool) {
	if p == "" {
		return "", false
	}
	res, err := g.h.Run(ctx, modules.Command{Argv: append([]string{p}, args...), C: true, Timeout: g.limit()})
	if err != nil || res.RC != 0 || res.TimedOut {
		return "", false
	}
	return string(res.Stdout), true
}

func (g *gatherer) limit() time.Duration {
	if g.timeout <= 0 {
		return 10 * time.Second
	}
	return g.timeout
}

func stringList(items []string) *value.List {
	l := &value.List{V: make([]value.Value, 0, len(items))}
	for _, s := range items {
		l.V = append(l.V, s)
	}
	return l
}
