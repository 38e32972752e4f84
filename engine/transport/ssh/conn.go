package ssh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"fettle/engine/transport"
	"fettle/engine/transport/sshconfig"
)

// conn is one SSH connection. When the server allows only so many sessions on it
// (MaxSessions), it opens another one for those that do not fit.
type conn struct {
	d    *Dialer
	s    *settings
	done chan struct{}

	mu      sync.Mutex
	clients []*ssh.Client
	err     error
}

func newConn(d *Dialer, s *settings, c *ssh.Client) *conn {
	x := &conn{d: d, s: s, done: make(chan struct{})}
	x.add(c)
	return x
}

func (c *conn) add(client *ssh.Client) {
	c.mu.Lock()
	c.clients = append(c.clients, client)
	c.mu.Unlock()
	if c.s.fwdAgent != "" {
		_ = agent.ForwardToRemote(client, c.s.fwdAgent)
	}
	go func() {
		err := client.Wait()
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("the host closed the connection")
		}
		c.fail(err)
	}()
	if c.s.alive > 0 {
		go keepAlive(client, c.s.alive, c.s.aliveMax, c.fail)
	}
}

// fail ends the connection with the first reason.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	clients := c.clients
	close(c.done)
	c.mu.Unlock()
	for _, x := range clients {
		_ = x.Close()
	}
}

// keepAlive asks the host for a sign of life; it calls fail when none comes. It ends with
// the connection.
func keepAlive(c *ssh.Client, every time.Duration, most int, fail func(error)) {
	gone := make(chan struct{})
	go func() { defer close(gone); _ = c.Wait() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	answered <- struct{}{}
	missed := 0
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
		}
		select {
		case <-answered:
			missed = 0
			go func() {
				if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err == nil {
					answered <- struct{}{}
				}
			}()
		default:
			if missed++; missed >= max(most, 1) {
				fail(fmt.Errorf("the host does not answer any more (for %v)", every*time.Duration(missed)))
				return
			}
		}
	}
}

func (c *conn) Description() string   { return c.s.describe() }
func (c *conn) Done() <-chan struct{} { return c.done }

func (c *conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *conn) Close() error {
	c.fail(errors.New("the connection was closed"))
	return nil
}

// channel opens a session, on another connection when this one takes no more.
func (c *conn) channel(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	c.mu.Lock()
	client, err := c.clients[len(c.clients)-1], c.err
	c.mu.Unlock()
	if err != nil {
		return nil, nil, c.lost(err)
	}
	ch, reqs, err := client.OpenChannel("session", nil)
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) && (refused.Reason == ssh.Prohibited || refused.Reason == ssh.ResourceShortage || refused.Reason == ssh.ConnectionFailed) {
		more, dialErr := c.d.connect(ctx, c.s)
		if dialErr != nil {
			return nil, nil, dialErr
		}
		c.add(more)
		if c.Err() != nil {
			_ = more.Close()
		}
		ch, reqs, err = more.OpenChannel("session", nil)
	}
	if err != nil {
		return nil, nil, c.lost(fmt.Errorf("cannot open a session: %w", err))
	}
	return ch, reqs, nil
}

func (c *conn) lost(err error) error {
	return &transport.UnreachableError{Msg: c.Description() + ": " + err.Error(), Err: err}
}

// Start runs a command line with the login shell.
func (c *conn) Start(ctx context.Context, command string, opts transport.StartOptions) (transport.Process, error) {
	ch, reqs, err := c.channel(ctx)
	if err != nil {
		return nil, err
	}
	p := newProcess(ch)
	go p.requests(reqs)
	if err := c.begin(p, command, opts); err != nil {
		_ = ch.Close()
		return nil, err
	}
	return p, nil
}

func (c *conn) begin(p *process, command string, opts transport.StartOptions) error {
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok && c.sends(k) {
			_, _ = p.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{k, v}))
		}
	}
	for _, kv := range c.s.setEnv {
		if k, v, ok := strings.Cut(kv, "="); ok {
			_, _ = p.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{k, v}))
		}
	}
	if c.s.fwdAgent != "" {
		_, _ = p.SendRequest("auth-agent-req@openssh.com", false, nil)
	}
	if opts.PTY {
		ok, err := p.SendRequest("pty-req", true, ssh.Marshal(ptyRequest{Term: "dumb", Columns: 200, Rows: 50, Modes: "\x35\x00\x00\x00\x00\x00"})) // ECHO off
		if err == nil && !ok {
			err = errors.New("the host gives no terminal, which this way to become another user needs")
		}
		if err != nil {
			return c.lost(err)
		}
	}
	ok, err := p.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	if err == nil && !ok {
		err = errors.New("the host runs no commands")
	}
	if err != nil {
		return c.lost(err)
	}
	return nil
}

type ptyRequest struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}

func (c *conn) sends(name string) bool {
	for _, p := range c.s.sendEnv {
		if sshconfig.Match(p, name) {
			return true
		}
	}
	return false
}

// process is a command in a channel of its own.
type process struct {
	ssh.Channel
	stdout *io.PipeReader
	stderr *io.PipeReader
	killed chan struct{}
	once   sync.Once
	ended  chan struct{} // closed when nothing more comes from the host
	code   int
	err    error

	input  sync.Mutex // held while writing
	closed bool       // the input has ended
	eof    atomic.Bool
}

