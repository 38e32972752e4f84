package modules

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// process is known by number and time of start, as numbers are used again.
type process struct {
	pid     int
	started string
}

func (p process) alive() bool {
	_, started := readStat(p.pid)
	return started == p.started
}

// processes are in an order that has parents before their children.
type processes []process

// descendants are the children of a process, and theirs.
func descendants(root int) processes {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	names, _ := dir.Readdirnames(-1)
	_ = dir.Close()
	children := map[int][]int{}
	started := map[int]string{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, start := readStat(pid); start != "" {
			children[parent] = append(children[parent], pid)
			started[pid] = start
		}
	}
	var found processes
	seen := map[int]bool{}
	for next := children[root]; len(next) > 0; next = next[1:] {
		if pid := next[0]; !seen[pid] {
			seen[pid] = true
			found = append(found, process{pid, started[pid]})
			next = append(next, children[pid]...)
		}
	}
	return found
}

// readStat gives the parent of a process that runs, and when it was started.
func readStat(pid int) (parent int, start string) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, ""
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // from the third on
	if len(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return 0, ""
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return parent, string(fields[19])
}

func (ps processes) alive() bool { return slices.ContainsFunc(ps, process.alive) }

// signal reaches a shell before what it waits for, so that it does not go on to its next command.
func (ps processes) signal(s syscall.Signal) {
	for _, p := range ps {
		if p.alive() {
			_ = syscall.Kill(p.pid, s)
		}
	}
}
