package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fettle/engine/transport"
	"fettle/engine/transport/sshsim"
	"fettle/engine/transport/transporttest"
)

// authority signs certificates.
type authority struct{ ssh.Signer }

func newAuthority(t *testing.T) authority {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return authority{s}
}

// certify writes a certificate for a key.
func (a authority) certify(t *testing.T, path string, kind uint32, key ssh.PublicKey, until time.Time, names ...string) {
	t.Helper()
	c := &ssh.Certificate{Key: key, CertType: kind, KeyId: "test", ValidPrincipals: names, ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(until.Unix())}
	if err := c.SignCert(rand.Reader, a.Signer); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(ssh.MarshalAuthorizedKey(c)))
}

// A real sshd that lets in only whom the authority certified.
func TestUserCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t)
	writeFile(t, dir+"/ca.pub", string(ssh.MarshalAuthorizedKey(ca.PublicKey())))
	s := transporttest.StartSSHD(t, "TrustedUserCAKeys "+dir+"/ca.pub")
	key := transporttest.WriteKey(t, dir+"/id")
	soon := time.Now().Add(time.Hour)
	ca.certify(t, dir+"/apart", ssh.UserCert, key, soon, s.User)
	ca.certify(t, dir+"/other", ssh.UserCert, key, soon, "somebodyelse")
	with := func(args ...string) *transport.Target {
		target := s.Target(t, args...)
		target.KeyFiles = []string{dir + "/id"}
		return target
	}
	expect(t, dialAndRun(t, newDialer(t), with()), "does not let")
	expect(t, dialAndRun(t, newDialer(t), with("-o", "CertificateFile="+dir+"/other")), "does not let")
	expect(t, dialAndRun(t, newDialer(t), with("-o", "CertificateFile="+dir+"/none")), "cannot read the certificate")
	expect(t, dialAndRun(t, newDialer(t), with("-o", "CertificateFile="+dir+"/apart")), "")
	sock := startAgent(t, dir+"/id") // the key in the agent, the certificate in a file
	target := with("-o", "CertificateFile="+dir+"/apart", "-o", "IdentitiesOnly=yes")
	target.KeyFiles = nil
	for i, a := range target.CommonArgs {
		target.CommonArgs[i] = strings.Replace(a, "IdentityAgent=none", "IdentityAgent="+sock, 1)
	}
	expect(t, dialAndRun(t, newDialer(t), target), "")
	ca.certify(t, dir+"/id-cert.pub", ssh.UserCert, key, soon, s.User) // found beside the key
	expect(t, dialAndRun(t, newDialer(t), with()), "")
}

func TestHostCertificate(t *testing.T) {
	dir := t.TempDir()
	ca, soon := newAuthority(t), time.Now().Add(time.Hour)
	host := transporttest.WriteKey(t, dir+"/host2")
	plain := string(ssh.MarshalAuthorizedKey(ca.PublicKey()))
	for _, tt := range []struct {
		name, known string
		names       []string
		until       time.Time
		args        []string
		want        string
	}{
		{"trusted", "@cert-authority * " + plain, []string{"127.0.0.1"}, soon, nil, ""},
		{"trusted by an alias", "@cert-authority web* " + plain, []string{"web1"}, soon, []string{"-o", "HostKeyAlias=web1"}, ""},
		{"for another host", "@cert-authority * " + plain, []string{"elsewhere"}, soon, nil, "is not valid"},
		{"expired", "@cert-authority * " + plain, []string{"127.0.0.1"}, time.Now().Add(-time.Minute), nil, "is not valid"},
		{"authority for other hosts", "@cert-authority *.example.com " + plain, []string{"127.0.0.1"}, soon, nil, "is not known"},
		{"authority revoked", "@revoked * " + plain + "@cert-authority * " + plain, []string{"127.0.0.1"}, soon, nil, "is not valid"},
		{"no authority, but the key is known", "* " + string(ssh.MarshalAuthorizedKey(host)), []string{"127.0.0.1"}, soon, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cert := filepath.Join(t.TempDir(), "cert.pub")
			ca.certify(t, cert, ssh.HostCert, host, tt.until, tt.names...)
			s := transporttest.StartSSHD(t, "HostKey "+dir+"/host2", "HostCertificate "+cert)
			target := s.Target(t, tt.args...)
			writeFile(t, s.Dir+"/known_hosts", tt.known)
			expect(t, dialAndRun(t, newDialer(t), target), tt.want)
		})
	}
}

