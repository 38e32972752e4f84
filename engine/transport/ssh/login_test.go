package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"fettle/engine/transport"
	"fettle/engine/transport/sshsim"
	"fettle/engine/transport/transporttest"
)

// dialAndRun connects and runs one command.
func dialAndRun(t *testing.T, d *Dialer, target *transport.Target) error {
	t.Helper()
	c, err := d.Dial(t.Context(), target)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	p, err := c.Start(t.Context(), "exit 7", transport.StartOptions{})
	if err != nil {
		return err
	}
	var sink bytes.Buffer
	_, _ = sink.ReadFrom(p.Stdout())
	if code, err := p.Wait(); code != 7 || err != nil {
		return fmt.Errorf("exit code %d, %v", code, err)
	}
	return nil
}

// expect compares an error with what it shall say; "" means success.
func expect(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if (err == nil) != (w == "") || err != nil && !strings.Contains(err.Error(), w) {
			t.Errorf("err %v; want %q in it", err, w)
		}
	}
	if err != nil && !transport.IsUnreachable(err) {
		t.Errorf("%v is not an unreachable host", err)
	}
}

func TestLogin(t *testing.T) {
	dir := t.TempDir()
	key := transporttest.WriteKey(t, dir+"/id")
	locked := writeLockedKey(t, dir+"/locked", "open sesame")
	open := filepath.Join(dir, "open")
	copyFile(t, dir+"/id", open, 0o644)
	sock := startAgent(t, dir+"/id")
	for _, tt := range []struct {
		name   string
		server sshsim.Options
		change func(*transport.Target)
		want   string
	}{
		{"key", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.KeyFiles = []string{dir + "/id"} }, ""},
		{"key in a variable", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.PrivateKey = strings.TrimSpace(read(t, dir+"/id")) }, ""},
		{"locked key in a variable", sshsim.Options{Keys: []ssh.PublicKey{locked}}, func(x *transport.Target) {
			x.PrivateKey, x.KeyPassphrase = read(t, dir+"/locked"), "open sesame"
		}, ""},
		{"no key in a variable", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.PrivateKey = "se cret" }, "cannot use ansible_private_key: ssh: no key found"},
		{"key by -i", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.CommonArgs = append(x.CommonArgs, "-i", dir+"/id") }, ""},
		{"encrypted key", sshsim.Options{Keys: []ssh.PublicKey{locked}}, func(x *transport.Target) {
			x.KeyFiles, x.KeyPassphrase = []string{dir + "/locked"}, "open sesame"
		}, ""},
		{"encrypted key without passphrase", sshsim.Options{Keys: []ssh.PublicKey{locked}}, func(x *transport.Target) { x.KeyFiles = []string{dir + "/locked"} }, "is encrypted, and no passphrase is given"},
		{"encrypted key with a wrong passphrase", sshsim.Options{Keys: []ssh.PublicKey{locked}}, func(x *transport.Target) {
			x.KeyFiles, x.KeyPassphrase = []string{dir + "/locked"}, "no"
		}, "wrong passphrase"},
		{"no such key file", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.KeyFiles = []string{dir + "/none"} }, "cannot read the key " + dir + "/none: no such file"},
		{"key others may read", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.KeyFiles = []string{open} }, "may be read by others"},
		{"another key", sshsim.Options{Keys: []ssh.PublicKey{locked}}, func(x *transport.Target) { x.KeyFiles = []string{dir + "/id"} }, "does not let u in (tried: publickey)"},
		{"agent", sshsim.Options{Keys: []ssh.PublicKey{key}}, func(x *transport.Target) { x.CommonArgs = []string{"-F", "none", "-o", "IdentityAgent=" + sock} }, ""},
		{"password", sshsim.Options{Password: "pw"}, func(x *transport.Target) { x.Password = "pw" }, ""},
		{"wrong password", sshsim.Options{Password: "pw"}, func(x *transport.Target) { x.Password = "wrong" }, "does not let u in"},
		{"no password", sshsim.Options{Password: "pw"}, func(*transport.Target) {}, "does not let u in"},
		{"keyboard-interactive", sshsim.Options{Password: "pw", Ask: true}, func(x *transport.Target) { x.Password = "pw" }, ""},
		{"the question that is named", sshsim.Options{Password: "pw"}, func(x *transport.Target) {
			x.Password, x.Extra = "pw", map[string]string{"ansible_sshpass_prompt": "'s password"}
		}, ""},
		{"refused connection", sshsim.Options{}, func(x *transport.Target) { x.Port = 1 }, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			_, target := startSim(t, tt.server)
			tt.change(target)
			err := dialAndRun(t, newDialer(t), target)
			expect(t, err, tt.want)
			if err != nil && target.Password != "" && strings.Contains(err.Error(), target.Password) && target.Password != "wrong" {
				t.Error("the password stands in the message")
			}
		})
	}
}

