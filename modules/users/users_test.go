package users

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

func TestCreateCommand(t *testing.T) {
	for _, c := range []struct {
		name   string
		a      userArgs
		groups []string
		own    bool
		want   string
	}{
		{name: "plain", a: userArgs{Name: "a", CreateHome: true}, want: "useradd -m a"},
		{name: "group of that name", a: userArgs{Name: "a"}, own: true, want: "useradd -N -M a"},
		{name: "all", a: userArgs{Name: "a", UID: new(int64(7)), NonUnique: true, Group: "g", Comment: new("A B"), Home: "/h", Shell: "/s",
			Expires: new(86400.0 * 2), CreateHome: true, Skeleton: "/k", Umask: "077", System: true, UIDMin: new(int64(5))}, groups: []string{"x", "y"},
			want: "useradd -u 7 -o -g g -G x,y -c A B -d /h -s /s -e 1970-01-03 -m -k /k -K UMASK=077 -r -K UID_MIN=5 a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(createCommand(&c.a, c.groups, c.own), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestModifyCommand(t *testing.T) {
	now := &account{Name: "a", UID: 7, GID: 7, Gecos: "A", Home: "/home/a", Shell: "/bin/sh"}
	for _, c := range []struct {
		name         string
		a            userArgs
		have, groups []string
		gid          int64
		shadow       shadowEntry
		want         string
	}{
		{name: "nothing given"},
		{name: "all right", a: userArgs{UID: new(int64(7)), Comment: new("A"), Home: "/home/a", Shell: "/bin/sh"}, have: []string{"x"}, groups: []string{"x"}},
		{name: "shell and home", a: userArgs{Shell: "/bin/bash", Home: "/srv/a", MoveHome: true}, want: "usermod -d /srv/a -m -s /bin/bash a"},
		{name: "append has them", a: userArgs{Append: true}, have: []string{"x", "y"}, groups: []string{"x"}},
		{name: "append adds", a: userArgs{Append: true}, have: []string{"y"}, groups: []string{"x"}, want: "usermod -a -G x a"},
		{name: "replace", have: []string{"x", "y"}, groups: []string{"x"}, want: "usermod -G x a"},
		{name: "leave all", have: []string{"x"}, groups: []string{}, want: "usermod -G  a"},
		{name: "primary group", gid: 9, want: "usermod -g 9 a"},
		{name: "lock", a: userArgs{PasswordLock: new(true)}, shadow: shadowEntry{Hash: "$6$"}, want: "usermod -L a"},
		{name: "locked", a: userArgs{PasswordLock: new(true)}, shadow: shadowEntry{Hash: "!$6$"}},
		{name: "unlock", a: userArgs{PasswordLock: new(false)}, shadow: shadowEntry{Hash: "!$6$"}, want: "usermod -U a"},
		{name: "expires never", a: userArgs{Expires: new(-1.0)}, shadow: shadowEntry{Expires: 10}, want: "usermod -e  a"},
		{name: "expires the same day", a: userArgs{Expires: new(864000.0 + 5)}, shadow: shadowEntry{Expires: 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.a.Name = "a"
			if c.gid == 0 {
				c.gid = 7
			}
			if got := strings.Join(modifyCommand(&c.a, now, c.have, c.groups, c.gid, c.shadow), " "); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestHash(t *testing.T) {
	for _, c := range []struct {
		name string
		a    userArgs
		now  string
		want string // "-" is no change
	}{
		{name: "no password", now: "x", want: "-"},
		{name: "new", a: userArgs{Password: new("$6$a")}, want: "$6$a"},
		{name: "new and locked", a: userArgs{Password: new("$6$a"), PasswordLock: new(true)}, want: "!$6$a"},
		{name: "new, only locked", a: userArgs{PasswordLock: new(true)}, want: "!"},
		{name: "same", a: userArgs{Password: new("$6$a")}, now: "$6$a", want: "-"},
		{name: "same but locked", a: userArgs{Password: new("$6$a")}, now: "!$6$a", want: "-"},
		{name: "other", a: userArgs{Password: new("$6$b")}, now: "$6$a", want: "$6$b"},
		{name: "unlock", a: userArgs{Password: new("$6$a"), PasswordLock: new(false)}, now: "!$6$a", want: "$6$a"},
		{name: "lock", a: userArgs{Password: new("$6$a"), PasswordLock: new(true)}, now: "$6$a", want: "!$6$a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.a.hash(shadowEntry{Hash: c.now})
			if c.want == "-" && got != nil || c.want != "-" && (got == nil || *got != c.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLooksHashed(t *testing.T) {
	for p, want := range map[string]bool{
		"*": true, "!": true, "plain": false, "a:b": false, "$6$abc$def": false, "$1$abc$0123456789012345678901": true,
		"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7": true,
		"$5$s$" + strings.Repeat("a", 43):                                           true, "$6$s$" + strings.Repeat("a", 86): true, "$6$s$" + strings.Repeat("-", 86): false,
	} {
		if got := looksHashed(p); got != want {
			t.Errorf("%q: got %v", p, got)
		}
	}
}

func TestGroupCommand(t *testing.T) {
	now := &groupEntry{Name: "g", GID: 5}
	for _, c := range []struct {
		name string
		a    groupArgs
		now  *groupEntry
		want string
	}{
		{name: "new", a: groupArgs{State: "present", GID: new(int64(9)), System: true, GIDMax: new(int64(99))}, want: "groupadd -g 9 -r -K GID_MAX=99 g"},
		{name: "right", a: groupArgs{State: "present", GID: new(int64(5))}, now: now},
		{name: "number", a: groupArgs{State: "present", GID: new(int64(6)), NonUnique: true}, now: now, want: "groupmod -g 6 -o g"},
		{name: "gone", a: groupArgs{State: "absent"}},
		{name: "delete", a: groupArgs{State: "absent", Force: true}, now: now, want: "groupdel -f g"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.a.Name = "g"
			if got := strings.Join(groupCommand(c.a, c.now), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestParsers(t *testing.T) {
	if a, ok := parseAccount("www-data:x:33:33:www-data,,,:/var/www:/usr/sbin/nologin"); !ok || a.UID != 33 || a.Home != "/var/www" {
		t.Errorf("account: %v %v", a, ok)
	}
	if _, ok := parseAccount("+::::::"); ok {
		t.Error("a line without numbers was taken")
	}
	if g, ok := parseGroup("adm:x:4:syslog,me"); !ok || g.GID != 4 || !slices.Equal(g.Members, []string{"syslog", "me"}) {
		t.Errorf("group: %v %v", g, ok)
	}
	if n, s, ok := parseShadow("me:$6$x:19000:0:99999:7::19675:"); !ok || n != "me" || s.Max != 99999 || s.Inactive != -1 || s.Expires != 19675 {
		t.Errorf("shadow: %v %v", s, ok)
	}
}

func TestParseGetent(t *testing.T) {
	got := parseGetent("http 80/tcp www\ndomain 53/tcp\n\ndomain 53/udp\ndomain 53/x\n", nil)
	if s := value.Repr(got); s != "{'http': ['80/tcp', 'www'], 'domain': [['53/tcp'], ['53/udp'], ['53/x']]}" {
		t.Errorf("got %s", s)
	}
}

// An account cannot use its key's folder to make root write, take over or read files elsewhere.
func TestKeyStaysInHome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("needs ssh-keygen (package openssh-client)")
	}
	const nobody = 65534
	top, err := os.MkdirTemp("/var/tmp", "fettle-users-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(home, precious string) error{
		"nothing":          func(string, string) error { return nil },
		"folder elsewhere": func(home, precious string) error { return os.Symlink(precious, home+"/.ssh") },
		"public half":      func(home, precious string) error { return plantLink(home, precious+"/file", "id_ed25519.pub") },
		"both halves exist": func(home, precious string) error {
			return plantLink(home, precious+"/file", "id_ed25519.pub", "id_ed25519")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp(top, "")
			if err != nil {
				t.Fatal(err)
			}
			home, precious := dir+"/home", dir+"/precious"
			for path, owner := range map[string]int{dir: 0, home: nobody, precious: 0} {
				_ = os.Mkdir(path, 0o755)
				if err := errors.Join(os.Chmod(path, 0o755), os.Chown(path, owner, owner)); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.WriteFile(precious+"/file", []byte("precious"), 0o600), plant(home, precious)); err != nil {
				t.Fatal(err)
			}
			task := &userTask{a: userArgs{KeyType: "ed25519", Force: true}, h: &modules.Host{}, out: userReturn{}, now: &account{Name: "x", UID: nobody, GID: nobody, Home: home}}
			err = task.sshKey(t.Context())
			b, readErr := os.ReadFile(precious + "/file")
			files, _ := os.ReadDir(precious)
			if readErr != nil || string(b) != "precious" || len(files) != 1 {
				t.Errorf("root wrote there: %q, %v, %v", b, files, err)
			}
			if strings.Contains(task.out.PublicKey, "precious") {
				t.Error("root read what the account may not")
			}
			if name == "nothing" {
				info, statErr := os.Stat(home + "/.ssh/id_ed25519")
				if err != nil || statErr != nil || info.Sys().(*syscall.Stat_t).Uid != nobody || info.Mode().Perm() != 0o600 || !strings.HasPrefix(task.out.PublicKey, "ssh-ed25519 ") {
					t.Errorf("%v, %v, %v, %q", err, info, statErr, task.out.PublicKey)
				}
			}
		})
	}
}

// plantLink makes links to a file in the folder of the keys of nobody.
func plantLink(home, to string, names ...string) error {
	dir := home + "/.ssh"
	err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 65534, 65534))
	for _, n := range names {
		err = errors.Join(err, os.Symlink(to, dir+"/"+n))
	}
	return err
}
