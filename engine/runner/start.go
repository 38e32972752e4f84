package runner

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fettle/engine/transport"
	"fettle/engine/transport/become"
	"fettle/engine/wire"
	"fettle/modules/serve"
)

// link is a running runner.
type link struct {
	account *Account
	client  *wire.Client
	hello   *wire.Hello
	read    sync.WaitGroup // the readers of stderr
	resumes atomic.Int64   // how often the connection was lost and made again

	mu     sync.Mutex // what follows changes when the connection is made again
	conn   transport.Conn
	proc   transport.Process
	stderr *tail
	past   string // how that went
}

// starter starts one runner on an open connection.
type starter struct {
	conn     transport.Conn
	account  *Account
	binaries *Binaries
	login    *wire.Hello // of the login user's runner, when becoming another; or nil
	keep     time.Duration
	pty      bool
	probe    bool

	nonce string
	plan  *become.Plan // nil without become
}

// errTryAgain asks for a second start with what has been learned from the first.
var errTryAgain = errors.New("try again")

// start starts the runner; a host that wants a terminal, or has a runner that cannot be
// executed (any more), is tried again in the way it needs.
func (s *starter) start(ctx context.Context) (*link, error) {
	for range 3 {
		l, err := s.once(ctx)
		if !errors.Is(err, errTryAgain) {
			return l, err
		}
	}
	return nil, unreachable(s.conn, "the runner does not start", nil)
}

func (s *starter) once(ctx context.Context) (*link, error) {
	s.nonce = nonce()
	command, err := s.command()
	if err != nil {
		return nil, err
	}
	proc, err := s.conn.Start(ctx, command, transport.StartOptions{PTY: s.pty})
	if err != nil {
		return nil, err
	}
	h := &handshake{starter: s, proc: proc, stderr: &tail{}, stdout: &tail{}, out: bufio.NewReader(proc.Stdout())}
	l, err := h.run(ctx)
	if err != nil {
		_ = proc.Kill()
		_ = proc.CloseStdin()
		h.reap()
		return nil, err
	}
	return l, nil
}

func nonce() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func (s *starter) script() string {
	x := startScript{Nonce: s.nonce, Binaries: s.binaries, Probe: s.probe, Self: s.self(), Keep: s.keepSeconds()}
	if s.login != nil {
		x.LoginDir, x.LoginUID = s.login.Dir, s.login.UID
	}
	return x.String()
}

func (s *starter) keepSeconds() int { return int((s.keep + time.Second - 1) / time.Second) }

// self is this program itself, for other users of this machine.
func (s *starter) self() string {
	if s.account.Target.Connection == "local" {
		return s.binaries.self
	}
	return ""
}

// command is what the login shell is given. With become it is only a few words, so that
// the logs of sudo stay readable: the script follows on the input.
func (s *starter) command() (string, error) {
	b := s.account.Become
	if b == nil {
		if self := s.self(); self != "" {
			return fmt.Sprintf(`exec %s %s %s "$PWD" %d`, become.Quote(self), serve.Word, s.nonce, s.keepSeconds()), nil
		}
		return "exec /bin/sh -c '" + s.script() + "'", nil
	}
	plan, err := become.Wrap(become.Options(*b), s.entry(), s.nonce)
	if err != nil {
		return "", err
	}
	s.plan = plan
	s.pty = s.pty || plan.PTY
	return "exec " + plan.Command, nil
}

// entry is run by the become program: it says that it is in and takes the script.
func (s *starter) entry() string {
	raw := ""
	if s.pty || become.OnTerminal(s.account.Become.Method) {
		raw = "stty raw -echo 2>/dev/null; "
	}
	return raw + `echo "` + entered + s.nonce + `"; read -r s; eval "$s"`
}

// entered starts the line that tells that become worked.
const entered = "fettle-become "

