//go:build integration

package differential

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fettle/integration/fleet"
)

const siteDir = "../testdata/site"

// sitePaths are where the site playbook changes something.
var sitePaths = []string{"/srv/site", "/etc/passwd", "/etc/group", "/etc/gshadow", "/etc/login.defs", "/etc/profile", "/etc/motd", "/etc/cron.d", "/home", "/var/spool/cron"}

// crontabStamp is the line in which crontab(1) tells time and temporary file.
var crontabStamp = regexp.MustCompile(`(?m)^# \(.* installed on .*\)\n`)

// playOn runs a playbook against a fleet as a user would.
func playOn(t *testing.T, argv []string, f *fleet.Fleet, args ...string) Run {
	t.Helper()
	home := t.TempDir()
	all := append(append(append([]string{}, argv[1:]...), "-i", f.Inventory), args...)
	cmd := exec.CommandContext(t.Context(), argv[0], all...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=1", "ANSIBLE_FORKS=20", "ANSIBLE_CONFIG=" + f.AnsibleCfg}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r := parseOutput(out.String(), newCleaner(f.Dir))
	r.Exit, r.Stdout = cmd.ProcessState.ExitCode(), out.String()
	return r
}

// changed is the number of changes the recap tells, over all hosts.
func changed(r Run) int {
	n := 0
	for _, counts := range r.Recap {
		n += counts["changed"]
	}
	return n
}

// TestSiteTwins runs the site playbook under both engines on twin hosts: the
// recap and the files must agree, in the first run and in the second.
func TestSiteTwins(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("needs ansible-playbook")
	}
	site := filepath.Join(siteDir, "site.yml")
	theirs := fleet.Up(t, fleet.Group{Name: "web", Count: 2, Python: true})
	ours := fleet.Up(t, fleet.Group{Name: "web", Count: 2})
	bin := fettle(t).Command
	for _, run := range []string{"first run", "second run"} {
		want := playOn(t, []string{"ansible-playbook"}, theirs, site)
		got := playOn(t, bin, ours, site)
		if got.Exit != want.Exit {
			t.Fatalf("%s: exit code %d, want %d\n%s", run, got.Exit, want.Exit, tail(got.Stdout))
		}
		for h, counts := range want.Recap {
			if !maps.Equal(got.Recap[h], counts) {
				t.Errorf("%s: recap of %s: %s, want %s", run, h, recapText(got.Recap[h]), recapText(counts))
			}
		}
		diffs := compareHosts(t, theirs, ours)
		for _, d := range diffs[:min(len(diffs), 8)] {
			t.Errorf("%s: %s", run, d)
		}
		if len(diffs) > 8 {
			t.Errorf("%s: and %d more", run, len(diffs)-8)
		}
	}
}

func compareHosts(t *testing.T, want, got *fleet.Fleet) []string {
	t.Helper()
	var diffs []string
	for i, h := range want.Hosts {
		w, g := hostEntries(t, h), hostEntries(t, got.Hosts[i])
		for _, d := range compareTree(w, g) {
			diffs = append(diffs, h.Name+": "+d)
		}
	}
	return diffs
}

// hostEntries is a host's tree in the form compareTree takes, with owners.
func hostEntries(t *testing.T, h *fleet.Host) []Entry {
	t.Helper()
	tree, err := h.Tree(sitePaths...)
	if err != nil {
		t.Fatal(err)
	}
	var list []Entry
	for _, e := range tree {
		entry := Entry{Path: e.Path, Mode: fmt.Sprintf("%v %d:%d", e.Mode, e.UID, e.GID), Text: e.Link}
		if e.SHA256 != "" {
			b, err := h.ReadFile(e.Path)
			if err != nil {
				t.Fatal(err)
			}
			entry.Text = crontabStamp.ReplaceAllString(string(b), "")
		}
		list = append(list, entry)
	}
	return list
}

