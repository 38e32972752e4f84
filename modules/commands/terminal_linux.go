package commands

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo terminal: our end, and the command's.
func openTerminal(echo bool) (ours, other *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open a terminal: %w", err)
	}
	ours = os.NewFile(uintptr(fd), "/dev/ptmx")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		other, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil && !echo {
		var t *unix.Termios
		if t, err = unix.IoctlGetTermios(int(other.Fd()), unix.TCGETS); err == nil {
			t.Lflag &^= unix.ECHO
			err = unix.IoctlSetTermios(int(other.Fd()), unix.TCSETS, t)
		}
	}
	if err != nil {
		_ = ours.Close()
		return nil, nil, fmt.Errorf("cannot open a terminal: %w", err)
	}
	return ours, other, nil
}