// handshake is the talk with the start script, up to the first frame.
type handshake struct {
	*starter
	proc     transport.Process
	out      *bufio.Reader
	stdout   *tail // noise
	stderr   *tail
	errs     sync.WaitGroup
	inside   bool // become worked, or is not wanted
	timedOut chan struct{}

	mu       sync.Mutex
	answered bool
	refused  error // what the become program thinks of the password
}

// startTimeout is the least time a host gets to start a runner, and waits for the next
// piece of it while it is placed.
const startTimeout = 30 * time.Second

func (s *starter) timeout() time.Duration {
	t := time.Duration(s.account.Target.Timeout) * time.Second
	if s.plan != nil {
		return max(t, 10*time.Second) + 2*time.Second // as Ansible
	}
	return max(t, startTimeout)
}

func (h *handshake) run(ctx context.Context) (*link, error) {
	h.inside = h.plan == nil
	h.timedOut = make(chan struct{})
	timer := time.AfterFunc(h.timeout(), func() {
		close(h.timedOut)
		_ = h.proc.Kill()
		_ = h.proc.CloseStdin()
	})
	defer timer.Stop()
	defer context.AfterFunc(ctx, func() { _ = h.proc.Kill() })()
	h.errs.Go(h.readStderr)
	for {
		word, rest, err := h.next()
		if err != nil {
			return nil, h.ended(ctx)
		}
		switch word {
		case entered:
			h.inside = true
			timer.Reset(startTimeout)
			if _, err := io.WriteString(h.proc, h.script()+"\n"); err != nil {
				return nil, h.ended(ctx)
			}
		case serve.Greeting:
			return h.greet(ctx)
		case placing:
			timer.Stop()
			if err := h.place(ctx, rest); err != nil {
				return nil, err
			}
			timer.Reset(startTimeout)
		case unsupported:
			return nil, unreachable(h.conn, h.binaries.unsupported(clean(rest)), nil)
		case failed:
			return nil, unreachable(h.conn, "cannot place the runner: "+strings.TrimPrefix(clean(rest), "; "), nil)
		}
	}
}

const (
	placing     = "fettle-place "
	unsupported = "fettle-unsupported "
	failed      = "fettle-failed "
)

// next reads up to the next line of ours; what else comes is noise of start-up files.
func (h *handshake) next() (word, rest string, err error) {
	var line []byte
	for {
		c, err := h.out.ReadByte()
		if err != nil {
			h.stdout.write(line)
			return "", "", err
		}
		if line = append(line, c); c == '\n' || len(line) > 16<<10 {
			if word, rest, ok := h.ours(line); ok {
				return word, rest, nil
			}
			h.stdout.write(line)
			line = line[:0]
		} else if h.out.Buffered() == 0 && !h.inside {
			if h.asked(append(h.stdout.bytes(), line...)) {
				line = line[:0]
			}
		}
	}
}

func (h *handshake) ours(line []byte) (word, rest string, ok bool) {
	for _, word := range []string{entered, serve.Greeting, placing, unsupported, failed} {
		if i := bytes.Index(line, []byte(word+h.nonce)); i >= 0 {
			return word, strings.TrimSpace(string(line[i+len(word)+len(h.nonce):])), true
		}
	}
	return "", "", false
}

// readStderr collects complaints, and answers sudo's question.
func (h *handshake) readStderr() {
	p := make([]byte, 512)
	for {
		n, err := h.proc.Stderr().Read(p)
		h.stderr.write(p[:n])
		if n > 0 {
			h.asked(h.stderr.bytes())
		}
		if err != nil {
			return
		}
	}
}

// asked answers a question for the password, once, and tells whether it did.
func (h *handshake) asked(output []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.plan == nil || h.refused != nil || !h.plan.Asks(output) {
		return false
	}
	password := h.account.Become.Password
	switch {
	case password == "":
		h.refused = become.Missing(h.plan.Method())
	case h.answered:
		h.refused = become.Incorrect(h.plan.Method())
	default:
		h.answered = true
		h.stderr.forget()
		h.stdout.forget()
		_, _ = io.WriteString(h.proc, password+"\n")
		return true
	}
	_ = h.proc.Kill()
	_ = h.proc.CloseStdin()
	return false
}

