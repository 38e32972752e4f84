package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What ssh -G makes of generated configurations is what we make of them.
func TestAsOpenSSH(t *testing.T) {
	program, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("no ssh on this machine to compare with (package openssh-client)")
	}
	n := 60
	seed := uint64(1)
	if s := os.Getenv("FETTLE_SEED"); s != "" {
		_, _ = fmt.Sscan(s, &seed)
		n = 3000
	}
	failed := 0
	for i := range n {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(i))), dir: t.TempDir()}
		main := g.file(2)
		args := g.args()
		for _, host := range []string{"web1", "db.example.com", "Big"} {
			if !compare(t, program, g.dir, main, host, args) {
				failed++
			}
		}
		if failed > 3 {
			t.Fatal("too many differences")
		}
	}
}

func compare(t *testing.T, program, dir, file, host string, args []string) bool {
	t.Helper()
	line := []string{"-G", "-F", file}
	for _, a := range args {
		line = append(line, "-o", a)
	}
	cmd := exec.Command(program, append(line, host)...)
	cmd.Dir = dir
	out, sshErr := cmd.CombinedOutput()
	f := &Files{}
	o, err := f.Resolve(t.Context(), Query{Host: host, Args: args, File: file})
	if (err != nil) != (sshErr != nil) {
		t.Errorf("%s with %q: we say %v, ssh %v: %s\n%s", host, args, err, sshErr, out, dump(dir))
		return false
	}
	if err != nil {
		return true
	}
	if want, got := picked(string(out)), ours(o); want != got {
		t.Errorf("%s with %q:\nssh:\n%sours:\n%s%s", host, args, want, got, dump(dir))
		return false
	}
	return true
}

// compared are the options looked at, and what ssh -G prints when they are not set.
var compared = map[string]string{"hostname": "", "port": "22", "user": "", "stricthostkeychecking": "ask", "identityfile": "", "certificatefile": "",
	"userknownhostsfile": "", "proxyjump": "", "proxycommand": "", "sendenv": "", "setenv": "", "serveraliveinterval": "0", "serveralivecountmax": "3", "connecttimeout": "none",
	"forwardagent": "no", "identitiesonly": "no", "hostkeyalias": "", "preferredauthentications": "", "passwordauthentication": "yes", "addressfamily": "any",
	"pubkeyauthentication": "true", "connectionattempts": "1", "hashknownhosts": "no", "identityagent": ""}

var spelled = map[string]string{"true": "yes", "false": "no"}

func picked(out string) string {
	var lines []string
	for l := range strings.Lines(out) {
		name, v, _ := strings.Cut(strings.TrimSpace(l), " ")
		dflt, ok := compared[name]
		if !ok || v == dflt || v == "none" {
			continue
		}
		if name == "stricthostkeychecking" || name == "pubkeyauthentication" {
			if s := spelled[v]; s != "" {
				v = s
			}
		}
		if (name == "identityfile" && strings.HasPrefix(v, "~/.ssh/id_")) || name == "userknownhostsfile" && strings.Contains(v, "/.ssh/known_hosts") {
			continue // not set
		}
		lines = append(lines, name+" "+v)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n" // that SendEnv says something twice means nothing
}

func ours(o *Options) string {
	var lines []string
	for name, dflt := range compared {
		values := o.All(name)
		switch name {
		case "user":
			values = []string{o.User()}
		case "userknownhostsfile":
			if len(values) > 0 {
				values = []string{strings.Join(values, " ")}
			}
		}
		for _, v := range values {
			if v == dflt || v == "none" || v == "yes" && dflt == "true" {
				continue
			}
			lines = append(lines, name+" "+v)
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n" // that SendEnv says something twice means nothing
}

func dump(dir string) string {
	var b strings.Builder
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			c, _ := os.ReadFile(p)
			fmt.Fprintf(&b, "--- %s\n%s", p, c)
		}
		return err
	})
	return b.String()
}

