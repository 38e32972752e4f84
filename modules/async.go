package modules

import (
	"os"
	"path/filepath"
	"strings"
)

// AsyncDir is the folder with the results of background jobs: ANSIBLE_ASYNC_DIR of the
// task's environment or the process, else ~/.ansible_async.
func AsyncDir(env []string) string {
	dir := os.Getenv("ANSIBLE_ASYNC_DIR")
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "ANSIBLE_ASYNC_DIR="); ok {
			dir = v
		}
	}
	if dir == "" {
		dir = "~/.ansible_async"
	}
	return filepath.Clean(ExpandPath(dir))
}
