package ssh

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"fettle/engine/transport"
	"fettle/engine/transport/sshconfig"
)

// settings are what is known about how to reach one host, from the inventory, the
// arguments for ssh and ssh's configuration files.
type settings struct {
	alias    string // as the user named it
	host     string
	port     int
	user     string
	password string
	prompt   string // part of the only questions that the password answers

	keyFiles       []string // in the order to try
	defaultKeys    bool     // keyFiles are ssh's own list: what is missing is no problem
	certFiles      []string
	passphrase     string
	privateKey     string // a key that stands in no file
	identitiesOnly bool
	agent          string // socket; "" means none
	methods        []string
	keyAlgs        []string // signatures that may be offered
	elsewhere      []string // further ways to log in that only the ssh program has

	strict      string // yes, ask, accept-new, no
	userFiles   []string
	globalFiles []string
	keyAlias    string
	hashNames   bool
	trustLocal  bool // keys of this machine are not checked

	jump         []string // hops, first one first
	proxyCommand string

	network  string // tcp, tcp4, tcp6
	bind     string
	timeout  time.Duration
	retries  int
	alive    time.Duration
	aliveMax int
	hostAlgs []string
	ciphers  []string
	kex      []string
	macs     []string
	sendEnv  []string
	setEnv   []string
	fwdAgent string   // socket of the agent to forward; "" means none
	file     string   // -F
	via      []string // of a jump host: the ways it is part of, to notice a circle
}

// address is where the TCP connection goes.
func (s *settings) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// resolve works the settings of a target out. What ansible itself gives to ssh stands
// between ssh_args, which win over it, and the common and extra arguments.
func (d *Dialer) resolve(ctx context.Context, t *transport.Target) (*settings, error) {
	before, err := parseArgs(t.SSHArgs)
	if err != nil {
		return nil, err
	}
	after, err := parseArgs(t.CommonArgs)
	if err != nil {
		return nil, err
	}
	q := sshconfig.Query{Host: t.Address, File: after.file, Args: slices.Concat(before.options, OwnOptions(t), after.options)}
	if q.Host == "" {
		q.Host = t.Name
	}
	if q.File == "" {
		q.File = before.file
	}
	s, err := d.resolveHost(ctx, q)
	if err != nil {
		return nil, err
	}
	s.password, s.passphrase, s.privateKey, s.retries = t.Password, t.KeyPassphrase, t.PrivateKey, t.Retries
	s.prompt = t.Var("ansible_sshpass_prompt")
	return s, nil
}

// OwnOptions are what the variables of the inventory say, as after -o.
func OwnOptions(t *transport.Target) (out []string) {
	if !t.HostKeyChecking {
		out = append(out, "StrictHostKeyChecking=no")
	}
	if t.Port != 0 {
		out = append(out, "Port="+strconv.Itoa(t.Port))
	}
	for _, f := range t.KeyFiles {
		out = append(out, sshconfig.Arg("IdentityFile", f))
	}
	if t.User != "" {
		out = append(out, sshconfig.Arg("User", t.User))
	}
	if t.Timeout > 0 {
		out = append(out, "ConnectTimeout="+strconv.Itoa(t.Timeout))
	}
	return out
}

func (d *Dialer) resolveHost(ctx context.Context, q sshconfig.Query) (*settings, error) {
	o, err := d.files.Resolve(ctx, q)
	if err != nil {
		return nil, err
	}
	s := &settings{alias: q.Host, host: o.HostName(), port: o.Port(), user: o.User(), file: q.File}
	if s.host == "" {
		s.host = q.Host
	}
	if why := onlyProgram(o); why != "" {
		return nil, &ProgramError{why}
	}
	for _, step := range []func(*sshconfig.Options) error{s.identity, s.login, s.hostKeys, s.route, s.algorithms} {
		if err := step(o); err != nil {
			return nil, err
		}
	}
	s.timeout = time.Duration(o.Int("connecttimeout", 10)) * time.Second
	s.alive = time.Duration(o.Int("serveraliveinterval", 15)) * time.Second
	s.aliveMax = o.Int("serveralivecountmax", 3)
	return s, nil
}

