// Package become words the commands that run another command as another user (sudo, su,
// doas, runuser) and understands what these programs ask and answer. It runs nothing.
package become

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"fettle/engine/transport"
)

// Options say whom to become, and how.
type Options struct {
	Method   string // sudo, su, doas, runuser
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
	p := &Plan{method: o.Method}
	switch o.Method {
	case "", "sudo":
		p.method = "sudo"
		p.sudo(o, user, inner, key)
	case "su":
		p.PTY = true
		p.Command = join(or(o.Exe, "su"), o.Flags, Quote(user), "-c", Quote(inner))
	case "doas":
		p.PTY = true
		flags := o.Flags
		if o.Password == "" && !hasFlag(flags, 'n') {
			flags = strings.TrimSpace(flags + " -n")
		}
		p.Command = join(or(o.Exe, "doas"), flags, "-u", Quote(user), inner)
	case "runuser":
		p.Command = join(or(o.Exe, "runuser"), o.Flags, Quote(user), "-c", Quote(inner))
	default:
		return nil, &Error{fmt.Sprintf("become method %q is not supported (sudo, su, doas and runuser are)", o.Method)}
	}
	return p, nil
}

// validUser keeps a user name from being an option or a piece of shell.
var validUser = regexp.MustCompile(`^(#[0-9]+|[A-Za-z0-9_.][A-Za-z0-9_.@\\$+-]*)$`)

func (p *Plan) sudo(o Options, user, inner, key string) {
	flags := or(o.Flags, "-H -S -n")
	if o.Password != "" {
		p.prompt = "[sudo via fettle, key=" + key + "] password:"
		flags = withoutN(flags)
		if !hasFlag(flags, 'S') {
			flags += " -S"
		}
		flags += " -p " + Quote(p.prompt)
	}
	p.Command = join(or(o.Exe, "sudo"), flags, "-u", Quote(user), inner)
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
// whatever language.
func (p *Plan) Asks(tail []byte) bool {
	if p.prompt != "" {
		return bytes.HasSuffix(bytes.TrimRight(tail, " "), []byte(p.prompt))
	}
	if p.method != "su" && p.method != "doas" {
		return false
	}
	line := tail[bytes.LastIndexByte(tail, '\n')+1:]
	line = bytes.TrimRight(line, " \t")
	return bytes.HasSuffix(line, []byte(":")) || bytes.HasSuffix(line, []byte("："))
}

// NeedsTTY tells from the output of a failed start that a terminal is wanted (requiretty).
func NeedsTTY(output string) bool {
	return strings.Contains(output, "must have a tty")
}

var (
	wrongPassword   = []string{"incorrect password attempt", "Sorry, try again", "Authentication failure", "Authentication failed", "Authorization failed", "incorrect password"}
	passwordMissing = []string{"password is required", "a terminal is required to read the password", "Authorization required", "Authentication required"}
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
