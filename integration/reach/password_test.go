//go:build integration

package reach_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/openssh"
	"fettle/engine/transport/ssh"
	"fettle/integration/fleet"
)

// The test program is the askpass of the ssh program.
func TestMain(m *testing.M) {
	if is, code := openssh.Answer(os.Args, os.Stdout); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// Passwords by both methods of a real sshd with PAM, by both clients.
func TestPasswords(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	f := fleet.Up(t, fleet.Group{Name: "password", Count: 1, SSHD: []string{"KbdInteractiveAuthentication no", "PasswordAuthentication yes"}},
		fleet.Group{Name: "keyboard", Count: 1, SSHD: []string{"KbdInteractiveAuthentication yes", "PasswordAuthentication no"}})
	for name, d := range map[string]transport.Dialer{"ssh": &ssh.Dialer{}, "openssh": &openssh.Dialer{Askpass: self}} {
		for _, h := range f.Hosts {
			for password, want := range map[string]string{fleet.Password: "", "wrong": "den", "": "den"} {
				x := account(f, h, "op", nil).Target
				x.KeyFiles, x.Password = nil, password
				x.CommonArgs = append(x.CommonArgs, "-o", "IdentityFile=none")
				c, err := d.Dial(t.Context(), x)
				if err != nil {
					msg := strings.Replace(err.Error(), "does not let op in", "denied", 1)
					if want == "" || !strings.Contains(msg, want) || password != "" && strings.Contains(msg, fleet.Password) {
						t.Errorf("%s to %s with %q: %v", name, h.Name, password, err)
					}
					continue
				}
				if want != "" {
					t.Errorf("%s to %s with %q: let in", name, h.Name, password)
				}
				p, err := c.Start(t.Context(), "id -un", transport.StartOptions{})
				must(t, err)
				out, _ := io.ReadAll(p.Stdout())
				if code, err := p.Wait(); code != 0 || err != nil || string(out) != "op\n" {
					t.Errorf("%s to %s: %q, exit code %d, %v", name, h.Name, out, code, err)
				}
				_ = c.Close()
			}
		}
	}
}
