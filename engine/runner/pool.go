package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"fettle/engine/transport"
	"fettle/engine/wire"
)

// Options of a pool.
type Options struct {
	// Dialers by the name of the connection (ssh, local); those that are an io.Closer are
	// closed with the pool.
	Dialers map[string]transport.Dialer
	// Binaries are the runners that can be placed; see Embedded.
	Binaries *Binaries
	// Reconnect is how long a lost host is tried again while calls run there; the host keeps
	// them running a little longer. 0: their outcome is unknown at once.
	Reconnect time.Duration
	// Lock, when set, keeps other runs from the accounts that this one works as.
	Lock *Lock
}

// Runners is the Pool over connections and runner processes.
type Runners struct {
	opts  Options
	ctx   context.Context // ends with the pool
	stop  context.CancelFunc
	tasks sync.WaitGroup // whatever connects or starts

	mu     sync.Mutex
	closed bool
	conns  map[string]*shared[transport.Conn]
	links  map[string]*shared[*link]
	past   wire.Stats // of runners that are gone
}

var _ Pool = (*Runners)(nil)

// New makes a pool; nothing is connected before it is needed.
func New(o Options) *Runners {
	ctx, stop := context.WithCancel(context.Background())
	return &Runners{opts: o, ctx: ctx, stop: stop, conns: map[string]*shared[transport.Conn]{}, links: map[string]*shared[*link]{}}
}

// shared is something that one goroutine makes and many wait for.
type shared[T any] struct {
	ready chan struct{}
	value T
	err   error
	host  string // key of the target
}

func (s *shared[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-s.ready:
	default:
		select {
		case <-s.ready:
		case <-ctx.Done():
			var zero T
			return zero, ctx.Err()
		}
	}
	return s.value, s.err
}

// alive tells whether it is still being made, or made and not over.
func (s *shared[T]) alive(over func(T) <-chan struct{}) bool {
	select {
	case <-s.ready:
	default:
		return true
	}
	if s.err != nil {
		return false
	}
	select {
	case <-over(s.value):
		return false
	default:
		return true
	}
}

var errClosed = errors.New("the run is over")

func (p *Runners) conn(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	key := t.Key()
	p.mu.Lock()
	s := p.conns[key]
	if s == nil || !s.alive(transport.Conn.Done) {
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed
		}
		s = &shared[transport.Conn]{ready: make(chan struct{}), host: key}
		p.conns[key] = s
		p.tasks.Go(func() {
			defer close(s.ready)
			s.value, s.err = p.dial(t)
		})
	}
	p.mu.Unlock()
	return s.wait(ctx)
}

func (p *Runners) dial(t *transport.Target) (transport.Conn, error) {
	d := p.opts.Dialers[t.Connection]
	if d == nil {
		return nil, fmt.Errorf("connection %q is not supported", t.Connection)
	}
	return d.Dial(p.ctx, t)
}

func accountKey(a *Account) string {
	if a.Become == nil {
		return a.Target.Key()
	}
	b := a.Become
	return fmt.Sprintf("%s become %q %q %q %q", a.Target.Key(), b.Method, b.User, b.Exe, b.Flags)
}

func (p *Runners) link(ctx context.Context, a *Account) (*link, error) {
	key := accountKey(a)
	p.mu.Lock()
	s := p.links[key]
	if s == nil || !s.alive((*link).done) {
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed
		}
		old := s
		s = &shared[*link]{ready: make(chan struct{}), host: a.Target.Key()}
		p.links[key] = s
		p.tasks.Go(func() {
			defer close(s.ready)
			if old != nil && old.err == nil {
				p.end(old.value)
			}
			s.value, s.err = p.start(a)
		})
	}
	p.mu.Unlock()
	return s.wait(ctx)
}

func (l *link) done() <-chan struct{} { return l.client.Done() }

func (p *Runners) start(a *Account) (*link, error) {
	for try := 1; ; try++ {
		conn, err := p.conn(p.ctx, a.Target)
		if err != nil {
			return nil, err
		}
		l, err := p.startOn(p.ctx, conn, a)
		if err == nil {
			if err := p.lockAccount(p.ctx, l); err != nil {
				p.end(l)
				return nil, err
			}
			l.client.OnLost(func(err error) { p.lost(l, err) })
			return l, nil
		}
		if try == startTries || p.opts.Reconnect <= 0 || !brokeOff(p.ctx, conn, err) {
			return nil, err
		}
	}
}

// startTries is how often a runner is started when the connection breaks meanwhile: nothing
// has been run yet.
const startTries = 3

