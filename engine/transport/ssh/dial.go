package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"fettle/engine/transport"
	"fettle/engine/transport/sshconfig"
)

// Dialer opens SSH connections. The zero value is ready; one is used for a whole run, as
// it keeps what hosts share: configuration, keys, known hosts and the way through jump
// hosts.
type Dialer struct {
	// Program connects with the ssh program, where what is configured needs it; nil when
	// there is none.
	Program transport.Dialer
	// Ask asks for passphrases and new host keys; nil when nobody can be asked.
	Ask Ask

	files  sshconfig.Files
	known  knownHosts
	keys   keyring
	gates  gates
	asking sync.Mutex

	mu     sync.Mutex
	jumps  map[string]*jump
	closed bool
}

// jump is an open connection to a jump host, shared by all hosts behind it.
type jump struct {
	ready  chan struct{}
	client *ssh.Client
	err    error
}

// Dial connects and logs in.
func (d *Dialer) Dial(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	if p := t.Var("ansible_ssh_executable"); p != "" && p != "ssh" && d.Program != nil {
		return d.Program.Dial(ctx, t)
	}
	s, err := d.resolve(ctx, t)
	if err == nil && t.Var("ansible_ssh_pkcs11_provider") != "" {
		err = &ProgramError{"ansible_ssh_pkcs11_provider"}
	}
	var client *ssh.Client
	if err == nil {
		if client, err = d.connect(ctx, s); err == nil {
			return newConn(d, s, client), nil
		}
	}
	var need *ProgramError
	var auth *authError
	if d.Program != nil && (errors.As(err, &need) || errors.As(err, &auth) && auth.program) {
		return d.Program.Dial(ctx, t)
	}
	if ctx.Err() != nil || transport.IsUnreachable(err) {
		return nil, err
	}
	return nil, &transport.UnreachableError{Msg: err.Error(), Err: err}
}

// Close ends the connections to jump hosts.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	jumps := d.jumps
	d.jumps = nil
	d.mu.Unlock()
	for _, j := range jumps {
		<-j.ready
		if j.err == nil {
			_ = j.client.Close()
		}
	}
	return nil
}

// Connecting is tried again: as often as asked for when the host cannot be reached, and
// for a good while when it is there but turns us away before its first word. That is what
// sshd does to whom come too many at once (MaxStartups).
const (
	busyTries  = 25
	abortTries = 3
)

