package modules

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// processes are known by number and time of start, as numbers are used again.
type processes map[int]string

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
	found := processes{}
	for next := children[root]; len(next) > 0; next = next[1:] {
		if _, known := found[next[0]]; !known {
			found[next[0]] = started[next[0]]
			next = append(next, children[next[0]]...)
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

func (p processes) alive() bool {
	for pid, started := range p {
		if _, start := readStat(pid); start == started {
			return true
		}
	}
	return false
}

func (p processes) signal(s syscall.Signal) {
	for pid, started := range p {
		if _, start := readStat(pid); start == started {
			_ = syscall.Kill(pid, s)
		}
	}
}
