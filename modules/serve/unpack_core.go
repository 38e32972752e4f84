//go:build core

package serve

import (
	"io"

	"github.com/xi2/xz"
)

// unpack reads the second program.
func unpack(r io.Reader) (io.Reader, error) { return xz.NewReader(r, 0) }
