package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const maxFleets = 250

// proc names a process beyond the reuse of its number.
type proc struct {
	Pid   int    `json:"pid"`
	Start string `json:"start"` // field 22 of /proc/PID/stat
}

// state is what must be undone; it is on disk before it comes true.
type state struct {
	Owner    proc     `json:"owner"`
	Detached bool     `json:"detached"` // outlives its owner: only Down ends it
	Boot     string   `json:"boot"`     // boot id: after a reboot nothing is left but files
	Procs    []proc   `json:"procs"`
	Cgroups  []string `json:"cgroups"`
}

// StateDir is where running fleets are recorded.
const StateDir = "/run/fettle-fleet"

func newProc(pid int) proc { return proc{pid, startTime(pid)} }

func (p proc) alive() bool { return p.Pid > 0 && p.Start != "" && startTime(p.Pid) == p.Start }

// startTime is "" when there is no such process, or only its zombie.
func startTime(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	s := string(b)
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// locked runs fn while no other process changes the set of fleets.
func locked(fn func() error) error {
	if err := os.MkdirAll(StateDir, 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(StateDir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	return fn()
}

// claim takes the first free fleet number.
func claim() (*Fleet, error) {
	var f *Fleet
	err := locked(func() error {
		for n := 1; n <= maxFleets; n++ {
			dir := filepath.Join(StateDir, strconv.Itoa(n))
			err := os.Mkdir(dir, 0o755)
			if errors.Is(err, os.ErrExist) {
				continue
			}
			if err != nil {
				return err
			}
			f = &Fleet{ID: n, Dir: dir, Inventory: filepath.Join(dir, "hosts.ini"), PrivateKey: filepath.Join(dir, "id_ed25519"),
				KnownHosts: filepath.Join(dir, "known_hosts"), AnsibleCfg: filepath.Join(dir, "ansible.cfg")}
			f.state = state{Owner: newProc(os.Getpid()), Boot: bootID()}
			return f.save()
		}
		return fmt.Errorf("all %d fleet numbers below %s are taken", maxFleets, StateDir)
	})
	return f, err
}

// Detach lets the fleet outlive this process; DownID ends it.
func (f *Fleet) Detach() error {
	f.mu.Lock()
	f.state.Detached = true
	f.mu.Unlock()
	return f.save()
}

// record remembers a process, and the cgroups made for it, to be ended by Down.
func (f *Fleet) record(pid int, cgroups []string) error {
	f.mu.Lock()
	if pid > 0 {
		f.state.Procs = append(f.state.Procs, newProc(pid))
	}
	f.state.Cgroups = append(f.state.Cgroups, cgroups...)
	f.mu.Unlock()
	return f.save()
}

func (f *Fleet) save() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := json.MarshalIndent(f.state, "", " ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(f.Dir, "state.json.new")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(f.Dir, "state.json"))
}

// Running lists the numbers of the recorded fleets, and whether each still has
// a living owner or was detached.
func Running() (map[int]bool, error) {
	found := map[int]bool{}
	err := locked(func() error {
		return eachState(func(n int, _ string, s state) error {
			found[n] = s.inUse()
			return nil
		})
	})
	return found, err
}

func (s state) inUse() bool { return s.Boot == bootID() && (s.Detached || s.Owner.alive()) }

// Sweep removes the fleets whose owner died without taking them down.
func Sweep() error {
	return locked(func() error {
		return eachState(func(_ int, dir string, s state) error {
			if s.inUse() {
				return nil
			}
			return s.remove(dir)
		})
	})
}

// DownID takes down the fleet of that number, whoever started it.
func DownID(id int) error {
	found := false
	err := locked(func() error {
		return eachState(func(n int, dir string, s state) error {
			if n != id {
				return nil
			}
			found = true
			return s.remove(dir)
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("no fleet %d below %s", id, StateDir)
	}
	return err
}

func eachState(fn func(n int, dir string, s state) error) error {
	entries, err := os.ReadDir(StateDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(StateDir, e.Name())
		var s state
		if b, err := os.ReadFile(filepath.Join(dir, "state.json")); err == nil {
			if err := json.Unmarshal(b, &s); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", dir, err))
				continue
			}
		}
		errs = append(errs, fn(n, dir, s))
	}
	return errors.Join(errs...)
}

// remove kills the recorded processes, waits for them, and removes what is left.
func (s state) remove(dir string) error {
	if s.Boot == bootID() {
		if err := s.kill(); err != nil {
			return err
		}
		for _, c := range s.Cgroups {
			removeCgroup(c)
		}
	}
	return os.RemoveAll(dir)
}

func (s state) kill() error {
	end := time.Now().Add(20 * time.Second)
	for _, p := range s.Procs {
		if p.alive() {
			_ = syscall.Kill(p.Pid, syscall.SIGKILL)
		}
	}
	for _, p := range s.Procs {
		for p.alive() {
			if time.Now().After(end) {
				return fmt.Errorf("process %d does not end", p.Pid)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

// removeCgroup kills what runs in a cgroup and those below it, and removes them.
func removeCgroup(dir string) {
	for range 200 {
		var dirs []string
		_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, p)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			pids, _ := os.ReadFile(filepath.Join(dirs[i], "cgroup.procs"))
			for _, pid := range strings.Fields(string(pids)) {
				if n, err := strconv.Atoi(pid); err == nil && n > 1 {
					_ = syscall.Kill(n, syscall.SIGKILL)
				}
			}
			_ = unix.Rmdir(dirs[i])
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