// onlyProgram names the option that only the ssh program can do, if there is one.
func onlyProgram(o *sshconfig.Options) string {
	for _, name := range []string{"PKCS11Provider", "KnownHostsCommand", "RevokedHostKeys", "CASignatureAlgorithms", "BindInterface", "RequiredRSASize"} {
		if v := o.Get(strings.ToLower(name)); v != "" && !strings.EqualFold(v, "none") {
			return fmt.Sprintf("the ssh option %s (%s)", name, v)
		}
	}
	for _, name := range []string{"CanonicalizeHostname", "VerifyHostKeyDNS", "Tunnel", "ProxyUseFdpass", "PermitLocalCommand"} {
		if v := o.Get(strings.ToLower(name)); v != "" && v != "no" && v != "ask" {
			return fmt.Sprintf("the ssh option %s (%s)", name, v)
		}
	}
	return ""
}

// defaultKeyNames are the keys ssh looks for when none is named, in its order.
var defaultKeyNames = []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"}

func (s *settings) identity(o *sshconfig.Options) (err error) {
	path := func(p string) string {
		if err == nil {
			p, err = o.Path(p)
		}
		return p
	}
	for _, f := range o.All("identityfile") {
		if !strings.EqualFold(f, "none") {
			s.keyFiles = append(s.keyFiles, path(f))
		}
	}
	if len(o.All("identityfile")) == 0 {
		s.defaultKeys = true
		for _, n := range defaultKeyNames {
			s.keyFiles = append(s.keyFiles, filepath.Join(o.Home(), ".ssh", n))
		}
	}
	for _, f := range o.All("certificatefile") {
		if !strings.EqualFold(f, "none") {
			s.certFiles = append(s.certFiles, path(f))
		}
	}
	s.identitiesOnly = o.Flag("identitiesonly", false)
	s.agent = agentSocket(o.Get("identityagent"), path)
	switch f := o.Get("forwardagent"); strings.ToLower(f) {
	case "", "no", "false":
	case "yes", "true":
		s.fwdAgent = s.agent
	default:
		s.fwdAgent = agentSocket(f, path)
	}
	return err
}

// agentSocket is where an agent listens: named by the environment, or by a path.
func agentSocket(v string, path func(string) string) string {
	switch {
	case strings.EqualFold(v, "none"):
		return ""
	case v == "" || v == "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK")
	case v[0] == '$' && !strings.HasPrefix(v, "${"):
		return os.Getenv(v[1:])
	}
	return path(v)
}

// login says which methods are used.
func (s *settings) login(o *sshconfig.Options) error {
	s.methods = []string{"publickey", "keyboard-interactive", "password"}
	if p := o.Get("preferredauthentications"); p != "" {
		s.methods = strings.Split(p, ",")
		if !slices.ContainsFunc(s.methods, func(m string) bool { return m == "publickey" || m == "keyboard-interactive" || m == "password" }) {
			return &ProgramError{fmt.Sprintf("the ssh option PreferredAuthentications (%s)", p)}
		}
	}
	for option, method := range map[string]string{"pubkeyauthentication": "publickey", "passwordauthentication": "password",
		"kbdinteractiveauthentication": "keyboard-interactive"} {
		if o.Get(option) == "no" {
			s.methods = slices.DeleteFunc(s.methods, func(m string) bool { return m == method })
		}
	}
	if o.Flag("gssapiauthentication", false) && haveTicket() {
		s.elsewhere = append(s.elsewhere, "GSSAPI")
	}
	if o.Flag("hostbasedauthentication", false) {
		s.elsewhere = append(s.elsewhere, "hostbased")
	}
	s.sendEnv, s.setEnv = nil, o.All("setenv")
	for _, v := range o.All("sendenv") {
		s.sendEnv = append(s.sendEnv, strings.Fields(v)...)
	}
	return nil
}

// haveTicket tells whether there may be a Kerberos ticket.
func haveTicket() bool {
	if os.Getenv("KRB5CCNAME") != "" {
		return true
	}
	_, err := os.Stat("/tmp/krb5cc_" + strconv.Itoa(os.Getuid()))
	return err == nil
}

