// Package vault reads and writes Ansible Vault texts, formats 1.1 and 1.2, and keeps the
// passwords of a run. Its errors name files and vault ids, never a password or plain text.
package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	header     = "$ANSIBLE_VAULT"
	cipherName = "AES256"
	// DefaultID is the vault id of passwords that are given without one.
	DefaultID  = "default"
	iterations = 10000
	saltSize   = 32
	lineWidth  = 80
)

// Errors that callers branch on.
var (
	ErrNotEncrypted = errors.New("the text is no vault")
	ErrNoSecrets    = errors.New("Attempting to decrypt but no vault secrets found")                   //nolint:staticcheck // Ansible's words
	ErrNoMatch      = errors.New("Decryption failed (no vault secrets were found that could decrypt)") //nolint:staticcheck // Ansible's words
)

// Secrets are the vault passwords of a run. Add them first; after that all methods are safe
// for concurrent use.
type Secrets struct {
	// MatchID tries only the passwords of the id that the vault names (VAULT_ID_MATCH).
	MatchID bool
	// Salt is used for every vault that is made, instead of random bytes (VAULT_ENCRYPT_SALT).
	Salt []byte

	secrets []secret
	mu      sync.Mutex
	opened  map[[sha256.Size]byte]opened
}

type secret struct {
	id       string
	password []byte
}

type opened struct {
	plain []byte
	id    string
}

// Add adds a password; an empty id means DefaultID. Passwords are tried in order.
func (s *Secrets) Add(id string, password []byte) error {
	if id == "" {
		id = DefaultID
	}
	if len(password) == 0 {
		return fmt.Errorf("the password of vault id %q is empty", id)
	}
	s.secrets = append(s.secrets, secret{id, slices.Clone(password)})
	return nil
}

// IDs lists the vault ids in order; an id with several passwords is listed once.
func (s *Secrets) IDs() []string {
	var out []string
	if s != nil {
		for _, x := range s.secrets {
			if !slices.Contains(out, x.id) {
				out = append(out, x.id)
			}
		}
	}
	return out
}

// IsEncrypted tells whether a text begins as a vault does.
func IsEncrypted(text []byte) bool { return bytes.HasPrefix(text, []byte(header)) }

// Envelope is the outside of a vault: what can be known without a password.
type Envelope struct {
	Version string // 1.1 or 1.2
	ID      string // DefaultID for 1.1
	salt    []byte
	mac     []byte
	body    []byte
}

// Parse takes a vault apart without decrypting it.
func Parse(text []byte) (*Envelope, error) {
	text = bytes.TrimSpace(text)
	if !IsEncrypted(text) {
		return nil, ErrNotEncrypted
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	fields := strings.Split(strings.TrimSpace(string(first)), ";")
	if len(fields) < 3 {
		return nil, fmt.Errorf("the vault header %q is not complete", fields)
	}
	e := &Envelope{Version: strings.TrimSpace(fields[1]), ID: DefaultID}
	if e.Version != "1.1" && e.Version != "1.2" {
		return nil, fmt.Errorf("vault format %q is not supported, only 1.1 and 1.2", e.Version)
	}
	if c := strings.TrimSpace(fields[2]); c != cipherName {
		return nil, fmt.Errorf("vault cipher %q is not supported, only %s", c, cipherName)
	}
	if len(fields) > 3 && e.Version == "1.2" {
		e.ID = strings.TrimSpace(fields[3])
	}
	return e, e.parseBody(rest)
}

func (e *Envelope) parseBody(text []byte) error {
	inner, err := unhex(bytes.Join(bytes.Fields(text), nil))
	if err != nil {
		return err
	}
	parts := bytes.SplitN(inner, []byte("\n"), 3)
	if len(parts) != 3 {
		return errors.New("the vault is damaged: it does not have three parts")
	}
	for i, to := range []*[]byte{&e.salt, &e.mac, &e.body} {
		if *to, err = unhex(parts[i]); err != nil {
			return err
		}
	}
	if len(e.body) == 0 || len(e.body)%aes.BlockSize != 0 {
		return errors.New("the vault is damaged: its length is wrong")
	}
	return nil
}

func unhex(text []byte) ([]byte, error) {
	out := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(out, text); err != nil {
		if errors.Is(err, hex.ErrLength) {
			return nil, errors.New("Vault format unhexlify error: Odd-length string") //nolint:staticcheck // Ansible's words
		}
		return nil, errors.New("Vault format unhexlify error: Non-hexadecimal digit found") //nolint:staticcheck // Ansible's words
	}
	return out, nil
}

// Decrypt opens a vault and tells with which id. Opened vaults are remembered, for the key
// derivation is slow on purpose.
func (s *Secrets) Decrypt(text []byte) (plain []byte, id string, err error) {
	e, err := Parse(text)
	if err != nil {
		return nil, "", err
	}
	if s == nil || len(s.secrets) == 0 {
		return nil, "", ErrNoSecrets
	}
	key := sha256.Sum256(text)
	s.mu.Lock()
	known, ok := s.opened[key]
	s.mu.Unlock()
	if ok {
		return slices.Clone(known.plain), known.id, nil
	}
	for _, c := range s.candidates(e.ID) {
		plain, err := e.open(c.password)
		if errors.Is(err, ErrNoMatch) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		s.mu.Lock()
		if s.opened == nil {
			s.opened = map[[sha256.Size]byte]opened{}
		}
		s.opened[key] = opened{slices.Clone(plain), c.id}
		s.mu.Unlock()
		return plain, c.id, nil
	}
	return nil, "", fmt.Errorf("%w: the vault has the id %q, tried: %s", ErrNoMatch, e.ID, strings.Join(s.IDs(), ", "))
}

// DecryptFile is Decrypt with errors that name the file.
func (s *Secrets) DecryptFile(file string, text []byte) ([]byte, error) {
	plain, _, err := s.Decrypt(text)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt %s: %w", file, err)
	}
	return plain, nil
}

