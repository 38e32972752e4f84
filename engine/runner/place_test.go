package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fettle/engine/transport"
	"fettle/engine/transport/sshsim"
	"fettle/engine/transport/transporttest"
	"fettle/engine/wire"
)

// placed finds the runners in a home directory.
func placed(t *testing.T, home string) []string {
	t.Helper()
	files, err := filepath.Glob(home + "/.fettle/*")
	if err != nil {
		t.Fatal(err)
	}
	hidden, _ := filepath.Glob(home + "/.fettle/.[a-z]*")
	return append(files, hidden...)
}

func ping(t *testing.T, p Pool, a *Account) error {
	t.Helper()
	ok := false
	err := p.Call(t.Context(), a, &wire.Call{Module: "ansible.builtin.command", Args: args(`{"_raw_params":"true"}`)}, nil,
		func(r wire.Result) { ok = strings.Contains(string(r.Data), `"rc":0`) })
	if err == nil && !ok {
		t.Error("the call gave no good result")
	}
	return err
}

// Cold, the runner is placed over the channel it then serves; warm, it is just started.
func TestPlace(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sshsim.Options
	}{
		{"plain", sshsim.Options{}},
		{"noisy start-up files", sshsim.Options{Noise: "Welcome!\nfettle-runner 0123\nno newline at the end"}},
		{"no gzip", sshsim.Options{Env: []string{"PATH=" + onlyTools(t)}}},
		{"one session a connection", sshsim.Options{MaxSessions: 1}},
		{"no sftp", sshsim.Options{NoSFTP: true}},
		{"odd umask", sshsim.Options{Shell: []string{"/bin/sh", "-c", `umask 0777; eval "$0"`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Dir = t.TempDir()
			s, a := simTarget(t, tt.o)
			for range 2 {
				p := newPool(t, dialers(t))
				if err := ping(t, p, a); err != nil {
					t.Fatal(err)
				}
				_ = p.Close()
				if files := placed(t, tt.o.Dir); len(files) != 1 {
					t.Fatalf("placed %q", files)
				}
			}
			if st := s.Stats(); st.Connections != 2 || st.Execs != 2 || st.Transfers != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// onlyTools is a PATH of what the script cannot do without.
func onlyTools(t *testing.T) string {
	dir := t.TempDir()
	for _, tool := range []string{"sh", "id", "uname", "ls", "mkdir", "chmod", "cat", "rm", "head", "mv", "wc", "true", "sha256sum"} {
		for _, d := range []string{"/usr/bin/", "/bin/"} {
			if _, err := os.Stat(d + tool); err == nil {
				_ = os.Symlink(d+tool, filepath.Join(dir, tool))
				break
			}
		}
	}
	return dir
}

// What could be somebody else's is never run; a damaged runner is replaced.
func TestPlaceDistrusts(t *testing.T) {
	evil := "#!/bin/sh\ntouch \"$HOME/evil\"\n"
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, home, file string)
		there   bool // it is placed in the home all the same
	}{
		{"directory others may write to", func(t *testing.T, home, file string) {
			must(t, os.WriteFile(file, []byte(evil), 0o700))
			must(t, os.Chmod(home+"/.fettle", 0o777))
		}, false},
		{"file others may write to", func(t *testing.T, home, file string) {
			must(t, os.WriteFile(file, []byte(evil), 0o700))
			must(t, os.Chmod(file, 0o722))
		}, true},
		{"directory is a link", func(t *testing.T, home, file string) {
			must(t, os.Rename(home+"/.fettle", home+"/other"))
			must(t, os.WriteFile(home+"/other/"+filepath.Base(file), []byte(evil), 0o700))
			must(t, os.Symlink(home+"/other", home+"/.fettle"))
		}, false},
		{"file is a link", func(t *testing.T, home, file string) {
			must(t, os.WriteFile(home+"/x", []byte(evil), 0o700))
			must(t, os.Symlink(home+"/x", file))
		}, true},
		{"file cannot be executed", func(t *testing.T, _, file string) { must(t, os.WriteFile(file, []byte("\x7fELF"), 0o700)) }, true},
		{"file is empty", func(t *testing.T, _, file string) { must(t, os.WriteFile(file, nil, 0o700)) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			_, a := simTarget(t, sshsim.Options{Dir: home})
			p := newPool(t, dialers(t))
			must(t, os.Mkdir(home+"/.fettle", 0o700))
			tt.prepare(t, home, home+"/.fettle/"+p.opts.Binaries.list[0].file())
			if err := ping(t, p, a); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(home + "/evil"); err == nil {
				t.Error("the planted program was run")
			}
			h, err := p.Connect(t.Context(), a)
			if err != nil || (h.Dir == home+"/.fettle") != tt.there {
				t.Errorf("it runs from %s, err %v", h.Dir, err)
			}
			if !strings.HasPrefix(h.Dir, home) {
				_ = os.Remove(filepath.Join(h.Dir, h.Build))
				_ = os.Remove(h.Dir)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The script goes through any shell's quotes: it holds nothing that one of them takes for
// itself.
func TestScriptIsPlain(t *testing.T) {
	b, err := Embedded("")
	must(t, err)
	s := startScript{Nonce: nonce(), Binaries: b, LoginDir: "/home/a/.fettle", LoginUID: 1000, Self: "/usr/bin/fettle"}.String()
	if i := strings.IndexAny(s, "'\\!\n"); i >= 0 {
		t.Errorf("the script holds %q: …%s…", s[i], s[max(0, i-20):min(len(s), i+20)])
	}
}

// A link that is cut while a call runs leaves its outcome unknown; the next call connects
// again.
func TestLinkCut(t *testing.T) {
	home := t.TempDir()
	s, a := simTarget(t, sshsim.Options{Dir: home})
	p := newPool(t, dialers(t))
	must(t, ping(t, p, a))
	done := make(chan error, 1)
	go func() {
		done <- p.Call(t.Context(), a, &wire.Call{Module: "ansible.builtin.shell", Args: args(`{"_raw_params":"touch ` + home + `/begun; sleep 600"}`)}, nil, func(wire.Result) {})
	}()
	for range 1000 {
		if _, err := os.Stat(home + "/begun"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.Cut()
	err := <-done
	var u *transport.UnreachableError
	if !asUnreachable(err, &u) || !u.Unknown || !strings.Contains(err.Error(), "ansible.builtin.shell") {
		t.Errorf("err %v", err)
	}
	must(t, ping(t, p, a))
	if st := s.Stats(); st.Connections != 2 {
		t.Errorf("%+v", st)
	}
}

func asUnreachable(err error, u **transport.UnreachableError) bool {
	x, ok := err.(*transport.UnreachableError)
	*u = x
	return ok
}

// Cancelling a call ends its processes on the host; the runner stays.
func TestCancelEndsRemoteProcesses(t *testing.T) {
	home := t.TempDir()
	s, a := simTarget(t, sshsim.Options{Dir: home})
	p := newPool(t, dialers(t))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- p.Call(ctx, a, &wire.Call{Module: "ansible.builtin.shell", Args: args(`{"_raw_params":"cd ` + home + `; while sleep 0.02; do echo >> beat; done"}`)}, nil, func(wire.Result) {})
	}()
	size := func() int64 {
		if i, err := os.Stat(home + "/beat"); err == nil {
			return i.Size()
		}
		return 0
	}
	for range 1000 {
		if size() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("err %v", err)
	}
	before := size()
	time.Sleep(200 * time.Millisecond)
	if size() != before || before == 0 {
		t.Error("the process goes on")
	}
	must(t, ping(t, p, a))
	if st := s.Stats(); st.Execs != 1 {
		t.Errorf("%+v", st)
	}
}

// Whoever asks at the same time shares one connection and one runner.
func TestOneRunnerForMany(t *testing.T) {
	s, a := simTarget(t, sshsim.Options{})
	p := newPool(t, dialers(t))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := ping(t, p, a); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if st := s.Stats(); st.Connections != 1 || st.Execs != 1 {
		t.Errorf("%+v", st)
	}
}

// A loop of a hundred items is one round trip and one write on the connection.
func TestLoopIsOneRoundTrip(t *testing.T) {
	_, a := simTarget(t, sshsim.Options{})
	p := newPool(t, dialers(t))
	must(t, ping(t, p, a))
	before := p.Stats()
	items := make([]string, 100)
	for i := range items {
		items[i] = `{"path":"/etc/passwd"}`
	}
	n := 0
	err := p.Call(t.Context(), a, &wire.Call{Module: "ansible.builtin.stat", Args: args(items...)}, nil, func(wire.Result) { n++ })
	after := p.Stats()
	if err != nil || n != 100 || after.RoundTrips()-before.RoundTrips() != 1 || after.Writes-before.Writes != 1 {
		t.Errorf("%d results, %d round trips, %d writes, err %v", n, after.RoundTrips()-before.RoundTrips(), after.Writes-before.Writes, err)
	}
}

func TestReset(t *testing.T) {
	s, a := simTarget(t, sshsim.Options{})
	p := newPool(t, dialers(t))
	must(t, ping(t, p, a))
	must(t, p.Reset(t.Context(), a))
	must(t, ping(t, p, a))
	if st := s.Stats(); st.Connections != 2 {
		t.Errorf("%+v", st)
	}
}

func TestUnreachable(t *testing.T) {
	_, a := simTarget(t, sshsim.Options{})
	for name, change := range map[string]func(t *transport.Target){
		"cannot connect":    func(x *transport.Target) { x.Port = 1 },
		"ssh argument":      func(x *transport.Target) { x.CommonArgs = []string{"-W", "a:1"} },
		"not supported":     func(x *transport.Target) { x.Connection = "carrier-pigeon" },
		"the host key of":   func(x *transport.Target) { x.HostKeyChecking = true },
		"ssh configuration": func(x *transport.Target) { x.CommonArgs = []string{"-F", "/none"} },
		"no such host":      func(x *transport.Target) { x.Address = "nosuch.invalid" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, dialers(t))
			x := *a.Target
			change(&x)
			err := ping(t, p, &Account{Target: &x})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("err %v", err)
			}
		})
	}
}

// fakeSudo behaves like sudo with a password: it asks on stderr and reads a line.
const fakeSudo = `#!/bin/sh
n=; while :; do case "$1" in -H|-S) shift;; -n) n=1; shift;; -p) p=$2; shift 2;; -u) shift 2;; *) break;; esac; done
[ "$n" ] && { echo "sudo: a password is required" >&2; exit 1; }
for i in 1 2 3; do
  printf '%s' "$p" >&2; read -r x || exit 1
  [ "$x" = "se cret" ] && exec "$@"
  echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2; exit 1
`

func TestBecome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/sudo", []byte(fakeSudo), 0o700))
	must(t, os.WriteFile(dir+"/hangs", []byte("#!/bin/sh\nexec sleep 600\n"), 0o700))
	for _, tt := range []struct {
		name string
		b    Become
		err  string
	}{
		{"password", Become{Password: "se cret"}, ""},
		{"wrong password", Become{Password: "wrong"}, "Incorrect sudo password"},
		{"no password", Become{}, "Missing sudo password"},
		{"no answer", Become{Exe: dir + "/hangs", Password: "x"}, "Timeout (12s) waiting for privilege escalation prompt"},
		{"bad user", Become{User: "a b"}, "not a user name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "no answer" {
				t.Parallel() // it takes 12 seconds
			}
			_, a := simTarget(t, sshsim.Options{})
			tt.b.Method = "sudo"
			if tt.b.Exe == "" {
				tt.b.Exe = dir + "/sudo"
			}
			p := newPool(t, dialers(t))
			as := &Account{Target: a.Target, Become: &tt.b}
			check := func(what string, err error) {
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%s: err %v", what, err)
				}
				if err != nil && transport.IsUnreachable(err) {
					t.Errorf("%s: a become problem is no connection problem", what)
				}
			}
			check("call", ping(t, p, as))
			if tt.name == "no answer" {
				return // raw has no time limit
			}
			_, out, errs, err := p.Raw(t.Context(), as, "echo 'it''s' $((1+1))")
			check("raw", err)
			if err == nil && (string(out) != "its 2\n" || len(errs) > 0) {
				t.Errorf("raw: %q, %q", out, errs)
			}
		})
	}
}

// The same over a real sshd: one log-in for all of a run.
func TestSSHD(t *testing.T) {
	s := transporttest.StartSSHD(t)
	a := &Account{Target: s.Target(t)}
	p := newPool(t, dialers(t))
	for range 5 {
		must(t, ping(t, p, a))
	}
	if st := p.Stats(); st.RoundTrips() != 5 || s.Connections() != 1 {
		t.Errorf("%d round trips, %d connections", st.RoundTrips(), s.Connections())
	}
	_ = p.Close()
	if files := placed(t, s.Dir); len(files) != 1 {
		t.Errorf("placed %q", files)
	}
}
