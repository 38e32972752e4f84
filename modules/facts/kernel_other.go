//go:build !linux

package facts

import (
	"context"

	"fettle/engine/value"
)

// rootInode is the inode of a root that is no chroot.
func rootInode() uint64 { return 2 }

// loadavg is told by Linux only.
func (g *gatherer) loadavg(context.Context) *value.Dict { return nil }
