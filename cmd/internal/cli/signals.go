package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"fettle/engine/run"
)

// interrupts turns signals into the two ways to end a run early. The first one lets running
// tasks finish, the second ends them on their hosts, the third ends this program at once:
// what runs on hosts then ends by itself soon after.
type interrupts struct {
	hard, stop context.Context
	release    func()
	first      syscall.Signal // valid after release
}

var errInterrupted = errors.New("interrupted: the task was ended on the host")

func watchInterrupts(ctx context.Context) *interrupts {
	hard, cancelHard := context.WithCancelCause(ctx)
	stop, cancelStop := context.WithCancel(hard)
	in := &interrupts{hard: hard, stop: stop}
	ch := make(chan os.Signal, 3)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup, and jobs in the background
			signal.Notify(ch, s)
		}
	}
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; ; n++ {
			select {
			case <-over:
				return
			case s := <-ch:
				in.first, _ = s.(syscall.Signal)
			}
			switch n {
			case 1:
				cancelStop()
			case 2:
				cancelHard(errInterrupted)
			default:
				os.Exit(in.exitCode(run.ExitInterrupted))
			}
		}
	}()
	in.release = func() {
		signal.Stop(ch)
		close(over)
		<-done
		cancelStop()
		cancelHard(nil)
	}
	return in
}

// exitCode is that of a run; one that was interrupted ends as Ansible does: with 99 after
// Ctrl-C, and as if killed by any other signal.
func (in *interrupts) exitCode(code int) int {
	if code == run.ExitInterrupted && in.first != 0 && in.first != syscall.SIGINT {
		return 128 + int(in.first)
	}
	return code
}
