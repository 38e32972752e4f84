//go:build !linux

package modules

import (
	"errors"
	"os"
)

// FileFlags are the inode flags of a file; only Linux has them here.
type FileFlags struct {
	Letters string
	Names   []string
	Version string
	OK      bool
}

// ReadFlags reports none.
func ReadFlags(string) FileFlags { return FileFlags{Names: []string{}} }

func (f FileFlags) set() string { return f.Letters }

func writeFlags(string, byte, string) error  { return errors.ErrUnsupported }
func protected(string) string                { return "" }
func lgetxattr(string, string) string        { return "" }
func lsetxattr(string, string, string) error { return errors.ErrUnsupported }
func copyXattrs(string, *os.File)            {}

func chmod(path string, mode uint32) error { return os.Chmod(path, goMode(mode)) }
