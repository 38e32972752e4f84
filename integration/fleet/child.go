package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// childName is argv[0] of the process that becomes a host. Every program that
// imports this package can be that child: boot starts /proc/self/exe.
const childName = "fettle-fleet-host"

func init() {
	if len(os.Args) == 1 && os.Args[0] == childName {
		err := becomeHost()
		fmt.Fprint(os.NewFile(3, "errors"), err) // an exec that worked has closed it
		os.Exit(1)
	}
}

// lightInit keeps a light host alive, collects its orphans, and lets sshd be
// killed and started again.
const lightInit = `/usr/sbin/sshd -E /run/sshd.log || { cat /run/sshd.log >&2; exit 1; }; while :; do sleep 1000000 & wait $!; done`

// becomeHost runs in fresh namespaces and ends by executing the host's init.
func becomeHost() error {
	unix.CloseOnExec(3)
	var b boot
	if err := json.NewDecoder(os.Stdin).Decode(&b); err != nil {
		return err
	}
	if b.Cgroup != "" {
		if err := enterCgroups(b.Cgroup); err != nil {
			return err
		}
	}
	root, err := mountRoot(b)
	if err != nil {
		return err
	}
	if err := writeFiles(root, b); err != nil {
		return err
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := unix.Dup2(int(null.Fd()), 0); err != nil {
		return err
	}
	if b.Kind == KindSystemd {
		return execNspawn(root, b)
	}
	if err := mountLight(root, b); err != nil {
		return err
	}
	if err := pivot(root); err != nil {
		return err
	}
	if b.FullDisk {
		if err := fill("/var/ballast"); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte(b.Hostname)); err != nil {
		return err
	}
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return os.NewSyscallError("exec /bin/sh", unix.Exec("/bin/sh", []string{"sh", "-c", lightInit}, env))
}

// mountRoot mounts the overlay on a tmpfs that only this namespace sees.
func mountRoot(b boot) (string, error) {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", err
	}
	if err := mount("tmpfs", b.Mnt, "tmpfs", 0, "mode=755,size="+b.Size); err != nil {
		return "", err
	}
	for _, d := range []string{"u", "w", "root"} {
		if err := os.Mkdir(filepath.Join(b.Mnt, d), 0o755); err != nil {
			return "", err
		}
	}
	root := filepath.Join(b.Mnt, "root")
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(b.Layers, ":"), filepath.Join(b.Mnt, "u"), filepath.Join(b.Mnt, "w"))
	return root, mount("overlay", root, "overlay", 0, opts)
}

func writeFiles(root string, b boot) error {
	for _, f := range b.Files {
		path := filepath.Join(root, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(path, []byte(f.Text), f.Mode); err != nil {
			return err
		}
		if err := os.Chmod(path, f.Mode); err != nil {
			return err
		}
	}
	if b.Shell == "" {
		return nil
	}
	return setShells(filepath.Join(root, "etc/passwd"), b.Shell)
}

func setShells(passwd, shell string) error {
	text, err := os.ReadFile(passwd)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		if name == "root" || name == "op" || name == "admin" {
			lines[i] = line[:strings.LastIndexByte(line, ':')+1] + shell
		}
	}
	return os.WriteFile(passwd, []byte(strings.Join(lines, "\n")), 0o644)
}

func mountLight(root string, b boot) error {
	at := func(p string) string { return filepath.Join(root, p) }
	mounts := []struct{ source, dir, fs, data string }{
		{"proc", "/proc", "proc", ""},
		{"sysfs", "/sys", "sysfs", "ro"},
		{"tmpfs", "/dev", "tmpfs", "mode=755,size=64k"},
		{"tmpfs", "/run", "tmpfs", "mode=755,size=16m"},
	}
	for _, m := range mounts {
		var flags uintptr = unix.MS_NOSUID
		if m.data == "ro" {
			flags, m.data = flags|unix.MS_RDONLY, ""
		}
		if err := mount(m.source, at(m.dir), m.fs, flags, m.data); err != nil {
			return err
		}
	}
	if err := makeDev(at("/dev")); err != nil {
		return err
	}
	for _, d := range []string{"/run/sshd", "/run/lock"} {
		if err := os.Mkdir(at(d), 0o755); err != nil {
			return err
		}
	}
	if b.NoexecTmp {
		for _, d := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
			if err := mount("tmpfs", at(d), "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=64m"); err != nil {
				return err
			}
		}
	}
	if b.SmallDisk {
		return mount("tmpfs", at("/srv/small"), "tmpfs", 0, "mode=755,size=256k")
	}
	return nil
}

func makeDev(dev string) error {
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		path := filepath.Join(dev, d.name)
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("mknod %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for _, d := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dev, d), 0o755); err != nil {
			return err
		}
	}
	if err := mount("tmpfs", filepath.Join(dev, "shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=64m"); err != nil {
		return err
	}
	return mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
}

func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return os.NewSyscallError("umount", err)
	}
	return os.Chdir("/")
}

// fill writes to path until no byte is free.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, fs string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fs, flags, data); err != nil {
		return fmt.Errorf("cannot mount %s on %s: %w", fs, target, err)
	}
	return nil
}
