package commands

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"fettle/modules"
)

// script's controller half finds the file the first word of the free form names (under
// files/ of the role, beside the playbook; decrypted) and offers it as the source
// "script"; the arguments go to the host unchanged. The first word is replaced by the
// place the source is written to, the rest is the shell's.
func init() {
	modules.Register(modules.Spec{
		Name:     "ansible.builtin.script",
		Summary:  "Send a script to the host and run it there.",
		Check:    modules.Partial,
		FreeForm: "_raw_params",
		Notes:    []string{"In check mode the script does not run; with creates or removes the answer is a prediction, without them the task is skipped."},
		Examples: `
- name: Run a script with arguments, once
  ansible.builtin.script: /some/local/script.sh --some-argument 1234
  args:
    creates: /the/created/file.txt

- name: Run it with an interpreter
  ansible.builtin.script: some/script.pl
  args:
    executable: /usr/bin/perl
`,
	}, script)
}

type scriptArgs struct {
	Raw        string `arg:"_raw_params" alias:"cmd,free_form" doc:"Path of the script on the controller, and its arguments."`
	Chdir      string `arg:"chdir" doc:"Folder to run in."`
	Creates    string `arg:"creates" doc:"Path; when it exists the script is not run."`
	Removes    string `arg:"removes" doc:"Path; when it does not exist the script is not run."`
	Executable string `arg:"executable" doc:"Interpreter to run the script with."`
	Decrypt    bool   `arg:"decrypt" default:"true" doc:"Decrypt a vault file first."`
}

type scriptReturn struct {
	Rc          int      `json:"rc" doc:"Exit code." returned:"always"`
	Stdout      string   `json:"stdout" doc:"The output." returned:"always"`
	Stderr      string   `json:"stderr" doc:"The error output." returned:"always"`
	StdoutLines []string `json:"stdout_lines" doc:"The output by lines." returned:"always"`
	StderrLines []string `json:"stderr_lines" doc:"The error output by lines." returned:"always"`
}

func script(ctx context.Context, h *modules.Host, a scriptArgs) (r modules.Result[*scriptReturn], err error) {
	if a.Creates != "" && anyMatch(a.Chdir, h.ExpandWord(a.Creates)) {
		r.Skipped, r.Msg = true, a.Creates+" exists, matching creates option"
		return r, nil
	}
	if a.Removes != "" && !anyMatch(a.Chdir, h.ExpandWord(a.Removes)) {
		r.Skipped, r.Msg = true, a.Removes+" does not exist, matching removes option"
		return r, nil
	}
	if h.Check {
		if a.Creates == "" && a.Removes == "" {
			r.Skipped, r.Msg = true, "Check mode is not supported for this task."
			return r, nil
		}
		r.Changed = true
		return r, nil
	}
	first, rest := cutWord(a.Raw)
	path, err := placeScript(ctx, h, first)
	if err != nil {
		return r, err
	}
	line := modules.Sh(path) + rest
	if a.Executable != "" {
		line = a.Executable + " " + line
	}
	out, err := h.Run(ctx, modules.Command{Shell: line, Dir: h.ExpandWord(a.Chdir), Live: true})
	if err != nil {
		return r, err
	}
	r.Changed = true
	r.Data = &scriptReturn{Rc: out.RC, Stdout: string(out.Stdout), Stderr: string(out.Stderr)}
	r.Data.StdoutLines, r.Data.StderrLines = Lines(r.Data.Stdout), Lines(r.Data.Stderr)
	if out.RC != 0 {
		return r, modules.Failf("non-zero return code")
	}
	return r, nil
}

// cutWord splits the first word, quotes included, off a shell line.
func cutWord(line string) (word, rest string) {
	line = strings.TrimSpace(line)
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '\\':
			i++
		case c == ' ' || c == '\t' || c == '\n':
			return line[:i], line[i:]
		}
	}
	return line, ""
}

// placeScript writes the source into a private folder under its own name, since scripts
// look at $0.
func placeScript(ctx context.Context, h *modules.Host, word string) (string, error) {
	src, ok := h.Sources["script"]
	if !ok {
		return "", errors.New("the controller sent no script")
	}
	dir, err := h.TempDir()
	if err != nil {
		return "", err
	}
	name := filepath.Base(src.Name)
	if words, err := modules.SplitWords(word); err == nil && len(words) == 1 {
		name = filepath.Base(words[0])
	}
	if name == "/" || name == "." || name == ".." {
		name = "script"
	}
	path := filepath.Join(dir, name)
	in, err := src.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700) //nolint:gosec // it is run
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(f, in); err != nil {
		_ = f.Close()
		return "", err
	}
	return path, f.Close()
}
