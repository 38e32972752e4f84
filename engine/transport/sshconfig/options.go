package sshconfig

import (
	"crypto/sha1" // the hash of %C
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Options are what was found for a host. Names of options are written in lower case.
type Options struct {
	Host   string // as the user names it
	values map[string][]string
	named  bool // hostname is found out

	local, home, uid string // the local user
}

// Get gives the value of an option, "" when it was not set.
func (o *Options) Get(name string) string {
	if v := o.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// All gives all values of an option that can have several.
func (o *Options) All(name string) []string { return o.values[name] }

// Flag gives an option that is yes or no.
func (o *Options) Flag(name string, otherwise bool) bool {
	if v := o.Get(name); v != "" {
		return v == "yes"
	}
	return otherwise
}

// Int gives an option that is a number, or a time in seconds.
func (o *Options) Int(name string, otherwise int) int {
	if n, err := strconv.Atoi(o.Get(name)); err == nil {
		return n
	}
	return otherwise
}

// User is who logs in.
func (o *Options) User() string {
	if u := o.Get("user"); u != "" {
		return u
	}
	return o.local
}

// Home is the home of the local user.
func (o *Options) Home() string { return o.home }

// HostName is where to connect.
func (o *Options) HostName() string { return o.Get("hostname") }

// Port is where to connect.
func (o *Options) Port() int { return o.Int("port", 22) }

// hostName is HostName while it is being found out.
func (o *Options) hostName() (string, error) {
	h := o.Get("hostname")
	if o.named {
		return h, nil
	}
	if h == "" {
		return strings.ToLower(o.Host), nil
	}
	h, err := replace(h, map[byte]string{'h': o.Host})
	return strings.ToLower(h), err
}

// Path is a file name of an option, with its tokens, environment and ~ replaced.
func (o *Options) Path(p string) (string, error) {
	p, err := o.environment(expandTilde(p, o.home))
	if err != nil {
		return "", err
	}
	return o.Expand(p)
}

// Expand replaces tokens like %h.
func (o *Options) Expand(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	host, err := o.hostName()
	if err != nil {
		return "", err
	}
	long, _ := os.Hostname()
	short, _, _ := strings.Cut(long, ".")
	port, user, jump := strconv.Itoa(o.Port()), o.User(), jumpHost(o.Get("proxyjump"))
	alias := o.Get("hostkeyalias")
	if alias == "" {
		alias = o.Host
	}
	sum := sha1.Sum([]byte(long + host + port + user + jump))
	return replace(s, map[byte]string{'C': hex.EncodeToString(sum[:]), 'd': o.home, 'h': host, 'i': o.uid, 'j': jump, 'k': alias, 'L': short,
		'l': long, 'n': o.Host, 'p': port, 'r': user, 'u': o.local})
}

// ExpandCommand replaces the tokens of ProxyCommand and ProxyJump.
func (o *Options) ExpandCommand(s string) (string, error) {
	host, err := o.hostName()
	if err != nil {
		return "", err
	}
	alias := o.Get("hostkeyalias")
	if alias == "" {
		alias = o.Host
	}
	return replace(s, map[byte]string{'h': host, 'n': o.Host, 'p': strconv.Itoa(o.Port()), 'r': o.User(), 'k': alias})
}

// jumpHost is the host of the last hop, as in %j.
func jumpHost(spec string) string {
	if strings.EqualFold(spec, "none") {
		return ""
	}
	hop := spec[strings.LastIndexByte(spec, ',')+1:]
	hop = strings.TrimPrefix(hop, "ssh://")
	hop = hop[strings.LastIndexByte(hop, '@')+1:]
	if h, _, err := net.SplitHostPort(hop); err == nil {
		return h
	}
	return strings.Trim(hop, "[]")
}

func replace(s string, tokens map[byte]string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out.WriteByte(s[i])
			continue
		}
		if i++; i >= len(s) {
			return "", fmt.Errorf("%q ends in the middle of a token", s)
		}
		v, ok := tokens[s[i]]
		if s[i] == '%' {
			v, ok = "%", true
		}
		if !ok {
			return "", fmt.Errorf("%q has the unknown token %q", s, "%"+s[i:i+1])
		}
		out.WriteString(v)
	}
	return out.String(), nil
}

var variable = regexp.MustCompile(`\$\{[^}]*\}`)

// environment replaces ${NAME}; a name that is not set is a mistake.
func (o *Options) environment(s string) (out string, err error) {
	out = variable.ReplaceAllStringFunc(s, func(v string) string {
		value, ok := os.LookupEnv(v[2 : len(v)-1])
		if !ok {
			err = fmt.Errorf("%q: the environment has no %s", s, v[2:len(v)-1])
		}
		return value
	})
	return out, err
}

// Match matches one of ssh's patterns, with * and ?.
func Match(pattern, s string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
			rest := strings.TrimLeft(pattern[i:], "*")
			for j := 0; j <= len(s); j++ {
				if Match(rest, s[j:]) {
					return true
				}
			}
			return false
		case '?':
			if s == "" {
				return false
			}
		default:
			if s == "" || s[0] != pattern[i] {
				return false
			}
		}
		s = s[1:]
	}
	return s == ""
}

// MatchList matches patterns with commas between them: 1 one matches, -1 a negated one
// does, 0 none.
func MatchList(patterns, s string) int {
	found := 0
	for p := range strings.SplitSeq(patterns, ",") {
		p, negated := strings.CutPrefix(p, "!")
		switch {
		case !Match(p, s):
		case negated:
			return -1
		default:
			found = 1
		}
	}
	return found
}

// localNetwork tells whether this machine has an address in one of the networks.
func localNetwork(networks string) (bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("cannot look at the addresses of this machine: %w", err)
	}
	found := false
	for n := range strings.SplitSeq(networks, ",") {
		n, negated := strings.CutPrefix(n, "!")
		prefix, err := netip.ParsePrefix(n)
		if err != nil {
			one, err := netip.ParseAddr(n)
			if err != nil {
				return false, fmt.Errorf("%q is no network", n)
			}
			prefix = netip.PrefixFrom(one, one.BitLen())
		}
		for _, a := range addrs {
			ip, err := netip.ParsePrefix(a.String())
			if err != nil || ip.Addr().IsLoopback() || !prefix.Contains(ip.Addr().Unmap()) {
				continue
			}
			if negated {
				return false, nil
			}
			found = true
		}
	}
	return found, nil
}
