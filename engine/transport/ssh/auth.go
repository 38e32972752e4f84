package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keyring reads private keys, each file once a run.
type keyring struct {
	mu   sync.Mutex
	keys map[string]*keyFile
}

type keyFile struct {
	signers []ssh.Signer  // certificate first, when there is one
	public  ssh.PublicKey // also of keys that cannot be opened, from their .pub
	err     error
}

func (k *keyring) load(path, passphrase string) *keyFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := path + "\x00" + passphrase
	if f := k.keys[id]; f != nil {
		return f
	}
	f := readKey(path, passphrase)
	if k.keys == nil {
		k.keys = map[string]*keyFile{}
	}
	k.keys[id] = f
	return f
}

func readKey(path, passphrase string) *keyFile {
	f := &keyFile{}
	if b, err := os.ReadFile(path + ".pub"); err == nil {
		f.public, _, _, _, _ = ssh.ParseAuthorizedKey(b)
	}
	signer, err := openKey(path, passphrase)
	if err != nil {
		f.err = err
		return f
	}
	f.public = signer.PublicKey()
	if c := certSigner(path+"-cert.pub", signer); c != nil {
		f.signers = append(f.signers, c)
	}
	f.signers = append(f.signers, signer)
	return f
}

func openKey(path, passphrase string) (ssh.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&0o077 != 0 && ownFile(info) {
		return nil, fmt.Errorf("%s may be read by others (mode %04o): ssh does not use such a key", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(b)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if passphrase == "" {
			return nil, fmt.Errorf("%s is encrypted, and no passphrase is given", path)
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(b, []byte(passphrase)); err != nil {
			return nil, fmt.Errorf("%s: wrong passphrase", path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return signer, nil
}

// certSigner joins a certificate file and its key; nil when there is none.
func certSigner(path string, key ssh.Signer) ssh.Signer {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(b)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok {
		return nil
	}
	s, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		return nil
	}
	return s
}

// login gathers the ways to log in to one host.
type login struct {
	s        *settings
	keys     *keyring
	problems []string // why keys could not be used, for the message when all fails
	agent    net.Conn
}

func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close()
	}
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
				out = append(out, ssh.Password(l.s.password))
			}
		case "keyboard-interactive":
			if l.s.password != "" {
				out = append(out, ssh.KeyboardInteractive(l.answer))
			}
		}
	}
	return out
}

// answer gives the password to every hidden question.
func (l *login) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range questions {
		if echos[i] {
			return nil, fmt.Errorf("the host asks %q, which nobody can answer here", strings.TrimSpace(questions[i]))
		}
		answers[i] = l.s.password
	}
	return answers, nil
}

// signers are the keys in the order to try: files first when they were named, the agent's
// first when not.
func (l *login) signers() []ssh.Signer {
	files, publics := l.fileSigners()
	agents := l.agentSigners(publics)
	if l.s.defaultKeys {
		return unique(append(agents, files...))
	}
	return unique(append(files, agents...))
}

func (l *login) fileSigners() (signers []ssh.Signer, publics []ssh.PublicKey) {
	for _, path := range l.s.keyFiles {
		f := l.keys.load(path, l.s.passphrase)
		if f.public != nil {
			publics = append(publics, f.public)
		}
		if f.err != nil {
			if !l.s.defaultKeys || !errors.Is(f.err, os.ErrNotExist) {
				l.problems = append(l.problems, keyProblem(f.err))
			}
			continue
		}
		for _, c := range l.s.certFiles {
			if s := certSigner(c, f.signers[len(f.signers)-1]); s != nil {
				signers = append(signers, s)
			}
		}
		signers = append(signers, f.signers...)
	}
	return signers, publics
}

func keyProblem(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Sprintf("cannot read the key %s: %v", pe.Path, pe.Err)
	}
	return "cannot use the key " + err.Error()
}

func (l *login) agentSigners(publics []ssh.PublicKey) []ssh.Signer {
	if l.s.agent == "" {
		return nil
	}
	c, err := net.Dial("unix", l.s.agent)
	if err != nil {
		l.problems = append(l.problems, fmt.Sprintf("cannot reach the ssh agent: %v", err))
		return nil
	}
	l.agent = c
	signers, err := agent.NewClient(c).Signers()
	if err != nil {
		l.problems = append(l.problems, fmt.Sprintf("the ssh agent does not answer: %v", err))
		return nil
	}
	if !l.s.identitiesOnly {
		return signers
	}
	var out []ssh.Signer
	for _, s := range signers {
		for _, p := range publics {
			if bytes.Equal(s.PublicKey().Marshal(), p.Marshal()) {
				out = append(out, s)
			}
		}
	}
	return out
}

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
