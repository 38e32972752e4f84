package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Path is where a path of the host is seen from here. Symbolic links in it that
// are absolute lead out of the host: use Exec where that matters.
func (h *Host) Path(path string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", h.Pid), path)
}

// ReadFile reads a file of the host from outside.
func (h *Host) ReadFile(path string) ([]byte, error) { return os.ReadFile(h.Path(path)) }

// WriteFile replaces a file of the host from outside.
func (h *Host) WriteFile(path string, data []byte, mode os.FileMode) error {
	return os.WriteFile(h.Path(path), data, mode)
}

// Command is a command that will run as root inside the host, in all of its
// namespaces and without going through its sshd.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	all := append([]string{"-t", strconv.Itoa(h.Pid), "-m", "-u", "-i", "-p", "-r", "-w", "--", name}, args...)
	cmd := exec.CommandContext(ctx, "nsenter", all...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	return cmd
}

// Exec runs a command inside the host and returns its stdout.
func (h *Host) Exec(ctx context.Context, name string, args ...string) (string, error) {
	cmd := h.Command(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s on %s: %w: %s", name, h.Name, err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// Connections is how many TCP connections the host's sshd has accepted so far.
func (h *Host) Connections() (int, error) {
	b, err := h.ReadFile("/run/sshd.log")
	return bytes.Count(b, []byte("Connection from ")), err
}

// Process is a process of the host, seen from here.
type Process struct {
	Pid      int // its number here, not in the host
	Parent   int // likewise
	UID      int
	Name     string
	Args     []string
	CPU      time.Duration // user and system time
	ChildCPU time.Duration // of its children that ended
}

// Processes lists the processes of the host.
func (h *Host) Processes() ([]Process, error) {
	want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", h.Pid))
	if err != nil {
		return nil, err
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, dir := range dirs {
		if ns, err := os.Readlink(dir + "/ns/pid"); err != nil || ns != want {
			continue
		}
		if p, ok := readProcess(dir); ok {
			list = append(list, p)
		}
	}
	return list, nil
}

func readProcess(dir string) (p Process, ok bool) {
	var st syscall.Stat_t
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil || syscall.Stat(dir, &st) != nil {
		return p, false
	}
	args, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return p, false
	}
	s := string(stat)
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	fields := strings.Fields(s[end+1:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	cuser, _ := strconv.Atoi(fields[13])
	csystem, _ := strconv.Atoi(fields[14])
	p.Pid, _ = strconv.Atoi(filepath.Base(dir))
	p.Parent, _ = strconv.Atoi(fields[1])
	p.UID, p.Name = int(st.Uid), s[open+1:end]
	p.Args = strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
	p.CPU = time.Duration(user+system) * 10 * time.Millisecond
	p.ChildCPU = time.Duration(cuser+csystem) * 10 * time.Millisecond
	return p, true
}

// Runners counts the processes named fettle-runner by user id. A child that a runner has
// just forked, and that is still to become another program, is none.
func (h *Host) Runners() (map[int]int, error) {
	list, err := h.Processes()
	runners := map[int]Process{}
	for _, p := range list {
		if strings.HasPrefix(p.Name, "fettle-runner") || len(p.Args) > 0 && strings.HasPrefix(filepath.Base(p.Args[0]), "fettle-runner") {
			runners[p.Pid] = p
		}
	}
	count := map[int]int{}
	for _, p := range runners {
		if parent, forked := runners[p.Parent]; !forked || parent.UID != p.UID {
			count[p.UID]++
		}
	}
	return count, err
}

// KillSSHD ends the host's sshd and all its sessions, as a crash would.
func (h *Host) KillSSHD() error {
	list, err := h.Processes()
	for _, p := range list {
		if strings.HasPrefix(p.Name, "sshd") {
			_ = syscall.Kill(p.Pid, syscall.SIGKILL)
		}
	}
	return err
}

// StartSSHD starts sshd again after KillSSHD, and waits for it.
func (h *Host) StartSSHD(ctx context.Context) error {
	if err := os.Remove(h.Path("/run/sshd.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var err error
	if h.Group.Kind == KindSystemd {
		_, err = h.Exec(ctx, "systemctl", "restart", "ssh")
	} else {
		_, err = h.Exec(ctx, "/usr/sbin/sshd", "-E", "/run/sshd.log")
	}
	if err != nil {
		return err
	}
	return h.waitReady(ctx)
}

// Kill ends the whole host at once, as pulling the plug would.
func (h *Host) Kill() error { return syscall.Kill(h.Pid, syscall.SIGKILL) }

// Entry is one path of a host's file tree.
type Entry struct {
	Path   string      `json:"path"`
	Mode   fs.FileMode `json:"mode"`
	UID    uint32      `json:"uid"`
	GID    uint32      `json:"gid"`
	Size   int64       `json:"size,omitempty"` // of regular files
	SHA256 string      `json:"sha256,omitempty"`
	Link   string      `json:"link,omitempty"` // target of a symbolic link
	MTime  time.Time   `json:"mtime"`
}

// Tree lists what lies at and below the roots given, sorted by path. A root
// that does not exist adds nothing.
func (h *Host) Tree(roots ...string) ([]Entry, error) {
	var list []Entry
	for _, root := range roots {
		err := filepath.WalkDir(h.Path(root), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			e, err := entryOf(path)
			e.Path = strings.TrimPrefix(path, h.Path("/"))
			if !strings.HasPrefix(e.Path, "/") {
				e.Path = "/" + e.Path
			}
			list = append(list, e)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list, nil
}

func entryOf(path string) (Entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Entry{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	e := Entry{Mode: info.Mode(), UID: st.Uid, GID: st.Gid, MTime: info.ModTime()}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		e.Link, err = os.Readlink(path)
	case info.Mode().IsRegular():
		e.Size = info.Size()
		e.SHA256, err = fileSum(path)
	}
	return e, err
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// ClientConfig is what a bare SSH client needs to log in to h.
func (f *Fleet) ClientConfig(h *Host) *ssh.ClientConfig {
	return &ssh.ClientConfig{User: h.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(f.signer)}, HostKeyCallback: ssh.FixedHostKey(h.Key),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 30 * time.Second}
}

// Address is host:port of the host.
func (h *Host) Address() string { return fmt.Sprintf("%s:%d", h.Addr, h.Port) }

// CPU is the processor time the host's processes have taken so far, including
// those that ended and were waited for.
func (h *Host) CPU() (time.Duration, error) {
	list, err := h.Processes()
	var sum time.Duration
	for _, p := range list {
		sum += p.CPU + p.ChildCPU
	}
	return sum, err
}

// KnownKeys is the check of host keys against a known_hosts file of a fleet.
func KnownKeys(path string) (ssh.HostKeyCallback, error) { return knownhosts.New(path) }
