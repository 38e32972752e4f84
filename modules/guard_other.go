//go:build !linux

package modules

import "syscall"

// bindTo does nothing on this platform.
func bindTo(*syscall.SysProcAttr) {}
