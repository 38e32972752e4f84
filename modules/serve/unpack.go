//go:build !core

package serve

import (
	"errors"
	"io"
)

// unpack is for the program that lacks modules only.
func unpack(io.Reader) (io.Reader, error) { return nil, errors.New("this program has all modules") }
