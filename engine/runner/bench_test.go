package runner

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"fettle/engine/transport"
	"fettle/engine/transport/ssh"
	"fettle/engine/transport/transporttest"
	"fettle/engine/wire"
)

// cpu is the processor time this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCall is one task on one host over a real sshd: a round trip, and what it costs
// the controller.
func BenchmarkCall(b *testing.B) {
	s := transporttest.StartSSHD(b)
	bin, err := ownBinaries()
	if err != nil {
		b.Fatal(err)
	}
	p := New(Options{Dialers: map[string]transport.Dialer{"ssh": &ssh.Dialer{}}, Binaries: bin})
	defer func() { _ = p.Close() }()
	a := &Account{Target: s.Target(b)}
	c := &wire.Call{Module: "ansible.builtin.ping", Args: args(`{}`)}
	one := func() {
		if err := p.Call(b.Context(), a, c, nil, func(wire.Result) {}); err != nil {
			b.Fatal(err)
		}
	}
	one()
	before := cpu()
	for b.Loop() {
		one()
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkConnect is what a warm host costs from nothing to its first result, 20 at once.
func BenchmarkConnect(b *testing.B) {
	s := transporttest.StartSSHD(b, "MaxStartups 100")
	bin, err := ownBinaries()
	if err != nil {
		b.Fatal(err)
	}
	target := s.Target(b)
	warm := New(Options{Dialers: map[string]transport.Dialer{"ssh": &ssh.Dialer{}}, Binaries: bin})
	if _, err := warm.Connect(b.Context(), &Account{Target: target}); err != nil {
		b.Fatal(err)
	}
	_ = warm.Close()
	var spent time.Duration
	n := 0
	for b.Loop() {
		var all sync.WaitGroup
		before := cpu()
		for range 20 {
			all.Go(func() {
				p := New(Options{Dialers: map[string]transport.Dialer{"ssh": &ssh.Dialer{}}, Binaries: bin})
				if _, err := p.Connect(b.Context(), &Account{Target: target}); err != nil {
					b.Error(err)
				}
				_ = p.Close()
			})
		}
		all.Wait()
		spent += cpu() - before
		n += 20
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(n), "cpu-µs/host")
}

// BenchmarkCallBusy is many tasks at once over one connection: what they cost when the
// machine is busy with nothing but them.
func BenchmarkCallBusy(b *testing.B) {
	s := transporttest.StartSSHD(b)
	bin, err := ownBinaries()
	if err != nil {
		b.Fatal(err)
	}
	p := New(Options{Dialers: map[string]transport.Dialer{"ssh": &ssh.Dialer{}}, Binaries: bin})
	defer func() { _ = p.Close() }()
	a := &Account{Target: s.Target(b)}
	if _, err := p.Connect(b.Context(), a); err != nil {
		b.Fatal(err)
	}
	c := &wire.Call{Module: "ansible.builtin.ping", Args: args(`{}`)}
	b.SetParallelism(8)
	b.ResetTimer()
	before := cpu()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := p.Call(b.Context(), a, c, nil, func(wire.Result) {}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}
