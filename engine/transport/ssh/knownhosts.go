package ssh

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1" // the hash of hashed known_hosts names
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fettle/engine/transport/sshconfig"
)

// knownHosts are known_hosts files, each read once a run. Lines that cannot be read are
// skipped, as ssh does.
type knownHosts struct {
	mu    sync.Mutex
	files map[string]*knownFile
}

type knownFile struct {
	plain map[string][]*knownLine // by the one name of a line without patterns
	other []*knownLine            // patterns, hashed names
}

type knownLine struct {
	file   string
	line   int
	marker string // "", cert-authority, revoked
	names  []string
	key    ssh.PublicKey
}

func (k *knownHosts) file(path string) (*knownFile, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.files[path]; f != nil {
		return f, nil
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read known hosts: %w", err)
	}
	f := &knownFile{plain: map[string][]*knownLine{}}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		marker, names, key, _, _, err := ssh.ParseKnownHosts(line)
		if err == nil {
			f.add(&knownLine{path, n, marker, names, key})
		}
	}
	if k.files == nil {
		k.files = map[string]*knownFile{}
	}
	k.files[path] = f
	return f, nil
}

func (f *knownFile) add(l *knownLine) {
	for _, n := range l.names {
		if strings.ContainsAny(n, "*?!") || strings.HasPrefix(n, "|") {
			f.other = append(f.other, l)
			return
		}
	}
	for _, n := range l.names {
		n = strings.ToLower(n)
		f.plain[n] = append(f.plain[n], l)
	}
}

// find gives all lines about a host.
func (k *knownHosts) find(paths []string, name string) (out []*knownLine, err error) {
	for _, p := range paths {
		f, err := k.file(p)
		if err != nil {
			return nil, err
		}
		k.mu.Lock()
		out = append(out, f.plain[name]...)
		for _, l := range f.other {
			if l.matches(name) {
				out = append(out, l)
			}
		}
		k.mu.Unlock()
	}
	return out, nil
}

func (l *knownLine) matches(name string) bool {
	found := false
	for _, p := range l.names {
		if rest, ok := strings.CutPrefix(p, "|1|"); ok {
			found = found || hashMatches(rest, name)
			continue
		}
		pattern, negated := strings.CutPrefix(strings.ToLower(p), "!")
		if sshconfig.Match(pattern, name) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

func hashMatches(saltAndHash, name string) bool {
	s, h, ok := strings.Cut(saltAndHash, "|")
	salt, err1 := base64.StdEncoding.DecodeString(s)
	hash, err2 := base64.StdEncoding.DecodeString(h)
	if !ok || err1 != nil || err2 != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), hash)
}

// HostKeyError says that a host's key is not the one expected.
type HostKeyError struct{ Msg string }

func (e *HostKeyError) Error() string { return e.Msg }

// verifier checks the key of one host.
type verifier struct {
	s     *settings
	known *knownHosts
	name  string // as in known_hosts: host, or [host]:port
	lines []*knownLine
	ctx   context.Context
	ask   *asker // nil: nobody can be asked
}

func (k *knownHosts) verifier(s *settings) (*verifier, error) {
	host := s.host
	if s.keyAlias != "" {
		host = s.keyAlias
	}
	v := &verifier{s: s, known: k, name: strings.ToLower(host)}
	if s.port != 22 && s.keyAlias == "" {
		v.name = "[" + v.name + "]:" + fmt.Sprint(s.port)
	}
	var err error
	v.lines, err = k.find(slices.Concat(s.userFiles, s.globalFiles), v.name)
	return v, err
}

// algorithms are the key algorithms to ask for: those of the known keys first, so that a
// host with several keys shows the one that is known.
func (v *verifier) algorithms(all []string) []string {
	var first []string
	for _, l := range v.lines {
		switch {
		case l.marker == "revoked":
		case l.marker == "cert-authority":
			for _, a := range all {
				if strings.Contains(a, "-cert-v01@") {
					first = append(first, a)
				}
			}
		default:
			first = append(first, signatureAlgorithms(l.key.Type())...)
		}
	}
	var out []string
	for _, a := range append(first, all...) {
		if slices.Contains(all, a) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func signatureAlgorithms(keyType string) []string {
	switch keyType {
	case ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	case ssh.CertAlgoRSAv01:
		return []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSAv01}
	}
	return []string{keyType}
}

func (v *verifier) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if a, ok := remote.(*net.TCPAddr); ok && v.s.trustLocal && a.IP.IsLoopback() && len(v.s.jump) == 0 {
		return nil
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		return v.checkCert(cert)
	}
	var others []*knownLine
	found := false
	for _, l := range v.lines {
		same := bytes.Equal(l.key.Marshal(), key.Marshal())
		switch {
		case l.marker == "revoked" && same:
			return &HostKeyError{fmt.Sprintf("the host key of %s (%s) is revoked in %s:%d", v.name, fingerprint(key), l.file, l.line)}
		case l.marker == "":
			found = found || same
			others = append(others, l)
		}
	}
	if found {
		return nil
	}
	if v.s.strict == "no" {
		if len(others) == 0 {
			return v.add(key)
		}
		return nil
	}
	if len(others) > 0 {
		return v.changed(key, others)
	}
	if v.s.strict == "accept-new" {
		return v.add(key)
	}
	if v.s.strict == "ask" && v.ask.there() {
		return v.confirm(key)
	}
	advice := ", or turn host_key_checking off"
	if len(v.s.via) > 0 {
		advice = "" // it is not about jump hosts
	}
	return &HostKeyError{fmt.Sprintf("the host key of %s is not known (%s): add it to %s%s",
		v.name, fingerprint(key), firstOr(v.s.userFiles, "~/.ssh/known_hosts"), advice)}
}

