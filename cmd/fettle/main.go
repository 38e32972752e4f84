// Command fettle runs Ansible playbooks, fast and without Python. It also answers to the
// names of Ansible's commands, and serves as the runner on the machine it runs on.
package main

import (
	"context"
	"os"

	"fettle/cmd/internal/cli"
	"fettle/modules/serve"

	"golang.org/x/term"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == serve.Word {
		os.Exit(serve.Main(os.Args[2:]))
	}
	s := &cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		s.Terminal = true
		if w, _, err := term.GetSize(fd); err == nil {
			s.Width = w
		}
	}
	os.Exit(cli.Main(context.Background(), os.Args, s))
}
