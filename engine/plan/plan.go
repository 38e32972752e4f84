// Package plan is the compiled form of a playbook: what the engine walks and what
// `fettle graph` prints. Package playbooks/compile makes it, engine/run executes it.
//
// A play's tasks are a graph of vertices in program order. A block is not a vertex: it is
// a region with an entry for each of its sections and an end vertex; Vertex.Next is the
// way on success, and the block tells where a failure goes. A dynamic include is a vertex
// that grows a further graph when a host reaches it (see Expander).
//
// A plan is read only once it is compiled, and shared by all hosts.
package plan

import (
	"context"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/modules"
)

// Attr is the value of a keyword: a constant or a template, with its place.
type Attr struct {
	Value value.Value
	At    diag.Pos
	Set   bool // false: the keyword is not given anywhere up the tree
	// Outer is the value of the level around it, which holds when this one is a template
	// that renders to omit.
	Outer *Attr
}

// VarSet is one scope of variables: a play's, a block's, a task's, a role's vars or defaults, ...
type VarSet struct {
	Kind  VarKind
	Where string // "role web defaults/main.yml"
	Vars  value.Vars
}

// VarKind says which precedence level a VarSet belongs to.
type VarKind int

// Kinds of variable scopes that come from a playbook.
const (
	RoleDefaults  VarKind = iota // role defaults
	PlayVars                     // play vars
	PlayVarsFiles                // play vars_files
	RoleVars                     // role vars
	BlockVars                    // block vars
	TaskVars                     // task vars
	RoleParams                   // parameters of a role entry, a dependency, include_role or import_role vars
	IncludeParams                // vars of include_tasks and import_tasks
)

// Keywords are those that plays, roles, blocks and tasks share. In a Task they are final:
// inheritance has been applied by the compiler.
type Keywords struct {
	Connection, Port, RemoteUser                             Attr
	Become, BecomeMethod, BecomeUser, BecomeFlags, BecomeExe Attr
	NoLog, CheckMode, Diff, IgnoreErrors, IgnoreUnreachable  Attr
	AnyErrorsFatal, RunOnce, Throttle, Timeout, Debugger     Attr
	// Environment, outermost first: later ones win key by key.
	Environment []Attr
	// ModuleDefaults, outermost first.
	ModuleDefaults []Attr
	Collections    []string
}

// Plan is everything one `fettle playbook` call runs, in order.
type Plan struct {
	Plays []*Play
	// BaseDir is the directory of the first playbook (playbook_dir is per play).
	Files []string // all files read, for history and reports
}

// Play is one play.
type Play struct {
	Keywords
	ID                                    int
	Name                                  Attr // unset: the hosts pattern names it
	Pos                                   diag.Pos
	File                                  string // the playbook file
	Playbook                              string // the playbook of the command line that it belongs to
	Dir                                   string // its directory: playbook_dir
	Hosts                                 Attr   // pattern, or list of patterns
	Pattern, Title                        string // hosts and name as far as they are known before the run
	Strategy                              Attr
	Serial                                []Attr
	Order                                 Attr
	Gather                                Attr // gather_facts
	GatherSubset, GatherTimeout, FactPath Attr
	MaxFailPercentage                     Attr
	ForceHandlers                         Attr
	Vars                                  *VarSet
	VarsFiles                             []Attr // each a path or a list of alternatives
	VarsPrompt                            []Prompt
	Tags                                  []value.Value
	// Roles are all roles of the play with their dependencies, in order of execution; their
	// vars and defaults are visible to the whole play (unless Private).
	Roles []*Role
	// Graph holds pre_tasks, roles, tasks and post_tasks with the implicit vertices
	// (gather_facts, flush_handlers).
	Graph    *Graph
	Handlers []*Handler
}

// Prompt is one vars_prompt entry.
type Prompt struct {
	Name, Text               string
	Default                  Attr
	Private, Confirm, Unsafe bool
	Encrypt, Salt            string
	SaltSize                 int
	At                       diag.Pos
}

// Role is one use of a role: the same role listed twice is two Roles.
type Role struct {
	Name            string // as tasks show it
	FQName          string // with the collection, when it has one
	Path            string // its directory
	Pos             diag.Pos
	Parents         []*Role   // who depends on or includes it, nearest first (dep chain)
	Included        bool      // brought in by a task, not as a dependency
	Defaults, Vars  []*VarSet // own and of dependencies, lowest precedence first
	Entry           *VarSet   // the vars of the entry that uses it: its own tasks and its dependencies see them
	Params          *VarSet   // parameters where it is used
	Public          bool      // vars and defaults visible to the rest of the play
	AllowDuplicates bool
	Key             string // uses with the same key are the same role, which runs once unless AllowDuplicates
}

// Handler is a task below handlers, maybe of a block there, or an include that yields tasks.
type Handler struct {
	List  int    // what it was written in: entries in a row, or one block
	Graph *Graph // its vertices; a plain handler has one
	Task  *Task  // the handler task itself
}

// Graph is a region of vertices with one entry. Vertices are in program order.
type Graph struct {
	Vertices []*Vertex
	Entry    *Vertex // nil when empty
}

// VertexKind tells what a vertex is.
type VertexKind int

