package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// editDir is what folders with plain text are called, with the process behind it.
const editDir = "fettle-vault-"

// editInto shows plain text to an editor and writes what it leaves, encrypted.
func editInto(ctx context.Context, s *Streams, o *vaultCommand, encrypt func([]byte) ([]byte, error), name string, plain []byte) error {
	base := "/dev/shm"
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = os.TempDir()
	}
	wipeOrphans(base)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", editDir, os.Getpid())) // mode 0700
	if err != nil {
		return err
	}
	defer wipe(dir)
	file := filepath.Join(dir, filepath.Base(name))
	if err := os.WriteFile(file, plain, 0o600); err != nil {
		return err
	}
	if err := runEditor(ctx, s, o.editor, file); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if plain != nil && string(text) == string(plain) {
		return nil // unchanged: the file keeps its salt
	}
	out, err := encrypt(text)
	if err != nil {
		return err
	}
	return writePrivate(name, out)
}

// runEditor waits for the editor. An interrupt of the terminal is the editor's affair; a
// signal that ends this program ends the editor first, so that nothing stays behind.
func runEditor(ctx context.Context, s *Streams, editor, file string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Reset(syscall.SIGINT, syscall.SIGQUIT)
	words := strings.Fields(editor)
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return withCode(exitInterrupted, errors.New("interrupted; the file is as it was"))
	}
	if err != nil {
		return fmt.Errorf("the editor %s failed: %w", words[0], err)
	}
	return nil
}

// wipeOrphans removes what edits left that were killed.
func wipeOrphans(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, editDir+"*-*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), editDir), "-")
		n, err := strconv.Atoi(pid)
		info, serr := os.Lstat(dir)
		if err != nil || serr != nil || !info.IsDir() || n <= 0 {
			continue
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && int(st.Uid) == os.Getuid() && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			wipe(dir)
		}
	}
}

// wipe overwrites and removes every file of a directory (editors leave backups).
func wipe(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() {
			_ = os.WriteFile(p, make([]byte, info.Size()), 0o600)
		}
	}
	_ = os.RemoveAll(dir)
}
