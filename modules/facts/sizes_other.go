//go:build !linux

package facts

import "fettle/engine/value"

// fillSizes adds nothing: mounts are read from /proc, which only Linux has.
func fillSizes(*value.Dict, string) {}
