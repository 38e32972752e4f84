package ssh

import (
	"os"
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/sshconfig"
	"fettle/engine/transport/sshsim"
	"fettle/engine/transport/transporttest"
)

func startSim(t *testing.T, o sshsim.Options) (*sshsim.Server, *transport.Target) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := sshsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, &transport.Target{Name: "sim", Connection: "ssh", Address: "127.0.0.1", Port: s.Addr().Port, User: "u",
		CommonArgs: []string{"-F", "none", "-o", "IdentityAgent=none", "-o", "UserKnownHostsFile=/dev/null"}, Timeout: 10}
}

func newDialer(t *testing.T) *Dialer {
	d := &Dialer{files: sshconfig.Files{Home: os.Getenv("HOME"), System: os.DevNull}}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestContractSim(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sshsim.Options
	}{{"sftp", sshsim.Options{}}, {"no sftp", sshsim.Options{NoSFTP: true}}, {"one session a connection", sshsim.Options{MaxSessions: 1}}} {
		t.Run(tt.name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Subject {
				s, target := startSim(t, tt.o)
				return transporttest.Subject{Dialer: newDialer(t), Target: target, Drop: s.Cut}
			})
		})
	}
}

func TestContractSSHD(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config []string
	}{{"plain", nil}, {"one session a connection", []string{"MaxSessions 1"}}} {
		t.Run(tt.name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Subject {
				s := transporttest.StartSSHD(t, tt.config...)
				return transporttest.Subject{Dialer: newDialer(t), Target: s.Target(t), Drop: s.Drop, NoSignals: s.User == "root"}
			})
		})
	}
}
