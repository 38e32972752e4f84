package sshconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind says how the arguments of an option are read.
type kind int

const (
	text     kind = iota // one word
	flag                 // yes or no
	choice               // one of some words
	number               // not negative
	duration             // seconds, or like 1h30m
	list                 // several words, the first line counts
	gather               // several words, all lines count
	each                 // one word, all lines count
	command              // the rest of the line as it stands
	ignored              // read over
)

// keyword is what is known of an option.
type keyword struct {
	kind    kind
	choices string // of a choice; "a=b" means that b is kept for a
}

// aliases are older names of options.
var aliases = map[string]string{
	"challengeresponseauthentication": "kbdinteractiveauthentication", "skeyauthentication": "kbdinteractiveauthentication",
	"tisauthentication": "kbdinteractiveauthentication", "dsaauthentication": "pubkeyauthentication", "keepalive": "tcpkeepalive",
	"pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms", "hostbasedkeytypes": "hostbasedacceptedalgorithms",
	"hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms", "smartcarddevice": "pkcs11provider",
}

const yesNo = "yes|no|true=yes|false=no"

// keywords are all options that OpenSSH knows: a word that is not here is a mistake.
var keywords = map[string]keyword{
	"stricthostkeychecking": {choice, "yes|no|ask|accept-new|true=yes|false=no|off=no"},
	"addressfamily":         {choice, "any|inet|inet6"},
	"canonicalizehostname":  {choice, "yes|no|always|true=yes|false=no"},
	"controlmaster":         {choice, "yes|no|auto|ask|autoask|true=yes|false=no"},
	"pubkeyauthentication":  {choice, "yes|no|unbound|host-bound|true=yes|false=no"},
	"verifyhostkeydns":      {choice, "yes|no|ask|true=yes|false=no"},
	"requesttty":            {choice, "yes|no|force|auto|true=yes|false=no"},
	"sessiontype":           {choice, "none|subsystem|default"},
	"tunnel":                {choice, "yes|no|point-to-point|ethernet|true=yes|false=no"},
	"updatehostkeys":        {choice, "yes|no|ask|true=yes|false=no"},
	"connecttimeout":        {duration, "none"}, "serveraliveinterval": {duration, ""}, "forwardx11timeout": {duration, ""},
	"port": {kind: number}, "connectionattempts": {kind: number}, "numberofpasswordprompts": {kind: number}, "serveralivecountmax": {kind: number},
	"canonicalizemaxdots": {kind: number}, "requiredrsasize": {kind: number}, "compressionlevel": {kind: number},
	"userknownhostsfile": {kind: list}, "globalknownhostsfile": {kind: list}, "canonicaldomains": {kind: list}, "canonicalizepermittedcnames": {kind: list},
	"permitremoteopen": {kind: list}, "ipqos": {kind: list}, "rekeylimit": {kind: list}, "channeltimeout": {kind: list}, "logverbose": {kind: list},
	"addkeystoagent": {kind: list}, "setenv": {kind: list},
	"sendenv": {kind: gather}, "localforward": {kind: gather}, "remoteforward": {kind: gather},
	"identityfile": {kind: each}, "certificatefile": {kind: each}, "dynamicforward": {kind: each},
	"proxycommand": {kind: command}, "localcommand": {kind: command}, "remotecommand": {kind: command}, "knownhostscommand": {kind: command},
	"proxyjump": {kind: command},
}

func init() {
	put := func(k kind, names string) {
		for n := range strings.FieldsSeq(names) {
			keywords[n] = keyword{kind: k}
		}
	}
	put(text, `bindaddress bindinterface casignaturealgorithms ciphers controlpath controlpersist escapechar fingerprinthash forwardagent
		gssapiclientidentity gssapiserveridentity gssapikexalgorithms hostbasedacceptedalgorithms hostkeyalgorithms hostkeyalias hostname identityagent
		ignoreunknown kbdinteractivedevices kexalgorithms loglevel macs pkcs11provider preferredauthentications pubkeyacceptedalgorithms
		revokedhostkeys securitykeyprovider streamlocalbindmask syslogfacility tag tunneldevice user xauthlocation obscurekeystroketiming versionaddendum refuseconnection`)
	put(flag, `batchmode canonicalizefallbacklocal checkhostip clearallforwardings compression enableescapecommandline enablesshkeysign
		exitonforwardfailure forkafterauthentication forwardx11 forwardx11trusted gatewayports gssapiauthentication gssapidelegatecredentials
		gssapikeyexchange gssapirenewalforcesrekey gssapitrustdns hashknownhosts hostbasedauthentication identitiesonly kbdinteractiveauthentication
		nohostauthenticationforlocalhost passwordauthentication permitlocalcommand proxyusefdpass stdinnull streamlocalbindunlink
		tcpkeepalive visualhostkey warnweakcrypto`)
	put(ignored, `protocol cipher rhostsauthentication rhostsrsaauthentication rsaauthentication useprivilegedport fallbacktorsh usersh useroaming
		afstokenpassing kerberosauthentication kerberostgtpassing globalknownhostsfile2 userknownhostsfile2 useblacklistedkeys usekeychain`)
}