// place sends the runner that the script asks for.
func (h *handshake) place(ctx context.Context, request string) error {
	form, uname, _ := strings.Cut(request, " ")
	b := h.binaries.forUname(uname)
	if b == nil {
		return unreachable(h.conn, h.binaries.unsupported(clean(uname)), nil)
	}
	p, err := b.content(form == "gzip")
	if err != nil {
		return fmt.Errorf("cannot read the runner for %s: %w", clean(uname), err)
	}
	if _, err = fmt.Fprintf(h.proc, "%d %d %s\n", len(p), b.Size, b.SHA256); err == nil {
		_, err = h.proc.Write(p)
	}
	if err != nil {
		return h.ended(ctx)
	}
	return nil
}

// greet begins with the frames.
func (h *handshake) greet(ctx context.Context) (*link, error) {
	l := &link{account: h.account, conn: h.conn, proc: h.proc, stderr: h.stderr}
	l.client = wire.NewClient(h.out, h.proc)
	var err error
	if l.hello, err = l.client.Hello(ctx); err != nil {
		l.client.Close()
		_ = h.proc.Kill()
		_ = h.proc.CloseStdin()
		return nil, unreachable(h.conn, "the runner does not speak: "+err.Error(), err)
	}
	l.read.Go(h.errs.Wait)
	return l, nil
}

// reap waits for a process that was ended.
func (h *handshake) reap() {
	_, _ = io.Copy(io.Discard, h.out)
	h.errs.Wait()
	_, _ = h.proc.Wait()
}

// ended words why the process ended before its first frame.
func (h *handshake) ended(ctx context.Context) error {
	_ = h.proc.CloseStdin()
	h.errs.Wait()
	_, _ = io.Copy(io.Discard, h.out)
	code, waitErr := h.proc.Wait()
	h.mu.Lock()
	refused, answered := h.refused, h.answered
	h.mu.Unlock()
	output := h.output()
	select {
	case <-h.timedOut:
		if !h.inside {
			return become.TimedOut(int(h.timeout().Seconds()), output)
		}
		return unreachable(h.conn, fmt.Sprintf("the runner did not start within %v", h.timeout()), nil)
	default:
	}
	switch {
	case refused != nil:
		return refused
	case ctx.Err() != nil:
		return ctx.Err()
	case h.conn.Err() != nil:
		return unreachable(h.conn, "connection lost: "+h.conn.Err().Error(), h.conn.Err())
	case !h.inside && !h.pty && become.NeedsTTY(output):
		h.pty = true
		return errTryAgain
	case !h.inside:
		return h.plan.Failure(output, code, answered)
	case !h.probe && (code == 126 || code == 127 || code == 0 || code > 128):
		h.probe = true
		return errTryAgain
	}
	if output == "" && waitErr != nil {
		output = waitErr.Error()
	}
	return unreachable(h.conn, fmt.Sprintf("its login shell did not start the runner (exit code %d): %s", code, orNothing(output)), nil)
}

func orNothing(s string) string {
	if s == "" {
		return "it printed nothing"
	}
	return s
}

// output is what was printed, for messages; a password is never part of it.
func (h *handshake) output() string {
	s := strings.TrimSpace(clean(string(h.stderr.bytes()) + "\n" + string(h.stdout.bytes())))
	if b := h.account.Become; b != nil && b.Password != "" {
		s = strings.ReplaceAll(s, b.Password, "********")
	}
	return s
}

// clean makes text of a host fit for one line of a message.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "") + "…"
	}
	return s
}

func unreachable(c transport.Conn, msg string, err error) error {
	return &transport.UnreachableError{Msg: c.Description() + ": " + msg, Err: err}
}

// tail keeps the end of a stream.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 8 << 10

func (t *tail) write(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.b)
}

func (t *tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = nil
}
