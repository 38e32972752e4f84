// Package openssh connects with the ssh program of this machine, one master process a
// host, for what only OpenSSH does: GSSAPI, security keys, PKCS#11, forwardings.
package openssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"fettle/engine/transport"
	"fettle/engine/transport/program"
	"fettle/engine/transport/ssh"
)

// Dialer opens connections with the ssh program.
type Dialer struct {
	// Askpass is a program that calls Answer: ssh asks it for passwords.
	Askpass string
	// Ask asks for passphrases, PINs and new host keys; nil when nobody can be asked.
	Ask ssh.Ask

	mu     sync.Mutex
	one    sync.Mutex // one question at a time
	copies map[string]string
}

// loginTime is what logging in may take, beside the time people take to answer.
const loginTime = 60 * time.Second

// host is one host and how ssh is called for it.
type host struct {
	d       *Dialer
	t       *transport.Target
	program string
	dir     string // private: the control socket and that of the questions
	name    string // as the user named it
	args    []string
	known   map[string]string // what ssh -G says
	env     []string
}

// Dial starts a master process and waits until it is logged in.
func (d *Dialer) Dial(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	h := &host{d: d, t: t, name: t.Address}
	if h.name == "" {
		h.name = t.Name
	}
	c, err := h.dial(ctx)
	if err != nil {
		if h.dir != "" {
			_ = os.RemoveAll(h.dir)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &transport.UnreachableError{Msg: h.describe() + ": " + err.Error(), Err: err}
	}
	return c, nil
}

func (h *host) describe() string {
	if h.known == nil {
		return "openssh " + h.name
	}
	return fmt.Sprintf("openssh %s@%s:%s", h.known["user"], h.name, h.known["port"])
}

func (h *host) dial(ctx context.Context) (transport.Conn, error) {
	if strings.HasPrefix(h.name, "-") {
		return nil, fmt.Errorf("%q is no name of a host", h.name)
	}
	if h.t.PrivateKey != "" {
		return nil, errors.New("ansible_private_key is for the built-in client (connection ssh): put the key into a file or an agent")
	}
	var err error
	name := h.t.Var("ansible_ssh_executable")
	if name == "" {
		name = "ssh"
	}
	if h.program, err = exec.LookPath(name); err != nil {
		return nil, fmt.Errorf("the program %s is not there (package openssh-client)", name)
	}
	if err := ssh.CheckArgs(slices.Concat(h.t.SSHArgs, h.t.CommonArgs)); err != nil {
		return nil, err
	}
	if h.dir, err = os.MkdirTemp("", "fettle-"); err != nil { // mode 0700
		return nil, err
	}
	if err := h.prepare(ctx); err != nil {
		return nil, err
	}
	return h.master(ctx)
}

// prepare works out how ssh is called.
func (h *host) prepare(ctx context.Context) error {
	own := ssh.OwnOptions(h.t)
	own = append(own, "NumberOfPasswordPrompts=1")
	if p := h.token(); p != "" {
		own = append(own, "PKCS11Provider="+p)
		if h.t.Password != "" { // it is the PIN
			own = append(own, "PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "PreferredAuthentications=publickey")
		}
	}
	if h.t.Password == "" {
		own = append(own, "PasswordAuthentication=no", "KbdInteractiveAuthentication=no")
		if h.t.KeyPassphrase == "" && h.d.Ask == nil {
			own = append(own, "BatchMode=yes")
		}
	}
	h.args = append([]string{"-o", "ControlPath=" + h.socket(), "-o", "ControlPersist=no"}, h.t.SSHArgs...)
	for _, o := range own {
		h.args = append(h.args, "-o", o)
	}
	h.args = append(h.args, h.t.CommonArgs...)
	if err := h.look(ctx); err != nil {
		return err
	}
	if h.known["serveraliveinterval"] == "0" {
		h.args = append(h.args, "-o", "ServerAliveInterval=15")
	}
	h.env = append(os.Environ(), "SSH_ASKPASS="+h.d.Askpass, "SSH_ASKPASS_REQUIRE=force", askpassVariable+"="+filepath.Join(h.dir, "a"))
	if os.Getenv("DISPLAY") == "" {
		h.env = append(h.env, "DISPLAY=none") // ssh before 8.4 asks only with one
	}
	return nil
}

// token is the library that speaks with a PKCS#11 token, "" without one. With one the
// connection password is its PIN, as for Ansible.
func (h *host) token() string { return h.t.Var("ansible_ssh_pkcs11_provider") }

func (h *host) socket() string { return filepath.Join(h.dir, "c") }

// look asks ssh what it makes of its configuration.
func (h *host) look(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, h.program, slices.Concat([]string{"-G"}, h.args, []string{"--", h.name})...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("ssh does not take its configuration: %s", told(errs.Bytes(), err))
	}
	h.known = map[string]string{}
	for l := range strings.Lines(string(out)) {
		name, v, _ := strings.Cut(strings.TrimSpace(l), " ")
		if _, there := h.known[name]; !there {
			h.known[name] = v
		}
	}
	return nil
}

// told makes one line of what a program printed.
func told(stderr []byte, err error) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(stderr), "?")), " ")
	if s == "" && err != nil {
		return err.Error()
	}
	return s
}

