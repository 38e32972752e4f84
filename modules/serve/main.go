package serve

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fettle/engine/wire"
)

// Word is the first argument of a program that shall be a runner: "fettle-runner
// __runner NONCE DIR [KEEP]", and the same for fettle itself. KEEP is for how many seconds
// it waits for a controller that has lost the connection.
const Word = "__runner"

// Probe as the nonce only shows that the program can be executed: it prints ProbeAnswer.
const (
	Probe       = "probe"
	ProbeAnswer = "fettle-runner works"
)

// Greeting starts the line that a runner writes before its first frame; the nonce follows.
const Greeting = "fettle-runner "

// exitGrace is how long a runner without controller waits for modules that do not notice.
const exitGrace = time.Minute

// Main is the runner as a program; args are those after Word. It returns the exit code.
func Main(args []string) int {
	if len(args) == 1 && args[0] == Probe {
		fmt.Println(ProbeAnswer)
		return 0
	}
	if len(args) == 1 && args[0] == Job {
		return runJob()
	}
	var keep int
	if len(args) == 3 {
		keep, _ = strconv.Atoi(args[2])
	}
	if len(args) != 2 && len(args) != 3 {
		fmt.Fprintln(os.Stderr, "this program is started by fettle and not by hand")
		return 2
	}
	in, out, err := takeStreams()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fettle-runner: cannot take its input and output:", err)
		return 1
	}
	workDir(args[1])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// The loss of a terminal or connection is noticed by its end; nobody needs to die of it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGPIPE)
	if _, err := fmt.Fprintf(out, "%s%s\n", Greeting, args[0]); err != nil {
		return 1
	}
	s, leave := newServer(time.Duration(keep) * time.Second)
	defer leave()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, in, out) }()
	select {
	case err = <-ended:
	case <-s.Over():
		err = waitFor(ended, exitGrace)
	}
	if err != nil {
		return 1
	}
	return 0
}

// newServer is the server of a runner that can be found again, where the platform allows.
func newServer(keep time.Duration) (s *wire.Server, leave func()) {
	l := &loop{}
	h := hello()
	ready := make(chan struct{})
	defer close(ready)
	leave = l.close
	if keep > 0 {
		token, end, err := listen(func(c io.ReadWriteCloser) { <-ready; _ = s.Accept(c) })
		if err == nil {
			h.Resume = token
			leave = func() { end(); l.close() }
		}
	}
	s = wire.NewServer(h, l.handle)
	s.Dial, s.Keep = dial, keep
	return s, leave
}

func waitFor(ended <-chan error, limit time.Duration) error {
	select {
	case err := <-ended:
		return err
	case <-time.After(limit):
		return context.DeadlineExceeded
	}
}

// takeStreams moves the connection away from descriptors 0 and 1, so that nothing a
// module prints or reads by mistake can get between the frames.
func takeStreams() (in, out *os.File, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = null.Close() }()
	var moved [2]*os.File
	for fd := range moved {
		to, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, nil, err
		}
		moved[fd] = os.NewFile(uintptr(to), [...]string{"input", "output"}[fd])
		if err := dup(int(null.Fd()), fd); err != nil {
			return nil, nil, err
		}
	}
	return moved[0], moved[1], nil
}

// workDir makes dir the working directory, as it was where the runner was started from,
// or the next best that the account may read: as Ansible does for its modules.
func workDir(dir string) {
	for _, d := range []string{dir, os.Getenv("HOME"), os.TempDir(), "/"} {
		if d != "" && unix.Access(d, unix.R_OK|unix.X_OK) == nil && os.Chdir(d) == nil {
			_ = os.Setenv("PWD", d)
			return
		}
	}
}
