package ast

import "slices"

// Object is a set of kinds of objects that take keywords.
type Object int

// Kinds of objects.
const (
	OnPlay Object = 1 << iota
	OnRole
	OnBlock
	OnTask
	OnHandler
	OnImport // import_playbook
	OnLoopControl
)

const (
	onTasks  = OnTask | OnHandler
	onBlocks = OnBlock | onTasks
	onAll    = OnPlay | OnRole | onBlocks | OnImport
)

// Kind is what the value of a keyword looks like.
type Kind int

// Kinds of values.
const (
	Any     Kind = iota
	Text         // text, numbers and booleans are taken as text
	Names        // a static text or list of texts
	Cond         // an expression, a boolean or a list of them
	List         // a list; a single value stands for a list of one
	Vars         // a mapping of variables
	Child        // holds other objects
	Static       // text that is never rendered
	Mapping      // a mapping, or a template that gives one
)

// Keyword is one keyword of the language.
type Keyword struct {
	Name string
	On   Object
	Kind Kind
}

// Keywords is the whole language, by name.
var Keywords = []Keyword{
	{"action", onTasks, Any},
	{"always", OnBlock, Child},
	{"any_errors_fatal", onAll, Any},
	{"args", onTasks, Any},
	{"async", onTasks, Any},
	{"become", onAll, Any},
	{"become_exe", onAll, Any},
	{"become_flags", onAll, Any},
	{"become_method", onAll, Any},
	{"become_user", onAll, Any},
	{"block", OnBlock, Child},
	{"break_when", OnLoopControl, Cond},
	{"changed_when", onTasks, Cond},
	{"check_mode", onAll, Any},
	{"collections", OnPlay | OnRole | onBlocks, Names},
	{"connection", onAll, Any},
	{"debugger", onAll, Any},
	{"delay", onTasks, Any},
	{"delegate_facts", OnRole | onBlocks, Any},
	{"delegate_to", OnRole | onBlocks, Any},
	{"diff", onAll, Any},
	{"environment", onAll, List},
	{"extended", OnLoopControl, Any},
	{"extended_allitems", OnLoopControl, Any},
	{"fact_path", OnPlay, Any},
	{"failed_when", onTasks, Cond},
	{"force_handlers", OnPlay, Any},
	{"gather_facts", OnPlay, Any},
	{"gather_subset", OnPlay, Any},
	{"gather_timeout", OnPlay, Any},
	{"handlers", OnPlay, Child},
	{"hosts", OnPlay, Any},
	{"ignore_errors", onAll, Any},
	{"ignore_unreachable", onAll, Any},
	{"import_playbook", OnImport, Any},
	{"index_var", OnLoopControl, Any},
	{"label", OnLoopControl, Any},
	{"listen", OnHandler, List},
	{"local_action", onTasks, Any},
	{"loop", onTasks, Any},
	{"loop_control", onTasks, Child},
	{"loop_var", OnLoopControl, Any},
	{"max_fail_percentage", OnPlay, Any},
	{"module_defaults", onAll, List},
	{"name", onAll, Text},
	{"no_log", onAll, Any},
	{"notify", onBlocks, List},
	{"order", OnPlay, Any},
	{"pause", OnLoopControl, Any},
	{"poll", onTasks, Any},
	{"port", onAll, Any},
	{"post_tasks", OnPlay, Child},
	{"pre_tasks", OnPlay, Child},
	{"register", onTasks, Static},
	{"remote_user", onAll, Any},
	{"rescue", OnBlock, Child},
	{"retries", onTasks, Any},
	{"role", OnRole, Text},
	{"roles", OnPlay, Child},
	{"run_once", onAll, Any},
	{"serial", OnPlay, List},
	{"strategy", OnPlay, Any},
	{"tags", onAll, List},
	{"tasks", OnPlay, Child},
	{"throttle", onAll, Any},
	{"timeout", onAll, Any},
	{"until", onTasks, Cond},
	{"user", OnPlay, Any},
	{"vars", onAll, Vars},
	{"vars_files", OnPlay, Child},
	{"vars_prompt", OnPlay, Child},
	{"when", OnRole | onBlocks | OnImport, Cond},
}

var byName = func() map[string]Keyword {
	m := make(map[string]Keyword, len(Keywords))
	for _, k := range Keywords {
		m[k.Name] = k
	}
	return m
}()

// Find returns a keyword of an object.
func Find(name string, on Object) (Keyword, bool) {
	k, ok := byName[name]
	return k, ok && k.On&on != 0
}

// Names lists the keywords of an object, sorted.
func KeywordNames(on Object) []string {
	var out []string
	for _, k := range Keywords {
		if k.On&on != 0 {
			out = append(out, k.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Reserved tells that a variable of this name shadows a keyword or a function of templates:
// Ansible warns of it.
func Reserved(name string) bool {
	switch name {
	case "lipsum", "range", "dict", "cycler", "joiner", "namespace", "lookup", "query", "q", "now", "undef", "with_", "loop_with":
		return true
	case "vars", "when", "user", "role":
		return false
	}
	_, ok := Find(name, OnPlay|OnBlock|OnTask)
	return ok
}

// Gone are keywords and actions that Ansible had and removed, with what to write today.
var Gone = map[string]string{
	"sudo":                 "write become: true",
	"sudo_user":            "write become: true and become_user",
	"sudo_exe":             "write become_exe",
	"sudo_flags":           "write become_flags",
	"sudo_pass":            "set the variable ansible_become_password",
	"su":                   "write become: true and become_method: su",
	"su_user":              "write become: true, become_method: su and become_user",
	"su_exe":               "write become_exe",
	"su_flags":             "write become_flags",
	"su_pass":              "set the variable ansible_become_password",
	"always_run":           "write check_mode: false",
	"include":              "write include_tasks or import_tasks",
	"first_available_file": "write with_first_found",
	"accelerate":           "remove it",
	"fireball":             "remove it",
	"only_if":              "write when",
	"static":               "write import_tasks or include_tasks",
}
