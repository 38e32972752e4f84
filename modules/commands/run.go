package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fettle/modules"
)

// commandReturn is what command, shell and expect return. What did not run has no times,
// but the keys are there.
type commandReturn struct {
	Cmd         any      `json:"cmd" doc:"The command: a list of words, or the shell's line." returned:"always"`
	Rc          *int     `json:"rc" doc:"Exit code; the negative number of the signal that ended it." returned:"always"`
	Stdout      string   `json:"stdout" doc:"Its output." returned:"always"`
	Stderr      string   `json:"stderr" doc:"Its error output." returned:"always"`
	StdoutLines []string `json:"stdout_lines" doc:"The output by lines." returned:"always"`
	StderrLines []string `json:"stderr_lines" doc:"The error output by lines." returned:"always"`
	Start       *string  `json:"start" doc:"When it started." returned:"always"`
	End         *string  `json:"end" doc:"When it ended." returned:"always"`
	Delta       *string  `json:"delta" doc:"How long it ran." returned:"always"`
	Message     string   `json:"msg" doc:"What happened." returned:"always"`
}

// run is one command to run, after the options are read.
type run struct {
	cmd    any // as returned
	argv   []string
	target commandTarget
	strip  bool
}

func (c run) do(ctx context.Context, h *modules.Host) (r modules.Result[commandReturn], err error) {
	zero := 0
	r.Data = commandReturn{Cmd: c.cmd, StdoutLines: []string{}, StderrLines: []string{}}
	if err := canEnter(c.target.Chdir); err != nil {
		r.Data.Message = "Unable to change directory before execution: " + modules.ErrorText(err)
		return r, modules.Failf("%s", r.Data.Message)
	}
	r.Data.Rc = &zero
	if msg, skip := c.target.satisfied(); skip != "" {
		r.Data.Message, r.Data.Stdout, r.Data.StdoutLines = msg, skip, []string{skip}
		return r, nil
	}
	if h.Check {
		r.Data.Message = "Command would have run if not in check mode"
		r.Skipped = c.target.Creates == "" && c.target.Removes == ""
		r.Changed = !r.Skipped
		return r, nil
	}
	return c.start(ctx, h, r)
}

func (c run) start(ctx context.Context, h *modules.Host, r modules.Result[commandReturn]) (modules.Result[commandReturn], error) {
	cmd := modules.Command{Argv: c.argv, Dir: c.target.Chdir, Stdin: c.target.input(), Live: true}
	out, err := h.Run(ctx, cmd)
	if err != nil {
		return c.notStarted(r, err)
	}
	r.Changed = true
	began, ended, delta := stamp(out.Start), stamp(out.End), Delta(out.End.Sub(out.Start))
	r.Data.Start, r.Data.End, r.Data.Delta = &began, &ended, &delta
	r.Data.Rc = &out.RC
	r.Data.Stdout, r.Data.Stderr = string(out.Stdout), string(out.Stderr)
	if c.strip {
		r.Data.Stdout, r.Data.Stderr = strings.TrimRight(r.Data.Stdout, "\r\n"), strings.TrimRight(r.Data.Stderr, "\r\n")
	}
	r.Data.StdoutLines, r.Data.StderrLines = Lines(r.Data.Stdout), Lines(r.Data.Stderr)
	if out.RC != 0 {
		r.Data.Message = "non-zero return code"
		return r, modules.Failf("%s", r.Data.Message)
	}
	return r, nil
}

// notStarted is the result of a command that could not be started: rc is the system's
// error number, as Ansible has it.
func (c run) notStarted(r modules.Result[commandReturn], err error) (modules.Result[commandReturn], error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		r.Data.Message = err.Error()
		return r, err
	}
	rc, text := 257, modules.ErrorText(err)
	if se := (*modules.StartError)(nil); errors.As(err, &se) {
		rc, text = int(se.Errno), modules.ErrorText(&fs.PathError{Path: c.argv[0], Err: se.Errno})
	}
	r.Data.Rc = &rc
	if words, ok := c.cmd.([]string); ok {
		r.Data.Cmd = modules.Sh(words...)
	}
	r.Data.Message = "Error executing command: " + text
	return r, modules.Failf("%s", r.Data.Message)
}

func (t commandTarget) input() io.Reader {
	if t.Stdin == nil {
		return nil
	}
	text := *t.Stdin
	if t.StdinAddNewline {
		text += "\n"
	}
	return strings.NewReader(text)
}

// satisfied tells, when creates or removes say that nothing is to be done, why.
func (t commandTarget) satisfied() (msg, skip string) {
	if t.Creates != "" && anyMatch(t.Chdir, t.Creates) {
		return fmt.Sprintf("Did not run command since '%s' exists", t.Creates), fmt.Sprintf("skipped, since %s exists", t.Creates)
	}
	if t.Removes != "" && !anyMatch(t.Chdir, t.Removes) {
		return fmt.Sprintf("Did not run command since '%s' does not exist", t.Removes), fmt.Sprintf("skipped, since %s does not exist", t.Removes)
	}
	return "", ""
}

func canEnter(dir string) error {
	if dir == "" {
		return nil
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return &fs.PathError{Op: "chdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return nil
}

// anyMatch tells whether a path exists that the pattern, a shell glob, matches. Hidden
// names need a dot in the pattern.
func anyMatch(dir, pattern string) bool {
	if dir != "" && !filepath.IsAbs(pattern) {
		pattern = filepath.Join(dir, pattern)
	}
	if !strings.ContainsAny(pattern, "*?[") {
		_, err := os.Lstat(pattern)
		return err == nil
	}
	goPattern := strings.ReplaceAll(strings.ReplaceAll(pattern, `\`, `\\`), "[!", "[^")
	found, err := filepath.Glob(goPattern)
	if err != nil { // an open bracket: an ordinary character for the shell
		_, err := os.Lstat(pattern)
		return err == nil
	}
	want := strings.Split(filepath.Clean(pattern), "/")
	for _, f := range found {
		if !hiddenMatch(want, strings.Split(filepath.Clean(f), "/")) {
			return true
		}
	}
	return false
}

func hiddenMatch(pattern, found []string) bool {
	for i, name := range found {
		if i < len(pattern) && strings.HasPrefix(name, ".") && !strings.HasPrefix(pattern[i], ".") {
			return true
		}
	}
	return false
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05.000000") }

// Delta writes a duration as Ansible does: 0:00:01.234567, 1 day, 0:00:00.000000.
func Delta(d time.Duration) string {
	us := d.Microseconds()
	days, us := us/86_400_000_000, us%86_400_000_000
	s := fmt.Sprintf("%d:%02d:%02d.%06d", us/3_600_000_000, us/60_000_000%60, us/1_000_000%60, us%1_000_000)
	switch {
	case days == 1:
		return "1 day, " + s
	case days > 1:
		return fmt.Sprintf("%d days, %s", days, s)
	}
	return s
}

// Lines splits output at \n, \r\n and \r, without an empty last line.
func Lines(s string) []string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	if s == "" {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
