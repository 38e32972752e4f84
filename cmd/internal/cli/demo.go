package cli

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fettle/engine/event"
	"fettle/engine/transport/sshsim"
	"fettle/playbooks/compile"
	"fettle/playbooks/examples"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

type demoOptions struct {
	hosts  int
	format string
}

func newDemo(s *Streams) *cobra.Command {
	o := &demoOptions{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show fettle at work on SSH servers inside this program; needs nothing else",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	c.Flags().IntVarP(&o.hosts, "hosts", "n", 8, "how many servers")
	c.Flags().StringVar(&o.format, "format", "", "output: human, ansible, json or jsonl")
	return c
}

// demo is a set of SSH servers, each with its own home directory, and the example on disk.
type demo struct {
	s       *Streams
	dir     string
	names   []string
	servers []*sshsim.Server
	format  string
}

func (o *demoOptions) run(ctx context.Context, s *Streams) (err error) {
	if o.hosts < 1 || o.hosts > 2000 {
		return withCode(exitOptions, fmt.Errorf("--hosts must be between 1 and 2000"))
	}
	dir, err := os.MkdirTemp("", "fettle-demo-")
	if err != nil {
		return err
	}
	d := &demo{s: s, dir: dir, format: o.format}
	defer func() {
		for _, srv := range d.servers {
			err = errors.Join(err, srv.Close())
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := d.setUp(o.hosts); err != nil {
		return err
	}
	return d.show(ctx)
}

func (d *demo) say(format string, a ...any) {
	fmt.Fprintf(d.s.Out, "\n=== "+format+"\n", a...)
}

// show runs the story and sees to it that it comes true.
func (d *demo) show(ctx context.Context) error {
	n := len(d.names)
	d.say("%s answer on 127.0.0.1, each with a home of its own. First run: everything is new.", count(n, "SSH server"))
	first, err := d.play(ctx, false)
	if err != nil {
		return err
	}
	d.say("Second run: nothing is left to do.")
	second, err := d.play(ctx, false)
	if err != nil {
		return err
	}
	victim := d.names[0]
	file := filepath.Join(d.dir, "homes", victim, "shop", "etc", "shop.conf")
	if err := tamper(file); err != nil {
		return err
	}
	d.say("Somebody edits shop.conf on %s by hand. --check --diff shows exactly that.", victim)
	drift, err := d.play(ctx, true)
	if err != nil {
		return err
	}
	d.say("The next run repairs exactly that.")
	repair, err := d.play(ctx, false)
	if err != nil {
		return err
	}
	d.say("What happened")
	w := d.s.Out
	fmt.Fprintf(w, "first run   %4d changes on %s in %v\n", first.changed, count(first.hosts, "host"), first.took)
	fmt.Fprintf(w, "second run  %4d changes in %v\n", second.changed, second.took)
	fmt.Fprintf(w, "check       %4d drift on %s in %v\n", drift.changed, strings.Join(drift.names, ","), drift.took)
	fmt.Fprintf(w, "repair      %4d changes on %s in %v\n", repair.changed, strings.Join(repair.names, ","), repair.took)
	conns := int64(0)
	for _, srv := range d.servers {
		conns += srv.Stats().Connections
	}
	fmt.Fprintf(w, "connections %4d: one a host and run\n", conns)
	switch {
	case first.changed == 0 || second.changed != 0:
		return fmt.Errorf("the demo went wrong: %d changes in the first run, %d in the second", first.changed, second.changed)
	case len(drift.names) != 1 || drift.names[0] != victim || len(repair.names) != 1 || repair.names[0] != victim:
		return fmt.Errorf("the demo went wrong: drift seen on %v, repaired on %v, expected %s", drift.names, repair.names, victim)
	case conns != int64(4*n):
		return fmt.Errorf("the demo went wrong: %d connections for four runs on %d hosts", conns, n)
	}
	return nil
}

func tamper(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, "debug = yes, for a moment\n"...), 0o640) //nolint:gosec // the demo's own file
}

type tally struct {
	changed, hosts int
	names          []string // hosts with changes
	took           time.Duration
}

// play runs the example once.
func (d *demo) play(ctx context.Context, check bool) (*tally, error) {
	t := &tally{}
	o := &runOptions{inventory: []string{filepath.Join(d.dir, "hosts.ini")}, check: check, diff: check, format: d.format,
		environ: []string{"HOME=" + d.dir, "PATH=" + os.Getenv("PATH")}, dir: d.dir}
	ss, err := open(ctx, d.s, o)
	if err != nil {
		return nil, err
	}
	defer ss.close()
	p, x, diags := compile.Compile(ss.compileOptions([]string{filepath.Join(d.dir, "site.yml")}))
	for _, play := range p.Plays {
		diags.Add(ss.inv.LoadPlaybookDir(play.Dir).Sorted()...)
	}
	if err := ss.showProblems(diags); err != nil {
		return nil, err
	}
	ss.watch = func(e event.Event) {
		if end, ok := e.(event.RunEnd); ok {
			t.took, t.hosts = end.Elapsed.Round(time.Millisecond), len(end.Stats)
			for _, s := range end.Stats {
				t.changed += s.Changed
				if s.Changed > 0 {
					t.names = append(t.names, s.Host)
				}
			}
		}
	}
	return t, ss.execute(ctx, p, x, nil)
}

// setUp writes the example, starts the servers and makes the inventory.
func (d *demo) setUp(n int) error {
	if err := d.extract(); err != nil {
		return err
	}
	key, err := d.clientKey()
	if err != nil {
		return err
	}
	var hosts, known strings.Builder
	groups := map[string][]string{}
	for i := range n {
		group := "web"
		if i%4 == 3 {
			group = "db"
		}
		name := fmt.Sprintf("%s%d", group, len(groups[group])+1)
		groups[group] = append(groups[group], name)
		home := filepath.Join(d.dir, "homes", name)
		if err := os.MkdirAll(home, 0o755); err != nil {
			return err
		}
		srv, err := sshsim.Start(sshsim.Options{Dir: home, Keys: []ssh.PublicKey{key}})
		if err != nil {
			return err
		}
		d.servers, d.names = append(d.servers, srv), append(d.names, name)
		fmt.Fprintln(&known, srv.KnownHostsLine())
	}
	i := map[string]int{}
	for _, group := range []string{"web", "db"} {
		fmt.Fprintf(&hosts, "[%s]\n", group)
		for k, name := range d.names {
			if strings.HasPrefix(name, group) {
				fmt.Fprintf(&hosts, "%s ansible_host=127.0.0.1 ansible_port=%d\n", name, d.servers[k].Addr().Port)
				i[group]++
			}
		}
	}
	fmt.Fprintf(&hosts, "[all:vars]\nansible_user=demo\nansible_ssh_private_key_file=%s\nansible_ssh_common_args=-F /dev/null -o UserKnownHostsFile=%s -o IdentitiesOnly=yes\n",
		filepath.Join(d.dir, "id"), filepath.Join(d.dir, "known_hosts"))
	if err := os.WriteFile(filepath.Join(d.dir, "known_hosts"), []byte(known.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, "hosts.ini"), []byte(hosts.String()), 0o600)
}

// extract writes the embedded example beside the inventory.
func (d *demo) extract() error {
	sub, err := fs.Sub(examples.FS, "demo")
	if err != nil {
		return err
	}
	return os.CopyFS(d.dir, sub)
}

func (d *demo) clientKey() (ssh.PublicKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "fettle demo")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(d.dir, "id"), pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	return signer.PublicKey(), nil
}
