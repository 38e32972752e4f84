// Package become words the commands that run another command as another user (sudo, su,
// doas and others) and understands what these programs ask and answer. It runs nothing.
package become

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"fettle/engine/transport"
)

// Options say whom to become, and how.
type Options struct {
	Method   string // one of Methods
	User     string // "" means root
	Password string
	Exe      string // in place of the method's program, as it stands
	Flags    string // in place of the method's usual flags, as they stand
}

// Plan is a command line together with what to expect from it.
type Plan struct {
	Command string
	PTY     bool // needs a terminal
	// prompt is the method's own prompt; "" when the method's words are not known before.
	prompt string
	method string
	exe    string // the program, as its own messages name it
}

// Error is a refusal by the become program; Msg has Ansible's words where it has some.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

// Missing and Incorrect are the password problems, in Ansible's words.
func Missing(method string) error   { return &Error{fmt.Sprintf("Missing %s password", method)} }
func Incorrect(method string) error { return &Error{fmt.Sprintf("Incorrect %s password", method)} }

// TimedOut says that neither success nor a known prompt came.
func TimedOut(seconds int, output string) error {
	return &Error{strings.TrimRight(fmt.Sprintf("Timeout (%ds) waiting for privilege escalation prompt: %s", seconds, output), ": ")}
}

// Wrap makes the plan to run script with /bin/sh as the other user. The script must hold
// no single quote, newline, backslash or exclamation mark, so that every login shell
// takes it as it is. key is a word that nobody else prints.
func Wrap(o Options, script, key string) (*Plan, error) {
	user := o.User
	if user == "" {
		user = "root"
	}
	if !validUser.MatchString(user) {
		return nil, &Error{fmt.Sprintf("cannot become %q: not a user name", user)}
	}
	inner := "/bin/sh -c " + Quote(script)
	p := &Plan{method: or(o.Method, "sudo")}
	m, ok := methods[p.method]
	if !ok {
		return nil, &Error{fmt.Sprintf("become method %q is not supported (%s are)", o.Method, strings.Join(Methods(), ", "))}
	}
	flags := or(o.Flags, m.flags)
	switch {
	case m.prompts:
		flags = p.ownPrompt(flags, o.Password, key)
	case p.method == "doas" && o.Password == "" && !hasFlag(flags, 'n'):
		flags = strings.TrimSpace(flags + " -n")
	}
	p.PTY = m.terminal
	exe := or(o.Exe, m.exe)
	p.exe = path.Base(exe)
	p.Command = m.command(exe, flags, Quote(user), inner)
	return p, nil
}

// method is one way to become another user.
type method struct {
	exe, flags string
	prompts    bool // it asks on its standard input, with a prompt of ours
	terminal   bool // it asks on a terminal, in its own words
	command    func(exe, flags, user, inner string) string
}

// methods are the ways, with the usual flags of Ansible's plugins.
var methods = map[string]method{
	"sudo":    {exe: "sudo", flags: "-H -S -n", prompts: true, command: asUser("-u ")},
	"dzdo":    {exe: "dzdo", flags: "-H -S -n", prompts: true, command: asUser("-u ")},
	"sudosu":  {exe: "sudo", flags: "-H -S -n", prompts: true, command: func(x, f, u, c string) string { return join(x, f, "su -l", u, "-c", Quote(c)) }},
	"su":      {exe: "su", terminal: true, command: func(x, f, u, c string) string { return join(x, f, u, "-c", Quote(c)) }},
	"sesu":    {exe: "sesu", flags: "-H -S -n", terminal: true, command: func(x, f, u, c string) string { return join(x, f, u, "-c", Quote(c)) }},
	"doas":    {exe: "doas", terminal: true, command: asUser("-u ")},
	"pbrun":   {exe: "pbrun", terminal: true, command: asUser("-u ")},
	"runuser": {exe: "runuser", command: func(x, f, u, c string) string { return join(x, f, u, "-c", Quote(c)) }},
	"ksu":     {exe: "ksu", terminal: true, command: func(x, f, u, c string) string { return join(x, u, f, "-e", c) }},
	"pfexec":  {exe: "pfexec", flags: "-H -S -n", command: func(x, f, _, c string) string { return join(x, f, c) }},
	// run0 makes a terminal of its own only where its streams are one.
	"run0":  {exe: "run0", command: asUser("--user=")},
	"pmrun": {exe: "pmrun", terminal: true, command: func(x, f, _, c string) string { return join(x, f, c) }},
	// machinectl itself talks on a terminal only, where three ^] end the session: its sister
	// makes the same session, with plain pipes.
	"machinectl": {exe: "systemd-run", command: func(x, f, u, c string) string {
		return join(x, "--quiet --pipe --wait --collect --service-type=exec --property=PAMName=login", f, "--uid="+u, "--", strings.ReplaceAll(c, "$", "$$"))
	}},
}