// The password is for one question only, when the inventory names it.
func TestOtherQuestion(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, ask := range []bool{false, true} {
		_, target := startSim(t, sshsim.Options{Password: "pw", Ask: ask})
		target.Password, target.Extra = "pw", map[string]string{"ansible_sshpass_prompt": "PIN:"}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if c, err := newDialer(t).Dial(ctx, target); err == nil {
			_ = c.Close()
			t.Error("the password was given to another question")
		}
		cancel()
	}
}

func writeLockedKey(t *testing.T, path, passphrase string) ssh.PublicKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(pem.EncodeToMemory(block)))
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, string(b))
	if err := os.Chmod(to, mode); err != nil {
		t.Fatal(err)
	}
}

// startAgent serves one key as ssh-agent does.
func startAgent(t *testing.T, keyPath string) string {
	t.Helper()
	b, err := os.ReadFile(keyPath)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParseRawPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "fa") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close(); _ = os.RemoveAll(dir) })
	go func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c); _ = c.Close() }()
		}
	}()
	return dir + "/s"
}

func TestHostKeys(t *testing.T) {
	other := transporttest.WriteKey(t, filepath.Join(t.TempDir(), "k"))
	line := func(s *sshsim.Server) string { return s.KnownHostsLine() }
	hashed := func(s *sshsim.Server) string {
		return knownhosts.HashHostname(fmt.Sprintf("[127.0.0.1]:%d", s.Addr().Port)) + " " + string(ssh.MarshalAuthorizedKey(s.HostKey()))
	}
	wrong := func(s *sshsim.Server) string {
		return fmt.Sprintf("[127.0.0.1]:%d %s", s.Addr().Port, ssh.MarshalAuthorizedKey(other))
	}
	for _, tt := range []struct {
		name  string
		known func(*sshsim.Server) string
		args  []string
		off   bool // host key checking
		want  []string
		added bool
	}{
		{"known", line, nil, false, []string{""}, false},
		{"known by its hash", hashed, nil, false, []string{""}, false},
		{"known by a pattern", func(s *sshsim.Server) string { return "[127.0.0.*]:* " + string(ssh.MarshalAuthorizedKey(s.HostKey())) }, nil, false, []string{""}, false},
		{"among broken lines", func(s *sshsim.Server) string { return "garbage\n\n# x\n" + line(s) }, nil, false, []string{""}, false},
		{"unknown", nil, nil, false, []string{"is not known", "SHA256:"}, false},
		{"excluded by a pattern", func(s *sshsim.Server) string {
			return "*,![127.0.0.1]:* " + string(ssh.MarshalAuthorizedKey(s.HostKey()))
		}, nil, false, []string{"is not known"}, false},
		{"changed", wrong, nil, false, []string{"has changed", ssh.FingerprintSHA256(other), "known_hosts:1"}, false},
		{"changed, accept-new", wrong, []string{"-o", "StrictHostKeyChecking=accept-new"}, false, []string{"has changed"}, false},
		{"new, accept-new", nil, []string{"-o", "StrictHostKeyChecking=accept-new"}, false, []string{""}, true},
		{"new, accept-new, hashed", nil, []string{"-oStrictHostKeyChecking=accept-new", "-o", "HashKnownHosts yes"}, false, []string{""}, true},
		{"unknown, checking off", nil, nil, true, []string{""}, true},
		{"changed, checking off", wrong, nil, true, []string{""}, false},
		{"revoked", func(s *sshsim.Server) string {
			return "@revoked * " + string(ssh.MarshalAuthorizedKey(s.HostKey())) + line(s)
		}, nil, false, []string{"is revoked"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, target := startSim(t, sshsim.Options{})
			known := filepath.Join(t.TempDir(), "known_hosts")
			if tt.known != nil {
				writeFile(t, known, tt.known(s))
			}
			before, _ := os.ReadFile(known)
			target.HostKeyChecking = !tt.off
			target.CommonArgs = append([]string{"-F", "none", "-o", "UserKnownHostsFile=" + known, "-o", "GlobalKnownHostsFile=none"}, tt.args...)
			expect(t, dialAndRun(t, newDialer(t), target), tt.want...)
			after, _ := os.ReadFile(known)
			if added := !bytes.Equal(before, after); added != tt.added {
				t.Errorf("known_hosts:\n%s", after)
			}
			if tt.added { // what was written is good for the next run
				target.CommonArgs, target.HostKeyChecking = target.CommonArgs[:6], true
				expect(t, dialAndRun(t, newDialer(t), target), "")
			}
		})
	}
}

