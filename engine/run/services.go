package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Find searches a file of the controller as Ansible does: below each directory of the
// search path in the folder of its kind, then beside it.
func (s *services) Find(kind, name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("Could not find file on the controller: its name is empty")
	}
	name = expandHome(name)
	if filepath.IsAbs(name) {
		if _, err := os.Stat(name); err != nil {
			return "", notFound(name, nil, err)
		}
		return name, nil
	}
	var tried []string
	for _, dir := range s.u.task.Search {
		for _, p := range []string{filepath.Join(dir, kind, name), filepath.Join(dir, name)} {
			if _, err := os.Stat(p); err == nil {
				return p, nil
			}
			tried = append(tried, p)
		}
	}
	return "", notFound(name, tried, fs.ErrNotExist)
}

func notFound(name string, tried []string, err error) error {
	msg := fmt.Sprintf("Could not find or access '%s'", name)
	if len(tried) > 0 {
		msg += "\nSearched in:\n\t" + strings.Join(tried, "\n\t")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s on the Ansible Controller: %w", msg, err)
	}
	return &notFoundError{msg + " on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option"}
}

// notFoundError tells in Ansible's words that the controller has no such file.
type notFoundError struct{ msg string }

func (e *notFoundError) Error() string        { return e.msg }
func (e *notFoundError) Is(target error) bool { return target == fs.ErrNotExist }

func (s *services) ReadFile(path string) ([]byte, bool, error) { return s.u.r.Expander.ReadFile(path) }

func (s *services) LoadVars(path string) (*value.Vars, error) {
	return s.u.r.Expander.LoadVarsFile(path)
}

func (s *services) Prompt(ctx context.Context, text string, echo bool, timeout int) (string, bool, error) {
	if s.u.r.Ask == nil {
		return "", false, nil
	}
	return s.u.r.Ask(ctx, text, echo, time.Duration(timeout)*time.Second)
}

func (s *services) Warn(d *diag.Diagnostic) { s.u.r.warnOnce(d.At, d.Summary) }

func resolvePath(dir, name string) string {
	name = expandHome(name)
	if filepath.IsAbs(name) {
		return name
	}
	for _, p := range []string{filepath.Join(dir, "vars", name), filepath.Join(dir, name)} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return filepath.Join(dir, name)
}

// timeout is the timeout keyword.
func (u *turn) timeout() (time.Duration, error) {
	v, err := u.rendered(u.task.Timeout, int64(u.r.TaskTimeout))
	if err != nil {
		return 0, fmt.Errorf("timeout: %w", err)
	}
	f, err := number(v)
	if err != nil {
		return 0, fmt.Errorf("timeout: %w", err)
	}
	return time.Duration(f * float64(time.Second)), nil
}
