package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/run"
	"fettle/inventory"
	"fettle/modules"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// console is an interactive ad-hoc command: one session, one pool of connections, a line at
// a time.
type console struct {
	adhocOptions
	step bool
	ss   *session
	s    *Streams
	cwd  string // the pattern of hosts that commands are for
}

func newConsole(s *Streams) *cobra.Command {
	o := &console{s: s}
	c := &cobra.Command{
		Use:   "console [PATTERN]",
		Short: "Run modules on hosts, one line at a time",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.cwd = "all"
			if len(args) > 0 {
				o.cwd = args[0]
			}
			return o.run(c.Context())
		},
	}
	f := c.Flags()
	o.runFlags(f)
	f.BoolVar(&o.step, "step", false, "ask before each task")
	f.StringVar(&o.basedir, "playbook-dir", "", "directory that relative names and group_vars start from")
	f.IntVar(&o.taskTimeout, "task-timeout", 0, "seconds a task may take")
	return c
}

func (o *console) run(ctx context.Context) error {
	ss, err := open(ctx, o.s, &o.runOptions)
	if err != nil {
		return err
	}
	o.basedir = first(o.basedir, ss.cfg.String("PLAYBOOK_DIR"))
	defer ss.close()
	o.ss = ss
	if err := ss.showProblems(nil); err != nil {
		return err
	}
	if o.listHosts {
		hosts, err := o.hosts(o.cwd)
		if err != nil {
			return err
		}
		fmt.Fprintf(o.s.Out, "  hosts (%d):\n", len(hosts))
		for _, h := range hosts {
			fmt.Fprintf(o.s.Out, "    %s\n", h.Name)
		}
		return nil
	}
	o.become = o.become || ss.cfg.Bool("DEFAULT_BECOME")
	o.becomeUser = first(o.becomeUser, ss.cfg.String("DEFAULT_BECOME_USER"), "root")
	o.becomeMethod = first(o.becomeMethod, ss.cfg.String("DEFAULT_BECOME_METHOD"))
	o.forks = ss.forks()
	if o.format == "" {
		o.format = "minimal"
	}
	if _, err := ss.connection(ctx); err != nil { // passwords are asked for before the first line
		return err
	}
	read, closing, err := o.lines()
	if err != nil {
		return err
	}
	defer closing()
	fmt.Fprint(o.s.Out, "Welcome to the ansible console. Type help or ? to list commands.\n\n")
	return o.loop(ctx, read)
}

func (o *console) loop(ctx context.Context, read func(prompt string) (string, error)) error {
	for {
		line, err := read(o.prompt())
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err == nil || line != "" {
			if o.do(ctx, strings.TrimSpace(line)) {
				err = io.EOF
			}
		}
		if err != nil || ctx.Err() != nil {
			fmt.Fprint(o.s.Out, "\nAnsible-console was exited.\n")
			return nil
		}
	}
}

func (o *console) prompt() string {
	name := first(o.user, o.ss.cfg.String("DEFAULT_REMOTE_USER"))
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	hosts, _ := o.hosts(o.cwd)
	mark := "$"
	if o.become && o.becomeUser == "root" {
		mark = "#"
	}
	return fmt.Sprintf("%s@%s (%d)[f:%d]%s ", name, o.cwd, len(hosts), o.forks, mark)
}

func (o *console) hosts(pattern string) ([]*inventory.Host, error) {
	sel, err := o.ss.inv.Select([]string{pattern}, o.limit)
	if err != nil {
		return nil, err
	}
	return sel.Hosts, nil
}