// generator writes configurations by chance.
type generator struct {
	*rand.Rand
	dir string
	n   int
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

func (g *generator) args() (out []string) {
	for range g.IntN(3) {
		out = append(out, pick(g, "Port=2022", "User argued", "StrictHostKeyChecking=accept-new", "HostName=%h.arg", "ProxyJump=j0", "IdentityFile=/arg", "ConnectTimeout=7", "SendEnv=ARG"))
	}
	return out
}

func (g *generator) file(depth int) string {
	g.n++
	path := filepath.Join(g.dir, fmt.Sprintf("c%d", g.n))
	var b strings.Builder
	for range 2 + g.IntN(8) {
		indent := pick(g, "", "  ", "\t")
		switch g.IntN(10) {
		case 0, 1:
			fmt.Fprintf(&b, "%s %s\n", pick(g, "Host", "host", "HOST"), g.patterns(" "))
		case 2, 3:
			fmt.Fprintf(&b, "%s%s\n", pick(g, "Match ", "match "), g.conditions())
		case 4:
			if depth > 0 {
				fmt.Fprintf(&b, "Include %s\n", pick(g, g.file(depth-1), g.file(depth-1)+" "+g.dir+"/none*", g.dir+"/c[89]"))
			}
		default:
			o, after := g.option(), pick(g, "", "", "  ", " # remark")
			if strings.HasPrefix(o, "ProxyJump") && strings.HasSuffix(o, "none") {
				after = "" // ssh 9.2 takes "none # remark" for a host called none
			}
			fmt.Fprintf(&b, "%s%s%s\n", indent, o, after)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		panic(err)
	}
	return path
}

func (g *generator) patterns(sep string) string {
	var out []string
	for range 1 + g.IntN(3) {
		out = append(out, pick(g, "", "", "", "!")+pick(g, "*", "web1", "web?", "*.example.com", "db*", "Big", "big", "other", `"web1"`))
	}
	if sep == "," {
		return strings.ReplaceAll(strings.Join(out, sep), `"`, "")
	}
	return strings.Join(out, sep)
}

func (g *generator) conditions() string {
	if g.IntN(6) == 0 {
		return pick(g, "all", "final all", "canonical all", "all host x", "bogus x", "host")
	}
	var out []string
	for range 1 + g.IntN(3) {
		not := pick(g, "", "", "", "!")
		switch g.IntN(7) {
		case 0:
			out = append(out, not+"final")
		case 1:
			out = append(out, not+"user "+pick(g, "root", "argued", "deploy", "*", "!root,*"))
		case 2:
			out = append(out, not+"localuser "+pick(g, "root", "nobody", "r*"))
		case 3:
			out = append(out, not+"exec "+pick(g, "true", "false", `"test %n = web1"`, `"test %h = 10.0.0.1"`, `"test %p = 22"`, `"test %r = deploy"`))
		case 4:
			out = append(out, not+"originalhost "+g.patterns(","))
		default:
			out = append(out, not+"host "+pick(g, g.patterns(","), "10.0.0.*", "*.arg"))
		}
	}
	return strings.Join(out, " ")
}

func (g *generator) option() string {
	eq := pick(g, " ", " ", "=", " = ", "\t")
	return pick(g, "HostName"+eq+pick(g, "10.0.0.1", "%h.lan", "x%%y", "NAME"), "Port"+eq+pick(g, "22", "2200", "2201"), "User"+eq+pick(g, "deploy", `"deploy"`, "ops"),
		"IdentityFile"+eq+pick(g, "~/k1", "/k2", `"/k 3"`, "%d/k4", "none"), "CertificateFile"+eq+"/c1", "UserKnownHostsFile "+pick(g, "/a /b", `"/a b" /c`, "none"),
		"ProxyJump"+eq+pick(g, "j1", "u@j2:22,j3", "none"), "ProxyCommand"+eq+pick(g, "nc %h %p # x", `sh -c "x y" %r`, "none"),
		"StrictHostKeyChecking"+eq+pick(g, "yes", "no", "off", "ask", "accept-new", "No"), "SendEnv "+pick(g, "LANG LC_*", "FOO", "-LC_* BAR", "-*"), "SetEnv "+pick(g, "A=1 B=2", `"C=x y"`),
		"ServerAliveInterval"+eq+pick(g, "30", "1m", "1h30m"), "ServerAliveCountMax"+eq+"5", "ConnectTimeout"+eq+pick(g, "5", "none", "2m"), "ForwardAgent"+eq+pick(g, "yes", "no"),
		"IdentitiesOnly"+eq+pick(g, "yes", "true", "no", "false"), "HostKeyAlias"+eq+"alias", "PreferredAuthentications"+eq+"password,publickey", "PasswordAuthentication"+eq+"no",
		"AddressFamily"+eq+pick(g, "inet", "inet6"), "PubkeyAuthentication"+eq+pick(g, "yes", "no"), "HashKnownHosts"+eq+"yes", "ConnectionAttempts"+eq+"3",
		pick(g, "Protocol 2", "IgnoreUnknown Foo*,bar", "FooBar x", "RhostsRSAAuthentication yes", "# just a remark", "GSSAPIAuthentication yes", "LocalForward 1 a:2",
			"Unheard of", "Port x", "Port 1 2", "User", `User "x`, "ControlPath /x/%C", "IdentityAgent /sock"))
}

// Files are read once, whoever asks.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c")
	if err := os.WriteFile(path, []byte("Host a*\n Port 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &Files{}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			o, err := f.Resolve(context.Background(), Query{Host: fmt.Sprintf("a%d", i), File: path})
			if err != nil || o.Port() != 7 {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
}

// The version is that of the ssh program; ssh itself knows this condition since 10.0.
func TestMatchVersion(t *testing.T) {
	if release() == "" {
		t.Skip("no ssh on this machine (package openssh-client)")
	}
	path := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(path, []byte("Match version OpenSSH_0.*\n Port 1\nMatch version OpenSSH_*,!*_0.*\n Port 7\nMatch !version OpenSSH_*\n User nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := (&Files{}).Resolve(t.Context(), Query{Host: "a", File: path})
	if err != nil || o.Port() != 7 || o.User() == "nobody" {
		t.Errorf("port %d, user %s, %v for %s", o.Port(), o.User(), err, release())
	}
}

func TestGuarded(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(home+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"mine": 0o600, "anybody's": 0o666} {
		_ = os.Remove(home + "/.ssh/config")
		if err := os.WriteFile(home+"/.ssh/config", []byte("Port 7\n"), mode); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(home+"/.ssh/config", mode)
		_, err := (&Files{Home: home, System: os.DevNull}).Resolve(t.Context(), Query{Host: "a"})
		if (err == nil) != (mode == 0o600) {
			t.Errorf("%s: err %v", name, err)
		}
	}
	_, err := (&Files{}).Resolve(t.Context(), Query{Host: "a", File: home + "/none"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
