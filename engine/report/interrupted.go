package report

import (
	"fmt"

	"fettle/engine/event"
	"fettle/engine/value"
)

// interruptedLines tell who is in the middle of what when a run ends early.
func interruptedLines(x event.Interrupted) []string {
	var lines []string
	if !x.Ended {
		lines = append(lines, "no more tasks are started, and those that run are waited for; interrupt once more to end them")
	}
	word := "still running"
	if x.Ended {
		word = "ended while running"
	}
	for _, r := range x.Running {
		lines = append(lines, fmt.Sprintf("%s: %s on %s", word, taskName(r.Task), hostRange(r.Hosts)))
	}
	return lines
}

func runningList(all []event.Running) *value.List {
	l := value.NewList()
	for _, r := range all {
		l.V = append(l.V, value.DictOf("task", int64(r.Task.ID), "name", taskName(r.Task), "hosts", list(r.Hosts)))
	}
	return l
}
