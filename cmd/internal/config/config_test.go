package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhichFile(t *testing.T) {
	dir := t.TempDir()
	cwd, home := filepath.Join(dir, "cwd"), filepath.Join(dir, "home")
	global := write(t, dir+"/etc/ansible.cfg", "[defaults]\nforks=1\n")
	write(t, home+"/x", "")
	write(t, cwd+"/x", "")
	env := []string{"HOME=" + home}
	check := func(what, want string, env []string) {
		t.Helper()
		c, diags := load(env, cwd, global)
		if c.File != want || diags.Errors() > 0 {
			t.Errorf("%s: file is %q, want %q, %v", what, c.File, want, diags.Sorted())
		}
	}
	check("global", global, env)
	check("home", write(t, home+"/.ansible.cfg", ""), env)
	local := write(t, cwd+"/ansible.cfg", "[defaults]\n")
	check("cwd", local, env)
	named := write(t, dir+"/named/ansible.cfg", "")
	check("named", named, append(env, "ANSIBLE_CONFIG="+named))
	check("directory", named, append(env, "ANSIBLE_CONFIG="+dir+"/named"))
	check("named but missing", local, append(env, "ANSIBLE_CONFIG="+dir+"/none"))
	if err := os.Chmod(cwd, 0o777); err != nil {
		t.Fatal(err)
	}
	c, diags := load(env, cwd, global)
	if c.File != home+"/.ansible.cfg" || diags.Len() != 1 || !strings.Contains(diags.Sorted()[0].Summary, "world writable") {
		t.Errorf("world writable: %q %v", c.File, diags.Sorted())
	}
}

func TestValues(t *testing.T) {
	cwd := t.TempDir()
	file := write(t, cwd+"/ansible.cfg", `# comment
[defaults]
forks = 7 ; seven
Inventory : hosts, ~/more,/abs
roles_path = roles:../other
remote_user="bob"
private_key_file = keys/id
gathering = smart
timeout: 30
log_path = one
   two
host_key_checking = no
hash_behaviour = "merge"

[ssh_connection]
pipelining=True
ssh_args = -o A=b -o C=d
`)
	c, diags := load([]string{"HOME=/home/me", "ANSIBLE_FORKS=9", "ANSIBLE_ROLES_PATH=a:/b", "ANSIBLE_BECOME=1"}, cwd, "")
	if diags.Len() != 0 {
		t.Error(diags.Sorted())
	}
	for name, want := range map[string]string{
		"DEFAULT_HOST_LIST":          "[" + cwd + "/hosts /home/me/more /abs]",
		"DEFAULT_ROLES_PATH":         "[" + cwd + "/a /b]",
		"DEFAULT_FILTER_PLUGIN_PATH": "[/home/me/.ansible/plugins/filter /usr/share/ansible/plugins/filter]",
	} {
		if got := "[" + strings.Join(c.List(name), " ") + "]"; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if c.Int("DEFAULT_FORKS") != 9 || c.Origin("DEFAULT_FORKS") != "env: ANSIBLE_FORKS" {
		t.Errorf("forks %d from %s", c.Int("DEFAULT_FORKS"), c.Origin("DEFAULT_FORKS"))
	}
	if c.String("DEFAULT_REMOTE_USER") != "bob" || c.Origin("DEFAULT_REMOTE_USER") != file {
		t.Errorf("user %q", c.String("DEFAULT_REMOTE_USER"))
	}
	if c.String("DEFAULT_PRIVATE_KEY_FILE") != cwd+"/keys/id" || c.Int("DEFAULT_TIMEOUT") != 30 || c.String("DEFAULT_HASH_BEHAVIOUR") != "merge" {
		t.Error("key, timeout or hash_behaviour")
	}
	if !c.Bool("DEFAULT_BECOME") || !c.Bool("ssh:pipelining") || c.Bool("HOST_KEY_CHECKING") || c.Bool("ssh:host_key_checking") || c.IsSet("DEFAULT_SU") {
		t.Error("booleans")
	}
	if c.String("DEFAULT_REMOTE_PORT") != "" || c.String("ssh:ssh_args") != "-o A=b -o C=d" || c.String("DEFAULT_LOG_PATH") != cwd+"/one\ntwo" {
		t.Error("port, ssh args or tags")
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, text, env, want string }{
		{"no section", "forks=1\n", "", "ansible.cfg:1:1: a setting stands before the first [section]"},
		{"twice", "[defaults]\nforks=1\nforks=2\n", "", `ansible.cfg:3:1: "forks" is set twice in [defaults]`},
		{"no value", "[defaults]\nforks\n", "", `ansible.cfg:2:1: expected key = value, found "forks"`},
		{"no number", "[defaults]\nforks=x\n", "", `: "x" is no whole number`},
		{"choice", "[defaults]\ngathering=smrt\n", "", `"smrt" is not one of explicit, implicit, smart; did you mean "smart"?`},
		{"env choice", "", "ANSIBLE_HASH_BEHAVIOUR=x", `setting: DEFAULT_HASH_BEHAVIOUR (from env: ANSIBLE_HASH_BEHAVIOUR): "x" is not one of merge, replace`},
		{"typo", "[defaults]\nfork=1\n", "", `ansible.cfg:2:1: [defaults] has no setting "fork" (did you mean "forks"?)`},
		{"unsupported", "[defaults]\nterminal_plugins=/x\n", "", "the setting DEFAULT_TERMINAL_PLUGIN_PATH ("},
		{"unsupported env", "", "ANSIBLE_TERMINAL_PLUGINS=/x", "the setting DEFAULT_TERMINAL_PLUGIN_PATH (env: ANSIBLE_TERMINAL_PLUGINS) is not supported and has no effect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cwd := t.TempDir()
			write(t, cwd+"/ansible.cfg", c.text)
			_, diags := load([]string{"HOME=/nonexistent", c.env}, cwd, "")
			if diags.Len() != 1 {
				t.Fatalf("%d problems: %v", diags.Len(), diags.Sorted())
			}
			if got := diags.Sorted()[0].Error(); !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestSupportedNamesExist(t *testing.T) {
	c, _ := load(nil, t.TempDir(), "")
	for _, n := range append(acts, meaningless...) {
		c.Value(n) // panics on a wrong name
	}
}

// TestDumpWithAnsible compares defaults, file and environment with ansible-config.
func TestDumpWithAnsible(t *testing.T) {
	tool, err := exec.LookPath("ansible-config")
	if err != nil {
		t.Skip("ansible-config is not installed")
	}
	cwd := t.TempDir()
	file := write(t, cwd+"/ansible.cfg", "[defaults]\nforks=7\ninventory=a,b/c\nroles_path=x:~/y\nremote_user=\"bob\"\ntimeout=3;x\nlog_path=~/log ; no\n[privilege_escalation]\nbecome=yes\n[tags]\nrun=a, b\n")
	env := []string{"HOME=" + cwd, "PATH=" + os.Getenv("PATH"), "ANSIBLE_CONFIG=" + file, "ANSIBLE_HASH_BEHAVIOUR=merge", "ANSIBLE_SKIP_TAGS=q,r", "ANSIBLE_TIMEOUT=5"}
	cmd := exec.Command(tool, "dump", "--only-changed")
	cmd.Env, cmd.Dir = env, cwd
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := load(env, cwd, "")
	ours := map[string]bool{}
	for line := range strings.Lines(c.Dump(false)) {
		ours[line] = true
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "(") && !ours[line] {
			t.Errorf("not the same: %s", line)
		}
	}
}
