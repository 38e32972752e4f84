package ssh

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kevinburke/ssh_config"

	"fettle/engine/transport"
)

// settings are what is known about how to reach one host, from the inventory, the
// arguments for ssh and ssh's configuration files, in this order.
type settings struct {
	alias    string // as the user named it
	host     string
	port     int
	user     string
	password string

	keyFiles       []string // in the order to try
	defaultKeys    bool     // keyFiles are ssh's own list: what is missing is no problem
	certFiles      []string
	passphrase     string
	identitiesOnly bool
	agent          string // socket; "" means none
	methods        []string

	strict      string // yes, accept-new, no
	userFiles   []string
	globalFiles []string
	keyAlias    string
	hashNames   bool

	jump         []string // hops, first one first
	proxyCommand string

	network   string // tcp, tcp4, tcp6
	bind      string
	timeout   time.Duration
	retries   int
	alive     time.Duration
	aliveMax  int
	keyAlgs   string
	ciphers   string
	kex       string
	macs      string
	sendEnv   []string
	fwdAgent  bool
	configOpt string // -F
}

// address is where the TCP connection goes.
func (s *settings) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// config are ssh's configuration files, each read once.
type config struct {
	mu    sync.Mutex
	files map[string]*configFile
}

type configFile struct {
	c   *ssh_config.Config
	err error
}

const systemConfig = "/etc/ssh/ssh_config"

func (c *config) load(path string) (*ssh_config.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.files[path]; f != nil {
		return f.c, f.err
	}
	f := &configFile{}
	b, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		f.err = fmt.Errorf("cannot read the ssh configuration: %w", err)
	default:
		if f.c, err = ssh_config.DecodeBytes(b); err != nil {
			f.err = fmt.Errorf("cannot use the ssh configuration %s: %w", path, err)
		}
	}
	if c.files == nil {
		c.files = map[string]*configFile{}
	}
	c.files[path] = f
	return f.c, f.err
}

// lookup finds options for an alias: arguments first, then the files in order.
type lookup struct {
	alias string
	args  []option
	files []*ssh_config.Config
}

func (c *config) lookup(alias string, args []option) (*lookup, error) {
	l := &lookup{alias: alias, args: args}
	paths := []string{filepath.Join(home(), ".ssh", "config"), systemConfig}
	switch f := lastValue(args, "-f"); f {
	case "":
	case "none", os.DevNull:
		paths = nil
	default:
		paths = []string{expandHome(f)}
		if _, err := os.Stat(paths[0]); err != nil {
			return nil, fmt.Errorf("cannot read the ssh configuration: %w", err)
		}
	}
	for _, p := range paths {
		f, err := c.load(p)
		if err != nil {
			return nil, err
		}
		if f != nil {
			l.files = append(l.files, f)
		}
	}
	return l, nil
}

func lastValue(args []option, name string) string {
	for _, o := range slices.Backward(args) {
		if o.name == name {
			return o.value
		}
	}
	return ""
}

// all gives every value of an option, most important first.
func (l *lookup) all(name string) (out []string) {
	for _, o := range l.args {
		if o.name == strings.ToLower(name) {
			out = append(out, o.value)
		}
	}
	for _, f := range l.files {
		if v, err := f.GetAll(l.alias, name); err == nil {
			out = append(out, v...)
		}
	}
	return out
}