// candidates are the passwords to try, those of the vault's own id first.
func (s *Secrets) candidates(id string) []secret {
	var own, others []secret
	for _, x := range s.secrets {
		if x.id == id {
			own = append(own, x)
		} else {
			others = append(others, x)
		}
	}
	if s.MatchID {
		return own
	}
	return append(own, others...)
}

// keys derives the cipher key, the key of the checksum and the initial counter.
func keys(password, salt []byte) (cipherKey, macKey, iv []byte, err error) {
	k, err := pbkdf2.Key(sha256.New, string(password), salt, iterations, 80)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("cannot derive the vault key: %w", err)
	}
	return k[:32], k[32:64], k[64:], nil
}

func (e *Envelope) open(password []byte) ([]byte, error) {
	cipherKey, macKey, iv, err := keys(password, e.salt)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, macKey)
	m.Write(e.body)
	if !hmac.Equal(m.Sum(nil), e.mac) {
		return nil, ErrNoMatch
	}
	block, err := aes.NewCipher(cipherKey)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(e.body))
	cipher.NewCTR(block, iv).XORKeyStream(plain, e.body)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errors.New("the vault is damaged: its padding is wrong")
	}
	return plain[:len(plain)-pad], nil
}

// Encrypt makes a vault with the first password of id; an empty id takes the first password
// there is. The default id gives format 1.1, any other 1.2.
func (s *Secrets) Encrypt(plain []byte, id string) ([]byte, error) {
	if s != nil && len(s.Salt) > 0 {
		return s.EncryptWithSalt(plain, id, s.Salt)
	}
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("cannot get random bytes: %w", err)
	}
	return s.EncryptWithSalt(plain, id, salt)
}

// EncryptWithSalt is Encrypt with a given salt (VAULT_ENCRYPT_SALT): equal input gives equal
// output.
func (s *Secrets) EncryptWithSalt(plain []byte, id string, salt []byte) ([]byte, error) {
	if s == nil || len(s.secrets) == 0 {
		return nil, errors.New("A vault password must be specified to encrypt data") //nolint:staticcheck // Ansible's words
	}
	use := s.secrets[0]
	if id != "" {
		i := slices.IndexFunc(s.secrets, func(x secret) bool { return x.id == id })
		if i < 0 {
			return nil, fmt.Errorf("Did not find a match for --encrypt-vault-id=%s in the known vault-ids ['%s']", id, strings.Join(s.IDs(), "', '")) //nolint:staticcheck // Ansible's words
		}
		use = s.secrets[i]
	}
	cipherKey, macKey, iv, err := keys(use.password, salt)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cipherKey)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	body := append(slices.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCTR(block, iv).XORKeyStream(body, body)
	m := hmac.New(sha256.New, macKey)
	m.Write(body)
	return envelope(use.id, salt, m.Sum(nil), body), nil
}

// Replace encrypts plain as the vault old is: with the password that opens it, under its id.
func (s *Secrets) Replace(old, plain []byte) ([]byte, error) {
	e, err := Parse(old)
	if err != nil {
		return nil, err
	}
	for _, c := range s.candidates(e.ID) {
		if _, err := e.open(c.password); err == nil {
			one := &Secrets{Salt: s.Salt, secrets: []secret{{e.ID, c.password}}}
			return one.Encrypt(plain, e.ID)
		}
	}
	return nil, fmt.Errorf("%w: the vault has the id %q, tried: %s", ErrNoMatch, e.ID, strings.Join(s.IDs(), ", "))
}

func envelope(id string, salt, mac, body []byte) []byte {
	inner := fmt.Sprintf("%x\n%x\n%x", salt, mac, body)
	text := hex.EncodeToString([]byte(inner))
	var b bytes.Buffer
	if id == DefaultID {
		fmt.Fprintf(&b, "%s;1.1;%s\n", header, cipherName)
	} else {
		fmt.Fprintf(&b, "%s;1.2;%s;%s\n", header, cipherName, id)
	}
	for ; len(text) > lineWidth; text = text[lineWidth:] {
		b.WriteString(text[:lineWidth] + "\n")
	}
	b.WriteString(text + "\n")
	return b.Bytes()
}