// set takes a line that counts.
func (o *Options) set(l line) error {
	name := l.keyword
	if a := aliases[name]; a != "" {
		name = a
	}
	k, known := keywords[name]
	if !known {
		if o.ignores(l.keyword) {
			return nil
		}
		return fmt.Errorf("%s: bad ssh option %q", l.at, l.keyword)
	}
	v, err := k.read(l)
	if err != nil || k.kind == ignored || len(v) == 0 {
		return err
	}
	old, there := o.values[name]
	switch {
	case name == "sendenv":
		o.values[name] = sendEnv(old, v)
	case k.kind == gather:
		o.values[name] = append(old, strings.Join(v, " "))
	case k.kind == each:
		if !slices.Contains(old, v[0]) {
			o.values[name] = append(old, v[0])
		}
	case name == "proxycommand" || name == "proxyjump":
		o.setProxy(name, v[0])
	case !there:
		o.values[name] = v
	}
	return nil
}

// setProxy: whichever of the two comes first shuts the other out; only "ProxyJump none"
// leaves room for a command.
func (o *Options) setProxy(name, v string) {
	jump, jumps := o.values["proxyjump"]
	_, cmd := o.values["proxycommand"]
	if cmd || jumps && (name == "proxyjump" || !strings.EqualFold(jump[0], "none")) {
		return
	}
	o.values[name] = []string{v}
}

// sendEnv adds names; a name after a minus takes those that match out again.
func sendEnv(old, more []string) []string {
	out := slices.Clone(old)
	for _, m := range more {
		if p, ok := strings.CutPrefix(m, "-"); ok {
			out = slices.DeleteFunc(out, func(s string) bool { return Match(p, s) })
			continue
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

func (o *Options) ignores(name string) bool {
	return MatchList(strings.ToLower(o.Get("ignoreunknown")), name) > 0
}

// read gives the values of a line in their one form.
func (k keyword) read(l line) ([]string, error) {
	switch k.kind {
	case command:
		if l.keyword == "proxyjump" { // the only one that may be followed by a remark
			hops, _, _ := strings.Cut(l.rest, "#")
			return []string{strings.TrimSpace(hops)}, nil
		}
		return []string{l.rest}, nil
	case list, gather, ignored:
		return l.args, nil
	}
	if len(l.args) != 1 {
		return nil, fmt.Errorf("%s: the ssh option %s takes one value", l.at, l.keyword)
	}
	v := l.args[0]
	if v == "" && l.keyword != "ignoreunknown" {
		return nil, fmt.Errorf("%s: the ssh option %s lacks its value", l.at, l.keyword)
	}
	ok := true
	switch k.kind {
	case flag:
		v, ok = oneOf(yesNo, v)
	case choice:
		v, ok = oneOf(k.choices, v)
	case number:
		n, err := strconv.ParseUint(v, 10, 31)
		ok, v = err == nil, strconv.FormatUint(n, 10)
		if l.keyword == "port" && (n == 0 || n > 65535) {
			ok = false
		}
	case duration:
		if v == "none" && k.choices == "none" {
			return nil, nil // as if it were not written
		}
		v, ok = seconds(v)
	}
	if !ok {
		return nil, fmt.Errorf("%s: ssh option %s: unknown value %q", l.at, l.keyword, l.args[0])
	}
	return []string{v}, nil
}

func oneOf(choices, v string) (string, bool) {
	for c := range strings.SplitSeq(choices, "|") {
		name, kept, other := strings.Cut(c, "=")
		if strings.EqualFold(name, v) {
			if other {
				return kept, true
			}
			return name, true
		}
	}
	return v, false
}

// seconds reads a time as ssh does: 90, 90s, 1m30s, 1h, 2d, 1w.
func seconds(s string) (string, bool) {
	units := map[byte]int{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}
	total := 0
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if end == 0 || end > 9 {
			return "", false
		}
		unit := 1
		digits := s
		if end > 0 {
			if unit = units[s[end]|0x20]; unit == 0 {
				return "", false
			}
			digits, s = s[:end], s[end+1:]
		} else {
			s = ""
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			return "", false
		}
		total += n * unit
	}
	return strconv.Itoa(total), total >= 0
}

// Known tells whether there is an option of this name.
func Known(name string) bool {
	name = strings.ToLower(name)
	_, ok := keywords[name]
	return ok || aliases[name] != ""
}

// Arg writes an option as after -o.
func Arg(name, value string) string {
	if keywords[strings.ToLower(name)].kind == command {
		return name + "=" + value
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