// brokeOff tells whether err comes from the loss of the connection; it waits a moment before
// the next try.
func brokeOff(ctx context.Context, conn transport.Conn, err error) bool {
	if !transport.IsUnreachable(err) {
		return false
	}
	select {
	case <-conn.Done():
	case <-time.After(lossNotice):
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-time.After(lossNotice/2 + rand.N(lossNotice)):
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *Runners) startOn(ctx context.Context, conn transport.Conn, a *Account) (*link, error) {
	s := &starter{conn: conn, account: a, binaries: p.opts.Binaries, keep: keepFor(p.opts.Reconnect)}
	if a.Become != nil {
		p.useLogin(s, a)
	}
	return s.start(ctx)
}

// useLogin lets a become user run the login user's runner, where there is one already.
func (p *Runners) useLogin(s *starter, a *Account) {
	p.mu.Lock()
	login := p.links[a.Target.Key()]
	p.mu.Unlock()
	if login == nil {
		return
	}
	select {
	case <-login.ready:
		if login.err == nil {
			s.login = login.value.hello
		}
	default:
	}
}

// Call runs c on the account's runner.
func (p *Runners) Call(ctx context.Context, a *Account, c *wire.Call, io *IO, result func(wire.Result)) error {
	l, err := p.link(ctx, a)
	if err != nil {
		return err
	}
	h := wire.Handler{Result: result}
	if io != nil {
		h.Open, h.Receive, h.Output = io.Open, io.Receive, io.Output
	}
	if l.hello.Partial && needsExtra(c) {
		x, err := p.opts.Binaries.extraFor(l.hello)
		if err != nil {
			return err
		}
		c = offer(c, &h, x)
	}
	before := l.resumes.Load()
	err = l.client.Call(ctx, c, h)
	if l.resumes.Load() > before && io != nil && io.Notice != nil {
		io.Notice(l.story(c))
	}
	var lost *wire.LostError
	if !errors.As(err, &lost) {
		return err
	}
	if (!lost.Sent || repeatable(c, io)) && ctx.Err() == nil { // it did not run, or may run again: start another
		next, again := p.link(ctx, a)
		if again != nil {
			return again
		}
		if err = next.client.Call(ctx, c, h); !errors.As(err, &lost) {
			return err
		}
		l = next
	}
	return lostError(l, c, lost)
}

// Connect opens the connection and starts the runner.
func (p *Runners) Connect(ctx context.Context, a *Account) (*wire.Hello, error) {
	l, err := p.link(ctx, a)
	if err != nil {
		return nil, err
	}
	return l.hello, nil
}

// Reset ends the runners and the connection of the account's host.
func (p *Runners) Reset(ctx context.Context, a *Account) error {
	key := a.Target.Key()
	p.mu.Lock()
	var links []*shared[*link]
	for k, s := range p.links {
		if s.host == key {
			links = append(links, s)
			delete(p.links, k)
		}
	}
	conn := p.conns[key]
	delete(p.conns, key)
	p.mu.Unlock()
	for _, s := range links {
		if l, err := s.wait(ctx); err == nil {
			p.end(l)
		}
	}
	if conn == nil {
		return ctx.Err()
	}
	if c, err := conn.wait(ctx); err == nil {
		_ = c.Close()
	}
	return ctx.Err()
}

// Release ends the runners of a become user on a host that have nothing to do.
func (p *Runners) Release(ctx context.Context, t *transport.Target, user string) {
	p.mu.Lock()
	var idle []*link
	for k, s := range p.links {
		select {
		case <-s.ready:
		default:
			continue
		}
		if s.host == t.Key() && s.err == nil && s.value.account.Become != nil && s.value.account.Become.User == user && !s.value.client.Busy() {
			idle = append(idle, s.value)
			delete(p.links, k)
		}
	}
	p.mu.Unlock()
	for _, l := range idle {
		p.end(l)
	}
}

// Stats are the counts of all runners together.
func (p *Runners) Stats() wire.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.past
	for _, s := range p.links {
		select {
		case <-s.ready:
			if s.err == nil {
				add(&sum, s.value.client.Stats())
			}
		default:
		}
	}
	return sum
}

func add(a *wire.Stats, b wire.Stats) {
	a.FramesSent += b.FramesSent
	a.FramesReceived += b.FramesReceived
	a.BytesSent += b.BytesSent
	a.BytesReceived += b.BytesReceived
	a.Writes += b.Writes
	a.Calls += b.Calls
	a.Pulls += b.Pulls
	a.Sends += b.Sends
	a.Resumed += b.Resumed
}

// endGrace is how long a runner gets to end its processes and itself.
const endGrace = 5 * time.Second

// end ends a runner and waits for it.
func (p *Runners) end(l *link) {
	l.client.Close()
	l.mu.Lock() // no other process follows once the client is closed
	proc := l.proc
	l.mu.Unlock()
	_ = proc.CloseStdin()
	kill := time.AfterFunc(endGrace, func() { _ = proc.Kill() })
	l.client.Wait()
	l.read.Wait()
	_, _ = proc.Wait()
	kill.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	add(&p.past, l.client.Stats())
}

// Close ends all runners and connections, all hosts at once.
func (p *Runners) Close() error {
	p.mu.Lock()
	p.closed = true
	links, conns := p.links, p.conns
	p.links, p.conns = map[string]*shared[*link]{}, map[string]*shared[transport.Conn]{}
	p.mu.Unlock()
	p.stop()
	p.tasks.Wait()
	var all sync.WaitGroup
	for _, s := range links {
		if l, err := s.wait(context.Background()); err == nil {
			all.Go(func() { p.end(l) })
		}
	}
	all.Wait()
	for _, s := range conns {
		if c, err := s.wait(context.Background()); err == nil {
			all.Go(func() { _ = c.Close() })
		}
	}
	all.Wait()
	for _, d := range p.opts.Dialers {
		if c, ok := d.(io.Closer); ok {
			_ = c.Close()
		}
	}
	return nil
}
