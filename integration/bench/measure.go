package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sample is one measured run.
type Sample struct {
	Wall    time.Duration `json:"wall_ns"`
	CPU     time.Duration `json:"controller_cpu_ns"` // of the tool and all it started
	HostCPU time.Duration `json:"host_cpu_ns"`       // of all hosts together
	Peak    int64         `json:"peak_bytes"`        // resident, of the tool and all it started
}

// jail is a cgroup that holds one run: it counts its CPU time, including that of
// processes that detach themselves, and ends what the run leaves behind.
type jail struct {
	procs string // file to join by
	dirs  []string
	usage func() (time.Duration, error)
}

func newJail() (*jail, error) {
	name := fmt.Sprintf("fettle-bench-%d", os.Getpid())
	const root = "/sys/fs/cgroup"
	j := &jail{}
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		dir := filepath.Join(root, name)
		j.dirs, j.procs = []string{dir}, dir+"/cgroup.procs"
		j.usage = func() (time.Duration, error) { return readUsage(dir+"/cpu.stat", "usage_usec ", time.Microsecond) }
	} else {
		dir := filepath.Join(root, "cpuacct", name)
		j.dirs, j.procs = []string{dir}, dir+"/cgroup.procs"
		j.usage = func() (time.Duration, error) { return readUsage(dir+"/cpuacct.usage", "", time.Nanosecond) }
	}
	if err := os.Mkdir(j.dirs[0], 0o755); err != nil && !os.IsExist(err) {
		return nil, fmt.Errorf("cannot count CPU time: %w", err)
	}
	return j, nil
}

func readUsage(path, prefix string, unit time.Duration) (time.Duration, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, prefix); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return time.Duration(n) * unit, err
		}
	}
	return 0, fmt.Errorf("%s has no %q", path, prefix)
}

func (j *jail) pids() []int {
	b, _ := os.ReadFile(j.procs)
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// clear ends what is left in the jail, such as ssh's persistent masters.
func (j *jail) clear() {
	for range 200 {
		pids := j.pids()
		if len(pids) == 0 {
			return
		}
		for _, p := range pids {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (j *jail) close() {
	j.clear()
	_ = unix.Rmdir(j.dirs[0])
}

// resident is the memory of all processes in the jail now.
func (j *jail) resident() int64 {
	var sum int64
	for _, p := range j.pids() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
		if err != nil {
			continue
		}
		if f := strings.Fields(string(b)); len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += n * int64(os.Getpagesize())
		}
	}
	return sum
}

// run measures one command. What it printed is returned also when it failed.
func (j *jail) run(ctx context.Context, dir string, argv, env []string, hostCPU func() time.Duration) (Sample, string, error) {
	j.clear()
	before, err := j.usage()
	if err != nil {
		return Sample{}, "", err
	}
	hostBefore := hostCPU()
	// The shell joins the cgroup and becomes the command: no moment is missed.
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", `echo $$ > "$0" && exec "$@"`, j.procs}, argv...)...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return Sample{}, "", err
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, j.resident())
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	err = cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // a detached ssh master keeps our pipe open
	}
	s := Sample{Wall: time.Since(begin)}
	close(stop)
	s.Peak = <-peak
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.Peak = max(s.Peak, ru.Maxrss*1024)
	}
	after, uerr := j.usage()
	j.clear()
	s.CPU, s.HostCPU = after-before, hostCPU()-hostBefore
	return s, out.String(), errors.Join(err, uerr)
}