func (l *lookup) get(name string) string {
	if v := l.all(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (l *lookup) number(name string, def int) (int, error) {
	v := l.get(name)
	if v == "" {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("ssh option %s: %q is no number", name, v)
	}
	return n, nil
}

func home() string {
	if h := os.Getenv("HOME"); h != "" {
		return h
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return "/"
}

func expandHome(p string) string {
	if p == "~" || strings.HasPrefix(p, "~/") {
		return home() + p[1:]
	}
	return p
}

// resolve works the settings of a target out.
func (c *config) resolve(t *transport.Target) (*settings, error) {
	args, err := parseArgs(t.CommonArgs)
	if err != nil {
		return nil, err
	}
	alias := t.Address
	if alias == "" {
		alias = t.Name
	}
	s, err := c.resolveHost(alias, args)
	if err != nil {
		return nil, err
	}
	if t.User != "" {
		s.user = t.User
	}
	if t.Port != 0 {
		s.port = t.Port
	}
	if len(t.KeyFiles) > 0 {
		rest := s.keyFiles
		if s.defaultKeys {
			rest = nil
		}
		s.keyFiles, s.defaultKeys = append(slices.Clone(t.KeyFiles), rest...), false
		for i, f := range s.keyFiles {
			s.keyFiles[i] = expandHome(f)
		}
	}
	s.password, s.passphrase, s.retries = t.Password, t.KeyPassphrase, t.Retries
	if !t.HostKeyChecking {
		s.strict = "no"
	}
	if t.Timeout > 0 {
		s.timeout = time.Duration(t.Timeout) * time.Second
	}
	return s, nil
}

func (c *config) resolveHost(alias string, args []option) (*settings, error) {
	l, err := c.lookup(alias, args)
	if err != nil {
		return nil, err
	}
	s := &settings{alias: alias, host: alias, network: "tcp", configOpt: lastValue(args, "-f")}
	if h := l.get("HostName"); h != "" {
		s.host = strings.NewReplacer("%h", alias, "%n", alias, "%%", "%").Replace(h)
	}
	if s.user = l.get("User"); s.user == "" {
		if u, err := user.Current(); err == nil {
			s.user = u.Username
		}
	}
	if s.port, err = l.number("Port", 22); err != nil {
		return nil, err
	}
	for _, step := range []func(*lookup) error{s.identity, s.hostKeys, s.route, s.liveness, s.algorithms} {
		if err := step(l); err != nil {
			return nil, err
		}
	}
	return s, nil
}

var defaultKeyNames = []string{"id_ed25519", "id_ecdsa", "id_rsa"}

func (s *settings) identity(l *lookup) error {
	for _, f := range l.all("IdentityFile") {
		if f != "none" {
			s.keyFiles = append(s.keyFiles, s.tokens(f))
		}
	}
	if len(s.keyFiles) == 0 {
		s.defaultKeys = true
		for _, n := range defaultKeyNames {
			s.keyFiles = append(s.keyFiles, filepath.Join(home(), ".ssh", n))
		}
	}
	for _, f := range l.all("CertificateFile") {
		s.certFiles = append(s.certFiles, s.tokens(f))
	}
	s.identitiesOnly = l.get("IdentitiesOnly") == "yes"
	s.agent = os.Getenv("SSH_AUTH_SOCK")
	switch a := l.get("IdentityAgent"); {
	case a == "none":
		s.agent = ""
	case a == "" || a == "SSH_AUTH_SOCK":
	case strings.HasPrefix(a, "$"):
		s.agent = os.Getenv(strings.Trim(a, "${}"))
	default:
		s.agent = s.tokens(a)
	}
	s.methods = []string{"publickey", "keyboard-interactive", "password"}
	if p := l.get("PreferredAuthentications"); p != "" {
		s.methods = strings.Split(p, ",")
	}
	for option, method := range map[string]string{"PubkeyAuthentication": "publickey", "PasswordAuthentication": "password",
		"KbdInteractiveAuthentication": "keyboard-interactive", "ChallengeResponseAuthentication": "keyboard-interactive"} {
		if l.get(option) == "no" {
			s.methods = slices.DeleteFunc(s.methods, func(m string) bool { return m == method })
		}
	}
	s.fwdAgent = l.get("ForwardAgent") == "yes"
	for _, v := range l.all("SendEnv") {
		s.sendEnv = append(s.sendEnv, strings.Fields(v)...)
	}
	return nil
}

// tokens replaces ssh's percent tokens and the tilde in a path.
func (s *settings) tokens(p string) string {
	local, _ := user.Current()
	me := ""
	if local != nil {
		me = local.Username
	}
	p = strings.NewReplacer("%%", "%", "%d", home(), "%h", s.host, "%n", s.alias, "%r", s.user, "%u", me,
		"%p", strconv.Itoa(s.port)).Replace(p)
	return expandHome(strings.Trim(p, `"`))
}

func (s *settings) hostKeys(l *lookup) error {
	switch v := l.get("StrictHostKeyChecking"); v {
	case "", "yes", "ask", "true":
		s.strict = "yes" // nobody is asked
	case "no", "off", "false":
		s.strict = "no"
	case "accept-new":
		s.strict = v
	default:
		return fmt.Errorf("ssh option StrictHostKeyChecking: unknown value %q", v)
	}
	s.userFiles = s.fileList(l.get("UserKnownHostsFile"), "~/.ssh/known_hosts ~/.ssh/known_hosts2")
	s.globalFiles = s.fileList(l.get("GlobalKnownHostsFile"), "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2")
	s.keyAlias = l.get("HostKeyAlias")
	s.hashNames = l.get("HashKnownHosts") == "yes"
	return nil
}

func (s *settings) fileList(v, def string) (out []string) {
	if v == "" {
		v = def
	}
	for f := range strings.FieldsSeq(v) {
		if f != "none" && f != os.DevNull {
			out = append(out, s.tokens(f))
		}
	}
	return out
}

func (s *settings) route(l *lookup) error {
	if j := l.get("ProxyJump"); j != "" && j != "none" {
		s.jump = strings.Split(j, ",")
	} else if p := l.get("ProxyCommand"); p != "" && p != "none" {
		s.proxyCommand = p
	}
	switch f := l.get("AddressFamily"); f {
	case "", "any":
	case "inet":
		s.network = "tcp4"
	case "inet6":
		s.network = "tcp6"
	default:
		return fmt.Errorf("ssh option AddressFamily: unknown value %q", f)
	}
	s.bind = l.get("BindAddress")
	return nil
}

func (s *settings) liveness(l *lookup) error {
	seconds, err := l.number("ConnectTimeout", 10)
	if err != nil {
		return err
	}
	s.timeout = time.Duration(seconds) * time.Second
	alive, err := l.number("ServerAliveInterval", 15)
	if err != nil {
		return err
	}
	s.alive = time.Duration(alive) * time.Second
	s.aliveMax, err = l.number("ServerAliveCountMax", 3)
	return err
}

func (s *settings) algorithms(l *lookup) error {
	s.keyAlgs, s.ciphers = l.get("HostKeyAlgorithms"), l.get("Ciphers")
	s.kex, s.macs = l.get("KexAlgorithms"), l.get("MACs")
	return nil
}
