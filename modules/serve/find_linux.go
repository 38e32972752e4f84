package serve

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Runners of one account find each other by a socket in Linux's abstract namespace: no file
// is left however they end. Its name is a secret that only the controller is told, and both
// sides check that the other one belongs to the same account. Package net would make the
// runner a third larger.

func address(token string) unix.Sockaddr { return &unix.SockaddrUnix{Name: "@fettle-" + token} }

// listen calls accept, in goroutines, for runners of the same account that know the token.
func listen(accept func(io.ReadWriteCloser)) (token string, end func(), err error) {
	var secret [16]byte
	if _, err := unix.Getrandom(secret[:], 0); err != nil {
		return "", nil, err
	}
	token = hex.EncodeToString(secret[:])
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	if err := errors.Join(unix.Bind(fd, address(token)), unix.Listen(fd, 8)); err != nil {
		_ = unix.Close(fd)
		return "", nil, err
	}
	go func() {
		defer func() { _ = unix.Close(fd) }()
		for {
			c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			switch {
			case err == unix.EINTR || err == unix.ECONNABORTED:
			case err != nil:
				return
			case sameAccount(c):
				go accept(os.NewFile(uintptr(c), "runner"))
			default:
				_ = unix.Close(c)
			}
		}
	}()
	return token, func() { _ = unix.Shutdown(fd, unix.SHUT_RDWR) }, nil
}

// dial reaches the runner of the same account that has the token.
func dial(token string) (io.ReadWriteCloser, error) {
	if len(token) != 32 {
		return nil, errors.New("a bad token")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Connect(fd, address(token))
	switch {
	case err == unix.ECONNREFUSED:
		err = errors.New("it has ended")
	case err != nil:
		err = fmt.Errorf("cannot reach it: %w", err)
	case !sameAccount(fd):
		err = errors.New("somebody else answers in its name")
	default:
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "runner"), nil
}

// sameAccount tells whether the process at the other end is one of ours.
func sameAccount(fd int) bool {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && int(cred.Uid) == os.Geteuid()
}
