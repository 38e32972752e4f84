package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/transport"
)

// nspawn enters a running machine of systemd-nspawn, as root or, through its su, as
// another user. machinectl would do so too, but on a terminal only and without exit codes.
func nspawn(ctx context.Context, name string, t *transport.Target) (*way, error) {
	w := &way{words: []string{"nsenter"}}
	if strings.Contains(name, "/") {
		return w, errors.New("it must be the name of a running machine; for a directory use the connection chroot")
	}
	pid, err := leader(ctx, name)
	if err != nil {
		return w, err
	}
	w.words = append(w.words, "--target="+pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--",
		"/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "container=systemd-nspawn")
	if user := first(t.Var("ansible_nspawn_user"), t.User); user != "" && user != "root" {
		w.words = append(w.words, "su", "-s", "/bin/sh", "-l", user, "-c")
		return w, nil
	}
	w.words = slices.Concat(append(w.words, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh"), shell)
	return w, nil
}

// leader finds the first process of a machine: machined knows, and without it the
// processes tell.
func leader(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "machinectl", "show", "--property=Leader", "--value", "--", name).Output()
	if pid := strings.TrimSpace(string(out)); err == nil && pid != "" && pid != "0" {
		return pid, nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if pid := spawned(name); pid != "" {
		return pid, nil
	}
	return "", fmt.Errorf("no machine of this name is running here")
}

// spawned looks for a systemd-nspawn with this --machine, and gives its child.
func spawned(name string) string {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		b, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue
		}
		args := strings.Split(string(b), "\x00")
		if filepath.Base(args[0]) != "systemd-nspawn" {
			continue
		}
		for i, a := range args {
			if a == "--machine="+name || (a == "-M" || a == "--machine") && i+1 < len(args) && args[i+1] == name {
				return child(filepath.Base(dir))
			}
		}
	}
	return ""
}

// child gives the child of a process that is the first in its own PID namespace.
func child(parent string) string {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		b, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue
		}
		isChild, isFirst := false, false
		for l := range strings.Lines(string(b)) {
			f := strings.Fields(l)
			switch {
			case len(f) == 2 && f[0] == "PPid:":
				isChild = f[1] == parent
			case len(f) == 3 && f[0] == "NSpid:":
				isFirst = f[2] == "1"
			}
		}
		if _, err := strconv.Atoi(filepath.Base(dir)); err == nil && isChild && isFirst {
			return filepath.Base(dir)
		}
	}
	return ""
}
