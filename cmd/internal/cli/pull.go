package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"fettle/cmd/internal/config"
	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/value"
	"fettle/modules"

	"github.com/spf13/cobra"
)

// pullOptions are those of ansible-pull: a checkout, then a run of what it holds for this host.
type pullOptions struct {
	play          playbookOptions
	url, dest     string
	checkout      string
	module        string
	sleep         int
	onlyIfChanged bool
	force, clean  bool
	full, purge   bool
	acceptHostKey bool
	verifyCommit  bool
	trackSubs     bool
}

func newPull(s *Streams) *cobra.Command {
	o := &pullOptions{}
	c := &cobra.Command{
		Use:   "pull -U URL [PLAYBOOK...]",
		Short: "Check out a repository and run its playbook for this host",
		RunE:  func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	f := c.Flags()
	p := &o.play
	p.inventoryFlags(f)
	p.connectionFlags(f)
	f.BoolVarP(&p.askBecomePass, "ask-become-pass", "K", false, "ask for the password to become")
	f.StringVar(&p.becomePassFile, "become-password-file", "", "file with the password to become")
	f.StringVar(&p.becomePassFile, "become-pass-file", "", "same as --become-password-file")
	f.StringArrayVarP(&p.modulePath, "module-path", "M", nil, "where to look for custom modules, separated by colons")
	f.BoolVar(&p.listHosts, "list-hosts", false, "list the hosts, do nothing else")
	f.StringArrayVarP(&p.tags, "tags", "t", nil, "only tasks with these tags")
	f.StringArrayVar(&p.skipTags, "skip-tags", nil, "no tasks with these tags")
	f.BoolVar(&p.check, "check", false, "predict what would change, change nothing")
	f.BoolVar(&p.diff, "diff", false, "show differences of what changes")
	f.StringVar(&p.format, "format", "", "output: human, ansible, json or jsonl")
	f.StringVarP(&o.url, "url", "U", "", "URL of the repository")
	f.StringVarP(&o.dest, "directory", "d", "", "where to check out (default ~/.ansible/pull/<host name>)")
	f.StringVarP(&o.checkout, "checkout", "C", "", "branch, tag or commit")
	f.StringVarP(&o.module, "module-name", "m", "git", "module that checks out: git or subversion")
	f.IntVarP(&o.sleep, "sleep", "s", 0, "wait a random time of at most so many seconds first")
	f.BoolVarP(&o.onlyIfChanged, "only-if-changed", "o", false, "run the playbook only if the checkout changed")
	f.BoolVarP(&o.force, "force", "f", false, "run the playbook even if the checkout fails")
	f.BoolVar(&o.clean, "clean", false, "discard modified files of the checkout")
	f.BoolVar(&o.full, "full", false, "clone the whole history")
	f.BoolVar(&o.purge, "purge", false, "remove the checkout after the run")
	f.BoolVar(&o.acceptHostKey, "accept-host-key", false, "accept the host key of the repository's host if it is new")
	f.BoolVar(&o.verifyCommit, "verify-commit", false, "verify the GPG signature of the commit")
	f.BoolVar(&o.trackSubs, "track-subs", false, "submodules follow their latest changes")
	hide(f, "become-pass-file")
	return c
}

func (o *pullOptions) run(ctx context.Context, s *Streams, playbooks []string) error {
	if o.url == "" {
		return withCode(exitOptions, errors.New("URL for repository not specified, use -h for help"))
	}
	if modules.Find("ansible.builtin."+o.module) == nil || o.module != "git" && o.module != "subversion" {
		return withCode(exitOptions, fmt.Errorf("--module-name %s is not supported; there are git and subversion", o.module))
	}
	names := hostNames()
	dest, err := o.destination(names[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "Starting Ansible Pull at %s\n", time.Now().Format(time.DateTime))
	if err := o.wait(ctx, s); err != nil {
		return err
	}
	release, err := lockFolder(dest)
	if err != nil {
		return err
	}
	defer release()
	changed, err := o.checkOut(ctx, s, dest)
	switch {
	case err != nil && !o.force:
		return err
	case err != nil:
		printDiagnostics(s.Err, []*diag.Diagnostic{diag.Warnf(diag.Pos{}, "pull", "Unable to update repository. Continuing with (forced) run of playbook.")})
	case o.onlyIfChanged && !changed:
		fmt.Fprintln(s.Out, "Repository has not changed, quitting.")
		return nil
	}
	if playbooks, err = choosePlaybooks(dest, playbooks, names); err != nil {
		return err
	}
	if o.play.limit == "" {
		o.play.limit = strings.Join(slices.Concat([]string{"localhost"}, names, []string{"127.0.0.1"}), ",")
	}
	err = o.runIn(ctx, s, dest, playbooks)
	if o.purge {
		if perr := os.RemoveAll(dest); perr != nil && err == nil {
			err = fmt.Errorf("the checkout could not be removed: %w", perr)
		}
	}
	return err
}

// hostNames are the names of this host, the longest first.
func hostNames() []string {
	node, err := os.Hostname()
	if err != nil || node == "" {
		return []string{"localhost"}
	}
	short, _, _ := strings.Cut(node, ".")
	return slices.Compact([]string{node, short})
}

func (o *pullOptions) destination(host string) (string, error) {
	dest := o.dest
	if dest == "" {
		cfg, _ := config.Load(os.Environ(), ".")
		dest = filepath.Join(expandHome(first(cfg.String("ANSIBLE_HOME"), "~/.ansible")), "pull", host)
	}
	return filepath.Abs(expandHome(dest))
}

func (o *pullOptions) wait(ctx context.Context, s *Streams) error {
	if o.sleep <= 0 {
		return nil
	}
	n := rand.IntN(o.sleep + 1)
	fmt.Fprintf(s.Out, "Sleeping for %d seconds...\n", n)
	select {
	case <-time.After(time.Duration(n) * time.Second):
		return nil
	case <-ctx.Done():
		return exit(exitInterrupted)
	}
}

// lockFolder makes the folder and keeps other pulls out of it until release.
func lockFolder(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another pull is at work in %s", dir)
		}
		return nil, fmt.Errorf("%s cannot be locked: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// checkOut brings the repository up to date and says whether that changed it.
func (o *pullOptions) checkOut(ctx context.Context, s *Streams, dest string) (changed bool, err error) {
	args := value.DictOf("dest", dest)
	set := func(name string, v value.Value, when bool) {
		if when {
			args.SetString(name, v)
		}
	}
	if o.module == "git" {
		set("name", o.url, true)
		set("version", o.checkout, o.checkout != "")
		set("accept_hostkey", true, o.acceptHostKey)
		set("key_file", o.play.privateKey, o.play.privateKey != "")
		set("verify_commit", true, o.verifyCommit)
		set("track_submodules", true, o.trackSubs)
		set("depth", int64(1), !o.full)
	} else {
		set("repo", o.url, true)
		set("revision", o.checkout, o.checkout != "")
	}
	set("force", true, o.clean)
	text, err := value.ToJSON(args)
	if err != nil {
		return false, err
	}
	a := &adhocOptions{module: o.module, args: string(text), basedir: filepath.Dir(dest)}
	a.inventory, a.connection = []string{"localhost,"}, "local"
	a.verbosity, a.format = o.play.verbosity, o.play.format
	a.watch = func(e event.Event) {
		if end, ok := e.(event.RunEnd); ok {
			changed = slices.ContainsFunc(end.Stats, func(s event.Stats) bool { return s.Changed > 0 })
		}
	}
	err = a.run(ctx, s, "localhost")
	return changed, err
}

// choosePlaybooks are those asked for that exist, else the one that is called like the host,
// else local.yml.
func choosePlaybooks(dest string, asked, names []string) ([]string, error) {
	candidates := asked
	if len(asked) == 0 {
		for _, n := range append(slices.Clone(names), "local") {
			candidates = append(candidates, n+".yml")
		}
	}
	var found, missing []string
	for _, p := range candidates {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dest, p)
		}
		if _, err := os.Stat(p); err != nil {
			missing = append(missing, p+": File does not exist")
			continue
		}
		if found = append(found, p); len(asked) == 0 {
			return found, nil
		}
	}
	if len(asked) > 0 && len(missing) > 0 || len(found) == 0 {
		return nil, withCode(exitOptions, fmt.Errorf("%s\nCould not find a playbook to run.", strings.Join(missing, "\n")))
	}
	return found, nil
}

// runIn runs playbooks from the checkout, whose ansible.cfg and inventory count.
func (o *pullOptions) runIn(ctx context.Context, s *Streams, dest string, playbooks []string) error {
	back, err := os.Getwd()
	if err != nil {
		return err
	}
	for i, src := range o.play.inventory {
		if abs := filepath.Join(back, src); !strings.Contains(src, ",") && !filepath.IsAbs(src) {
			if _, err := os.Stat(filepath.Join(dest, src)); err != nil {
				o.play.inventory[i] = abs
			}
		}
	}
	if err := os.Chdir(dest); err != nil {
		return err
	}
	defer func() { _ = os.Chdir(back) }()
	return o.play.run(ctx, s, playbooks)
}
