package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Rules of the terminal: questions go to and come from /dev/tty, never standard input or
// output, so that both can be pipes. Without a terminal nothing is asked, but a password that
// was asked for may then come from standard input, as with Ansible.

// noQuestions: --cron was given.
var noQuestions atomic.Bool

// ask puts a question to the person at the terminal. ok is false when there is nobody, or
// when the time (0: for ever) ran out.
func ask(ctx context.Context, text string, echo bool, timeout time.Duration) (answer string, ok bool, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil && noQuestions.Load() {
		_ = tty.Close()
		err = os.ErrNotExist
	}
	if err != nil {
		return "", false, nil //nolint:nilerr // no terminal is no error
	}
	defer func() { _ = tty.Close() }()
	if _, err := io.WriteString(tty, text); err != nil {
		return "", false, err
	}
	if timeout > 0 {
		if err := tty.SetReadDeadline(time.Now().Add(timeout)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
			return "", false, err
		}
	}
	type reply struct {
		text string
		err  error
	}
	got := make(chan reply, 1)
	fd := int(tty.Fd())
	state, stateErr := term.GetState(fd)
	go func() {
		if !echo {
			b, err := term.ReadPassword(fd)
			fmt.Fprintln(tty)
			got <- reply{string(b), err}
			return
		}
		line, err := readLine(tty)
		got <- reply{line, err}
	}()
	select {
	case r := <-got:
		if errors.Is(r.err, os.ErrDeadlineExceeded) {
			return "", false, nil
		}
		if errors.Is(r.err, io.EOF) {
			return r.text, r.text != "", nil
		}
		return r.text, r.err == nil, r.err
	case <-ctx.Done():
		if stateErr == nil {
			_ = term.Restore(fd, state)
		}
		return "", false, ctx.Err()
	}
}

// readLine reads byte by byte, so that nothing behind the line is taken.
func readLine(r io.Reader) (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n == 1 {
			if one[0] == '\n' {
				return strings.TrimSuffix(b.String(), "\r"), nil
			}
			b.WriteByte(one[0])
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// askSecret asks for a password; having nobody to ask is an error that says what for.
func askSecret(ctx context.Context, text string) (string, error) {
	answer, ok, err := ask(ctx, text, false, 0)
	if err != nil {
		return "", err
	}
	if !ok && !noQuestions.Load() {
		answer, err = readLine(os.Stdin)
		ok = err == nil || errors.Is(err, io.EOF) && answer != ""
	}
	if !ok {
		return "", fmt.Errorf("cannot ask for %q: there is no terminal", strings.TrimSuffix(strings.TrimSpace(text), ":"))
	}
	return answer, nil
}
