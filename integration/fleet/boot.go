package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// boot is everything the child process needs to become a host.
type boot struct {
	Hostname  string
	Kind      Kind
	Layers    []string
	Mnt       string // an empty directory
	Size      string // of the root file system, for tmpfs
	NoexecTmp bool
	FullDisk  bool
	SmallDisk bool
	Busybox   bool
	Shell     string
	Files     []file
	Cgroup    string // name of the cgroup to make, for systemd

	host *Host
}

// file is written into the host before its init starts.
type file struct {
	Path string
	Mode os.FileMode
	Text string
}

// prepare decides on address, keys and files of the nth host of a group.
func (f *Fleet) prepare(g Group, img image, nth, index int) (boot, error) {
	if g.Name == "" {
		g.Name = string(g.Kind)
	}
	if g.User == "" {
		g.User = "root"
	}
	if g.Kind == KindSystemd && g.Busybox {
		return boot{}, errors.New("a busybox host cannot boot systemd")
	}
	h := &Host{Name: fmt.Sprintf("%s%03d", g.Name, nth), Group: g, User: g.User,
		Addr: fmt.Sprintf("127.%d.%d.%d", f.ID, index/250, index%250+1), Port: 22}
	if !canListen(h.Addr, h.Port) {
		h.Port = 2222
	}
	h.sshdAddr, h.sshdPort = h.Addr, h.Port
	private, public, err := newKey()
	if err != nil {
		return boot{}, err
	}
	h.Key = public
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return boot{}, err
	}
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return boot{}, err
	}
	conf := append([]string{
		fmt.Sprintf("ListenAddress %s:%d", h.Addr, h.Port), "HostKey /etc/ssh/ssh_host_ed25519_key", "PermitRootLogin prohibit-password",
		"AuthorizedKeysFile /etc/ssh/fleet_keys .ssh/authorized_keys", "LogLevel VERBOSE", "UseDNS no", "PidFile /run/sshd.pid"}, g.SSHD...)
	b := boot{Hostname: h.Name, Kind: g.Kind, Layers: img.layers, Mnt: filepath.Join(f.Dir, "mnt"), Size: "2g", host: h,
		NoexecTmp: g.NoexecTmp, FullDisk: g.FullDisk, SmallDisk: g.SmallDisk, Busybox: g.Busybox, Shell: g.Shell,
		Files: []file{
			{"/etc/hostname", 0o644, h.Name + "\n"},
			{"/etc/hosts", 0o644, fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", h.Addr, h.Name)},
			{"/etc/machine-id", 0o444, hex.EncodeToString(id) + "\n"},
			{"/etc/resolv.conf", 0o644, string(resolv)},
			{"/etc/ssh/ssh_host_ed25519_key", 0o600, private},
			{"/etc/ssh/ssh_host_ed25519_key.pub", 0o644, string(ssh.MarshalAuthorizedKey(public))},
			{"/etc/ssh/fleet_keys", 0o644, string(ssh.MarshalAuthorizedKey(f.signer.PublicKey()))},
			{"/etc/ssh/sshd_config.d/fleet.conf", 0o644, strings.Join(conf, "\n") + "\n"},
		}}
	if g.NoSFTP {
		b.Files = append(b.Files, file{"/usr/lib/openssh/sftp-server", 0o644, ""})
	}
	if g.FullDisk {
		b.Size = "4m"
	}
	if g.Kind == KindSystemd {
		b.Cgroup = fmt.Sprintf("fettle-fleet-%d-%s", f.ID, h.Name)
	}
	if g.Noisy {
		b.Files = append(b.Files, file{"/etc/motd", 0o644, "*** authorised use only ***\n"},
			file{"/etc/profile.d/noise.sh", 0o644, "echo noise from profile.d\n"},
			file{"/etc/bash.bashrc", 0o644, "echo noise from bash.bashrc\necho more noise >&2\n"},
			file{"/etc/ssh/sshrc", 0o644, "echo noise from sshrc\n"})
	}
	return b, os.MkdirAll(b.Mnt, 0o755)
}

func canListen(addr string, port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func newKey() (private string, public ssh.PublicKey, err error) {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return "", nil, err
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		return "", nil, err
	}
	return string(pem.EncodeToMemory(block)), signer.PublicKey(), nil
}

func (f *Fleet) makeKey() error {
	private, _, err := newKey()
	if err != nil {
		return err
	}
	f.signer, err = ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return err
	}
	return os.WriteFile(f.PrivateKey, []byte(private), 0o600)
}

// boot starts the child that becomes the host and returns when the host's init
// runs, or with the reason why it does not.
func (f *Fleet) boot(b boot) error {
	in, err := json.Marshal(b)
	if err != nil {
		return err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer errR.Close()
	var cgroups []string
	if b.Cgroup != "" {
		cgroups = cgroupDirs(b.Cgroup)
	}
	console, err := os.Create(filepath.Join(f.Dir, b.Hostname+".console"))
	if err != nil {
		return err
	}
	defer console.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{childName}
	cmd.Stdin = strings.NewReader(string(in))
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{errW}
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=1"}
	flags := uintptr(syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC)
	if b.Kind == KindSystemd {
		flags = syscall.CLONE_NEWNS // systemd-nspawn makes the others
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setsid: true}
	err = cmd.Start()
	errW.Close()
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	b.host.outer, b.host.Pid = cmd.Process.Pid, cmd.Process.Pid
	if err := f.record(cmd.Process.Pid, cgroups); err != nil {
		return err
	}
	if text, err := io.ReadAll(errR); err != nil || len(text) > 0 {
		return errors.Join(err, errors.New(string(text)))
	}
	if b.Kind == KindSystemd {
		return f.findLeader(b.host)
	}
	return nil
}

// findLeader waits for the container's PID 1, the child of systemd-nspawn.
func (f *Fleet) findLeader(h *Host) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		kids, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", h.outer, h.outer))
		if err != nil {
			return errors.New("systemd-nspawn ended: " + f.console(h))
		}
		for _, kid := range strings.Fields(string(kids)) {
			if pid, err := strconv.Atoi(kid); err == nil && isNamespaceInit(pid) {
				h.Pid = pid
				return f.record(pid, nil)
			}
		}
	}
	return errors.New("systemd-nspawn started nothing: " + f.console(h))
}

// isNamespaceInit tells PID 1 of a container from nspawn's own helpers.
func isNamespaceInit(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "NSpid:"); ok {
			pids := strings.Fields(v)
			return len(pids) > 1 && pids[len(pids)-1] == "1"
		}
	}
	return false
}

func (f *Fleet) console(h *Host) string {
	b, _ := os.ReadFile(filepath.Join(f.Dir, h.Name+".console"))
	if len(b) > 2000 {
		b = b[len(b)-2000:]
	}
	return strings.TrimSpace(string(b))
}

// waitReady waits until the host's sshd listens, without connecting to it.
func (h *Host) waitReady(ctx context.Context) error {
	for {
		if b, err := os.ReadFile(h.Path("/run/sshd.pid")); err == nil && len(b) > 0 {
			return nil
		}
		if startTime(h.outer) == "" {
			return errors.New("its init ended before sshd listened")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sshd does not listen: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