func (s *settings) hostKeys(o *sshconfig.Options) (err error) {
	if s.strict = o.Get("stricthostkeychecking"); s.strict == "" {
		s.strict = "ask"
	}
	files := func(name, def string) (out []string) {
		list := o.All(name)
		if len(list) == 0 {
			list = strings.Fields(def)
		}
		for _, f := range list {
			if strings.EqualFold(f, "none") || f == os.DevNull || err != nil {
				continue
			}
			f, err = o.Path(f)
			out = append(out, f)
		}
		return out
	}
	s.userFiles = files("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")
	s.globalFiles = files("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2")
	s.keyAlias = o.Get("hostkeyalias")
	s.hashNames = o.Flag("hashknownhosts", false)
	s.trustLocal = o.Flag("nohostauthenticationforlocalhost", false)
	return err
}

func (s *settings) route(o *sshconfig.Options) (err error) {
	jump, cmd := o.Get("proxyjump"), o.Get("proxycommand")
	switch {
	case jump != "" && !strings.EqualFold(jump, "none"):
		if jump, err = o.ExpandCommand(jump); err != nil {
			return err
		}
		s.jump = strings.Split(jump, ",")
		for i, h := range s.jump {
			s.jump[i] = strings.TrimSpace(h)
		}
	case cmd != "" && !strings.EqualFold(cmd, "none"):
		if s.proxyCommand, err = o.ExpandCommand(cmd); err != nil {
			return err
		}
	}
	s.network = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[o.Get("addressfamily")]
	if s.network == "" {
		s.network = "tcp"
	}
	s.bind = o.Get("bindaddress")
	return nil
}

func (s *settings) algorithms(o *sshconfig.Options) (err error) {
	good, bad := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	pick := func(name string, dflt, more []string) []string {
		if err != nil {
			return nil
		}
		var out []string
		if out, err = choose(o.Get(strings.ToLower(name)), dflt, more); err != nil {
			err = &ProgramError{fmt.Sprintf("the ssh option %s (%s)", name, o.Get(strings.ToLower(name)))}
		}
		return out
	}
	s.hostAlgs = pick("HostKeyAlgorithms", good.HostKeys, bad.HostKeys)
	s.ciphers = pick("Ciphers", good.Ciphers, bad.Ciphers)
	s.kex = pick("KexAlgorithms", good.KeyExchanges, bad.KeyExchanges)
	s.macs = pick("MACs", good.MACs, bad.MACs)
	if v := o.Get("pubkeyacceptedalgorithms"); v != "" {
		s.keyAlgs = pick("PubkeyAcceptedAlgorithms", append(slices.Clone(good.PublicKeyAuths), certAlgorithms(good.PublicKeyAuths)...),
			append(slices.Clone(bad.PublicKeyAuths), certAlgorithms(bad.PublicKeyAuths)...))
	}
	return err
}

func certAlgorithms(of []string) (out []string) {
	for _, a := range of {
		if !strings.Contains(a, "@") {
			out = append(out, a+"-cert-v01@openssh.com")
		}
	}
	return out
}

// choose applies one of ssh's algorithm lists (with +, - or ^) to what is used by itself
// and what can be used when it is asked for.
func choose(spec string, usual, more []string) ([]string, error) {
	if spec == "" {
		return usual, nil
	}
	all := slices.Concat(usual, more)
	var named []string
	for p := range strings.SplitSeq(strings.TrimLeft(spec, "+-^"), ",") {
		for _, a := range all {
			if sshconfig.Match(p, a) && !slices.Contains(named, a) {
				named = append(named, a)
			}
		}
	}
	out := named
	switch spec[0] {
	case '+':
		out = slices.Clone(usual)
		for _, a := range named {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	case '-':
		out = slices.DeleteFunc(slices.Clone(usual), func(a string) bool { return slices.Contains(named, a) })
	case '^':
		out = slices.Concat(named, slices.DeleteFunc(slices.Clone(usual), func(a string) bool { return slices.Contains(named, a) }))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none of the algorithms %q is supported", spec)
	}
	return out, nil
}
