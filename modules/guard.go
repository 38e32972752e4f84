package modules

import (
	"io"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// guardAfter is how long a command runs before it gets a guard; until then only the process
// itself, not what it has started, ends with the runner.
const guardAfter = time.Second

// guardScript waits for a word, or for the end of who would say it.
const guardScript = `read -r word; [ "$word" = over ] || kill -s KILL -- "-$1"`

// guard ends the process group of a command when this program is killed while it runs: a
// shell that waits at the other end of a pipe.
type guard struct {
	timer *time.Timer
	mu    sync.Mutex
	over  bool
	cmd   *exec.Cmd
	in    io.WriteCloser
}

func newGuard(group int) *guard {
	g := &guard{}
	g.timer = time.AfterFunc(guardAfter, func() { g.start(group) })
	return g
}

func (g *guard) start(group int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return
	}
	cmd := exec.Command("/bin/sh", "-c", guardScript, "fettle-guard", strconv.Itoa(group))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	if err := cmd.Start(); err != nil {
		_ = in.Close()
		return // the command runs without
	}
	g.cmd, g.in = cmd, in
}

// end is called when the group needs no guard any more, and waits for it.
func (g *guard) end() {
	g.timer.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if g.cmd == nil {
		return
	}
	_, _ = io.WriteString(g.in, "over\n")
	_ = g.in.Close()
	_ = g.cmd.Wait()
}
