package cli

import (
	"os"
	"slices"
	"strings"
)

// maxHistory is how many lines of the console are kept.
const maxHistory = 1000

// lineHistory is what was typed at the console, the oldest line first, kept in a file that
// only its owner may read.
type lineHistory struct {
	file  string
	lines []string
}

func openHistory(file string) *lineHistory {
	h := &lineHistory{file: file}
	if b, err := os.ReadFile(file); err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			h.Add(line)
		}
	}
	return h
}

// Add implements term.History.
func (h *lineHistory) Add(line string) {
	line = strings.TrimSpace(line)
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if n := len(h.lines) - maxHistory; n > 0 {
		h.lines = slices.Delete(h.lines, 0, n)
	}
}

// Len implements term.History.
func (h *lineHistory) Len() int { return len(h.lines) }

// At implements term.History; 0 is the newest line.
func (h *lineHistory) At(i int) string { return h.lines[len(h.lines)-1-i] }

func (h *lineHistory) save() error {
	if len(h.lines) == 0 {
		return nil
	}
	return writePrivate(h.file, []byte(strings.Join(h.lines, "\n")+"\n"))
}
