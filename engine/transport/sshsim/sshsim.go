// Package sshsim is an SSH server in this process, for demonstrations and tests: it
// listens on the loopback interface, gives every server its own directory as home and runs
// commands as the current user. With an in-process runner a thousand hosts need no
// thousand processes. It is no server for the outside world.
package sshsim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options of a server. Without Password and Keys everybody may log in.
type Options struct {
	Dir      string          // the home directory; must exist
	Address  string          // to listen on; "" means 127.0.0.1 and any free port
	HostKey  ssh.Signer      // nil: a new one
	Password string          // accepted for every user
	Keys     []ssh.PublicKey // accepted for every user
	// Ask replaces the password method: it is asked for in keyboard-interactive.
	Ask bool
	// Runner, when set, serves the frames of runners in this process.
	Runner func(ctx context.Context, in io.Reader, out io.Writer) error
	// Shell runs command lines; nil means /bin/sh -c.
	Shell []string
	// Noise is printed before every command, as start-up files do.
	Noise string
	Env   []string // added to the environment of commands
	// NoSFTP refuses the sftp subsystem.
	NoSFTP bool
	// MaxSessions bounds the sessions of one connection; 0 means no bound.
	MaxSessions int
	// MaxStartups bounds the connections that are not logged in; more are closed at once.
	MaxStartups int
}

// Stats count what a server has seen.
type Stats struct{ Connections, Execs, Transfers, Refused int64 }

// Server is a running server.
type Server struct {
	opts   Options
	lis    net.Listener
	config *ssh.ServerConfig
	ctx    context.Context
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	closing                                          atomic.Bool
	connections, execs, transfers, refused, starting atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start starts a server.
func Start(o Options) (*Server, error) {
	if o.HostKey == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		if o.HostKey, err = ssh.NewSignerFromKey(key); err != nil {
			return nil, err
		}
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if len(o.Shell) == 0 {
		o.Shell = []string{"/bin/sh", "-c"}
	}
	lis, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, lis: lis, conns: map[net.Conn]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.config = s.serverConfig()
	s.tasks.Go(s.accept)
	return s, nil
}

func (s *Server) serverConfig() *ssh.ServerConfig {
	o := s.opts
	c := &ssh.ServerConfig{NoClientAuth: o.Password == "" && len(o.Keys) == 0}
	if len(o.Keys) > 0 {
		c.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			for _, k := range o.Keys {
				if bytes.Equal(k.Marshal(), key.Marshal()) {
					return nil, nil
				}
			}
			return nil, errors.New("unknown key")
		}
	}
	check := func(p string) (*ssh.Permissions, error) {
		if p != o.Password {
			return nil, errors.New("wrong password")
		}
		return nil, nil
	}
	switch {
	case o.Password != "" && o.Ask:
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(a) != 1 {
				return nil, errors.New("no answer")
			}
			return check(a[0])
		}
	case o.Password != "":
		c.PasswordCallback = func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) { return check(string(p)) }
	}
	c.AddHostKey(o.HostKey)
	return c
}

// Addr is where the server listens.
func (s *Server) Addr() *net.TCPAddr { return s.lis.Addr().(*net.TCPAddr) }

// HostKey is the server's public key.
func (s *Server) HostKey() ssh.PublicKey { return s.opts.HostKey.PublicKey() }

// KnownHostsLine is the server's line for known_hosts.
func (s *Server) KnownHostsLine() string {
	return fmt.Sprintf("[%s]:%d %s", s.Addr().IP, s.Addr().Port, ssh.MarshalAuthorizedKey(s.HostKey()))
}

// Stats tells what happened so far.
func (s *Server) Stats() Stats {
	return Stats{s.connections.Load(), s.execs.Load(), s.transfers.Load(), s.refused.Load()}
}

// Cut breaks all connections, as a failing network does.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// closeGrace is what processes get to end by themselves when their input has ended.
const closeGrace = 2 * time.Second

// Close ends the server and every process it started.
func (s *Server) Close() error {
	s.closing.Store(true)
	err := s.lis.Close()
	s.Cut()
	kill := time.AfterFunc(closeGrace, s.stop)
	s.tasks.Wait()
	kill.Stop()
	s.stop()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.lis.Accept()
		if err != nil {
			return
		}
		if limit := s.opts.MaxStartups; limit > 0 && s.starting.Load() >= int64(limit) {
			s.refused.Add(1)
			_ = c.Close()
			continue
		}
		s.starting.Add(1)
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.tasks.Go(func() {
			s.serve(c)
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			_ = c.Close()
		})
		if s.closing.Load() {
			_ = c.Close()
		}
	}
}

func (s *Server) serve(c net.Conn) {
	conn, chans, reqs, err := ssh.NewServerConn(c, s.config)
	s.starting.Add(-1)
	if err != nil {
		return
	}
	s.connections.Add(1)
	var sessions sync.WaitGroup
	var open atomic.Int64
	sessions.Go(func() { answerGlobal(reqs) })
	for nc := range chans {
		switch {
		case nc.ChannelType() == "direct-tcpip":
			sessions.Go(func() { forward(nc) })
		case nc.ChannelType() != "session":
			_ = nc.Reject(ssh.UnknownChannelType, "only sessions")
		case s.opts.MaxSessions > 0 && open.Load() >= int64(s.opts.MaxSessions):
			_ = nc.Reject(ssh.ConnectionFailed, "open failed")
		default:
			open.Add(1)
			ch, requests, err := nc.Accept()
			if err != nil {
				break
			}
			sessions.Go(func() {
				defer open.Add(-1)
				(&session{server: s, ch: ch}).serve(requests)
			})
		}
	}
	_ = conn.Close()
	sessions.Wait()
}

func answerGlobal(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.WantReply {
			_ = r.Reply(r.Type == "keepalive@openssh.com", nil)
		}
	}
}

// forward lets the server be a jump host, to addresses of this machine only.
func forward(nc ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(nc.ExtraData(), &to); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "bad request")
		return
	}
	ip := net.ParseIP(to.Host)
	if ip == nil || !ip.IsLoopback() {
		_ = nc.Reject(ssh.Prohibited, "loopback addresses only")
		return
	}
	out, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer func() { _ = out.Close() }()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(ch, out); _ = ch.CloseWrite() })
	both.Go(func() { _, _ = io.Copy(out, ch); _ = out.(*net.TCPConn).CloseWrite() })
	both.Wait()
	_ = ch.Close()
}

// startNonce finds the nonce in the command that starts a runner.
var startNonce = regexp.MustCompile(`^exec /bin/sh -c 'n=([0-9a-f]{24});`)

func environ(o Options) []string {
	return append([]string{"HOME=" + o.Dir, "PWD=" + o.Dir, "USER=" + os.Getenv("USER"), "LOGNAME=" + os.Getenv("USER"), "SHELL=/bin/sh",
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}, o.Env...)
}
