package become

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	const inner = `/bin/sh -c 'echo "x"; read -r s; eval "$s"'`
	again := Quote(inner)
	for _, tt := range []struct {
		o    Options
		want string
		pty  bool
	}{
		{Options{}, "sudo -H -S -n -u root " + inner, false},
		{Options{Method: "sudo", User: "bob", Password: "p"}, "sudo -H -S -p '[sudo via fettle, key=K] password:' -u bob " + inner, false},
		{Options{Method: "sudo", Password: "p", Flags: "-i", Exe: "/opt/sudo"}, "/opt/sudo -i -S -p '[sudo via fettle, key=K] password:' -u root " + inner, false},
		{Options{Method: "dzdo", User: "bob"}, "dzdo -H -S -n -u bob " + inner, false},
		{Options{Method: "sudosu", User: "bob"}, "sudo -H -S -n su -l bob -c " + again, false},
		{Options{Method: "su", User: "bob", Flags: "-"}, "su - bob -c " + again, true},
		{Options{Method: "sesu", User: "bob", Flags: "-"}, "sesu - bob -c " + again, true},
		{Options{Method: "doas", User: "bob"}, "doas -n -u bob " + inner, true},
		{Options{Method: "doas", User: "bob", Password: "p"}, "doas -u bob " + inner, true},
		{Options{Method: "pbrun", User: "bob"}, "pbrun -u bob " + inner, true},
		{Options{Method: "runuser", User: "bob"}, "runuser bob -c " + again, false},
		{Options{Method: "ksu", User: "bob"}, "ksu bob -e " + inner, true},
		{Options{Method: "pmrun", User: "bob"}, "pmrun " + inner, true},
		{Options{Method: "run0", User: "bob", Flags: "--nice=5"}, "run0 --nice=5 --user=bob " + inner, false},
		{Options{Method: "pfexec", Flags: "-P basic"}, "pfexec -P basic " + inner, false},
		{Options{Method: "machinectl", User: "bob"}, "systemd-run --quiet --pipe --wait --collect --service-type=exec --property=PAMName=login --uid=bob -- " + strings.ReplaceAll(inner, "$", "$$"), false},
	} {
		p, err := Wrap(tt.o, `echo "x"; read -r s; eval "$s"`, "K")
		if err != nil || p.Command != tt.want || p.PTY != tt.pty {
			t.Errorf("%+v:\ngot  %s, %v\nwant %s", tt.o, p.Command, err, tt.want)
		}
	}
	for _, o := range []Options{{Method: "magic"}, {User: "-x"}, {User: "a b"}, {User: "$(id)"}, {Method: "enable"}} {
		if _, err := Wrap(o, "x", "K"); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestAsks(t *testing.T) {
	for _, tt := range []struct {
		method, output string
		want           bool
	}{
		{"sudo", "lecture\n[sudo via fettle, key=K] password: ", true},
		{"sudo", "Password: ", false}, // not ours: something else asks
		{"su", "Password: ", true},
		{"su", "Passwort: ", true},
		{"su", "密码：", true},
		{"su", "Mot de passe : ", true},
		{"su", "motd: here\n", false},
		{"doas", "doas (op@web) password: ", true},
		{"doas", "doas: ", false}, // what it says next is not there yet
		{"su", "motd: here\nsu:", false},
		{"ksu", "WARNING: Your password may be exposed\nKerberos password for op@EXAMPLE.ORG: ", true},
		{"pmrun", "Enter UPM user password:", true},
		{"sesu", "Please enter your password:", true},
		{"pbrun", "Password:", true},
		{"runuser", "Password:", false},
		{"machinectl", "Password:", false},
	} {
		p, err := Wrap(Options{Method: tt.method, Password: "p"}, "x", "K")
		if err != nil || p.Asks([]byte(tt.output)) != tt.want {
			t.Errorf("%s %q: not %v (%v)", tt.method, tt.output, tt.want, err)
		}
	}
}

func TestFailure(t *testing.T) {
	for _, tt := range []struct {
		method, output string
		code           int
		answered       bool
		want           string
	}{
		{"sudo", "sudo: 3 incorrect password attempts", 1, true, "Incorrect sudo password"},
		{"sudo", "sudo: a password is required", 1, false, "Missing sudo password"},
		{"su", "su: Authentication failure", 1, true, "Incorrect su password"},
		{"su", "su: Fehler bei Authentifizierung", 1, true, "Incorrect su password (su: Fehler bei Authentifizierung)"},
		{"doas", "doas: Authentication failed", 1, true, "Incorrect doas password"},
		{"doas", "doas: Authentication required", 1, false, "Missing doas password"},
		{"ksu", "ksu: Password incorrect", 1, true, "Incorrect ksu password"},
		{"sesu", "Sorry, try again with sesu.", 1, true, "Incorrect sesu password"},
		{"machinectl", "Failed to start transient service unit: Interactive authentication required.", 1, false, "Missing machinectl password"},
		{"doas", "doas: Operation not permitted", 1, false, "doas failed with exit code 1: doas: Operation not permitted"},
		{"pbrun", "", 2, false, "pbrun failed with exit code 2: it printed nothing"},
	} {
		p, err := Wrap(Options{Method: tt.method}, "x", "K")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Failure(tt.output, tt.code, tt.answered).Error(); got != tt.want {
			t.Errorf("%s %q: %s; want %s", tt.method, tt.output, got, tt.want)
		}
	}
	for out, want := range map[string]bool{"sudo: sorry, you must have a tty to run sudo": true, "sudo: Entschuldigung, Sie müssen ein TTY haben, um sudo aufzurufen": true,
		"sudo: a password is required": false, "sudo: no tty present and no askpass program specified": false} {
		if NeedsTTY(out) != want {
			t.Errorf("%q", out)
		}
	}
}