// Kinds of vertices.
const (
	VertexTask     VertexKind = iota
	VertexBlockEnd            // the end of a block region; belongs to the enclosing region
)

// Section of a block.
type Section int

// Sections of a block region.
const (
	InBody Section = iota
	InRescue
	InAlways
)

func (s Section) String() string { return [...]string{"block", "rescue", "always"}[s] }

// Vertex is one place a host can be at.
type Vertex struct {
	Index   int // position in Graph.Vertices: program order
	Kind    VertexKind
	Task    *Task   // of VertexTask
	Ends    *Block  // of VertexBlockEnd
	Block   *Block  // innermost region it lies in; nil at the top of the graph
	Section Section // which section of Block
	Next    *Vertex // on success; nil at the end of the graph
}

// Block is a region with rescue or always sections, or just grouping.
type Block struct {
	ID            int
	Name          Attr
	Pos           diag.Pos
	Parent        *Block
	ParentSection Section
	Body          *Vertex // first vertex of each section; nil when empty
	Rescue        *Vertex
	Always        *Vertex
	End           *Vertex
	// RoleEnd names the role whose last task region this is (for roles run once).
	Role *Role
}

// Task is one task or handler.
type Task struct {
	Keywords
	ID                             int
	Name                           Attr
	Pos                            diag.Pos
	Action                         string          // as written: apt, ansible.builtin.apt
	Module                         string          // fully qualified after redirects: ansible.builtin.apt
	Declared                       *modules.Module // nil for executables in library/ (see Binary)
	Binary                         string          // path of an executable module on the controller
	Args                           *value.Dict     // options; values may be templates. Never nil
	ArgsExpr                       value.Value     // args: "{{ dict }}": merged below Args when it is rendered
	ArgsAt                         map[string]diag.Pos
	When                           []Cond // outermost first
	Loop                           *Loop
	Register                       string
	ChangedWhen, FailedWhen, Until []Cond
	Retries, Delay                 Attr
	Notify, Listen                 []Attr
	DelegateTo, DelegateFacts      Attr
	Async, Poll                    Attr
	Tags                           []string  // inherited ones first; templated tags are resolved at compile time with static variables
	Vars                           []*VarSet // innermost first: task, blocks, includes (not role, not play)
	Role                           *Role
	Play                           *Play
	Handler                        bool
	Implicit                       bool // gather_facts, flush_handlers
	// Search are the directories for relative files, templates, vars and tasks, most specific
	// first: role dirs, the dir of the task file, the play dir.
	Search []string
	File   string // the task file
	Parent *Task  // the include that brought it in, or nil
	// Apply are keywords and tags that an include_tasks/include_role applies to what it brings in.
	Apply   *value.Dict
	ApplyAt diag.Pos
	// Static means that no argument holds a template: Encoded is the argument object as JSON.
	Static bool
	// Groups are the action groups of the module, as module_defaults names them: "group/aws".
	Groups  []string
	Encoded []byte
	// ActionExpr is set when the module's name is a template that is not known before the
	// run: Module is "" then; see ActionResolver.
	ActionExpr value.Value
	// Broken, when set, is why the task cannot run: its module is not supported or does not
	// exist. The task fails with it when a host reaches it.
	Broken *diag.Diagnostic
}

// Cond is a condition: a bool, or a *value.Template whose Src is a bare expression.
type Cond struct {
	Value value.Value
	At    diag.Pos
}

// Loop is loop or with_*.
type Loop struct {
	Lookup                                             string // "" for loop:, else the lookup of with_<lookup>
	Expr                                               value.Value
	At                                                 diag.Pos
	Var                                                Attr // loop_var, default item
	IndexVar, Label, Pause, Extended, ExtendedAllItems Attr
	BreakWhen                                          []Cond
}

// Expander grows the plan at run time. Implementations cache: the same file under the
// same vertex is compiled once. Safe for concurrent use.
type Expander interface {
	// IncludeTasks compiles a task file for an include_tasks vertex. file is the rendered
	// name; the search order is Ansible's.
	IncludeTasks(ctx context.Context, parent *Task, file string) (*Expansion, error)
	// IncludeRole compiles a role for an include_role vertex.
	IncludeRole(ctx context.Context, parent *Task, use RoleUse) (*Expansion, error)
	// LoadVarsFile reads a variables file (include_vars, vars_files): a mapping.
	LoadVarsFile(path string) (*value.Vars, error)
	// ReadFile reads a file of the controller, decrypting it when it is a vault file.
	ReadFile(path string) (content []byte, vaulted bool, err error)
}

// ActionResolver is what an Expander may also do: give the task that a templated module
// name (Task.ActionExpr) stands for, once it is rendered for a host.
type ActionResolver interface {
	ResolveAction(task *Task, name string) (*Task, error)
}

// RoleUse is a rendered include_role.
type RoleUse struct {
	Name                                            string
	TasksFrom, VarsFrom, DefaultsFrom, HandlersFrom string
	AllowDuplicates, Public, ValidateArgs           bool
}

// Expansion is what an include brings in.
type Expansion struct {
	Graph    *Graph
	Handlers []*Handler // of an included role; added to the play once
	Role     *Role
	Roles    []*Role // that it imports, with their dependencies
	File     string  // as shown: "included: FILE for hosts"
}
