package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// keyring reads private keys, each file once a run.
type keyring struct {
	mu     sync.Mutex
	keys   map[string]*keyFile
	opened map[string]*unlocked
}

type keyFile struct {
	signers   []ssh.Signer  // certificate first, when there is one
	public    ssh.PublicKey // also of keys that cannot be opened
	locked    bool          // encrypted, and the passphrase is not known
	hardware  bool          // a security key's
	agentOnly bool          // a public key: the private one is in an agent
	err       error
}

// unlocked is a key whose passphrase somebody is asked for, once.
type unlocked struct {
	once   sync.Once
	signer ssh.Signer
	err    error
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
	b, err := readPrivate(path)
	if err != nil {
		f.err = err
		return f
	}
	if p, _, _, _, err := ssh.ParseAuthorizedKey(b); err == nil {
		f.public, f.agentOnly, f.err = p, true, fmt.Errorf("%s is a public key", path)
		return f
	}
	signer, err := ssh.ParsePrivateKey(b)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		if missing.PublicKey != nil {
			f.public = missing.PublicKey
		}
		if passphrase == "" {
			f.locked, err = true, fmt.Errorf("%s is encrypted, and no passphrase is given", path)
		} else if signer, err = ssh.ParsePrivateKeyWithPassphrase(b, []byte(passphrase)); err != nil {
			err = fmt.Errorf("%s: wrong passphrase", path)
		}
	} else if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if f.public != nil && strings.HasPrefix(f.public.Type(), "sk-") || err != nil && strings.Contains(err.Error(), "sk-") {
		f.hardware, f.locked = true, false
	}
	if f.err = err; err != nil {
		return f
	}
	f.public = signer.PublicKey()
	if c := readCert(path + "-cert.pub"); c != nil {
		if s, err := ssh.NewCertSigner(c, signer); err == nil {
			f.signers = append(f.signers, s)
		}
	}
	f.signers = append(f.signers, signer)
	return f
}

// parseKey reads a key that stands in a variable, which may have lost its last newline.
func parseKey(text, passphrase string) (ssh.Signer, error) {
	b := []byte(strings.TrimSpace(text) + "\n")
	if passphrase != "" {
		if s, err := ssh.ParsePrivateKeyWithPassphrase(b, []byte(passphrase)); err == nil {
			return s, nil
		}
	}
	return ssh.ParsePrivateKey(b)
}

func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&0o077 != 0 && ownFile(info) {
		if _, _, _, _, err := ssh.ParseAuthorizedKey(b); err != nil {
			return nil, fmt.Errorf("%s may be read by others (mode %04o): ssh does not use such a key", path, info.Mode().Perm())
		}
	}
	return b, nil
}

func keyProblem(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Sprintf("cannot read the key %s: %v", pe.Path, pe.Err)
	}
	return "cannot use the key " + err.Error()
}

// readCert reads a certificate; nil when there is none.
func readCert(path string) *ssh.Certificate {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(b)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok {
		return nil
	}
	return cert
}

// lockedKey is a key whose passphrase is asked for when a host wants it, and not before.
type lockedKey struct {
	login  *login
	path   string
	public ssh.PublicKey
}

func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, k.public.Type())
}

func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	s, err := k.login.keys.unlock(k.login.ctx, k.path, k.login.ask)
	if err != nil {
		k.login.problem(err.Error())
		return nil, err
	}
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		return s.Sign(rand, data)
	}
	return as.SignWithAlgorithm(rand, data, algorithm)
}

// passphraseTries is how often a passphrase is asked for.
const passphraseTries = 3

// unlock asks for the passphrase of a key, once a run, whoever needs it.
func (k *keyring) unlock(ctx context.Context, path string, ask *asker) (ssh.Signer, error) {
	k.mu.Lock()
	u := k.opened[path]
	if u == nil {
		if k.opened == nil {
			k.opened = map[string]*unlocked{}
		}
		u = &unlocked{}
		k.opened[path] = u
	}
	k.mu.Unlock()
	ask.wait(func() {
		u.once.Do(func() { u.signer, u.err = askFor(ctx, path, ask) })
	})
	return u.signer, u.err
}

func askFor(ctx context.Context, path string, ask *asker) (ssh.Signer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for range passphraseTries {
		p, err := ask.question(ctx, fmt.Sprintf("Enter passphrase for key '%s': ", path), false)
		if err != nil {
			return nil, fmt.Errorf("%s is encrypted, and its passphrase cannot be asked for: %w", path, err)
		}
		if p == "" {
			break
		}
		if s, err := ssh.ParsePrivateKeyWithPassphrase(b, []byte(p)); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s is encrypted, and no right passphrase was given", path)
}
