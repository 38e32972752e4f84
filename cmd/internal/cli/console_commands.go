package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"fettle/engine/diag"
)

// consoleCommand is a word of the console that is no module.
type consoleCommand struct {
	name, help string
	run        func(o *console, arg string)
}

var consoleCommands []consoleCommand

func init() { // help lists the table it is in
	consoleCommands = []consoleCommand{
		{"become", "become yes|no: whether tasks become another user", (*console).doBecome},
		{"become_method", "become_method NAME: how to become", (*console).doBecomeMethod},
		{"become_user", "become_user NAME: whom to become", (*console).doBecomeUser},
		{"cd", "cd PATTERN: the hosts that commands are for; cd / for all", (*console).doCD},
		{"check", "check yes|no: predict what would change, change nothing", (*console).doCheck},
		{"collections", "collections [NAME...]: where module names are looked for", (*console).doCollections},
		{"diff", "diff yes|no: show differences of what changes", (*console).doDiff},
		{"forks", "forks NUMBER: hosts at work at once", (*console).doForks},
		{"help", "help [COMMAND|MODULE]", (*console).doHelp},
		{"list", "list [groups]: the hosts of the pattern, or all groups", (*console).doList},
		{"remote_user", "remote_user NAME: connect as this user", (*console).doRemoteUser},
		{"serial", "serial NUMBER: same as forks", (*console).doForks},
		{"timeout", "timeout SECONDS: how long a task may take; 0 for ever", (*console).doTimeout},
		{"verbosity", "verbosity NUMBER: how much is said", (*console).doVerbosity},
		{"exit", "exit: leave; so do quit and Ctrl-D", nil},
	}
}

// do takes one line and tells whether it was the last.
func (o *console) do(ctx context.Context, line string) (over bool) {
	if line == "" || strings.HasPrefix(line, "#") {
		return false
	}
	if cmd, ok := strings.CutPrefix(line, "!"); ok {
		o.module(ctx, "shell", strings.TrimSpace(cmd))
		return false
	}
	if rest, ok := strings.CutPrefix(line, "?"); ok {
		line = "help " + rest
	}
	word, arg, _ := strings.Cut(line, " ")
	arg = strings.TrimSpace(arg)
	switch word {
	case "exit", "quit", "EOF":
		return true
	case "shell":
		o.module(ctx, "shell", arg)
		return false
	}
	for _, c := range consoleCommands {
		if c.name == word {
			c.run(o, arg)
			return false
		}
	}
	if strings.Contains(word, ".") || findModule(word) != nil || o.libraryModule(word) {
		o.module(ctx, word, arg)
		return false
	}
	o.module(ctx, "shell", line) // what is no module is for the shell
	return false
}

// libraryModule tells that a folder of custom modules has one of this name.
func (o *console) libraryModule(name string) bool {
	for _, dir := range append(pathLists(o.modulePath), o.ss.cfg.List("DEFAULT_MODULE_PATH")...) {
		if _, err := os.Stat(dir + "/" + name); err == nil {
			return true
		}
	}
	return false
}

func (o *console) say(format string, a ...any) { fmt.Fprintf(o.s.Out, format+"\n", a...) }

// yes understands a switch as Ansible does.
func yes(s string) bool {
	switch strings.ToLower(s) {
	case "y", "yes", "on", "1", "true", "t":
		return true
	}
	return false
}

// pythonBool is a switch as Ansible prints it.
func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func (o *console) doCD(arg string) {
	switch arg {
	case "", "/", "*":
		o.cwd = "*"
		return
	}
	sel, err := o.ss.inv.Select([]string{arg}, "")
	if err != nil {
		finish(o.s, err)
		return
	}
	for _, w := range sel.Warnings {
		o.ss.warn(diag.Warnf(diag.Pos{}, "host-pattern", "%s", w))
	}
	if len(sel.Hosts) == 0 {
		o.say("no host matched")
		return
	}
	o.cwd = arg
}