// lines gives the reader of lines: with editing, history and completion at a terminal.
func (o *console) lines() (read func(prompt string) (string, error), closing func(), err error) {
	in, isFile := o.s.In.(*os.File)
	if !isFile || !o.s.Terminal || !term.IsTerminal(int(in.Fd())) {
		return func(prompt string) (string, error) {
			fmt.Fprint(o.s.Out, prompt)
			return readLine(o.s.In)
		}, func() {}, nil
	}
	fd := int(in.Fd())
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, o.s.Out}, "")
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		return o.complete(t, line, pos)
	}
	h := openHistory(filepath.Join(homeDir(), ".ansible-console_history"))
	t.History = h
	return func(prompt string) (string, error) {
		state, err := term.MakeRaw(fd)
		if err != nil {
			return "", err
		}
		if w, height, err := term.GetSize(fd); err == nil {
			_ = t.SetSize(w, height)
		}
		t.SetPrompt(prompt)
		line, err := t.ReadLine()
		if rerr := term.Restore(fd, state); err == nil {
			err = rerr
		}
		return line, err
	}, func() { _ = h.save() }, nil
}

func homeDir() string {
	if home, err := os.UserHomeDir(); err == nil {
		return home
	}
	return "."
}

// complete finishes the word before the cursor as far as it is clear, and shows the choices
// where it is not.
func (o *console) complete(w io.Writer, line string, pos int) (string, int, bool) {
	start := strings.LastIndexByte(line[:pos], ' ') + 1
	word := line[start:pos]
	var hits []string
	for _, c := range o.candidates(strings.Fields(line[:start])) {
		if strings.HasPrefix(c, word) {
			hits = append(hits, c)
		}
	}
	if len(hits) == 0 {
		return "", 0, false
	}
	slices.Sort(hits)
	hits = slices.Compact(hits)
	done := commonPrefix(hits)
	if len(hits) == 1 && !strings.HasSuffix(done, "=") {
		done += " "
	}
	if done == word {
		fmt.Fprintf(w, "%s\r\n", strings.Join(hits, "  "))
		return "", 0, false
	}
	return line[:start] + done + line[pos:], start + len(done), true
}

func commonPrefix(words []string) string {
	p := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, p) {
			p = p[:len(p)-1]
		}
	}
	return p
}

// candidates are what may stand behind the words before the cursor.
func (o *console) candidates(before []string) []string {
	if len(before) == 0 {
		out := shortModuleNames()
		for _, c := range consoleCommands {
			out = append(out, c.name)
		}
		return out
	}
	switch before[0] {
	case "cd":
		return o.places()
	case "list":
		return []string{"groups"}
	case "become", "check", "diff":
		return []string{"yes", "no"}
	case "help", "?":
		return o.candidates(nil)
	}
	m := findModule(before[0])
	if m == nil {
		return nil
	}
	var out []string
	for _, opt := range visibleOptions(m) {
		out = append(out, opt.Name+"=")
	}
	return out
}

// places are the names of hosts and groups.
func (o *console) places() []string {
	var out []string
	for _, h := range o.ss.inv.Hosts() {
		out = append(out, h.Name)
	}
	for _, g := range o.ss.inv.Groups() {
		out = append(out, g.Name)
	}
	return out
}

func findModule(name string) *modules.Module {
	if m := modules.Find(name); m != nil {
		return m
	}
	return modules.Find("ansible.builtin." + name)
}

// module runs a module, or a line for the shell, on the hosts of the pattern.
func (o *console) module(ctx context.Context, name, args string) {
	hosts, err := o.hosts(o.cwd)
	if err == nil && len(hosts) == 0 {
		fmt.Fprintln(o.s.Out, "No hosts found")
		return
	}
	if err == nil {
		o.args = args
		at := diag.Pos{}
		o.ss.store.Magic.Set("ansible_check_mode", o.check, at)
		o.ss.store.Magic.Set("ansible_diff_mode", o.diff, at)
		o.ss.store.Magic.Set("ansible_verbosity", int64(o.verbosity), at)
		o.ss.store.Magic.Set("ansible_forks", int64(o.forks), at)
		o.ss.store.Connection = o.ss.connectionVars()
		err = o.perform(ctx, o.ss, o.cwd, name, func(ro *run.Options) {
			if o.step {
				ro.Step = func(task string) string { return askStep(ctx, task) }
			}
		})
	}
	var coded *codedError
	if err != nil && !(errors.As(err, &coded) && coded.err == nil) { // what a module reports is printed
		finish(o.s, err)
	}
}