func (d *Dialer) connect(ctx context.Context, s *settings) (*ssh.Client, error) {
	retries, busy := 0, 0
	for {
		client, err := d.attempt(ctx, s)
		if err == nil {
			return client, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var turned *turnedAwayError
		switch {
		case errors.As(err, &turned) && busy < turned.tries:
			busy++
			pause(ctx, 100*time.Millisecond*time.Duration(min(busy, 10)))
		case canRetry(err) && retries < s.retries:
			retries++
			pause(ctx, time.Second*time.Duration(min(retries, 5)))
		default:
			return nil, &transport.UnreachableError{Msg: s.describe() + ": " + err.Error(), Err: err}
		}
	}
}

// pause waits about t, never less than half of it.
func pause(ctx context.Context, t time.Duration) {
	select {
	case <-time.After(t/2 + rand.N(t)):
	case <-ctx.Done():
	}
}

// describe is for messages: ssh admin@web1:22.
func (s *settings) describe() string {
	return "ssh " + s.user + "@" + net.JoinHostPort(s.alias, strconv.Itoa(s.port))
}

// turnedAwayError is a connection that was accepted and closed before the protocol began,
// or soon after.
type turnedAwayError struct {
	said  string // in place of the protocol
	tries int    // so often it may help to come again
	err   error
}

func (e *turnedAwayError) Error() string {
	if e.said != "" {
		return "the host closes new connections at once, saying " + strconv.Quote(e.said)
	}
	return "the host closes new connections at once (is it overloaded, or are we banned?): " + e.err.Error()
}
func (e *turnedAwayError) Unwrap() error { return e.err }

// canRetry excludes what another try cannot change.
func canRetry(err error) bool {
	var key *HostKeyError
	var auth *authError
	var need *ProgramError
	return !errors.As(err, &key) && !errors.As(err, &auth) && !errors.As(err, &need) && !errors.Is(err, errCircle)
}

// gates bound the connections that are being opened, per server and in all: sshd drops
// new ones at random when 10 are not logged in yet.
type gates struct {
	mu  sync.Mutex
	by  map[string]chan struct{}
	all chan struct{}
}

const (
	perServer = 8
	perRun    = 50
)

func (g *gates) enter(ctx context.Context, server string) (leave func(), err error) {
	g.mu.Lock()
	if g.all == nil {
		g.all, g.by = make(chan struct{}, perRun), map[string]chan struct{}{}
	}
	gate := g.by[server]
	if gate == nil {
		gate = make(chan struct{}, perServer)
		g.by[server] = gate
	}
	g.mu.Unlock()
	for i, c := range []chan struct{}{gate, g.all} {
		select {
		case c <- struct{}{}:
		case <-ctx.Done():
			if i == 1 {
				<-gate
			}
			return nil, ctx.Err()
		}
	}
	return func() { <-g.all; <-gate }, nil
}

// attempt connects and logs in once.
func (d *Dialer) attempt(ctx context.Context, s *settings) (*ssh.Client, error) {
	hop, err := d.through(ctx, s)
	if err != nil {
		return nil, err
	}
	leave, err := d.gates.enter(ctx, strings.Join(s.jump, ",")+" "+s.proxyCommand+" "+s.address())
	if err != nil {
		return nil, err
	}
	defer leave()
	raw, err := s.open(ctx, hop)
	if err != nil {
		return nil, err
	}
	client, err := d.handshake(ctx, s, raw)
	if err != nil {
		_ = raw.Close()
	}
	return client, err
}

// open makes the byte stream to the SSH server.
func (s *settings) open(ctx context.Context, hop *ssh.Client) (net.Conn, error) {
	if s.proxyCommand != "" {
		return s.proxy()
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var c net.Conn
	var err error
	if hop != nil {
		c, err = hop.DialContext(ctx, s.network, s.address())
	} else {
		nd := net.Dialer{}
		if s.bind != "" {
			nd.LocalAddr = &net.TCPAddr{IP: net.ParseIP(s.bind)}
		}
		c, err = nd.DialContext(ctx, s.network, s.address())
	}
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return nil, fmt.Errorf("cannot connect to %s: no answer within %v", s.address(), s.timeout)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	return c, nil
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// loginTime is what key exchange and log-in may take at least: hosts may be slow to look
// users up.
const loginTime = 30 * time.Second

// authError is a refusal to let us in.
type authError struct {
	msg     string
	program bool // the ssh program has further ways
}

func (e *authError) Error() string { return e.msg }

func (d *Dialer) handshake(ctx context.Context, s *settings, raw net.Conn) (*ssh.Client, error) {
	v, err := d.known.verifier(s)
	if err != nil {
		return nil, err
	}
	// Not every connection has deadlines: one that takes too long is closed.
	late := make(chan struct{})
	limit := max(s.timeout, loginTime)
	timer := time.AfterFunc(limit, func() { close(late); _ = raw.Close() })
	defer timer.Stop()
	ask := &asker{ask: d.Ask, one: &d.asking, clock: timer, limit: limit}
	v.ctx, v.ask = ctx, ask
	l := &login{ctx: ctx, s: s, keys: &d.keys, ask: ask, late: late}
	defer l.close()
	cfg := s.clientConfig(v)
	cfg.Auth = l.methods()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	counted := &countingConn{Conn: raw}
	conn, chans, reqs, err := ssh.NewClientConn(counted, s.address(), cfg)
	if err != nil {
		select {
		case <-late:
			return nil, fmt.Errorf("the log-in was not done within %v%s", limit, l.because())
		default:
		}
		return nil, s.handshakeError(err, l, len(cfg.Auth), counted)
	}
	return ssh.NewClient(conn, chans, reqs), nil
}

// countingConn notes what came before the protocol began, and whether it did.
type countingConn struct {
	net.Conn
	mu    sync.Mutex
	first []byte // at most maxFirst of what came first
}

const maxFirst = 512

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.mu.Lock()
		if room := maxFirst - len(c.first); room > 0 {
			c.first = append(c.first, p[:min(n, room)]...)
		}
		c.mu.Unlock()
	}
	return n, err
}

// greeting tells whether the host said that it speaks the protocol, and what it said if not.
func (c *countingConn) greeting() (spoke bool, said string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.HasPrefix(c.first, []byte("SSH-")) || bytes.Contains(c.first, []byte("\nSSH-")) {
		return true, ""
	}
	return false, strings.Join(strings.Fields(strings.ToValidUTF8(string(c.first), "?")), " ")
}

// closed tells whether the other side went away.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (s *settings) handshakeError(err error, l *login, methods int, c *countingConn) error {
	var key *HostKeyError
	if errors.As(err, &key) {
		return key
	}
	text := err.Error()
	switch spoke, said := c.greeting(); {
	case !spoke && closed(err):
		return &turnedAwayError{said, busyTries, err}
	case closed(err) && !strings.Contains(text, "unable to authenticate"):
		return &turnedAwayError{"", abortTries, err}
	}
	if !strings.Contains(text, "unable to authenticate") && !strings.Contains(text, "Too many authentication failures") {
		return fmt.Errorf("%s", strings.TrimPrefix(text, "ssh: "))
	}
	msg := "the host does not let " + s.user + " in"
	if _, tried, ok := strings.Cut(text, "attempted methods ["); ok {
		tried, _, _ = strings.Cut(tried, "]")
		tried = strings.Join(withoutNone(strings.Fields(tried)), ", ")
		if tried != "" {
			msg += " (tried: " + tried + ")"
		}
	}
	if strings.Contains(text, "Too many authentication failures") {
		msg += ": too many keys were offered (name the right one, or set IdentitiesOnly)"
	}
	if methods == 0 {
		msg += ": there is no key and no password to try"
	}
	return &authError{msg + l.because(), l.program || len(s.elsewhere) > 0}
}

