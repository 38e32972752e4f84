package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"fettle/integration/fleet"
)

// Tool runs a playbook.
type Tool struct {
	Name string
	// Command is the program with its arguments and environment for one run.
	Command func(r Job) (argv, env []string)
	Missing string // why it cannot run here; empty: it can
	Floor   bool   // has no end state: it only connects and executes
	Slow    bool   // measured once
}

// Job is one run of a tool.
type Job struct {
	Inventory string
	Playbook  string
	Config    string // an ansible.cfg for this run only
	Hosts     int
	Tasks     int
	Token     string
}

// Tools are the contestants. fettle is the program to measure, mitogen the
// directory of an unpacked Mitogen, self this program, which is the floor.
func Tools(fettle, mitogen, self string) []Tool {
	base := []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1", "ANSIBLE_DEPRECATION_WARNINGS=0"}
	ansible := func(env ...string) func(Job) ([]string, []string) {
		return func(j Job) ([]string, []string) {
			argv := []string{"ansible-playbook", "-i", j.Inventory, "-e", "token=" + j.Token, j.Playbook}
			all := append(append([]string{"ANSIBLE_CONFIG=" + j.Config}, base...), env...)
			for i, e := range all {
				all[i] = strings.ReplaceAll(e, "FORKS", strconv.Itoa(max(5, j.Hosts)))
			}
			return argv, all
		}
	}
	noAnsible := missing("ansible-playbook")
	noMitogen := noAnsible
	if mitogen == "" {
		noMitogen = "give its directory with -mitogen"
	} else if _, err := os.Stat(filepath.Join(mitogen, "ansible_mitogen/plugins/strategy")); err != nil {
		noMitogen = err.Error()
	}
	noFettle := ""
	if fettle == "" {
		noFettle = "give the program with -fettle"
	}
	return []Tool{
		{Name: "floor", Floor: true, Command: func(j Job) ([]string, []string) {
			return []string{self, "floor", j.Inventory, strconv.Itoa(j.Tasks)}, base
		}},
		{Name: "fettle", Missing: noFettle, Command: func(j Job) ([]string, []string) {
			return []string{fettle, "playbook", "-i", j.Inventory, "-e", "token=" + j.Token, j.Playbook}, append([]string{"ANSIBLE_CONFIG=" + j.Config}, base...)
		}},
		{Name: "mitogen", Missing: noMitogen, Command: ansible("ANSIBLE_STRATEGY=mitogen_linear", "ANSIBLE_FORKS=FORKS",
			"ANSIBLE_STRATEGY_PLUGINS="+filepath.Join(mitogen, "ansible_mitogen/plugins/strategy"))},
		{Name: "ansible tuned", Slow: true, Missing: noAnsible, Command: ansible("ANSIBLE_PIPELINING=1", "ANSIBLE_FORKS=FORKS")},
		{Name: "ansible default", Slow: true, Missing: noAnsible, Command: ansible()},
	}
}

func missing(program string) string {
	if _, err := exec.LookPath(program); err != nil {
		return "needs " + program
	}
	return ""
}

// Floor connects to every host of an inventory written by package fleet, all at
// once, and executes true once for each task on the open connection: the least
// that anything over SSH can take.
func Floor(ctx context.Context, inventory string, tasks int) error {
	hosts, err := readInventory(inventory)
	if err != nil {
		return err
	}
	errs := make(chan error, len(hosts))
	var wg sync.WaitGroup
	for _, h := range hosts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := floorHost(ctx, h, tasks); err != nil {
				errs <- fmt.Errorf("%s: %w", h.addr, err)
			}
		}()
	}
	wg.Wait()
	close(errs)
	return <-errs
}

type floorTarget struct {
	addr string
	conf *ssh.ClientConfig
}

func floorHost(ctx context.Context, h floorTarget, tasks int) error {
	c, err := ssh.Dial("tcp", h.addr, h.conf)
	if err != nil {
		return err
	}
	defer c.Close()
	for range tasks {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := c.NewSession()
		if err != nil {
			return err
		}
		err = s.Run("true")
		s.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// readInventory reads the host lines of fleet's own inventory.
func readInventory(path string) ([]floorTarget, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := fleet.KnownKeys(filepath.Join(filepath.Dir(path), "known_hosts"))
	if err != nil {
		return nil, err
	}
	var list []floorTarget
	var signer ssh.Signer
	for line := range strings.Lines(string(b)) {
		vars := map[string]string{}
		for _, f := range strings.Fields(line) {
			if k, v, ok := strings.Cut(f, "="); ok {
				vars[k] = v
			}
		}
		if vars["ansible_host"] == "" {
			continue
		}
		if signer == nil {
			pem, err := os.ReadFile(vars["ansible_ssh_private_key_file"])
			if err != nil {
				return nil, err
			}
			if signer, err = ssh.ParsePrivateKey(pem); err != nil {
				return nil, err
			}
		}
		addr := vars["ansible_host"] + ":" + vars["ansible_port"]
		list = append(list, floorTarget{addr, &ssh.ClientConfig{User: vars["ansible_user"], Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
			HostKeyCallback: keys, HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}}})
	}
	return list, nil
}