// confirm asks whether a new key is right, as ssh does: yes, no, or the fingerprint.
func (v *verifier) confirm(key ssh.PublicKey) (err error) {
	print := ssh.FingerprintSHA256(key)
	text := fmt.Sprintf("The authenticity of host '%s' can't be established.\n%s.\nAre you sure you want to continue connecting (yes/no/[fingerprint])? ", v.name, fingerprint(key))
	v.ask.wait(func() {
		var answer string
		for {
			if answer, err = v.ask.question(v.ctx, text, true); err != nil {
				return
			}
			switch answer = strings.TrimSpace(answer); {
			case strings.EqualFold(answer, "yes"), answer == print:
				return
			case strings.EqualFold(answer, "no"), answer == "":
				err = errors.New("it was not confirmed")
				return
			}
			text = "Please type 'yes', 'no' or the fingerprint: "
		}
	})
	if err != nil {
		return &HostKeyError{fmt.Sprintf("the host key of %s is not known (%s): %v", v.name, fingerprint(key), err)}
	}
	return v.add(key)
}

func (v *verifier) changed(key ssh.PublicKey, known []*knownLine) error {
	best := known[0]
	for _, l := range known {
		if l.key.Type() == key.Type() {
			best = l
			break
		}
	}
	return &HostKeyError{fmt.Sprintf("the host key of %s has changed: it shows %s, but %s:%d knows %s (somebody may be in between; when the host was really set up anew, remove that line)",
		v.name, fingerprint(key), best.file, best.line, fingerprint(best.key))}
}

func firstOr(list []string, other string) string {
	if len(list) > 0 {
		return list[0]
	}
	return other
}

func fingerprint(k ssh.PublicKey) string {
	return strings.ToUpper(strings.TrimPrefix(k.Type(), "ssh-")) + " key " + ssh.FingerprintSHA256(k)
}

// checkCert accepts a host certificate of an authority that is trusted for the host.
func (v *verifier) checkCert(cert *ssh.Certificate) error {
	trusted := func(auth ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(v.lines, func(l *knownLine) bool {
			return l.marker == "cert-authority" && bytes.Equal(l.key.Marshal(), auth.Marshal())
		})
	}
	revoked := func(c *ssh.Certificate) bool {
		return slices.ContainsFunc(v.lines, func(l *knownLine) bool {
			return l.marker == "revoked" && (bytes.Equal(l.key.Marshal(), c.SignatureKey.Marshal()) || bytes.Equal(l.key.Marshal(), c.Key.Marshal()))
		})
	}
	if !trusted(cert.SignatureKey, "") {
		return v.check("", nil, cert.Key) // as ssh: the plain key may be known
	}
	name := v.s.host
	if v.s.keyAlias != "" {
		name = v.s.keyAlias
	}
	checker := ssh.CertChecker{IsHostAuthority: trusted, IsRevoked: revoked}
	if err := checker.CheckHostKey(net.JoinHostPort(name, "22"), &net.TCPAddr{}, cert); err != nil {
		if v.s.strict == "no" {
			return nil
		}
		return &HostKeyError{fmt.Sprintf("the host certificate of %s is not valid: %v", v.name, err)}
	}
	return nil
}

// add notes a new key in the user's file. That it cannot be written is no reason not to
// connect: ssh only warns then.
func (v *verifier) add(key ssh.PublicKey) error {
	if len(v.s.userFiles) == 0 {
		return nil
	}
	path := v.s.userFiles[0]
	name := v.name
	if v.s.hashNames {
		name = knownhosts.HashHostname(name)
	}
	line := name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + "\n"
	v.known.mu.Lock()
	defer v.known.mu.Unlock()
	if f := v.known.files[path]; f != nil {
		f.add(&knownLine{file: path, names: []string{v.name}, key: key})
	}
	_ = os.MkdirAll(filepath.Dir(path), 0o700)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	_, _ = f.WriteString(line) // one write: lines of other runs do not mix
	_ = f.Close()
	return nil
}
