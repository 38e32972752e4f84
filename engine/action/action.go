// Package action holds the controller's halves of modules: what runs here rather than on a
// host (debug, set_fact, assert), or prepares here what the host's half then does (copy,
// template, script). One file per action; each registers itself under its module's name.
package action

import (
	"context"
	"io"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
)

// Func runs an action for one host (and one item of a loop). The result has Ansible's
// keys. An error fails the task with its text; an *transport.UnreachableError makes the
// host unreachable.
type Func func(ctx context.Context, c *Call) (*value.Dict, error)

// Call is what an action gets.
type Call struct {
	Task  *plan.Task
	Host  string
	Args  *value.Dict // rendered, secrets revealed
	T     *template.Context
	Check bool
	Diff  bool
	Run   Services
	// Managed is what ansible_managed is made of; "" means Ansible's text.
	Managed string
}

// Raw is an argument as the playbook wrote it, for those that are expressions (debug's
// var, assert's that).
func (c *Call) Raw(name string) value.Value {
	v, _ := c.Task.Args.GetString(name)
	return v
}

// Services is what the engine does for actions.
type Services interface {
	// Module runs a module on the task's host and account.
	Module(ctx context.Context, name string, args *value.Dict, sources ...Source) (*value.Dict, error)
	// Receive runs a module that sends content back (fetch).
	Receive(ctx context.Context, name string, args *value.Dict, to func(name string, r io.Reader) error) (*value.Dict, error)
	// Raw runs a command line through the login shell, without a runner.
	Raw(ctx context.Context, command string) (rc int, stdout, stderr []byte, err error)
	// Connect tries to reach the host once.
	Connect(ctx context.Context) error
	// Reset drops the connection.
	Reset(ctx context.Context) error
	// Find searches a file of the controller: kind is files, templates, vars or tasks.
	Find(kind, name string) (string, error)
	// ReadFile reads a file of the controller; vault files are decrypted, and their
	// content is then a secret.
	ReadFile(path string) (content []byte, vaulted bool, err error)
	// LoadVars reads a variables file.
	LoadVars(path string) (*value.Vars, error)
	// Prompt asks a person; ok is false when nobody is there to ask.
	Prompt(ctx context.Context, text string, echo bool, timeoutSeconds int) (answer string, ok bool, err error)
	// Warn shows a warning.
	Warn(d *diag.Diagnostic)
	// ConnectionKind is ssh, local, ...
	ConnectionKind() string
	// PlayHosts are the hosts still in the play.
	PlayHosts() []string
}

// Source is content of the controller that is offered to a module.
type Source struct {
	Name    string
	Size    int64
	SHA1    string
	Mode    uint32
	Content []byte                        // small content, sent with the call
	Open    func() (io.ReadCloser, error) // larger content, pulled when the module wants it
}

// InlineLimit is the size up to which content travels inside the call.
const InlineLimit = 256 << 10

var registry = map[string]*Action{}

// PrepareFunc is an action that only gets a call ready: the engine sends it, together with
// those of other items of a loop.
type PrepareFunc func(ctx context.Context, c *Call) (*Prepared, error)

// Prepared is a call of a module on the host.
type Prepared struct {
	Args    *value.Dict
	Sources []Source
	// Finish completes the module's result; nil leaves it as it is.
	Finish func(res *value.Dict)
	// Result, when set, is the outcome: nothing is sent.
	Result *value.Dict
}

// Action is a registered action: Run does all of it, or Prepare gets the module's call ready.
type Action struct {
	Run     Func
	Prepare PrepareFunc
	// Once: the action concerns all hosts of a task; it runs for the first only (add_host).
	Once bool
	// Remote: it talks to the host, so connection errors may come of it.
	Remote bool
	// Inventory: the engine completes the result (add_host, group_by).
	Inventory bool
	// Async: the module may run in the background.
	Async bool
	// Marks: what is secret in the arguments stays marked so, because the result is made of
	// them here; to other actions and to modules secrets are plain.
	Marks bool
	// LazyArgs: arguments of these names are not rendered before the call.
	LazyArgs []string
}

// Register adds an action under the full name of its module; init only.
func Register(name string, a Action) {
	if registry[name] != nil {
		panic("action " + name + " registered twice")
	}
	registry[name] = &a
}

// Find returns the action for a module, or nil.
func Find(module string) *Action { return registry[module] }