// newProcess reads the channel through pipes: a read from a channel ends only when the
// host wants it, but Kill must end it in any case.
func newProcess(ch ssh.Channel) *process {
	p := &process{Channel: ch, killed: make(chan struct{}), ended: make(chan struct{})}
	p.stdout = pump(ch, 8<<10)
	p.stderr = pump(ch.Stderr(), 1<<10)
	return p
}

func pump(from io.Reader, size int) *io.PipeReader {
	r, w := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(w, from, make([]byte, size))
		_ = w.CloseWithError(err)
	}()
	return r
}

var errNoCode = errors.New("the host did not say how the command ended")

func (p *process) requests(reqs <-chan *ssh.Request) {
	defer close(p.ended)
	p.err = errNoCode
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			if len(r.Payload) >= 4 {
				p.code, p.err = int(binary.BigEndian.Uint32(r.Payload)), nil
			}
		case "exit-signal":
			var s struct {
				Signal     string
				CoreDumped bool
				Error      string
				Lang       string
			}
			if ssh.Unmarshal(r.Payload, &s) == nil {
				p.code, p.err = 128+signals[s.Signal], nil
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

var signals = map[string]int{"ABRT": 6, "ALRM": 14, "FPE": 8, "HUP": 1, "ILL": 4, "INT": 2, "KILL": 9, "PIPE": 13, "QUIT": 3, "SEGV": 11, "TERM": 15, "USR1": 10, "USR2": 12}

func (p *process) Stdout() io.Reader { return p.stdout }
func (p *process) Stderr() io.Reader { return p.stderr }

// Write writes to the standard input.
func (p *process) Write(b []byte) (int, error) {
	p.input.Lock()
	n, err := p.Channel.Write(b)
	p.input.Unlock()
	if p.eof.Load() {
		_ = p.endInput()
	}
	return n, err
}

// CloseStdin ends the input, after a write that is under way: a channel does not take
// both at once.
func (p *process) CloseStdin() error {
	p.eof.Store(true)
	return p.endInput()
}

func (p *process) endInput() error {
	if !p.input.TryLock() {
		return nil // whoever writes ends it
	}
	defer p.input.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	return p.CloseWrite()
}

func (p *process) Wait() (int, error) {
	select {
	case <-p.ended:
	case <-p.killed:
		select {
		case <-p.ended:
		case <-time.After(killGrace):
			return 0, errNoCode
		}
	}
	_ = p.Close()
	return p.code, p.err
}

// killGrace is how long after Kill the host may still tell the exit code.
const killGrace = time.Second

// Kill tells the host to end the command and closes the channel. sshd signals processes
// of all users but root; a command that reads its input or has a terminal ends anyway.
func (p *process) Kill() error {
	_, err := p.SendRequest("signal", false, ssh.Marshal(struct{ Signal string }{"TERM"}))
	err = errors.Join(err, p.Close())
	p.once.Do(func() { close(p.killed) })
	_ = p.stdout.CloseWithError(io.EOF)
	_ = p.stderr.CloseWithError(io.EOF)
	if errors.Is(err, io.EOF) {
		return nil // it has ended already
	}
	return err
}

// sftp opens the file transfer subsystem.
func (c *conn) sftp(ctx context.Context) (*sftp.Client, error) {
	ch, reqs, err := c.channel(ctx)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(reqs)
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	if err == nil && !ok {
		err = errNoSFTP
	}
	if err != nil {
		_ = ch.Close()
		return nil, err
	}
	x, err := sftp.NewClientPipe(ch, ch)
	if err != nil {
		_ = ch.Close()
		return nil, errNoSFTP
	}
	return x, nil
}

var errNoSFTP = errors.New("the host has no sftp")

// Put writes a file beside its place and renames it, over sftp or, without, with the
// host's cat.
func (c *conn) Put(ctx context.Context, name string, mode uint32, size int64, content io.Reader) error {
	tmp := path.Join(path.Dir(name), ".fettle-"+fmt.Sprint(time.Now().UnixNano()))
	x, err := c.sftp(ctx)
	if errors.Is(err, errNoSFTP) {
		return transport.PutCat(ctx, c, name, mode, size, content)
	}
	if err != nil {
		return err
	}
	defer func() { _ = x.Close() }()
	defer context.AfterFunc(ctx, func() { _ = x.Close() })()
	err = putSFTP(x, tmp, name, mode, content)
	if err != nil {
		_ = x.Remove(tmp)
	}
	return err
}

func putSFTP(x *sftp.Client, tmp, name string, mode uint32, content io.Reader) error {
	f, err := x.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(content)
	if err == nil {
		err = f.Chmod(os.FileMode(mode & 0o777))
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = x.PosixRename(tmp, name)
	}
	return err
}

// Get reads a file, over sftp or with the host's cat.
func (c *conn) Get(ctx context.Context, name string, to io.Writer) error {
	x, err := c.sftp(ctx)
	if errors.Is(err, errNoSFTP) {
		return transport.GetCat(ctx, c, name, to)
	}
	if err != nil {
		return err
	}
	defer func() { _ = x.Close() }()
	defer context.AfterFunc(ctx, func() { _ = x.Close() })()
	f, err := x.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = f.WriteTo(to)
	return err
}
