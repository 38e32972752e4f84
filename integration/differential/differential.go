// Package differential runs one playbook under two engines and compares what
// they did: exit code, recap, what was reported for each task, host and item,
// the results shown with debug, and the files that resulted.
//
// A case is a file below testdata: a playbook, or a txtar archive with a
// site.yml. Comment lines at its start steer it:
//
//	# run: --tags a      one run with these further arguments; may be repeated
//	# compare: messages  the messages of failures are compared too
//	# compare: unordered the order of reports does not matter (free strategies)
//	# known: NAME        an intended difference, described in COMPATIBILITY.md
//	# says: TEXT         both print this somewhere, line breaks aside; may be repeated
//	# ids: ID ...        the behaviours it shows, of testdata/ids.txt
//
// What Ansible does is recorded in testdata/golden, so that the comparison needs
// no Ansible; recording again needs one.
package differential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Case is one playbook with what belongs to it.
type Case struct {
	Name      string // path below testdata without extension
	Files     []txtar.File
	Runs      [][]string // further arguments of each run
	Messages  bool
	Unordered bool
	Known     string
	Says      []string
	IDs       []string
}

// defaultInventory is used by cases that bring none: three hosts on this machine.
const defaultInventory = `[web]
h1
h2

[db]
h3

[all:vars]
ansible_connection=local
ansible_python_interpreter=/usr/bin/python3
`

// LoadCases reads all cases below dir, sorted by name.
func LoadCases(dir string) ([]Case, error) {
	var cases []Case
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "golden" {
			return fs.SkipDir
		}
		ext := filepath.Ext(path)
		if d.IsDir() || ext != ".yml" && ext != ".txtar" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		c, err := parseCase(strings.TrimSuffix(rel, ext), ext, b)
		cases = append(cases, c)
		return err
	})
	sort.Slice(cases, func(i, j int) bool { return cases[i].Name < cases[j].Name })
	return cases, err
}

func parseCase(name, ext string, text []byte) (Case, error) {
	c := Case{Name: name}
	header := text
	if ext == ".txtar" {
		a := txtar.Parse(text)
		header, c.Files = a.Comment, a.Files
	} else {
		c.Files = []txtar.File{{Name: "site.yml", Data: text}}
	}
	for line := range strings.Lines(string(header)) {
		text, isComment := strings.CutPrefix(line, "# ")
		if !isComment {
			break
		}
		key, val, _ := strings.Cut(strings.TrimSpace(text), ": ")
		switch {
		case key == "run" || key == "run:":
			c.Runs = append(c.Runs, strings.Fields(val))
		case key == "known":
			c.Known = val
		case key == "says":
			c.Says = append(c.Says, val)
		case key == "ids":
			c.IDs = strings.Fields(val)
		case key == "compare" && val == "messages":
			c.Messages = true
		case key == "compare" && val == "unordered":
			c.Unordered = true
		case key == "compare":
			return c, fmt.Errorf("%s: cannot compare %q", name, val)
		}
	}
	if len(c.Runs) == 0 {
		c.Runs = [][]string{nil}
	}
	for _, f := range c.Files {
		if f.Name == "site.yml" {
			return c, nil
		}
	}
	return c, fmt.Errorf("%s: has no site.yml", name)
}

// Engine is a program that takes ansible-playbook's arguments and prints its
// default output.
type Engine struct {
	Name    string
	Command []string
	Root    string // chroot(2) to this directory first; empty: none
}

// Version is the first line the engine prints when asked for its version.
func (e Engine) Version(ctx context.Context) (string, error) {
	out, err := e.command(ctx, "/", nil, "--version").Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return line, err
}

func (e Engine) command(ctx context.Context, dir string, env []string, args ...string) *exec.Cmd {
	argv := append(append([]string{}, e.Command...), args...)
	if e.Root != "" {
		argv = append([]string{"chroot", e.Root, "env", "-C", dir}, argv...)
		dir = "/"
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC",
		"ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=0", "ANSIBLE_DEPRECATION_WARNINGS=0", "COLUMNS=80"}, env...)
	return cmd
}

// Outcome is what one engine did with a case.
type Outcome struct {
	Version string  `json:"version"`
	Runs    []Run   `json:"runs"`
	Tree    []Entry `json:"tree"`
}

// Run is the outcome of one run.
type Run struct {
	Args   []string                  `json:"args,omitempty"`
	Exit   int                       `json:"exit"`
	Recap  map[string]map[string]int `json:"recap"`
	Events []Event                   `json:"events"`
	Stderr string                    `json:"-"`
	Stdout string                    `json:"-"`
}

// Entry is one path that resulted.
type Entry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Text string `json:"text,omitempty"` // of files; "-> target" of links
}

// Play runs a case in a fresh directory below the engine's /tmp.
func (e Engine) Play(ctx context.Context, c Case) (Outcome, error) {
	var o Outcome
	work, err := os.MkdirTemp(filepath.Join("/", e.Root, "tmp"), "case")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(work)
	if err := extract(work, c.Files); err != nil {
		return o, err
	}
	inside := strings.TrimPrefix(work, e.Root)
	for _, d := range []string{"out", "home"} {
		if err := os.Mkdir(filepath.Join(work, d), 0o755); err != nil {
			return o, err
		}
	}
	out, home := inside+"/out", inside+"/home"
	clean := newCleaner(inside)
	env := []string{"HOME=" + home, "ANSIBLE_HOME=" + home + "/.ansible", "ANSIBLE_ASYNC_DIR=" + home + "/.ansible_async", "OUT=" + out}
	for _, args := range c.Runs {
		all := append([]string{"-i", inventoryOf(c), "-e", "out=" + out}, args...)
		cmd := e.command(ctx, inside, env, append(all, "site.yml")...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return o, err
		}
		r := parseOutput(stdout.String(), clean)
		r.Args, r.Exit = args, cmd.ProcessState.ExitCode()
		r.Stdout, r.Stderr = clean.text(stdout.String()), clean.text(stderr.String())
		o.Runs = append(o.Runs, r)
	}
	o.Tree, err = tree(filepath.Join(work, "out"), clean)
	return o, err
}

func inventoryOf(c Case) string {
	for _, f := range c.Files {
		if name, _, _ := strings.Cut(f.Name, "/"); name == "inventory" {
			return "inventory"
		}
	}
	return "hosts.ini"
}

func extract(dir string, files []txtar.File) error {
	files = append([]txtar.File{{Name: "hosts.ini", Data: []byte(defaultInventory)}}, files...)
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if bytes.HasPrefix(f.Data, []byte("#!")) {
			mode = 0o755
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

func tree(root string, clean cleaner) ([]Entry, error) {
	var list []Entry
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		e := Entry{Path: rel, Mode: info.Mode().String()}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			e.Mode, e.Text = "link", "-> "+clean.text(target)
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			e.Text = clean.text(string(b))
		}
		list = append(list, e)
		return nil
	})
	return list, err
}

// cleaner replaces what differs between two runs of the same thing.
type cleaner struct{ work string }

func newCleaner(work string) cleaner { return cleaner{work} }

var volatile = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\$WORK/home/\.ansible/tmp/[^\s"':,]+`), "$$TMP"},
	{regexp.MustCompile(`(?m)^(\+\+\+ after: )(?:\$TMP|\$WORK/templates/).*$`), "${1}$$SOURCE"}, // a template is named by its source or a copy
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+`), "$$TIME"},
	{regexp.MustCompile(`"delta": "[^"]*"`), `"delta": "$$DELTA"`},
	{regexp.MustCompile(`ansible-tmp-[0-9.\-]+`), "$$TMP"},
}

func (c cleaner) text(s string) string {
	s = strings.ReplaceAll(s, c.work, "$WORK")
	for _, v := range volatile {
		s = v.re.ReplaceAllString(s, v.with)
	}
	return s
}
