package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Source is where a vault password comes from: a file, an executable, or a prompt.
type Source struct {
	ID   string // "" when none is given
	From string // path, "prompt" or "prompt_ask_vault_pass"
}

// ParseSource reads the value of --vault-id: [id@]source.
func ParseSource(s string) Source {
	if id, from, ok := strings.Cut(s, "@"); ok {
		return Source{ID: id, From: from}
	}
	return Source{From: s}
}

// Asks tells that the password is asked from the user.
func (s Source) Asks() bool { return s.From == "prompt" || s.From == "prompt_ask_vault_pass" }

// Name is the vault id the password gets.
func (s Source) Name() string {
	if s.ID == "" {
		return DefaultID
	}
	return s.ID
}

// PromptText is the question for a password.
func (s Source) PromptText() string {
	if s.From == "prompt_ask_vault_pass" || s.ID == "" {
		return "Vault password: "
	}
	return "Vault password (" + s.ID + "): "
}

// AddSource gets a password from a source and adds it. ask shows a question and gives the
// hidden answer; it is called for prompts only. A password file may itself be a vault of a
// password that was added before.
func (s *Secrets) AddSource(ctx context.Context, src Source, ask func(question string) (string, error)) error {
	if src.Asks() {
		if ask == nil {
			return fmt.Errorf("the password of vault id %q cannot be asked here", src.Name())
		}
		answer, err := ask(src.PromptText())
		if err != nil {
			return fmt.Errorf("cannot read the password of vault id %q: %w", src.Name(), err)
		}
		return s.Add(src.ID, []byte(strings.TrimSpace(answer)))
	}
	password, err := s.readSource(ctx, src)
	if err != nil {
		return err
	}
	if len(password) == 0 {
		return fmt.Errorf("the vault password from %s is empty", src.From)
	}
	return s.Add(src.ID, password)
}

func (s *Secrets) readSource(ctx context.Context, src Source) ([]byte, error) {
	path := expand(src.From)
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("the vault password file %s was not found%w", path, notFound{err})
	case err != nil:
		return nil, fmt.Errorf("cannot read the vault password file: %w", err)
	case st.IsDir():
		return nil, fmt.Errorf("the vault password file %s is a directory", path)
	case st.Mode()&0o111 != 0:
		return runScript(ctx, path, src)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the vault password file: %w", err)
	}
	text = bytes.TrimSpace(text)
	if IsEncrypted(text) {
		if text, err = s.DecryptFile(path, text); err != nil {
			return nil, err
		}
		text = bytes.TrimSpace(text)
	}
	return text, nil
}

func expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			path = home + path[1:]
		}
	}
	path = os.ExpandEnv(path)
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// unknownID is the exit code of a client script that has no password for an id.
const unknownID = 2

// runScript takes the password from the output of an executable. A script whose name ends
// in -client is told the vault id.
func runScript(ctx context.Context, path string, src Source) ([]byte, error) {
	var args []string
	client := strings.HasSuffix(strings.TrimSuffix(path, filepath.Ext(path)), "-client")
	if client && src.ID != "" {
		args = []string{"--vault-id", src.ID}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &stdout, &stderr
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return bytes.Trim(stdout.Bytes(), "\r\n"), nil
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("cannot run the vault password script: %w", err)
	case client && exit.ExitCode() == unknownID:
		return nil, fmt.Errorf("the vault password script %s has no password for vault id %q: %s", path, src.Name(), lastLine(stderr.String()))
	}
	return nil, fmt.Errorf("the vault password script %s ended with code %d: %s", path, exit.ExitCode(), lastLine(stderr.String()))
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// notFound marks an error without adding to its text.
type notFound struct{ error }

func (notFound) Error() string   { return "" }
func (e notFound) Unwrap() error { return e.error }
