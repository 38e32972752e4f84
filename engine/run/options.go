// Package run executes a plan: one walker a host moves through the play's graph, a
// strategy decides which walkers may take the next step, and everything that happens
// leaves as events.
//
// Work on hosts is done by goroutines; the state of the run (walkers, statistics,
// notifications, variables learned) belongs to one goroutine, which takes their outcomes in
// inventory order. So the same input gives the same output.
package run

import (
	"context"
	"math/rand/v2"
	"time"

	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/plan"
	"fettle/engine/runner"
	"fettle/engine/template"
	"fettle/engine/vars"
	"fettle/inventory"
)

// Options of a run. Plan, Expander, Inventory, Store, Templates, Pool and Sink are needed.
type Options struct {
	Plan      *plan.Plan
	Expander  plan.Expander
	Inventory *inventory.Inventory
	Store     *vars.Store
	Templates *template.Engine
	Pool      runner.Pool
	Sink      event.Sink
	Masker    *mask.Masker

	Limit          string
	Tags, SkipTags []string
	StartAtTask    string
	Check, Diff    bool
	ForceHandlers  bool
	// LenientHandlers: a notified handler that does not exist is a warning (error_on_missing_handler).
	LenientHandlers bool
	FlushCache      bool
	// EnableDebugger: failed tasks open the debugger (enable_task_debugger); those with
	// ignore_errors do not when DebugIgnoresIgnored (task_debugger_ignore_errors).
	EnableDebugger, DebugIgnoresIgnored bool
	// PublicIncludes: plays see the variables of included roles unless they are told not to.
	PublicIncludes bool
	Forks          int // hosts at work at once; 0 means 50
	Verbosity      int
	// Progress is the least time between two Progress events; 0 means none.
	Progress time.Duration
	// Live asks for the output of commands while they run.
	Live bool
	// Step asks before each task; it answers yes, no or continue.
	Step func(task string) string
	// Ask prompts for vars_prompt, pause and passwords.
	Ask func(ctx context.Context, text string, echo bool, timeout time.Duration) (answer string, ok bool, err error)
	// Defaults are the connection settings of the command line and ansible.cfg.
	Defaults Connection
	// Strategy and AnyErrorsFatal are the configured defaults.
	Strategy       string
	AnyErrorsFatal bool
	GatherFacts    bool // the configured default of gathering: implicit
	TaskTimeout    int
	AsyncDir       string // the setting async_dir; empty: ~/.ansible_async of the host's account
	// HostTimeout is what the tasks of a host may take in a run, all together; then it is
	// given up as unreachable. 0 means any time.
	HostTimeout time.Duration
	// NoLog hides the results of all tasks that do not say otherwise (no_log).
	NoLog bool
	// PollInterval is how often background jobs are looked at, in seconds (poll_interval); 0 means 15.
	PollInterval int
	// DisplayArgs shows the arguments of tasks beside their names (display_args_to_stdout).
	DisplayArgs bool
	// ShowSecrets: debug shows what it is asked for unmasked.
	ShowSecrets bool
	// Managed is the value of ansible_managed in templates; "" means Ansible's.
	Managed   string
	Gathering string // implicit, explicit, smart
	Now       func() time.Time
	Rand      *rand.Rand
}

// Connection are defaults for reaching hosts; variables and keywords win over them.
type Connection struct {
	Connection, User, KeyFile string
	Port                      int
	Password                  string // asked with -k
	Become                    bool
	BecomeMethod, BecomeUser  string
	BecomePassword            string // asked with -K
	BecomeExe, BecomeFlags    string
	BecomeBy                  map[string]BecomeDefaults // what is set for one method only
	SSHArgs                   string
	CommonArgs, ExtraArgs     string
	HostKeyChecking           bool
	Timeout, Retries          int
	Vars                      map[string]string // connection variables that settings give: the inventory wins
}

// BecomeDefaults are the settings of one become method; empty ones leave the general ones.
type BecomeDefaults struct{ Exe, Flags, User, Password string }

// Exit codes as ansible-playbook's.
const (
	ExitOK          = 0
	ExitFailed      = 2
	ExitUnreachable = 4
	ExitParse       = 4 // an include brought in what cannot be understood
	ExitOptions     = 5
	ExitInterrupted = 99
	ExitCrashed     = 250
)