// What sshd shows and known_hosts knows in all the forms that ssh-keygen writes.
func TestKnownHostsSSHD(t *testing.T) {
	s := transporttest.StartSSHD(t)
	other := transporttest.WriteKey(t, filepath.Join(t.TempDir(), "k"))
	name := fmt.Sprintf("[127.0.0.1]:%d", s.Port)
	line := func(name string, k ssh.PublicKey) string { return name + " " + string(ssh.MarshalAuthorizedKey(k)) }
	for _, tt := range []struct {
		name, known string
		args        []string
		want        []string
	}{
		{"hashed", line(knownhosts.HashHostname(name), s.Host), nil, []string{""}},
		{"hashed, changed", line(knownhosts.HashHostname(name), other), nil, []string{"has changed", ssh.FingerprintSHA256(s.Host), ssh.FingerprintSHA256(other)}},
		{"changed", line(name, other), nil, []string{"has changed", ssh.FingerprintSHA256(s.Host), ssh.FingerprintSHA256(other)}},
		{"changed, accept-new", line(name, other), []string{"-o", "StrictHostKeyChecking=accept-new"}, []string{"has changed"}},
		{"new, accept-new", "", []string{"-o", "StrictHostKeyChecking=accept-new"}, []string{""}},
		{"new, ask without a terminal", "", []string{"-o", "StrictHostKeyChecking=ask"}, []string{"is not known"}},
		{"revoked", line("@revoked *", s.Host) + line(name, s.Host), nil, []string{"is revoked"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := s.Target(t, tt.args...)
			writeFile(t, s.Dir+"/known_hosts", tt.known)
			expect(t, dialAndRun(t, newDialer(t), target), tt.want...)
		})
	}
}

// Two jump hosts, one sshd each; what is said about them stands in the configuration.
func TestTwoJumps(t *testing.T) {
	first, second, last := transporttest.StartSSHD(t), transporttest.StartSSHD(t), transporttest.StartSSHD(t)
	config := filepath.Join(t.TempDir(), "config")
	var text strings.Builder
	known := filepath.Join(t.TempDir(), "known")
	writeFile(t, known, "* "+string(ssh.MarshalAuthorizedKey(first.Host))+"* "+string(ssh.MarshalAuthorizedKey(second.Host))+"* "+string(ssh.MarshalAuthorizedKey(last.Host)))
	for n, s := range map[string]*transporttest.SSHD{"first": first, "second": second, "last": last} {
		fmt.Fprintf(&text, "Host %s\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s\n HostKeyAlias %s\n", n, s.Port, s.User, s.Key, n)
	}
	fmt.Fprintf(&text, "Match originalhost last\n ProxyJump first,second\nHost *\n UserKnownHostsFile %s\n IdentityAgent none\n StrictHostKeyChecking yes\n", known)
	writeFile(t, config, text.String())
	d := newDialer(t)
	for range 3 {
		expect(t, dialAndRun(t, d, &transport.Target{Name: "last", Connection: "ssh", HostKeyChecking: true, Timeout: 10, CommonArgs: []string{"-F", config}}), "")
	}
	if first.Connections() != 1 || second.Connections() != 1 || last.Connections() != 3 {
		t.Errorf("%d, %d and %d connections", first.Connections(), second.Connections(), last.Connections())
	}
}

// Algorithms are those that both sides were told to use.
func TestAlgorithmsSSHD(t *testing.T) {
	s := transporttest.StartSSHD(t, "Ciphers aes256-ctr", "MACs hmac-sha2-512-etm@openssh.com", "KexAlgorithms ecdh-sha2-nistp384")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"-c", "aes256-ctr", "-m", "hmac-sha2-512-etm@openssh.com", "-o", "KexAlgorithms=^ecdh-sha2-nistp384", "-o", "HostKeyAlgorithms=ssh-ed25519"}, ""},
		{[]string{"-o", "Ciphers=-aes256-ctr"}, "no common algorithm"},
		{[]string{"-o", "KexAlgorithms=curve25519-sha256"}, "no common algorithm"},
		{[]string{"-o", "PubkeyAcceptedAlgorithms=ssh-ed25519"}, ""},
		{[]string{"-o", "PubkeyAcceptedAlgorithms=rsa-sha2-512"}, "does not let"},
		{[]string{"-o", "Ciphers=3des-ctr"}, "needs the ssh program"},
	} {
		expect(t, dialAndRun(t, newDialer(t), s.Target(t, tt.args...)), tt.want)
	}
}

