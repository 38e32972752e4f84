//go:build !linux

package modules

import "syscall"

// processes of other groups than that of a command are not found on this platform.
type processes struct{}

func descendants(int) processes         { return processes{} }
func (processes) alive() bool           { return false }
func (processes) signal(syscall.Signal) {}
