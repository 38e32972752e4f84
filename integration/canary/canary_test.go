//go:build integration

// Package canary_test runs a playbook full of secrets against a real host, and looks for them
// everywhere: in what is printed, in the arguments and environments of all processes of both
// sides, and in the files that are left.
package canary_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"fettle/integration/fleet"
)

// watch looks at all processes of this machine, those of hosts among them, until stop. It
// returns where a secret was seen.
func watch(ctx context.Context) (found func() []string) {
	seen := map[string]bool{}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	looks := 0
	done.Go(func() {
		for ; ctx.Err() == nil; looks++ {
			for _, what := range []string{"cmdline", "environ"} {
				files, _ := filepath.Glob("/proc/[0-9]*/" + what)
				for _, file := range files {
					b, _ := os.ReadFile(file)
					if what == "environ" {
						b = bytes.ReplaceAll(b, []byte(tame), nil)
					}
					if text := sings(b); text != "" {
						name, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "comm"))
						seen[what+" of "+strings.TrimSpace(string(name))+": "+text] = true
					}
				}
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	return func() []string {
		cancel()
		done.Wait()
		list := []string{}
		for s := range seen {
			list = append(list, s)
		}
		if looks == 0 {
			list = append(list, "nobody looked")
		}
		return list
	}
}

// search looks through the files below roots for secrets, and for what fettle left there.
func search(t *testing.T, strip string, roots []string, allowed func(path string) bool) {
	t.Helper()
	files := 0
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() || allowed(strings.TrimPrefix(path, strip)) {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			if text := sings(b); text != "" || sings([]byte(path)) != "" {
				t.Errorf("%s holds a secret: %q", strings.TrimPrefix(path, strip), text)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("looked through %d files below %v", files, roots)
}

func binary(t *testing.T) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	bin := filepath.Join(filepath.Dir(here), "../../bin/fettle")
	if _, err := os.Stat(bin); err != nil {
		t.Skip("no bin/fettle: run make build")
	}
	return bin
}

// site is a controller with the playbook in testdata, whose home and temporary folders are
// its own.
type site struct {
	fettle, told, work, home, tmp string
	inventory                     string
	env                           []string // further environment
}

func newSite(t *testing.T, f *fleet.Fleet) *site {
	dir := t.TempDir()
	s := &site{fettle: binary(t), told: filepath.Join(dir, "told"), work: filepath.Join(dir, "work"), home: filepath.Join(dir, "home"), tmp: filepath.Join(dir, "tmp")}
	for _, d := range []string{s.told, s.work, s.home, s.tmp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(s.told, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.told, "vaultpass"), bird+"VaultPassword\n")
	write(t, filepath.Join(s.told, "become"), bird+"Login\n")
	write(t, filepath.Join(s.told, "lookup"), bird+"Lookup\n")
	write(t, filepath.Join(s.told, "prompted.yml"), "prompted: "+bird+"Prompted\n")
	secrets := filepath.Join(s.told, "secrets.yml")
	write(t, secrets, fmt.Sprintf("vaulted: %[1]sVaulted\nlogin: %[1]sLogin\nnested: {list: [%[1]sNested, {deep: %[1]sDeep}]}\nenvironmental: %[2]s-secret\nmultiline: |\n  first %[1]sFirst\n  second %[1]sSecond\n", bird, tame))
	s.run(t, "vault", "encrypt", "--vault-password-file", s.told+"/vaultpass", secrets)
	b, err := os.ReadFile(secrets)
	if err != nil || !bytes.HasPrefix(b, []byte("$ANSIBLE_VAULT;")) {
		t.Fatalf("secrets.yml is not encrypted: %.40q, %v", b, err)
	}
	plain := write(t, s.told+"/scalar", bird+"Scalar")
	s.run(t, "vault", "encrypt", "--vault-password-file", s.told+"/vaultpass", plain)
	if b, err = os.ReadFile(plain); err != nil {
		t.Fatal(err)
	}
	write(t, s.told+"/group_vars/all.yml", "scalar: !vault |\n  "+strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n  ")+"\n")
	s.inventory = filepath.Join(s.told, "hosts.ini")
	vars := []string{`ansible_ssh_common_args=-F none -o IdentityAgent=none -o PubkeyAuthentication=no -o PreferredAuthentications=password -o UserKnownHostsFile=` + f.KnownHosts}
	if err := f.WriteInventory(s.inventory, f.Hosts, vars...); err != nil {
		t.Fatal(err)
	}
	return s
}

// run gives what fettle printed, and its exit code.
func (s *site) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.fettle, args...)
	cmd.Dir = s.work
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "TMPDIR=" + s.tmp, "LC_ALL=C.UTF-8"}
	cmd.Env = append(cmd.Env, s.env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestNowhere(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 1, User: "op"})
	h := f.Hosts[0]
	passwd := h.Command(t.Context(), "chpasswd")
	passwd.Stdin = strings.NewReader("op:" + bird + "Login\n")
	if out, err := passwd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := newSite(t, f)
	common := []string{"playbook", "-i", s.inventory, "--vault-password-file", s.told + "/vaultpass", "-e", "@" + s.told + "/prompted.yml"}
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"human", []string{"--format", "human", "--diff", "-vvv"}},
		{"human brief", []string{"--format", "human"}},
		{"ansible", []string{"--format", "ansible", "--diff", "-vvv"}},
		{"json", []string{"--format", "json", "--diff", "-vvv"}},
		{"jsonl", []string{"--format", "jsonl", "--diff", "-vvv"}},
		{"check", []string{"--format", "ansible", "--diff", "--check", "-vvv"}},
		{"password files", []string{"--format", "ansible", "-vv", "--become-password-file", s.told + "/become", "--connection-password-file", s.told + "/become", "-e", "by_file=true"}},
		{"the ssh program", []string{"--format", "ansible", "--diff", "-vvv", "-e", "ansible_connection=openssh"}},
		{"log", []string{"--format", "ansible", "--diff", "-vvv"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "log" {
				s.env = []string{"ANSIBLE_LOG_PATH=" + s.work + "/log", "ANSIBLE_CACHE_PLUGIN=jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION=" + s.work + "/facts"}
			}
			if _, err := h.Exec(t.Context(), "rm", "-rf", "/srv/told"); err != nil {
				t.Fatal(err)
			}
			found := watch(t.Context())
			out, code := s.run(t, append(append(append([]string{}, common...), tt.args...), s.told+"/site.yml")...)
			for _, what := range found() {
				t.Error("seen in " + what)
			}
			if code != 0 || !strings.Contains(out, "reached the end") {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			for line := range strings.SplitSeq(out, "\n") {
				if text := sings([]byte(line)); text != "" {
					t.Errorf("printed: %q", text)
				}
			}
			if tt.name != "check" {
				written, err := h.Exec(t.Context(), "cat", "/srv/told/copied", "/srv/told/rendered", "/srv/told/hidden")
				for _, name := range []string{"Vaulted", "Scalar", "Prompted", "Lookup", "Hidden"} {
					if err != nil || !strings.Contains(written, bird+name) {
						t.Errorf("the files the playbook wrote lack %s: %q, %v", name, written, err)
					}
				}
			}
			told := func(path string) bool { return strings.HasPrefix(path, "/srv/told/") }
			search(t, h.Path("/"), paths(h, "tmp", "var", "dev/shm", "run", "home", "root", "srv", "opt", "etc"), func(path string) bool { return told("/" + strings.TrimPrefix(path, "/")) })
			if tt.name == "log" {
				if b, err := os.ReadFile(s.work + "/log"); err != nil || !bytes.Contains(b, []byte("reached the end")) {
					t.Errorf("the log holds %q, %v", b, err)
				}
			}
			search(t, "", []string{s.work, s.home, s.tmp, "/dev/shm"}, func(string) bool { return false })
		})
	}
}

func paths(h *fleet.Host, names ...string) []string {
	for i, name := range names {
		names[i] = h.Path("/" + name)
	}
	return names
}

// What is looked for is found where it is.
func TestSings(t *testing.T) {
	for _, text := range []string{"x " + bird + "Vaulted", base64.StdEncoding.EncodeToString([]byte(bird + "Vaulted")), "a ZQ7CANARYX", "yranaC7qZ"} {
		if sings([]byte(text)) == "" {
			t.Errorf("%q is not found", text)
		}
	}
	cmd := exec.Command("sleep", "1")
	cmd.Env = []string{"SECRET=" + bird}
	found := watch(t.Context())
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if len(found()) == 0 {
		t.Error("a secret in an environment was not seen")
	}
}
