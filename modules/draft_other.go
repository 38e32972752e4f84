//go:build !linux

package modules

import (
	"errors"
	"os"
)

func openUnnamed(*os.Root) (*os.File, error)    { return nil, errors.ErrUnsupported }
func giveName(*os.File, *os.Root, string) error { return errors.ErrUnsupported }
func sweepDrafts(*os.Root)                      {}
func lockDir(*os.Root, string) *os.File         { return nil }