// A passphrase and a new host key are asked for at the terminal, once.
func TestAsking(t *testing.T) {
	dir := t.TempDir()
	locked := writeLockedKey(t, dir+"/locked", "open sesame")
	for _, tt := range []struct {
		name    string
		answers map[string][]string // by the beginning of the question
		want    string
		asked   int32
	}{
		{"right", map[string][]string{"The authenticity": {"yes"}, "Enter passphrase": {"open sesame"}}, "", 2},
		{"second try", map[string][]string{"The authenticity": {"what?"}, "Please type": {"yes"}, "Enter passphrase": {"wrong", "open sesame"}}, "", 4},
		{"host key refused", map[string][]string{"The authenticity": {"no"}}, "was not confirmed", 1},
		{"no passphrase", map[string][]string{"The authenticity": {"yes"}, "Enter passphrase": {""}}, "no right passphrase was given", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDialer(t)
			var asked atomic.Int32
			d.Ask = func(_ context.Context, text string, _ bool) (string, bool, error) {
				asked.Add(1)
				for begin, a := range tt.answers {
					if strings.HasPrefix(text, begin) && len(a) > 0 {
						tt.answers[begin] = a[1:]
						return a[0], true, nil
					}
				}
				t.Errorf("asked %q", text)
				return "", true, nil
			}
			_, target := startSim(t, sshsim.Options{Keys: []ssh.PublicKey{locked}})
			target.HostKeyChecking, target.KeyFiles = true, []string{dir + "/locked"}
			target.CommonArgs = []string{"-F", "none", "-o", "IdentityAgent=none", "-o", "UserKnownHostsFile=" + filepath.Join(t.TempDir(), "known")}
			expect(t, dialAndRun(t, d, target), tt.want)
			if tt.want == "" {
				expect(t, dialAndRun(t, d, target), "")
			}
			if asked.Load() != tt.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), tt.asked)
			}
		})
	}
}

// program stands for the ssh program.
type program struct{ dialled int }

func (p *program) Dial(context.Context, *transport.Target) (transport.Conn, error) {
	p.dialled++
	return nil, &transport.UnreachableError{Msg: "the program was run"}
}

// What only the ssh program can do is left to it, where there is one.
func TestProgram(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	sk := filepath.Join(home, "id_sk")
	writeFile(t, sk, "-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END OPENSSH PRIVATE KEY-----\n")
	blob := ssh.Marshal(struct {
		Kind string
		Key  []byte
		App  string
	}{ssh.KeyAlgoSKED25519, make([]byte, ed25519.PublicKeySize), "ssh:"})
	writeFile(t, sk+".pub", ssh.KeyAlgoSKED25519+" "+base64.StdEncoding.EncodeToString(blob)+"\n")
	key := transporttest.WriteKey(t, home+"/id")
	for _, tt := range []struct {
		name string
		args []string
		uses bool
	}{
		{"plain", nil, false},
		{"PKCS#11", []string{"-I", "/usr/lib/x.so"}, true},
		{"forwarding", []string{"-L", "1:a:2"}, true},
		{"GSSAPI only", []string{"-o", "PreferredAuthentications=gssapi-with-mic"}, true},
		{"canonical names", []string{"-o", "CanonicalizeHostname=yes"}, true},
		{"security key", []string{"-i", sk}, true},
		{"nonsense", []string{"-W", "a:1"}, false},
	} {
		p := &program{}
		d := newDialer(t)
		d.Program = p
		_, target := startSim(t, sshsim.Options{Keys: []ssh.PublicKey{key}})
		target.CommonArgs = append(target.CommonArgs, tt.args...)
		_, err := d.Dial(t.Context(), target)
		if err == nil || (p.dialled == 1) != tt.uses {
			t.Errorf("%s: the program was run %d times, %v", tt.name, p.dialled, err)
		}
	}
}