// master starts the process that keeps the connection.
func (h *host) master(ctx context.Context) (transport.Conn, error) {
	q, err := h.listen(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(h.program, slices.Concat([]string{"-o", "ControlMaster=yes", "-N", "-T"}, h.args, []string{"--", h.name})...)
	cmd.Env = h.env
	p, err := program.Start(ctx, cmd, program.Options{})
	if err != nil {
		q.close()
		return nil, err
	}
	m := &conn{Conn: program.New(h.describe(), h.command), h: h, p: p, questions: q, ended: make(chan struct{})}
	m.Lent = true // to the master
	go m.watch()
	if err := m.await(ctx); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

// command is ssh for one command, through the master.
func (h *host) command(line string, terminal bool) *exec.Cmd {
	tty := "-T"
	if terminal {
		tty = "-tt"
	}
	cmd := exec.Command(h.program, slices.Concat([]string{"-o", "ControlMaster=no", "-o", "LogLevel=ERROR", tty}, h.args, []string{"--", h.name, line})...)
	cmd.Env = h.env
	return cmd
}

// conn is a connection with its master process.
type conn struct {
	*program.Conn
	h         *host
	p         transport.Process
	questions *questions
	closing   sync.Once
	ended     chan struct{} // closed when the master has ended
	errs      tail

	mu      sync.Mutex
	running map[transport.Process]bool
}

// Start runs a command; it ends with the master, even where ssh found another way.
func (c *conn) Start(ctx context.Context, command string, opts transport.StartOptions) (transport.Process, error) {
	p, err := c.Conn.Start(ctx, command, opts)
	if err != nil {
		return nil, err
	}
	x := &process{Process: p, c: c}
	c.mu.Lock()
	if c.running == nil {
		c.running = map[transport.Process]bool{}
	}
	c.running[x] = true
	c.mu.Unlock()
	if c.Err() != nil {
		_ = p.Kill()
	}
	return x, nil
}

// process is one that the connection knows of until it was waited for.
type process struct {
	transport.Process
	c *conn
}

func (p *process) Wait() (int, error) {
	code, err := p.Process.Wait()
	p.c.mu.Lock()
	delete(p.c.running, p)
	p.c.mu.Unlock()
	return code, err
}

// Put writes with the cat of the other side.
func (c *conn) Put(ctx context.Context, path string, mode uint32, size int64, content io.Reader) error {
	return transport.PutCat(ctx, c, path, mode, size, content)
}

// Get reads with the cat of the other side.
func (c *conn) Get(ctx context.Context, path string, to io.Writer) error {
	return transport.GetCat(ctx, c, path, to)
}

// watch waits for the end of the master.
func (c *conn) watch() {
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(io.Discard, c.p.Stdout()) })
	reading.Go(func() { _, _ = io.Copy(&c.errs, c.p.Stderr()) })
	reading.Wait()
	code, err := c.p.Wait()
	if err == nil {
		err = fmt.Errorf("exit code %d", code)
	}
	c.Fail(fmt.Errorf("ssh ended: %s", told(c.errs.bytes(), err)))
	c.mu.Lock()
	for p := range c.running {
		_ = p.Kill()
	}
	c.mu.Unlock()
	c.questions.close()
	_ = os.RemoveAll(c.h.dir)
	close(c.ended)
}

var errSlow = errors.New("the log-in was not done in time")

// await waits until the master is logged in: then it listens.
func (c *conn) await(ctx context.Context) error {
	limit := max(time.Duration(c.h.t.Timeout)*time.Second, loginTime)
	left := limit
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-c.Done():
			if e := c.errs.bytes(); len(e) > 0 {
				msg := told(e, nil)
				return errors.New(msg + knownKey(msg))
			}
			return c.Err()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if _, err := os.Stat(c.h.socket()); err == nil {
			return nil
		}
		if !c.questions.open() { // people take their time
			left -= pause
		}
		if left < 0 {
			return errSlow
		}
	}
}

// Close ends the master and waits for it.
func (c *conn) Close() error {
	c.closing.Do(func() {
		_ = c.Conn.Close()
		_ = c.p.CloseStdin()
		_ = c.p.Kill()
		<-c.ended
	})
	return nil
}

// tail keeps the end of a stream.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.b)
}
