package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fettle": main, "ansible-playbook": main, "ansible-galaxy": main, "ansible-pull": main, "ansible-console": main, "ansible": main, "ansible-inventory": main, "ansible-vault": main, "ansible-doc": main, "ansible-config": main})
}

// The binary as users run it: flags, exit codes, what it prints.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("ANSIBLE_CONFIG", "")
			return nil
		},
	})
}
