package modules

import "syscall"

// bindTo lets a process end with the thread that starts it, which the caller must hold on to.
func bindTo(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
