// Package bench measures fettle beside Ansible, Mitogen and a bare SSH floor, on
// the same kind of hosts in one session. A run counts only when its end state
// was found on every host.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/integration/fleet"
)

// Workload is one playbook and what must be true on each host after it.
type Workload struct {
	Name    string
	Tasks   int // round trips of the floor: one exec for each
	Systemd bool
	Write   func(dir string) error // writes site.yml and what it needs
	Check   func(w *Check) error
}

// Check is what a workload's check looks at.
type Check struct {
	Host  *fleet.Host
	Hosts int
	Token string // the run's own mark: extra variable token
	Out   string // what the tool printed
}

// Workloads are all of them. site is the directory of the site playbook.
func Workloads(site string) []Workload {
	return []Workload{
		{Name: "ping", Tasks: 1, Write: play("    - ping:\n"), Check: recapOK},
		{Name: "facts", Tasks: 1, Write: play("    - setup:\n"), Check: recapOK},
		{Name: "site", Tasks: 43, Write: func(dir string) error { return copyTree(site, dir) }, Check: checkSite},
		{Name: "tiny", Tasks: 100, Write: play(strings.Repeat("    - command: \"true\"\n", 99) + marker), Check: checkMarker},
		{Name: "steps", Tasks: 4, Write: play(stepTasks), Check: checkSteps},
		{Name: "loop", Tasks: 2, Write: play(loopTask + marker), Check: checkLoop},
		{Name: "files", Tasks: 3, Write: writeFiles, Check: checkFiles},
		{Name: "hostvars", Tasks: 1, Write: writeHostVars, Check: checkHostVars},
		{Name: "package", Tasks: 3, Systemd: true, Write: play(packageTasks + marker), Check: checkPackage},
	}
}

const (
	marker       = "    - copy: {content: \"{{ token }}\", dest: /root/token}\n"
	stepTasks    = "    - file: {path: /srv/steps, state: directory, mode: \"0750\"}\n    - lineinfile: {path: /srv/steps/conf, line: a=1, create: true}\n    - user: {name: games, shell: /usr/sbin/nologin}\n" + marker
	loopTask     = "    - copy: {content: \"{{ item }}\", dest: \"/srv/item-{{ item }}\"}\n      loop: \"{{ range(100) | list }}\"\n"
	packageTasks = "    - apt: {name: [bc, file], state: present}\n    - service: {name: cron, state: restarted}\n"
	treeFiles    = 500
	bigSize      = 20 << 20
)

// play writes a playbook of these tasks.
func play(tasks string) func(string) error {
	return func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "site.yml"), []byte("- hosts: all\n  gather_facts: false\n  tasks:\n"+tasks), 0o644)
	}
}

// recapOK checks the recap's line of the host.
func recapOK(c *Check) error {
	for line := range strings.Lines(c.Out) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == c.Host.Name && f[1] == ":" {
			if strings.Contains(line, "unreachable=0") && strings.Contains(line, "failed=0") && !strings.Contains(line, "ok=0") {
				return nil
			}
			return errors.New(strings.TrimSpace(line))
		}
	}
	return errors.New("is not in the recap")
}

func expect(c *Check, path, want string) error {
	b, err := c.Host.ReadFile(path)
	if err == nil && string(b) != want {
		err = fmt.Errorf("%s holds %.80q, want %.80q", path, b, want)
	}
	return err
}

func checkMarker(c *Check) error { return errors.Join(recapOK(c), expect(c, "/root/token", c.Token)) }

func checkSite(c *Check) error {
	if err := recapOK(c); err != nil {
		return err
	}
	motd := c.Host.Name + ": Managed: do not edit, alice and bruno and clara\n"
	var sizes strings.Builder
	for i := range 10 {
		fmt.Fprintf(&sizes, "part-%d 7\n", i)
	}
	passwd, err := c.Host.ReadFile("/etc/passwd")
	if err == nil && !bytes.Contains(passwd, []byte("\nclara:x:4003:")) {
		err = errors.New("user clara is missing")
	}
	return errors.Join(err, expect(c, "/etc/motd", motd), expect(c, "/srv/site/data/out/sizes", sizes.String()),
		expect(c, "/srv/site/run/rescued", "rescued from 31 fails\n"))
}

func checkSteps(c *Check) error {
	return errors.Join(checkMarker(c), expect(c, "/srv/steps/conf", "a=1\n"))
}

func checkLoop(c *Check) error {
	for i := range 100 {
		if err := expect(c, fmt.Sprintf("/srv/item-%d", i), strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return checkMarker(c)
}

func writeFiles(dir string) error {
	big := make([]byte, bigSize)
	for i := range big {
		big[i] = byte(i * 2654435761 >> 13)
	}
	if err := os.WriteFile(filepath.Join(dir, "big.bin"), big, 0o644); err != nil {
		return err
	}
	for i := range treeFiles {
		sub := filepath.Join(dir, "tree", strconv.Itoa(i%20))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%d", i)), fmt.Appendf(nil, "file %d\n", i), 0o644); err != nil {
			return err
		}
	}
	return play("    - copy: {src: " + dir + "/big.bin, dest: /srv/big.bin}\n    - copy: {src: " + dir + "/tree/, dest: /srv/tree/}\n" + marker)(dir)
}

func checkFiles(c *Check) error {
	tree, err := c.Host.Tree("/srv/tree", "/srv/big.bin")
	if err != nil {
		return err
	}
	files, size := 0, int64(0)
	for _, e := range tree {
		if e.SHA256 != "" {
			files++
			size = max(size, e.Size)
		}
	}
	if files != treeFiles+1 || size != bigSize {
		return fmt.Errorf("%d files, the biggest of %d bytes; want %d and %d", files, size, treeFiles+1, bigSize)
	}
	return checkMarker(c)
}

func writeHostVars(dir string) error {
	text := "{% for h in groups['all'] %}\n{{ loop.index }} {{ h }} {{ hostvars[h].ansible_host }} {{ hostvars[h].token }}\n{% endfor %}\n"
	if err := os.WriteFile(filepath.Join(dir, "all.j2"), []byte(text), 0o644); err != nil {
		return err
	}
	return play("    - template: {src: all.j2, dest: /root/all}\n")(dir)
}

func checkHostVars(c *Check) error {
	b, err := c.Host.ReadFile("/root/all")
	if err != nil {
		return err
	}
	if n := bytes.Count(b, []byte(" "+c.Token+"\n")); n != c.Hosts {
		return fmt.Errorf("/root/all has %d lines of this run, want %d", n, c.Hosts)
	}
	return recapOK(c)
}

func checkPackage(c *Check) error {
	out, err := c.Host.Exec(context.Background(), "dpkg-query", "-W", "-f", "${Status}\n", "bc", "file")
	if err == nil && strings.Count(out, "install ok installed") != 2 {
		err = fmt.Errorf("packages are not installed: %q", out)
	}
	return errors.Join(err, checkMarker(c))
}

func copyTree(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }
