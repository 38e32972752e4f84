package sshconfig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// resolver goes through files for one host.
type resolver struct {
	ctx       context.Context
	files     *Files
	o         *Options
	host      string // what Host lines look at
	final     bool   // the second time, for Match final
	wantFinal bool
}

// scope is a file on its way through it.
type scope struct {
	path    string
	user    bool // the user's own, not the system's
	guarded bool // others must not be able to write to it
	must    bool // it has to be there
	never   bool // included where no condition held
	active  bool // the lines here count
	depth   int
}

// maxDepth is how deep includes may go.
const maxDepth = 16

func (r *resolver) file(s scope) error {
	f := r.files.load(s.path, s.guarded)
	if f.err != nil {
		if notThere(f.err) && !s.must {
			return nil
		}
		return f.err
	}
	for _, l := range f.lines {
		var err error
		switch l.keyword {
		case "host":
			s.active = !s.never && hostBlock(l.args, r.host)
		case "match":
			var holds bool
			holds, err = r.match(l)
			s.active = holds && !s.never
		case "include":
			err = r.include(l, s)
		default:
			err = r.apply(l, s.active)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// apply takes an option; one that does not count is still looked at for mistakes.
func (r *resolver) apply(l line, active bool) error {
	if active {
		return r.o.set(l)
	}
	return (&Options{values: map[string][]string{"ignoreunknown": r.o.values["ignoreunknown"]}}).set(l)
}

// hostBlock tells whether a Host line is about the host.
func hostBlock(patterns []string, host string) bool {
	found := false
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if !Match(p, host) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

func (r *resolver) include(l line, s scope) error {
	if s.depth >= maxDepth {
		return fmt.Errorf("%s: ssh configurations include each other without end", l.at)
	}
	for _, p := range l.args {
		p, err := r.o.environment(p)
		if err != nil {
			return fmt.Errorf("%s: %w", l.at, err)
		}
		switch {
		case strings.HasPrefix(p, "~") && s.user:
			p = expandTilde(p, r.o.home)
		case strings.HasPrefix(p, "~"):
			return fmt.Errorf("%s: the system's ssh configuration includes %s, from a home", l.at, p)
		case filepath.IsAbs(p):
		case s.user:
			p = filepath.Join(r.o.home, ".ssh", p)
		default:
			p = filepath.Join("/etc/ssh", p)
		}
		matches, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("%s: cannot include %q: %w", l.at, p, err)
		}
		for _, m := range matches {
			inner := s
			inner.path, inner.guarded, inner.must, inner.never, inner.depth = m, true, false, s.never || !s.active, s.depth+1
			if err := r.file(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// match tells whether the conditions of a Match line hold.
func (r *resolver) match(l line) (bool, error) {
	words, err := matchWords(l.rest)
	if err != nil {
		return false, fmt.Errorf("%s: %w", l.at, err)
	}
	holds := true
	for i := 0; i < len(words); i++ {
		name, negated := strings.CutPrefix(strings.ToLower(words[i]), "!")
		if name == "all" {
			if i+1 < len(words) || i > 1 || i == 1 && !isPass(words[0]) {
				return false, fmt.Errorf("%s: Match all stands alone", l.at)
			}
			return holds && !negated, nil
		}
		if isPass(name) {
			r.wantFinal = r.wantFinal || name == "final"
			holds = holds && r.pass(name) != negated
			continue
		}
		i++
		if i >= len(words) {
			return false, fmt.Errorf("%s: Match %s lacks its value", l.at, name)
		}
		if name == "exec" && !holds {
			continue // ssh does not run it then either
		}
		ok, err := r.condition(name, words[i])
		if err != nil {
			return false, fmt.Errorf("%s: %w", l.at, err)
		}
		holds = holds && ok != negated
	}
	if len(words) == 0 {
		return false, fmt.Errorf("%s: Match lacks its conditions", l.at)
	}
	return holds, nil
}

func isPass(word string) bool {
	switch strings.TrimPrefix(strings.ToLower(word), "!") {
	case "final", "canonical":
		return true
	}
	return false
}

// pass: names are not made canonical here, so only the last pass is one.
func (r *resolver) pass(string) bool { return r.final }

func (r *resolver) condition(name, arg string) (bool, error) {
	o := r.o
	switch name {
	case "host":
		host, err := o.hostName()
		return MatchList(strings.ToLower(arg), strings.ToLower(host)) > 0, err
	case "originalhost":
		return MatchList(strings.ToLower(arg), strings.ToLower(o.Host)) > 0, nil
	case "user":
		return MatchList(arg, o.User()) > 0, nil
	case "localuser":
		return MatchList(arg, o.local) > 0, nil
	case "tagged":
		return MatchList(arg, o.Get("tag")) > 0, nil
	case "command":
		return arg == "*", nil // what will run is not known; ssh has the command here
	case "sessiontype":
		return MatchList(arg, "exec") > 0, nil
	case "version":
		return MatchList(arg, release()) > 0, nil
	case "localnetwork":
		return localNetwork(arg)
	case "exec":
		return r.exec(arg)
	}
	return false, fmt.Errorf("unknown condition %q of Match", name)
}

// execTime is what a command of Match exec gets.
const execTime = 30 * time.Second

func (r *resolver) exec(arg string) (bool, error) {
	line, err := r.o.Expand(arg)
	if err != nil {
		return false, err
	}
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	ctx, cancel := context.WithTimeout(r.ctx, execTime)
	defer cancel()
	err = exec.CommandContext(ctx, shell, "-c", line).Run()
	if ctx.Err() != nil {
		return false, fmt.Errorf("Match exec %q: %w", arg, ctx.Err())
	}
	return err == nil, nil
}

// release is what the ssh program of this machine calls itself, "OpenSSH_10.0p2 Debian-7";
// without one no version matches.
var release = sync.OnceValue(func() string {
	ctx, cancel := context.WithTimeout(context.Background(), execTime)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "ssh", "-V").CombinedOutput()
	name, _, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
	return name
})

// matchWords splits the conditions of a Match line: name value, or name=value.
func matchWords(s string) ([]string, error) {
	var out []string
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == '#' {
			return out, nil
		}
		if s[0] == '"' {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return nil, errQuotes
			}
			out, s = append(out, s[1:end+1]), s[end+2:]
			continue
		}
		end := strings.IndexAny(s, " \t=")
		if end < 0 {
			return append(out, s), nil
		}
		out = append(out, s[:end])
		if s = strings.TrimLeft(s[end:], " \t"); strings.HasPrefix(s, "=") {
			s = s[1:]
		}
	}
}
