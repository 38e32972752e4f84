package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login gathers the ways to log in to one host.
type login struct {
	ctx      context.Context
	s        *settings
	keys     *keyring
	ask      *asker   // nil: nobody can be asked
	problems []string // why keys could not be used, for the message when all fails
	agent    net.Conn
	program  bool            // there is a key that only the ssh program can use
	late     <-chan struct{} // closed when the time is up
}

func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close()
	}
}

func (l *login) problem(text string) {
	if !slices.Contains(l.problems, text) {
		l.problems = append(l.problems, text)
	}
}

// because is what was noted, to be added to a message.
func (l *login) because() string {
	if len(l.problems) == 0 {
		return ""
	}
	return "; " + strings.Join(l.problems, "; ")
}

func (l *login) methods() (out []ssh.AuthMethod) {
	for _, m := range l.s.methods {
		switch m {
		case "publickey":
			if signers := l.signers(); len(signers) > 0 {
				out = append(out, ssh.PublicKeys(signers...))
			}
		case "password":
			if l.s.password != "" {
				out = append(out, ssh.PasswordCallback(l.password))
			}
		case "keyboard-interactive":
			if l.s.password != "" {
				out = append(out, ssh.KeyboardInteractive(l.answer))
			}
		}
	}
	return out
}

// password answers the ssh program's own question.
func (l *login) password() (string, error) {
	return l.s.password, l.expected(l.s.user + "@" + l.s.host + "'s password: ")
}

// expected holds the password back from a question that ansible_sshpass_prompt does not
// fit. As with sshpass, nobody answers then until the time is up.
func (l *login) expected(question string) error {
	if strings.Contains(question, l.s.prompt) {
		return nil
	}
	select {
	case <-l.late:
	case <-l.ctx.Done():
	}
	l.problem(fmt.Sprintf("the question %q was not answered, because ansible_sshpass_prompt is %q", strings.TrimSpace(question), l.s.prompt))
	return errUnanswered
}

var errUnanswered = errors.New("a question was not answered")

// answer gives the password to every hidden question.
func (l *login) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range questions {
		if echos[i] {
			return nil, fmt.Errorf("the host asks %q, which nobody can answer here", strings.TrimSpace(questions[i]))
		}
		if err := l.expected(questions[i]); err != nil {
			return nil, err
		}
		answers[i] = l.s.password
	}
	return answers, nil
}

// signers are the keys in the order to try: files first when they were named, the agent's
// first when not, and last those for which a passphrase must be asked. A certificate
// stands before its key.
func (l *login) signers() []ssh.Signer {
	files, locked, publics := l.fileSigners()
	agents := l.agentSigners(publics)
	all := slices.Concat(files, agents)
	if l.s.defaultKeys && l.s.privateKey == "" {
		all = slices.Concat(agents, files)
	}
	for _, k := range locked {
		if !slices.ContainsFunc(agents, func(s ssh.Signer) bool { return samePublic(s.PublicKey(), k.PublicKey()) }) {
			all = append(all, k)
		}
	}
	return l.allowed(unique(append(l.certified(all), all...)))
}

// fileSigners opens the key files; locked are those that need a passphrase first.
func (l *login) fileSigners() (signers, locked []ssh.Signer, publics []ssh.PublicKey) {
	if text := l.s.privateKey; text != "" {
		if s, err := parseKey(text, l.s.passphrase); err != nil {
			l.problem("cannot use ansible_private_key: " + err.Error())
		} else {
			signers, publics = append(signers, s), append(publics, s.PublicKey())
		}
	}
	for _, path := range l.s.keyFiles {
		f := l.keys.load(path, l.s.passphrase)
		if f.public != nil {
			publics = append(publics, f.public)
		}
		switch {
		case f.err == nil:
			signers = append(signers, f.signers...)
		case f.hardware:
			l.program = true
			l.problem("the key " + path + " lives in a security key, which needs an ssh agent or the ssh program (connection openssh)")
		case f.locked && l.ask.there() && f.public != nil:
			k := &lockedKey{login: l, path: path, public: f.public}
			if c := readCert(path + "-cert.pub"); c != nil && samePublic(c.Key, f.public) {
				if s, err := ssh.NewCertSigner(c, k); err == nil {
					locked = append(locked, s)
				}
			}
			locked = append(locked, k)
		case f.agentOnly:
		case !l.s.defaultKeys || !os.IsNotExist(f.err):
			l.problem(keyProblem(f.err))
		}
	}
	return signers, locked, publics
}

// certified joins the named certificates with the keys they are for.
func (l *login) certified(signers []ssh.Signer) (out []ssh.Signer) {
	for _, path := range l.s.certFiles {
		c := readCert(path)
		if c == nil {
			l.problem("cannot read the certificate " + path)
			continue
		}
		for _, s := range signers {
			if !samePublic(s.PublicKey(), c.Key) {
				continue
			}
			if x, err := ssh.NewCertSigner(c, s); err == nil {
				out = append(out, x)
				break
			}
		}
	}
	return out
}

// allowed keeps to PubkeyAcceptedAlgorithms.
func (l *login) allowed(signers []ssh.Signer) (out []ssh.Signer) {
	if len(l.s.keyAlgs) == 0 {
		return signers
	}
	for _, s := range signers {
		var algs []string
		for _, a := range signatureAlgorithms(s.PublicKey().Type()) {
			if slices.Contains(l.s.keyAlgs, a) {
				algs = append(algs, strings.TrimSuffix(a, "-cert-v01@openssh.com"))
			}
		}
		as, ok := s.(ssh.AlgorithmSigner)
		if len(algs) == 0 || !ok {
			continue
		}
		if s.PublicKey().Type() == ssh.KeyAlgoRSA {
			if x, err := ssh.NewSignerWithAlgorithms(as, algs); err == nil {
				s = x
			}
		}
		out = append(out, s)
	}
	return out
}

func (l *login) agentSigners(publics []ssh.PublicKey) []ssh.Signer {
	if l.s.agent == "" {
		return nil
	}
	c, err := (&net.Dialer{}).DialContext(l.ctx, "unix", l.s.agent)
	if err != nil {
		l.problem(fmt.Sprintf("cannot reach the ssh agent: %v", err))
		return nil
	}
	l.agent = c
	signers, err := agent.NewClient(c).Signers()
	if err != nil {
		l.problem(fmt.Sprintf("the ssh agent does not answer: %v", err))
		return nil
	}
	if !l.s.identitiesOnly {
		return signers
	}
	for _, p := range l.s.certFiles {
		if c := readCert(p); c != nil {
			publics = append(publics, c, c.Key)
		}
	}
	var out []ssh.Signer
	for _, s := range signers {
		if slices.ContainsFunc(publics, func(p ssh.PublicKey) bool { return samePublic(p, s.PublicKey()) }) {
			out = append(out, s)
		}
	}
	return out
}

func samePublic(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

func unique(signers []ssh.Signer) (out []ssh.Signer) {
	seen := map[string]bool{}
	for _, s := range signers {
		id := string(s.PublicKey().Marshal())
		if !seen[id] {
			seen[id] = true
			out = append(out, s)
		}
	}
	return out
}
