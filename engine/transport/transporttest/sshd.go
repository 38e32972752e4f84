package transporttest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fettle/engine/transport"
)

// SSHD is a real sshd for the current user, on a loopback address.
type SSHD struct {
	Dir  string // its files; also the HOME of the sessions
	Port int
	User string
	Key  string // path of a private key that is let in
	Host ssh.PublicKey
	log  lockedBuffer
	cmd  *exec.Cmd
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// StartSSHD starts one with further lines of configuration; the test is skipped where
// there is no sshd.
func StartSSHD(t testing.TB, config ...string) *SSHD {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Skip("no /usr/sbin/sshd on this machine (package openssh-server)")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if me.Uid == "0" {
		_ = os.MkdirAll("/run/sshd", 0o755) // sshd wants it; the service makes it
	}
	dir := t.TempDir()
	s := &SSHD{Dir: dir, User: me.Username, Port: freePort(t)}
	s.Host = WriteKey(t, filepath.Join(dir, "host"))
	s.Key = filepath.Join(dir, "id")
	public := WriteKey(t, s.Key)
	write(t, filepath.Join(dir, "authorized"), string(ssh.MarshalAuthorizedKey(public)))
	lines := append(config, "ListenAddress 127.0.0.1:"+strconv.Itoa(s.Port), "HostKey "+dir+"/host", "AuthorizedKeysFile "+dir+"/authorized",
		"StrictModes no", "UsePAM no", "PidFile none", "PermitRootLogin yes", "PasswordAuthentication no", "PrintMotd no",
		"Subsystem sftp internal-sftp", "SetEnv HOME="+dir, "LogLevel VERBOSE")
	write(t, filepath.Join(dir, "config"), strings.Join(lines, "\n")+"\n")
	s.cmd = exec.Command(program, "-D", "-e", "-f", filepath.Join(dir, "config"))
	s.cmd.Stderr = &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.await(t)
	return s
}

func (s *SSHD) await(t testing.TB) {
	t.Helper()
	for range 500 {
		if strings.Contains(s.Log(), "Server listening") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("sshd does not start: %s", s.Log())
}

func (s *SSHD) stop() {
	s.Drop()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Drop ends all connections but not the server, by ending their processes.
func (s *SSHD) Drop() {
	for _, pid := range s.sessions() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// sessions are the processes of connections: children of the server, and theirs.
func (s *SSHD) sessions() (out []int) {
	children := map[int][]int{}
	procs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && strings.Contains(string(b), "(sshd") {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], pid)
		}
	}
	for next := children[s.cmd.Process.Pid]; len(next) > 0; {
		out = append(out, next...)
		var below []int
		for _, pid := range next {
			below = append(below, children[pid]...)
		}
		next = below
	}
	return out
}

// Log is what the server has said.
func (s *SSHD) Log() string { return s.log.String() }

// Connections counts the log-ins so far.
func (s *SSHD) Connections() int {
	return strings.Count(s.Log(), "Accepted publickey for") + strings.Count(s.Log(), "Accepted password for")
}

// Target reaches it, with its key known and no configuration of this machine.
func (s *SSHD) Target(t testing.TB, args ...string) *transport.Target {
	t.Helper()
	known := filepath.Join(s.Dir, "known_hosts")
	write(t, known, fmt.Sprintf("[127.0.0.1]:%d %s", s.Port, ssh.MarshalAuthorizedKey(s.Host)))
	return &transport.Target{Name: "real", Connection: "ssh", Address: "127.0.0.1", Port: s.Port, User: s.User, KeyFiles: []string{s.Key},
		HostKeyChecking: true, CommonArgs: append(args, "-F", "none", "-o", "IdentityAgent=none", "-o", "UserKnownHostsFile="+known), Timeout: 10}
}

// WriteKey makes a key pair at path and path.pub.
func WriteKey(t testing.TB, path string) ssh.PublicKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(pem.EncodeToMemory(block)))
	write(t, path+".pub", string(ssh.MarshalAuthorizedKey(public)))
	return public
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