// OnTerminal tells whether a method needs a terminal.
func OnTerminal(method string) bool { return methods[method].terminal }

// asUser names the user after a flag.
func asUser(flag string) func(exe, flags, user, inner string) string {
	return func(exe, flags, user, inner string) string { return join(exe, flags, flag+user, inner) }
}

// Methods names all ways.
func Methods() []string { return slices.Sorted(maps.Keys(methods)) }

// validUser keeps a user name from being an option or a piece of shell.
var validUser = regexp.MustCompile(`^(#[0-9]+|[A-Za-z0-9_.][A-Za-z0-9_.@\\$+-]*)$`)

// ownPrompt changes the flags of sudo and its like so that it asks with a prompt of ours.
func (p *Plan) ownPrompt(flags, password, key string) string {
	if password == "" {
		return flags
	}
	p.prompt = "[" + p.method + " via fettle, key=" + key + "] password:"
	flags = withoutN(flags)
	if !hasFlag(flags, 'S') {
		flags += " -S"
	}
	return flags + " -p " + Quote(p.prompt)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func join(words ...string) string {
	out := words[:0]
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

func hasFlag(flags string, flag byte) bool {
	for f := range strings.FieldsSeq(flags) {
		if len(f) > 1 && f[0] == '-' && f[1] != '-' && strings.IndexByte(f, flag) > 0 {
			return true
		}
	}
	return false
}

// withoutN takes the flag out that forbids sudo to ask.
func withoutN(flags string) string {
	var out []string
	for f := range strings.FieldsSeq(flags) {
		if len(f) > 1 && f[0] == '-' && f[1] != '-' {
			f = strings.ReplaceAll(f, "n", "")
		}
		if f != "-" && f != "--non-interactive" {
			out = append(out, f)
		}
	}
	return strings.Join(out, " ")
}

// Quote makes one word of s for any shell that knows single and double quotes.
func Quote(s string) string { return transport.Quote(s) }

// Method is the name of the method, for messages.
func (p *Plan) Method() string { return p.method }

// Asks tells whether the output so far ends in a question for the password. Methods
// whose prompt is not ours are taken to ask when an unfinished line ends in a colon, in
// whatever language; the program's own name is no question.
func (p *Plan) Asks(tail []byte) bool {
	if p.prompt != "" {
		return bytes.HasSuffix(bytes.TrimRight(tail, " "), []byte(p.prompt))
	}
	if !methods[p.method].terminal {
		return false
	}
	line := tail[bytes.LastIndexByte(tail, '\n')+1:]
	line = bytes.TrimRight(line, " \t")
	if string(line) == p.exe+":" { // the beginning of a complaint, whose rest is on its way
		return false
	}
	return bytes.HasSuffix(line, []byte(":")) || bytes.HasSuffix(line, []byte("："))
}

// NeedsTTY tells from the output of a failed start that a terminal is wanted (requiretty).
// The word tty stands in all of sudo's languages.
func NeedsTTY(output string) bool {
	return wantsTTY.MatchString(output) && !strings.Contains(output, "askpass")
}

var wantsTTY = regexp.MustCompile(`(?i)\btty\b`)

var (
	wrongPassword = []string{"incorrect password attempt", "Sorry, try again", "Authentication failure", "Authentication failed", "Authorization failed", "incorrect password",
		"Password incorrect", "AUTHENTICATION FAILED", "Permission denied"}
	passwordMissing = []string{"password is required", "a terminal is required to read the password", "Authorization required", "Authentication required", "No password given",
		"nteractive authentication required"}
)

// Failure words why the program ended without becoming the user. answered tells that the
// password was given to it.
func (p *Plan) Failure(output string, code int, answered bool) error {
	if answered && containsAny(output, wrongPassword) {
		return Incorrect(p.method)
	}
	if !answered && containsAny(output, passwordMissing) {
		return Missing(p.method)
	}
	last := strings.TrimSpace(output)
	if p.prompt != "" {
		last = strings.TrimSpace(strings.ReplaceAll(last, p.prompt, ""))
	}
	if answered && code == 1 && p.method == "su" && last != "" { // in another language
		return &Error{fmt.Sprintf("Incorrect su password (%s)", last)}
	}
	if last == "" {
		last = "it printed nothing"
	}
	return &Error{fmt.Sprintf("%s failed with exit code %d: %s", p.method, code, last)}
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
