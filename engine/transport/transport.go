// Package transport reaches machines: it runs commands and moves bytes, and knows nothing
// of playbooks. Implementations live below (ssh, local, ...); all pass the suite in
// transporttest.
package transport

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Conn is an open way to one account on one machine. Safe for concurrent use.
type Conn interface {
	// Start runs a command line with the login shell of the account and returns at once.
	Start(ctx context.Context, command string, opts StartOptions) (Process, error)
	// Put writes a file with exactly the given permission bits; it replaces an existing one atomically
	// where the transport can and leaves nothing behind on failure.
	Put(ctx context.Context, path string, mode uint32, size int64, content io.Reader) error
	// Get reads a file.
	Get(ctx context.Context, path string, to io.Writer) error
	// Description is for messages: "ssh admin@web1:22".
	Description() string
	// Done is closed when the connection is lost or closed; Err then says why.
	Done() <-chan struct{}
	Err() error
	Close() error
}

// StartOptions of a command.
type StartOptions struct {
	PTY bool // allocate a terminal (su, requiretty)
}

// Process is a running command.
type Process interface {
	io.Writer          // its standard input
	CloseStdin() error // end of input
	Stdout() io.Reader
	Stderr() io.Reader
	// Wait returns the exit code, after both outputs have been read to the end.
	// A process ended by a signal has code 128+signal.
	Wait() (int, error)
	// Kill ends it; the remote side is told where the protocol can.
	Kill() error
}

// Target says whom to reach, from a host's connection variables.
type Target struct {
	Name          string // inventory name, for messages
	Connection    string // ssh, local, ...
	Address       string
	Port          int
	User          string
	Password      string
	KeyFiles      []string
	PrivateKey    string // the key itself, not a file; tried before the others
	KeyPassphrase string
	// HostKeyChecking as ansible's host_key_checking.
	HostKeyChecking bool
	SSHArgs         []string // ansible_ssh_args, split: these win over all that stands here
	CommonArgs      []string // ansible_ssh_common_args, extra args, split
	Timeout         int      // seconds to connect
	Retries         int
	// Dir is where commands of the connection local start: the directory of the playbook.
	Dir string
	// Extra are the other variables of its connection that are set (see Variables).
	Extra map[string]string
}

// Var gives one of the other connection variables, like "ansible_docker_extra_args".
func (t *Target) Var(name string) string { return t.Extra[name] }

// Key identifies a pooled connection.
func (t *Target) Key() string {
	key := fmt.Sprintf("%s|%s|%s|%d|%q|%q|%q", t.Connection, t.User, t.Address, t.Port, t.KeyFiles, t.SSHArgs, t.CommonArgs)
	if t.PrivateKey != "" {
		key += fmt.Sprintf("|key %x", sha256.Sum256([]byte(t.PrivateKey)))
	}
	if t.Dir != "" {
		key += fmt.Sprintf("|dir %q", t.Dir)
	}
	for _, n := range slices.Sorted(maps.Keys(t.Extra)) {
		key += fmt.Sprintf("|%s=%q", n, t.Extra[n])
	}
	return key
}

// variables are what connections know beside what all of them have.
var variables = map[string]string{
	"ssh":     "ansible_sshpass_prompt ansible_ssh_executable ansible_ssh_pkcs11_provider",
	"openssh": "ansible_ssh_executable ansible_ssh_pkcs11_provider",
	"docker":  "ansible_docker_host ansible_docker_user ansible_docker_extra_args ansible_docker_privileged ansible_docker_working_dir ansible_docker_extra_env",
	"podman":  "ansible_podman_host ansible_podman_executable ansible_podman_extra_args ansible_podman_working_directory ansible_podman_extra_env",
	"kubectl": kubectlVariables("kubectl") + " ansible_kubectl_pod ansible_kubectl_container ansible_kubectl_namespace",
	"oc":      kubectlVariables("oc") + " ansible_oc_pod ansible_oc_container ansible_oc_namespace",
	"chroot":  "ansible_chroot_exe ansible_chroot_disable_root_check ansible_executable",
	"nspawn":  "ansible_nspawn_user",
	"nsenter": "ansible_nsenter_pid",
}

func kubectlVariables(p string) string {
	p = "ansible_" + p + "_"
	return strings.ReplaceAll(" host server kubeconfig config context username user password token api_key client_cert cert_file client_key key_file ca_cert ssl_ca_cert validate_certs verify_ssl extra_args", " ", " "+p)[1:]
}

// Variables names the variables of a connection that belong into Target.Extra.
func Variables(connection string) []string { return strings.Fields(variables[connection]) }

// names are the full names of connections.
var names = map[string]string{
	"": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "community.docker.docker": "docker", "community.docker.docker_api": "docker",
	"community.docker.nsenter": "nsenter", "containers.podman.podman": "podman", "kubernetes.core.kubectl": "kubectl", "community.okd.oc": "oc",
	"community.general.chroot": "chroot", "community.general.nspawn": "nspawn", "machinectl": "nspawn", "docker_api": "docker",
}

// Name gives the short name of a connection: that of its dialer.
func Name(connection string) string {
	connection = strings.TrimPrefix(strings.TrimPrefix(connection, "ansible.builtin."), "ansible.legacy.")
	if n, ok := names[connection]; ok {
		return n
	}
	return connection
}

// Dialer opens connections of one kind.
type Dialer interface {
	Dial(ctx context.Context, t *Target) (Conn, error)
}

// UnreachableError is a failure to reach a host, or the loss of a connection.
type UnreachableError struct {
	Msg string
	Err error
	// Unknown: a call was under way and its outcome is not known.
	Unknown bool
}

func (e *UnreachableError) Error() string { return e.Msg }
func (e *UnreachableError) Unwrap() error { return e.Err }

// IsUnreachable tells whether err means that the host cannot be reached.
func IsUnreachable(err error) bool {
	var u *UnreachableError
	return errors.As(err, &u)
}