func (o *console) doList(arg string) {
	switch arg {
	case "":
		hosts, err := o.hosts(o.cwd)
		if err != nil {
			finish(o.s, err)
		}
		for _, h := range hosts {
			o.say("%s", h.Name)
		}
	case "groups":
		var names []string
		for _, g := range o.ss.inv.Groups() {
			names = append(names, g.Name)
		}
		for _, n := range sorted(names) {
			o.say("%s", n)
		}
	default:
		o.say("Invalid option passed to 'list'\nUsage: list [groups]")
	}
}

func (o *console) doForks(arg string) {
	n, err := strconv.Atoi(arg)
	switch {
	case arg == "":
		o.say("Usage: forks <number>")
	case err != nil || n <= 0:
		o.say("forks must be greater than or equal to 1")
	default:
		o.forks = n
	}
}

func (o *console) doVerbosity(arg string) {
	n, err := strconv.Atoi(arg)
	switch {
	case arg == "":
		o.say("Usage: verbosity <number>")
	case err != nil || n < 0:
		o.say("The verbosity must be a valid integer: %q", arg)
	default:
		o.verbosity = n
		o.say("verbosity level set to %d", n)
	}
}

func (o *console) doTimeout(arg string) {
	n, err := strconv.Atoi(arg)
	switch {
	case arg == "":
		o.say("Usage: timeout <seconds>")
	case err != nil:
		o.say("The timeout must be a valid positive integer, or 0 to disable: %q", arg)
	case n < 0:
		o.say("The timeout must be greater than or equal to 1, use 0 to disable")
	default:
		o.taskTimeout = n
	}
}

func (o *console) doBecome(arg string) {
	if arg == "" {
		o.say("Please specify become value, e.g. `become yes`")
		return
	}
	o.become = yes(arg)
	o.say("become changed to %s", pythonBool(o.become))
}

func (o *console) doBecomeUser(arg string) {
	if arg == "" {
		o.say("Please specify a user, e.g. `become_user jenkins`\nCurrent user is %s", o.becomeUser)
		return
	}
	o.becomeUser = arg
}

func (o *console) doBecomeMethod(arg string) {
	if arg == "" {
		o.say("Please specify a become_method, e.g. `become_method su`\nCurrent become_method is %s", o.becomeMethod)
		return
	}
	o.becomeMethod = arg
	o.say("become_method changed to %s", arg)
}

func (o *console) doRemoteUser(arg string) {
	if arg == "" {
		o.say("Please specify a remote user, e.g. `remote_user root`")
		return
	}
	o.user = arg
}

func (o *console) doCheck(arg string) {
	if arg == "" {
		o.say("Please specify check mode value, e.g. `check yes`\ncheck mode is currently %s.", pythonBool(o.check))
		return
	}
	o.check = yes(arg)
	o.say("check mode changed to %s", pythonBool(o.check))
}

func (o *console) doDiff(arg string) {
	if arg == "" {
		o.say("Please specify a diff value , e.g. `diff yes`\ndiff mode is currently %s", pythonBool(o.diff))
		return
	}
	o.diff = yes(arg)
	o.say("diff mode changed to %s", pythonBool(o.diff))
}

func (o *console) doCollections(arg string) {
	o.collections = strings.Fields(arg)
	if len(o.collections) == 0 {
		o.say("Collections name search is using defaults")
		return
	}
	o.say("Collections name search is set to: %s", strings.Join(o.collections, ", "))
}

func (o *console) doHelp(arg string) {
	if arg == "" {
		o.say("Commands:")
		for _, c := range consoleCommands {
			o.say("  %s", c.help)
		}
		o.say("  shell COMMAND, !COMMAND, or what is no module: a command for the shell of the hosts\n  MODULE [KEY=VALUE...]: a module; help MODULE shows its options")
		return
	}
	for _, c := range consoleCommands {
		if c.name == arg {
			o.say("%s", c.help)
			return
		}
	}
	m := findModule(arg)
	if m == nil {
		o.say("*** No help on %s", arg)
		return
	}
	o.say("%s\nParameters:", m.Summary)
	for _, opt := range visibleOptions(m) {
		o.say("  %s %s", opt.Name, opt.Doc)
	}
}
