package container

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/transporttest"
)

// stub is a program that notes its arguments and runs what stands behind the words that
// lead into a container.
const stub = `#!/bin/sh
{ printf %%s "${0##*/}"; printf ' <%%s>' "$@"; echo; } >> %s/log
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
`

func stubs(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), fmt.Appendf(nil, stub, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func TestContractStub(t *testing.T) {
	for _, kind := range []string{"docker", "podman", "kubectl", "oc"} {
		t.Run(kind, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Subject {
				stubs(t, kind)
				return transporttest.Subject{Dialer: Dialer{kind}, Target: &transport.Target{Name: "c1", Connection: kind}}
			})
		})
	}
}

// The root of this machine is a chroot like any other.
func TestContractChroot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root")
	}
	transporttest.Run(t, func(*testing.T) transporttest.Subject {
		return transporttest.Subject{Dialer: Dialer{"chroot"}, Target: &transport.Target{Name: "here", Connection: "chroot", Address: "/"}}
	})
}

// The words are those that Ansible's plugins of the same names make, secrets excepted.
func TestWords(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		target transport.Target
		pty    bool
		want   string
	}{
		{"docker", transport.Target{Address: "web"}, false, "docker exec -i web /bin/sh -c LINE"},
		{"docker", transport.Target{Address: "web", User: "bob", Extra: map[string]string{"ansible_docker_host": "c9", "ansible_docker_extra_args": "--tls -H x", "ansible_docker_user": "ann"}}, true,
			"docker --tls -H x exec -i -t -u ann c9 /bin/sh -c LINE"},
		{"podman", transport.Target{Name: "p", User: "bob", Extra: map[string]string{"ansible_podman_extra_args": "--log-level=debug"}}, false, "podman --log-level=debug exec -i --user bob p /bin/sh -c LINE"},
		{"docker", transport.Target{Name: "web", Extra: map[string]string{"ansible_docker_privileged": "True", "ansible_docker_working_dir": "/srv", "ansible_docker_extra_env": `{"B":"two words","A":"1"}`}}, true,
			"docker exec -i -t --privileged -e A -e B --workdir /srv web /bin/sh -c LINE"},
		{"podman", transport.Target{Name: "p", Extra: map[string]string{"ansible_podman_executable": "podman", "ansible_podman_working_directory": "/srv", "ansible_podman_extra_env": `{"A":"1"}`}}, false,
			"podman exec -i -e A --workdir /srv p /bin/sh -c LINE"},
		{"kubectl", transport.Target{Name: "pod1", User: "bob"}, false, "kubectl exec -i pod1 -- /bin/sh -c LINE"},
		{"kubectl", transport.Target{Name: "h", Extra: map[string]string{"ansible_kubectl_pod": "pod1", "ansible_kubectl_namespace": "ns", "ansible_kubectl_container": "cc",
			"ansible_kubectl_validate_certs": "no", "ansible_kubectl_ca_cert": "/ca", "ansible_kubectl_host": "https://h", "ansible_kubectl_context": "ctx", "ansible_kubectl_kubeconfig": "/kc",
			"ansible_kubectl_extra_args": "-v 3", "ansible_kubectl_client_cert": "/cert", "ansible_kubectl_client_key": "/key"}}, false,
			"kubectl --namespace=ns --context=ctx --server=https://h --certificate-authority=/ca --client-certificate=/cert --client-key=/key --insecure-skip-tls-verify=true --kubeconfig=/kc -v 3 exec -i pod1 -c cc -- /bin/sh -c LINE"},
		{"oc", transport.Target{Name: "h", Extra: map[string]string{"ansible_oc_token": "SECRET", "ansible_oc_namespace": "ns"}}, true, "oc --namespace=ns --user=fettle-secret exec -i -t h -- /bin/sh -c LINE"},
		{"nsenter", transport.Target{Name: "h", Extra: map[string]string{"ansible_nsenter_pid": "7"}}, false, "nsenter --ipc --mount --net --pid --uts --preserve-credentials --target=7 -- /bin/sh -c LINE"},
	} {
		stubs(t, "docker", "podman", "kubectl", "oc", "nsenter")
		c, err := Dialer{tt.kind}.Dial(t.Context(), &tt.target)
		if err != nil {
			t.Errorf("%s: %v", tt.kind, err)
			continue
		}
		cmd := c.(interface {
			CommandLine(string, bool) *exec.Cmd
		}).CommandLine("LINE", tt.pty)
		if got := strings.Join(cmd.Args, " "); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if strings.Contains(strings.Join(cmd.Env, " "), "SECRET") {
			t.Error("the secret stands in the environment")
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, tt := range []struct {
		kind, address, want string
	}{
		{"docker", "web", "docker web: the program docker is not there"},
		{"nspawn", "/srv/root", "use the connection chroot"},
		{"nspawn", "nosuch", "no machine of this name is running here"},
		{"chroot", "/nonexistent", "chroot"},
	} {
		_, err := Dialer{tt.kind}.Dial(t.Context(), &transport.Target{Address: tt.address})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !transport.IsUnreachable(err) {
			t.Errorf("%s %s: %v", tt.kind, tt.address, err)
		}
	}
	stubs(t, "docker")
	for variable, want := range map[string]string{"ansible_docker_privileged": `ansible_docker_privileged: "x" is neither`, "ansible_docker_extra_env": "must be a dictionary"} {
		if _, err := (Dialer{"docker"}).Dial(t.Context(), &transport.Target{Name: "web", Extra: map[string]string{variable: "x"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", variable, err)
		}
	}
	if _, err := (Dialer{"docker"}).Dial(t.Context(), &transport.Target{Address: "--privileged"}); err == nil || !strings.Contains(err.Error(), "is no name") {
		t.Errorf("a name that is a flag: %v", err)
	}
}

// Environment variables reach the program in its environment, not in its arguments.
func TestExtraEnvironment(t *testing.T) {
	stubs(t, "docker")
	c, err := Dialer{"docker"}.Dial(t.Context(), &transport.Target{Name: "web", Extra: map[string]string{"ansible_docker_extra_env": `{"SAID":"two words"}`}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Start(t.Context(), `printf %s "$SAID"`, transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(p.Stdout())
	if code, err := p.Wait(); code != 0 || err != nil || out.String() != "two words" {
		t.Errorf("%q, exit code %d, %v", out.String(), code, err)
	}
}

// kubectl itself reads the token from memory.
func TestKubectlToken(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("no kubectl on this machine")
	}
	t.Setenv("HOME", t.TempDir())
	var right, wrong atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer t0ps3cret" {
			right.Add(1)
		} else {
			wrong.Add(1)
		}
		http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"no such pod","code":404}`, http.StatusNotFound)
	}))
	s.Listener, _ = net.Listen("tcp", "127.0.0.1:0")
	s.StartTLS()
	defer s.Close()
	c, err := Dialer{"kubectl"}.Dial(t.Context(), &transport.Target{Name: "pod1", Extra: map[string]string{
		"ansible_kubectl_token": "t0ps3cret", "ansible_kubectl_server": s.URL, "ansible_kubectl_validate_certs": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Start(context.Background(), "true", transport.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(p.Stdout())
	_, _ = out.ReadFrom(p.Stderr())
	code, _ := p.Wait()
	if code == 0 || right.Load() == 0 || wrong.Load() != 0 {
		t.Errorf("exit code %d, %d requests with the token, %d without: %s", code, right.Load(), wrong.Load(), out.String())
	}
}
