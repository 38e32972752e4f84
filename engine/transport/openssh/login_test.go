package openssh

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"fettle/engine/transport"
	"fettle/engine/transport/transporttest"
)

const pin = "9472"

// need gives the path of a program, which a package brings.
func need(t *testing.T, path, pkg string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s (package %s)", path, pkg)
	}
	return path
}

func command(t *testing.T, env []string, words ...string) {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", words, err, out)
	}
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A key in a PKCS#11 token logs in; the connection password is its PIN.
func TestToken(t *testing.T) {
	library := need(t, "/usr/lib/softhsm/libsofthsm2.so", "softhsm2")
	need(t, "/usr/bin/softhsm2-util", "softhsm2")
	s := transporttest.StartSSHD(t)
	d := newDialer(t)
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/tokens", 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", put(t, dir+"/conf", "directories.tokendir = "+dir+"/tokens\n"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := put(t, dir+"/key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	command(t, nil, "softhsm2-util", "--init-token", "--free", "--label", "fettle", "--pin", pin, "--so-pin", pin)
	command(t, nil, "softhsm2-util", "--import", file, "--token", "fettle", "--label", "key", "--id", "01", "--pin", pin)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	public, err := gossh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(s.Dir, "authorized"), string(gossh.MarshalAuthorizedKey(public)))
	for _, tt := range []struct{ password, want string }{{pin, ""}, {"1111", "Permission denied"}} {
		target := s.Target(t)
		target.KeyFiles = nil
		target.CommonArgs = append(target.CommonArgs, "-o", "IdentityFile=none")
		target.Password, target.Extra = tt.password, map[string]string{"ansible_ssh_pkcs11_provider": library}
		out, err := run(t, d, target)
		if tt.want == "" && (err != nil || out != "in") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("PIN %s: %q, %v; want %q", tt.password, out, err, tt.want)
		}
	}
}

// A key in a security key logs in; this one is software and always touched.
func TestSecurityKey(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("needs a C compiler (package gcc)")
	}
	need(t, "/usr/lib/openssh/ssh-sk-helper", "openssh-client")
	s := transporttest.StartSSHD(t)
	dir := t.TempDir()
	provider := dir + "/provider.so"
	command(t, []string{"CGO_ENABLED=1", "GOFLAGS="}, "go", "build", "-buildmode=c-shared", "-o", provider, "./testdata/securitykey")
	key := dir + "/key"
	command(t, nil, "ssh-keygen", "-q", "-t", "ed25519-sk", "-w", provider, "-N", "", "-f", key)
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(s.Dir, "authorized"), string(public))
	for _, tt := range []struct{ provider, want string }{{provider, ""}, {dir + "/none.so", "Permission denied"}} {
		target := s.Target(t, "-o", "SecurityKeyProvider="+tt.provider)
		target.KeyFiles = []string{key}
		out, err := run(t, newDialer(t), target)
		if tt.want == "" && (err != nil || out != "in") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %q, %v; want %q", tt.provider, out, err, tt.want)
		}
	}
}

// A Kerberos ticket logs in, with a key distribution centre of our own.
func TestTicket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: an account's name is in the ticket")
	}
	need(t, "/usr/sbin/krb5kdc", "krb5-kdc")
	need(t, "/usr/sbin/kadmin.local", "krb5-admin-server")
	need(t, "/usr/bin/kinit", "krb5-user")
	dir := t.TempDir()
	port := freePort(t)
	const realm = "FETTLE.TEST"
	conf := put(t, dir+"/krb5.conf", fmt.Sprintf(`[libdefaults]
 default_realm = %[1]s
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 %[1]s = {
  kdc = 127.0.0.1:%[2]d
 }
`, realm, port))
	profile := put(t, dir+"/kdc.conf", fmt.Sprintf(`[kdcdefaults]
 kdc_listen = 127.0.0.1:%[2]d
 kdc_tcp_listen = 127.0.0.1:%[2]d
[realms]
 %[1]s = {
  database_name = %[3]s/principal
  key_stash_file = %[3]s/stash
  acl_file = %[3]s/acl
 }
`, realm, port, dir))
	env := []string{"KRB5_CONFIG=" + conf, "KRB5_KDC_PROFILE=" + profile, "KRB5CCNAME=FILE:" + dir + "/cache", "KRB5_KTNAME=FILE:" + dir + "/keytab"}
	for _, e := range env {
		name, v, _ := strings.Cut(e, "=")
		t.Setenv(name, v) // for sshd, too
	}
	command(t, nil, "/usr/sbin/kdb5_util", "create", "-s", "-r", realm, "-P", "master")
	for _, q := range []string{"addprinc -pw ticket root", "addprinc -randkey host/localhost", "ktadd -k " + dir + "/keytab host/localhost"} {
		command(t, nil, "/usr/sbin/kadmin.local", "-r", realm, "-q", q)
	}
	kdc := exec.Command("/usr/sbin/krb5kdc", "-n", "-r", realm)
	if err := kdc.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kdc.Process.Kill(); _ = kdc.Wait() })
	for range 500 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	init := exec.Command("kinit", "root")
	init.Stdin = strings.NewReader("ticket\n")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("kinit: %v: %s", err, out)
	}
	s := transporttest.StartSSHD(t, "GSSAPIAuthentication yes", "GSSAPIStrictAcceptorCheck no", "PubkeyAuthentication no")
	for _, tt := range []struct {
		option, want string
	}{{"yes", ""}, {"no", "Permission denied"}} {
		target := s.Target(t, "-o", "GSSAPIAuthentication="+tt.option)
		target.KeyFiles = nil
		target.Address = "localhost"
		target.CommonArgs = append(target.CommonArgs, "-4", "-o", "HostKeyAlias=127.0.0.1")
		target.HostKeyChecking = false
		out, err := run(t, newDialer(t), target)
		if tt.want == "" && (err != nil || out != "in") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !transport.IsUnreachable(err)) {
			t.Errorf("GSSAPIAuthentication %s: %q, %v; want %q\n%s", tt.option, out, err, tt.want, s.Log())
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
