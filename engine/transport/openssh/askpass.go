package openssh

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

// askpassVariable names the socket where the answers are.
const askpassVariable = "FETTLE_ASKPASS"

// Answer is the whole work of a process that ssh started to ask for a password, and tells
// whether this is one: it passes the question on to the process that started ssh, and
// prints its answer. Neither is an argument, an environment variable or a file.
func Answer(args []string, out io.Writer) (is bool, code int) {
	path := os.Getenv(askpassVariable)
	if path == "" || len(args) != 2 {
		return false, 0
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return true, 1
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprintf(c, "%s\x00%s\x00", os.Getenv("SSH_ASKPASS_PROMPT"), args[1]); err != nil {
		return true, 1
	}
	b, err := io.ReadAll(io.LimitReader(c, 64<<10))
	if err != nil || len(b) == 0 || b[0] != '+' {
		return true, 1
	}
	_, _ = fmt.Fprintf(out, "%s\n", b[1:])
	return true, 0
}

// questions answers those of one ssh and its children.
type questions struct {
	h       *host
	ctx     context.Context
	stop    context.CancelFunc
	lis     net.Listener
	asking  atomic.Int32
	serving sync.WaitGroup

	mu    sync.Mutex
	given map[string]bool // passwords and passphrases that were given already
}

func (h *host) listen(ctx context.Context) (*questions, error) {
	lis, err := net.Listen("unix", filepath.Join(h.dir, "a"))
	if err != nil {
		return nil, err
	}
	q := &questions{h: h, lis: lis, given: map[string]bool{}}
	q.ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx))
	q.serving.Go(q.serve)
	return q, nil
}

func (q *questions) close() {
	q.stop()
	_ = q.lis.Close()
	q.serving.Wait()
}

// open tells whether somebody is being asked.
func (q *questions) open() bool { return q.asking.Load() > 0 }

func (q *questions) serve() {
	for {
		c, err := q.lis.Accept()
		if err != nil {
			return
		}
		q.serving.Go(func() {
			defer context.AfterFunc(q.ctx, func() { _ = c.Close() })()
			defer func() { _ = c.Close() }()
			r := bufio.NewReader(io.LimitReader(c, 64<<10))
			kind, err1 := r.ReadString(0)
			text, err2 := r.ReadString(0)
			if err1 != nil || err2 != nil {
				return
			}
			if answer, ok := q.answer(strings.TrimSuffix(kind, "\x00"), strings.TrimSuffix(text, "\x00")); ok {
				_, _ = io.WriteString(c, "+"+answer)
			}
		})
	}
}

func (q *questions) answer(kind, text string) (string, bool) {
	t := q.h.t
	switch {
	case kind == "none": // a word to people, such as to touch the key
		_, _ = q.ask(text+" (press enter to go on)", true, "")
		return "", true
	case strings.HasPrefix(text, "Enter PIN for") && q.h.token() != "" && t.Password != "":
		return t.Password, q.first("PIN")
	case q.isPassword(text):
		return t.Password, t.Password != "" && q.first("password")
	case strings.HasPrefix(text, "Enter passphrase for") && t.KeyPassphrase != "" && q.first(text):
		return t.KeyPassphrase, true
	case strings.Contains(text, "continue connecting") || kind == "confirm":
		return q.ask(text, true, "")
	}
	return q.ask(text, false, text)
}

// isPassword tells whether the question is that of the host itself, and not of one on the
// way to it.
func (q *questions) isPassword(text string) bool {
	known := q.h.known
	for _, h := range []string{known["hostname"], known["hostkeyalias"], q.h.name} {
		who := known["user"] + "@" + h
		if h != "" && (strings.HasPrefix(text, who+"'s password") || strings.HasPrefix(text, "("+who+") ")) {
			return true
		}
	}
	direct := known["proxyjump"] == "" && known["proxycommand"] == ""
	return direct && strings.HasPrefix(strings.ToLower(text), "password")
}

// first tells whether something was not given before: what was wrong once stays wrong.
func (q *questions) first(what string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.given[what] {
		return false
	}
	q.given[what] = true
	return true
}

// ask asks people. What is remembered under a key is asked once for all hosts.
func (q *questions) ask(text string, echo bool, key string) (string, bool) {
	d := q.h.d
	if d.Ask == nil {
		return "", false
	}
	q.asking.Add(1)
	defer q.asking.Add(-1)
	d.one.Lock()
	defer d.one.Unlock()
	d.mu.Lock()
	known, there := d.copies[key]
	d.mu.Unlock()
	if there && key != "" && q.first("copy of "+key) {
		return known, true
	}
	a, ok, err := d.Ask(q.ctx, text, echo)
	if err != nil || !ok {
		return "", false
	}
	if key != "" {
		d.mu.Lock()
		if d.copies == nil {
			d.copies = map[string]string{}
		}
		d.copies[key] = a
		d.mu.Unlock()
	}
	return a, true
}