// TestSiteWithoutPython is the promise of the first run, the second, and the
// repair of a change made behind fettle's back.
func TestSiteWithoutPython(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Name: "web", Count: 10})
	bin, site := fettle(t).Command, filepath.Join(siteDir, "site.yml")
	first := playOn(t, bin, f, site)
	if first.Exit != 0 || changed(first) == 0 {
		t.Fatalf("first run: exit code %d, %d changes\n%s", first.Exit, changed(first), tail(first.Stdout))
	}
	second := playOn(t, bin, f, site)
	if second.Exit != 0 || changed(second) != 0 {
		t.Fatalf("second run: exit code %d, %d changes\n%s", second.Exit, changed(second), tail(second.Stdout))
	}
	for _, h := range f.Hosts {
		if n, err := h.Connections(); err != nil || n != 2 {
			t.Errorf("%s saw %d connections in two runs, want 2 (%v)", h.Name, n, err)
		}
		if left, err := h.Runners(); err != nil || len(left) != 0 {
			t.Errorf("%s: runners left behind: %v (%v)", h.Name, left, err)
		}
	}
	repair(t, bin, f, site)
}

func repair(t *testing.T, bin []string, f *fleet.Fleet, site string) {
	t.Helper()
	h, path := f.Hosts[3], "/srv/site/conf/NOTICE"
	good, err := h.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile(path, []byte("somebody was here\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	check := playOn(t, bin, f, "--check", "--diff", site)
	if changed(check) != 1 || check.Recap[h.Name]["changed"] != 1 {
		t.Errorf("--check tells %d changes, want the one on %s\n%s", changed(check), h.Name, tail(check.Stdout))
	}
	if !strings.Contains(check.Stdout, "-somebody was here") {
		t.Errorf("--diff does not show the edit\n%s", tail(check.Stdout))
	}
	if b, err := h.ReadFile(path); err != nil || string(b) != "somebody was here\n" {
		t.Errorf("--check changed the file: %q, %v", b, err)
	}
	again := playOn(t, bin, f, site)
	if changed(again) != 1 {
		t.Errorf("the repair made %d changes, want 1", changed(again))
	}
	if b, err := h.ReadFile(path); err != nil || !bytes.Equal(b, good) {
		t.Errorf("not repaired: %q, %v", b, err)
	}
}

// TestOneRunnerPerAccount looks from the host's side while a play runs that
// becomes two other users.
func TestOneRunnerPerAccount(t *testing.T) {
	f := fleet.Up(t, fleet.Group{Count: 1, User: "admin"})
	play := filepath.Join(t.TempDir(), "site.yml")
	text := `- hosts: all
  gather_facts: false
  tasks:
    - command: id -un
      become: "{{ item != 'admin' }}"
      become_user: "{{ item }}"
      loop: [admin, root, op, admin, root, op]
    - shell: "true"
    - shell: "true"
      become: true
    - shell: touch /tmp/ready; sleep 3
`
	if err := os.WriteFile(play, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	h := f.Hosts[0]
	done := make(chan map[int]int)
	go func() {
		for {
			select {
			case <-t.Context().Done():
				done <- nil
				return
			default:
			}
			if _, err := h.Exec(context.Background(), "test", "-e", "/tmp/ready"); err == nil {
				got, _ := h.Runners()
				done <- got
				return
			}
		}
	}()
	r := playOn(t, fettle(t).Command, f, play)
	if r.Exit != 0 {
		t.Fatalf("exit code %d\n%s", r.Exit, tail(r.Stdout))
	}
	runners := <-done
	for user, uid := range map[string]int{"root": 0, "op": 1000, "admin": 1001} {
		if runners[uid] != 1 {
			t.Errorf("%d runners of %s at once, want 1", runners[uid], user)
		}
	}
	if n, err := h.Connections(); err != nil || n != 1 {
		t.Errorf("%d connections, want 1 (%v)", n, err)
	}
}
