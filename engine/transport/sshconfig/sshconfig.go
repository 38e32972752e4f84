// Package sshconfig reads ssh's configuration files as OpenSSH does: Host and Match
// blocks, Include, tokens, the first value that counts. It decides nothing about
// connections; what an option means is up to those who ask for it.
package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
)

// Files are the configuration files of a user, each read once. The zero value is ready,
// and safe for concurrent use.
type Files struct {
	Home   string // "" means the home of the user in the passwd database, as for ssh
	System string // "" means /etc/ssh/ssh_config

	mu    sync.Mutex
	files map[string]*file
}

// file is a configuration file, cut into lines.
type file struct {
	path  string
	lines []line
	err   error
}

// line is a keyword with its arguments.
type line struct {
	at      string // where it stands, for messages
	keyword string // in lower case
	rest    string // what follows, as it stands
	args    []string
}

// Query is a question for the options of one host.
type Query struct {
	Host string   // as the user names it
	User string   // when it is known from elsewhere; the files cannot change it
	Args []string // options as after -o, the most important first
	File string   // as after -F: in place of the usual files; "none" means no file
}

const systemFile = "/etc/ssh/ssh_config"

// Account is the local user, as ssh sees it.
func account() (name, home, uid string) {
	u, err := user.Current()
	if err != nil {
		return os.Getenv("USER"), os.Getenv("HOME"), fmt.Sprint(os.Getuid())
	}
	return u.Username, u.HomeDir, u.Uid
}

// Resolve gives the options of a host. Commands of Match exec are run under ctx.
func (f *Files) Resolve(ctx context.Context, q Query) (*Options, error) {
	o := &Options{Host: q.Host, values: map[string][]string{}}
	o.local, o.home, o.uid = account()
	if f.Home != "" {
		o.home = f.Home
	}
	if q.User != "" {
		o.values["user"] = []string{q.User}
	}
	r := &resolver{ctx: ctx, files: f, o: o, host: q.Host}
	for _, a := range q.Args {
		l, err := parseLine(a, "the argument -o "+a)
		if err != nil {
			return nil, err
		}
		if l.keyword == "host" || l.keyword == "match" || l.keyword == "include" || l.keyword == "" {
			return nil, fmt.Errorf("the argument -o %s: not an option", a)
		}
		if err := r.apply(l, true); err != nil {
			return nil, err
		}
	}
	if err := r.read(q); err != nil {
		return nil, err
	}
	host, err := o.hostName()
	if err != nil {
		return nil, err
	}
	o.values["hostname"], o.named = []string{host}, true
	if r.wantFinal {
		r.final, r.host = true, host
		err = r.read(q)
	}
	return o, err
}

// read goes through the files once.
func (r *resolver) read(q Query) error {
	if q.File != "" {
		if strings.EqualFold(q.File, "none") || q.File == os.DevNull {
			return nil
		}
		return r.file(scope{path: expandTilde(q.File, r.o.home), user: true, must: true, active: true})
	}
	system := r.files.System
	if system == "" {
		system = systemFile
	}
	if err := r.file(scope{path: filepath.Join(r.o.home, ".ssh", "config"), user: true, guarded: true, active: true}); err != nil {
		return err
	}
	return r.file(scope{path: system, active: true})
}

// load reads a file, once.
func (f *Files) load(path string, guarded bool) *file {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := fmt.Sprint(guarded, path)
	if x := f.files[key]; x != nil {
		return x
	}
	x := readFile(path, guarded)
	if f.files == nil {
		f.files = map[string]*file{}
	}
	f.files[key] = x
	return x
}

func readFile(path string, guarded bool) *file {
	x := &file{path: path}
	b, err := os.ReadFile(path)
	if err != nil {
		x.err = fmt.Errorf("cannot read the ssh configuration: %w", err)
		return x
	}
	if info, err := os.Stat(path); guarded && err == nil && !trusted(info) {
		x.err = fmt.Errorf("the ssh configuration %s belongs to somebody else or can be written by others: ssh does not use such a file", path)
		return x
	}
	n := 0
	for text := range strings.Lines(string(b)) {
		n++
		l, err := parseLine(strings.TrimRight(text, " \t\r\n\f"), fmt.Sprintf("%s:%d", path, n))
		if err != nil {
			x.err = err
			return x
		}
		if l.keyword != "" {
			x.lines = append(x.lines, l)
		}
	}
	return x
}

// parseLine cuts a line into its keyword and what follows.
func parseLine(text, at string) (line, error) {
	l := line{at: at}
	text = strings.TrimLeft(text, " \t")
	if text == "" || text[0] == '#' {
		return l, nil
	}
	end := strings.IndexAny(text, " \t=\"")
	if end < 0 {
		end = len(text)
	}
	l.keyword = strings.ToLower(text[:end])
	rest := strings.TrimLeft(text[end:], " \t")
	if strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	l.rest = rest
	if rest == "" {
		return l, fmt.Errorf("%s: the ssh option %s lacks its value", at, text[:end])
	}
	args, err := words(rest)
	if err != nil {
		return l, fmt.Errorf("%s: %w", at, err)
	}
	l.args = args
	return l, nil
}

var errQuotes = errors.New("a quote is not closed")

// words splits as ssh does: quotes of both kinds, backslashes before quotes, backslashes
// and blanks, and a comment at the end.
func words(s string) (out []string, err error) {
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if s[i] == '#' {
			return out, nil
		}
		var w strings.Builder
		quote := byte(0)
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
				i++
				w.WriteByte(s[i])
				continue
			case quote == 0 && (c == ' ' || c == '\t'):
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
				continue
			case quote != 0 && c == quote:
				quote = 0
				continue
			default:
				w.WriteByte(c)
				continue
			}
			break
		}
		if quote != 0 {
			return nil, errQuotes
		}
		out = append(out, w.String())
	}
	return out, nil
}

// expandTilde replaces a leading ~ or ~user.
func expandTilde(p, home string) string {
	if !strings.HasPrefix(p, "~") {
		return p
	}
	name, rest, _ := strings.Cut(p[1:], "/")
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return p
		}
		home = u.HomeDir
	}
	return strings.TrimSuffix(home, "/") + "/" + rest
}

// notThere tells whether an error is that of a file which is not there.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
