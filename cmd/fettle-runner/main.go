// Command fettle-runner is the helper that fettle places on a host: the modules, and the
// loop that answers calls. It is started by fettle only.
package main

import (
	"os"

	_ "fettle/modules/all"
	"fettle/modules/serve"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == serve.Word {
		args = args[1:]
	}
	os.Exit(serve.Main(args))
}