func withoutNone(words []string) (out []string) {
	for _, w := range words {
		if w != "none" {
			out = append(out, w)
		}
	}
	return out
}

func (s *settings) clientConfig(v *verifier) *ssh.ClientConfig {
	cfg := &ssh.ClientConfig{User: s.user, HostKeyCallback: v.check, ClientVersion: "SSH-2.0-fettle", HostKeyAlgorithms: v.algorithms(s.hostAlgs)}
	cfg.Ciphers, cfg.KeyExchanges, cfg.MACs = s.ciphers, s.kex, s.macs
	return cfg
}

// through opens the jump hosts on the way and returns the last one; nil when there is none.
func (d *Dialer) through(ctx context.Context, s *settings) (*ssh.Client, error) {
	if len(s.jump) == 0 {
		return nil, nil
	}
	key := s.way()
	if slices.Contains(s.via, key) { // it would wait for itself
		return nil, errCircle
	}
	d.mu.Lock()
	j := d.jumps[key]
	if j == nil || j.over() {
		if d.closed {
			d.mu.Unlock()
			return nil, net.ErrClosed
		}
		j = &jump{ready: make(chan struct{})}
		if d.jumps == nil {
			d.jumps = map[string]*jump{}
		}
		d.jumps[key] = j
		d.mu.Unlock()
		j.client, j.err = d.openJump(ctx, s)
		close(j.ready)
	} else {
		d.mu.Unlock()
	}
	select {
	case <-j.ready:
		return j.client, j.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errCircle = errors.New("the way to it leads in a circle (ProxyJump)")

// over tells whether a new connection is needed; the dialer's lock is held.
func (j *jump) over() bool {
	select {
	case <-j.ready:
	default:
		return false
	}
	if j.err != nil {
		return true
	}
	_, _, err := j.client.SendRequest("keepalive@openssh.com", false, nil)
	return err != nil
}

func (d *Dialer) openJump(ctx context.Context, s *settings) (*ssh.Client, error) {
	last := len(s.jump) - 1
	hop, err := d.hop(ctx, s, s.jump[last])
	if err != nil {
		return nil, fmt.Errorf("jump host %s: %w", s.jump[last], err)
	}
	if last > 0 {
		hop.jump, hop.proxyCommand = s.jump[:last], ""
	}
	hop.retries, hop.timeout = s.retries, s.timeout
	c, err := d.connect(ctx, hop)
	if err != nil {
		return nil, fmt.Errorf("jump host %s: %w", s.jump[last], err)
	}
	if hop.alive > 0 {
		go keepAlive(c, hop.alive, hop.aliveMax, func(error) { _ = c.Close() })
	}
	return c, nil
}

// hop are the settings of a jump host: those of ssh's own files, as ssh passes nothing on
// to it.
func (d *Dialer) hop(ctx context.Context, s *settings, jump string) (*settings, error) {
	spec := strings.TrimSuffix(strings.TrimPrefix(jump, "ssh://"), "/")
	q := sshconfig.Query{File: s.file}
	if i := strings.LastIndexByte(spec, '@'); i >= 0 {
		q.Args, spec = append(q.Args, sshconfig.Arg("User", spec[:i])), spec[i+1:]
	}
	host, port, err := net.SplitHostPort(spec)
	if err != nil {
		host, port = strings.Trim(spec, "[]"), ""
	}
	if q.Host = host; port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q is no port", port)
		}
		q.Args = append(q.Args, "Port="+port)
	}
	hop, err := d.resolveHost(ctx, q)
	if err != nil {
		return nil, err
	}
	hop.via = append(slices.Clone(s.via), s.way())
	return hop, nil
}

// way names the jump hosts on the way.
func (s *settings) way() string { return strings.Join(s.jump, ",") + "\x00" + s.file }

// proxy runs the ProxyCommand and talks through it.
func (s *settings) proxy() (net.Conn, error) {
	cmd := exec.Command("/bin/sh", "-c", "exec "+s.proxyCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = nil
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("cannot run the ProxyCommand: %w", err)
	}
	return &proxyConn{in: in, out: out, cmd: cmd}, nil
}

// proxyConn is a connection through the pipes of a command.
type proxyConn struct {
	in   io.WriteCloser
	out  *os.File
	cmd  *exec.Cmd
	once sync.Once
}

func (p *proxyConn) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *proxyConn) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *proxyConn) Close() error {
	p.once.Do(func() {
		_ = p.in.Close()
		_ = p.out.Close()
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
		kill := time.AfterFunc(2*time.Second, func() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) })
		_ = p.cmd.Wait()
		kill.Stop()
	})
	return nil
}

func (p *proxyConn) LocalAddr() net.Addr              { return proxyAddr{} }
func (p *proxyConn) RemoteAddr() net.Addr             { return proxyAddr{} }
func (p *proxyConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (p *proxyConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (p *proxyConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

type proxyAddr struct{}

func (proxyAddr) Network() string { return "proxy" }
func (proxyAddr) String() string  { return "0.0.0.0:0" }
