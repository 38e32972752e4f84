package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/transport/sshconfig"
)

// arguments are what people pass to ssh, as options.
type arguments struct {
	options []string // as after -o, in their order
	file    string   // -F
}

// harmless are options about things that are so here anyway: one connection is kept for
// the run, and its log is ours.
var harmless = []string{"batchmode", "checkhostip", "compression", "controlmaster", "controlpath", "controlpersist", "escapechar",
	"exitonforwardfailure", "forwardx11", "forwardx11trusted", "ipqos", "loglevel", "numberofpasswordprompts", "requesttty", "tcpkeepalive",
	"updatehostkeys", "visualhostkey", "fingerprinthash", "addkeystoagent"}

// ArgError is an argument for ssh that has no meaning for a connection that runs commands.
type ArgError struct{ Arg string }

func (e *ArgError) Error() string {
	return fmt.Sprintf("the ssh argument %q makes no sense here, or is none of ssh's", e.Arg)
}

// ProgramError says that what was configured can be done by the ssh program only.
type ProgramError struct{ Why string }

func (e *ProgramError) Error() string {
	return e.Why + " is not supported by the built-in ssh client (connection ssh); it needs the ssh program (connection openssh)"
}

// flagOptions are ssh's letters that stand for options: with a value, or with the value
// that the letter alone means.
var flagOptions = map[byte]struct{ name, value string }{'o': {name: "-o"}, 'F': {name: "-F"}, 'J': {name: "ProxyJump"}, 'i': {name: "IdentityFile"},
	'p': {name: "Port"}, 'l': {name: "User"}, 'b': {name: "BindAddress"}, 'c': {name: "Ciphers"}, 'm': {name: "MACs"}, 'P': {name: "Tag"},
	'4': {"AddressFamily", "inet"}, '6': {"AddressFamily", "inet6"}, 'A': {"ForwardAgent", "yes"}, 'a': {"ForwardAgent", "no"}}

const (
	flagsWithout = "CqTtvxnkMy"  // they mean nothing here
	flagsSkip    = "eS"          // neither do these, with a value
	flagsProgram = "KXYLRDwIBEg" // only the program can do these
	flagsNever   = "WNfGQVsO"    // these would not leave a connection for commands
)

// parseArgs understands what people pass in ansible_ssh_common_args and its kind.
func parseArgs(args []string) (*arguments, error) {
	out := &arguments{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' {
			return nil, &ArgError{a}
		}
		for flags := a[1:]; flags != ""; {
			c, rest := flags[0], flags[1:]
			o, known := flagOptions[c]
			switch {
			case strings.IndexByte(flagsWithout, c) >= 0:
				flags = rest
				continue
			case known && o.value != "":
				out.options = append(out.options, sshconfig.Arg(o.name, o.value))
				flags = rest
				continue
			case strings.IndexByte(flagsProgram, c) >= 0:
				return nil, &ProgramError{fmt.Sprintf("the ssh argument %q", a)}
			case !known && strings.IndexByte(flagsSkip, c) < 0:
				return nil, &ArgError{a}
			}
			if rest == "" {
				if i++; i >= len(args) {
					return nil, fmt.Errorf("the ssh argument %q lacks its value", a)
				}
				rest = args[i]
			}
			if err := out.add(c, o.name, rest); err != nil {
				return nil, err
			}
			flags = ""
		}
	}
	return out, nil
}

func (a *arguments) add(letter byte, name, value string) error {
	switch {
	case strings.IndexByte(flagsSkip, letter) >= 0:
	case name == "-F":
		a.file = value
	case name == "-o":
		o, err := keyword(value)
		if err != nil || slices.Contains(harmless, o) {
			return err
		}
		if o == "localforward" || o == "remoteforward" || o == "dynamicforward" {
			return &ProgramError{fmt.Sprintf("the ssh argument %q", "-o "+value)}
		}
		a.options = append(a.options, value)
	default:
		a.options = append(a.options, sshconfig.Arg(name, value))
	}
	return nil
}

// keyword is the name of an option given with -o.
func keyword(option string) (string, error) {
	option = strings.TrimSpace(option)
	end := strings.IndexAny(option, " \t=")
	if end <= 0 {
		return "", fmt.Errorf("the ssh argument %q lacks its value", "-o "+option)
	}
	name := strings.ToLower(option[:end])
	if !sshconfig.Known(name) {
		return "", &ArgError{"-o " + option}
	}
	return name, nil
}

// CheckArgs refuses arguments that would not leave a connection for commands; what only the
// ssh program understands is good.
func CheckArgs(args []string) error {
	_, err := parseArgs(args)
	var need *ProgramError
	if errors.As(err, &need) {
		return nil
	}
	return err
}
