package fleet

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Relay stands between a client and a host's sshd: it delays what passes, cuts
// or stalls the link when told, and counts. It does in user space what tc netem
// does in kernels that have it.
type Relay struct {
	Addr  string
	Port  int
	delay time.Duration // one way

	listener net.Listener
	target   string
	mu       sync.Mutex
	conns    map[net.Conn]bool
	stalled  chan struct{} // nil, or closed when the stall ends
	wg       sync.WaitGroup

	accepted  atomic.Int64
	turns     atomic.Int64
	cutAfter  atomic.Int64
	fromHost  atomic.Int64
	lastWrite atomic.Int32 // 1 client, 2 host
}

// NewRelay listens on addr:port (port 0: any) and connects each client to target.
func NewRelay(addr string, port int, target string, roundTrip time.Duration) (*Relay, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", addr, port))
	if err != nil {
		return nil, err
	}
	tcp := l.Addr().(*net.TCPAddr)
	r := &Relay{Addr: addr, Port: tcp.Port, delay: roundTrip / 2, listener: l, target: target, conns: map[net.Conn]bool{}}
	r.wg.Add(1)
	go r.accept()
	return r, nil
}

// addLatency puts a relay before the host when its group asks for latency.
func (f *Fleet) addLatency(h *Host) error {
	if h.Group.Latency == 0 {
		return nil
	}
	r, err := f.Relay(h, h.Group.Latency)
	if err != nil {
		return err
	}
	h.Relay, h.Addr, h.Port = r, r.Addr, r.Port
	return nil
}

// Relay starts a relay to the host's sshd on the host's own address and another
// port; Down ends it.
func (f *Fleet) Relay(h *Host, roundTrip time.Duration) (*Relay, error) {
	r, err := NewRelay(h.sshdAddr, 0, fmt.Sprintf("%s:%d", h.sshdAddr, h.sshdPort), roundTrip)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.relays = append(f.relays, r)
	f.mu.Unlock()
	return r, nil
}

// Accepted is the number of connections so far.
func (r *Relay) Accepted() int { return int(r.accepted.Load()) }

// RoundTrips is how often the host began to answer after the client had spoken: the
// round trips a client can have waited for, over all connections.
func (r *Relay) RoundTrips() int { return int(r.turns.Load()) }

// CutAfter closes every connection once n more bytes came from the host.
func (r *Relay) CutAfter(n int64) {
	r.fromHost.Store(0)
	r.cutAfter.Store(n)
}

// Cut closes every open connection now.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

// Stall holds back everything from now on, in both directions, until Resume.
func (r *Relay) Stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stalled == nil {
		r.stalled = make(chan struct{})
	}
}

// Resume ends a Stall.
func (r *Relay) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stalled != nil {
		close(r.stalled)
		r.stalled = nil
	}
}

// Close ends the relay and its connections and waits for its goroutines.
func (r *Relay) Close() {
	r.listener.Close()
	r.Resume()
	r.Cut()
	r.wg.Wait()
}

func (r *Relay) accept() {
	defer r.wg.Done()
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.accepted.Add(1)
		r.wg.Add(1)
		go r.serve(c)
	}
}

func (r *Relay) serve(client net.Conn) {
	defer r.wg.Done()
	defer client.Close()
	time.Sleep(2 * r.delay) // the TCP handshake
	host, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer host.Close()
	r.track(client, true)
	r.track(host, true)
	defer r.track(client, false)
	defer r.track(host, false)
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); r.pump(host, client, 1) }()
	go func() { defer wg.Done(); r.pump(client, host, 2) }()
	wg.Wait()
}

func (r *Relay) track(c net.Conn, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if on {
		r.conns[c] = true
	} else {
		delete(r.conns, c)
	}
}

// parcel is data and the moment it may arrive.
type parcel struct {
	data []byte
	due  time.Time
}

// pump copies from one side to the other, each read delayed on its own, so that
// latency does not become a limit of bandwidth.
func (r *Relay) pump(to, from net.Conn, side int32) {
	queue := make(chan parcel, 1024)
	go func() {
		defer close(queue)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				r.count(side, int64(n))
				queue <- parcel{buf[:n], time.Now().Add(r.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	ok := true
	for p := range queue {
		if !ok {
			continue
		}
		time.Sleep(time.Until(p.due))
		r.waitStall()
		if _, err := to.Write(p.data); err != nil {
			ok = false
			from.Close()
		}
	}
	if t, isTCP := to.(*net.TCPConn); isTCP {
		_ = t.CloseWrite()
	}
}

func (r *Relay) waitStall() {
	r.mu.Lock()
	stalled := r.stalled
	r.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

func (r *Relay) count(side int32, n int64) {
	if before := r.lastWrite.Swap(side); side == 2 && before == 1 {
		r.turns.Add(1)
	}
	if side == 2 {
		if limit := r.cutAfter.Load(); limit > 0 && r.fromHost.Add(n) >= limit {
			r.cutAfter.Store(0)
			go r.Cut()
		}
	}
}
