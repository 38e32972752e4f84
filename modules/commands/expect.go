package commands

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"fettle/engine/pyre"
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.expect",
		Summary: "Run a command on a terminal and answer what it asks.",
		Notes:   []string{"Answers are sent when a regular expression matches what was written since the last answer; a list is used up one by one."},
		Examples: `
- name: A new password
  ansible.builtin.expect:
    command: passwd username
    responses:
      (?i)password: "{{ new_password }}"
  no_log: true
`,
	}, expect)
}

type expectArgs struct {
	Command   string      `arg:"command,required" doc:"The command with its arguments; no shell."`
	Responses *value.Dict `arg:"responses,required" doc:"Regular expressions, and what to answer: text, or a list."`
	Timeout   value.Value `arg:"timeout" type:"raw" default:"30" doc:"Seconds to wait for each question; none is for ever."`
	Echo      bool        `arg:"echo" default:"false" doc:"Have the terminal echo the answers."`
	Chdir     string      `arg:"chdir" type:"path" doc:"Folder to run in."`
	Creates   string      `arg:"creates" type:"path" doc:"Path or glob; when it exists the command is not run."`
	Removes   string      `arg:"removes" type:"path" doc:"Path or glob; when it does not exist the command is not run."`
}

type expectReturn struct {
	Cmd    string   `json:"cmd" doc:"The command." returned:"always"`
	Rc     *int     `json:"rc,omitempty" doc:"Exit code." returned:"always"`
	Stdout string   `json:"stdout" doc:"What was on the terminal." returned:"always"`
	Lines  []string `json:"stdout_lines,omitempty" doc:"The same by lines." returned:"always"`
	Start  string   `json:"start,omitempty" doc:"When it started." returned:"always"`
	End    string   `json:"end,omitempty" doc:"When it ended." returned:"always"`
	Delta  string   `json:"delta,omitempty" doc:"How long it ran." returned:"always"`
}

// question is a regular expression and the answers left for it.
type question struct {
	regex   *pyre.Regexp
	answers []string
	again   bool // one answer for every time
}

func expect(ctx context.Context, h *modules.Host, a expectArgs) (r modules.Result[expectReturn], err error) {
	r.Data.Cmd = a.Command
	words, err := modules.SplitWords(a.Command)
	if err != nil {
		return r, modules.Failf("cannot split the command: %v", err)
	}
	if len(words) == 0 {
		r.Data.Rc = new(256)
		return r, modules.Failf("no command given")
	}
	if err := canEnter(a.Chdir); err != nil {
		return r, err
	}
	if _, skip := (commandTarget{Chdir: a.Chdir, Creates: a.Creates, Removes: a.Removes}).satisfied(); skip != "" {
		r.Data.Rc, r.Data.Stdout = new(0), skip
		return r, nil
	}
	questions, err := readQuestions(a.Responses)
	if err != nil {
		return r, err
	}
	timeout := time.Duration(0)
	if a.Timeout != nil {
		seconds, err := time.ParseDuration(value.Str(a.Timeout) + "s")
		if err != nil {
			return r, modules.Failf("argument 'timeout' is of type %s and we were unable to convert to int: %v", value.TypeName(a.Timeout), err)
		}
		timeout = seconds
	}
	path, err := h.RequirePath(words[0])
	if err != nil {
		return r, err
	}
	cmd := exec.Command(path, words[1:]...) //nolint:gosec // running it is the point; the context ends it below
	cmd.Args[0], cmd.Dir, cmd.Env = words[0], a.Chdir, append(os.Environ(), h.Env...)
	start := time.Now()
	out, err := converse(ctx, cmd, questions, timeout, a.Echo)
	end := time.Now()
	r.Changed = true
	r.Data.Start, r.Data.End, r.Data.Delta = stamp(start), stamp(end), Delta(end.Sub(start))
	r.Data.Stdout = strings.TrimRight(out, "\r\n")
	r.Data.Lines = Lines(r.Data.Stdout)
	if err != nil {
		return r, err
	}
	rc := cmd.ProcessState.ExitCode()
	r.Data.Rc = &rc
	if rc != 0 {
		return r, modules.Failf("non-zero return code")
	}
	return r, nil
}

func readQuestions(responses *value.Dict) ([]*question, error) {
	var all []*question
	for k, v := range responses.All() {
		re, err := pyre.Compile(value.Str(k), 0)
		if err != nil {
			return nil, modules.Failf("responses: %q: %v", value.Str(k), err)
		}
		q := &question{regex: re, again: true}
		if l, ok := v.(*value.List); ok {
			q.again = false
			for _, e := range l.V {
				q.answers = append(q.answers, value.Str(e))
			}
		} else {
			q.answers = []string{value.Str(v)}
		}
		all = append(all, q)
	}
	return all, nil
}

// converse runs cmd on a terminal of its own until it ends.
func converse(ctx context.Context, cmd *exec.Cmd, questions []*question, timeout time.Duration, echo bool) (string, error) {
	terminal, other, err := openTerminal(echo)
	if err != nil {
		return "", err
	}
	defer func() { _ = terminal.Close() }()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = other, other, other
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	_ = other.Close()
	if err != nil {
		return "", modules.Failf("Error executing command: %v", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = terminal.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	all, err := answer(ctx, terminal, questions, timeout)
	if err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	waitErr := cmd.Wait()
	var exit *exec.ExitError
	if err == nil && waitErr != nil && !errors.As(waitErr, &exit) {
		err = waitErr
	}
	return all, err
}

// answer reads the terminal until its end and answers questions.
func answer(ctx context.Context, terminal *os.File, questions []*question, timeout time.Duration) (string, error) {
	var all, open strings.Builder
	buf := make([]byte, 4096)
	for {
		if timeout > 0 && ctx.Err() == nil {
			_ = terminal.SetReadDeadline(time.Now().Add(timeout))
		}
		n, err := terminal.Read(buf)
		all.Write(buf[:n])
		open.Write(buf[:n])
		for {
			q, end := nextQuestion(questions, open.String())
			if q == nil {
				break
			}
			rest := open.String()[end:]
			open.Reset()
			open.WriteString(rest)
			if len(q.answers) == 0 {
				return all.String(), modules.Failf("No remaining responses for '%s', output was '%s'", q.regex, all.String())
			}
			if _, err := terminal.WriteString(strings.TrimRight(q.answers[0], "\n") + "\n"); err != nil {
				return all.String(), err
			}
			if !q.again {
				q.answers = q.answers[1:]
			}
		}
		switch {
		case ctx.Err() != nil:
			return all.String(), ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return all.String(), modules.Failf("command exceeded timeout")
		case err != nil: // EIO: nobody has the terminal open any more
			return all.String(), nil
		}
	}
}

// nextQuestion is the one that matches first in the text.
func nextQuestion(questions []*question, text string) (first *question, end int) {
	begin := len(text) + 1
	for _, q := range questions {
		m, err := q.regex.Search(text)
		if err != nil || m == nil {
			continue
		}
		if s, e := m.Span(0); s < begin && e > s {
			first, begin, end = q, s, e
		}
	}
	return first, end
}
