package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Runners build wherever the modules do, which another system's compiler pass tells.
func TestPlatforms(t *testing.T) {
	if testing.Short() {
		t.Skip("building for other systems takes a while")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command here")
	}
	for _, platform := range []string{"freebsd-amd64", "openbsd-amd64", "darwin-arm64"} {
		t.Run(platform, func(t *testing.T) {
			goos, arch, _ := strings.Cut(platform, "-")
			for _, args := range [][]string{{"-tags", "core", "."}, {"../fettle-extra"}} {
				c := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", os.DevNull}, args...)...)
				c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch, "GOFLAGS=")
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			}
		})
	}
}
