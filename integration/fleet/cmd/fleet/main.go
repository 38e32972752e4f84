// Command fleet starts throw-away hosts on this machine and takes them down.
//
//	fleet up --light 10 --systemd 1     start; prints inventory, key and known_hosts
//	fleet up --simulated 1000           SSH servers inside this process, until Ctrl-C
//	fleet list                          numbers of the fleets that run
//	fleet down N                        end fleet N, and those whose owners died
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"syscall"
	"time"

	"fettle/integration/fleet"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: fleet up [flags] | list | down N")
	}
	switch args[0] {
	case "up":
		return up(args[1:])
	case "list":
		return list()
	case "down":
		return down(args[1:])
	}
	return fmt.Errorf("unknown command %q: want up, list or down", args[0])
}

func up(args []string) error {
	flags := flag.NewFlagSet("fleet up", flag.ContinueOnError)
	light := flags.Int("light", 0, "number of light hosts")
	systemd := flags.Int("systemd", 0, "number of booted systemd hosts")
	var g fleet.Group
	flags.StringVar(&g.Suite, "suite", "", "Debian release (default bookworm)")
	flags.StringVar(&g.User, "user", "", "ansible_user: root, op, admin or restricted (default root)")
	flags.StringVar(&g.Shell, "shell", "", "login shell of root, op and admin")
	flags.BoolVar(&g.Python, "python", false, "with python3, for Ansible")
	flags.BoolVar(&g.Busybox, "busybox", false, "busybox userland")
	flags.BoolVar(&g.NoexecTmp, "noexec-tmp", false, "/tmp, /var/tmp and /dev/shm mounted noexec")
	flags.BoolVar(&g.FullDisk, "full-disk", false, "no free byte on the root file system")
	flags.BoolVar(&g.SmallDisk, "small-disk", false, "256 KB at /srv/small")
	flags.BoolVar(&g.NoSFTP, "no-sftp", false, "sftp-server cannot be executed")
	flags.BoolVar(&g.Noisy, "noisy", false, "rc files and MOTD that print")
	flags.DurationVar(&g.Latency, "latency", 0, "added round-trip time (stays in the foreground)")
	flags.Func("sshd", "a further sshd_config line", func(s string) error { g.SSHD = append(g.SSHD, s); return nil })
	simulated := flags.Int("simulated", 0, "number of SSH servers inside this process (stays in the foreground; no other flag counts)")
	foreground := flags.Bool("foreground", false, "stay, and take the fleet down on Ctrl-C")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *simulated > 0 {
		return simulate(*simulated)
	}
	var groups []fleet.Group
	for kind, n := range map[fleet.Kind]int{fleet.KindLight: *light, fleet.KindSystemd: *systemd} {
		if n > 0 {
			g := g
			g.Kind, g.Count = kind, n
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return errors.New("nothing to start: give --light N, --systemd N or --simulated N")
	}
	sort.Slice(groups, func(i, j int) bool { return groups[i].Kind < groups[j].Kind })
	if why := fleet.Missing(groups...); why != "" {
		return errors.New(why)
	}
	begin := time.Now()
	f, err := fleet.Start(context.Background(), groups...)
	if err != nil {
		return err
	}
	fmt.Printf("fleet %d: %d hosts in %v\ninventory   %s\nprivate key %s\nknown_hosts %s\nansible.cfg %s\npassword of op: %s\n",
		f.ID, len(f.Hosts), time.Since(begin).Round(time.Millisecond), f.Inventory, f.PrivateKey, f.KnownHosts, f.AnsibleCfg, fleet.Password)
	if !*foreground && g.Latency == 0 {
		fmt.Printf("take it down with: fleet down %d\n", f.ID)
		return f.Detach()
	}
	wait()
	return f.Down()
}

func simulate(n int) error {
	s, err := fleet.Simulate(n)
	if err != nil {
		return err
	}
	fmt.Printf("%d simulated hosts\ninventory   %s\n", n, s.Inventory)
	wait()
	return s.Close()
}

func wait() {
	fmt.Println("Ctrl-C takes it down")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

func list() error {
	running, err := fleet.Running()
	if err != nil {
		return err
	}
	ids := make([]int, 0, len(running))
	for id := range running {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	for _, id := range ids {
		note := ""
		if !running[id] {
			note = "  (its owner is gone)"
		}
		fmt.Printf("%d  %s/%d%s\n", id, fleet.StateDir, id, note)
	}
	return nil
}

func down(args []string) error {
	if len(args) == 0 {
		return fleet.Sweep()
	}
	for _, a := range args {
		id, err := strconv.Atoi(a)
		if err != nil {
			return fmt.Errorf("%q is not the number of a fleet", a)
		}
		if err := fleet.DownID(id); err != nil {
			return err
		}
	}
	return nil
}
