// Command fettle-extra is the runner's second program: the modules that need HTTP, TLS or
// archive formats. fettle-runner fetches it over its connection when a task needs one of
// them, and starts it as its child.
package main

import (
	"os"

	_ "fettle/modules/all/extra"
	"fettle/modules/serve"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == serve.Word {
		args = args[1:]
	}
	os.Exit(serve.Main(args))
}
