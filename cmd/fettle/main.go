// Command fettle runs Ansible playbooks, fast and without Python. It also answers to the
// names of Ansible's commands, serves as the runner on the machine it runs on, and passes
// ssh's questions on.
package main

import (
	"context"
	"os"

	"fettle/cmd/internal/cli"
	"fettle/engine/heap"
	"fettle/engine/transport/openssh"
	"fettle/modules/serve"

	"golang.org/x/term"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == serve.Word {
		os.Exit(serve.Main(os.Args[2:]))
	}
	if is, code := openssh.Answer(os.Args, os.Stdout); is {
		os.Exit(code)
	}
	heap.Tune()
	s := &cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		s.Terminal = true
		if w, _, err := term.GetSize(fd); err == nil {
			s.Width = w
		}
	}
	os.Exit(cli.Main(context.Background(), os.Args, s))
}
