// Package event is what happened in a run, as data: the engine's only output. Reporters,
// the record of runs and tests consume it. Values that must not be shown are masked
// before an event is made.
package event

import (
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Sink takes events. Emit is called by one goroutine at a time, in the order in which
// things happened; it must not block for long.
type Sink interface{ Emit(Event) }

// Event is one of the types below.
type Event interface{ event() }

// RunStart opens a run.
type RunStart struct {
	At        time.Time
	Playbooks []Playbook
	Check     bool
}

// Playbook is one playbook of the command line.
type Playbook struct {
	Name  string // as the command line has it
	Plays int
}

// PlayStart opens a play (once per play, also with serial: Batch counts from 0).
type PlayStart struct {
	At    time.Time
	Name  string
	Hosts []string // of this batch
	Batch int
	Pos   diag.Pos
	Check bool // the play runs in check mode
}

// NoHosts says that a play matched no hosts.
type NoHosts struct{ Play, Pattern string }

// NoHostsLeft says that a play ends because too many hosts failed.
type NoHostsLeft struct{}

// TaskStart says that the first host reaches a task.
type TaskStart struct {
	At      time.Time
	Task    *Task
	Handler bool
	Hosts   int // how many hosts take it together; 0 when not known (free strategy)
}

// Task names a task in events. The same pointer is used by all events of one task.
type Task struct {
	ID      int
	Name    string // as shown, templated as far as possible; "" prints the action
	Role    string
	Handler bool
	Action  string // the module as the playbook wrote it
	Module  string // fully qualified
	Pos     diag.Pos
	NoLog   bool
	Check   bool // runs in check mode
	Tags    []string
	Args    string // for "task args" headings; "" unless asked for
}

// Status of a task on a host.
type Status string

// All values of Status.
const (
	OK          Status = "ok"
	Changed     Status = "changed"
	Failed      Status = "failed"
	Skipped     Status = "skipped"
	Unreachable Status = "unreachable"
)

// ItemResult is one item of a loop.
type ItemResult struct {
	At     time.Time
	Host   string
	Task   *Task
	Status Status
	Label  value.Value   // loop_control.label or the item
	Result *value.Dict   // masked, as shown
	Places []diag.Pos    // that a failure of the playbook's own text is about, the innermost first
	Diff   []value.Value // of this item, with --diff
	// Delegated is the host the item really ran on, when another.
	Delegated string
	// Address is where the other host is reached, when that is not its name.
	Address string
	// Ignored: the failure is ignored (ignore_errors).
	Ignored bool
}

// HostResult is the outcome of a task on a host.
type HostResult struct {
	At      time.Time
	Host    string
	Task    *Task
	Status  Status
	Ignored bool
	Rescued bool        // failed, but a rescue section takes over
	Result  *value.Dict // masked, as shown; nil for tasks without a result
	Places  []diag.Pos  // that a failure of the playbook's own text is about, the innermost first
	Loop    bool        // the items were reported one by one
	Elapsed time.Duration
	// Delegated is the host the task really ran on, when another.
	Delegated string
	// Address is where the other host is reached, when that is not its name.
	Address string
	// Diff is shown with --diff.
	Diff []value.Value
}

// Retry says that an until loop goes round again.
type Retry struct {
	Host    string
	Task    *Task
	Attempt int
	Retries int
	Result  *value.Dict
}

// Async says how the job of a task stands that is waited for: "poll" while it runs, "ok" or "failed"
// in the end.
type Async struct {
	Host  string
	Task  *Task
	Job   string
	State string
}

// Progress says that one more host is through with the task that all hosts are at.
type Progress struct {
	Task        *Task
	Done, Total int
	Waiting     []string // some of the hosts that are not through yet
}

// Live is output of a command that still runs.
type Live struct {
	Host   string
	Task   *Task
	Stream string
	Text   string
}

// Included says that a dynamic include was expanded for hosts.
type Included struct {
	File  string
	Hosts []string
	Label value.Value
}

// Notified says that a handler was notified.
type Notified struct{ Host, Handler string }

// Interrupted says that somebody ends the run early: no more tasks are started. It comes when
// that begins, with what still runs and is waited for, and with Ended once more for what was
// not waited for.
type Interrupted struct {
	At      time.Time
	Running []Running
	Ended   bool
}

// Running is a task with hosts that are in the middle of it.
type Running struct {
	Task  *Task
	Hosts []string
}

// Warning is a problem that does not stop the run; shown once.
type Warning struct {
	Text       string
	Deprecated bool
	Pos        diag.Pos
}

// Note is detail for those who ask for that much (-v, -vv).
type Note struct {
	Text  string
	Level int
}

// Question says that a person is about to be asked: what is known is to be shown now.
type Question struct{}

// Display is text a playbook asked to print (pause's prompt, meta messages).
type Display struct{ Text string }

// Stats is the recap line of a host.
type Stats struct {
	Host                                                        string
	OK, Changed, Unreachable, Failed, Skipped, Rescued, Ignored int
}

// RunEnd closes a run. Stats are in the order Ansible prints them (sorted by name).
type RunEnd struct {
	At       time.Time
	Elapsed  time.Duration
	Stats    []Stats
	Custom   map[string]*value.Dict // set_stats, by host; "_run" for the whole run
	ExitCode int
}

func (RunStart) event()    {}
func (PlayStart) event()   {}
func (NoHosts) event()     {}
func (NoHostsLeft) event() {}
func (TaskStart) event()   {}
func (ItemResult) event()  {}
func (HostResult) event()  {}
func (Retry) event()       {}
func (Async) event()       {}
func (Progress) event()    {}
func (Live) event()        {}
func (Included) event()    {}
func (Notified) event()    {}
func (Interrupted) event() {}
func (Warning) event()     {}
func (Note) event()        {}
func (Question) event()    {}
func (Display) event()     {}
func (RunEnd) event()      {}
