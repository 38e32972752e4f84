package fleet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"fettle/engine/transport/sshsim"
	_ "fettle/modules/all" // what the runners can do
	"fettle/modules/serve"
)

// Simulation is a set of SSH servers inside this process, each with a runner of its own, also
// inside this process: thousands of hosts, which share the machine's file system. They have
// real connections, real frames and real modules, but no login shell and no processes of
// their own, so that what a run costs is the controller's.
type Simulation struct {
	Dir       string // its state; removed by Close
	Inventory string
	Servers   []*sshsim.Server
}

// Simulate starts n simulated hosts. It needs neither root nor anything installed.
func Simulate(n int) (*Simulation, error) {
	dir, err := os.MkdirTemp("", "fettle-sim-")
	if err != nil {
		return nil, err
	}
	s := &Simulation{Dir: dir, Inventory: filepath.Join(dir, "hosts.ini")}
	if err := s.start(n); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Simulation) start(n int) error {
	login, err := s.makeKey()
	if err != nil {
		return err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	hostKey, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	var hosts, known bytes.Buffer
	for i := range n {
		srv, err := sshsim.Start(sshsim.Options{Dir: s.Dir, HostKey: hostKey, Keys: []ssh.PublicKey{login}, Runner: serve.Run})
		if err != nil {
			return err
		}
		s.Servers = append(s.Servers, srv)
		fmt.Fprintf(&hosts, "sim%04d ansible_host=127.0.0.1 ansible_port=%d number=%d\n", i+1, srv.Addr().Port, i+1)
		fmt.Fprintln(&known, srv.KnownHostsLine())
	}
	fmt.Fprintf(&hosts, "[all:vars]\nansible_user=sim\nansible_ssh_private_key_file=%s/id\nansible_ssh_common_args=-F /dev/null -o UserKnownHostsFile=%s/known_hosts -o IdentitiesOnly=yes\n", s.Dir, s.Dir)
	return errors.Join(os.WriteFile(filepath.Join(s.Dir, "known_hosts"), known.Bytes(), 0o600), os.WriteFile(s.Inventory, hosts.Bytes(), 0o600))
}

// makeKey writes the key that all accounts accept.
func (s *Simulation) makeKey() (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "id"), pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}

// Close ends all servers.
func (s *Simulation) Close() error {
	var errs []error
	for _, srv := range s.Servers {
		errs = append(errs, srv.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.Dir))...)
}
