package runner

import (
	"os"
	"testing"

	"fettle/engine/transport"
)

// A raw command behind a become method with a terminal sees the end of its input and is
// not hung up; its output is as through a pipe.
func TestRawOnTerminal(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/su", []byte("#!/bin/sh\nwhile [ \"$1\" != -c ]; do shift; done\nexec /bin/sh -c \"$2\"\n"), 0o700))
	p := newPool(t, dialers(t))
	a := &Account{Target: &transport.Target{Name: "localhost", Connection: "local"}, Become: &Become{Method: "su", Exe: dir + "/su"}}
	for range 5 {
		rc, out, errs, err := p.Raw(t.Context(), a, "echo in; sleep 0.05; cat; echo end; exit 3")
		if err != nil || rc != 3 || string(out)+string(errs) != "in\nend\n" {
			t.Errorf("exit code %d, %q, %q, %v", rc, out, errs, err)
		}
	}
}
