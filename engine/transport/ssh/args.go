package ssh

import (
	"fmt"
	"slices"
	"strings"
)

// option is one option for ssh, its name in lower case; -F is "-f".
type option struct{ name, value string }

// understood are the options that can be given with -o and mean something here.
var understood = []string{"addkeystoagent", "addressfamily", "bindaddress", "certificatefile", "ciphers", "connecttimeout",
	"connectionattempts", "forwardagent", "globalknownhostsfile", "hashknownhosts", "hostkeyalgorithms", "hostkeyalias", "hostname",
	"identitiesonly", "identityagent", "identityfile", "kbdinteractiveauthentication", "challengeresponseauthentication",
	"kexalgorithms", "macs", "passwordauthentication", "port", "preferredauthentications", "proxycommand", "proxyjump",
	"pubkeyauthentication", "sendenv", "serveralivecountmax", "serveraliveinterval", "stricthostkeychecking", "user", "userknownhostsfile"}

// needless are options about things that are so here anyway: one connection is kept for
// the run, nothing is asked, the log is ours.
var needless = []string{"batchmode", "checkhostip", "compression", "controlmaster", "controlpath", "controlpersist",
	"escapechar", "exitonforwardfailure", "forwardx11", "ipqos", "loglevel", "numberofpasswordprompts", "requesttty", "tcpkeepalive",
	"updatehostkeys", "verifyhostkeydns", "visualhostkey"}

// refusals of options that would be set to what is not there.
var onlyNo = []string{"gssapiauthentication", "gssapidelegatecredentials", "gssapikeyexchange", "hostbasedauthentication", "permitlocalcommand", "canonicalizehostname"}

// ArgError is an argument for ssh that is not understood.
type ArgError struct{ Arg string }

func (e *ArgError) Error() string {
	return fmt.Sprintf("the ssh argument %q is not supported by the built-in ssh client (connection ssh); it needs the ssh program (connection openssh)", e.Arg)
}

// parseArgs understands what people pass in ansible_ssh_common_args and its kind.
func parseArgs(args []string) ([]option, error) {
	var out []option
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' {
			return nil, &ArgError{a}
		}
		for flags := a[1:]; flags != ""; {
			name, known := flagOptions[flags[0]]
			if !known {
				return nil, &ArgError{a}
			}
			rest := flags[1:]
			if name.value != "" || name.name == "" { // a flag without value
				if name.name != "" {
					out = append(out, name)
				}
				flags = rest
				continue
			}
			if rest == "" {
				if i++; i >= len(args) {
					return nil, fmt.Errorf("the ssh argument %q lacks its value", a)
				}
				rest = args[i]
			}
			o, err := namedOption(name.name, rest)
			if err != nil {
				return nil, err
			}
			if o.name != "" {
				out = append(out, o)
			}
			flags = ""
		}
	}
	return out, nil
}

// flagOptions are ssh's letters: with a name only, a value follows; with neither, the
// letter means nothing here.
var flagOptions = map[byte]option{'o': {name: "-o"}, 'J': {name: "proxyjump"}, 'i': {name: "identityfile"}, 'p': {name: "port"},
	'l': {name: "user"}, 'F': {name: "-f"}, 'b': {name: "bindaddress"}, 'c': {name: "ciphers"}, 'm': {name: "macs"},
	'4': {"addressfamily", "inet"}, '6': {"addressfamily", "inet6"}, 'A': {"forwardagent", "yes"}, 'a': {"forwardagent", "no"},
	'C': {}, 'q': {}, 'T': {}, 't': {}, 'v': {}, 'x': {}, 'n': {}, 'k': {}}

func namedOption(name, value string) (option, error) {
	if name != "-o" {
		return option{name, value}, nil
	}
	key, v, ok := strings.Cut(value, "=")
	if !ok {
		if key, v, ok = strings.Cut(strings.TrimSpace(value), " "); !ok {
			return option{}, fmt.Errorf("the ssh argument %q lacks its value", "-o "+value)
		}
	}
	key, v = strings.ToLower(strings.TrimSpace(key)), strings.Trim(strings.TrimSpace(v), `"`)
	switch {
	case slices.Contains(understood, key):
		return option{key, v}, nil
	case slices.Contains(needless, key), slices.Contains(onlyNo, key) && (v == "no" || v == "false"):
		return option{}, nil
	}
	return option{}, &ArgError{"-o " + value}
}