// A host with keys of two kinds shows the one that is known.
func TestKnownKindIsAskedFor(t *testing.T) {
	v := &verifier{lines: []*knownLine{{key: transporttest.WriteKey(t, filepath.Join(t.TempDir(), "k"))}}}
	got := v.algorithms([]string{"rsa-sha2-512", "ecdsa-sha2-nistp256", "ssh-ed25519"})
	if strings.Join(got, " ") != "ssh-ed25519 rsa-sha2-512 ecdsa-sha2-nistp256" {
		t.Errorf("order %q", got)
	}
}

// Hosts behind a jump host share one connection to it.
func TestJump(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	first, _ := startSim(t, sshsim.Options{})
	second, _ := startSim(t, sshsim.Options{})
	config := filepath.Join(t.TempDir(), "config") // jump hosts go by the files, not by the arguments
	writeFile(t, config, "StrictHostKeyChecking no\nUserKnownHostsFile none\nIdentityAgent none\n")
	d := newDialer(t)
	var all sync.WaitGroup
	for range 10 {
		_, target := startSim(t, sshsim.Options{})
		target.CommonArgs = append(target.CommonArgs, "-F", config, "-J", fmt.Sprintf("a@127.0.0.1:%d,b@127.0.0.1:%d", first.Addr().Port, second.Addr().Port))
		all.Go(func() {
			if err := dialAndRun(t, d, target); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if a, b := first.Stats().Connections, second.Stats().Connections; a != 1 || b != 1 {
		t.Errorf("%d and %d connections to the jump hosts", a, b)
	}
	_, target := startSim(t, sshsim.Options{})
	target.CommonArgs = append(target.CommonArgs, "-J", "127.0.0.1:1")
	expect(t, dialAndRun(t, d, target), "jump host 127.0.0.1:1")
	_, target = startSim(t, sshsim.Options{})
	target.CommonArgs = append(target.CommonArgs, "-J", fmt.Sprintf("a@127.0.0.1:%d", first.Addr().Port))
	expect(t, dialAndRun(t, d, target), "jump host", "is not known") // checking is off for the target only
	writeFile(t, config, "Host *\n ProxyJump b1\nHost b1\n HostName 127.0.0.1\n")
	target.CommonArgs = []string{"-F", config}
	expect(t, dialAndRun(t, newDialer(t), target), "leads in a circle")
}

func TestProxyCommand(t *testing.T) {
	s, target := startSim(t, sshsim.Options{})
	dir := t.TempDir()
	pass := filepath.Join(dir, "pass")
	writeFile(t, pass, "#!/bin/sh\nexec bash -c 'exec 3<>/dev/tcp/'$1/$2'; cat <&3 & cat >&3; kill $!'\n")
	if err := os.Chmod(pass, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/bin/bash"); err != nil {
		t.Skip("no bash here, whose /dev/tcp this test uses")
	}
	target.CommonArgs = append(target.CommonArgs, "-o", "ProxyCommand="+pass+" %h %p")
	expect(t, dialAndRun(t, newDialer(t), target), "")
	if s.Stats().Connections != 1 {
		t.Errorf("%+v", s.Stats())
	}
}

// sshd that takes few new connections at once gets them all in the end.
func TestManyConnections(t *testing.T) {
	s, target := startSim(t, sshsim.Options{MaxStartups: 3})
	d := newDialer(t)
	var all sync.WaitGroup
	start := time.Now()
	for range 40 {
		all.Go(func() {
			if err := dialAndRun(t, d, target); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	t.Logf("40 connections in %v, %d turned away", time.Since(start), s.Stats().Refused)
}

func TestRetries(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	started := make(chan *sshsim.Server, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		s, _ := sshsim.Start(sshsim.Options{Dir: os.TempDir(), Address: addr.String()})
		started <- s
	}()
	_, target := startSim(t, sshsim.Options{})
	target.Port, target.Retries = addr.Port, 5
	expect(t, dialAndRun(t, newDialer(t), target), "")
	if s := <-started; s != nil {
		_ = s.Close()
	}
}

func TestConfigFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("LANG", "tlh_KX.UTF-8")
	key := transporttest.WriteKey(t, home+"/special")
	s, _ := startSim(t, sshsim.Options{Keys: []ssh.PublicKey{key}})
	if err := os.Mkdir(home+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, home+"/.ssh/config", fmt.Sprintf("Host web\n  HostName 127.0.0.1\n  Port %d\n  User u\n  IdentityFile ~/special\n  IdentityAgent none\n  UserKnownHostsFile %%d/known\n  SendEnv LANG\nHost *\n  User other\n", s.Addr().Port))
	writeFile(t, home+"/known", s.KnownHostsLine())
	target := &transport.Target{Name: "web", Connection: "ssh", HostKeyChecking: true}
	expect(t, dialAndRun(t, newDialer(t), target), "")
	c, err := newDialer(t).Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if c.Description() != fmt.Sprintf("ssh u@web:%d", s.Addr().Port) {
		t.Error(c.Description())
	}
	p, err := c.Start(t.Context(), "echo $LANG", transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(p.Stdout())
	if out.String() != "tlh_KX.UTF-8\n" {
		t.Errorf("LANG is %q", out.String())
	}
}

func TestArgs(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string // options, or the error
	}{
		{"-C -o ControlMaster=auto -o ControlPersist=60s", "[] "},
		{"-o Port=2222 -p 23 -oUser=a -l b", `[Port=2222 Port="23" User=a User="b"] `},
		{"-J a,b -i /k -F none -A -4", `[ProxyJump=a,b IdentityFile="/k" ForwardAgent="yes" AddressFamily="inet"] none`},
		{"-qCp 5", `[Port="5"] `},
		{"-tt -vvv -T -S /x/%C -e none", "[] "},
		{"-o GSSAPIAuthentication=yes", "[GSSAPIAuthentication=yes] "},
		{"-K", `the ssh argument "-K" is not supported by the built-in ssh client`},
		{"-L 1:a:2", `"-L" is not supported by the built-in ssh client`},
		{"-o LocalForward=1 -q", `"-o LocalForward=1" is not supported`},
		{"-W a:1", `"-W" makes no sense here`},
		{"-o Unheard=of", `"-o Unheard=of" makes no sense here, or is none of ssh's`},
		{"host", `"host" makes no sense here`},
		{"-i", "lacks its value"},
		{"-o Port", "lacks its value"},
	} {
		o, err := parseArgs(strings.Fields(tt.args))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(o.options, " ", o.file)
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s; want %s", tt.args, got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	usual, more := []string{"a1", "a2", "b"}, []string{"old"}
	for spec, want := range map[string]string{"": "a1 a2 b", "b,a1": "b a1", "-a*": "b", "^b": "b a1 a2", "+x": "a1 a2 b", "+old": "a1 a2 b old", "x,a2": "a2", "old": "old", "^old": "old a1 a2 b"} {
		if got, err := choose(spec, usual, more); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v; want %s", spec, got, err, want)
		}
	}
	if _, err := choose("x", usual, more); err == nil {
		t.Error("nothing was chosen, without error")
	}
}
