package modules

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// ToolResult is what a system program answered.
type ToolResult struct {
	RC             int
	Stdout, Stderr string
}

// Tool runs a program of the system, looked for also where administrators' programs are,
// and returns its answer in the C locale.
func (h *Host) Tool(ctx context.Context, argv ...string) (ToolResult, error) {
	return h.ToolWith(ctx, Command{Argv: argv})
}

// ToolWith is Tool with more to say about the command than its words.
func (h *Host) ToolWith(ctx context.Context, c Command) (ToolResult, error) {
	path, err := h.RequirePath(c.Argv[0])
	if err != nil {
		return ToolResult{}, err
	}
	c.Argv = append([]string{path}, c.Argv[1:]...)
	c.C = true
	out, err := h.Run(ctx, c)
	return ToolResult{out.RC, string(out.Stdout), string(out.Stderr)}, err
}

// ToolInput is Tool with text for the standard input.
func (h *Host) ToolInput(ctx context.Context, stdin string, argv ...string) (ToolResult, error) {
	var in io.Reader = strings.NewReader(stdin)
	return h.ToolWith(ctx, Command{Argv: argv, Stdin: in})
}

// RequirePath finds a program as LookPath does, and fails when there is none.
func (h *Host) RequirePath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	if path := h.LookPath(name); path != "" {
		return path, nil
	}
	path, _ := h.Getenv("PATH")
	dirs := filepath.SplitList(path)
	for _, d := range []string{"/sbin", "/usr/sbin", "/usr/local/sbin"} {
		if IsDir(d) && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return "", Failf("Failed to find required executable %q in paths: %s", name, strings.Join(dirs, ":"))
}
