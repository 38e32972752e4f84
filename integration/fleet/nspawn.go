package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// hierarchies are the mounted cgroup trees: one with cgroup v2, several with v1.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return []string{cgroupRoot}
	}
	entries, _ := os.ReadDir(cgroupRoot)
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(cgroupRoot, e.Name())
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil && e.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func cgroupDirs(name string) []string {
	var dirs []string
	for _, h := range hierarchies() {
		dirs = append(dirs, filepath.Join(h, name))
	}
	return dirs
}

// enterCgroups moves this process into a cgroup of its own in every hierarchy,
// so that all that systemd makes below it can be found and removed.
func enterCgroups(name string) error {
	for _, dir := range cgroupDirs(name) {
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return err
		}
		if strings.Contains(dir, "/cpuset/") {
			for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
				b, err := os.ReadFile(filepath.Join(filepath.Dir(dir), f))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
					return err
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// execNspawn hands over to systemd-nspawn. /run and /tmp of this namespace are
// private, so that it leaves nothing there.
func execNspawn(root string, b boot) error {
	path, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		return err
	}
	// The root lies below /run: keep it reachable while /run is replaced, and at a
	// path of its own, since nspawn makes a lock file beside it.
	if err := mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	keep := filepath.Join("/mnt", b.Hostname)
	if err := os.Mkdir(keep, 0o755); err != nil {
		return err
	}
	if err := mount(root, keep, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	args := []string{"systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--directory=" + keep, "--machine=" + b.Hostname,
		"--hostname=" + b.Hostname, "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--kill-signal=SIGRTMIN+3", "--console=pipe"}
	if b.NoexecTmp {
		for _, d := range []string{"/tmp", "/var/tmp"} {
			args = append(args, "--tmpfs="+d+":mode=1777,noexec")
		}
	}
	if b.SmallDisk {
		args = append(args, "--tmpfs=/srv/small:mode=755,size=256k")
	}
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_LOG_LEVEL=info"}
	return fmt.Errorf("exec %s: %w", path, unix.Exec(path, args, env))
}
